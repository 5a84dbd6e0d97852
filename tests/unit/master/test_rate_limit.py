"""A request that anybody can make costs something only so often, whoever makes it and how often."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

import pytest

from salt_gluster.master import rate_limit
from salt_gluster.master.rate_limit import RateLimit


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(rate_limit.time, "time", lambda: now[0])
    return now


def test_a_flood_goes_through_once_in_its_time(tmp_path: Path, clock: list[float]) -> None:
    limit, went = RateLimit(tmp_path), 0
    for _ in range(150):
        went += limit.begin("g1", 4.0)
        clock[0] += 0.01
    assert went == 1
    clock[0] += 4.0
    assert limit.begin("g1", 4.0)


def test_one_names_flood_stops_no_other(tmp_path: Path, clock: list[float]) -> None:
    limit = RateLimit(tmp_path)
    assert limit.begin("g1", 4.0)
    assert limit.begin("g2", 4.0)
    assert not RateLimit(tmp_path).begin("g1", 4.0), "another process is no way around"


def test_a_longer_pause_is_kept_and_a_clock_that_was_set_back_ends_it(
    tmp_path: Path, clock: list[float]
) -> None:
    limit = RateLimit(tmp_path)
    assert limit.begin("g1", 4.0)
    limit.pause("g1", 30.0)
    clock[0] += 29.0
    assert not limit.begin("g1", 4.0)
    clock[0] += 1.1
    assert limit.begin("g1", 4.0)
    clock[0] -= 86400.0
    assert limit.begin("g1", 4.0)


def test_of_many_at_once_one_goes_on(tmp_path: Path) -> None:
    limit, went, gate = RateLimit(tmp_path), [], threading.Barrier(8)

    def ask() -> None:
        gate.wait()
        went.append(limit.begin("g1", 4.0))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(went) <= 1


def test_many_names_are_no_way_around_what_all_together_may_cost(tmp_path: Path) -> None:
    """Whoever can ask in the name of every other minion has as many pauses as there are names."""
    limit, most = RateLimit(tmp_path), 0
    with contextlib.ExitStack() as under_way:
        for number in range(50):
            is_free = under_way.enter_context(RateLimit(tmp_path).slot(4))
            most += is_free and limit.begin(f"g{number}", 4.0)
    assert most == 4
    with limit.slot(4) as is_free:
        assert is_free, "who has ended makes room"


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b", "\u00e4" * 300, ""])
def test_no_name_is_a_path(tmp_path: Path, name: str) -> None:
    assert RateLimit(tmp_path / "in").begin(name, 4.0)
    assert [p.parent for p in tmp_path.rglob("*") if p.is_file()] == [tmp_path / "in"]
