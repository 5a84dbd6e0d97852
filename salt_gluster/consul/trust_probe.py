"""Renew a heartbeat, read canary and catalog, and evaluate the gates of ``trust.py``."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from salt_gluster.consul.canary import Marker
from salt_gluster.consul.client import Client
from salt_gluster.consul.keys import Keys
from salt_gluster.consul.trust import Canary, ProbeFacts, ViewVerdict, evaluate
from salt_gluster.errors import ConsulError
from salt_gluster.model import LEASE, Lease


class Heartbeat(Protocol):
    """A write that proves that Consul answers: the lock's session, or a node's report."""

    renewed_at: float | None
    error: str

    def renew(self, *, lead: bool = True) -> bool:
        """Write, and keep when that was sent, or why it did not go through."""


class TrustProbe:
    """Whether this machine may believe what Consul shows. ``client`` has the short time-out."""

    def __init__(
        self, client: Client, cluster: str, heartbeat: Heartbeat, marker: Marker,
        *, lease: Lease = LEASE, clock: Callable[[], float] = time.monotonic,
        cannot_look: Callable[[], str] = str,
    ) -> None:  # fmt: skip
        self._client = client
        self._cannot_look = cannot_look
        self._keys = Keys(cluster)
        self._heartbeat = heartbeat
        self._marker = marker
        self._clock = clock
        self._agent = ""
        self._facts = ProbeFacts(trust_s=lease.trust_s)
        self._regressions = 0
        self._guard = threading.Lock()
        self.verdict = ViewVerdict()

    def regressed(self) -> None:
        """A watch saw an index go back."""
        self._regressions += 1

    def renew(self, *, lead: bool = True) -> ViewVerdict:
        """Renew, read and evaluate: 8 s at most without an answer. Raises no ``ConsulError``."""
        before = self._heartbeat.renewed_at
        may_lead = lead and self.verdict.is_fresh and not self._cannot_look()
        self._heartbeat.renew(lead=may_lead)
        renewed_at, error = self._heartbeat.renewed_at, self._heartbeat.error
        facts = replace(
            self._facts, heartbeat_at=renewed_at, heartbeat_error=error,
            regressions=self._regressions, cannot_look=self._cannot_look(),
        )  # fmt: skip
        # Renewed and then refused: a token that has lost its rights may keep its session, and what
        # was read before does not count any more.
        renewed = renewed_at not in (None, before)
        facts = self._read(facts) if renewed else facts
        with self._guard:  # or another thread would take the verdict that says to read again
            self._facts = facts
            self.verdict = evaluate(facts, self.verdict, self._clock())
            return self.verdict

    def evaluate(self) -> ViewVerdict:
        """Evaluate again what is known: time alone loses the view, between two renewals too."""
        with self._guard:
            self.verdict = evaluate(self._facts, self.verdict, self._clock())
            return self.verdict

    def _read(self, facts: ProbeFacts) -> ProbeFacts:
        seen, why = self._canary()
        own: bool | None = None
        leader = ""
        try:
            leader = self._client.leader()
            self._agent = self._agent or str(self._client.agent_self()["Config"]["NodeName"])
            own = self._client.in_catalog(self._agent)
        except ConsulError as err:
            facts = replace(facts, heartbeat_error=str(err))
        return replace(
            facts, canary=seen, canary_error=why, own_agent=own, leader=leader,
            marker=self._marker.seen(self._keys.cluster),
        )  # fmt: skip

    def _canary(self) -> tuple[Canary, str]:
        try:
            exists = self._client.kv_get(self._keys.canary) is not None
        except ConsulError as err:
            return Canary.UNREAD, str(err)
        if exists:
            self._marker.remember(self._keys.cluster)
        return (Canary.SEEN if exists else Canary.ABSENT), ""
