"""A plan is kept while nothing moves that it rests on: it is the plan that would be made anew."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salt_gluster.minion.converge import volume_planner
from salt_gluster.minion.goal import Goal
from salt_gluster.model import (
    AnnouncedBrick,
    Announcement,
    BrickPath,
    Candidate,
    Node,
    Observation,
    Peer,
    Plan,
    Prepared,
    Unknown,
    Volume,
    is_known,
)
from salt_gluster.plan.actions import simulate
from salt_gluster.plan.actor import is_actor
from salt_gluster.plan.moved import what_moved
from salt_gluster.spec import parse_pool

NODES = ["g1", "g2", "g3", "g4"]
POOL = parse_pool(
    {
        "nodes": NODES,
        "volumes": {
            "written": {"replica": 3, "bricks": [f"g{n}:/b/written" for n in (1, 2, 3)]},
            "laid": {"replica": 3, "only": ["g1", "g2", "g4"], "options": {"nfs.disable": "off"}},
            "far": {"replica": 3, "bricks": [f"g{n}:/b/far" for n in (2, 3, 4)]},
            "plain": {"bricks": ["g3:/b/plain", "g1:/b/plain"], "started": False},
        },
    }
)
PLANNERS = {name: volume_planner(volume, POOL) for name, volume in POOL.volumes.items()}
PEERS = tuple(Peer(f"u{n}", (f"g{n}",), True, 3, is_self=n == 1) for n in range(1, 5))
START = Observation(1_000.0, Node("g1", (), "u1", 1.0, (), ("old",), None), PEERS, {})

Event = Callable[[random.Random, Observation], Observation]


def in_volumes(change: Callable[[random.Random, Volume], Volume | None]) -> Event:
    """Change one volume that is there, or take it away."""

    def event(rng: random.Random, obs: Observation) -> Observation:
        if not is_known(obs.volumes) or not obs.volumes:
            return obs
        name = rng.choice(sorted(obs.volumes))
        after = {**obs.volumes, name: change(rng, obs.volumes[name])}
        return replace(obs, volumes={n: v for n, v in after.items() if v is not None})

    return event


def step_of_a_plan(rng: random.Random, obs: Observation) -> Observation:
    steps = PLANNERS[rng.choice(sorted(PLANNERS))](obs).steps
    return simulate(obs, steps[0]) if steps else obs


def member_moves(rng: random.Random, obs: Observation) -> Observation:
    if not is_known(obs.peers):
        return replace(obs, peers=PEERS)
    if rng.random() < 0.2:
        return replace(obs, peers=rng.choice([PEERS[:3], PEERS[:1], Unknown("no answer")]))
    moved = replace(obs.peers[-1], connected=rng.random() < 0.5, state=rng.choice([3, 3, 4, 6]))
    return replace(obs, peers=(*obs.peers[:-1], moved))


def other_spelling(rng: random.Random, volume: Volume) -> Volume:
    """Tell a brick under a name that no member has, with or without its uuid."""
    last = replace(volume.bricks[-1], host="g4", host_uuid=rng.choice(["", "u3", "u4"]))
    return replace(volume, bricks=(*volume.bricks[:-1], last))


def path_moves(rng: random.Random, obs: Observation) -> Observation:
    path = f"/b/{rng.choice(sorted(PLANNERS))}"
    here = BrickPath(path, True, rng.random() < 0.5, "/b", is_announced=True)
    marked = replace(here, volume_id=rng.choice([None, "x"]), free=rng.choice([9, Unknown("?")]))
    return replace(obs, paths={**obs.paths, path: marked})


def hold_is_read(rng: random.Random, obs: Observation) -> Observation:
    hold = rng.choice([None, Unknown("the file cannot be read")])
    return replace(obs, node=replace(obs.node, hold=hold))


def process_ends(rng: random.Random, obs: Observation) -> Observation:
    name = rng.choice(sorted(PLANNERS))
    return replace(obs, dead={**obs.dead, name: rng.choice([(), (f"g1:/b/{name}",)])})


def word_is_heard(rng: random.Random, obs: Observation) -> Observation:
    bricks = tuple(AnnouncedBrick("", f"/b/{name}", "fs") for name in PLANNERS)
    before = obs.prepared.hosts if isinstance(obs.prepared, Prepared) else {}
    assert not isinstance(before, Unknown)
    said = {name: Announcement(obs.now, bricks) for name in NODES if rng.random() < 0.7}
    return replace(obs, prepared=Prepared({**before, **said}))


def candidate_answers(rng: random.Random, obs: Observation) -> Observation:
    told = Candidate("g4", "u4", (PEERS[3],), rng.choice([(), ("its own",)]))
    return replace(obs, candidates={"g4": told})


EVENTS: dict[str, Event] = {
    "step": step_of_a_plan,
    "member": member_moves,
    "path": path_moves,
    "hold": hold_is_read,
    "dead": process_ends,
    "word": word_is_heard,
    "candidate": candidate_answers,
    "gone": in_volumes(lambda rng, volume: None),
    "spelling": in_volumes(other_spelling),
    "broken": in_volumes(lambda rng, v: replace(v, dist_count=rng.choice([0, 1]))),
    "status": in_volumes(
        lambda rng, v: replace(v, status=rng.choice(["Created", "Started", "Stopped"]))
    ),
    "option": in_volumes(
        lambda rng, v: replace(v, options={"nfs.disable": rng.choice(["on", "off"])})
    ),
    "time": lambda rng, obs: replace(obs, now=obs.now + rng.choice([0.5, 5, 400])),
}
FACETS = ("paths", "dead", "prepared", "candidates")


class Kept:
    """The goal of each volume, and how often its planner was really asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.before: Observation | None = None
        self.goals = {n: Goal(self._counted(n), volume=n) for n in PLANNERS}

    def _counted(self, name: str) -> Callable[[Observation], Plan]:
        def planner(obs: Observation) -> Plan:
            self.asked += 1
            return PLANNERS[name](obs)

        return planner

    def look(self, obs: Observation) -> None:
        """Plan from an observation as a run does."""
        moved, self.before = what_moved(self.before, obs), obs
        for goal in self.goals.values():
            goal.note_moved(moved)
            goal.plan_from(obs, NODES, acts_for_all=False)


