"""The one table of every event we fire, its tag, its id and its payload. Nothing else is fired.

*Notices* tell operators and their reactors what has changed. A *request* asks one executor to look
at an operation, or the master to admit a node to Consul; it carries nothing to obey. The table is
printed into ``docs/events.md``. Nothing is sent from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from salt_gluster.errors import GlusterError
from salt_gluster.model import digest_of

#: Raised when a key of the payload changes its meaning.
SCHEMA = 1
PREFIX = "salt/gluster"


class UnknownEvent(GlusterError):
    """An event that is not in the table was to be fired: a bug."""

    default_kind = "unknown_event"


class Severity(str, Enum):
    """How urgent. ``page`` wakes the operator on duty."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"
    PAGE = "page"


@dataclass(frozen=True)
class Event:
    """One row. ``clears`` are the alarms of the same subject that it ends."""

    subject: str
    name: str
    severity: Severity
    means: str
    clears: tuple[str, ...] = ()
    is_request: bool = False
    #: For an alarm that nothing clears: why that is right.
    stays: str = ""


_I, _W, _C, _P = Severity.INFO, Severity.WARNING, Severity.CRITICAL, Severity.PAGE
_ENDED = "an operation that ended stays ended; the next one has its own id"

_ROWS = (
    Event("node", "joined", _I, "it is in Consul's catalog", ("left",)),
    Event("node", "left", _P, "it was taken out of Consul's catalog on purpose"),
    Event("node", "suspect", _W, "one witness says it is not there"),
    Event("node", "down", _C, "Consul and gluster say so, unbroken, for down_after_s"),
    Event("node", "gone", _P, "it was down, unbroken, for gone_after_s; replacing it is proposed"),
    Event("node", "returning", _I, "both witnesses see it again; it has to stay"),
    Event("node", "up", _I, "it is whole again",
          ("suspect", "down", "gone", "flapping", "partitioned", "hung", "consul_only",
           "maintenance")),
    Event("node", "flapping", _W, "it came and went too often; it has to stay longer each time"),
    Event("node", "partitioned", _P, "the witnesses contradict each other; nothing is done"),
    Event("node", "hung", _P, "its glusterd is dead or hangs while its bricks serve"),
    Event("node", "consul_only", _W, "only Consul misses it; gluster serves; nothing is done"),
    Event("node", "maintenance", _I, "an operator has put it into maintenance"),
    Event("node", "unwatched", _W,
          "its sensor has ended, or cannot tell Consul anything: what it told last may be old"),
    Event("node", "watched", _I, "its sensor is heard again", ("unwatched",)),
    Event("node", "proposed", _W, "it has registered and a glob means it: it waits for approval",
          stays="accepted or rejected ends it"),
    Event("node", "accepted", _I, "it may be in the pool: its next state.apply takes it in"),
    Event("node", "rejected", _I, "an operator does not want it"),
    Event("node", "contradicted", _C,
          "what stands in Consul of it is not its own word, and counts for nothing"),
    Event("node", "identified", _I, "what stands in Consul of it is its own again",
          ("contradicted",)),
    Event("node", "progress", _I, "a state run there has gone on for a while: how far it is"),
    Event("node", "admit", _I, "request: this node may not write in Consul yet", is_request=True),
    Event("brick", "down", _C, "its process is dead or its port refuses"),
    Event("brick", "failed", _P, "it cannot, or may not any more, be started by automation"),
    Event("brick", "up", _I, "it serves again", ("down", "failed")),
    Event("volume", "degraded", _W, "it serves with a copy less, or with entries to heal"),
    Event("volume", "partial", _C, "a part of it does not serve, or hangs on one copy"),
    Event("volume", "down", _P, "it does not serve"),
    Event("volume", "incomplete", _P, "a brick of it is online without the data"),
    Event("volume", "up", _I, "it is whole again", ("degraded", "partial", "down", "incomplete")),
    Event("volume", "split_brain", _P, "files of it cannot be read: each copy accuses the other"),
    Event("volume", "split_brain_over", _I, "no file of it is in split-brain any more",
          ("split_brain",)),
    Event("volume", "full_soon", _W, "less than 10 % of its fullest set is free"),
    Event("volume", "full", _P, "a set of it is full: writes fail"),
    Event("volume", "room_back", _I, "its fullest set has room again", ("full_soon", "full")),
    Event("cluster", "view_lost", _C, "what is seen cannot be believed: nothing is decided"),
    Event("cluster", "view_restored", _I, "what is seen can be believed again", ("view_lost",)),
    Event("cluster", "consul_degraded", _W,
          "a server of Consul is not well, or stores nothing; the others go on"),
    Event("cluster", "consul_whole", _I, "that server is well again", ("consul_degraded",)),
    Event("cluster", "ends_soon", _W,
          "a certificate of Consul ends within 30 days, has ended, or does not count yet"),
    Event("cluster", "renewed", _I, "that certificate is another one", ("ends_soon",)),
    Event("cluster", "went_back", _C,
          "Consul is an older one: restored or wiped; nothing is begun until nodes submit again"),
    Event("cluster", "caught_up", _I, "the nodes have submitted again, or an operator takes note",
          ("went_back",)),
    Event("cluster", "storm", _P, "too many nodes are not healthy: nothing is done"),
    Event("cluster", "calm", _I, "the storm is over", ("storm",)),
    Event("cluster", "held", _W, "an operator holds the pool, or the hold cannot be read"),
    Event("cluster", "released", _I, "the hold is gone", ("held",)),
    Event("cluster", "config_changed", _I, "its configuration is another: a version was stored"),
    Event("cluster", "overwritten", _C,
          "a node came back, and its definitions replaced the pool's; nothing is done"),
    Event("cluster", "config_restored", _I, "it is as it was before, or an operator has taken note",
          ("overwritten",)),
    Event("remediation", "proposed", _P, "it waits for an operator's approval",
          stays="approved, rejected or closed ends it"),
    Event("remediation", "approved", _I, "an operator approved it"),
    Event("remediation", "rejected", _I, "rejected by an operator: not done, nor proposed again"),
    Event("remediation", "would_act", _I, "it would have acted; the mode is observe"),
    Event("remediation", "started", _I, "its intent is written"),
    Event("remediation", "execute", _I, "an executor is asked to look", is_request=True),
    Event("remediation", "done", _I, "the executor did it; it is being verified"),
    Event("remediation", "repaired", _I, "it is verified", ("refused", "frozen")),
    Event("remediation", "refused", _W, "a guard says no; every reason is told", stays=_ENDED),
    Event("remediation", "failed", _W, "it was tried and did not help", stays=_ENDED),
    Event("remediation", "lost", _W, "no node did it in time; nothing has changed", stays=_ENDED),
    Event("remediation", "frozen", _P, "its effect is not known: an operator has to look"),
    Event("remediation", "closed", _I, "acknowledged by an operator, or given up", ("frozen",)),
    Event("remediation", "resumed", _I, "another engine carries it on"),
)  # fmt: skip

