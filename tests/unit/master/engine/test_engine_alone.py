"""The whole engine over a long time and over what fails around it: Salt, Consul's disks, clocks."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import recorded_pool
from engine_world import NAMES, T0, UUIDS, World
from fleet import operation

from salt_gluster.consul.led_time import read_led_time
from salt_gluster.consul.pool import PoolClient
from salt_gluster.errors import ConsulError
from salt_gluster.master.hold import release
from salt_gluster.model import Unknown
from salt_gluster.remediation.operations import Life


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.passes(90)
    assert world.watches.lock.holds()
    assert world.engine._memory.mode == "open"
    return world


# --- asking --------------------------------------------------------------------------------------


def _as_salt_asks(bus: Any) -> None:
    """Let the bus leave an event loop in each thread that asks, as Salt's client does."""
    ask = bus.ask

    def asks(*words: Any) -> Mapping[str, Any]:
        try:
            asyncio.get_event_loop_policy().get_event_loop()
        except RuntimeError:
            asyncio.set_event_loop(asyncio.new_event_loop())
        return ask(*words)

    bus.ask = asks


def _used() -> tuple[int, int, int]:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return len(list(Path("/proc/self/fd").iterdir())), threading.active_count(), pages // 256


@pytest.mark.parametrize(
    "ticks", [1_000, pytest.param(100_000, marks=[pytest.mark.long, pytest.mark.timeout(3600)])]
)  # fmt: skip
def test_questions_cost_no_descriptors_no_threads_and_no_memory(world: World, ticks: int) -> None:
    _as_salt_asks(world.bus)
    # What the stand-in for Consul was asked grows by 5 KB a tick, and is no memory of the engine's.
    world.consul.requests = deque(maxlen=100)  # type: ignore[assignment]
    world.dead = {1}
    world.report()
    world.passes(600, step_s=10)  # whatever is made once is made
    asked, before = len(world.bus.rounds), _used()
    world.passes(10.0 * ticks, step_s=10)
    after = _used()
    assert len(world.bus.rounds) - asked > ticks / 40
    assert after[0] <= before[0] + 3
    assert after[1] <= before[1]
    assert after[2] <= before[2] + 24  # MB


def test_a_leader_that_can_ask_nobody_says_so_and_gives_the_lock_up(world: World) -> None:
    world.dead = {1}
    world.report()
    world.passes(10)
    assert world.bus.rounds, "it asks about the dead brick"
    world.bus.broken = "Too many open files"
    world.passes(20)
    assert world.watches.lock.holds(), "one failure is none yet"
    world.passes(40)
    assert not world.watches.lock.holds()
    (lost,) = [e["data"] for e in world.bus.fired if e["data"]["event"] == "view_lost"]
    assert "cannot ask its minions" in lost["why"]
    assert "Too many open files" in lost["why"]
    world.bus.broken = ""
    world.passes(200)
    assert world.watches.lock.holds()
    assert world.events("view_restored") == [("main", "view_restored")]


def test_silence_of_all_minions_is_no_reason_to_give_the_lock_up(world: World) -> None:
    world.dead, world.silent = {1}, {"g1", "g2", "g3"}
    world.report()
    world.passes(200)
    assert len(world.bus.rounds) > 2
    assert world.watches.lock.holds()


def test_an_executor_is_sent_a_job_and_a_second_one_does_not_wait_behind_a_first(
    world: World,
) -> None:
    """A request is no event that a reactor would turn into a job: any minion can forge those."""
    world.engine._send("op1", "g1")
    assert world.engine._sending.wait(10)
    assert world.bus.sent == [("g1", "gluster_remediation.execute", "op1")]
    went_on = threading.Event()
    world.bus.send = lambda *words: went_on.wait(10)  # type: ignore[assignment,method-assign]
    for _ in range(5):
        world.engine._send("op2", "g1")
    went_on.set()
    assert world.engine._sending.wait(10)


def _forged(number: int, **changed: Any) -> dict[str, Any]:
    """Return what a hostile minion says in the name of another: all is well, or something else."""
    told = recorded_pool.report(number, NAMES, recorded_pool.replicated(NAMES), T0 + 99_999)
    told["facts"] |= changed
    ports = [[UUIDS[1], recorded_pool.PATH, True]]
    return {"schema": 1, "at": T0 + 99_999, "report": told, "ports": ports}


