"""Find the nodes that mark a change of the pool again and again. Pure.

A mark makes every sensor look, and every screen ask the nodes until they have. Marks without end
would cost all others, and who writes them nothing. A node that has marked more often than any work
of ours does is not believed in this until it has been quiet; what it really changes, the files of
glusterd show to every sensor anyway.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping

log = logging.getLogger(__name__)

#: A highstate marks once for each of its states, an order once.
MOST = 12
WITHIN_S = 600.0


class ChangeMarks:
    """What one leader has seen of the marks; it looks as often as its heart beats."""

    def __init__(self) -> None:
        self._seen: dict[str, int] = {}
        self._times: dict[str, deque[float]] = {}
        self._ignored: frozenset[str] = frozenset()

    def saw(self, marks: Mapping[str, int], now: float) -> frozenset[str]:
        """Return whose marks count for nothing; ``marks``: uuid -> Consul's index of its mark."""
        for uuid, index in marks.items():
            if self._seen.get(uuid) != index:
                self._times.setdefault(uuid, deque(maxlen=MOST)).append(now)
        self._seen = dict(marks)
        self._times = {u: times for u, times in self._times.items() if now - times[-1] < WITHIN_S}
        ignored = frozenset(
            u for u, t in self._times.items() if len(t) == MOST and now - t[0] < WITHIN_S
        )
        for uuid in ignored - self._ignored:
            log.warning("%s marks a change of the pool all the time: that is not counted", uuid)
        self._ignored = ignored
        return ignored
