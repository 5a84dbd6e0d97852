"""What a person asks and orders from the master, on a pool that was made by hand.

The pool has no pillar at first and is in no Consul: looking works all the same, and writes nothing.
"""

from __future__ import annotations

import json
import re
from typing import Any

import gluster_facts
import pytest
from waiting import until

from lab import Lab

NODES = ("g1", "g2", "g3", "g4")
BRICKS = [f"{name}:/srv/gluster/data" for name in NODES[:3]]
HOLD = "/var/lib/salt-gluster/hold"
#: What a look must not touch.
TRACES = (
    "cd /var/lib/glusterd && find . -type f ! -path './vols/*/run/*' | sort | xargs sha256sum;"
    " find /var/lib/salt-gluster /srv/gluster -maxdepth 1 2>/dev/null"
)
#: A change that can cost data: refused until a person accepts it for this very plan.
RISKY = {"cluster.favorite-child-policy": "size"}


@pytest.fixture(scope="module")
def pool(watched: Lab) -> Lab:
    first = watched.node("g1")
    for words in (["create", "data", "replica", "3", *BRICKS], ["start", "data"]):
        first.ok(["gluster", "--mode=script", "volume", *words])
    until(lambda: not ports_missing(watched), 30, "bricks")
    return watched


def ports_missing(lab: Lab) -> list[str]:
    rows = gluster_facts.xml(lab.node("g1"), "volume", "status", "data").findall(".//node")
    ports = {row.findtext("path"): row.findtext("port") or "" for row in rows}
    return [path for path, port in ports.items() if not port.isdigit() and path != "localhost"
            and str(path).startswith("/")]  # fmt: skip


def said(lab: Lab, *words: str, rc: int = 0) -> str:
    """What a runner prints for a person; its exit code is part of the answer."""
    done = lab.program("salt-run", *words)
    assert done.returncode == rc, (words, done.returncode, done.stdout, done.stderr)
    return str(done.stdout)


def data(lab: Lab, *words: str) -> Any:
    done = lab.program("salt-run", "--out", "json", *words)
    return json.loads(done.stdout)


def traces(lab: Lab) -> dict[str, str]:
    return {node.name: node.ok(["sh", "-c", TRACES]) for node in lab}


@pytest.mark.capability(171, 172, 173)
def test_a_pool_made_by_hand_is_looked_at_and_not_touched(pool: Lab) -> None:
    before = traces(pool)
    screen = said(pool, "gluster.status")
    for words in (
        "4 nodes, 1 volume", "nothing lost", "reading and writing works on the volume",
        "NODES  4 up", "1x3", "3/3", "UNKNOWN", "WHY",
        "SOURCE   the nodes, asked just now: the pool is in no Consul",
    ):  # fmt: skip
        assert words in screen, screen
    assert max(map(len, screen.splitlines())) <= 80
    assert said(pool, "gluster.check").startswith("GLUSTER OK - 1 of 1 volume whole | ")
    as_data = data(pool, "gluster.status")
    assert sorted(as_data["nodes"]["members"]) == list(NODES)
    assert traces(pool) == before


@pytest.mark.capability(127, 160, 172)
def test_the_loss_of_a_node_and_of_two_is_told_in_words(pool: Lab) -> None:
    before = traces(pool)
    one = said(pool, "gluster.impact", "node=g3")
    assert re.search(r"data\s+degraded", one), one
    two = said(pool, "gluster.impact", "node=g2,g3")
    assert re.search(r"data\s+down", two), two
    assert "client quorum" in two
    brick = said(pool, "gluster.impact", f"brick={BRICKS[0]}")
    assert re.search(r"data\s+degraded", brick), brick
    assert pool.salt("g1", "gluster.can_stop")["g1"] == {"can_stop": True, "why": {}}
    shown = pool.node("g1").ok(["gluster", "volume", "get", "all", "cluster.op-version"])
    assert str(pool.salt("g1", "gluster.op_version")["g1"]) in shown.split()
    assert traces(pool) == before


def test_a_node_may_not_stop_while_a_brick_of_the_same_set_is_down(pool: Lab) -> None:
    pool.fault("brick-kill", "g2", "data")
    try:
        answer = pool.salt("g1", "gluster.can_stop")["g1"]
    finally:
        pool.heal("brick-kill", "g2", "data")
    until(lambda: not ports_missing(pool), 60, "the brick")
    assert answer["can_stop"] is False
    assert "g1:/srv/gluster/data is lost" in answer["why"]["data"]
    assert pool.salt("g1", "gluster.can_stop")["g1"] == {"can_stop": True, "why": {}}