def test_what_a_minion_says_in_the_name_of_others_is_not_believed(world: World) -> None:
    """Salt's bus and its job cache take an answer of anybody under any name."""
    world.dead, world.silent = {1}, {"g2"}
    world.forged = {"g2": _forged(1), "g3": _forged(2, hold={"reason": "x", "by": "y"})}
    world.report()
    world.passes(60)
    assert world.events("down") == [("g2:/srv/gluster/data/1", "down")]
    assert world.engine._memory.mode == "open", "and no hold of g3 came with it"
    facts = world.engine._state.facts[UUIDS[1]]
    assert facts.at < T0 + 50_000
    assert not isinstance(world.engine._probes.latest(world.engine._now()).skews.get(UUIDS[2]), str)


def test_a_forged_answer_does_not_end_the_waiting_for_the_true_one(world: World) -> None:
    """Whoever answers first for all nodes would make them silent."""
    world.dead = {1}
    world.report()
    world.bus.late = 2
    world.forged = {name: _forged(n) for n, name in enumerate(NAMES)}
    world.passes(60)
    latest = world.engine._probes.latest(world.engine._now())
    assert set(latest.reports) == set(UUIDS)
    assert all(report["at"] < T0 + 50_000 for report in latest.reports.values())


@pytest.mark.parametrize(
    "broken", [{"ports": [[1]]}, {"ports": 7}, {"ports": [[None, None, True]]}, {"at": "x"}]
)
def test_one_broken_answer_is_one_silent_node(world: World, broken: dict[str, Any]) -> None:
    world.dead = {1}
    world.broken_answers = {"g3": broken}
    world.report()
    world.passes(60)
    latest = world.engine._probes.latest(world.engine._now())
    assert {UUIDS[0], UUIDS[1]} <= set(latest.reports)


def test_a_standing_failure_is_asked_about_ever_less_often_and_a_new_one_at_once(
    world: World,
) -> None:
    """One dead disk had cost every node a job and a report every ten seconds, for ever."""
    store = world.engine._state.store
    spec, now = {"nodes": list(NAMES)}, world.engine._now()
    store.accept({"schema": 1, "spec": spec, "policy": {}}, by="g1", why="test", now=now)
    world.watches.saw("rev", 2, 99)
    world.dead = {1}
    for _ in range(20):  # its sensor writes, too
        world.report()
        world.passes(30, step_s=10)
    assert world.engine._memory.candidate is None, "it is refused: never recorded"
    rounds = len(world.bus.rounds)
    for _ in range(60):
        world.report()
        world.passes(30, step_s=10)
    assert len(world.bus.rounds) - rounds <= 20, "half an hour: it was 180"
    rounds = len(world.bus.rounds)
    world.dead = {1, 2}
    world.report()
    world.passes(40, step_s=10)
    assert len(world.bus.rounds) - rounds >= 3


# --- a Consul that can store nothing -------------------------------------------------------------


def test_without_a_write_for_ten_seconds_the_view_is_lost_and_dead_bricks_are_told(
    world: World,
) -> None:
    world.consul.takes_writes = False
    world.passes(14)
    assert ("main", "view_lost") in world.events()
    assert not world.watches.lock.holds()
    world.dead = {1}
    world.passes(60)
    assert world.events("down", "up") == [("g2:/srv/gluster/data/1", "down")]
    world.dead = ()
    world.passes(120)
    assert world.events("down", "up")[1:] == [("g2:/srv/gluster/data/1", "up")]


def test_a_brick_that_was_told_without_consul_is_told_under_the_same_id_once_it_is_back(
    world: World,
) -> None:
    world.consul.takes_writes = False
    world.dead = {1}
    world.passes(60)
    world.consul.takes_writes = True
    world.report()
    world.passes(120)
    assert world.watches.lock.holds()
    told = [e["data"] for e in world.bus.fired if e["data"]["event"] == "down"]
    assert len({event["id"] for event in told}) == 1


def test_what_was_told_before_consul_was_lost_is_not_told_again(world: World) -> None:
    world.dead = {1}
    world.report()
    world.passes(30)
    assert world.events("down") == [("g2:/srv/gluster/data/1", "down")]
    world.consul.takes_writes = False
    world.passes(120)
    assert world.events("down") == [("g2:/srv/gluster/data/1", "down")]


# --- holds ---------------------------------------------------------------------------------------


