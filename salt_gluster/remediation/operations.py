"""The life cycle of an operation: one table, and what is stored of it.

An operation is written by the engine alone; its intent is the first write. The executor writes what
it did into an outcome of its own. An engine that takes over goes on from the table; nothing is done
twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from enum import Enum
from typing import Any

from salt_gluster.errors import Unreadable
from salt_gluster.model import brick_at, digest_of, read_as
from salt_gluster.remediation.state_machine import Ignored, Row, Table

#: Raised when a key of the stored operation changes its meaning.
SCHEMA = 1


class Life(str, Enum):
    """Where an operation stands. ``proposals/`` has the first four, ``operations/`` the rest."""

    PLANNED = "planned"
    WAITING = "waiting"
    APPROVED = "approved"
    CLOSED = "closed"
    INTENT = "intent"
    ISSUED = "issued"
    APPLIED = "applied"
    VERIFYING = "verifying"
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    LOST = "lost"
    FROZEN = "frozen"


class Happened(str, Enum):
    """What can happen to an operation."""

    MODE_OBSERVE = "mode_observe"
    MODE_PROPOSE = "mode_propose"
    MODE_ACT = "mode_act"
    APPROVE = "approve"
    REJECT = "reject"
    EXPIRE = "expire"
    LAPSE = "lapse"
    TICK = "tick"
    TOLD_ISSUED = "told_issued"
    TOLD_APPLIED = "told_applied"
    TOLD_REFUSED = "told_refused"
    TOLD_FAILED = "told_failed"
    SEEN_DONE = "seen_done"
    SEEN_UNDONE = "seen_undone"
    SEEN_NEITHER = "seen_neither"
    HEALED = "healed"
    TARGET_LOST = "target_lost"
    STALLED = "stalled"
    TAKEN_OVER = "taken_over"
    ACKNOWLEDGE = "acknowledge"


_L, _H = Life, Happened
#: The operator that rejected or approved a proposal, in its evidence, and when the latter was.
REJECTED_BY = "rejected_by"
APPROVED_BY, APPROVED_AT = "approved_by", "approved_at"
#: Between the intent and the moment its effect was seen: nothing else may be begun (I5).
UNDER_WAY = (_L.INTENT, _L.ISSUED)
#: Not ended yet: it wants a look at every tick.
OPEN = (*UNDER_WAY, _L.APPLIED, _L.VERIFYING, _L.FROZEN)
ENDED = (_L.CLOSED, _L.DONE, _L.REFUSED, _L.FAILED, _L.LOST)
#: Ends of an attempt that may have touched the pool: they use up the budget.
SPENT = (*OPEN, _L.DONE, _L.FAILED, _L.LOST)
_PROPOSALS = (_L.PLANNED, _L.WAITING, _L.APPROVED)
_SEEN = (_H.SEEN_DONE, _H.SEEN_UNDONE, _H.SEEN_NEITHER)
_REPORTED = (_H.TOLD_ISSUED, _H.TOLD_APPLIED, _H.TOLD_REFUSED, _H.TOLD_FAILED)
_WORDS = (_H.MODE_OBSERVE, _H.MODE_PROPOSE, _H.MODE_ACT, _H.APPROVE, _H.REJECT,
          _H.EXPIRE, _H.LAPSE)  # fmt: skip

LIFE: Table[Life, Happened, None] = Table(
    "operation",
    Life,
    Happened,
    (
        Row("R2", (_L.PLANNED,), _H.MODE_OBSERVE, "", "would_act", _L.CLOSED,
            "the mode is observe: it is only told"),
        Row("R3", (_L.PLANNED,), _H.MODE_PROPOSE, "", "proposed", _L.WAITING,
            "the mode is propose: an operator decides"),
        Row("R4", (_L.WAITING,), _H.APPROVE, "", "approved", _L.APPROVED,
            "an operator approved this very proposal"),
        Row("R4n", (_L.WAITING, _L.APPROVED), _H.REJECT, "", "rejected", _L.CLOSED,
            "an operator rejected it"),
        Row("R4e", (_L.WAITING, _L.APPROVED), _H.EXPIRE, "", "closed", _L.CLOSED,
            "its conditions ended a day ago"),
        Row("R4l", (_L.WAITING, _L.APPROVED), _H.LAPSE, "", "closed", _L.CLOSED,
            "what it was shown with is not so any more"),
        Row("R5", (_L.PLANNED,), _H.MODE_ACT, "", "started", _L.INTENT,
            "decided twice, every guard says yes"),
        Row("R5a", (_L.APPROVED,), _H.MODE_ACT, "", "started", _L.INTENT,
            "approved, and every guard still says yes"),
        Row("R15a", _PROPOSALS[:1], _H.TAKEN_OVER, "", "", _L.CLOSED,
            "another engine decides anew"),
        Row("R6i", (_L.INTENT,), _H.TOLD_ISSUED, "", "", _L.ISSUED,
            "its executor has begun"),
        Row("R6", UNDER_WAY, _H.TOLD_APPLIED, "", "done", _L.APPLIED,
            "its executor did it and read it back"),
        Row("R7", UNDER_WAY, _H.TOLD_REFUSED, "", "refused", _L.REFUSED,
            "its executor sees a reason against it; nothing was done"),
        Row("R8", UNDER_WAY, _H.TOLD_FAILED, "", "failed", _L.FAILED,
            "the command did not help, and nothing has changed"),
        Row("R9", UNDER_WAY, _H.SEEN_DONE, "", "done", _L.APPLIED,
            "no outcome was told, but what it wanted is so: it is taken as done"),
        Row("R10", UNDER_WAY, _H.SEEN_UNDONE, "", "lost", _L.LOST,
            "no outcome was told, and everything is as before: it is forgotten"),
        Row("R11", UNDER_WAY, _H.SEEN_NEITHER, "", "frozen", _L.FROZEN,
            "its effect is not known: an operator has to look"),
        Row("R15b", UNDER_WAY, _H.TAKEN_OVER, "", "resumed", None,
            "its outcome is waited for, never begun again"),
        Row("R12", (_L.APPLIED,), _H.TICK, "", "", _L.VERIFYING,
            "the cooldown runs from when it was seen applied"),
        Row("R13", (_L.APPLIED, _L.VERIFYING), _H.HEALED, "", "repaired", _L.DONE,
            "reached from another member, and nothing is left to heal, three times"),
        Row("R14t", (_L.APPLIED, _L.VERIFYING), _H.TARGET_LOST, "", "failed", _L.FAILED,
            "the brick went down again before it was healed"),
        Row("R14", (_L.APPLIED, _L.VERIFYING), _H.STALLED, "", "frozen", _L.FROZEN,
            "it does not get better: an operator has to look before anything else is done"),
        Row("R15c", (_L.APPLIED, _L.VERIFYING), _H.TAKEN_OVER, "", "resumed", _L.VERIFYING,
            "verifying carries on from the start"),
        Row("R16", (_L.FROZEN,), _H.ACKNOWLEDGE, "", "closed", _L.CLOSED,
            "an operator has looked"),
    ),
    (
        Ignored((_L.PLANNED,),
                (_H.APPROVE, _H.REJECT, _H.EXPIRE, _H.LAPSE, _H.TICK, _H.ACKNOWLEDGE),
                "a plan is only a thought: it is planned again at every tick"),
        Ignored((_L.WAITING,),
                (_H.MODE_OBSERVE, _H.MODE_PROPOSE, _H.MODE_ACT, _H.TICK, _H.ACKNOWLEDGE),
                "only its approval, or its end, moves it"),
        Ignored((_L.APPROVED,),
                (_H.MODE_OBSERVE, _H.MODE_PROPOSE, _H.APPROVE, _H.TICK, _H.ACKNOWLEDGE),
                "it waits for its guards"),
        Ignored((_L.WAITING, _L.APPROVED), (_H.TAKEN_OVER,), "an operator's decision stays"),
        Ignored(_PROPOSALS, (*_REPORTED, *_SEEN, _H.HEALED, _H.TARGET_LOST, _H.STALLED),
                "no executor was asked to do it: such an outcome is forged or a mistake"),
        Ignored((*OPEN, *ENDED), _WORDS, "the intent is written: words about proposals are late"),
        Ignored(UNDER_WAY, (_H.TICK, _H.ACKNOWLEDGE), "its outcome is not due yet"),
        Ignored(UNDER_WAY, (_H.HEALED, _H.TARGET_LOST, _H.STALLED),
                "verifying begins when it was seen applied"),
        Ignored((_L.ISSUED,), (_H.TOLD_ISSUED,), "told twice"),
        Ignored((_L.APPLIED, _L.VERIFYING), (*_REPORTED, *_SEEN), "a late or doubled outcome"),
        Ignored((_L.VERIFYING,), (_H.TICK,), "it goes on"),
        Ignored((_L.APPLIED, _L.VERIFYING), (_H.ACKNOWLEDGE,),
                "what an operator acknowledges here is the cooldown"),
        Ignored((_L.FROZEN,), (_H.TICK, *_REPORTED, *_SEEN, _H.HEALED, _H.TARGET_LOST, _H.STALLED,
                               _H.TAKEN_OVER), "only an operator ends this"),
        Ignored(ENDED, (_H.TICK, *_REPORTED, *_SEEN, _H.HEALED, _H.TARGET_LOST, _H.STALLED,
                        _H.TAKEN_OVER, _H.ACKNOWLEDGE), "it has ended"),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Operation:
    """One episode. ``node`` is the uuid of the target's node, ``brick`` HOST:PATH.

    ``executor`` is the only minion that may carry it out. ``at`` is when the intent was written,
    by its writer's clock; ``applied_at`` when its effect was seen. ``epoch`` is the fencing token.
    ``policy`` is the digest of the policy under which it was decided, ``starts`` are all bricks
    that its command starts, as they were then: an approval is of both.
    """

    id: str
    action: str
    rung: int
    volume: str
    volume_id: str
    brick: str
    node: str
    executor: str
    epoch: int
    state: Life
    at: float
    deadline: float
    incident: float
    attempt: int
    changed: float = 0.0
    applied_at: float | None = None
    why: str = ""
    reasons: tuple[str, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)
    policy: str = ""
    starts: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Return the path of its brick on its node."""
        return brick_at(self.brick)[1]

    @property
    def is_open(self) -> bool:
        """Whether it is not ended: the engine looks at it at every tick."""
        return self.state in OPEN

    @property
    def is_rejected(self) -> bool:
        """Whether an operator rejected it."""
        return self.state is Life.CLOSED and REJECTED_BY in self.evidence

    @property
    def approved_by(self) -> str:
        """The operator that approved it; "" = none did, the policy decided."""
        return str(self.evidence.get(APPROVED_BY) or "")

    def to_data(self) -> dict[str, Any]:
        """Return plain data for the store."""
        lists = {"reasons": list(self.reasons), "starts": list(self.starts)}
        return {**asdict(self), **lists, "state": self.state.value, "schema": SCHEMA}


