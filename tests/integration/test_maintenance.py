"""A person's stop and Consul in pieces, while automation is at work on a real pool."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from consul_world import consul_leader
from pool_with_automation import Loop, automated

from lab import Node

#: Longer than automation waits before it starts a brick, with the policy of these tests. Without
#: Consul its ticks cannot be counted: it beats there.
LONG_S = 20
RUNNER = "gluster_operation.maintenance"
AGENT = "the Consul agent of {}"


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    with automated("maintenance", tmp_path_factory.mktemp("loop")) as here:
        yield here


def key_of(loop: Loop, node: str) -> str:
    line = loop.lab.node(node).ok(["grep", "UUID", "/var/lib/glusterd/glusterd.info"])
    return f"gluster/main/maintenance/{line.split('=')[1].strip()}"


def value(node: Node, key: str) -> dict[str, Any] | None:
    done = node.run(["consul", "kv", "get", key])
    return json.loads(done.stdout) if done.returncode == 0 else None


def exit_code(loop: Loop, *words: str) -> int:
    return loop.lab.program("salt-run", RUNNER, *words).returncode


# --- a person's stop -----------------------------------------------------------------------------


def test_a_node_in_maintenance_by_our_runner_is_left_alone_until_it_is_taken_off(
    loop: Loop,
) -> None:
    key, g2 = key_of(loop, "g2"), loop.lab.node("g2")
    assert "reason='…'" in loop.lab.salt_run(RUNNER, "g2")["error"]
    assert "g9 is not in Consul" in loop.lab.salt_run(RUNNER, "g9", reason="x")["error"]
    forecast = loop.lab.salt_run(RUNNER, "g2", reason="disk=bad", by="ann", test=True)
    assert (forecast["test"], value(g2, key), g2.ok(["consul", "maint"])) == (True, None, "")
    began, before = time.time(), loop.forced("g2")
    told = loop.lab.salt_run(RUNNER, "g2", reason="disk=bad", by="ann")
    words = told["changes"][key]["new"]
    assert words.startswith("disk=bad (ann (root@")
    assert told["changes"] == forecast["changes"] == {
        key: {"old": None, "new": words},
        "g2 _service_maintenance:gluster": {"old": None, "new": words},
    }  # fmt: skip
    assert told["held"] == [key, AGENT.format("g2")]
    assert words in g2.ok(["consul", "maint"])
    assert "Node:" not in g2.ok(["consul", "maint"])
    who = (value(g2, key) or {})["by"]
    assert words == f"disk=bad ({who})"
    again = loop.lab.salt_run(RUNNER, "g2", reason="disk=bad", by="ann")
    assert (again["changes"], again["held"]) == ({}, told["held"])

    loop.wait("maintenance", began, 60, "g2")
    loop.lab.fault("brick-kill", "g2", "data")
    refused = loop.wait("refused", began, 90)
    assert "not_in_maintenance" in refused["details"]["refusals"]
    assert f"g2: {who} has it in maintenance: disk=bad" in refused["why"]
    assert f"salt-run {RUNNER} g2 remove=True" in " ".join(refused["suggest"])
    loop.ticks(2)
    assert loop.forced("g2") == before
    explained = loop.lab.salt_run("gluster.explain", node="g2")
    assert (explained["maintenance"]["reason"], explained["maintenance"]["by"]) == (
        "disk=bad",
        who,
    )
    assert explained["verdict"]["state"] == "maintenance"

    free = loop.lab.salt_run(RUNNER, "g2", remove=True)
    assert free["free"] == told["held"]
    assert {k: v["new"] for k, v in free["changes"].items()} == dict.fromkeys(told["changes"])
    assert loop.lab.salt_run(RUNNER, "g2", remove=True)["changes"] == {}
    loop.wait("repaired", began, 180)
    assert loop.forced("g2") == before + 1
    loop.calm()


def test_a_node_in_consuls_own_maintenance_is_left_alone_and_engines_never_end_it(
    loop: Loop,
) -> None:
    """By ``consul maint`` alone, of the node or of the service; a new registration keeps it."""
    g3, began, before = loop.lab.node("g3"), time.time(), loop.forced("g3")
    g3.ok(["consul", "maint", "-enable", "-service", "gluster", "-reason", "carol: ram"])
    loop.wait("maintenance", began, 60, "g3")
    loop.lab.fault("brick-kill", "g3", "data")
    refused = loop.wait("refused", began, 90)
    assert "g3: it is in maintenance in Consul: carol: ram" in refused["why"]
    checks = loop.lab.salt_run("gluster.explain", node="g3")["checks"]
    says = {row["check"]: row["says"] for row in checks}
    assert says["_service_maintenance:gluster"] == "carol: ram"
    # Its meta is another: it is registered anew by its sensor or its highstate.
    g3.ok(["consul", "services", "register", "-name", "gluster", "-id", "gluster"])
    loop.lab.salt_call("g3", "gluster_consul.register")
    assert "g3" in [m["minion"] for m in loop.lab.salt_call("g3", "gluster_consul.members")]
    assert "carol: ram" in g3.ok(["consul", "maint"])
    g3.ok(["consul", "maint", "-enable", "-reason", "carol: ram"])
    loop.lab.fault("consul-kill", "g3")
    loop.lab.heal("consul-kill", "g3")
    loop.until(lambda: g3.run(["consul", "maint"]).returncode == 0, "the agent of g3", 120)
    loop.ticks(2)
    assert g3.ok(["consul", "maint"]).count("carol: ram") == 2
    assert loop.forced("g3") == before
    told = loop.lab.salt_run(RUNNER, "g3", remove=True)
    assert set(told["changes"]) == {"g3 _node_maintenance", "g3 _service_maintenance:gluster"}
    assert g3.ok(["consul", "maint"]) == ""
    loop.wait("repaired", began, 180)
    assert loop.forced("g3") == before + 1
    loop.calm()


def test_what_could_not_be_written_is_said_and_is_the_exit_code(loop: Loop) -> None:
    key, g4 = key_of(loop, "g4"), loop.lab.node("g4")
    loop.lab.fault("minion-kill", "g4")
    try:
        told = loop.lab.salt_run(RUNNER, "g4", reason="moved", by="ann")
        assert told["held"] == [key]
        assert told["not held"] == {AGENT.format("g4"): "its minion did not answer"}
        assert exit_code(loop, "g4", "remove=True") == 1
        assert value(g4, key) is None
    finally:
        loop.lab.heal("minion-kill", "g4")
    loop.lab.wait()
    loop.lab.fault("consul-kill", "master")
    try:
        told = loop.lab.salt_run(RUNNER, "g4", reason="moved", by="ann")
        assert told["held"] == [AGENT.format("g4")]
        assert "no Consul agent answers" in told["not held"]["the pool's key in Consul"]
        assert "moved (ann (root@" in g4.ok(["consul", "maint"])
    finally:
        loop.lab.heal("consul-kill", "master")
    asked = ["consul", "kv", "get", "gluster/main/canary"]
    loop.until(lambda: loop.lab.master.run(asked).returncode == 0, "the master's agent", 60)
    assert exit_code(loop, "g4", "remove=True") == 0
    assert g4.ok(["consul", "maint"]) == ""
    loop.calm()


def test_a_maintenance_with_an_end_is_over_at_both_places_then_and_that_is_told(
    loop: Loop,
) -> None:
    key, g2, began = key_of(loop, "g2"), loop.lab.node("g2"), time.time()
    assert "'soon' is no time" in loop.lab.salt_run(RUNNER, "g2", reason="x", until="soon")["error"]
    told = loop.lab.salt_run(RUNNER, "g2", reason="disk=bad", by="ann", until="30s")
    assert told["held"] == [key, AGENT.format("g2")]
    end = (value(g2, key) or {})["until"]
    assert began + 30 < end < time.time() + 30
    loop.wait("maintenance", began, 60, "g2")
    said = g2.ok(["consul", "maint"])
    assert time.time() > end or "disk=bad (ann (root@" in said
    free = lambda: value(g2, key) is None and g2.ok(["consul", "maint"]) == ""  # noqa: E731
    loop.until(free, "nothing holds it any more", 120)
    back = loop.wait("returning", began, 60, "g2")
    assert "the maintenance is over" in back["why"] and back["ts"] >= end
    loop.wait("up", began, 90, "g2")
    loop.calm()


# --- Consul in pieces ----------------------------------------------------------------------------


def nodes_and_bricks(loop: Loop, since: float) -> list[tuple[str, str, str]]:
    """Return every alarm of nodes, bricks and membership that was told."""
    told = loop.events("", since)
    alarms = ("suspect", "down", "gone", "left", "joined", "failed", "storm")
    return [(e["subject"], e["name"], e["event"]) for e in told if e.get("event") in alarms]


def leading(loop: Loop) -> Node | None:
    """Return the node that leads Consul; a server that comes back costs one more election."""
    with contextlib.suppress(AssertionError):
        return consul_leader(loop.lab.nodes)
    return None


@pytest.mark.long
def test_consuls_leader_killed_again_and_again_no_wrong_event_and_none_lost(loop: Loop) -> None:
    """Every 20 s; agents are restarted as well, and a brick dies in the middle.

    That Consul misses a node whose agent was killed is so: it is suspect, and no more than that.
    """
    began, before, victims = time.time(), loop.forced("g2"), {"g4"}
    for turn in range(4):
        victim = loop.until(lambda: leading(loop), "a leader of Consul", 60)
        at = time.monotonic()
        loop.lab.fault("consul-kill", victim.name)
        victims.add(victim.name)
        if turn == 1:
            loop.lab.fault("brick-kill", "g2", "data")
        time.sleep(8)
        loop.lab.heal("consul-kill", victim.name)
        if turn == 2:
            for agent in ("g4", "master"):
                loop.lab.node(agent).ok(["systemctl", "restart", "consul"])
        time.sleep(max(0.0, 20 - (time.monotonic() - at)))
    loop.wait("repaired", began, 300)
    told = nodes_and_bricks(loop, began)
    assert {name for _, name, event in told if event == "suspect"} <= victims
    firm = [one for one in told if one[2] not in ("suspect", "storm")]
    told_all = [
        (round(e["ts"] - began), e.get("event"), e.get("name"), e.get("why"))
        for e in loop.events("", began)
    ]
    assert firm == [("brick", "g2:/srv/gluster/data/1", "down")], told_all
    assert loop.forced("g2") == before + 1
    loop.calm()


@pytest.mark.capability(146)
def test_an_emptied_consul_is_no_empty_pool_and_a_snapshot_brings_the_view_back(loop: Loop) -> None:
    g1, began, before = loop.lab.node("g1"), time.time(), loop.forced("g3")
    g1.ok(["consul", "snapshot", "save", "/tmp/before.snap"])
    g1.ok(["consul", "kv", "delete", "-recurse", "gluster/main"])
    lost = loop.wait("view_lost", began, 30)
    loop.lab.fault("brick-kill", "g3", "data")
    time.sleep(LONG_S)
    assert "canary" in lost["why"]
    assert nodes_and_bricks(loop, began) == []
    assert loop.events("execute", began) == []
    assert loop.forced("g3") == before
    assert g1.run(["consul", "kv", "get", "gluster/main/canary"]).returncode == 1
    g1.ok(["consul", "snapshot", "restore", "/tmp/before.snap"])
    loop.wait("view_restored", began, 60)
    loop.wait("repaired", began, 300)
    assert nodes_and_bricks(loop, began) == [("brick", "g3:/srv/gluster/data/1", "down")]
    assert loop.forced("g3") == before + 1
    assert len(loop.events("view_lost", began)) == 1
    loop.calm()
