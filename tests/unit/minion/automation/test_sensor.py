"""When the sensor of a node looks again."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from fake_consul import FakeConsul

from salt_gluster.consul.service import Member
from salt_gluster.minion.automation import registration
from salt_gluster.minion.automation.sensor import Sensor
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
