"""Keep for how long leaders have led, and know by it how old a key is. No clock of a day counts.

Consul numbers its writes and dates none of them. The leader's document (key ``led``) says for how
many seconds one has led altogether, and which index Consul had at which of them: what has a lower
index was there by then. While nobody leads nothing grows older.

The document is read before each use: one that came back with a restored snapshot is of the same
moment as the keys that came back with it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from salt_gluster.consul.client import Op
from salt_gluster.consul.store import Store
from salt_gluster.errors import ConsulError, Unreadable
from salt_gluster.model import read_as

log = logging.getLogger(__name__)

DAY_S = 86400.0
#: One pair a day: an age is known to the day, up to this many days.
_MOST_SEEN = 40


@dataclass(frozen=True)
class LedTime:
    """Seconds that leaders have led.

    ``seen`` are pairs of such seconds and Consul's index at them, oldest first. ``departed``: uuid
    -> the seconds at which a node that has documents was first found to be none of the pool.
    """

    led_s: float = 0.0
    seen: tuple[tuple[float, ...], ...] = ()
    departed: Mapping[str, float] = field(default_factory=dict)

    def age_s(self, index: int) -> float:
        """Return how long ago at least a key was written whose index is this."""
        return max((self.led_s - led_s for led_s, then in self.seen if index <= then), default=0.0)

    def later(self, seconds: float, index: int) -> LedTime:
        """Return it after so many seconds more; ``index`` is Consul's, as of before them."""
        last = self.seen[-1][0] if self.seen else -DAY_S
        due = index > 0 and self.led_s - last >= DAY_S
        seen = (*self.seen, (self.led_s, float(index))) if due else self.seen
        return replace(self, led_s=self.led_s + max(0.0, seconds), seen=seen[-_MOST_SEEN:])

    def without(self, nodes: Collection[str]) -> LedTime:
        """Return it where these nodes and no others are none of the pool."""
        since = {uuid: self.departed.get(uuid, self.led_s) for uuid in nodes}
        return replace(self, departed=since)

    def departed_for(self, seconds: float) -> list[str]:
        """Return the nodes that have been none of the pool for so long."""
        return sorted(u for u, since in self.departed.items() if self.led_s - since >= seconds)


def read_led_time(store: Store) -> tuple[LedTime, int]:
    """Return what stands there, and its index; one that cannot be read begins anew."""
    try:
        document = store.read(store.keys.led)
        if document is None:
            return LedTime(), 0
        led: LedTime = read_as(LedTime, document.data, document.key)
        if any(len(pair) != 2 for pair in led.seen):
            raise Unreadable(f"{document.key} has a pair that is none.")
    except (ConsulError, Unreadable) as err:
        if isinstance(err, ConsulError) and err.kind != "unreadable":
            raise
        log.warning("for how long leaders have led is counted anew: %s", err)
        return LedTime(), 0
    return led, document.index


def write_led_time(store: Store, led: LedTime, guard: Callable[[], Sequence[Op]]) -> None:
    """Write it; ``guard`` is the leader's, who alone writes it."""
    store.write(store.keys.led, {"schema": 1, **asdict(led)}, guard=guard)
