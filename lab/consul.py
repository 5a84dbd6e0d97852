"""Configure and start a lab's Consul agents: three servers, the rest and the master clients.

No agent leaves by being stopped (facts.md#K-2.2), and a dead server stays in the catalog
(facts.md#K-2.3). They grant sessions of less than 10 s (facts.md#K-4.1): a test that a leader is
followed by another need not wait for the real times.
"""

from __future__ import annotations

import json

from lab import packages
from lab.command import wait_for
from lab.node import Node
from lab.record import Record

SERVERS = 3
#: Idle agents are a fifth of what a run of all tests costs: one thread and fewer rounds of the
#: garbage collector, and no gossip between data centres, take half of that away.
UNIT = """\
[Unit]
Description=Consul agent of the lab

[Service]
Environment=GOMAXPROCS=1 GOGC=400
ExecStart=/usr/bin/consul agent -config-dir=/etc/consul.d
KillSignal=SIGINT

[Install]
WantedBy=multi-user.target
"""


def servers(lab: Record) -> list[str]:
    """Name the nodes that are servers: three, or one where there are fewer than three nodes."""
    return lab.nodes[: SERVERS if len(lab.nodes) >= SERVERS else 1]


def prepare(lab: Record, member: str) -> None:
    """Give a node the program and, unless the lab is bare, its unit and configuration."""
    up = lab.path("nodes", member, "up")
    program = packages.consul()
    if str(program) != "/usr/bin/consul":
        (up / "usr/bin/consul").symlink_to(program)
    units = up / "usr/lib/systemd/system"
    units.mkdir(parents=True, exist_ok=True)
    (units / "consul.service").write_text(UNIT)
    if not lab.bare:
        (up / "etc/consul.d").mkdir()
        (up / "etc/consul.d/lab.json").write_text(json.dumps(settings(lab, member), indent=1))


def start(lab: Record) -> None:
    """Configure and start the agents of a lab that is bare, and wait for them."""
    for member in lab.members:
        node = Node(lab, member)
        node.ok(
            ["sh", "-c", "mkdir -p /etc/consul.d && cat > /etc/consul.d/lab.json"],
            input=json.dumps(settings(lab, member), indent=1),
        )
        node.ok(["systemctl", "enable", "--now", "consul"])
    wait(lab)


def settings(lab: Record, member: str) -> dict[str, object]:
    """Give the agent's configuration."""
    mine: dict[str, object] = {
        "node_name": member,
        "datacenter": "lab",
        "data_dir": "/var/lib/consul",
        "bind_addr": lab.address(member),
        "client_addr": "127.0.0.1",
        "ui": True,
        "retry_join": [lab.address(name) for name in servers(lab)],
        "retry_interval": "1s",
        "disable_update_check": True,
        "leave_on_terminate": False,
        "skip_leave_on_interrupt": True,
        "performance": {"raft_multiplier": 1},
        "session_ttl_min": "1s",
        "ports": {"serf_wan": -1},
    }
    if member in servers(lab):
        count = len(servers(lab))
        mine |= {"server": True, "bootstrap_expect": count}
        mine |= {"autopilot": {"cleanup_dead_servers": False}}
    return mine


def wait(lab: Record, *, timeout: float = 180) -> None:
    """Wait until a leader is elected and every member is in the catalog."""
    first = Node(lab, lab.nodes[0])
    wait_for(
        "Consul with a leader and all members",
        lambda: (
            len(first.run(["consul", "catalog", "nodes"]).stdout.splitlines()) > len(lab.members)
        ),
        timeout=timeout,
        step=0.3,
    )
