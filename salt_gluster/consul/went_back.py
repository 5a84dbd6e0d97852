"""Notice that Consul is an older one than it was: a restored snapshot, or one that was wiped.

Consul numbers its writes, and a key's number never falls by itself (facts.md#K-3.2). After a
restore policy, approvals and holds are those of then. Every engine keeps the highest number that it
has seen, on its machine's disk as well. Whoever finds a lower one writes a mark (key ``went_back``)
before anything else: while it stands nothing is begun. It ends when most nodes have submitted their
declaration again, after the mark, or when an operator has acknowledged this very mark.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from salt_gluster.consul.canary import Marker
from salt_gluster.consul.client import Client, Entry
from salt_gluster.consul.codec import unpack
from salt_gluster.consul.keys import Keys
from salt_gluster.errors import ConsulError, Unreadable
from salt_gluster.model import read_as
from salt_gluster.remediation.observation import WentBack

log = logging.getLogger(__name__)

#: How often the highest number is written to the disk.
KEEP_S = 20.0


class IndexGuard:
    """Compare what Consul has with what was seen before. For the one thread that renews."""

    def __init__(
        self, client: Client, cluster: str, name: str, machine: Marker,
        *, now: Callable[[], float] = time.time, clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._client, self._keys, self._name, self._machine = client, Keys(cluster), name, machine
        self._now, self._clock = now, clock
        self._highest = self._kept = machine.highest_index(cluster)
        self._kept_at = clock()

    def check(self) -> None:
        """Compare, before this engine writes anything; ``ConsulError`` where that cannot be done.

        The key that every engine writes every few seconds tells it. Where it has fallen, or is
        gone, the mark is written first: after the next write nobody could see it any more.
        """
        alive = self._client.kv_get(self._keys.alive)
        index = 0 if alive is None else alive.modify_index
        if index >= self._highest:
            self._see(index)
            return
        log.critical("Consul went back from index %d to %d", self._highest, index)
        mark = {"schema": 1, "at": self._now(), "by": self._name, "seen": self._highest,
                "found": index}  # fmt: skip
        self._client.kv_put(self._keys.went_back, json.dumps(mark))
        written = self._client.kv_get(self._keys.went_back)
        if written is None:
            raise ConsulError("the mark that Consul went back is not there.", kind="conflict")
        self._keep(written.modify_index)

    def keep(self) -> None:
        """Write to the disk what was seen since, for a stop."""
        if self._highest != self._kept:
            self._keep(self._highest)

    def _see(self, index: int) -> None:
        self._highest = index
        if not self._kept or self._clock() - self._kept_at >= KEEP_S:
            self._keep(index)

    def _keep(self, index: int) -> None:
        self._highest = index
        try:
            self._machine.keep_index(self._keys.cluster, index)
        except OSError as err:
            log.warning("the highest index of Consul is not kept: %s", err)
            return
        self._kept, self._kept_at = index, self._clock()


@dataclass(frozen=True)
class _Mark:
    at: float
    by: str
    seen: int
    found: int


def went_back_of(entry: Entry | None) -> WentBack | None:
    """Return the mark; whatever stands there is one. None = Consul did not go back."""
    if entry is None:
        return None
    try:
        mark: _Mark = read_as(_Mark, unpack(entry.value), "it")
    except (ConsulError, Unreadable):
        return WentBack(entry.modify_index)
    return WentBack(entry.modify_index, mark.at, mark.by, mark.seen, mark.found)