@dataclass(frozen=True)
class ExecutionReport:
    """What an executor says of an operation; ``state`` is issued, applied, refused or failed."""

    id: str
    node: str
    state: Life
    at: float
    reasons: tuple[str, ...] = ()

    def to_data(self) -> dict[str, Any]:
        """Return plain data for the store."""
        data = asdict(self)
        return {**data, "state": self.state.value, "reasons": list(self.reasons), "schema": SCHEMA}


def operation_from(data: Mapping[str, Any]) -> Operation:
    """Return a stored operation; raises ``Unreadable``, also for another schema."""
    operation: Operation = _read(data, Operation, "operation")
    if ":" not in operation.brick:
        raise Unreadable(f"the operation has a brick without a host: {operation.brick[:60]}")
    return operation


def outcome_from(data: Mapping[str, Any]) -> ExecutionReport:
    """Return a stored outcome; raises ``Unreadable``, also for another schema."""
    report: ExecutionReport = _read(data, ExecutionReport, "outcome")
    return report


def _read(data: Any, kind: Any, what: str) -> Any:
    if not isinstance(data, Mapping):
        raise Unreadable(f"the {what} is no document")
    if data.get("schema") != SCHEMA:
        raise Unreadable(f"the {what} has schema {str(data.get('schema'))[:20]}, we know {SCHEMA}")
    missing = [f.name for f in fields(kind) if f.name not in data]
    if missing:
        raise Unreadable(f"the {what} has no {', '.join(missing)}")
    return read_as(kind, data, f"the {what}")


