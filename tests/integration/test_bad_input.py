"""Bad input on a real pool: an error that names the key and the fix, and nothing changed anywhere.

g1 and g2 are a pool with a volume, g3 and g4 another one. Every declaration is judged twice, in
test mode and in earnest; then the files of every glusterd, its history of commands and the brick
directories are what they were.
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import gluster_facts
import pytest
import salted
from waiting import until

from lab import Lab, Node

HERE = ["g1:/srv/gluster/new", "g2:/srv/gluster/new"]
PAIR = {"replica": 2, "accept_risk": ["replica2"]}
NODES = ["g1", "g2"]
SILENT_DNS = (
    "import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
    "s.bind(('', 53)); print('up', flush=True); time.sleep(600)"
)
#: What is declared -> words of the error: what is wrong, and what would be right.
BAD: dict[str, tuple[salted.Call, tuple[str, ...]]] = {
    "name with a blank": (
        ("gluster_volume.present", "my data", {**PAIR, "bricks": HERE}),
        ("my data", "Letters, digits"),
    ),
    "name with a newline": (
        ("gluster_volume.present", "v\nvolume stop v", {**PAIR, "bricks": HERE}),
        ("Letters, digits",),
    ),
    "name for a shell": (
        ("gluster_volume.present", "v;reboot", {**PAIR, "bricks": HERE}),
        ("Letters, digits",),
    ),
    "name that is an option": (
        ("gluster_volume.options", "--remote-host=g3", {"options": {"user.x": "1"}}),
        ("cannot be the name",),
    ),
    "brick path with a blank": (
        ("gluster_volume.present", "new", {**PAIR, "bricks": ["g1:/srv/a b", "g2:/srv/ab"]}),
        ("bricks", "/srv/a b", "blank"),
    ),
    "brick without a host": (
        ("gluster_volume.present", "new", {**PAIR, "bricks": ["/srv/gluster/new", HERE[1]]}),
        ("bricks", "'/srv/gluster/new' has no host", "Write g1:/srv/gluster/new"),
    ),
    "brick path that is not absolute": (
        ("gluster_volume.present", "new", {**PAIR, "bricks": ["g1:srv/new", HERE[1]]}),
        ("bricks", "'g1:srv/new' has no absolute path", "g1:/srv/gluster/data/1"),
    ),
    "a brick twice": (
        ("gluster_volume.present", "new", {**PAIR, "bricks": [HERE[0], HERE[0]]}),
        ("bricks", "g1:/srv/gluster/new", "twice"),
    ),
    "copies that do not divide": (
        ("gluster_volume.present", "new", {"replica": 3, "bricks": HERE}),
        ("bricks", "Add 1"),
    ),
    "two copies on one node": (
        ("gluster_volume.present", "new", {**PAIR, "bricks": [HERE[0], "g1:/srv/gluster/n2"]}),
        ("bricks", "two bricks of set 1 lie on g1", "set by set in the order written"),
    ),
    "two copies that nobody accepted": (
        ("gluster_volume.present", "new", {"replica": 2, "bricks": HERE}),
        ("replica", "split-brain", "accept_risk"),
    ),
    "unknown option": (
        ("gluster_volume.options", "v", {"options": {"network.ping-timeot": 20}}),
        ("network.ping-timeot", "Did you mean network.ping-timeout"),
    ),
    "value out of range": (
        ("gluster_volume.options", "v", {"options": {"performance.io-thread-count": 65}}),
        ("performance.io-thread-count", "1 to 64"),
    ),
    "value of another type": (
        ("gluster_volume.options", "v", {"options": {"network.ping-timeout": "soon"}}),
        ("network.ping-timeout", "time such as"),
    ),
    "unknown argument": (
        ("gluster_volume.present", "new", {**PAIR, "bricks": HERE, "replcia": 3}),
        ("replcia", "replica"),
    ),
    "host without an address": (
        ("gluster_peer.present", "no-such-host", {"nodes": [*NODES, "no-such-host"]}),
        ("nodes", "no-such-host", "does not resolve", "/etc/hosts"),
    ),
    "brick on a host without an address": (
        ("gluster_volume.present", "new", {**PAIR, "bricks": [HERE[0], "no-such-host:/srv/n"]}),
        ("bricks", "no-such-host", "does not resolve", "/etc/hosts"),
    ),
    "host in another pool": (
        ("gluster_peer.present", "g3", {"nodes": [*NODES, "g3"]}),
        ("foreign_pool", "g3", "g4"),
    ),
    "brick on a host in another pool": (
        ("gluster_volume.present", "new", {**PAIR, "bricks": [HERE[0], "g3:/srv/gluster/n"]}),
        ("bricks", "g3", "g4"),
    ),
}


@pytest.fixture(scope="module")
def pool(plain: Lab) -> Lab:
    first = plain.node("g1")
    for name in ("g3", "g4"):
        first.ok(["gluster", "--mode=script", "peer", "detach", name])
    until(lambda: not gluster_facts.peers(plain.node("g3")), 30, "g3 to be alone")
    pair(plain.node("g3"), plain.node("g4"))
    bricks = ["g1:/srv/gluster/v", "g2:/srv/gluster/v"]
    for words in (["create", "v", "replica", "2", *bricks], ["start", "v"]):
        first.ok(["gluster", "--mode=script", "volume", *words])
    return plain


def pair(node: Node, other: Node) -> None:
    node.ok(["gluster", "--mode=script", "peer", "probe", other.name])

    def is_pool() -> bool:
        each = [(gluster_facts.peers(one), gluster_facts.connected(one)) for one in (node, other)]
        return all(set(peers.values()) == {"3"} and all(up.values()) for peers, up in each)

    until(is_pool, 30, f"{other.name} in the pool")


def world(lab: Lab) -> dict[str, str]:
    """Everything a change would leave a trace in, by node."""
    script = (
        "cd /var/lib/glusterd && find vols peers glusterd.info options -type f"
        " ! -path '*/run/*' | sort | xargs sha256sum;"
        " grep -v ' : volume status\\|uuid get' /var/log/glusterfs/cmd_history.log;"
        " find /srv/gluster -maxdepth 1"
    )
    return {node.name: node.ok(["sh", "-c", script]) for node in lab}


def plain(ret: dict[str, Any]) -> str:
    return " ".join(ret["comment"].split())


@pytest.mark.capability(59, 65, 75, 161, 168)
def test_what_is_declared_wrongly_is_named_with_the_fix_and_changes_nothing(pool: Lab) -> None:
    first, before = pool.node("g1"), world(pool)
    calls = [call for call, _ in BAD.values()]
    foreseen = salted.apply_all(first, calls, test=True)
    real = salted.apply_all(first, calls)
    missing = []
    for (case, (_, words)), told, ret in zip(BAD.items(), foreseen, real, strict=True):
        for one in (told, ret):
            assert (one["result"], one["changes"]) == (False, {}), (case, one)
            missing += [(case, word, one["comment"]) for word in words if word not in plain(one)]
    assert missing == []
    assert world(pool) == before


@pytest.mark.capability(194)
def test_a_name_that_answers_never_costs_seconds_and_holds_up_no_glusterd(pool: Lab) -> None:
    """A name server that takes the question and says nothing: getaddrinfo waits 10 s and more."""
    first, server = pool.node("g1"), pool.node("g4")
    silent = server.popen([sys.executable, "-c", SILENT_DNS], stdout=subprocess.PIPE)
    assert silent.stdout and silent.stdout.readline() == "up\n"
    resolver = first.ok(["cat", "/etc/resolv.conf"])
    first.ok(["sh", "-c", f"echo nameserver {server.address} > /etc/resolv.conf"])
    before = world(pool)
    began = time.monotonic()
    salted.apply(first, "gluster_peer.present", "g2", nodes=NODES)
    usual = time.monotonic() - began  # what Salt and a look cost on this machine right now
    try:
        asked = first.run(["timeout", "5", "getent", "hosts", "slow.example.org"])
        assert asked.returncode == 124, "the name is not slow here"
        began = time.monotonic()
        ret = salted.apply(
            first, "gluster_peer.present", "slow.example.org", nodes=[*NODES, "slow.example.org"]
        )
        took = time.monotonic() - began
        assert (ret["result"], ret["changes"]) == (False, {})
        assert "slow.example.org' did not resolve within 2 s" in plain(ret)
        assert "/etc/hosts" in plain(ret)
        # Two looks at 2 s each; the resolver alone would take 10 s and more for each of them.
        assert took - usual < 15, "every look waits for the limit, not for the resolver"
        began = time.monotonic()
        first.ok(["gluster", "pool", "list"])
        assert time.monotonic() - began < 3, "glusterd was asked to resolve it"
    finally:
        first.ok(["sh", "-c", f"printf %s {resolver!r} > /etc/resolv.conf"])
        silent.kill()
        silent.wait()
    assert world(pool) == before


def test_without_glusterd_every_state_says_how_to_start_it(pool: Lab) -> None:
    """The last one here: the daemon of g1 stays down, until the pool is given to the next file."""
    first = pool.node("g1")
    first.ok(["systemctl", "stop", "glusterd"])
    before = world(pool)
    calls: list[salted.Call] = [
        (
            "gluster_volume.present",
            "v",
            {"bricks": ["g1:/srv/gluster/v", "g2:/srv/gluster/v"], **PAIR},
        ),
        ("gluster_volume.stopped", "v", {"confirm": "an-id"}),
        ("gluster_peer.present", "g2", {"nodes": NODES}),
    ]
    for call, ret in zip(calls, salted.apply_all(first, calls), strict=True):
        assert (ret["result"], ret["changes"]) == (False, {}), (call, ret)
        assert "systemctl start glusterd" in plain(ret), call
    assert world(pool) == before
