"""One run over many subjects: one look for all, phase by phase, each thing once, whoever acts."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated import T0, Died, Machine, Pool, World

from salt_gluster.errors import CommandFailed, OutcomeUnknown
from salt_gluster.minion import verify
from salt_gluster.minion.apply import converge_all
from salt_gluster.minion.goal import Goal
from salt_gluster.model import BrickPath, Facet, Observation, Plan, Step, Wait, known
from salt_gluster.plan import plan_peer, plan_volume
from salt_gluster.plan.outcome import Planner, Result
from salt_gluster.spec import BrickSpec, VolumeSpec

FOUR = ["g1", "g2", "g3", "g4"]
DEAR = {"definitions", "candidate", "prepared", "status", "heal"}


class Counted(World):
    """A node that counts its looks, the dear ones of them, and the gluster processes of all."""

    def __init__(self, pool: Pool, machine: Machine) -> None:
        super().__init__(pool, machine)
        self.processes, self.dear = 0, Counter[str]()

    def observe(self, needs: frozenset[Facet], *, fresh: bool = False) -> Observation:
        self.processes += 1
        return self._counted(super().observe(needs, fresh=fresh), needs)

    def observe_more(self, obs: Observation, needs: frozenset[Facet]) -> Observation:
        self.processes -= 1  # the simulation looks at all again
        return super().observe_more(obs, needs)

    def _counted(self, obs: Observation, needs: frozenset[Facet]) -> Observation:
        kinds = [need.kind for need in needs if need.kind in DEAR]
        self.dear.update(set(kinds))
        self.processes += len(obs.definitions) + kinds.count("status")
        return obs


def volumes(count: int, names: Sequence[str] = FOUR) -> list[VolumeSpec]:
    """Declare volumes of three bricks each, with an option, spread over the nodes."""
    return [
        VolumeSpec(
            f"v{n:02d}",
            replica=3,
            bricks=tuple(BrickSpec(names[(n + i) % len(names)], f"/bricks/v{n}") for i in range(3)),
            options={"network.ping-timeout": "20"},
        )
        for n in range(count)
    ]


def planner(spec: VolumeSpec) -> Planner:
    return lambda obs: plan_volume(spec, obs)


def of_peers(names: Sequence[str], own: str) -> list[Planner]:
    def one(name: str) -> Planner:
        return lambda obs: plan_peer(name, name, obs, nodes=names, hosts=names)

    return [one(name) for name in names if name != own]


def run(
    world: World, planners: Sequence[Planner], hosts: Sequence[str], **how: Any
) -> list[Result]:
    goals = [Goal(one) for one in planners]
    converge_all(goals, world, hosts, **how)
    return [goal.out for goal in goals]


def everywhere(
    pool: Pool, specs: Sequence[VolumeSpec], names: Sequence[str] = FOUR
) -> tuple[dict[str, Counted], dict[str, Any]]:
    """Let all nodes run the same volumes at once; return what each counted and returned."""
    worlds = {name: Counted(pool, pool.machines[name]) for name in names}

    def converge(world: World) -> list[Result]:
        goals = [Goal(planner(spec), volume=spec.name) for spec in specs]
        converge_all(goals, world, names)
        return [goal.out for goal in goals]

    return worlds, pool.time.run({n: partial(converge, w) for n, w in worlds.items()})


def sent(pool: Pool) -> Counter[tuple[str, str]]:
    return Counter((step.action, step.subject) for _, step in pool.log if step.place == "pool")


def test_one_node_invites_fifteen_one_after_another_and_reads_them_back_together() -> None:
    names = [f"g{n}" for n in range(1, 17)]
    pool = Pool(names)
    world = Counted(pool, pool.machines["g1"])
    outcomes = run(world, of_peers(names, "g1"), names)
    assert [out.error or out.plan.steps for out in outcomes] == [()] * 15
    assert sent(pool) == {("peer_probe", name): 1 for name in names[1:]}
    assert world.dear["candidate"] <= 2
    # 15 probes of half a second and one time of joining, not fifteen.
    assert pool.time.now - T0 < 15 * 0.7 + 10


@given(st.integers(0, 2**32))
def test_many_volumes_are_made_by_many_nodes_each_thing_once(seed: int) -> None:
    pool, specs = Pool(FOUR, seed, together=True), volumes(4)
    _, outcomes = everywhere(pool, specs)
    wanted = {(a, s.name) for a in ("volume_create", "options_set", "volume_start") for s in specs}
    assert dict(sent(pool)) == dict.fromkeys(wanted, 1)
    assert pool.needless == []
    for several in outcomes.values():
        assert [(o.error, o.refused, o.plan.steps) for o in several] == [(None, False, ())] * 4
    told = sorted((n, s.text) for n, several in outcomes.items() for o in several for s in o.done)
    assert told == sorted((n, s.text) for n, s in pool.log)
    assert len({node for node, _ in pool.log}) > 1


def test_looks_grow_with_a_nodes_own_changes_and_not_with_the_pools() -> None:
    def most(count: int) -> int:
        pool = Pool(FOUR, together=True)
        worlds, _ = everywhere(pool, volumes(count))
        return max(world.dear["definitions"] for world in worlds.values())

    few, many = most(4), most(32)
    assert many <= few + 6


def test_what_a_node_asks_grows_with_its_own_changes_and_not_with_the_pool() -> None:
    nodes, count = (300, 200) if os.environ.get("HYPOTHESIS_PROFILE") == "long" else (36, 24)
    names = [f"g{n}" for n in range(1, nodes + 1)]
    pool = Pool(names, together=True)
    worlds, outcomes = everywhere(pool, volumes(count, names), names)
    assert all(o.error is None and o.plan.is_empty for row in outcomes.values() for o in row)
    own = Counter(node for node, _ in pool.log)
    assert sum(own.values()) == 3 * count + len(pool.needless)
    for name, world in worlds.items():
        # One round of looks; each change is seen, read back from MOST_ASKED members, and shown.
        assert world.processes <= (8 if not own[name] else 20 + 8 * 10 + 3 * own[name]), name
        assert world.dear["prepared"] <= 2, name


def test_who_waits_for_the_ports_of_bricks_asks_the_members_once() -> None:
    pool = Pool(FOUR, together=True)
    pool.bricks_never_up = True
    world = Counted(pool, pool.machines["g1"])
    outcomes = run(world, [planner(s) for s in volumes(3)], FOUR, addressed=True)
    assert [str(o.error).count("not every brick is up") for o in outcomes] == [1] * 3
    assert pool.time.now - T0 < 30, "each of them was waited for by itself"
    assert world.dear["status"] > 20
    assert world.dear["definitions"] <= 5 + 3  # once more for each at its end


@pytest.mark.parametrize("status", ["Created", "Started"])
def test_members_agree_on_a_start_only_when_it_shows(status: str) -> None:
    pool, spec = Pool(FOUR, together=True), volumes(1)[0]
    run(pool.world("g1"), [planner(spec)], FOUR, addressed=True)
    step = pool.log[-1][1]
    obs = pool.world("g1").observe(verify.facets(step))
    here = replace(known(obs.volumes)[spec.name], status=status)
    digests = {uuid: {spec.name: here.digest()} for uuid in obs.definitions}
    obs = replace(obs, volumes={spec.name: here}, definitions=digests)
    assert verify.is_agreed(obs, step) is (status == "Started")


def test_who_does_not_act_asks_no_other_node_and_no_master() -> None:
    pool, specs = Pool(FOUR, together=True), volumes(1)
    worlds, outcomes = everywhere(pool, specs)
    actors = {node for node, _ in pool.log}
    assert len(actors) == 1
    assert {name for name, world in worlds.items() if world.dear} == actors
    assert all(out.by_others for name in set(FOUR) - actors for out in outcomes[name])


@given(st.integers(0, 2**32), st.integers(0, 5))
def test_an_actor_that_dies_is_followed_by_another(seed: int, after: int) -> None:
    pool, specs = Pool(FOUR, seed, together=True), volumes(4)
    died: list[str] = []

    def die(node: str, step: Step, carry_out: Callable[[], None]) -> None:
        if not died and len(pool.log) == after:
            died.append(node)
            raise Died
        carry_out()

    pool.fault = die
    _, outcomes = everywhere(pool, specs)
    assert len(died) == 1
    # Order saves collisions but cannot forbid them: a `set` may meet the same `set`.
    assert len(pool.needless) <= 1 and {s.action for s in pool.needless} <= {"options_set"}
    assert sum(sent(pool).values()) == 3 * len(specs) + len(pool.needless)
    for name in set(FOUR) - set(died):
        assert [(o.error, o.plan.is_empty) for o in outcomes[name]] == [(None, True)] * 4


def test_a_created_volume_is_started_though_an_option_is_refused_and_the_run_fails() -> None:
    pool = Pool(FOUR, together=True)
    (spec,) = volumes(1)

    def fault(node: str, step: Step, carry_out: Callable[[], None]) -> None:
        if step.action == "options_set":
            raise CommandFailed("option : x does not exist", kind="unknown_option")
        carry_out()

    pool.fault = fault
    (result,) = run(pool.world("g1"), [planner(spec)], FOUR, addressed=True, wait_s=5)
    assert result.error is not None and "does not exist" in str(result.error)
    assert [step.action for step in result.done] == ["volume_create", "volume_start"]
    assert [step.action for step in result.plan.steps] == ["options_set"], "left to be done"


def test_what_one_volume_waits_for_and_what_fails_holds_up_no_other() -> None:
    pool = Pool(FOUR, together=True)
    pool.prepared_all = False
    good, waits, fails = volumes(3)
    waits = replace(waits, bricks=(*waits.bricks[:2], BrickSpec("g4", "/not/there")))
    for spec in (good, waits, fails):
        for brick in spec.bricks:
            if brick.path != "/not/there":
                look = frozenset({Facet("path", brick.path)})
                here = pool.observe(pool.machines[brick.node], look).paths[brick.path]
                pool.machines[brick.node].paths[brick.path] = replace(here, exists=True)

    def fault(node: str, step: Step, carry_out: Callable[[], None]) -> None:
        if step.subject == fails.name:
            raise CommandFailed("Staging failed on g3", kind="other")
        carry_out()

    pool.fault = fault
    world = pool.world("g1")
    first, second, third = run(
        world, [planner(s) for s in (good, waits, fails)], FOUR, addressed=True, wait_s=5
    )
    assert first.plan.is_empty and len(first.done) == 3
    assert [w.node for w in second.plan.waits] == ["g4"] and second.error is None
    assert third.error is not None and third.done == []


@given(st.integers(0, 2**32))
def test_who_took_over_in_vain_goes_back_to_waiting_when_others_move(seed: int) -> None:
    """All nodes wait longer than they watch (a pool cut in two), then all could go on at once."""
    pool, specs = Pool(FOUR, seed, together=True), volumes(2)
    whole_at = T0 + 9

    def until_whole(spec: VolumeSpec) -> Planner:
        def plan(obs: Observation) -> Plan:
            waits = (Wait("g4", "is cut off"),) if pool.time.now < whole_at else ()
            return replace(plan_volume(spec, obs), waits=waits)

        return plan

    jobs = {n: partial(run, pool.world(n), [*map(until_whole, specs)], FOUR) for n in FOUR}
    outcomes = pool.time.run(jobs)
    assert [o.error for several in outcomes.values() for o in several] == [None] * 8
    assert {step for step, times in sent(pool).items() if times > 1} == set()


def test_what_waits_here_is_looked_at_soon_however_busy_the_others_are() -> None:
    """For 20 s others change what is theirs; g1 waits for one word, then has a create."""
    pool = Pool(FOUR, together=True)
    spec = VolumeSpec("own", bricks=(BrickSpec("g1", "/bricks/own"),))
    created: list[float] = []

    def until_said(obs: Observation) -> Plan:
        waits = (Wait("g2", "has not said that its brick fits"),) if obs.now < T0 + 2 else ()
        return replace(plan_volume(spec, obs), waits=waits)

    def others() -> None:
        for n in range(40):
            pool.time.pass_(0.5)
            pool.touched["other"] = n

    def fault(node: str, step: Step, carry_out: Callable[[], None]) -> None:
        created.append(pool.time.now)
        carry_out()

    pool.fault = fault
    pool.time.run({"g1": partial(run, pool.world("g1"), [until_said], FOUR), "g2": others})
    assert created and created[0] - T0 < 6


@given(st.integers(0, 2**32))
def test_while_a_third_node_is_waited_for_nobody_takes_the_create_over(seed: int) -> None:
    """Its actor waits for g3, which says late that its brick fits; the others see that too."""
    pool, spec = Pool(FOUR, seed, together=True), volumes(1)[0]
    pool.prepared_all = False
    for name in ("g1", "g2"):
        pool.machines[name].paths["/bricks/v0"] = BrickPath("/bricks/v0", True, True, "/bricks")

    def late() -> list[Result]:
        pool.time.pass_(20)
        pool.machines["g3"].paths["/bricks/v0"] = BrickPath("/bricks/v0", True, True, "/bricks")
        return run(pool.world("g3"), [planner(spec)], FOUR)

    jobs = {n: partial(run, pool.world(n), [planner(spec)], FOUR) for n in FOUR}
    outcomes = pool.time.run({**jobs, "g3": late})
    assert [(o.error, o.plan.is_empty) for row in outcomes.values() for o in row] == [
        (None, True)
    ] * 4
    assert Counter(step.action for _, step in pool.asked)["volume_create"] == 1


def test_a_long_run_tells_how_far_it_is_and_for_whom_it_waits() -> None:
    pool = Pool(FOUR, together=True)
    pool.prepared_all = False
    spec = volumes(1)[0]
    run(pool.world("g1"), [planner(spec)], FOUR, addressed=True, wait_s=40)
    assert len(pool.told) == 2  # after 15 s and 30 s
    assert all(node == "g1" and "0 steps done" in text for node, text in pool.told)
    assert all("waits for g" in text and "/bricks/v0" in text for _, text in pool.told)
    quick = Pool(FOUR, together=True)
    run(quick.world("g1"), [planner(spec)], FOUR, addressed=True)
    assert quick.log and quick.told == []


def test_after_a_change_was_cut_off_nothing_else_is_begun() -> None:
    """Its lock may live for 180 s more, and who comes next hangs, too (facts.md#G-0.4)."""
    pool, specs = Pool(FOUR, together=True), volumes(3)

    def fault(node: str, step: Step, carry_out: Callable[[], None]) -> None:
        raise OutcomeUnknown("timed out", kind="timeout")

    pool.fault = fault
    outcomes = run(pool.world("g1"), [planner(s) for s in specs], FOUR, addressed=True)
    assert len(pool.asked) == 1
    assert outcomes[0].unknown_step is not None
    kinds = [out.error.kind if out.error else "" for out in outcomes]
    assert kinds == ["timeout", "not_begun", "not_begun"]


def test_each_goal_tells_its_end_before_the_run_is_over() -> None:
    """A node announces its bricks while it waits for others."""
    pool, ended = Pool(FOUR, together=True), list[float]()
    spec, late = volumes(2)
    pool.prepared_all = False
    goals = [
        Goal(planner(replace(spec, options={})), on_end=lambda _: ended.append(pool.time.now)),
        Goal(planner(late), on_end=lambda _: ended.append(pool.time.now)),
    ]
    for brick in spec.bricks:
        here = pool.observe(pool.machines[brick.node], frozenset({Facet("path", brick.path)}))
        pool.machines[brick.node].paths[brick.path] = replace(here.paths[brick.path], exists=True)
    converge_all(goals, pool.world("g1"), FOUR, addressed=True, wait_s=10)
    assert ended[1] - ended[0] > 5