def operation_id(
    cluster: str, node: str, brick: str, rung: int, incident: float, attempt: int
) -> str:
    """Return the id: two engines that decide the same thing compute the same one."""
    return digest_of([cluster, node, brick, rung, incident, attempt])


#: What an outcome in an executor's words is to the operation.
TOLD = {
    Life.ISSUED: Happened.TOLD_ISSUED,
    Life.APPLIED: Happened.TOLD_APPLIED,
    Life.REFUSED: Happened.TOLD_REFUSED,
    Life.FAILED: Happened.TOLD_FAILED,
}


@dataclass(frozen=True)
class Moved:
    """An operation after an event; ``action`` is the event to fire, "" = none."""

    operation: Operation
    action: str
    why: str
    row: str


def moved(op: Operation, event: Happened, now: float, reasons: tuple[str, ...] = ()) -> Moved:
    """Return the operation after ``event``. The same operation where nothing happens."""
    turn = LIFE.turn(op.state, event, None)
    if turn.state is op.state:
        return Moved(op, turn.action, turn.why, turn.row)
    applied = now if turn.state is Life.APPLIED else op.applied_at
    after = replace(
        op, state=turn.state, changed=now, why=turn.why, applied_at=applied,
        reasons=reasons or op.reasons,
    )  # fmt: skip
    return Moved(after, turn.action, turn.why, turn.row)


def resume(op: Operation, now: float) -> Moved:
    """Return the operation as a new holder of the lock finds it (R15): it never acts again."""
    return moved(op, Happened.TAKEN_OVER, now)
