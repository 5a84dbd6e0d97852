"""The main job: four minions apply the same declaration at the same moment; one pool comes out.

Each round begins with glusterds that know nothing. What came out is read from gluster, from the
history of commands that each glusterd keeps, and from the minions' own logs.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gluster_facts
import pytest
from highstates import Returns, changes, failures

from lab import Lab
from lab.command import at_once
from lab.node import Node

PILLAR = Path(__file__).parents[2] / "pillar-examples/small.sls"
MOUNT = "/srv/data"
MINION_LOG = "/var/log/salt/minion"
#: Everything that makes a node a member, and every file of a volume; disks stay formatted.
BARE_AGAIN = r"""
find /var/lib/glusterd -mindepth 1 -maxdepth 1 ! -name groups ! -name hooks -exec rm -rf {} +
rm -rf /srv/gluster/disk*/* /var/lib/salt-gluster /var/run/gluster/*
sed -i '/ fuse.glusterfs\| glusterfs /d' /etc/fstab
: > /var/log/glusterfs/cmd_history.log
exec systemctl start glusterd
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab.up("tconv", nodes=4, disks=2, bare=True, consul=False) as up:
        up.write_pillar(PILLAR.read_text())
        yield up


def bare_again(lab: Lab) -> None:
    at_once(make_bare, lab.nodes)
    assert all(
        len(gluster_facts.pool(node)) == 1 and not gluster_facts.volumes(node) for node in lab.nodes
    )


def make_bare(node: Node) -> None:
    node.run(["umount", "-l", MOUNT])
    node.ok(["systemctl", "stop", "glusterd"])
    left = [pid for name in ("glusterfs", "glusterfsd") for pid, _ in node.programs(name)]
    for pid in left:
        with contextlib.suppress(ProcessLookupError):  # a client ends by itself without its mount
            os.kill(pid, signal.SIGKILL)
    node.gone(left)
    node.ok(["sh", "-c", BARE_AGAIN])


def apply(lab: Lab, **kwargs: Any) -> Returns:
    """Apply the formula on all nodes at once; every minion answers with every state of it."""
    answers = lab.salt("*", "state.apply", "gluster", timeout=400, **kwargs)
    assert sorted(answers) == [node.name for node in lab.nodes]
    assert all(isinstance(answer, dict) and len(answer) > 3 for answer in answers.values()), answers
    return answers


def complaints(node: Node) -> list[str]:
    lines = node.ok(["cat", MINION_LOG]).splitlines()
    return [line for line in lines if re.search(r"\[(ERROR|CRITICAL)|Traceback", line)]


def assert_one_pool(lab: Lab) -> None:
    pools = {node.name: gluster_facts.pool(node) for node in lab.nodes}
    assert len(set(pools.values())) == 1 and len(pools["g1"]) == len(lab.nodes), pools
    states = {node.name: gluster_facts.peers(node) for node in lab.nodes}
    assert all(set(s.values()) == {"3"} for s in states.values()), states
    views = [gluster_facts.volumes(node) for node in lab.nodes]
    assert all(view == views[0] for view in views), views


def assert_made_once(lab: Lab) -> None:
    """Each glusterd's own history: every change of the volume was sent once in the whole pool."""
    for change in ("volume create data", "volume set data", "volume start data"):
        sent = [
            line
            for n in lab.nodes
            for line in gluster_facts.commands(n, f" : {change} .*: SUCCESS")
        ]
        assert len(sent) == 1, (change, sent)
    assert [line for n in lab.nodes for line in gluster_facts.commands(n, " force( |$)")] == []


def assert_kept(node: Node) -> None:
    """What has to survive a boot: the mount in fstab, glusterd enabled, the package held."""
    kind = node.ok(["findmnt", "-n", "-o", "FSTYPE,SOURCE", MOUNT]).split()
    assert kind == ["fuse.glusterfs", f"{node.name}:/data"], kind
    lines = [line.split() for line in node.ok(["cat", "/etc/fstab"]).splitlines()]
    mounts = [line for line in lines if MOUNT in line[1:2]]
    assert len(mounts) == 1 and "_netdev" in mounts[0][3], mounts
    assert mounts[0][3].count("backup-volfile-servers=g") == 1, mounts
    assert node.ok(["systemctl", "is-enabled", "glusterd"]) == "enabled\n"
    assert "hold ok installed" in node.ok(["dpkg", "-s", "glusterfs-server"])


@pytest.mark.capability(1, 4, 15, 38, 44, 75, 83, 117, 118, 143, 146, 167, 193)
def test_four_minions_at_once_make_one_pool_and_each_thing_once(lab: Lab, rounds: int) -> None:
    for number in range(rounds):
        if number:  # the first round begins with blank disks and glusterd masked
            bare_again(lab)
        answers = apply(lab)
        assert failures(answers) == [], f"round {number}"
        assert_one_pool(lab)
        assert_made_once(lab)
        volume = gluster_facts.volumes(lab.node("g3"))["data"]
        assert (volume["type"], volume["status"]) == ("2 x replica 3", "Started")
        assert volume["options"]["network.ping-timeout"] == "20"
        hosts = [brick.partition(":")[0] for brick in volume["bricks"]]
        assert all(len(set(hosts[at : at + 3])) == 3 for at in (0, 3)), hosts
        for node in lab.nodes:
            assert_kept(node)
            node.ok(["sh", "-c", f"echo {number} > {MOUNT}/{node.name}"])
            assert complaints(node) == [], f"{node.name}, round {number}"
        assert len(lab.node("g4").ok(["ls", MOUNT]).split()) == len(lab.nodes)


@pytest.mark.capability(49)
def test_a_second_apply_changes_nothing_and_asks_gluster_three_times_at_most(lab: Lab) -> None:
    before = {node.name: gluster_facts.processes(node) for node in lab.nodes}
    history = {node.name: gluster_facts.commands(node, "volume|peer") for node in lab.nodes}
    answers = apply(lab)
    assert (failures(answers), changes(answers)) == ([], {})
    started = {node.name: gluster_facts.processes(node) - before[node.name] for node in lab.nodes}
    assert all(1 <= count <= 3 for count in started.values()), started
    assert {node.name: gluster_facts.commands(node, "volume|peer") for node in lab.nodes} == history


@pytest.mark.capability(161, 162)
def test_test_mode_says_beforehand_what_the_four_runs_then_change(lab: Lab) -> None:
    bare_again(lab)
    forecast = apply(lab, test=True)
    assert all(
        len(gluster_facts.pool(node)) == 1 and not gluster_facts.volumes(node) for node in lab.nodes
    )
    told = forecast["g1"]["gluster_|-gluster-pool_|-gluster-pool_|-cluster"]
    assert told["result"] is None, told["comment"]
    answers = apply(lab)
    assert failures(answers) == []
    # Who creates is decided by turn, so the four runs together are what the founder foresaw.
    seen_by_pool = gluster_facts.volume_changes(
        {}, gluster_facts.volumes(lab.node("g1")),
        ("cluster.lookup-optimize", "network.ping-timeout", "performance.cache-size"),
    )  # fmt: skip
    ran = [
        a["gluster_|-gluster-pool_|-gluster-pool_|-cluster"]["changes"] for a in answers.values()
    ]
    made = [changes["volume data"] for changes in ran if "volume data" in changes]
    assert told["changes"]["volume data"] == seen_by_pool
    assert made == [seen_by_pool]


@pytest.mark.capability(194)
def test_two_halves_cut_from_each_other_at_the_start_never_become_two_pools(lab: Lab) -> None:
    bare_again(lab)
    cut(lab, "add")
    healed = threading.Timer(6, cut, (lab, "del"))
    healed.start()
    try:
        first = apply(lab)
    finally:
        healed.join()
    # Members learn of a new one one after another: one pool may be seen at several of its sizes.
    grown = [pool for pool in map(gluster_facts.pool, lab.nodes) if len(pool) > 1]
    assert all(set(one) & set(other) for one in grown for other in grown), grown
    assert failures(apply(lab)) == [], failures(first)
    assert_one_pool(lab)
    assert_made_once(lab)


@pytest.mark.long
def test_halves_that_stay_cut_make_one_pool_of_the_founders_half_at_most(lab: Lab) -> None:
    """Waits for two time-outs of a minute."""
    bare_again(lab)
    cut(lab, "add")
    try:
        answers = apply(lab)
        assert failures(answers), "a half of the pool was taken for the whole"
        assert gluster_facts.pool(lab.node("g3")) != gluster_facts.pool(lab.node("g4")), (
            "a second pool"
        )
        assert not any(gluster_facts.volumes(node) for node in lab.nodes)
    finally:
        cut(lab, "del")
    time.sleep(1)
    assert failures(apply(lab)) == []
    assert_one_pool(lab)
    assert_made_once(lab)


def cut(lab: Lab, verb: str) -> None:
    """Let {g3, g4} send nothing to {g1, g2}; all of them still reach the master."""
    for name in ("g3", "g4"):
        for other in ("g1", "g2"):
            address = f"{lab.node(other).address}/32"
            lab.node(name).ok(["ip", "route", verb, "blackhole", address])
