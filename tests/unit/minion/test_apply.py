"""The executor over a simulated pool in virtual time: races, faults, patience, honesty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated import T0, Died, Pool, World

from salt_gluster.errors import AlreadyExists, CommandFailed, Conflict, OutcomeUnknown
from salt_gluster.minion.apply import converge, dry_run
from salt_gluster.minion.run import ROUNDS
from salt_gluster.model import Brick, Facet, Hold, Observation, Plan, Step, Unknown, Volume
from salt_gluster.plan import plan_brick, plan_own_membership, plan_peer, plan_started, plan_volume
from salt_gluster.plan.actions import SET_BY_CREATE, SET_BY_CREATE_REPLICATE
from salt_gluster.plan.outcome import Planner, Result
from salt_gluster.render import state_return
from salt_gluster.spec import BrickSpec, VolumeSpec

NAMES = ["g1", "g2", "g3", "g4"]
PATH = "/bricks/data"
SPEC = VolumeSpec(
    "data",
    replica=2,
    bricks=tuple(BrickSpec(n, PATH) for n in NAMES),
    options={"network.ping-timeout": "20", "performance.cache-size": "64MB"},
)


def volume_planner(spec: VolumeSpec = SPEC) -> Planner:
    return lambda obs: plan_volume(spec, obs)


def peer_planner(name: str) -> Planner:
    return lambda obs: plan_peer(name, name, obs, nodes=NAMES, hosts=NAMES)


def whole_job(pool: Pool, name: str) -> Callable[[], list[Result]]:
    """What a highstate does on one node: brick, members, own membership, volume."""
    world = pool.world(name)
    planners: list[Planner] = [lambda obs: plan_brick(PATH, obs)]
    planners += [peer_planner(n) for n in NAMES if n != name]
    planners.append(lambda obs: plan_own_membership(obs, nodes=NAMES, hosts=NAMES))
    planners.append(volume_planner())
    return lambda: [converge(p, world, NAMES) for p in planners]


def live(pool: Pool, *, status: str = "Started", **fields: Any) -> Volume:
    """Put the declared volume, with other fields, into a pool whose nodes are together."""
    bricks = tuple(Brick(n, PATH, pool.machines[n].uuid) for n in NAMES)
    options = {**SET_BY_CREATE, **SET_BY_CREATE_REPLICATE, **SPEC.options}
    volume = Volume("data", "id-0", status, "replicate", bricks, 2, 2, options=options)
    volume = replace(volume, **fields)
    pool.volumes[0]["data"] = volume
    for name in NAMES:
        here = pool.world(name).pool.observe(pool.machines[name], frozenset({Facet("path", PATH)}))
        pool.machines[name].paths[PATH] = replace(here.paths[PATH], exists=True)
    return volume


def together(seed: int = 0) -> Pool:
    pool = Pool(NAMES, seed, together=True)
    for machine in pool.machines.values():
        machine.paths[PATH] = _ready(pool)
    return pool


def _ready(pool: Pool) -> Any:
    missing = pool.observe(pool.machines["g1"], frozenset({Facet("path", PATH)})).paths[PATH]
    return replace(missing, exists=True)


def steps_of(pool: Pool, action: str = "") -> list[str]:
    return [s.action for _, s in pool.log if s.place == "pool" and action in s.action]


# --- many nodes at once --------------------------------------------------------------------------


@given(st.integers(0, 2**32))
def test_four_nodes_from_bare_make_one_pool_and_one_volume(seed: int) -> None:
    pool = Pool(NAMES, seed)
    outcomes = pool.time.run({n: whole_job(pool, n) for n in NAMES})
    assert steps_of(pool, "volume_create") == ["volume_create"]
    assert steps_of(pool, "options_set") == ["options_set"]
    assert len({pool.home[n] for n in NAMES}) == 1
    assert pool.volume("data").is_started
    for name, several in outcomes.items():
        for out in several:
            assert (out.error, out.refused, out.plan.steps) == (None, False, ()), (name, out)
            if out.by_others and not out.done:
                assert out.changes == {}
    # Each change of the pool is reported by the node that made it, once.
    told = sorted((n, s.text) for n, several in outcomes.items() for o in several for s in o.done)
    assert told == sorted((n, s.text) for n, s in pool.log)
    assert pool.needless == []


@given(st.integers(0, 2**32), st.integers(0, 3))
def test_a_writer_that_dies_is_followed_by_the_next(seed: int, after: int) -> None:
    pool = together(seed)
    died: list[str] = []

    def die(node: str, step: Step, carry_out: Callable[[], None]) -> None:
        if not died and len(pool.log) == after:
            died.append(node)
            raise Died
        carry_out()

    pool.fault = die
    planner = volume_planner()
    outcomes = pool.time.run({n: partial(converge, planner, pool.world(n), NAMES) for n in NAMES})
    assert len(died) == (1 if after < 3 else 0)
    # Order saves collisions but cannot forbid them: a `set` may meet the same `set`.
    assert len(pool.needless) <= 1 and {s.action for s in pool.needless} <= {"options_set"}
    assert list(dict.fromkeys(steps_of(pool))) == ["volume_create", "options_set", "volume_start"]
    assert len(steps_of(pool)) == 3 + len(pool.needless)
    for name, out in outcomes.items():
        if name not in died:
            assert out.error is None and not out.refused and out.plan.is_empty


@given(st.integers(0, 2**32))
def test_two_declarations_do_not_fight_for_ever(seed: int) -> None:
    """Two pillars with another value each: the run ends, and at least one says so."""
    pool = together(seed)
    live(pool)
    specs = [replace(SPEC, options={"network.ping-timeout": v}) for v in ("30", "40")]
    writers = zip(NAMES, specs, strict=False)
    outcomes = pool.time.run(
        {n: partial(converge, volume_planner(s), pool.world(n), NAMES) for n, s in writers}
    )
    assert pool.time.now < T0 + 600
    assert len(pool.log) <= 2 * ROUNDS
    assert any(out.done for out in outcomes.values())


def test_a_changed_stamp_starts_the_wait_anew() -> None:
    pool = together()
    live(pool, status="Stopped")
    touched: list[float] = []

    def toucher() -> None:
        for _ in range(6):
            pool.time.pass_(2)
            pool.touch()
            touched.append(pool.time.now)

    world = pool.world("g2")
    out = pool.time.run({"g2": lambda: converge(volume_planner(), world, NAMES), "x": toucher})
    assert [n for n, _ in pool.log] == ["g2"] and not out["g2"].by_others
    # Rank 1 waits 3 s at least after the last change that anybody made.
    assert pool.changed_at[0] > touched[-1] + 3


def test_a_pool_that_is_changed_all_the_time_leaves_the_rest_to_the_next_run() -> None:
    pool = together()
    live(pool, status="Stopped")

    def toucher() -> None:
        for _ in range(200):
            pool.time.pass_(1)
            pool.touch()

    world = pool.world("g2")
    job = lambda: (converge(volume_planner(), world, NAMES, wait_s=20), pool.time.now)  # noqa: E731
    out, ended = pool.time.run({"g2": job, "x": toucher})["g2"]
    assert out.plan.steps and pool.log == [] and not out.by_others
    assert ended < T0 + 30


class Overtaken(World):
    """A node whose step is overtaken by another node's write, right before it would be sent."""

    def backup(self) -> None:
        super().backup()
        self.overtake()

    def overtake(self) -> None:
        self.pool.touch()
        self.at = self.pool.time.now


