"""Tell the time of the day without its steps: durations must not change when the clock is set.

A clock that is set back by an hour would keep everything that waits waiting for an hour; one that
is set forward would end every wait at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

#: Clocks that are nearer than this are the same.
SAME_S = 5.0


class SteadyClock:
    """The wall clock as it was at the beginning, carried on by the monotonic clock."""

    def __init__(
        self, wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:  # fmt: skip
        self._wall, self.monotonic, self.sleep = wall, monotonic, sleep
        self._base = wall() - monotonic()

    def now(self) -> float:
        """Return seconds since the epoch, never less than before."""
        return self._base + self.monotonic()

    def behind_s(self) -> float:
        """Return by how much the wall clock has been set forward since; negative: back."""
        return self._wall() - self.now()

    def set_anew(self) -> float:
        """Take the wall clock as it is now; return by how much the time has jumped."""
        jump_s = self.behind_s()
        self._base += jump_s
        return jump_s


def is_corrected(behind_s: float, skews: Collection[float]) -> bool:
    """Whether the wall clock was set to what the nodes' clocks say: ours was wrong before.

    ``skews``: the nodes' clocks minus our time. One that was set away from them is not believed.
    """
    agreeing = sum(abs(skew - behind_s) <= SAME_S for skew in skews)
    return abs(behind_s) > SAME_S and 2 * agreeing > len(skews)
