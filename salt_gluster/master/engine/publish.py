"""Publish events: stored before they are fired, fired again until the bus has taken them.

An engine's own view is the exception: every engine announces it on its own bus, also when nothing
can be stored.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from salt_gluster.consul.cluster_state import ClusterState
from salt_gluster.consul.leader_lock import LeaderLock
from salt_gluster.errors import ConsulError
from salt_gluster.master.engine.probe import MinionClient
from salt_gluster.remediation import FleetObservation, Memory, salt_events
from salt_gluster.remediation.membership import Snapshot, published
from salt_gluster.remediation.observation import VIEW
from salt_gluster.remediation.salt_events import Notice

log = logging.getLogger(__name__)


class Bus(MinionClient, Protocol):
    """Salt: the event bus of this master, and its minions."""

    def fire(self, event: Mapping[str, Any]) -> bool:
        """Fire ``{"tag", "data"}``; False when the bus did not take it."""

    def send(self, minion: str, function: str, arguments: Sequence[Any]) -> None:
        """Give one minion a job; nobody waits for its answer."""


class EventPublisher:
    """Keep the document ``members``, and empty its outbox onto the bus."""

    def __init__(
        self, cluster: str, name: str, bus: Bus, records: ClusterState, lock: LeaderLock,
        journal: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> None:  # fmt: skip
        self._cluster, self._name = cluster, name
        self._bus, self._state, self._lock = bus, records, lock
        self._journal = journal or (lambda event: None)
        self._snapshot = Snapshot()
        self._unfired: list[Mapping[str, Any]] = []

    @property
    def is_behind(self) -> bool:
        """Whether something waits for the bus."""
        return bool(self._unfired)

    def resume(self) -> Snapshot:
        """Read what was told so far; what was due then is fired again, under the same ids.

        ``ConsulError``; ``Unreadable`` for a document of another version of ourselves.
        """
        self._snapshot = self._state.snapshot()
        self._unfired = list(self._snapshot.outbox)
        return self._snapshot

    def publish(self, obs: FleetObservation, memory: Memory, notices: Iterable[Notice]) -> bool:
        """Store what is to be told, then fire it; False when it is not known to be stored."""
        kept = {k: s for k, s in memory.conditions.items() if k != VIEW}
        shared = [n for n in notices if not _is_view_event(n)]
        new = published(
            self._snapshot, kept, shared, self._cluster, obs.now, roster=memory.roster,
            consul_index=obs.consul.index, origin=self._name,
        )  # fmt: skip
        if new is not self._snapshot:
            try:
                self._state.write_snapshot(new, self._snapshot, self._lock.guard)
            except ConsulError as err:
                log.warning("what is to be told could not be stored: %s", err)
                return False
            self._snapshot = new
            self._unfired += new.outbox
        # A process that was frozen since is not the leader any more: who is fires what is stored.
        while self._unfired and self._lock.holds() and self.fire(self._unfired[0]):
            self._unfired.pop(0)
        return True

    def publish_view(self, obs: FleetObservation, notices: Iterable[Notice]) -> None:
        """Fire what changed of this engine's own view, under an id of its own."""
        for notice in filter(_is_view_event, notices):
            own = replace(notice, uuid=f"{self._cluster}@{self._name}")
            event = salt_events.payload(
                self._cluster, own, int(obs.now * 1000), obs.now,
                consul_index=obs.consul.index, origin=self._name,
            )  # fmt: skip
            self.fire(event)

    def publish_unstored(self, obs: FleetObservation, notices: Iterable[Notice]) -> None:
        """Fire what cannot be stored now: under the id that it gets once it can be."""
        for notice in notices:
            event = salt_events.payload(
                self._cluster, notice, self._snapshot.version, obs.now,
                consul_index=obs.consul.index, origin=self._name,
            )  # fmt: skip
            self.fire(event)

    def fire(self, event: Mapping[str, Any]) -> bool:
        """Fire one event; it is in the journal when the bus has taken it."""
        taken = self._bus.fire(event)
        if taken:
            self._journal(event)
        else:
            log.error("Salt's event bus did not take %s", event["tag"])
        return taken


def _is_view_event(notice: Notice) -> bool:
    return notice.subject == "cluster" and notice.event in ("view_lost", "view_restored")