def test_a_value_that_was_set_a_moment_ago_is_not_sent_again() -> None:
    pool = together()
    live(pool, options={})

    class Overtaken1(Overtaken):
        def overtake(self) -> None:
            super().overtake()
            live(pool)

    out = converge(volume_planner(), Overtaken1(pool, pool.machines["g1"]), NAMES)
    assert pool.asked == [] and out.by_others and out.changes == {}


def test_who_is_overtaken_waits_for_its_turn_anew() -> None:
    pool = together()
    live(pool, status="Stopped")
    world = Overtaken(pool, pool.machines["g2"])
    out = converge(volume_planner(), world, NAMES)
    assert [s.action for s in out.done] == ["volume_start"]
    assert pool.changed_at[0] > world.at + 3


def test_a_run_that_ends_behind_others_keeps_what_gluster_answered_last() -> None:
    """Each try meets another's lock, and that one's write makes this node wait again."""
    pool = together()
    live(pool, status="Stopped")

    def locked(node: str, step: Step, carry_out: Callable[[], None]) -> None:
        pool.touch()
        raise Conflict("Another transaction is in progress", kind="locked")

    pool.fault = locked
    for name in NAMES:
        out = converge(volume_planner(), pool.world(name), NAMES, wait_s=10)
        assert out.plan.steps and not out.done
        assert "Another transaction" in str(out.last_answer), name
        ret = state_return("data", out, test=False)
        assert ret["result"] is False and "Another transaction" in ret["comment"], ret["comment"]