def test_a_hold_is_on_every_node_and_stops_changes_until_it_is_released(pool: Lab) -> None:
    said(pool, "gluster.hold", "moving the rack", "by=ann")
    for node in pool:
        assert "moving the rack" in node.ok(["cat", HOLD])
    refused = pool.salt("g1", "gluster_option.set", "data", **{"network.ping-timeout": 24})["g1"]
    assert "a hold is set by ann (root@" in " ".join(refused.split())
    # The way that is offered is a command of the shell, and carries out that very plan.
    offered = refused.replace("\\\n", "").partition("do it anyway")[2].strip().splitlines()[0]
    pool.master.ok(["sh", "-c", offered.replace("...", "ann said so")])
    assert gluster_facts.volumes(pool.node("g2"))["data"]["options"]["network.ping-timeout"] == "24"
    assert "moving the rack" in said(pool, "gluster.status")
    said(pool, "gluster.release")
    assert all(node.run(["test", "-e", HOLD]).returncode for node in pool)
    pool.salt("g1", "gluster_option.set", "data", **{"network.ping-timeout": 25})
    assert gluster_facts.volumes(pool.node("g2"))["data"]["options"]["network.ping-timeout"] == "25"


@pytest.mark.capability(84, 161, 166)
def test_a_plan_is_shown_and_carried_out_for_the_person_who_accepts_it(pool: Lab) -> None:
    volume = {"replica": 3, "bricks": BRICKS, "options": RISKY}
    pool.write_pillar({"gluster": {"nodes": list(NODES), "volumes": {"data": volume}}})
    shown = said(pool, "gluster.plan", rc=1)  # it is refused
    assert "cluster.favorite-child-policy" in shown
    assert "data_at_risk" in shown
    found = re.search(r"plan ([0-9a-f]{8})", shown)
    assert found, shown
    assert "/srv/gluster/data" in said(pool, "gluster.explain", "volume=data")
    other = said(pool, "gluster_operation.apply", "0000000f", "accept=data_at_risk",
                 "reason=we know", rc=1)  # fmt: skip
    assert "no member has the plan 0000000f now" in other
    assert "reason" in said(pool, "gluster_operation.apply", found[1], "accept=data_at_risk", rc=1)
    assert not RISKY.keys() & gluster_facts.volumes(pool.node("g1"))["data"]["options"].keys()
    said(pool, "gluster_operation.apply", found[1], "accept=data_at_risk", "reason=we know")
    options = gluster_facts.volumes(pool.node("g2"))["data"]["options"]
    assert options["cluster.favorite-child-policy"] == "size"
    assert "cluster.favorite-child-policy" not in said(pool, "gluster.plan")


@pytest.mark.capability(166)
def test_a_declared_volume_that_a_node_refuses_is_told_with_that_node(pool: Lab) -> None:
    """Nobody is asked a second time: the node's report has it."""
    bricks = [f"{name}:/srv/gluster/web" for name in NODES[:3]]
    volumes = {"data": {"replica": 3, "bricks": BRICKS}, "web": {"replica": 3, "bricks": bricks}}
    pool.write_pillar({"gluster": {"nodes": list(NODES), "volumes": volumes}})
    first = pool.node("g1")
    first.ok(["sh", "-c", "mkdir /srv/gluster/web && touch /srv/gluster/web/mine"])
    (ret,) = pool.salt("g1", "state.single", "gluster.cluster", "pool", wait_s=2)["g1"].values()
    assert ret["result"] is False and "/srv/gluster/web holds mine" in ret["comment"]
    assert "web" not in gluster_facts.volumes(first)
    status = data(pool, "gluster.status")
    assert (status["exit"], status["exit_word"]) == (1, "not_made")
    refuses = "web is declared and not made: g1 refuses (/srv/gluster/web holds mine)"
    assert refuses in " ".join(said(pool, "gluster.status", rc=1).split())
    first.ok(["rm", "-r", "/srv/gluster/web"])
    assert data(pool, "gluster.status")["not_made"]["web"][0]["says"] != "refuses"
    pool.write_pillar({"gluster": {"nodes": list(NODES), "volumes": {"data": volumes["data"]}}})
    (ret,) = pool.salt("g1", "state.single", "gluster.cluster", "pool", wait_s=2)["g1"].values()
    assert data(pool, "gluster.status")["exit"] == 0, ret["comment"]
