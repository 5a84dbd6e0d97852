"""Evaluate whether what Consul shows may be believed: facts and the time in, a verdict out. Pure.

*blind*: nothing is decided, all clocks stop. *fresh*: what the watches show is so; for how long
nothing may be begun after a disturbance (facts.md#K-6.4) is the fleet mode's to decide.
*wiped*: blind, and Consul has lost what this pool had written there; an operator decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from salt_gluster.errors import ConsulError
from salt_gluster.model import LEASE


class ViewState(str, Enum):
    """What the view is worth."""

    FRESH = "fresh"
    BLIND = "blind"
    WIPED = "wiped"


class Canary(str, Enum):
    """What reading the canary gave."""

    SEEN = "seen"
    ABSENT = "absent"
    UNREAD = "unread"


@dataclass(frozen=True)
class ProbeFacts:
    """What was learned, never judged. Times are those of one monotonic clock.

    heartbeat_at      when the last good session renewal was *sent*; None before the first
    heartbeat_error   why the last one failed, "" if it did not
    canary            and ``canary_error``, why it could not be read
    marker            this machine has read the canary before
    own_agent         the name of our agent is in the catalog; None = could not be asked
    leader            Consul's own leader (address); "" = none
    regressions       how often an index went back, so far
    trust_s           how long a good heartbeat is believed
    cannot_look       why a leader could not look for itself, "" if it could: it must not lead
    """

    heartbeat_at: float | None = None
    heartbeat_error: str = ""
    canary: Canary = Canary.UNREAD
    canary_error: str = ""
    marker: bool = False
    own_agent: bool | None = None
    leader: str = ""
    regressions: int = 0
    trust_s: float = LEASE.trust_s
    cannot_look: str = ""


@dataclass(frozen=True)
class ViewVerdict:
    """The verdict, and what the next one is compared with.

    ``reread`` tells the watches to read in full, without index.
    """

    state: ViewState = ViewState.BLIND
    why: str = "Consul has not been asked yet"
    since: float = 0.0
    reread: bool = False
    leader: str = ""
    regressions: int = 0

    @property
    def is_fresh(self) -> bool:
        """Whether what the watches show may be believed."""
        return self.state is ViewState.FRESH


def _heartbeat(facts: ProbeFacts, now: float) -> str:
    if facts.heartbeat_at is None:
        return facts.heartbeat_error or "no heartbeat has gone through yet"
    age_s = now - facts.heartbeat_at
    if age_s < facts.trust_s:
        return ""
    because = f" ({facts.heartbeat_error})" if facts.heartbeat_error else ""
    return f"the last heartbeat went through {age_s:.0f} s ago{because}"


def _canary(facts: ProbeFacts, now: float) -> str:
    if facts.canary is Canary.SEEN:
        return ""
    if facts.canary is Canary.UNREAD:
        return f"the canary could not be read: {facts.canary_error or 'not asked yet'}"
    return "there is no canary: no node of this pool is registered yet, or the token lacks a right"


def _own_agent(facts: ProbeFacts, now: float) -> str:
    if facts.own_agent is None:
        return "the catalog could not be asked for our own agent"
    return "" if facts.own_agent else "our own agent is not in the catalog"


def _wiped(facts: ProbeFacts, now: float) -> str:
    gone = facts.canary is Canary.ABSENT and facts.marker
    return "the canary that this machine has seen before is gone" if gone else ""


#: The rows in order: what spoils the view, and which verdict it gives. The first with a why wins.
GATES: tuple[tuple[str, ViewState, Callable[[ProbeFacts, float], str]], ...] = (
    ("heartbeat", ViewState.BLIND, _heartbeat),
    ("wiped", ViewState.WIPED, _wiped),
    ("canary", ViewState.BLIND, _canary),
    ("own_agent", ViewState.BLIND, _own_agent),
    ("cannot_look", ViewState.BLIND, lambda facts, now: facts.cannot_look),
)


def evaluate(facts: ProbeFacts, before: ViewVerdict, now: float) -> ViewVerdict:
    """Return what the view is worth now. ``before`` is the last verdict."""
    leader = facts.leader or before.leader
    memory = {"leader": leader, "regressions": facts.regressions}
    for _, state, gate in GATES:
        if why := gate(facts, now):
            since = before.since if before.state is state else now
            return ViewVerdict(state, why, since, **memory)  # type: ignore[arg-type]
    disturbed = _disturbed(facts, before)
    since = before.since if before.is_fresh else now
    return ViewVerdict(ViewState.FRESH, disturbed, since, reread=bool(disturbed), **memory)  # type: ignore[arg-type]


def _disturbed(facts: ProbeFacts, before: ViewVerdict) -> str:
    """Return what makes everything be read again, "" for nothing."""
    if not before.is_fresh:
        return f"the view is back; before: {before.why}"
    if facts.leader and before.leader and facts.leader != before.leader:
        return f"Consul changed its leader from {before.leader} to {facts.leader}"
    if facts.regressions > before.regressions:
        return "an index of Consul went back: it was restored or wiped"
    return ""


# --- what an answer means ------------------------------------------------------------------------

#: Kind of a ``ConsulError`` -> what it means, in words. Every kind means: no view.
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
    """Return what an error says about our view of Consul, in words."""
    return ANSWERS.get(error.kind, str(error))
