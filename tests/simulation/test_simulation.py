"""The decision core in a world that breaks: invariants over random stories, and each guard alone.

``SEEDS`` sets how many random stories run (100). A seed that ever failed is kept in ``KEPT``.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from simparts import CLUSTER, NODES
from simstory import (
    check_membership,
    check_what_was_told,
    random_story,
    run_until,
    settled_world,
)
from simworld import World

from salt_gluster.model import Hold, Unknown
from salt_gluster.remediation.observation import Acknowledged, Maintenance
from salt_gluster.remediation.operations import Life, operation_from

SEEDS = int(os.environ.get("SEEDS", "100"))
BATCH = 25
KEPT: tuple[int, ...] = (60, 337, 1809, 2860)


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_no_random_story_breaks_an_invariant(first: int) -> None:
    bad = {
        s: w.wrong for s in range(first, min(first + BATCH, SEEDS)) if (w := random_story(s)).wrong
    }
    assert bad == {}


@pytest.mark.parametrize("seed", KEPT)
def test_a_story_that_failed_once_holds(seed: int) -> None:
    assert random_story(seed).wrong == []


# --- what has to happen --------------------------------------------------------------------------


def states(world: World) -> list[str]:
    return [operation_from(d).state.value for d in world.consul.operations.values()]


def test_a_dead_brick_is_started_verified_and_told() -> None:
    world = settled_world()
    world.kill_brick("g1", "data")
    world.run(500)
    assert world.applied() == 1
    assert states(world) == ["done"]
    assert [d["event"] for d in world.told("brick")] == ["down", "up"]
    told = [d["event"] for d in world.told("remediation")]
    assert told == ["started", "done", "repaired"]
    assert world.wrong == []


def test_a_brick_killed_ten_times_in_an_hour_is_started_within_budget_then_paged() -> None:
    world = settled_world()
    for i in range(10):
        world.at(i * 360, lambda: world.kill_brick("g1", "data"))
    world.run(2 * 3600)
    assert 2 <= world.applied() <= world.policy.restart_budget
    assert not world.serves(("g1", "/b/data"))
    pages = [d for d in world.told("brick", "failed") if d["severity"] == "page"]
    assert len(pages) == 1
    assert "as often as allowed" in pages[0]["why"]
    world.consul.acknowledged.append(Acknowledged("g1", world.now))
    world.run(600)
    assert world.serves(("g1", "/b/data"))
    assert world.wrong == []


@pytest.mark.parametrize(
    ("disk", "said"),
    [
        ({"mounted": False}, "not mounted"),
        ({"read_only": True}, "read-only"),
        ({"volume_id": "id-other"}, "volume id-other"),
        ({"root": False}, "gluster's own root"),
        ({"io_errors": 2}, "I/O errors"),
    ],
)
def test_a_brick_with_an_ill_disk_is_never_started_and_it_is_said_why(
    disk: dict[str, object], said: str
) -> None:
    world = settled_world()
    world.harm("g1", "data", **disk)
    world.kill_brick("g1", "data")
    world.run(4000)
    assert world.applied() == 0
    assert [said in d["why"] for d in world.told("brick", "failed")] == [True]
    assert world.told("remediation", "refused")


def test_a_node_that_dies_is_told_with_its_impact_and_nothing_is_touched() -> None:
    world = settled_world()
    world.lose("g1")
    world.run(30)
    (suspect,) = world.told("node", "suspect")
    assert "data degraded" in suspect["impact"]
    world.run(150)
    assert len(world.told("node", "down")) == 1
    world.run(1850)
    assert [d["severity"] for d in world.told("node", "gone")] == ["page"]
    world.bring_back("g1")
    world.run(900)
    events = [d["event"] for d in world.told("node")]
    assert events == ["suspect", "down", "gone", "returning", "up"]
    assert world.applied() == 0
    assert world.wrong == []


def test_a_node_that_flaps_is_told_of_less_and_less() -> None:
    world = settled_world()
    for i in range(20):
        world.at(i * 200, lambda: world.lose("g1", cut=True))
        world.at(i * 200 + 20, lambda: world.bring_back("g1"))
    world.run(4000)
    assert len(world.told("node", "suspect")) <= 6
    assert len(world.told("node", "flapping")) == 1
    assert world.told("node", "down") == []


@pytest.mark.parametrize("how", ["no leader", "frozen agent"])
def test_without_a_view_nothing_is_done_and_every_clock_starts_anew(how: str) -> None:
    world = settled_world()
    world.kill_brick("g1", "data")
    world.run(60)
    engine = world.engines["m1"]
    world.engines["m2"].up = False
    if how == "no leader":
        world.consul_down()
    else:
        engine.agent = False
    world.run(25)
    (lost,) = world.told("cluster", "view_lost")
    assert lost["ts"] - world.now < 25
    world.run(200)
    assert world.applied() == 0
    back = world.now
    if how == "no leader":
        world.consul_back()
    else:
        engine.agent = True
    world.run(40)
    assert world.told("cluster", "view_restored")
    run_until(world, lambda: world.applied() == 1)
    wanted = world.policy.sight_settle_s + world.policy.decide_twice_s
    assert world.now - back >= wanted
    assert world.wrong == []


def test_a_node_missed_before_the_view_was_lost_is_down_only_long_after_it_is_back() -> None:
    world = settled_world()
    world.lose("g1")
    world.run(100)
    world.consul_down()
    world.run(60)
    world.consul_back()
    world.run(world.policy.down_after_s)
    assert world.told("node", "down") == []
    world.run(120)
    assert len(world.told("node", "down")) == 1


HOLDS: dict[str, Callable[[World], object]] = {
    "hold": lambda w: setattr(w.consul, "hold", Hold("work")),
    "unreadable hold": lambda w: setattr(w.consul, "hold", Unknown("garbled")),
    "hold by hand on another node": lambda w: setattr(w.nodes["g5"], "hold", Hold("mine")),
    "maintenance": lambda w: w.consul.maintenance.update(g1=Maintenance("ops", "x", None)),
    "consul maintenance": lambda w: setattr(w.nodes["g1"], "consul_maintenance", True),
    "volume stopped": lambda w: w.stop_volume("data"),
    "work by hand": lambda w: w.by_hand("g3"),
    "cut-off agent of the node": lambda w: setattr(w.nodes["g1"], "agent", False),
    "no consul": lambda w: w.consul_down(),
    "clock": lambda w: setattr(w.nodes["g1"], "skew", -30.0),
}


@pytest.mark.parametrize("name", HOLDS)
@pytest.mark.parametrize("when", ["before the decision", "between intent and execute"])
def test_a_person_or_a_fault_in_between_stops_it(name: str, when: str) -> None:
    world = settled_world()
    world.kill_brick("g1", "data")
    if when == "before the decision":
        HOLDS[name](world)
        world.run(400)
    else:
        world.loss = 1
        run_until(world, lambda: bool(world.consul.operations))
        (op,) = world.consul.operations
        HOLDS[name](world)
        world.run(12)  # what is seen on another node reaches the executor by its report
        world.deliver("g1", op)
        world.run(20)
    assert world.applied() == 0
    assert world.wrong == []


def test_a_change_by_hand_that_was_acknowledged_is_no_reason_any_more() -> None:
    world = settled_world()
    world.by_hand("g3")
    world.kill_brick("g1", "data")
    world.run(300)
    assert world.applied() == 0
    assert "no_recent_manual_change" in world.told("remediation", "refused")[0]["why"]
    world.consul.acknowledged.append(Acknowledged(CLUSTER, world.now))
    world.run(60)
    assert world.applied() == 1


def test_two_dead_bricks_of_one_volume_and_one_on_purpose_are_refused_with_every_reason() -> None:
    world = settled_world()
    world.consul.maintenance["g2"] = Maintenance("ops", "a disk", None)
    world.kill_brick("g2", "data")
    world.harm("g1", "data", io_errors=1)
    world.kill_brick("g1", "data")
    world.run(400)
    assert world.applied() == 0
    told = {r for d in world.told("remediation", "refused") for r in d["details"]["refusals"]}
    assert {"no_brick_in_maintenance", "no_io_errors", "not_in_maintenance"} <= told


# --- crashes -------------------------------------------------------------------------------------


STEPS = 7


def test_the_steps_of_an_executor_are_all_enumerated() -> None:
    world = settled_world()
    world.kill_brick("g1", "data")
    world.run(200)
    assert (world.applied(), world.executor_steps) == (1, STEPS)


@pytest.mark.parametrize("at", range(1, STEPS + 1))
def test_an_executor_killed_anywhere_leads_to_the_same_end_without_a_second_action(at: int) -> None:
    world = settled_world()
    world.executor_dies_at = at
    world.kill_brick("g1", "data")
    world.run(3600)
    assert world.serves(("g1", "/b/data"))
    assert world.applied() == 1
    assert "intent" not in states(world)
    assert "issued" not in states(world)
    assert states(world)[-1] == "done"
    assert world.wrong == []


@pytest.mark.parametrize("after", [i * 0.7 for i in range(60)])
def test_an_engine_killed_at_any_moment_loses_nothing_and_tells_nothing_twice(after: float) -> None:
    world = settled_world()
    world.kill_brick("g1", "data")
    world.lose("g8")
    world.run(95 + after)
    world.engines[world.consul.holder].crash()
    world.run(900)
    world.bring_back("g8")
    world.run(1200)
    assert world.applied() == 1
    assert [d["event"] for d in world.told("brick", name="g1:/b/data")] == ["down", "up"]
    node = [d["event"] for d in world.told("node", name="g8")]
    assert node in (["suspect", "down", "returning", "up"],)
    assert world.wrong == []


def incident(dies_at: int) -> World:
    """A brick dies and is mended, a node dies, another one leaves; both come back."""
    world = settled_world()
    world.engine_steps, world.engine_dies_at = 0, dies_at
    world.kill_brick("g1", "data")
    world.run(1500)
    world.lose("g8")
    world.nodes["g5"].has_left = True
    world.run(600)
    world.bring_back("g8")
    world.nodes["g5"].has_left = False
    return world.run(1200)


def heard(world: World) -> dict[str, list[str]]:
    """What was told of each node and brick, each id once, in order; and what was repaired."""
    found: dict[str, list[str]] = {}
    for d in (*world.told("node"), *world.told("brick"), *world.told("remediation", "repaired")):
        found.setdefault(d["uuid"] if d["event"] != "repaired" else "", []).append(d["event"])
    return found


#: Steps of the engine in that story. Every twelfth of them, every one with a thousand seeds.
MOMENTS = 820
EACH = 1 if SEEDS >= 1000 else 12


@pytest.mark.parametrize("first", range(1, MOMENTS, 82))
def test_an_engine_killed_at_each_of_its_steps_tells_the_same_and_acts_once(first: int) -> None:
    undisturbed = incident(-1)
    assert undisturbed.engine_steps <= MOMENTS
    for at in range(first, first + 82, EACH):
        world = incident(at)
        check_membership(world)
        check_what_was_told(world)
        assert (at, world.wrong, world.applied()) == (at, [], 1)
        assert (at, heard(world)) == (at, heard(undisturbed))


@pytest.mark.parametrize("after", [i * 3.9 for i in range(14)])
def test_an_engine_killed_at_any_moment_loses_no_one_who_leaves_or_joins(after: float) -> None:
    world = settled_world()
    world.nodes["g8"].has_left = True
    world.run(after)
    world.engines[world.consul.holder].crash()
    world.run(300)
    assert [d["event"] for d in world.told("node", name="g8")] == ["left"]
    world.nodes["g8"].has_left = False
    world.run(10 + after / 4)
    world.engines[world.consul.holder or "m1"].crash()
    world.run(300)
    assert [d["event"] for d in world.told("node", name="g8")] == ["left", "joined"]
    check_membership(world)
    check_what_was_told(world)
    assert world.wrong == []


@pytest.mark.parametrize("frozen_s", [15, 25, 60, 200])
@pytest.mark.parametrize("after", [88 + i * 1.7 for i in range(10)])
def test_a_leader_frozen_between_deciding_and_asking_does_nothing_twice(
    after: float, frozen_s: float
) -> None:
    world = settled_world()
    world.kill_brick("g1", "data")
    world.run(after)
    world.engines["m1"].freeze(frozen_s)
    world.run(1500)
    assert world.applied() == 1
    assert world.wrong == []


def test_forged_doubled_and_late_requests_do_nothing() -> None:
    world = settled_world()
    world.double, world.loss = 1, 0
    world.kill_brick("g1", "data")
    world.run(500)
    (op,) = world.consul.operations
    for minion in NODES:
        world.deliver(minion, op)
        world.deliver(minion, "forged")
    world.run(60)
    assert world.applied() == 1
    world.kill_brick("g1", "data")
    world.run(5)
    world.deliver("g1", op)
    world.run(5)
    assert world.applied() == 1
    assert world.wrong == []


def test_a_request_that_comes_after_its_deadline_does_nothing() -> None:
    world = settled_world()
    world.loss = 1
    world.kill_brick("g1", "data")
    run_until(world, lambda: bool(world.consul.operations))
    (op,) = world.consul.operations
    world.run(world.policy.intent_s + 30)
    world.deliver("g1", op)
    world.run(10)
    assert world.applied() == 0
    assert world.consul.outcomes["g1", op].state is Life.REFUSED
    assert world.wrong == []


def test_a_day_with_only_short_faults_is_a_quiet_day() -> None:
    world = settled_world()
    for hour in range(24):
        world.at(hour * 3600, lambda: world.lose(world.rng.choice(NODES), cut=True))
        world.at(hour * 3600 + 60, lambda: [world.bring_back(n) for n in NODES])
    world.run(24 * 3600)
    assert world.applied() == 0
    assert world.told("node", "down") == []
    assert world.wrong == []