def test_the_hold_of_a_node_that_died_is_told_with_its_place_and_ends_with_a_release(
    world: World,
) -> None:
    world.report(hold={1: {"reason": "rack", "by": "ann", "since": 1.0}})
    world.passes(320)
    assert world.events("held") == [("main", "held")], "told within one collection"
    world.consul.checks = [{"Node": "g2", "CheckID": "serfHealth", "Status": "critical"}]
    world.silent = {"g2"}
    world.passes(30)
    status = world.engine._state.store.read("gluster/main/status").data
    assert status["why"] == "a hold is set on g2, which is away by ann: rack"
    assert status["holds"] == [{"where": "g2, which is away", "by": "ann", "reason": "rack"}]
    nobody = lambda target, function, *words: {}  # noqa: E731
    pool = PoolClient({"cluster": "main"}, client=world.client, marker=world.marker)
    assert "g2" in release(nobody, "*", "ann", pool)["perhaps still held"]
    world.passes(15)
    assert world.events("held", "released")[-1] == ("main", "released")
    assert world.engine._memory.mode != "held"


# --- an operator's word --------------------------------------------------------------------------


def _acknowledged(world: World, what: str) -> float:
    state = world.engine._state
    state.refresh()
    state.operations()
    rows = state.acknowledged()
    assert not isinstance(rows, Unknown)
    return {row.what: row.at for row in rows}.get(what, -1.0)


def test_an_acknowledgement_is_of_when_the_leader_first_saw_it_and_keeps_that(world: World) -> None:
    """Also one that was typed where the clock is years ahead, or behind."""
    world.engine._state.store.acknowledge("main", "ann")
    assert _acknowledged(world, "main") == 0.0, "no leader has seen it"
    world.passes(10)
    seen = _acknowledged(world, "main")
    assert abs(seen - world.engine._now()) <= 10
    world.passes(60)
    assert _acknowledged(world, "main") == seen
    world.engine._state.store.acknowledge("main", "ann")
    world.passes(10)
    assert _acknowledged(world, "main") > seen


def test_what_was_acknowledged_before_the_operation_became_what_it_is_does_not_count(
    world: World,
) -> None:
    store = world.engine._state.store
    store.acknowledge("op1", "ann")
    frozen = operation(id="op1", state=Life.FROZEN, at=T0, changed=T0, node=UUIDS[0])
    store.write(store.keys.operation("op1"), frozen.to_data())
    world.passes(30)
    assert _acknowledged(world, "op1") == 0.0
    assert store.operation("op1").data["state"] == "frozen"
    store.acknowledge("op1", "ann")
    world.passes(30)
    assert store.operation("op1").data["state"] == "closed"


# --- a leader that is none any more --------------------------------------------------------------


def test_who_was_frozen_and_is_no_leader_any_more_removes_nothing(world: World) -> None:
    store = world.engine._state.store
    for number in range(250):
        store.audit("20010101T000000Z", f"line-{number}", {"at": 1})
        ended = {"id": f"op{number}", "state": "done", "node": UUIDS[0]}
        store.write(store.keys.operation(f"op{number}"), ended)
    for number in range(2, 62):
        store.write(store.keys.version(number), {"version": number})
    before = set(world.consul.keys)
    world.consul.end_session(next(iter(world.consul.sessions)))
    with pytest.raises(ConsulError):
        world.engine._pruning.prune(world.watches.lock.epoch, 0, 600.0)
    assert set(world.consul.keys) == before


def test_the_leader_counts_how_long_it_leads_and_knows_who_is_in_the_pool(world: World) -> None:
    """By both it takes away what departed nodes have left (``test_pruning.py``)."""
    world.passes(700, step_s=10.0)
    assert read_led_time(world.engine._state.store)[0].led_s >= 300.0
    assert world.engine._pruning.present == set(UUIDS)


# --- clocks --------------------------------------------------------------------------------------


@pytest.mark.parametrize("step_s", [-3600.0, 3600.0])
def test_a_clock_that_is_set_makes_the_engine_neither_deaf_nor_hasty(
    world: World, step_s: float
) -> None:
    world.step_s = step_s
    world.dead = {1}
    world.report()
    world.passes(25)
    assert world.events("down") == [("g2:/srv/gluster/data/1", "down")]
    assert world.bus.rounds
    assert world.engine._memory.mode == "open"
    asked = len(world.bus.rounds)
    world.passes(60)
    assert len(world.bus.rounds) >= asked + 3


@pytest.mark.parametrize("step_s", [-3600.0, 3600.0])
def test_a_clock_that_is_set_to_what_the_nodes_have_is_gone_by_from_then_on(
    world: World, step_s: float
) -> None:
    """The nodes' clocks say which of both is right."""
    world.step_s = step_s
    world.nodes_ahead_s = step_s
    world.report()
    world.passes(90)
    assert abs(world.engine._now() - world.node_time()) < 1
    world.dead = {1}
    world.report()
    world.passes(120)
    assert world.engine._memory.mode == "open"
    assert ("g2:/srv/gluster/data/1", "down") in world.events("down")
