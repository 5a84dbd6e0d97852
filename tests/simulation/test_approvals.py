"""What ends an approval: another policy, its age, other bricks, the end of its incident."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from simguards import Story
from simstory import run_until, settled_world
from simworld import World

from salt_gluster.model import Hold
from salt_gluster.remediation import proposals
from salt_gluster.remediation.policy import Mode


def proposed() -> World:
    """Return a world in which the restart of a dead brick waits for an operator."""
    world = settled_world()
    world.policy = replace(world.policy, restart_brick=Mode.PROPOSE, approval_ends_s=900.0)
    world.kill_brick("g1", "data")
    run_until(world, lambda: bool(world.told("remediation", "proposed")))
    return world


def approved_under_a_hold() -> World:
    """Return a world in which it was approved, and a guard still says no."""
    world = proposed()
    world.consul.hold = Hold("not now")
    world.approve()
    return world.run(30)


def free(world: World, seconds: float = 400) -> World:
    world.consul.hold = None
    return world.run(seconds)


def _another_policy() -> World:
    world = approved_under_a_hold()
    world.policy = replace(world.policy, decide_twice_s=31.0)
    return free(world.run(30))


def _too_old() -> World:
    return free(approved_under_a_hold().run(900))


def _too_old_for_a_new_leader() -> World:
    """Nobody led for a while: the first look of a leader is not when it was given."""
    world = proposed()
    world.consul_down()
    world.approve()
    world.run(1000)
    world.consul_back()
    return world.run(400)


def _another_brick() -> World:
    world = approved_under_a_hold()
    world.kill_brick("g2", "data")
    return free(world.run(100))


def _over_and_again() -> World:
    """The brick comes back by itself, and dies again: that is another incident."""
    world = approved_under_a_hold()
    world.bricks["g1", "/b/data"].revive(world.now)
    world.run(100)
    world.kill_brick("g1", "data")
    return free(world.run(30))


ENDS: dict[str, Story] = {
    "another policy": _another_policy,
    "its age": _too_old,
    "its age, nobody led": _too_old_for_a_new_leader,
    "another brick": _another_brick,
    "its incident is over": _over_and_again,
}


@pytest.mark.parametrize("what", ENDS)
def test_an_approval_that_has_ended_is_not_carried_out_and_it_is_proposed_anew(what: str) -> None:
    world = ENDS[what]()
    (approved,) = world.shown
    assert world.applied() == 0
    assert world.wrong == []
    states = {i: d["state"] for i, d in world.consul.proposals.items()}
    assert states.pop(approved) == "closed"
    assert list(states.values()) == ["waiting"]
    assert world.told("remediation", "closed", approved)
    (why,) = world.consul.proposals[approved]["reasons"]
    assert why


@pytest.mark.parametrize("what", [w for w in ENDS if w != "its incident is over"])
def test_without_the_rule_it_is_carried_out(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the engine: its executor refuses another policy, and other bricks, once more."""
    monkeypatch.setattr(proposals, "why_lapsed", lambda *_: "")
    world = ENDS[what]()
    assert set(world.consul.operations) >= set(world.shown)


@pytest.mark.parametrize("mode", [Mode.OBSERVE, Mode.ACT])
def test_the_policy_of_now_decides_and_not_the_one_of_the_approval(mode: Mode) -> None:
    world = approved_under_a_hold()
    (approved,) = world.shown
    world.policy = replace(world.policy, restart_brick=mode)
    free(world.run(30))
    assert world.applied() == (mode is Mode.ACT)
    assert world.consul.proposals[approved]["state"] == "closed"
    assert approved not in world.consul.operations
    assert world.wrong == []


def _bricks(kill: Callable[[World], object]) -> list[str]:
    world = proposed()
    first = set(world.consul.proposals)
    kill(world)
    world.run(200)
    assert not first & {i for i, d in world.consul.proposals.items() if d["state"] == "waiting"}
    (waiting,) = (d for d in world.consul.proposals.values() if d["state"] == "waiting")
    return sorted(waiting["starts"])


def test_what_waits_is_shown_anew_under_another_id_when_more_would_be_started() -> None:
    """Who types the id of what was on the screen approves nothing else."""
    assert _bricks(lambda w: w.kill_brick("g2", "data")) == ["g1:/b/data", "g2:/b/data"]
