"""A state run that changes nothing: how many gluster processes it starts, what it still sees."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import highstate
from lab import Lab

ROOT = Path(__file__).resolve().parents[2]
FEW, MANY = range(1, 6), range(1, 61)
MOST = 2
KINDS = ("dist", "arb", "drep", "disp", "new")


@pytest.fixture(scope="module")
def pool() -> Iterator[Lab]:
    """Three nodes in one pool with a few volumes; two of them count their gluster processes."""
    with Lab.up("hstate", nodes=3, consul=False) as lab:
        lab.join()
        highstate.make_volumes(lab, FEW)
        for node in lab.nodes[:2]:
            highstate.watch(node)
        yield lab


def started(lab: Lab, numbers: range) -> dict[tuple[str, str], int]:
    """Return the processes of a run by kind of SLS and node, everything being as declared."""
    highstate.declare(lab, numbers)
    states = {"ours": len(numbers), "cluster": 1}
    return {
        (sls, node.name): highstate.processes(lab, sls, node.name, count=count)
        for sls, count in states.items()
        for node in lab.nodes[:2]
    }


def test_a_run_that_changes_nothing_starts_as_many_processes_for_many_volumes(pool: Lab) -> None:
    few = started(pool, FEW)
    highstate.make_volumes(pool, MANY[len(FEW) :])
    many = started(pool, MANY)
    assert many == few
    assert max(many.values()) <= MOST
    assert min(many.values()) >= 1  # the counter counts


LOOKS = """
import json, pathlib, subprocess, sys
sys.path.insert(0, sys.argv[1])
from salt_gluster.gluster.cli import GlusterCli
from salt_gluster.gluster.reader import Reader
from salt_gluster.node import OwnNode
from salt_gluster.minion.driver import GlusterDriver

own, reader = OwnNode("g1"), Reader(GlusterCli())

def look(*about):
    return GlusterDriver("g1", reader=reader, own=own, about=about).observe()

def run(*words):
    subprocess.run(words, check=True, capture_output=True)

def option(obs):
    return obs.volumes["v001"].options["network.ping-timeout"]

told = {"first": option(look("v001")), "asked": reader.gluster.started}
run("gluster", "volume", "set", "v001", "network.ping-timeout", "33")
look("v002")
told["asked of another"] = reader.gluster.started
told["set by hand"] = option(look("v001"))
run("gluster", "volume", "set", "v001", "network.ping-timeout", "20")
hold = pathlib.Path("/var/lib/salt-gluster/hold")
hold.parent.mkdir(exist_ok=True)
hold.write_text("wait")
told["hold"] = look("v001").node.hold.reason
hold.unlink()
told["released"] = look("v001").node.hold is None
before = look("v001").node.glusterd_started
run("systemctl", "restart", "glusterd")
told["restarted"] = look("v001").node.glusterd_started > before
run("systemctl", "stop", "glusterd")
told["stopped"] = look("v001").node.glusterd_started is None
run("systemctl", "start", "glusterd")
print(json.dumps(told))
"""


def test_what_happens_during_a_run_is_seen_by_the_next_state(pool: Lab) -> None:
    node = pool.node("g3")
    told = json.loads(node.ok([sys.executable, "-c", LOOKS, str(ROOT)], timeout=120))
    assert told == {
        "first": "20",
        "asked": 1,
        "asked of another": 1,
        "set by hand": "33",
        "hold": "wait",
        "released": True,
        "restarted": True,
        "stopped": True,
    }


FILES = """
import json, subprocess, sys, time
from dataclasses import replace
sys.path.insert(0, sys.argv[1])
from salt_gluster.gluster.cli import GlusterCli
from salt_gluster.gluster.reader import Reader
from salt_gluster.node import read_definitions

def plain(volumes):  # GlusterFS 11 tells an option that it keeps in no file
    left = lambda v: {k: on for k, on in v.options.items() if (k, on) != ("nfs.disable", "on")}
    return {name: (v.digest(), replace(v, options=left(v))) for name, v in volumes.items()}

def bricks(name, count):
    return [f"g{n % 3 + 1}:/srv/gluster/{name}/{n}" for n in range(count)]

COMMANDS = [
    ["create", "dist", *bricks("dist", 2), "force"],
    ["create", "arb", "replica", "3", "arbiter", "1", *bricks("arb", 3), "force"],
    ["create", "drep", "replica", "3", *bricks("drep", 6), "force"],
    ["create", "disp", "disperse", "3", "redundancy", "1", *bricks("disp", 3), "force"],
    ["set", "dist", "user.note", "a = b, twice"],
    ["start", "drep"],
    ["add-brick", "dist", *bricks("new", 1), "force"],
    ["quota", "drep", "enable"],
    ["quota", "drep", "limit-usage", "/", "1GB"],
    ["bitrot", "drep", "enable"],
    ["profile", "drep", "start"],
    ["stop", "drep"],
    ["reset", "dist", "user.note"],
    ["set", "all", "cluster.server-quorum-ratio", "51%"],
    ["delete", "arb"],
    ["reset", "all", "cluster.server-quorum-ratio"],
]
compared = []
for words in COMMANDS:
    for _ in range(30):  # a create is refused while a member is away or another one changes
        said = subprocess.run(["gluster", "--mode=script", "volume", *words], capture_output=True)
        if said.returncode == 0 or words[0] != "create":
            break
        time.sleep(1)
    else:
        sys.exit(f"{words}: {said.stdout}{said.stderr}")
    told = Reader(GlusterCli()).volumes()
    same = plain(read_definitions("/var/lib/glusterd", told)) == plain(told)
    compared.append([" ".join(words), same, sorted(told)])
print(json.dumps(compared))
"""


def test_glusterds_files_tell_every_definition_as_gluster_does(pool: Lab) -> None:
    for node in pool.nodes:
        node.ok(["mkdir", "-p", *(f"/srv/gluster/{name}" for name in KINDS)])
    out = pool.node("g2").ok([sys.executable, "-c", FILES, str(ROOT)], timeout=120)
    compared = json.loads(out.splitlines()[-1])
    assert [command for command, same, _ in compared if not same] == []
    ever = {name for _, _, names in compared for name in names}
    assert ever >= {"dist", "arb", "drep", "disp"} and "arb" not in compared[-1][2]
