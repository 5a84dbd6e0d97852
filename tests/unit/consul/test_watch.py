"""The watch loop against a scripted Consul under a virtual clock."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from salt_gluster.consul.client import Reply
from salt_gluster.consul.watch import AT_ONCE, FULL_EVERY_S, GAP_S, BlockingWatch
from salt_gluster.errors import ConsulError


class World:
    """A clock, and a server whose value changes at given times; an index past it just waits."""

    def __init__(self, history: list[tuple[float, int, str]]) -> None:
        self.now = 0.0
        self.history = history  # (from when, index, value)
        self.asked: list[tuple[float, int]] = []
        self.down: list[tuple[float, float]] = []
        self.noise: Callable[[float], int] = lambda now: 0  # index moves, value does not

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def at(self, when: float) -> tuple[int, str]:
        index, value = next((i, v) for t, i, v in reversed(self.history) if t <= when)
        return index + self.noise(when), value

    def query(self, index: int, wait_s: float) -> Reply[Any]:
        self.asked.append((self.now, index))
        if any(begin <= self.now < end for begin, end in self.down):
            raise ConsulError("no agent", kind="unreachable")
        end = self.now + wait_s
        while index and self.at(self.now)[0] <= index and self.now < end:
            self.now = min(end, math.floor(self.now * 100 + 1.0001) / 100)  # a change may come
        told, value = self.at(self.now)
        return Reply(value, told, value)


class Told:
    def __init__(self, world: World) -> None:
        self.world = world
        self.changes: list[tuple[float, str]] = []
        self.regressions: list[tuple[int, int]] = []
        self.errors: list[float] = []

    def changed(self, reply: Reply[Any]) -> None:
        self.changes.append((round(self.world.now, 2), reply.data))

    def regressed(self, before: int, now: int) -> None:
        self.regressions.append((before, now))

    def failed(self, error: ConsulError) -> None:
        self.errors.append(self.world.now)


def watched(
    world: World, until: float, wait_s: float = 10, longest_gap_s: float = GAP_S
) -> tuple[Told, BlockingWatch]:
    told = Told(world)
    chance = random.Random(1).random
    watch = BlockingWatch(
        world.query,
        wait_s,
        told,
        clock=world.clock,
        sleep=world.sleep,
        chance=chance,
        longest_gap_s=longest_gap_s,
    )
    while world.now < until:
        world.sleep(watch.step())
    return told, watch


def test_the_first_read_has_no_index_and_a_change_is_told_once() -> None:
    world = World([(0, 5, "a"), (3.3, 9, "b")])
    told, _ = watched(world, 60)
    assert world.asked[0] == (0.0, 0)
    assert told.changes == [(0.0, "a"), (3.3, "b")]
    assert all(index >= 1 for _, index in world.asked[1:])
    assert len(world.asked) < 12


def test_a_wake_without_a_change_is_dropped() -> None:
    world = World([(0, 5, "a")])
    world.noise = lambda now: int(now)
    told, watch = watched(world, 30)
    assert told.changes == [(0.0, "a")]
    assert watch.fetches > 25


def test_a_storm_of_wakes_costs_at_most_ten_fetches_a_second() -> None:
    world = World([(0, 5, "a")])
    world.noise = lambda now: int(now * 100)
    _, watch = watched(world, 20)
    assert 100 < watch.fetches <= 201
    gaps = [b[0] - a[0] for a, b in pairwise(world.asked)]
    assert min(gaps) >= 0.0999
    assert max(gaps) - min(gaps) > 0.01  # dithered: many watchers must not march in step


class Flooded(World):
    """A value that another one changes as often as it likes, in spans of the time."""

    def __init__(self, *spans: tuple[float, float], every_s: float = 0.01) -> None:
        super().__init__([])
        self.spans, self.every_s = spans, every_s

    def at(self, when: float) -> tuple[int, str]:
        written = 5
        for begin, end in self.spans:
            written += max(0, int((min(when, end) - begin) / self.every_s + 1e-6))
        return written, str(written)


def test_what_is_changed_without_end_is_looked_at_ever_more_seldom() -> None:
    """A node that raises ``rev`` kept the leader reading all submissions, ten times a second."""
    told, watch = watched(Flooded((0.0, 3600.0)), 3600, longest_gap_s=10.0)
    times = [at for at, _ in told.changes]
    assert len([at for at in times if at < 60]) <= AT_ONCE + 14
    assert all(b - a >= 10.0 for a, b in pairwise(times[AT_ONCE + 10 :]))
    assert watch.fetches < AT_ONCE + 10 + 360


@pytest.mark.parametrize("every_s", [0.5, 5.0, 9.0])
def test_nor_is_one_that_goes_slower_about_it(every_s: float) -> None:
    told, _ = watched(Flooded((0.0, 3600.0), every_s=every_s), 3600, longest_gap_s=10.0)
    late = [at for at, _ in told.changes if at > 600]
    assert len(late) <= 301
    assert all(b - a >= 10.0 for a, b in pairwise(late))


def test_after_a_quiet_time_a_change_is_seen_at_once_again_and_the_last_one_never_late() -> None:
    told, _ = watched(Flooded((0.0, 60.0), (90.0, 90.5)), 120, longest_gap_s=10.0)
    flood = [at for at, _ in told.changes if at <= 75]
    assert 60.0 <= flood[-1] <= 70.1, "the last word of a flood is looked at when the gap is over"
    assert told.changes[-1][1] == str(5 + 6000 + 50)
    later = [at for at, _ in told.changes if at > 75]
    assert later[0] <= 90.1
    assert later[-1] <= 91


def test_what_comes_now_and_then_is_always_seen_at_once() -> None:
    told, _ = watched(Flooded((0.0, 1200.0), every_s=30.0), 1200, longest_gap_s=10.0)
    assert all(at % 30 < 0.3 for at, _ in told.changes)
    assert len(told.changes) >= 39


def test_index_zero_is_never_waited_on() -> None:
    """An index of 0 in the answer would make the next query answer at once, for ever."""
    world = World([(0, 0, "a")])
    _, watch = watched(world, 30)
    assert [index for _, index in world.asked[1:]] == [1] * (watch.fetches - 1)
    assert watch.fetches < 6


def test_an_index_that_went_back_gives_a_full_read_and_the_value_before_it_is_not_believed() -> (
    None
):
    world = World([(0, 100, "a"), (4, 40, "b")])
    told, _ = watched(world, 30)
    assert told.regressions == [(100, 40)]
    after = world.asked.index(next(a for a in world.asked[1:] if a[1] == 0))
    assert world.asked[after + 1][1] == 40
    assert told.changes[-1][1] == "b"
    assert told.changes[-1][0] <= 10.2  # bounded by the wait: Consul sleeps on a future index


def test_a_restored_value_that_equals_the_last_one_is_told_again() -> None:
    world = World([(0, 100, "a"), (4, 40, "a")])
    told, _ = watched(world, 30)
    assert [v for _, v in told.changes] == ["a", "a"]


def test_errors_back_off_to_ten_seconds_and_recovery_is_seen() -> None:
    world = World([(0, 5, "a"), (100, 9, "b")])
    world.down = [(1, 101)]
    told, watch = watched(world, 140)
    assert watch.seen_at is not None
    assert watch.seen_at > 101
    gaps = [b - a for a, b in pairwise(told.errors)]
    assert gaps[0] < 1
    assert max(gaps) <= 10
    assert gaps[-1] >= 5
    assert len(told.errors) < 25
    assert told.changes[-1][1] == "b"


def test_the_back_off_begins_small_again_after_an_answer() -> None:
    world = World([(0, 5, "a")])
    world.down = [(1, 60), (80, 95)]
    told, _ = watched(world, 100)
    second = [t for t in told.errors if t >= 80]
    assert second[1] - second[0] <= 0.5


def test_every_five_minutes_all_is_read_without_an_index() -> None:
    world = World([(0, 5, "a")])
    watched(world, 1000)
    full = [now for now, index in world.asked if index == 0]
    assert len(full) == 4
    gaps = [b - a for a, b in pairwise(full)]
    assert all(FULL_EVERY_S <= gap < FULL_EVERY_S + 11 for gap in gaps)


def test_a_full_read_is_no_change_but_one_asked_for_is_told() -> None:
    world = World([(0, 5, "a")])
    told, watch = watched(world, 400)
    assert len(told.changes) == 1
    watch.reread()
    watch.step()
    assert world.asked[-1][1] == 0
    assert len(told.changes) == 2


def test_a_watch_without_a_wait_is_refused() -> None:
    world = World([(0, 5, "a")])
    with pytest.raises(ValueError, match="wait"):
        BlockingWatch(world.query, 0, Told(world))


def test_stopping_ends_a_thread_that_waits_for_an_answer() -> None:
    import threading
    import time

    cut = threading.Event()

    def query(index: int, wait_s: float) -> Reply[Any]:
        if not index:
            return Reply("a", 5, "a")
        if cut.wait(30):
            raise ConsulError("cut", kind="cut_off")
        raise AssertionError("nobody cut it short")

    told = Told(World([(0, 5, "a")]))
    watch = BlockingWatch(query, 30, told, wake=cut.set)
    thread = threading.Thread(target=watch.run)
    thread.start()
    while watch.fetches < 2:
        time.sleep(0.01)
    watch.stop()
    thread.join(5)
    assert not thread.is_alive()
    assert told.errors == []