# --- one node, faults ----------------------------------------------------------------------------


def run_one(pool: Pool, planner: Planner | None = None, **how: Any) -> Result:
    return converge(planner or volume_planner(), pool.world("g1"), NAMES, **how)


def failing(error: Exception, *, on: str, times: int = 1, carried_out: bool = False) -> Any:
    left = [times]

    def fault(node: str, step: Step, carry_out: Callable[[], None]) -> None:
        if step.action != on or left[0] == 0:
            carry_out()
            return
        left[0] -= 1
        if carried_out:
            carry_out()
        raise error

    return fault


def test_the_forecast_is_what_the_run_reports() -> None:
    pool = together()
    told = dry_run(volume_planner(), pool.world("g1"), NAMES)
    assert pool.asked == [] and pool.copies == []
    out = run_one(pool)
    assert told.plan.changes == out.changes != {}
    assert pool.copies == ["g1"]


@pytest.mark.parametrize("wait_s", [0, 60])
def test_a_lock_is_tried_at_least_five_times(wait_s: float) -> None:
    pool = together()
    pool.fault = failing(Conflict("locked", kind="locked"), on="volume_create", times=4)
    out = run_one(pool, wait_s=wait_s)
    assert out.error is None and out.plan.is_empty
    assert pool.copies == ["g1"], "one copy before the first change, not one for every try"


def test_a_lock_that_stays_ends_in_an_error_and_not_in_a_loop() -> None:
    pool = together()
    pool.fault = failing(Conflict("locked", kind="locked"), on="volume_create", times=-1)
    out = run_one(pool)
    assert isinstance(out.error, Conflict) and out.done == []
    assert T0 + 50 < pool.time.now < T0 + 90


def test_already_exists_after_a_lost_race_is_another_nodes_work() -> None:
    pool = together()
    pool.fault = failing(
        AlreadyExists("there", kind="already_exists"), on="volume_create", carried_out=True
    )
    out = run_one(pool)
    assert out.error is None and out.by_others
    assert [s.action for s in out.done] == ["options_set", "volume_start"]
    assert "bricks" not in out.changes["data"]


def test_add_brick_refused_after_a_lost_race_is_not_claimed() -> None:
    pool = together()
    bricks = tuple(Brick(n, PATH, pool.machines[n].uuid) for n in NAMES)
    live(pool, bricks=bricks[:2], dist_count=1)
    pool.fault = failing(
        CommandFailed("not available", kind="brick_in_use"), on="bricks_add", carried_out=True
    )
    out = run_one(pool)
    assert out.error is None and out.by_others and out.changes == {}


def test_a_cut_off_step_stops_the_run_and_is_named_with_its_time() -> None:
    pool = together()
    pool.fault = failing(OutcomeUnknown("timed out", kind="timeout"), on="options_set")
    out = run_one(pool)
    assert out.unknown_step is not None and out.unknown_step.action == "options_set"
    assert out.unknown_at is not None and T0 < out.unknown_at <= pool.time.now
    assert isinstance(out.error, OutcomeUnknown)
    assert [s.action for s in out.done] == ["volume_create"]
    assert [s.action for _, s in pool.asked] == ["volume_create", "options_set"], "never repeated"
    assert "options" not in out.changes["data"]


def test_a_time_out_that_was_carried_out_is_reported_as_changed_and_still_stops() -> None:
    pool = together()
    pool.fault = failing(
        OutcomeUnknown("timed out", kind="timeout"), on="options_set", carried_out=True
    )
    out = run_one(pool)
    assert out.unknown_step is not None
    assert out.changes["data"]["options"]["network.ping-timeout"]["new"] == "20"


