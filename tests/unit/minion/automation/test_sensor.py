"""When the sensor of a node looks again."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest
from fake_consul import FakeConsul

from salt_gluster.consul.service import Member
from salt_gluster.minion.automation import registration
from salt_gluster.minion.automation.sensor import Sensor, share_of
from salt_gluster.model import SENSOR_TIMES, SensorTimes


@pytest.fixture(params=[SENSOR_TIMES, SensorTimes(again_s=(1.0,), collect_s=50.0)])
def times(request: pytest.FixtureRequest) -> SensorTimes:
    return request.param


@pytest.fixture
def sensor(times: SensorTimes) -> Iterator[Sensor]:
    sensor = Sensor({}, "g1", times=times, clock=lambda: 1000.0)
    yield sensor
    sensor.close()


def test_after_a_change_it_looks_at_once_and_again_for_a_port_that_comes_late(
    sensor: Sensor, times: SensorTimes
) -> None:
    sensor._changed()
    later = [1000.0 + s for s in times.again_s]
    assert sensor._due == [1000.0, *later, 1000.0 + times.collect_s]


class Pool:
    """The sensors of so many nodes, whose looks are only noted."""

    def __init__(self, nodes: int, times: SensorTimes) -> None:
        self.now = 1000.0
        self.sensors = [
            Sensor({}, f"g{n}", times=times, clock=lambda: self.now) for n in range(nodes)
        ]
        self.looks: list[tuple[float, int]] = []
        for n, sensor in enumerate(self.sensors):
            sensor._share, sensor._members = share_of(f"uuid-{n}"), nodes
            sensor._eyes.aim = lambda: None  # type: ignore[method-assign]
            sensor._looked_at, sensor._due = self.now - 100, [self.now + times.collect_s - 100]

    def changed(self) -> None:
        for sensor in self.sensors:
            sensor._changed()

    def run(self, until: float, step_s: float = 0.5) -> None:
        """Let time go by; who has to look looks, as ``_collect`` keeps it."""
        while self.now < until:
            self.now += step_s
            for n, sensor in enumerate(self.sensors):
                if min(sensor._due) <= self.now:
                    self.looks.append((self.now, n))
                    sensor._looked(self.now, well=True)

    def of(self, node: int) -> list[float]:
        return [at for at, n in self.looks if n == node]


def test_the_reports_of_a_change_that_all_nodes_see_are_spread_in_time() -> None:
    """A definition changes on all 300 at one moment: no second has a tenth of their reports."""
    pool = Pool(300, SensorTimes(again_s=()))
    pool.changed()
    pool.run(1030)
    assert {n for _, n in pool.looks} == set(range(300))
    assert len(pool.looks) == 300
    seconds = Counter(int(at) for at, _ in pool.looks)
    assert max(seconds.values()) < 40
    assert max(seconds) <= 1000 + 300 * 0.05 + 1


def test_in_a_small_pool_a_change_is_told_at_once() -> None:
    pool = Pool(4, SensorTimes(again_s=()))
    pool.changed()
    pool.run(1001)
    assert len(pool.looks) == 4


def test_a_node_looks_once_for_all_changes_of_a_time_and_is_never_kept_from_looking() -> None:
    """An operator makes one volume after another for two minutes."""
    pool = Pool(300, SensorTimes(again_s=(3.0, 20.0)))
    while pool.now < 1120:
        pool.changed()
        pool.run(pool.now + 2)
    for node in range(300):
        at = pool.of(node)
        assert 120 / 15 - 2 <= len(at) <= 120 / 15 + 1
        assert max(b - a for a, b in pairwise(at)) <= 32


def test_a_change_never_makes_a_node_look_later_than_it_would_have_looked() -> None:
    """The age of a report is what a status counts on (``freshness.py``)."""
    pool = Pool(300, SensorTimes(again_s=()))
    pool.run(1199)
    assert pool.looks == []
    pool.changed()
    pool.run(1201)
    assert {n for _, n in pool.looks} == set(range(300))


def test_a_process_that_ended_is_this_nodes_own_matter_and_told_at_once() -> None:
    pool = Pool(300, SensorTimes())
    for sensor in pool.sensors:
        sensor._changed(at_once=True)
        assert min(sensor._due) == pool.now


def test_a_nodes_place_is_always_the_same_and_the_places_are_even() -> None:
    shares = [share_of(f"uuid-{n}") for n in range(1000)]
    assert shares == [share_of(f"uuid-{n}") for n in range(1000)]
    assert all(60 < sum(low / 10 <= s < (low + 1) / 10 for s in shares) < 140 for low in range(10))


def test_while_its_node_is_not_registered_it_only_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It asks at every look; nothing else is begun, and a stop ends it."""
    stop, asked = threading.Event(), []

    def nothing() -> None:
        asked.append(1)
        if len(asked) == 3:
            stop.set()

    monkeypatch.setattr(registration, "load_registration", nothing)
    Sensor({}, "g1", times=SensorTimes(glance_s=0.01)).watch(stop)
    assert len(asked) == 3


def test_it_is_heard_while_it_can_publish_and_not_before() -> None:
    """A session of a sensor that cannot publish would say that all is well."""
    consul, now = FakeConsul(), [1000.0]
    sensor = Sensor({}, "g1", clock=lambda: now[0])
    me = Member("u1", "g1", "g1", "main")
    sensor._renew(me, consul.client())
    assert consul.sessions == set()
    sensor.has_reported = True
    sensor._renew(me, consul.client())
    assert len(consul.sessions) == 1
    assert sensor._session_at == now[0] + SENSOR_TIMES.session_s
    sensor.close()
