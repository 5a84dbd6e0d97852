"""The loop closed on the real thing: Gluster, Consul, Salt's master, minions and reactor."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_process import Process
from pool_with_automation import PATIENCE, PILLAR, Loop, automated

from bench import highstate
from lab import witness


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loop]:
    with automated("closedloop", tmp_path_factory.mktemp("loop")) as here:
        yield here


@pytest.mark.capability(144, 149, 155, 170)
def test_a_dead_brick_is_seen_started_once_and_verified(loop: Loop) -> None:
    before, began = loop.forced("g2"), time.time()
    loop.lab.fault("brick-kill", "g2", "data")
    down = loop.wait("down", began, 30)
    assert (down["subject"], down["severity"]) == ("brick", "critical")
    assert "degraded" in down["impact"]
    for event in ("started", "execute", "done", "repaired"):
        loop.wait(event, began, 120)
    assert loop.serves()
    assert loop.forced("g2") == before + 1
    assert {e["subject"] for e in loop.events("up", began)} == {"brick", "volume"}
    audit = loop.keys("audit")
    assert [w for w in ("intent", "applied", "done") if not any(k.endswith(w) for k in audit)] == []
    journal = loop.lab.master.ok(["cat", "/var/log/salt/gluster-main.jsonl"]).splitlines()
    assert {"down", "started", "repaired"} <= {
        json.loads(row)["tag"].rsplit("/", 1)[1] for row in journal
    }
    loop.calm()


# --- looking -------------------------------------------------------------------------------------


def look(loop: Loop, **words: Any) -> dict[str, Any]:
    told = loop.lab.salt_run("gluster.status", **words)
    assert isinstance(told, dict), told
    return told


def seconds_to_look(loop: Loop, **words: Any) -> float:
    began = time.monotonic()
    look(loop, **words)
    return time.monotonic() - began


def copied(loop: Loop) -> dict[str, Any]:
    """Return the status from Consul's copy, as soon as it is that."""

    def copy() -> dict[str, Any] | None:
        told = look(loop)
        return told if told["source"] == "consul" else None

    found: dict[str, Any] = loop.until(copy, "the copy", 150)
    return found


def told_at(loop: Loop) -> dict[str, float]:
    """Return when each node told of itself last."""
    found = {}
    for node in loop.lab.nodes:
        uuid = node.ok(["sed", "-n", "s/UUID=//p", "/var/lib/glusterd/glusterd.info"]).strip()
        report = json.loads(node.ok(["consul", "kv", "get", f"gluster/main/nodes/{uuid}"]))
        found[node.name] = report["at"]
    return found


