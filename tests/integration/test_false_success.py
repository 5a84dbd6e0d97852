"""Gluster's false successes, replayed on real glusterds: none of them is believed.

Each test shows by hand what gluster answers, and then what our states make of it. One lab serves
them all; between two tests every node gets back the glusterd files of a pool that was just joined.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import salted
from needs import needs
from waiting import until

from lab import Lab, LabError, Node
from salt_gluster.errors import CommandFailed
from salt_gluster.gluster.cli import CliResult, GlusterCli, run_process

ROOT = Path(__file__).resolve().parents[2]
NODES = ["g1", "g2", "g3"]
VOLUME = "v"
BRICKS = ["g1:/srv/gluster/v", "g2:/srv/gluster/v"]
DECLARED = {"bricks": BRICKS, "replica": 2, "accept_risk": ["replica2"]}
PILLAR = {"gluster": {"nodes": NODES}}


@pytest.fixture(scope="module")
def three() -> Iterator[Lab]:
    """Three nodes in one pool without volumes; their glusterd files are kept beside them."""
    with Lab.up("tfalse", nodes=3, bare=True, salt=False, consul=False) as lab:
        salted.prepare(lab)
        for node in lab:
            node.ok(["systemctl", "start", "glusterd"])
        lab.join()
        assert until(lambda: all(joined(node) for node in lab), 30)
        for node in lab:
            stop_everything(node)
            shutil.copytree(node.home / "glusterd", node.home / "joined")
        yield lab


@pytest.fixture
def pool(three: Lab) -> Lab:
    """The pool as it was just joined, with empty disks."""
    for node in three:
        node.run(["systemctl", "unmask", "glusterd"])
        stop_everything(node)
        empty(node, keep=())
        shutil.copytree(node.home / "joined", node.home / "glusterd", dirs_exist_ok=True)
        node.ok(["sh", "-c", "rm -rf /srv/gluster/* /var/lib/salt-gluster/*"])
    for node in three:
        node.ok(["systemctl", "start", "glusterd"])
    assert until(lambda: all(joined(node) for node in three), 30)
    return three


def stop_everything(node: Node) -> None:
    node.run(["systemctl", "stop", "glusterd"])
    pids = [pid for name in ("glusterd", "glusterfsd", "glusterfs")
            for pid, _ in node.programs(name)]  # fmt: skip
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    node.gone(pids)


def empty(node: Node, keep: Sequence[str]) -> None:
    """Remove what is in the node's /var/lib/glusterd, which is a mount, but for some entries."""
    for entry in (node.home / "glusterd").iterdir():
        if entry.name not in keep:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


class Said:
    """What gluster itself answers to one command, by hand and in XML."""

    def __init__(self, node: Node, *words: str) -> None:
        done = node.run(["gluster", "--mode=script", "--xml", *words], timeout=130)
        self.rc = done.returncode
        self.tree = ET.fromstring(done.stdout) if done.stdout.startswith("<?xml") else None
        self.op_ret = self.text("opRet")
        self.errstr = self.text("opErrstr")

    def text(self, name: str) -> str:
        found = None if self.tree is None else self.tree.find(name)
        return "" if found is None else found.text or ""

    def all(self, path: str) -> list[str]:
        return [] if self.tree is None else [found.text or "" for found in self.tree.findall(path)]


def members(node: Node) -> list[str]:
    """The state of every other member, as the node sees it."""
    return Said(node, "peer", "status").all("peerStatus/peer/state")


def joined(node: Node) -> bool:
    """Whether both others are members and connected; the state alone is also what its disk says."""
    peers = Said(node, "peer", "status")
    told = [peers.all(f"peerStatus/peer/{what}") for what in ("state", "connected")]
    return told == [["3", "3"], ["1", "1"]]


def told(node: Node, volume: str = VOLUME) -> dict[str, str]:
    """Status and user options of a volume as a node tells it; nothing where it has none."""
    info = Said(node, "volume", "info", volume)
    names, values = (info.all(f".//options/option/{what}") for what in ("name", "value"))
    options = {n: v for n, v in zip(names, values, strict=True) if n.startswith("user.")}
    return {"status": "".join(info.all(".//volume/statusStr")), **options}


def made(lab: Lab, *, started: bool = True) -> Node:
    """Make a replica 2 volume on g1 and g2 by hand; return g1."""
    first = lab.node("g1")
    ok(first, "volume", "create", VOLUME, "replica", "2", *BRICKS)
    if started:
        ok(first, "volume", "start", VOLUME)
    return first


def ok(node: Node, *words: str) -> None:
    said = Said(node, *words)
    assert said.op_ret == "0", (words, said.errstr)


