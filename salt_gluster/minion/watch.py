"""Wait for what other nodes do: by the stamps of glusterd's files, without a process or a request.

What waits on our own side is looked at again soon. What another node could do and does not becomes
ours, once for the whole run.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping, Sequence

from salt_gluster.minion.driver import Driver
from salt_gluster.minion.goal import Goal
from salt_gluster.model import Facet

#: Glusterd's files stand still for so long before another node than the actor acts; or for so many
#: of its own looks: where everything is slow, the actor is too.
STILL_S, JITTER_S, STILL_LOOKS = 3.0, 2.0, 3
#: Who has seen what the actor waited for come about gives it this much more: it looks every 2.5 s,
#: and then asks the members before it sends anything.
_ASKS_S = 1.0
#: What waits on our side is looked at so often: before others take it for ours to do and undone.
POLL_S, _SLOWEST_POLL_S = 0.5, 2.5
_STAT_S = 0.25
#: Between two changes of another node's run lies less than this; a look is worth it after that.
_PAUSED_S, _MOVING_S = 1.0, 6.0
#: Looking is cheap for these: no gluster process, no other node, no request to the master.
CHEAP = frozenset({"path", "dead", "option"})


class Ended(enum.Enum):
    """Why a wait has ended."""

    DUE = "the next look is due"
    MOVED = "another node has changed something"
    UNDONE = "nobody does what could be done"


class Watch:
    """What a run has seen of the others while it waits. ``stamps`` are those of its last look."""

    def __init__(self, driver: Driver, *, addressed: bool) -> None:
        self._driver, self._addressed = driver, addressed
        self.stamps: Mapping[str, object] = {}
        #: Whether it has waited for others at all: before that no run ends for want of time.
        self.has_watched = False
        self._pause_s = POLL_S
        self._look_s = 0.0
        #: Since when something could be done by another node, and is not.
        self._still_since: float | None = None
        self._late_s = JITTER_S * driver.jitter()

    def looked(self, took_s: float) -> None:
        """Take note of how long a look took."""
        self._look_s = max(self._look_s, took_s)

    def progressed(self) -> None:
        """Look more often again: something has come about."""
        self._pause_s = POLL_S

    def reset(self) -> None:
        """Forget since when nobody acts: somebody does."""
        self._still_since = None

    def wait(self, goals: Sequence[Goal]) -> Ended:
        """Wait until the next look is due, or there is a reason for one."""
        now = self._driver.now()
        ours = any(goal.is_ours for goal in goals)
        undone = undone_by_others(goals)
        still_s = max(STILL_S, STILL_LOOKS * self._look_s)
        # Who looks after another has waited for its turn already.
        still_s += _ASKS_S if any(goal.is_looked_after for goal in undone) else self._late_s
        if not undone:
            self._still_since = None  # nobody could act
        elif self._still_since is None:
            self._still_since = now
        act_at = None if self._still_since is None else self._still_since + still_s
        until = now + (self._pause_s if ours else still_s)
        until = until if act_at is None else min(until, act_at)
        self._pause_s = min(1.5 * self._pause_s, _SLOWEST_POLL_S)
        self.has_watched |= not all(goal.is_ours for goal in goals)
        while self._driver.now() < until:
            self._driver.sleep(_STAT_S)
            if not self._addressed and self._driver.stamps() != self.stamps:
                self._still_since = act_at = None
                if not ours:
                    return Ended.MOVED
        return Ended.DUE if act_at is None or self._driver.now() < act_at else Ended.UNDONE

    def let_others_finish(self) -> None:
        """Wait until the files are still for a moment: who writes one thing may write another."""
        until = self._driver.now() + _MOVING_S
        before = self._driver.stamps()
        while self._driver.now() < until:
            self._driver.sleep(_PAUSED_S)
            now = self._driver.stamps()
            if now == before:
                return
            before = now

    def look_after(self, goals: Sequence[Goal]) -> bool:
        """Look as their actor does at what nobody does: it may rightly wait for a third node.

        Return whether that had been done before: then it may be acted for the others.
        """
        undone = undone_by_others(goals)
        unsure = [g for g in undone if not g.is_looked_after and _kinds(g.plan.needs) - CHEAP]
        for goal in unsure:
            goal.is_looked_after, self._still_since, self.has_watched = True, None, False
        return not unsure


def undone_by_others(goals: Sequence[Goal]) -> list[Goal]:
    """Return the goals with a step that another node could carry out now."""
    return [goal for goal in goals if goal.step and not goal.is_ours]


def _kinds(facets: Collection[Facet]) -> set[str]:
    return {facet.kind for facet in facets}
