"""A change of the pool is told to Consul, and a sensor whose report is from before looks again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from fake_consul import FakeConsul

from salt_gluster import node
from salt_gluster.consul import client as consul_client
from salt_gluster.minion.automation.sensor import Sensor
from salt_gluster.minion.context import Minion
from salt_gluster.minion.converge import note_change
from salt_gluster.model import Plan, Step
from salt_gluster.plan.outcome import Result

NOBODY = {"address": "http://127.0.0.1:1"}
STEP = Step("volume_start", "v", {}, "start v")
NOTHING, DONE = Result(Plan("v"), Plan("v")), Result(Plan("v"), Plan("v"), done=[STEP])
REGISTERED = {"cluster": "main", "uuid": "u1"}
UNSURE = Result(Plan("v"), Plan("v"), unknown_step=STEP)


@pytest.mark.parametrize(
    ("record", "outcomes", "times"),
    [
        (None, [DONE], 0),
        (REGISTERED, [NOTHING], 0),
        (REGISTERED, [UNSURE], 1),
        (REGISTERED, [DONE, DONE, UNSURE], 1),  # nobody waits twice for a dead agent
    ],
)
def test_only_a_registered_node_tells_a_change_and_waits_for_consul_once(
    monkeypatch: pytest.MonkeyPatch, record: Any, outcomes: list[Result], times: int
) -> None:
    asked = []
    real = consul_client.connect

    def connect(settings: Mapping[str, Any], **more: Any) -> Any:
        asked.append(settings)
        return real(settings, **more)

    monkeypatch.setattr(consul_client, "connect", connect)
    monkeypatch.setattr(node.LocalState, "get", lambda self, key: record)
    minion = Minion({"id": "g1", "gluster_consul": NOBODY}, {}, {})
    for outcome in outcomes:
        note_change(minion, [outcome])
    assert len(asked) == times


def test_a_node_marks_its_change_in_its_own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose a mark is has to be known: one that marks without end is not believed."""
    consul = FakeConsul()
    monkeypatch.setattr(consul_client, "connect", lambda settings, **more: consul.client())
    monkeypatch.setattr(node.LocalState, "get", lambda self, key: REGISTERED)
    note_change(Minion({"id": "g1", "gluster_consul": NOBODY}, {}, {}), [DONE])
    assert list(consul.keys) == ["gluster/main/changed/u1"]


@pytest.mark.parametrize(
    ("now", "is_outdated"),
    [
        ({"by": "m1", "at": 90.0, "changed": 4}, False),  # a later heartbeat is no news
        ({"changed": 4}, False),  # nobody leads: nobody reads it
        ({"by": "m2", "at": 9.0, "changed": 4}, True),
        ({"by": "m1", "at": 9.0, "changed": 7}, True),
        ({"changed": 7}, True),
    ],
)
def test_a_sensor_looks_again_after_a_change_and_for_a_new_leader(
    now: dict[str, Any], is_outdated: bool
) -> None:
    sensor = Sensor({}, "g1")
    try:
        sensor._after = {"by": "m1", "at": 8.0, "changed": 4}
        assert sensor._is_outdated(now) is is_outdated
    finally:
        sensor.close()
