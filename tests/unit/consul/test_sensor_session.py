"""By which session a sensor is heard."""

from __future__ import annotations

import pytest
from fake_consul import FakeConsul

from salt_gluster.consul.sensor_session import SensorSession, nodes_heard
from salt_gluster.errors import ConsulError


def test_it_is_renewed_and_made_again_where_it_has_ended() -> None:
    consul = FakeConsul()
    session = SensorSession(consul.client(), "main", 20)
    for _ in range(3):
        session.renew()
    (first,) = consul.sessions
    consul.end_session(first)
    session.renew()
    assert len(consul.sessions) == 1 and first not in consul.sessions


def test_only_sensors_of_this_pool_are_heard() -> None:
    consul = FakeConsul()
    consul.node = "g1"
    SensorSession(consul.client(), "main", 20).renew()
    SensorSession(consul.client(), "other", 20).renew()
    rows = consul.client().session_list().data
    assert nodes_heard(rows, "main") == {"g1"}
    assert nodes_heard([{"Name": "salt-gluster m1", "Node": "m1"}], "main") == frozenset()


@pytest.mark.parametrize(("kind", "goes_on"), [("forbidden", True), ("timeout", False)])
def test_without_the_right_it_goes_on_unheard_and_a_silent_consul_is_an_error(
    kind: str, goes_on: bool
) -> None:
    consul = FakeConsul()

    def before(method: str, path: str) -> None:
        raise ConsulError("no", kind=kind)

    consul.before = before
    session = SensorSession(consul.client(), "main", 20)
    if not goes_on:
        with pytest.raises(ConsulError):
            session.renew()
        return
    session.renew()
    session.renew()
    assert len(consul.requests) == 1


def test_a_session_that_lost_its_right_is_an_error() -> None:
    """A token that was taken back: the sensor must not go on as if nothing had happened."""
    consul = FakeConsul()
    session = SensorSession(consul.client(), "main", 20)
    session.renew()

    def before(method: str, path: str) -> None:
        raise ConsulError("ACL not found", kind="forbidden")

    consul.before = before
    with pytest.raises(ConsulError):
        session.renew()
