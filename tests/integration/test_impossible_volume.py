"""No run makes a volume impossible: each node speaks for its own bricks (a real pool with Salt).

What makes the others wait, refuse or clean up is tried at length in the simulation
(``tests/simulation/test_impossible_volume.py``); here gluster, disks and Salt's mine are real.
One pool for all; each test declares a volume of its own. A run that waits gives up after 6 s.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import gluster_facts
import pytest
from waiting import until

from lab import Lab, Node

NODES = ["g1", "g2", "g3"]
DISK, OWN = "/srv/gluster", "/var/lib/salt-gluster"


@pytest.fixture(scope="module")
def pool() -> Iterator[Lab]:
    """Three members with Salt; each one's disk stands in its fstab, as on a machine."""
    with Lab.up("timposs", nodes=3, consul=False) as lab:
        lab.join()
        for node in lab.nodes:
            source = node.ok(["findmnt", "-n", "-o", "SOURCE", DISK]).strip()
            node.ok(["sh", "-c", f"echo {source} {DISK} xfs defaults 0 0 >> /etc/fstab"])
            until(lambda n=node: len(gluster_facts.peers(n)) == 2, 60, "one pool")
        yield lab


def declare(lab: Lab, volume: str, **body: Any) -> None:
    lab.write_pillar({"gluster": {"nodes": "g[1-3]", "volumes": {volume: {"replica": 3, **body}}}})


def apply(lab: Lab, nodes: list[str] = NODES, wait_s: int = 6) -> dict[str, dict[str, Any]]:
    """Apply the declaration on these nodes at once; return what each said, on one line."""
    words = ("state.single", "gluster.cluster", "pool")
    answers = lab.salt(",".join(nodes), *words, wait_s=wait_s, by="L")
    assert sorted(answers) == sorted(nodes)
    states = {name: next(iter(answer.values())) for name, answer in answers.items()}
    return {n: {**s, "comment": " ".join(s["comment"].split())} for n, s in states.items()}


def creates(lab: Lab, volume: str, how: str = "") -> int:
    """Count the creates that were sent, by the history of each glusterd.

    Who comes second is refused by gluster's lock, or told that the volume exists already.
    """
    words = f"volume create {volume} .*{how}"
    return sum(len(gluster_facts.commands(n, words)) for n in lab.nodes)


def made(lab: Lab, volume: str) -> bool:
    return all(gluster_facts.volumes(n).get(volume, {}).get("status") == "Started"
               for n in lab.nodes)  # fmt: skip


def mark(node: Node, volume: str) -> str:
    words = ["getfattr", "-n", "trusted.glusterfs.volume-id", f"{DISK}/{volume}/1"]
    return node.run(words).stdout


def test_a_node_that_is_away_or_without_its_disk_stops_the_create(pool: Lab) -> None:
    third = pool.node("g3")
    declare(pool, "away", accept_risk=["root_disk"])  # nothing lies there: nothing is forced
    states = apply(pool, NODES[:2])  # its glusterd is up, its minion did not get the job
    assert {s["result"] for s in states.values()} == {False}
    assert all("g3 has not prepared" in s["comment"] for s in states.values()), states
    third.ok(["umount", DISK])
    states = apply(pool)
    assert {s["result"] for s in states.values()} == {False}
    assert "names and which is not mounted" in states["g3"]["comment"], states
    acted = [n for n in NODES[:2] if "g3 says: " in states[n]["comment"]]
    assert acted and "paths_fit yes" not in str(states), states
    assert creates(pool, "away") == 0 and not mark(pool.node("g1"), "away")
    third.ok(["mount", DISK])
    states = apply(pool, wait_s=60)
    assert {s["result"] for s in states.values()} == {True}, states
    assert creates(pool, "away", "SUCCESS") == 1 and made(pool, "away")
    assert creates(pool, "away", " force ") == 0


def test_files_of_others_on_one_node_stop_the_create_on_all(pool: Lab) -> None:
    second = pool.node("g2")
    declare(pool, "foreign")
    second.ok(["sh", "-c", f"mkdir -p {DISK}/foreign/1; echo x > {DISK}/foreign/1/letter"])
    states = apply(pool)
    assert all("letter" in s["comment"] for s in states.values()), states
    assert creates(pool, "foreign") == 0
    second.ok(["rm", f"{DISK}/foreign/1/letter"])
    states = apply(pool, wait_s=60)
    assert {s["result"] for s in states.values()} == {True}, states
    assert creates(pool, "foreign", "SUCCESS") == 1 and made(pool, "foreign")