def younger(loop: Loop, since_s: float) -> set[str]:
    """Return the nodes where a process that began since then has started gluster: no sensor's."""
    found = set()
    for node in loop.lab.nodes:
        for line in node.run(["cat", "/run/gluster-started"]).stdout.splitlines():
            start = int(line.rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
            if start >= since_s:
                found.add(node.name)
    return found


#: Salt's runner, ten times in one program: most of what salt-run takes is its start.
TEN = """
import json, salt.config, salt.runner
opts = {**salt.config.master_config('/etc/salt/master'), 'output': 'json'}
runner = salt.runner.RunnerClient(opts)
print(json.dumps([runner.cmd('gluster.status', print_event=False) for _ in range(10)]))
"""


def python(loop: Loop) -> str:
    """Return the Python that Salt runs in."""
    program = loop.lab.master.ok(["readlink", "-f", "/usr/local/bin/salt"]).strip()
    return str(Path(program).parent / "python")


def jobs(loop: Loop) -> set[str]:
    return set(loop.lab.salt_run("jobs.list_jobs", search_function="gluster.report"))


@pytest.mark.capability(180)
def test_however_many_look_no_node_is_asked_and_no_gluster_is_started(loop: Loop) -> None:
    for node in loop.lab.nodes:
        highstate.watch(node)
    try:
        copied(loop)
        asked, began, boot_s = jobs(loop), time.time(), time.clock_gettime(time.CLOCK_BOOTTIME)
        told = json.loads(loop.lab.master.ok([python(loop), "-c", TEN], timeout=300))
        assert {t["source"] for t in told} == {"consul"}
        # Sensors look by themselves meanwhile; a job is a new process of the minion.
        assert (jobs(loop), younger(loop, boot_s)) == (asked, set())
        # All clocks are this machine's: nothing is older than it is said to be.
        told_last = told_at(loop)
        assert all(t["ages_s"][n] >= began - at for t in told for n, at in told_last.items())
        assert look(loop, live=True)["source"] == "nodes"
        assert younger(loop, boot_s) == {node.name for node in loop.lab.nodes}
        assert len(jobs(loop)) == len(asked) + 1
    finally:
        for node in loop.lab.nodes:
            highstate.unwatch(node)


def test_what_was_just_done_is_there_at_once_and_then_in_the_copy(loop: Loop) -> None:
    bricks = [f"{n}:/srv/gluster/scratch" for n in ("g1", "g2", "g3")]
    words = ["gluster", "--mode=script", "volume", "create", "scratch", "replica", "3", *bricks]
    loop.lab.node("g2").ok(words)
    loop.until(lambda: "scratch" in copied(loop)["volumes"], "it in the copy", 120)  # by hand
    assert "changes" in loop.lab.salt_call("g2", "gluster_volume.start", "scratch")
    assert look(loop)["volumes"]["scratch"]["status"] == "Started"
    began = time.monotonic()
    row = copied(loop)["volumes"]["scratch"]
    print(f"the copy has it after {time.monotonic() - began:.0f} s")
    assert row["status"] == "Started"
    up = lambda: copied(loop)["volumes"]["scratch"]["bricks"]["up"]  # noqa: E731
    loop.until(lambda: up() == 3, "its ports in the copy", 60)
    told = loop.lab.salt_call("g1", "gluster_volume.delete", "scratch", confirm=row["id"])
    assert "changes" in told
    assert "scratch" not in look(loop)["volumes"]
    loop.ack()
    loop.calm()


@pytest.mark.capability(157)
def test_what_operators_do_comes_first_manual_work_a_hold_a_mode_that_only_proposes(
    loop: Loop,
) -> None:
    """One dead brick; what keeps it from being started is taken away, one after the other."""
    asking = json.loads(json.dumps(PILLAR))
    asking["gluster"]["remediation"]["restart_brick"] = {"mode": "propose"}
    loop.declare(asking)
    began, before, g1 = time.time(), loop.forced("g2"), loop.lab.node("g1")
    loop.lab.node("g3").ok(["gluster", "volume", "set", "data", "user.by-hand", "1"])
    loop.lab.fault("brick-kill", "g2", "data")
    refused = loop.wait("refused", began, 120)
    assert "no_recent_manual_change" in refused["details"]["refusals"]
    assert "user.by-hand" in refused["why"]
    assert "acknowledge" in " ".join(refused["suggest"])

    g1.ok(["consul", "kv", "put", "gluster/main/hold", "moving the rack"])
    held = loop.wait("held", began, 120)
    assert "moving the rack" in held["why"]
    loop.ack()
    loop.ticks(2)
    assert loop.events("proposed", began) == loop.events("started", began) == []

    g1.ok(["consul", "kv", "delete", "gluster/main/hold"])
    loop.wait("released", began, 120)
    proposal = loop.wait("proposed", began, 120)
    loop.ticks(2)
    assert loop.forced("g2") == before
    loop.lab.salt_run("gluster_remediation.approve", proposal["name"])
    loop.wait("repaired", began, 150)
    assert loop.forced("g2") == before + 1
    loop.declare(PILLAR)
    loop.calm()


def test_the_bricks_of_a_stopped_volume_are_left_alone(loop: Loop) -> None:
    def is_seen(change: str) -> bool:
        return any(change in e["why"] for e in loop.events("config_changed", began))

    began = time.time()
    before = {n: loop.forced(n) for n in ("g1", "g2", "g3")}
    g4 = loop.lab.node("g4")
    g4.ok(["gluster", "--mode=script", "volume", "stop", "data"])
    loop.ack()
    loop.until(lambda: is_seen("Started -> Stopped"), "the leader has seen it", 150)
    loop.ticks(2)
    assert loop.events("started", began) == loop.events("execute", began) == []
    assert {n: loop.forced(n) for n in before} == before
    g4.ok(["gluster", "--mode=script", "volume", "start", "data"])
    loop.ack()
    loop.until(lambda: is_seen("Stopped -> Started"), "the leader has seen that, too", 150)
    loop.until(loop.serves, "the volume", 60)
    loop.calm()


@pytest.mark.capability(10, 137, 152)
def test_a_dead_node_is_suspect_then_down_in_words_and_back_with_nothing_touched(
    loop: Loop,
) -> None:
    began = time.time()
    before = {n: loop.forced(n) for n in ("g1", "g2", "g4")}
    loop.lab.fault("node-kill", "g3")
    suspect = loop.wait("suspect", began, 30)
    assert suspect["name"] == "g3"
    down = loop.until(
        lambda: [e for e in loop.events("down", began) if e["subject"] == "node"], "down", 120
    )[0]
    assert down["ts"] - suspect["ts"] >= PATIENCE["down_after"]  # type: ignore[operator]
    assert "data degraded" in down["impact"]
    assert loop.events("execute", began) == []
    assert {n: loop.forced(n) for n in before} == before
    copy = copied(loop)
    assert copy["nodes"]["members"]["g3"]["state"] == "down"
    assert copy["ages_s"]["g3"]["unknown"].startswith("down for ")
    took_s = seconds_to_look(loop), seconds_to_look(loop, live=True)
    print(f"with a node down: {took_s[0]:.1f} s, and {took_s[1]:.1f} s where all are asked")
    assert took_s[0] < took_s[1]  # nobody waits for a node that is down
    loop.lab.heal("node-kill", "g3")
    loop.lab.wait()
    up = loop.until(
        lambda: [e for e in loop.events("up", began) if e["subject"] == "node"], "up", 150
    )[0]
    assert {"suspect", "down"} <= set(up["clears"])
    loop.until(loop.serves, "all bricks", 60)
    loop.calm()


def test_an_engine_killed_in_the_middle_acts_once(loop: Loop) -> None:
    began, before = time.time(), loop.forced("g2")
    loop.lab.fault("brick-kill", "g2", "data")
    loop.wait("started", began, 120)
    loop.signal_engine("KILL")
    loop.wait("repaired", began, 240)
    assert loop.forced("g2") == before + 1
    ids = [e["id"] for e in loop.events("down", began) if e["subject"] == "brick"]
    assert len(set(ids)) == 1
    loop.calm()


@pytest.mark.capability(163)
def test_an_engine_frozen_between_deciding_and_asking_is_fenced(loop: Loop, tmp_path: Path) -> None:
    """Another engine takes over; what the first asks for when it thaws is of an old epoch."""
    began, before = time.time(), loop.forced("g2")
    other = Process(loop.lab.node("g4"), "main", "m2", tmp_path / "m2")
    try:
        loop.lab.fault("brick-kill", "g2", "data")
        there = loop.keys("operations")
        loop.until(lambda: loop.keys("operations") - there, "the intent", 90)
        loop.signal_engine("STOP")
        loop.until(lambda: other.fired("resumed"), "the other engine goes on", 90)
        loop.signal_engine("CONT")
        other.comes_by(3)
        assert loop.forced("g2") <= before + 1
    finally:
        other.stop()
    loop.until(loop.serves, "the brick", 300)
    assert loop.forced("g2") <= before + 2  # the second attempt, if the first was never asked for
    started = {e["correlation_id"] for e in loop.events("started", began)}
    assert loop.forced("g2") - before <= len(started)
    loop.calm()


def test_without_consul_it_is_blind_and_states_still_work(loop: Loop) -> None:
    began, before = time.time(), loop.forced("g2")
    for node in ("g1", "g2", "g3"):
        loop.lab.fault("consul-kill", node)
    lost = loop.wait("view_lost", began, 40)
    assert lost["severity"] == "critical"
    loop.lab.fault("brick-kill", "g2", "data")
    changed = json.loads(json.dumps(PILLAR))
    changed["gluster"]["volumes"]["data"]["options"] = {"user.while-blind": "yes"}
    loop.lab.node("g2").ok(["gluster", "volume", "start", "data", "force"])
    loop.until(loop.serves, "the brick, by hand", 60)
    loop.declare(changed)
    info = witness.volume(loop.lab.node("g3"), "data")
    assert info.options["user.while-blind"] == "yes"
    for node in ("g1", "g2", "g3"):
        loop.lab.heal("consul-kill", node)
    loop.wait("view_restored", began, 90)
    assert loop.forced("g2") == before + 1
    loop.ack()
    loop.calm()
