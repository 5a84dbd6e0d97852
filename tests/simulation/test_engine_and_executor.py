"""Modes, proposals, storms and view of the engine; every check of the executor by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from simparts import CLUSTER, NODES
from simstory import run_until, settled_world
from simworld import World

from salt_gluster.model import Hold, Unknown
from salt_gluster.remediation import LockView, Memory, Policy, decide
from salt_gluster.remediation.authorize import Decision, authorize
from salt_gluster.remediation.decide import Asks
from salt_gluster.remediation.membership import ViewTrust
from salt_gluster.remediation.observation import Acknowledged
from salt_gluster.remediation.operations import REJECTED_BY, ExecutionReport, Life, operation_from
from salt_gluster.remediation.policy import Mode

# --- the engine ----------------------------------------------------------------------------------


def test_a_healthy_pool_is_asked_nothing_and_told_nothing() -> None:
    world = settled_world()
    engine = world.engines["m1"]
    done = decide(engine.look(), world.policy, engine.memory)
    assert not done.asks
    assert done.notices == done.intents == done.updates == done.requests == ()
    assert done.memory.conditions == engine.memory.conditions


@pytest.mark.parametrize("set_s", [-3600.0, 3600.0])
@pytest.mark.parametrize("after_s", [0, 45])
def test_a_clock_that_is_set_on_the_master_makes_it_neither_wait_longer_nor_shorter(
    set_s: float, after_s: int
) -> None:
    def started_after_s(step_s: float) -> float:
        world = settled_world()
        began = world.now
        world.kill_brick("g1", "data")
        world.run(after_s)
        for engine in world.engines.values():
            engine.clock_set_s = step_s
        run_until(world, lambda: world.applied() == 1)
        assert world.wrong == []
        return world.now - began

    assert started_after_s(set_s) == pytest.approx(started_after_s(0.0), abs=10)


@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.PROPOSE])
def test_a_rung_that_may_not_act_says_so_once_and_touches_nothing(mode: Mode) -> None:
    world = settled_world()
    world.policy = replace(world.policy, restart_brick=mode)
    world.kill_brick("g1", "data")
    world.run(600)
    assert world.applied() == 0
    word = {"observe": "would_act", "propose": "proposed"}[mode.value]
    assert len(world.told("remediation", word)) == 1
    assert len(world.consul.proposals) == (mode is Mode.PROPOSE)


def test_an_approved_proposal_is_carried_out_with_the_guards_of_that_moment() -> None:
    world = settled_world()
    world.policy = replace(world.policy, restart_brick=Mode.PROPOSE)
    world.kill_brick("g1", "data")
    run_until(world, lambda: bool(world.consul.proposals))
    world.nodes["g1"].hold = Hold("not now")
    world.approve()
    world.run(300)
    assert world.applied() == 0
    world.nodes["g1"].hold = None
    world.run(300)
    assert world.applied() == 1
    (operation,) = world.consul.operations.values()
    assert operation["evidence"]["approved_by"] == "ann"
    assert world.wrong == []


def test_a_rejected_proposal_is_told_as_that_and_not_made_again() -> None:
    world = settled_world()
    world.policy = replace(world.policy, restart_brick=Mode.PROPOSE)
    world.kill_brick("g1", "data")
    run_until(world, lambda: bool(world.told("remediation", "proposed")))
    (proposal,) = world.consul.proposals.values()
    proposal |= {"state": "closed", "why": "ann said no", "evidence": {REJECTED_BY: "ann"}}
    world.run(600)
    (told,) = world.told("remediation", "rejected")
    assert (told["severity"], told["why"][-11:]) == ("info", "ann said no")
    assert world.told("remediation", "closed") == []
    assert len(world.told("remediation", "proposed")) == len(world.consul.proposals) == 1
    assert world.applied() == 0


def test_a_storm_pages_once_ends_by_itself_and_nothing_is_done_meanwhile() -> None:
    world = settled_world()
    for node in ("g4", "g5", "g7"):
        world.lose(node)
    world.run(60)
    world.kill_brick("g1", "data")
    world.run(600)
    assert [d["severity"] for d in world.told("cluster", "storm")] == ["page"]
    assert world.applied() == 0
    assert world.told("node", "down") == []
    for node in ("g4", "g5", "g7"):
        world.bring_back(node)
    world.run(1200)
    assert len(world.told("cluster", "storm")) == len(world.told("cluster", "calm")) == 1
    assert world.applied() == 1
    assert world.wrong == []


def test_when_most_members_are_silent_it_may_be_us() -> None:
    world = settled_world()
    for node in NODES[:5]:
        world.lose(node, cut=True)
        world.nodes[node].missed_since += 1000  # Consul has not seen it yet: gossip lives
    world.kill_brick("g8", "logs")
    world.run(120)
    assert len(world.told("cluster", "view_lost")) == 1
    assert world.engines["m1"].memory.mode == "blind"
    assert world.applied() == 0


def test_a_hold_is_told_at_once_and_so_is_its_end() -> None:
    world = settled_world()
    world.consul.hold = Unknown("not JSON")
    world.run(12)
    assert "cannot be read" in world.told("cluster", "held")[0]["why"]
    world.consul.hold = None
    world.run(12)
    assert len(world.told("cluster", "released")) == 1


def test_a_wiped_consul_is_blind_and_not_an_empty_pool() -> None:
    world = settled_world()
    world.consul.wiped = True
    world.run(300)
    assert len(world.told("cluster", "view_lost")) >= 1
    assert world.told("node", "left") == []


def test_another_consul_leader_settles_for_a_minute() -> None:
    world = settled_world()
    world.kill_brick("g1", "data")
    world.run(85)
    world.consul.leader_since = world.now
    changed = world.now
    run_until(world, lambda: world.applied() == 1)
    assert world.now - changed >= 60 + 30
    assert world.told("cluster", "view_lost") == []


def test_a_dead_brick_of_a_node_that_left_the_catalog_is_left_alone_and_said_so() -> None:
    world = settled_world()
    world.nodes["g1"].has_left = True
    world.kill_brick("g1", "data")
    world.run(600)
    assert world.applied() == 0
    assert any("in_catalog" in d["details"]["refusals"] for d in world.told("remediation"))
    world.nodes["g1"].has_left = False
    world.run(200)
    assert world.applied() == 1
    assert world.wrong == []


def test_without_an_accepted_policy_there_are_only_notices() -> None:
    world = settled_world()
    engine = world.engines["m1"]
    world.kill_brick("g1", "data")
    world.run(80)
    obs = replace(engine.look(), has_policy=False)
    memory = engine.memory
    for _ in range(20):
        obs = replace(obs, now=obs.now + 10, consul=replace(obs.consul, trust=ViewTrust(True)))
        obs = replace(obs, lock=replace(obs.lock, valid_s=9.0))
        done = decide(obs, world.policy, memory)
        memory = done.memory
        assert (done.intents, done.refused) == ((), ())


@pytest.mark.parametrize("part", ["operations", "outcomes", "hold", "maintenance", "pool"])
def test_what_cannot_be_read_refuses(part: str) -> None:
    """The same look with one part missing decides nothing; with all of them it decides."""
    world = settled_world()
    world.kill_brick("g1", "data")
    run_until(world, lambda: world.engines["m1"].memory.candidate is not None)
    engine = world.engines["m1"]
    obs = engine.look()
    later = replace(obs, now=obs.now + 31, lock=replace(obs.lock, valid_s=9.0))
    whole = decide(later, world.policy, engine.memory)
    if part != "outcomes":  # those of others do not concern a new intent
        lacking: dict[str, Any] = {part: Unknown("no answer")}
        assert decide(replace(later, **lacking), world.policy, engine.memory).intents == ()
    assert len(whole.intents) == 1


def test_an_engine_that_has_just_started_knows_nothing_and_does_nothing() -> None:
    world = settled_world()
    world.kill_brick("g1", "data")
    world.run(80)
    done = decide(world.engines["m1"].look(), Policy(), Memory())
    assert done.mode.value == "blind"
    assert done.intents == done.requests == ()


# --- the executor --------------------------------------------------------------------------------


def asked() -> tuple[World, dict[str, Any]]:
    """Return a world with an intent, and the arguments with which its executor says yes."""
    world = settled_world()
    world.loss = 1
    world.kill_brick("g1", "data")
    run_until(world, lambda: bool(world.consul.operations))
    (stored,) = world.consul.operations.values()
    world.reports["g1"] = world.facts("g1")
    lock = LockView(True, 0.0, world.consul.epoch)
    obs = world.observe(ViewTrust(True), lock, Asks(), executor_node="g1")
    return world, {
        "operation": operation_from(stored), "outcome": None, "obs": obs, "policy": world.policy,
        "minion": "g1", "skew_s": 0.0, "conditions": {},
    }  # fmt: skip


def test_the_executor_that_is_named_says_yes() -> None:
    _, call = asked()
    answer = authorize(**call)
    assert answer.do is Decision.PERFORM
    assert answer.outcome is not None
    assert answer.outcome.state is Life.ISSUED


CHECKS: dict[str, tuple[dict[str, Any], Decision, str]] = {
    "forged": ({"operation": None}, Decision.IGNORE, "operation_known"),
    "unreadable": ({"operation": Unknown("403")}, Decision.IGNORE, "operation_known"),
    "names another minion": ({"minion": "g2"}, Decision.IGNORE, "named_here"),
    "unreadable outcome": ({"outcome": Unknown("403")}, Decision.IGNORE, "outcome_known"),
    "done before": (
        {"outcome": ExecutionReport("i", "g1", Life.APPLIED, 1.0)},
        Decision.IGNORE, "not_done_before",
    ),
    "clock": ({"skew_s": -5.1}, Decision.REFUSE, "clocks_agree"),
    "unknown clock": ({"skew_s": Unknown("no time told")}, Decision.REFUSE, "clocks_agree"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHECKS)
def test_each_check_of_the_executor_stops_it_by_itself(name: str) -> None:
    change, do, reason = CHECKS[name]
    answer = authorize(**{**asked()[1], **change})
    assert (answer.do, [r.name for r in answer.reasons]) == (do, [reason])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"epoch": 1}, "epoch_current"),
        ({"action": "brick_replace"}, "action_known"),
        ({"deadline": 0.0}, "in_time"),
        ({"state": Life.APPLIED}, "in_intent"),
        ({"at": 9e9}, "clocks_agree"),
    ],
)
def test_an_operation_that_is_not_fit_is_refused_and_said_so(
    change: dict[str, Any], reason: str
) -> None:
    _, call = asked()
    answer = authorize(**{**call, "operation": replace(call["operation"], **change)})
    assert (answer.do, [r.name for r in answer.reasons]) == (Decision.REFUSE, [reason])
    assert answer.outcome is not None
    assert reason in answer.outcome.reasons[0]


def test_an_operation_of_another_node_is_not_begun_here() -> None:
    _, call = asked()
    moved = replace(call["operation"], node="g2")
    assert authorize(**{**call, "operation": moved}).do is Decision.IGNORE
    ended = replace(call["operation"], state=Life.DONE)
    assert authorize(**{**call, "operation": ended}).do is Decision.IGNORE


def test_what_was_begun_is_looked_at_and_never_begun_again() -> None:
    world, call = asked()
    begun = ExecutionReport(call["operation"].id, "g1", Life.ISSUED, world.now)
    answer = authorize(**{**call, "outcome": begun})
    assert (answer.do, answer.outcome) == (Decision.LOOK_BACK, None)
    assert authorize(**{**call, "outcome": begun, "begun": True}).do is Decision.PERFORM
    world.bricks["g1", "/b/data"].alive = True
    world.reports["g1"] = world.facts("g1")
    seen = replace(call["obs"], facts=dict(world.reports))
    answer = authorize(**{**call, "outcome": begun, "obs": seen})
    assert answer.do is Decision.LOOK_BACK
    assert answer.outcome is not None
    assert answer.outcome.state is Life.APPLIED


def test_a_brick_that_serves_again_by_itself_is_left_alone() -> None:
    world, call = asked()
    world.bricks["g1", "/b/data"].alive = True
    world.reports["g1"] = world.facts("g1")
    answer = authorize(**{**call, "obs": replace(call["obs"], facts=dict(world.reports))})
    assert [r.name for r in answer.reasons] == ["still_down"]


def test_all_reasons_are_told_together() -> None:
    world, call = asked()
    world.nodes["g1"].hold = Hold("mine")
    world.nodes["g1"].importing = True
    world.harm("g1", "data", io_errors=1)
    world.reports["g1"] = world.facts("g1")
    seen = replace(call["obs"], facts=dict(world.reports))
    answer = authorize(**{**call, "obs": seen, "skew_s": 99.0})
    names = {r.name for r in answer.reasons}
    assert names == {"clocks_agree", "not_held", "settled", "no_io_errors"}


def test_an_acknowledge_ends_a_freeze() -> None:
    world = settled_world()
    world.executor_dies_at = 4  # after it wrote that it has begun
    world.kill_brick("g1", "data")
    run_until(world, lambda: bool(world.consul.outcomes))
    world.lose("g1", cut=True)
    world.run(3600)
    (op,) = world.consul.operations
    assert world.consul.operations[op]["state"] == "frozen"
    assert len(world.told("remediation", "frozen")) == 1
    world.consul.acknowledged.append(Acknowledged(op, world.now))
    world.run(30)
    assert world.consul.operations[op]["state"] == "closed"
    assert CLUSTER in world.fired[-1]["tag"]
    assert world.applied() == 0


def test_who_takes_over_says_once_that_it_carries_an_operation_on() -> None:
    world = settled_world()
    world.loss = 1
    world.kill_brick("g1", "data")
    run_until(world, lambda: bool(world.consul.operations))
    (op,) = world.consul.operations
    holder = world.consul.holder
    world.engines[holder].up = False
    run_until(world, lambda: world.consul.holder not in ("", holder))
    world.run(60)
    assert [d["name"] for d in world.told("remediation", "resumed")] == [op]