@pytest.mark.parametrize(
    "error",
    [OutcomeUnknown("Commit failed on g3", kind="partial"), CommandFailed("-1/107", kind="other")],
)
def test_an_error_that_was_carried_out_is_reported_as_a_change(error: Exception) -> None:
    """'stop' answered -1 and yet Stopped (facts.md#G-0.7)."""
    pool = together()
    live(pool)
    pool.fault = failing(error, on="volume_stop", carried_out=True)
    out = run_one(pool, lambda obs: plan_started("data", obs, started=False, confirm="id-0"))
    assert out.error is None and not out.by_others
    assert out.changes == {"data": {"status": {"old": "Started", "new": "Stopped"}}}


def test_a_member_that_died_inside_a_change_has_not_said_that_it_is_done() -> None:
    """'Commit failed on g3' because g3 is gone: the others agree, and g3 says nothing."""
    pool = together()
    live(pool)
    failure = OutcomeUnknown("Commit failed on g3", kind="partial")
    fail = failing(failure, on="volume_stop", carried_out=True)

    def fault(node: str, step: Step, carry_out: Callable[[], None]) -> None:
        pool.machines["g3"].away = True
        fail(node, step, carry_out)

    pool.fault = fault
    out = run_one(pool, lambda obs: plan_started("data", obs, started=False, confirm="id-0"))
    assert out.unknown_step is not None and out.error is not None
    assert out.changes == {"data": {"status": {"old": "Started", "new": "Stopped"}}}


def test_an_error_carried_out_on_some_nodes_only_is_an_error() -> None:
    pool = together()
    pool.other_tales["g3"] = {"data": live(pool).digest()}
    pool.fault = failing(CommandFailed("-1/107", kind="other"), on="volume_stop", carried_out=True)
    out = run_one(pool, lambda obs: plan_started("data", obs, started=False, confirm="id-0"))
    assert out.changes == {"data": {"status": {"old": "Started", "new": "Stopped"}}}
    assert out.error is not None and out.error.kind == "not_done"
    assert not out.by_others


def test_a_create_that_did_nothing_is_not_believed_and_not_repeated() -> None:
    pool = together()
    pool.fault = lambda node, step, carry_out: None
    out = run_one(pool)
    assert out.error is not None and out.error.kind == "not_done"
    assert (out.done, out.changes) == ([], {})
    assert len(pool.asked) == 1


def test_three_rounds_without_progress_end_the_run() -> None:
    pool = together()
    live(pool, status="Stopped")
    pool.fault = lambda node, step, carry_out: None
    out = run_one(pool)
    assert out.error is not None and out.error.kind == "not_done"
    assert len(pool.asked) == ROUNDS
    assert (out.done, out.changes, out.by_others) == ([], {}, False)


def test_a_start_whose_bricks_stay_down_is_a_change_and_an_error() -> None:
    """``start`` answers 0 with bricks that never come up (facts.md#G-0.10)."""
    pool = together()
    live(pool, status="Stopped")
    pool.bricks_never_up = True
    out = run_one(pool)
    assert out.changes == {"data": {"status": {"old": "Stopped", "new": "Started"}}}
    assert out.error is not None and "not every brick is up" in str(out.error)
    assert not out.by_others


def test_a_step_that_is_undone_again_and_again_ends_the_run() -> None:
    pool = together()
    live(pool, options={})

    def undo(node: str, step: Step, carry_out: Callable[[], None]) -> None:
        carry_out()

    pool.fault = undo
    world = pool.world("g1")
    spec = replace(SPEC, options={"network.ping-timeout": "9"})

    def stubborn(obs: Observation) -> Plan:
        plan = plan_volume(spec, obs)
        return plan if plan.steps else plan_volume(replace(spec, options={"user.a": "1"}), obs)

    def forgetful(node: str, step: Step, carry_out: Callable[[], None]) -> None:
        carry_out()
        if "user.a" in step.args["options"]:
            pool.volumes[0]["data"] = replace(pool.volume("data"), options={})

    pool.fault = forgetful
    out = converge(stubborn, world, NAMES)
    assert out.error is not None and out.error.kind == "not_done"
    assert len(pool.asked) <= 2 * ROUNDS + 1


@pytest.mark.parametrize(
    "hold", [Hold("moving house", "ann"), Unknown("no permission")], ids=["set", "unreadable"]
)
def test_a_hold_refuses_with_nothing_performed(hold: Any) -> None:
    pool = together()
    pool.machines["g1"].hold = hold
    out = run_one(pool)
    assert out.refused and pool.asked == [] and pool.copies == []
    assert [r.name for r in out.plan.refusals] == ["not_held"]
    assert run_one(pool, accept=["not_held"], expect_id=out.plan.id).plan.is_empty


