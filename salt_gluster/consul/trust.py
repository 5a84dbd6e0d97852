"""May I believe what I see? Pure: facts and the time in, a verdict out.

*blind*: nothing is decided, all clocks stop. *settling*: notices, but no act and no clock.
*fresh*: what the watches show is so. *wiped*: blind, and Consul has lost what this pool had written
there; a person decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from salt_gluster.errors import ConsulError

#: A good heartbeat is believed this long; a frozen agent is noticed within this + its time-out.
HEARTBEAT_S = 10.0
#: Rejoining takes up to 33 s, registering again 17 s (facts.md#K-6.4).
SETTLE_S = 60.0


class Sight(str, Enum):
    """What the view is worth."""

    FRESH = "fresh"
    SETTLING = "settling"
    BLIND = "blind"
    WIPED = "wiped"


class Canary(str, Enum):
    """What reading the canary gave."""

    SEEN = "seen"
    ABSENT = "absent"
    UNREAD = "unread"


@dataclass(frozen=True)
class Facts:
    """What was learned, never judged. Times are those of one monotonic clock.

    heartbeat_at      when the last good session renewal was *sent*; None before the first
    heartbeat_error   why the last one failed, "" if it did not
    canary            and ``canary_error``, why it could not be read
    marker            this machine has read the canary before
    own_agent         the name of our agent is in the catalog; None = could not be asked
    leader            Consul's own leader (address); "" = none
    regressions       how often an index went back, so far
    """

    heartbeat_at: float | None = None
    heartbeat_error: str = ""
    canary: Canary = Canary.UNREAD
    canary_error: str = ""
    marker: bool = False
    own_agent: bool | None = None
    leader: str = ""
    regressions: int = 0


@dataclass(frozen=True)
class Gate:
    """The verdict, and what the next one is compared with.

    ``reread`` tells the watches to read in full, without index. ``until`` ends the settling.
    """

    sight: Sight = Sight.BLIND
    why: str = "Consul has not been asked yet"
    since: float = 0.0
    until: float = 0.0
    reread: bool = False
    leader: str = ""
    regressions: int = 0

    @property
    def may_notice(self) -> bool:
        """Whether changes may be told to people."""
        return self.sight in (Sight.FRESH, Sight.SETTLING)

    @property
    def may_act(self) -> bool:
        """Whether clocks run and something may be begun."""
        return self.sight is Sight.FRESH


def _heartbeat(facts: Facts, now: float) -> str:
    if facts.heartbeat_at is None:
        return facts.heartbeat_error or "no heartbeat has gone through yet"
    age_s = now - facts.heartbeat_at
    if age_s < HEARTBEAT_S:
        return ""
    because = f" ({facts.heartbeat_error})" if facts.heartbeat_error else ""
    return f"the last heartbeat went through {age_s:.0f} s ago{because}"


def _canary(facts: Facts, now: float) -> str:
    if facts.canary is Canary.SEEN:
        return ""
    if facts.canary is Canary.UNREAD:
        return f"the canary could not be read: {facts.canary_error or 'not asked yet'}"
    return "there is no canary: no node of this pool is registered yet, or the token lacks a right"


def _own_agent(facts: Facts, now: float) -> str:
    if facts.own_agent is None:
        return "the catalog could not be asked for our own agent"
    return "" if facts.own_agent else "our own agent is not in the catalog"


def _wiped(facts: Facts, now: float) -> str:
    gone = facts.canary is Canary.ABSENT and facts.marker
    return "the canary that this machine has seen before is gone" if gone else ""


#: The rows in order: what forbids sight, and which verdict it gives. The first that says why wins.
GATES: tuple[tuple[str, Sight, Callable[[Facts, float], str]], ...] = (
    ("heartbeat", Sight.BLIND, _heartbeat),
    ("wiped", Sight.WIPED, _wiped),
    ("canary", Sight.BLIND, _canary),
    ("own_agent", Sight.BLIND, _own_agent),
)


def judge(facts: Facts, before: Gate, now: float) -> Gate:
    """Return what the view is worth now. ``before`` is the last verdict, at first ``Gate()``."""
    leader = facts.leader or before.leader
    memory = {"leader": leader, "regressions": facts.regressions}
    for _, sight, gate in GATES:
        if why := gate(facts, now):
            since = before.since if before.sight is sight else now
            return Gate(sight, why, since, **memory)  # type: ignore[arg-type]
    disturbed = _disturbed(facts, before)
    if disturbed:
        until = now + SETTLE_S
        since = before.since if before.sight is Sight.SETTLING else now
        return Gate(Sight.SETTLING, disturbed, since, until, reread=True, **memory)  # type: ignore[arg-type]
    if before.sight is Sight.SETTLING and now < before.until:
        return Gate(Sight.SETTLING, before.why, before.since, before.until, **memory)  # type: ignore[arg-type]
    since = before.since if before.sight is Sight.FRESH else now
    return Gate(Sight.FRESH, "", since, **memory)  # type: ignore[arg-type]


def _disturbed(facts: Facts, before: Gate) -> str:
    """What makes everything be read again and the clocks wait, "" for nothing."""
    if not before.may_notice:
        return f"sight regained; before: {before.why}"
    if facts.leader and before.leader and facts.leader != before.leader:
        return f"Consul changed its leader from {before.leader} to {facts.leader}"
    if facts.regressions > before.regressions:
        return "an index of Consul went back: it was restored or wiped"
    return ""


# --- what an answer means ------------------------------------------------------------------------

#: Kind of a ``ConsulError`` -> what a person is told. Every kind means: no sight.
ANSWERS: dict[str, str] = {
    "unreachable": "no Consul agent answers",
    "timeout": "the Consul agent does not answer in time",
    "cut_off": "the Consul agent cut the connection",
    "server_error": "Consul failed",
    "no_leader": "Consul has no leader",
    "stale": "Consul's answers are too old",
    "forbidden": "the token lacks a right",
    "not_found": "Consul does not know our session any more",
    "session_gone": "Consul does not know our session any more",
    "unreadable": "what answers is no Consul agent",
    "too_big": "Consul refused the size of what was sent",
    "refused": "Consul refused the request",
    "conflict": "another one was faster",
    "no_library": "no client library for Consul is installed",
}


def meaning(error: ConsulError) -> str:
    """Return what an error says about our sight, in words."""
    return ANSWERS.get(error.kind, str(error))
