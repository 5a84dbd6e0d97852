"""One blocking query, asked again and again by the rules of facts.md#K-3.7.

A watch is no detector of life: a frozen agent leaves a query open (facts.md#K-3.6), so whether its
picture may be believed is ``trust.py``'s question. Clock, sleep and chance are handed in.
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from salt_gluster.consul.client import Reply
from salt_gluster.errors import ConsulError

FULL_EVERY_S = 300.0
GAP_S = 0.1
DITHER_S = 0.02
BACKOFF_S = (0.25, 10.0)
#: So many changes one soon after the other are looked at at once; then the gap between two looks
#: doubles with each, up to the longest that the watch allows, until nothing has come for as long.
AT_ONCE = 20
QUIET_S = 10.0

#: Asked with an index (0 = answer at once) and a wait in seconds.
Query = Callable[[int, float], Reply[Any]]


class Watcher(Protocol):
    """What is called with the news. All calls come from the watch's own thread."""

    def changed(self, reply: Reply[Any]) -> None:
        """The body is another one than before, or this is the first."""

    def regressed(self, before: int, now: int) -> None:
        """The index went back: restored or wiped. What was read before counts for nothing."""

    def failed(self, error: ConsulError) -> None:
        """No answer; the watch goes on by itself."""


class BlockingWatch:
    """Ask until stopped. ``run`` blocks; ``stop`` and ``reread`` may come from any thread."""

    def __init__(
        self,
        query: Query,
        wait_s: float,
        watcher: Watcher,
        *,
        wake: Callable[[], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
        chance: Callable[[], float] = random.random,
        longest_gap_s: float = GAP_S,
    ) -> None:
        if wait_s <= 0:
            raise ValueError("a watch needs a wait: 0 means 5 minutes to Consul (facts.md#K-3.2)")
        self._query = query
        self._wait_s = wait_s
        self._watcher = watcher
        self._wake = wake
        self._clock = clock
        self._stopped = threading.Event()
        self._sleep = sleep or self._stopped.wait
        self._chance = chance
        self._reread = threading.Event()
        self._index = 0
        self._digest: str | None = None
        self._full_at = clock()
        self._errors = 0
        #: Whoever may write what is watched may do it as often as it likes: what a look costs the
        #: reader is bounded by this.
        self._longest_gap_s = longest_gap_s
        self._in_a_row, self._changed_at = 0, -math.inf
        self.fetches = 0
        #: When the last good answer came, by the clock; None before the first.
        self.seen_at: float | None = None

    def run(self) -> None:
        """Ask until stopped."""
        while not self._stopped.is_set():
            self._sleep(self.step())

    def stop(self) -> None:
        """End ``run``, also while it waits for an answer."""
        self._stopped.set()
        self._cut_short()

    def reread(self) -> None:
        """Read in full now; the watcher is told even if nothing is different."""
        self._reread.set()
        self._cut_short()

    def _cut_short(self) -> None:
        if self._wake is not None:
            self._wake()

    def step(self) -> float:
        """Ask once, tell the watcher; return the seconds until the next question."""
        asked_at = self._clock()
        if self._reread.is_set():
            self._reread.clear()
            self._index, self._digest = 0, None
        elif asked_at - self._full_at >= FULL_EVERY_S:
            self._index = 0
        full = self._index == 0
        self.fetches += 1
        try:
            reply = self._query(self._index, self._wait_s)
        except ConsulError as err:
            return self._after_error(err)
        self._errors = 0
        self.seen_at = self._clock()
        if full:
            self._full_at = self.seen_at
        self._take(reply)
        spent_s = self._clock() - asked_at
        return max(0.0, self._gap_s() - spent_s) + DITHER_S * self._chance()

    def _gap_s(self) -> float:
        """Return how far two questions are apart."""
        doubled = max(0, min(self._in_a_row - AT_ONCE, 20))
        return min(max(GAP_S, self._longest_gap_s), float(GAP_S * 2**doubled))

    def _count(self) -> None:
        """Count a change that came soon after the last one; the gap itself is no quiet."""
        now = self._clock()
        soon = now - self._changed_at < QUIET_S + self._gap_s()
        self._in_a_row, self._changed_at = (self._in_a_row + 1 if soon else 0), now

    def _take(self, reply: Reply[Any]) -> None:
        before, now = self._index, max(1, reply.index)
        if now < before:
            # A restore gives its old value once more (facts.md#K-3.2): believe the next, full read
            self._index, self._digest = 0, None
            self._watcher.regressed(before, now)
            return
        self._index = now
        if reply.digest != self._digest:
            self._digest = reply.digest
            self._count()
            self._watcher.changed(reply)

    def _after_error(self, err: ConsulError) -> float:
        if self._stopped.is_set() or (self._reread.is_set() and err.kind == "cut_off"):
            return 0.0  # our own doing
        self._errors += 1
        self._watcher.failed(err)
        first, most = BACKOFF_S
        pause = min(most, first * 2 ** min(self._errors - 1, 10))
        return float(pause * (0.5 + 0.5 * self._chance()))