def tool(node: Node) -> GlusterCli:
    def run(argv: Sequence[str], given: str | None, deadline_s: float) -> CliResult:
        return run_process([*node.prefix(), *argv], given, deadline_s)

    return GlusterCli(run=run)


def plain(ret: dict[str, Any]) -> str:
    """The comment on one line: it is wrapped at 72 columns."""
    return " ".join(ret["comment"].split())


# --- facts.md#G-0.1: a peer detached while dead comes back with its past -------------------------


def returned(lab: Lab) -> tuple[Node, Node]:
    """g3 was detached while dead, came back and changed the volume alone; g1 knows none of it."""
    first, third = made(lab), lab.node("g3")
    lab.fault("glusterd-kill", third.name)
    assert until(lambda: "0" in Said(first, "peer", "status").all(".//peer/connected"), 60)
    ok(first, "peer", "detach", third.name)
    ok(first, "volume", "set", VOLUME, "user.here", "1")
    lab.heal("glusterd-kill", third.name)
    assert until(lambda: told(third)["status"] == "Started", 60)
    # Its glusterd is at first in the middle of being refused by the others, and may say no.
    for turn in range(3):
        words = ("volume", "set", VOLUME, "user.old", str(turn))
        assert until(lambda w=words: Said(third, *w).op_ret == "0", 60), words  # type: ignore[misc]
    ok(third, "volume", "stop", VOLUME, "force")
    return first, third


def test_gluster_lets_a_returned_peer_overwrite_the_pool(pool: Lab) -> None:
    """Not ours: the danger that the next test is about, so that it is seen to be real."""
    first, third = returned(pool)
    assert told(first) == {"status": "Started", "user.here": "1"}
    ok(first, "peer", "probe", third.name)
    assert until(lambda: told(first) == {"status": "Stopped", "user.old": "2"}, 60)
    assert until(lambda: told(pool.node("g2"))["status"] == "Stopped", 60)


@pytest.mark.capability(1)
def test_a_peer_that_was_detached_while_dead_is_never_probed(pool: Lab) -> None:
    first, third = returned(pool)
    ret = salted.apply(first, "gluster_peer.present", third.name, nodes=NODES)
    assert (ret["result"], ret["changes"]) == (False, {})
    said = plain(ret)
    assert re.search("foreign_pool g3 believes to be in a pool with (g1, g2|g2, g1)", said), said
    assert "has_volumes g3 has volumes of its own: v" in said
    assert "on g3 stop glusterd, move its peers and vols away, start it" in said
    assert told(first) == {"status": "Started", "user.here": "1"}
    # The way out that the error names is one.
    third.ok(["systemctl", "stop", "glusterd"])
    third.ok(["sh", "-c", "rm -rf /var/lib/glusterd/peers/* /var/lib/glusterd/vols/*"])
    third.ok(["systemctl", "start", "glusterd"])
    ret = salted.apply(first, "gluster_peer.present", third.name, nodes=NODES)
    assert (ret["result"], ret["changes"]) == (True, {"g3": {"old": None, "new": "member"}})
    for node in pool:
        assert until(lambda n=node: told(n) == {"status": "Started", "user.here": "1"}, 60)  # type: ignore[misc]


# --- 0.6: what the exit code, opRet and opErrstr say ---------------------------------------------


def test_neither_the_exit_code_nor_the_error_text_is_believed(pool: Lab) -> None:
    first = pool.node("g1")
    ok(first, "volume", "create", "d", "g1:/srv/gluster/d1", "g2:/srv/gluster/d2")
    ok(first, "volume", "start", "d")
    said = Said(first, "volume", "set", "d", "cluster.min-free-disk", "101%")
    assert (said.rc, said.op_ret) == (0, "-1"), "a failure with exit code 0"
    with pytest.raises(CommandFailed) as caught:
        tool(first).change("volume_set", volume="d", options={"cluster.min-free-disk": "101%"})
    assert "101" in caught.value.text
    words = ("volume", "remove-brick", "d", "g2:/srv/gluster/d2")
    said = Said(first, *words, "start")
    assert (said.op_ret, bool(said.errstr)) == ("0", True), "a success with an error text"

    def answers() -> bool:  # its rebalance process is only just being started
        with contextlib.suppress(CommandFailed):
            what = {"volume": "d", "bricks": ["g2:/srv/gluster/d2"]}
            return tool(first).ask("volume_remove_brick_status", **what).ok
        return False

    assert until(answers, 60)


# --- 0.7: an error that was carried out, a create that left half a volume ------------------------


