"""When a node looked, by the clock of who reads its report: no node's own clock decides it. Pure.

A report names the leader's heartbeat that stood in Consul before its node looked, and it was read
at some time: the look lies between the two. The node's own time counts only where it does, too. A
report of a node whose clock is an hour ahead or back is as old as that heartbeat, never younger
than it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from salt_gluster.model import NodeFacts, Unknown

#: The look of a report whose age nobody can tell: before everything.
NEVER = 0.0
#: A clock that is no more ahead than this is right.
AHEAD_S = 5.0


@dataclass(frozen=True)
class LeaderTime:
    """The reader's ``now``, and the ``leader``'s time at that moment: for itself they are one.

    Another reader has the leader's last heartbeat alone, written up to ``late_s`` before its now.
    """

    leader: str
    now: float
    leader_now: float
    late_s: float = 0.0


def look_time(report: Mapping[str, Any], time: LeaderTime, asked_at: float = NEVER) -> float:
    """Return when its node looked, at the earliest; ``NEVER`` where that is not known.

    ``asked_at``: the reader had asked for this report then.
    """
    own, after = float(report["at"]), report.get("after")
    earliest: float | None = asked_at or None
    if isinstance(after, Mapping):
        at = after.get("at")
        known = after.get("by") == time.leader and isinstance(at, int | float)
        if known and 0 <= float(at) <= time.leader_now:  # type: ignore[arg-type]
            since = time.now - (time.leader_now - float(at))  # type: ignore[arg-type]
            earliest = max(since, asked_at)
        elif earliest is None:
            return NEVER
    if own > time.now + AHEAD_S or own < (earliest or NEVER) - time.late_s:
        return earliest or NEVER
    return min(own, time.now)


def by_our_clock(facts: NodeFacts | Unknown, looked: float) -> NodeFacts | Unknown:
    """Return a node's facts with all their times by the reader's clock.

    Where it is not known when it looked only that is said: the others stay its own.
    """
    if isinstance(facts, Unknown) or looked == facts.at:
        return facts
    if looked == NEVER:
        return replace(facts, at=NEVER)
    ahead_s = facts.at - looked
    started, changes = facts.glusterd_started, facts.changes
    if isinstance(started, int | float) and not isinstance(started, bool):
        started = started - ahead_s
    if not isinstance(changes, Unknown):
        changes = tuple(replace(change, at=change.at - ahead_s) for change in changes)
    return replace(facts, at=looked, glusterd_started=started, changes=changes)
