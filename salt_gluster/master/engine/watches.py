"""Renew the session and keep three blocking queries open (facts.md#K-3.8).

Each has a thread of its own, as have two more that nothing depends on: one for the hints that
GlusterFS's own events give, one for the sessions of the sensors.

What they see is kept here until the loop takes it; ``news`` is set whenever there is something.
Nothing is decided.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any

from salt_gluster.consul import queries
from salt_gluster.consul.canary import FileMarker, Marker
from salt_gluster.consul.catalog import Catalog, CriticalChecks, catalog, critical_checks
from salt_gluster.consul.client import Client, Reply
from salt_gluster.consul.keys import Keys
from salt_gluster.consul.leader_lock import LeaderLock
from salt_gluster.consul.sensor_session import nodes_heard
from salt_gluster.consul.trust_probe import TrustProbe
from salt_gluster.consul.watch import GAP_S, BlockingWatch, Query
from salt_gluster.consul.went_back import IndexGuard
from salt_gluster.errors import ConsulError
from salt_gluster.gluster.events import decode_wakeup
from salt_gluster.master.engine.steady_clock import SteadyClock
from salt_gluster.model import LEASE, Lease
from salt_gluster.remediation.membership import ViewTrust

log = logging.getLogger(__name__)

CRITICAL_WAIT_S = 10.0
CATALOG_WAIT_S = 60.0
REV_WAIT_S = 60.0
#: Every node may raise ``rev``, and each time all submissions are read: at most so often.
REV_GAP_S = 10.0
HINT_WAIT_S = 60.0
SESSIONS_WAIT_S = 60.0
#: Without these there is no view. Not the hints, nor the sessions of the sensors: whoever may not
#: read them has only to wait longer.
_NEEDED = ("critical", "catalog", "rev")


class _Sees:
    """The watcher of one query: keep what came, parsed, and say that there is news."""

    def __init__(self, name: str, parse: Callable[[Any], Any], owner: Watches) -> None:
        self._name, self._parse, self._owner = name, parse, owner

    def changed(self, reply: Reply[Any]) -> None:
        self._owner.saw(self._name, self._parse(reply.data), reply.index)

    def regressed(self, before: int, now: int) -> None:
        log.warning("Consul's index of %s went back from %d to %d", self._name, before, now)
        self._owner.probe.regressed()

    def failed(self, error: ConsulError) -> None:
        log.debug("watch of %s: %s", self._name, error)


class Watches:
    """Start with ``start``; the loop waits for ``news`` and reads the rest."""

    def __init__(
        self, connect: Callable[[float | None], Client], cluster: str, name: str,
        *, marker: Marker | None = None, lease: Lease = LEASE,
        clock: SteadyClock | None = None, cannot_look: Callable[[], str] = str,
    ) -> None:  # fmt: skip
        clock = clock or SteadyClock()
        self._now = clock.now
        self.news = threading.Event()
        self.catalog = Catalog()
        self.critical = CriticalChecks()
        self.rev = 0
        self.index = 0
        #: Consul's names of the nodes whose sensors are heard; None = not read yet.
        self.sessions: frozenset[str] | None = None
        self._hinted: frozenset[str] = frozenset()
        self._waits_for: set[str] = set()
        self._guard = threading.Lock()
        self._stopped = threading.Event()
        self._disturbed_at = self._now()
        self._lease = lease
        lock_client = connect(lease.renew_timeout_s)
        marker = marker or FileMarker()
        self._index_guard = IndexGuard(
            lock_client, cluster, name, marker, now=clock.now, clock=clock.monotonic
        )
        self.lock = LeaderLock(
            lock_client, cluster, name, lease=lease, clock=clock.monotonic,
            before_write=self._index_guard.check,
        )  # fmt: skip
        self.probe = TrustProbe(
            lock_client,
            cluster,
            self.lock,
            marker,
            lease=lease,
            clock=clock.monotonic,
            cannot_look=cannot_look,
        )
        self._lock_client, self._keys = lock_client, Keys(cluster)
        self._watches = self._queries(connect, cluster, clock)
        self._waits_for = set(_NEEDED)

    def _queries(
        self, connect: Callable[[float | None], Client], cluster: str, clock: SteadyClock
    ) -> dict[str, BlockingWatch]:
        """Return the watch of each query, with a client of its own."""
        keys = self._keys
        return {
            "critical": self._watch(
                connect(None), "critical", CRITICAL_WAIT_S, critical_checks,
                lambda c: queries.critical(c, clock.monotonic),
            ),
            "catalog": self._watch(
                connect(None), "catalog", CATALOG_WAIT_S, lambda rows: catalog(rows, cluster),
                queries.roster,
            ),
            "rev": self._watch(
                connect(None), "rev", REV_WAIT_S,
                lambda entry: entry.modify_index if entry is not None else 0,
                lambda c: lambda i, w: c.kv_watch(keys.rev, i, w), longest_gap_s=REV_GAP_S,
            ),
            "hint": self._watch(
                connect(None), "hint", HINT_WAIT_S,
                lambda entry: decode_wakeup(entry.value) if entry is not None else frozenset(),
                lambda c: lambda i, w: c.kv_watch(keys.hint, i, w),
            ),
            "sessions": self._watch(
                connect(None), "sessions", SESSIONS_WAIT_S,
                lambda rows: nodes_heard(rows, cluster), lambda c: c.session_list,
            ),
        }  # fmt: skip

    def _watch(
        self, client: Client, name: str, wait_s: float, parse: Callable[[Any], Any],
        query: Callable[[Client], Query], longest_gap_s: float = GAP_S,
    ) -> BlockingWatch:  # fmt: skip
        sees = _Sees(name, parse, self)
        return BlockingWatch(
            query(client), wait_s, sees, wake=client.wake, longest_gap_s=longest_gap_s
        )

    def start(self) -> None:
        """Renew once, then run everything in threads that end with the process."""
        self._renew()
        for name, run in (
            ("renewal", self._run_renewals),
            *((n, w.run) for n, w in self._watches.items()),
        ):
            threading.Thread(target=run, name=f"gluster-{name}", daemon=True).start()

    def stop(self) -> None:
        """Hand the lock over and end the threads; for a clean stop, which may take 2 s."""
        self._stopped.set()
        for watch in self._watches.values():
            watch.stop()
        self.lock.stop()
        self._index_guard.keep()

    # --- the session -----------------------------------------------------------------------------

    def _run_renewals(self) -> None:
        while not self._stopped.wait(self._lease.renew_s):
            try:
                self._renew()
            except Exception:  # the renewals must go on, whatever it was
                log.exception("a renewal failed")

    def _renew(self) -> None:
        before = self.probe.verdict
        led = self.lock.holds()
        verdict = self.probe.renew()
        if verdict.reread:
            with self._guard:
                self._disturbed_at = self._now()
                self._waits_for = set(_NEEDED)
            for watch in self._watches.values():
                watch.reread()
        if verdict.reread or verdict.state is not before.state or led != self.lock.holds():
            log.info("view: %s %s; %s", verdict.state.value, verdict.why, self._leads())
            self.news.set()
        if self.lock.holds() and not led:
            self._make_hint_key()

    def _make_hint_key(self) -> None:
        """Create the key: a query for a missing one is woken by every write (facts.md#K-3.1)."""
        with contextlib.suppress(ConsulError):
            self._lock_client.kv_put(self._keys.hint, b"{}", cas=0)

    def _leads(self) -> str:
        return f"leads with epoch {self.lock.epoch}" if self.lock.holds() else "does not lead"

    # --- what the loop reads ---------------------------------------------------------------------

    def saw(self, name: str, value: Any, index: int) -> None:
        """Keep what a watch brought."""
        with self._guard:
            if name in _NEEDED:
                setattr(self, name, value)
                self.index = max(self.index, index)
            elif name == "sessions":
                self.sessions = value
            else:
                self._hinted |= value
            self._waits_for.discard(name)
        self.news.set()

    def hints(self) -> frozenset[str]:
        """Return the nodes that were hinted at and not looked at since."""
        with self._guard:
            return self._hinted

    def looked_at(self, nodes: frozenset[str]) -> None:
        """Forget the hints at these nodes."""
        with self._guard:
            self._hinted -= nodes

    def trust(self) -> ViewTrust:
        """Return whether the view may be believed, and since when it is undisturbed."""
        verdict = self.probe.evaluate()
        with self._guard:
            missing = sorted(self._waits_for)
        if verdict.is_fresh and missing:
            why = f"not read yet since the view came back: {', '.join(missing)}"
            return ViewTrust(False, why, self._disturbed_at)
        return ViewTrust(verdict.is_fresh, verdict.why, self._disturbed_at)

    def disturbed(self) -> None:
        """Let what was seen so far be no evidence: it has to settle anew."""
        with self._guard:
            self._disturbed_at = self._now()

    def is_reading(self, within_s: float) -> bool:
        """Whether the view came back just now and the watches still read in full."""
        with self._guard:
            young = self._now() - self._disturbed_at < within_s
            return young and bool(self._waits_for) and self.probe.verdict.is_fresh

    def view_lost_in_s(self) -> float:
        """Return after how long the view is lost if no renewal goes through until then."""
        if not self.probe.verdict.is_fresh:
            return self._lease.renew_s
        return max(0.1, self.lock.believed_s() + 0.05)