EVENTS: Mapping[tuple[str, str], Event] = {(e.subject, e.name): e for e in _ROWS}


def event(subject: str, name: str) -> Event:
    """Return the row, or raise ``UnknownEvent``."""
    try:
        return EVENTS[subject, name]
    except KeyError:
        raise UnknownEvent(f"there is no event {subject}/{name} in the table") from None


def tag(cluster: str, subject: str, name: str, event_name: str) -> str:
    """Return ``salt/gluster/<cluster>/<subject>/<name>/<event>``: six parts, whatever the names."""
    event(subject, event_name)
    parts = (part.replace("/", ":") or "-" for part in (cluster, subject, name, event_name))
    return "/".join((PREFIX, *parts))


def event_id(cluster: str, subject: str, uuid: str, name: str, version: int) -> str:
    """Return the id: the same for the same change of the same snapshot, also after a crash."""
    return digest_of([cluster, subject, uuid, name, version])


@dataclass(frozen=True)
class Notice:
    """One change to be announced. ``uuid`` is its stable identity, ``name`` its name for operators.

    ``page`` raises the severity of the table. ``witnesses`` are rows of source, says, at.
    """

    subject: str
    uuid: str
    name: str
    event: str
    state: str = ""
    previous: str = ""
    since: float | None = None
    why: str = ""
    impact: str = ""
    suggest: tuple[str, ...] = ()
    witnesses: tuple[Mapping[str, Any], ...] = ()
    correlation_id: str = ""
    page: bool = False
    repeat: int = 0
    details: Mapping[str, Any] = field(default_factory=dict)