@pytest.mark.capability(185)
def test_half_a_volume_of_a_failed_create_is_refused_and_its_node_named(pool: Lab) -> None:
    first = pool.node("g1")
    said = Said(first, "volume", "create", "rep3", "replica", "3",
                "g1:/srv/gluster/r", "g2:/srv/gluster/r")  # fmt: skip
    assert said.op_ret == "-1"
    first.ok(["systemctl", "restart", "glusterd"])  # it reads what the create left on its disk
    assert until(lambda: all(joined(node) for node in pool), 60)
    holders = [node for node in pool if told(node, "rep3")["status"]]
    assert [node.name for node in holders] == ["g1"], "a ghost on one node"
    ghost = "g1"
    wanted = {"bricks": [f"{n}:/srv/gluster/rep3" for n in NODES], "replica": 3}
    other = next(node for node in pool if node.name != ghost)
    ret = salted.apply(holders[0], "gluster_volume.present", "rep3", **wanted)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert f"ghost_volume rep3 is half a volume on {ghost}" in plain(ret)
    ret = salted.apply(other, "gluster_volume.present", "rep3", test=True, **wanted)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert f"{ghost} tells another definition of rep3 than this node, which has none" in plain(ret)
    assert not told(other, "rep3")["status"]
    # The way out that the refusal names is one: then it is created.
    holders[0].ok(["systemctl", "stop", "glusterd"])
    holders[0].ok(["sh", "-c", "rm -r /var/lib/glusterd/vols/rep3"])
    holders[0].ok(["systemctl", "start", "glusterd"])
    assert until(lambda: all(joined(node) for node in pool), 60)
    ret = salted.apply(other, "gluster_volume.present", "rep3", **wanted)
    assert ret["result"] is True, ret["comment"]
    assert [told(node, "rep3")["status"] for node in pool] == ["Started"] * 3


CLEANED = """
import os, sys
sys.path.insert(0, sys.argv[1])
from salt_gluster import node
before = node.brick_path("/srv/gluster/m/b")
print(before.holds_data, bool(before.volume_id), before.foreign, os.listdir("/srv/gluster/m/b"))
node.remove_stale_volume_id("/srv/gluster/m/b", ())
after = node.brick_path("/srv/gluster/m/b")
print(after.holds_data, bool(after.volume_id), after.foreign, os.listdir("/srv/gluster/m/b"))
"""


def test_the_marks_that_a_failed_create_left_can_be_taken_off(pool: Lab) -> None:
    """Staging fails on g3, whose disk is not there; the others have been marked by then."""
    bricks = [f"{name}:/srv/gluster/m/b" for name in NODES]
    first, second, third = pool
    for node in (first, second):
        node.ok(["mkdir", "-p", "/srv/gluster/m/b"])
    create = ("volume", "create", "m", "replica", "3", *bricks)
    assert Said(first, *create).op_ret == "-1"
    third.ok(["mkdir", "-p", "/srv/gluster/m/b"])
    assert "already part of a volume" in Said(first, *create).errstr
    for node in (first, second):
        said = node.ok([sys.executable, "-c", CLEANED, str(ROOT)]).splitlines()
        assert said == ["False True () ['.glusterfs']", "False False () []"]
    ok(first, *create)


def test_a_change_that_failed_half_way_is_read_back_and_told(pool: Lab) -> None:
    first, second = made(pool), pool.node("g2")
    hook = Path("/var/lib/glusterd/hooks/1/set/pre/S01die.sh")
    second.ok(["sh", "-c", f"printf '#!/bin/sh\\nkill -9 $(pgrep -x glusterd)\\n' > {hook};"
                           f" chmod 755 {hook}"])  # fmt: skip
    ret = salted.apply(first, "gluster_volume.options", VOLUME, options={"user.note": "seen"})
    assert not second.programs("glusterd"), "it died inside the change"
    assert told(first)["user.note"] == "seen", "an error that was carried out"
    assert ret["result"] is False
    assert ret["changes"] == {VOLUME: {"options": {"user.note": {"old": None, "new": "seen"}}}}
    assert "Whether step 1 happened is unknown" in plain(ret)
    assert "Gluster names g2" in plain(ret)
    second.ok(["rm", str(hook)])
    pool.heal("glusterd-kill", second.name)
    assert until(lambda: told(second).get("user.note") == "seen", 60)
    ret = salted.apply(first, "gluster_volume.options", VOLUME, options={"user.note": "seen"})
    assert (ret["result"], ret["changes"]) == (True, {})


# --- 0.8: a node that was installed again looks fine in four ways --------------------------------