@pytest.mark.parametrize(
    ("event", "planned"), [("nothing", 0), ("time", 0), ("option", 1), ("member", 4)]
)
def test_only_what_rests_on_a_change_is_planned_again(event: str, planned: int) -> None:
    rng, there, kept = random.Random(1), as_declared(), Kept()
    kept.look(there)
    assert kept.asked == len(PLANNERS)
    kept.look(EVENTS[event](rng, there) if event in EVENTS else replace(there))
    assert kept.asked == len(PLANNERS) + planned


def as_declared() -> Observation:
    there = START
    for name in sorted(PLANNERS):
        for step in PLANNERS[name](there).steps:
            there = simulate(there, step)
    return there


def with_brick(obs: Observation, name: str, uuid: str) -> Observation:
    """Tell the last brick of a volume as that of host ``other``, no member's name."""
    assert is_known(obs.volumes)
    volume = obs.volumes[name]
    last = replace(volume.bricks[-1], host="other", host_uuid=uuid)
    after = replace(volume, bricks=(*volume.bricks[:-1], last))
    return replace(obs, volumes={**obs.volumes, name: after})


def without(obs: Observation, name: str) -> Observation:
    assert is_known(obs.volumes)
    return replace(obs, volumes={n: v for n, v in obs.volumes.items() if n != name})


def test_who_a_host_is_may_be_told_by_another_volume_alone() -> None:
    there, kept = with_brick(with_brick(as_declared(), "far", ""), "laid", "u4"), Kept()
    kept.look(there)
    assert not kept.goals["far"].plan.refusals
    kept.look(without(there, "laid"))
    assert [r.name for r in kept.goals["far"].plan.refusals] == ["foreign_brick"]


def test_what_is_refused_for_another_volume_is_planned_again_without_it() -> None:
    """A node alone with volumes is never invited: its volumes are named."""
    here = replace(as_declared().node, name="g2")
    there = without(replace(as_declared(), node=here, peers=PEERS[:1]), "plain")
    kept = Kept()
    kept.look(there)
    assert "far" in kept.goals["plain"].plan.refusals[0].why
    kept.look(without(there, "far"))
    assert "far" not in kept.goals["plain"].plan.refusals[0].why


def test_what_is_unknown_may_have_moved_and_ends_no_run() -> None:
    kept, there = Kept(), as_declared()
    for _ in range(2):
        kept.look(replace(there, node=replace(there.node, hold=Unknown("no right"))))
    assert kept.asked == 2 * len(PLANNERS)


def test_what_waits_is_planned_at_each_look() -> None:
    """What it waits for may be told by time alone."""
    kept, there = Kept(), replace(START, peers=PEERS[:2])
    kept.look(there)
    assert all(goal.plan.waits for goal in kept.goals.values())
    kept.look(replace(there))
    assert kept.asked == 2 * len(PLANNERS)


def test_a_word_grows_old_though_nothing_moves() -> None:
    bricks = tuple(AnnouncedBrick("", f"/b/{name}", "fs") for name in PLANNERS)
    hosts = {name: Announcement(START.now, bricks) for name in NODES}
    kept, there = Kept(), replace(START, prepared=Prepared(hosts))
    kept.look(there)
    assert not kept.goals["far"].plan.waits
    kept.look(replace(there, now=there.now + 400))
    assert len(kept.goals["far"].plan.waits) == 3


@given(st.integers(0, 2**32), st.lists(st.sampled_from(sorted(EVENTS)), max_size=25))
def test_what_is_kept_is_what_would_be_planned_anew(seed: int, events: list[str]) -> None:
    rng, there, kept = random.Random(seed), START, Kept()
    bare: dict[str, Any] = {name: getattr(START, name) for name in FACETS}
    for event in ("time", *events):
        there = EVENTS[event](rng, there)
        # A look begins without any facet and has more of them asked for.
        for obs in (replace(there, **bare), there):
            kept.look(obs)
            for name, goal in kept.goals.items():
                anew = PLANNERS[name](obs)
                assert goal.plan == anew, (event, name)
                first = anew.steps[:1]
                assert goal.is_ours == (not first or is_actor(obs, first[0], NODES))