@pytest.mark.parametrize("mute", [True, False], ids=["cut off but Connected", "Disconnected"])
def test_a_node_that_is_away_refuses_after_a_blink_with_nothing_performed(mute: bool) -> None:
    pool = together()
    pool.machines["g3"].answers, pool.machines["g3"].away = not mute, not mute
    out = run_one(pool)
    assert out.refused and pool.asked == []
    assert {r.name for r in out.plan.refusals} == {"pool_whole"}
    assert T0 + 4 < pool.time.now < T0 + 17  # two watches, and a blink of 5 s


def test_a_node_that_blinks_does_not_refuse() -> None:
    pool = together()
    pool.machines["g3"].away = True

    def back() -> None:
        pool.time.pass_(3)
        pool.machines["g3"].away = False

    out = pool.time.run({"g1": lambda: run_one(pool), "x": back})["g1"]
    assert not out.refused and out.plan.is_empty


def test_a_wait_for_another_node_ends_with_the_rest_left() -> None:
    pool = together()
    pool.prepared_all = False
    pool.machines["g3"].paths.clear()
    out = run_one(pool, wait_s=15)
    assert not out.refused and out.error is None and pool.asked == []
    assert [(w.node, w.what) for w in out.plan.waits] == [("g3", f"has not prepared {PATH} yet")]
    assert out.plan.steps and not out.by_others
    assert T0 + 15 <= pool.time.now < T0 + 26


def test_a_pool_of_strangers_is_not_written_to_however_late_that_shows() -> None:
    """The declared hosts are compared in the look that is acted on."""
    pool = together()
    declared = ["h1", "h2"]
    assert dry_run(volume_planner(), pool.world("g1"), declared).refused
    out = converge(volume_planner(), pool.world("g1"), declared)
    assert out.refused and pool.asked == []
    assert [r.name for r in out.plan.refusals] == ["right_pool"]


def test_another_plan_than_the_accepted_one_is_not_carried_out() -> None:
    pool = together()
    out = run_one(pool, expect_id="ffffffff")
    assert out.refused and pool.asked == []
    assert [r.name for r in out.plan.refusals] == ["other_plan"]


def test_what_was_accepted_holds_for_that_plan_and_no_other() -> None:
    """A person accepts to set an option in spite of a hold; meanwhile somebody stops the volume."""
    pool = together()
    live(pool, options={})
    pool.machines["g1"].hold = Hold("x")
    first = dry_run(volume_planner(), pool.world("g1"), NAMES)

    def stopped(node: str, step: Step, carry_out: Callable[[], None]) -> None:
        carry_out()
        pool.volumes[0]["data"] = replace(pool.volume("data"), status="Stopped")

    pool.fault = stopped
    out = run_one(pool, accept=["not_held"], expect_id=first.plan.id)
    assert [s.action for _, s in pool.asked] == ["options_set"]
    assert out.refused and "other_plan" in {r.name for r in out.plan.refusals}


def test_what_was_seen_before_the_job_lock_is_not_acted_on() -> None:
    pool = together()
    pool.machines["g1"].paths.clear()
    world = pool.world("g1")

    class Late(type(world)):  # type: ignore[misc]
        def node_lock(self) -> Any:
            pool.machines["g1"].paths[PATH] = _ready(pool)
            return super().node_lock()

    late = Late(pool, pool.machines["g1"])
    converge(lambda obs: plan_brick(PATH, obs), late, NAMES)
    assert pool.asked == []


def test_a_glusterd_that_dies_in_the_middle_keeps_what_was_done() -> None:
    pool = together()

    class Dying(type(pool.world("g1"))):  # type: ignore[misc]
        def observe(self, needs: frozenset[Facet], *, fresh: bool = False) -> Observation:
            obs = super().observe(needs, fresh=fresh)
            dead = Unknown("Connection failed")
            return replace(obs, peers=dead, volumes=dead) if len(pool.log) > 1 else obs

    out = converge(volume_planner(), Dying(pool, pool.machines["g1"]), NAMES)
    assert [s.action for s in out.done] == ["volume_create"]
    assert out.changes["data"]["bricks"]["new"] == [f"{n}:{PATH}" for n in NAMES]
    assert out.refused and out.plan.refusals[0].name == "pool_unknown"