@pytest.mark.capability(7)
def test_a_node_installed_again_is_not_let_in_and_a_rejected_one_not_believed(pool: Lab) -> None:
    first, third = made(pool), pool.node("g3")
    listed_now = Said(first, "pool", "list")
    columns = [listed_now.all(f".//peer/{what}") for what in ("hostname", "uuid")]
    uuid = dict(zip(*columns, strict=True))["g3"]
    stop_everything(third)
    empty(third, keep=("groups", "hooks"))
    third.ok(["systemctl", "mask", "glusterd"])
    ret = salted.apply(third, "gluster.identified", "identity", pillar=PILLAR)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert f"knows this node under uuid {uuid}; here there is none" in plain(ret)
    assert "glusterd stays masked" in plain(ret)
    assert third.run(["systemctl", "start", "glusterd"]).returncode != 0
    # Started all the same, it is rejected; and gluster says that all is well.
    third.ok(["systemctl", "unmask", "glusterd"])
    third.ok(["systemctl", "start", "glusterd"])
    assert until(lambda: "6" in members(first), 60)
    listed = first.ok(["gluster", "pool", "list"])
    assert "Connected" in next(line for line in listed.splitlines() if "g3" in line)
    ok(first, "peer", "probe", third.name)
    ok(first, "volume", "set", VOLUME, "user.here", "1")
    ret, again = (
        salted.apply(first, "gluster_peer.present", third.name, nodes=NODES),
        salted.apply(third, "gluster_peer.present", first.name, nodes=["g3", "g1"]),
    )
    assert (ret["result"], again["result"]) == (False, False)
    assert "rejected g3 is rejected" in plain(ret)
    assert "reinstalled" in plain(again)
    assert uuid in plain(again)
    assert members(first) == ["3", "6"] or members(first) == ["6", "3"]


# --- 0.10: a start that starts nothing -----------------------------------------------------------


@pytest.mark.capability(45, 138)
def test_a_start_is_believed_when_the_bricks_have_ports(pool: Lab) -> None:
    first, second = made(pool, started=False), pool.node("g2")
    second.ok(["rm", "-rf", "/srv/gluster/v"])
    ok(first, "volume", "start", VOLUME, "force")
    assert told(first)["status"] == "Started"
    row = Said(first, "volume", "status", VOLUME)
    nodes = dict(zip(row.all(".//node/hostname"), row.all(".//node/port"), strict=True))
    assert nodes["g2"] == "N/A", "success, and no brick"
    calls: list[salted.Call] = [
        ("gluster_volume.started", VOLUME, {}),
        ("gluster_volume.present", VOLUME, DECLARED),
    ]
    for ret in salted.apply_all(second, calls):
        assert (ret["result"], ret["changes"]) == (False, {})
        assert "brick_down v is Started, but g2:/srv/gluster/v has no process" in plain(ret)


def test_a_start_that_one_brick_did_not_follow_is_not_called_done(pool: Lab) -> None:
    """A brick that cannot make its index directory ends, and the volume is Started all the same."""
    first, second = made(pool, started=False), pool.node("g2")
    indices = "/srv/gluster/v/.glusterfs/indices"
    second.ok(["sh", "-c", f"mkdir -p {indices} && chattr +i {indices}"])
    try:
        ret = salted.apply(first, "gluster_volume.started", VOLUME)
    finally:
        second.ok(["chattr", "-i", indices])
    assert ret["result"] is False
    assert told(first)["status"] == "Started", "gluster itself is content"
    assert "Whether step 1 happened is unknown" in plain(ret)
    assert "g2" in plain(ret)


# --- versions that are mixed ---------------------------------------------------------------------


def test_a_pool_of_two_versions_is_read_and_not_changed(pool: Lab) -> None:
    """The last one here: g3 keeps the other version."""
    if version := pool.record.gluster:
        pytest.skip(f"all nodes have the only other version that can be fetched: {version}")
    first, third = made(pool), pool.node("g3")
    stop_everything(third)
    try:
        pool.upgrade("g3", "11")
    except LabError as error:
        needs(f"the packages of GlusterFS 11, `.ci/setup gluster-11` fetches them: {error}")
    third.ok(["systemctl", "start", "glusterd"])
    assert "glusterfs 11." in third.ok(["glusterd", "--version"])
    assert until(lambda: "0" not in Said(first, "peer", "status").all(".//peer/connected"), 60)
    calls: list[salted.Call] = [
        ("gluster_volume.options", VOLUME, {"options": {"user.note": "x"}}),
        ("gluster_volume.present", VOLUME, DECLARED),
    ]
    changing, empty_plan = salted.apply_all(first, calls)
    assert (changing["result"], changing["changes"]) == (False, {})
    assert "single_version" in plain(changing)
    assert "110000: g3" in plain(changing)
    assert (empty_plan["result"], empty_plan["changes"]) == (True, {})
    assert salted.call(first, "gluster_volume.info", VOLUME)["status"] == "Started"
    assert told(first) == {"status": "Started"}