def payload(
    cluster: str, notice: Notice, version: int, now: float, *, consul_index: int = 0,
    origin: str = "", policy: str = "",
) -> dict[str, Any]:  # fmt: skip
    """Return what is fired: ``{"tag": …, "data": …}``, plain data; raises ``UnknownEvent``."""
    row = event(notice.subject, notice.event)
    data = {
        "schema": SCHEMA,
        "id": event_id(cluster, notice.subject, notice.uuid, notice.event, version),
        "cluster": cluster,
        "ts": now,
        "subject": notice.subject,
        "name": notice.name,
        "uuid": notice.uuid,
        "event": notice.event,
        "severity": (_P if notice.page else row.severity).value,
        "state": notice.state,
        "previous": notice.previous,
        "since": notice.since,
        "class": "request" if row.is_request else "notice",
        "why": notice.why,
        "clears": list(row.clears),
        "witnesses": [dict(w) for w in notice.witnesses],
        "impact": notice.impact,
        "suggest": list(notice.suggest),
        "policy": policy,
        "correlation_id": notice.correlation_id,
        "repeat": notice.repeat,
        "consul_index": consul_index,
        "origin": origin,
        "details": dict(notice.details),
    }
    return {"tag": tag(cluster, notice.subject, notice.name, notice.event), "data": data}


def request(cluster: str, operation: str, minion: str, now: float) -> dict[str, Any]:
    """Return the request to execute: an id and a delivery address, nothing to obey."""
    where = ("remediation", operation, "execute")
    return _request(cluster, where, operation, now, operation=operation, minion=minion)


def admission(cluster: str, minion: str, uuid: str, now: float) -> dict[str, Any]:
    """Return a node's request to be admitted to Consul; Salt says which node, not this data."""
    return _request(cluster, ("node", minion, "admit"), uuid, now, uuid=uuid)


def progress(cluster: str, minion: str, text: str, now: float) -> dict[str, Any]:
    """Return how far a state run of a node is; it is fired again as long as the run goes on."""
    subject, event = "node", "progress"
    data = {
        "schema": SCHEMA,
        "id": event_id(cluster, subject, minion, event, int(now)),
        "class": "notice",
        "cluster": cluster,
        "ts": now,
        "subject": subject,
        "name": minion,
        "event": event,
        "severity": EVENTS[subject, event].severity.value,
        "state": text,
    }
    return {"tag": tag(cluster, subject, minion, event), "data": data}


def _request(
    cluster: str, where: tuple[str, str, str], about: str, now: float, **data: str
) -> dict[str, Any]:
    subject, name, event = where
    common = {
        "schema": SCHEMA,
        "id": event_id(cluster, subject, about, event, 0),
        "class": "request",
        "cluster": cluster,
        "ts": now,
    }
    return {"tag": tag(cluster, subject, name, event), "data": {**common, **data}}


def printed() -> str:
    """Return the page ``docs/events.md``."""
    lines = [
        "# Events",
        "",
        "Printed from `salt_gluster/remediation/salt_events.py` by"
        " `python tests/support/printed.py`.",
        "",
        f"Tag `{PREFIX}/<cluster>/<subject>/<name>/<event>`: always six parts, a slash in a name",
        "becomes `:`. Only changes are fired. A change keeps its `id` when it is fired again.",
        "",
        "| subject | event | severity | what has happened | all-clear of |",
        "|---|---|---|---|---|",
    ]
    for row in _ROWS:
        ends = ", ".join(row.clears)
        lines.append(
            f"| {row.subject} | {row.name} | {row.severity.value} | {row.means} | {ends} |"
        )
    return "\n".join([*lines, ""])