def test_a_create_that_failed_is_cleaned_up_by_the_next_run_and_sent_once_more(pool: Lab) -> None:
    """The state that earlier versions left: two bricks marked, and marked again each second."""
    first, second, third = pool.nodes
    declare(pool, "failed")
    bricks = [f"{name}:{DISK}/failed/1" for name in NODES]
    for node in (first, second):
        node.ok(["mkdir", "-p", f"{DISK}/failed/1"])
    for node in (first, second):  # what the version that did it has written down
        record = {"hosts": [node.name], "paths": [f"{DISK}/failed/1"], "at": 1.0}
        text = json.dumps({"ready bricks": record})
        node.ok(["sh", "-c", f"mkdir -p {OWN}; echo '{text}' > {OWN}/state.json"])
    words = ["gluster", "--mode=script", "volume", "create", "failed", "replica", "3", *bricks]
    for _ in range(2):
        assert first.run(words).returncode != 0
    assert mark(first, "failed") and mark(second, "failed") and not mark(third, "failed")
    states = apply(pool, wait_s=60)
    assert {s["result"] for s in states.values()} == {True}, states
    assert creates(pool, "failed", "SUCCESS") == 1 and made(pool, "failed")


def test_a_word_of_earlier_does_not_count_and_an_order_says_what_is_missing(pool: Lab) -> None:
    bricks = [f"{name}:{DISK}/ordered/1" for name in NODES]
    prepare = {"path": f"{DISK}/ordered/1", "volume": "ordered"}
    pool.node("g1").ok(["rm", "-f", f"{OWN}/state.json"])  # it has never looked
    for name in NODES[1:]:  # said before g1 looks: how long ago, g1 cannot know
        assert "changes" in pool.salt(name, "gluster_brick.prepare", **prepare)[name]
    order = ("g1", "gluster_volume.create", "ordered")
    said = " ".join(str(pool.salt(*order, bricks=bricks, replica=3)["g1"]).split())
    assert "not said since" in said and "gluster_brick.prepare" in said, said
    assert creates(pool, "ordered") == 0
    pool.salt("*", "gluster_brick.prepare", **prepare)
    answer = pool.salt(*order, bricks=bricks, replica=3)["g1"]
    assert isinstance(answer, dict) and answer["changes"], answer
    assert creates(pool, "ordered", "SUCCESS") == 1


def test_the_root_disk_is_forced_when_every_node_has_told_what_lies_there(pool: Lab) -> None:
    """A bind of the lab's directory: it has the device of the root, as gluster compares it."""
    at, second = "/srv/onroot", pool.node("g2")
    for node in pool.nodes:
        (node.home / "onroot").mkdir()
        node.ok(["mkdir", at])
        node.ok(["mount", "--bind", str(node.home / "onroot"), at])
    former = ["setfattr", "-n", "trusted.glusterfs.volume-id", "-v", "0x" + "ab" * 16, f"{at}/b"]
    second.ok(["mkdir", "-p", f"{at}/b/.glusterfs/00"])
    second.ok(former)  # a brick of a deleted volume: gluster takes it with force
    bricks = [f"{name}:{at}/b" for name in NODES]
    declare(pool, "onroot", bricks=bricks)
    states = apply(pool)
    assert all("root file system" in s["comment"] for s in states.values()), states
    declare(pool, "onroot", bricks=bricks, accept_risk=["root_disk"])
    states = apply(pool)
    assert {s["result"] for s in states.values()} == {False}, states
    assert any("g2 says: " in states[n]["comment"] for n in ("g1", "g3")), states
    assert creates(pool, "onroot") == 0
    second.ok(["rm", "-r", f"{at}/b"])
    states = apply(pool, wait_s=60)
    assert {s["result"] for s in states.values()} == {True}, states
    assert creates(pool, "onroot", " force : SUCCESS") == 1 and made(pool, "onroot")
