"""Highstates one after another (``salt -b 1``): the last host of a volume makes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from test_impossible_volume import (
    THREE,
    Bricks,
    Speaking,
    declared,
    is_made,
    one_run,
    put,
    text,
)

from salt_gluster.minion.brick_announcements import KEEP_S, REPEAT_S
from salt_gluster.plan.fitness import READY_S
from salt_gluster.spec import PoolSpec


def round_of(
    pool: Bricks, spec: PoolSpec, order: Sequence[str], between: Callable[[str], None]
) -> dict[str, Any]:
    """Let each node run alone, and its minion's schedule with it; ``between`` is after each."""
    over: list[str] = []

    def batch() -> dict[str, Any]:
        found = {}
        for name in order:
            found[name] = one_run(pool, spec, name)
            between(name)
        over.append("")
        return found

    def schedule(name: str) -> None:
        while not over:
            pool.time.pass_(REPEAT_S)
            if pool.mine.scheduled.get(name):
                Speaking(pool, name, {n: n for n in spec.nodes}).announcer.say_again()

    jobs: dict[str, Callable[[], Any]] = {n: partial(schedule, n) for n in order}
    found: dict[str, Any] = pool.time.run({**jobs, "batch": batch})["batch"]
    return found


@given(st.integers(0, 2**32), st.permutations(THREE), st.sampled_from([1, 2 * READY_S]))
def test_the_last_host_of_a_volume_makes_it(seed: int, order: list[str], pause_s: int) -> None:
    pool, spec = Bricks(THREE, seed), declared()
    found = round_of(pool, spec, order, lambda name: pool.time.pass_(pause_s))
    for at, name in enumerate(order[:-1]):  # each names who has not run
        said = text(found[name][1])
        assert "NOT DONE" in said and not found[name][1].plan.is_empty, said
        assert {w.node for w in found[name][1].plan.waits} == set(order[at + 1 :]), said
    assert found[order[-1]][1].plan.is_empty
    assert len(pool.sent) == 1 and is_made(pool)
    again = round_of(pool, spec, order, lambda name: None)
    assert all(out.plan.is_empty and not out.done for outs in again.values() for out in outs)
    assert len(pool.sent) == 1
    assert not any(pool.mine.scheduled.values())  # nothing is left to be said


@given(st.integers(0, 2**32))
def test_a_disk_that_goes_between_two_runs_is_told_by_its_node(seed: int) -> None:
    pool, spec = Bricks(THREE, seed), declared()

    def between(name: str) -> None:
        if name == "g1":
            put(pool, spec, "g1", unmounted="/srv")
        pool.time.pass_(2 * READY_S)

    found = round_of(pool, spec, THREE, between)
    assert pool.sent == [] and not is_made(pool)
    assert found["g3"][1].refused and "g1 says: " in text(found["g3"][1])


def test_nothing_is_said_for_ever() -> None:
    pool, spec = Bricks(THREE, 1), declared()
    round_of(pool, spec, ["g1"], lambda name: pool.time.pass_(KEEP_S + 3 * REPEAT_S))
    assert pool.mine.scheduled == {"g1": False}
