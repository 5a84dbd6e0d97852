"""What is told: stored, then fired, and by nobody who has lost the lock in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from salt_gluster.consul.client import Client
from salt_gluster.consul.leader_lock import LeaderLock
from salt_gluster.consul.settings import Access
from salt_gluster.master.engine.publish import EventPublisher
from salt_gluster.model import LEASE
from salt_gluster.remediation import FleetObservation, Memory
from salt_gluster.remediation import LockView as Held
from salt_gluster.remediation.membership import ConsulView, Snapshot, ViewTrust
from salt_gluster.remediation.salt_events import Notice

OBS = FleetObservation(1000.0, "main", ConsulView(ViewTrust(True), {}), Held(True, 9.0, 7), {})
LEFT = Notice("node", "u1", "g1", "left")


class Store:
    """The document `members`, kept here. A write may take long: the process may be frozen in it."""

    def __init__(self) -> None:
        self.kept, self.takes_s, self.now = Snapshot(), 0.0, 0.0

    def write_snapshot(self, new: Snapshot, *more: Any) -> None:
        self.kept = new
        self.now += self.takes_s

    def snapshot(self) -> Snapshot:
        return self.kept


class Bus:
    def __init__(self) -> None:
        self.ids: list[str] = []

    def send(self, minion: str, function: str, arguments: Sequence[Any]) -> None:
        raise AssertionError("nobody is sent anything")

    def fire(self, event: Mapping[str, Any]) -> bool:
        self.ids.append(event["data"]["id"])
        return True


def leader(store: Store, name: str) -> tuple[EventPublisher, Bus]:
    lock = LeaderLock(Client(Access()), "main", name, clock=lambda: store.now)
    lock._epoch, lock.renewed_at = 7, store.now
    bus = Bus()
    return EventPublisher("main", name, bus, store, lock), bus  # type: ignore[arg-type]


@pytest.mark.parametrize("frozen_s", [0.0, LEASE.trust_s + 1])
def test_who_was_frozen_after_storing_leaves_the_firing_to_the_next_leader(frozen_s: float) -> None:
    store = Store()
    one, first = leader(store, "m1")
    store.takes_s = frozen_s
    assert one.publish(OBS, Memory(), [LEFT])
    assert len(store.kept.outbox) == 1
    assert len(first.ids) == (not frozen_s)
    two, second = leader(store, "m2")
    two.resume()
    store.takes_s = 0.0
    assert two.publish(OBS, Memory(conditions=store.kept.conditions), [])
    assert second.ids == [e["data"]["id"] for e in store.kept.outbox]
    assert set(first.ids) <= set(second.ids)  # told again, under the very same id
