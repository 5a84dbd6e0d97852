"""What is announced of the configuration's versions: once, and the all-clear for what was lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from engine_world import World
from fake_consul import FakeConsul

from salt_gluster.consul.cluster_state import ClusterState
from salt_gluster.consul.leader_lock import LeaderLock
from salt_gluster.consul.store import Store
from salt_gluster.master.engine import config_history
from salt_gluster.master.engine.config_history import CONFIG, OVERWRITTEN, ConfigHistory
from salt_gluster.model import Brick, Ref, Subject, Volume
from salt_gluster.remediation import Decisions, FleetObservation, LockView, Memory
from salt_gluster.remediation.fleet_mode import FleetMode
from salt_gluster.remediation.membership import Condition, ConsulView, ViewTrust
from salt_gluster.remediation.observation import Acknowledged
from salt_gluster.status.config_versions import Difference
from salt_gluster.status.facts import volumes_data

LOSS = Difference(
    Subject("volume", "data"), "option", "auto", None, "cluster.quorum-type"
).to_data()
VOLUME = Volume("data", "id-1", "Started", "replicate",
                tuple(Brick(f"g{n}", "/b", f"u{n}") for n in (1, 2, 3)), 1, replica=3)  # fmt: skip


class History:
    """A leader's history of one pool, and the conditions that its snapshot has."""

    def __init__(self) -> None:
        client = FakeConsul().client()
        self.store = Store(client, "main")
        self.conditions: Mapping[Ref, Condition] = {}
        self.acknowledged: tuple[Acknowledged, ...] = ()
        self._client = client
        self.take_over()

    def take_over(self) -> None:
        """Another engine begins: it knows what stands in Consul, and nothing else."""
        state, lock = ClusterState(self._client, "main"), LeaderLock(self._client, "main", "m1")
        self._history = ConfigHistory(state, lock)

    def version(self, options: Mapping[str, str], **notes: Any) -> None:
        """Make a version of a pool with one volume that has these options."""
        before = self.store.version_numbers()
        volume = replace(VOLUME, options=options)
        actual = {"volumes": volumes_data({"data": volume}), "peers": {}}
        more = {"before": before[-1] if before else 0, "what": [LOSS], **notes}
        self.store.accept({"actual": actual}, by="", why="test", now=5.0, notes=more)

    def announced(self, now: float) -> list[str]:
        """Return the events of one tick."""
        current = self.store.current()
        self._history.current = None if current is None else current.data
        view = ConsulView(ViewTrust(True), {})
        obs = FleetObservation(now, "main", view, LockView(True, 9.0, 7), {},
                               acknowledged=self.acknowledged)  # fmt: skip
        memory = Memory(conditions=self.conditions)
        done = self._history.keep(obs, Decisions(memory, FleetMode.OPEN))
        self.conditions = done.memory.conditions
        return [notice.event for notice in done.notices]


@pytest.fixture
def history() -> History:
    history = History()
    history.version({"cluster.quorum-type": "auto"})
    assert history.announced(10.0) == []  # it was so before anybody looked
    return history


def lose(history: History) -> None:
    loss = {"nodes": ["g3"], "what": [LOSS]}
    history.version({}, overwritten=loss)
    assert history.announced(20.0) == ["config_changed", "overwritten"]
    assert history.conditions[OVERWRITTEN].state == "1"


def test_what_was_overwritten_is_announced_once_also_by_another_engine(history: History) -> None:
    lose(history)
    assert history.announced(30.0) == []
    history.take_over()
    assert history.announced(40.0) == []
    assert history.conditions[CONFIG].state == "2"


def test_what_was_overwritten_is_back_when_a_version_is_as_it_was(history: History) -> None:
    lose(history)
    history.version({"cluster.quorum-type": "none"})
    assert history.announced(30.0) == ["config_changed"]
    history.version({"cluster.quorum-type": "auto"})
    assert history.announced(40.0) == ["config_changed", "config_restored"]
    assert OVERWRITTEN not in history.conditions


def test_an_operator_who_has_seen_it_ends_the_alarm(history: History) -> None:
    lose(history)
    history.acknowledged = (Acknowledged("main", 25.0),)
    assert history.announced(30.0) == ["config_restored"]
    assert OVERWRITTEN not in history.conditions
    assert history.announced(40.0) == []


def test_the_first_version_is_stored_as_soon_as_the_reports_tell_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path)
    monkeypatch.setattr(config_history, "time", SimpleNamespace(monotonic=lambda: world.now))
    for key in [k for k in world.consul.keys if k.startswith("gluster/main/nodes/")]:
        del world.consul.keys[key]
    world.passes(4)
    assert world.engine._state.store.current() is None
    world.report()
    world.passes(7)  # what changes in between differs from nothing, so nobody is told of it
    current = world.engine._state.store.current()
    assert current is not None and "data" in current.data["actual"]["volumes"]
