"""Follow the operations under way: outcomes reported, read back, verified, overdue.

Nothing is begun here. Each operation moves by its table (``operations.py``), by one event a tick.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from salt_gluster.model import Brick, Observation, Ref, Unknown, Volume, is_known
from salt_gluster.remediation import health
from salt_gluster.remediation.health import BrickEvent
from salt_gluster.remediation.membership import Condition, Signal
from salt_gluster.remediation.observation import FleetObservation, Memory, VerifyProgress, key_of
from salt_gluster.remediation.operations import (
    TOLD,
    UNDER_WAY,
    Happened,
    Life,
    Moved,
    Operation,
    moved,
    resume,
)
from salt_gluster.remediation.policy import Policy
from salt_gluster.remediation.salt_events import Notice

#: The stored state of an operation -> the event that announces it.
TELLS = {
    Life.WAITING: "proposed",
    Life.APPROVED: "approved",
    Life.INTENT: "started",
    Life.APPLIED: "done",
    Life.DONE: "repaired",
    Life.REFUSED: "refused",
    Life.FAILED: "failed",
    Life.LOST: "lost",
    Life.FROZEN: "frozen",
    Life.CLOSED: "closed",
}


@dataclass(frozen=True)
class Followed:
    """Operations to write, how far verifying has come, and what is told of a take-over."""

    updates: tuple[Operation, ...] = ()
    checks: Mapping[str, VerifyProgress] | None = None
    resumed: tuple[Notice, ...] = ()


def followed(
    obs: FleetObservation, policy: Policy, memory: Memory, seen: Mapping[Ref, BrickEvent],
    *, acquired: bool,
) -> Followed:  # fmt: skip
    """Return what happened to every open operation. ``seen`` are this tick's brick events."""
    if isinstance(obs.operations, Unknown):
        return Followed(checks=memory.checks)
    updates, checks, notices = [], {}, []
    for op in sorted(obs.operations.values(), key=lambda o: o.id):
        if not op.is_open:
            continue
        if acquired:
            turn = resume(op, obs.now)
            after = turn.operation
            if turn.action:
                notices.append(_resumed(op, turn, obs.now))
        else:
            check = _checked(obs, policy, op, memory.checks.get(op.id))
            if check is not None:
                checks[op.id] = check
            event, reasons = _happened(obs, policy, op, seen, check)
            after = op if event is None else moved(op, event, obs.now, reasons).operation
        if after is not op:
            updates.append(after)
    return Followed(tuple(updates), checks, tuple(notices))


def _resumed(op: Operation, turn: Moved, now: float) -> Notice:
    """Return the notice of an operation that a new holder of the lock carries on."""
    return Notice(
        "remediation", op.id, op.id, turn.action, turn.operation.state.value, op.state.value, now,
        f"{op.action} {op.brick}: {turn.why}", correlation_id=op.id,
    )  # fmt: skip


def _happened(
    obs: FleetObservation, policy: Policy, op: Operation, seen: Mapping[Ref, BrickEvent],
    check: VerifyProgress | None,
) -> tuple[Happened | None, tuple[str, ...]]:  # fmt: skip
    if op.state is Life.FROZEN:
        looked = obs.last_acknowledged(op.id) > op.changed
        return (Happened.ACKNOWLEDGE if looked else Happened.TICK), ()
    if op.state in UNDER_WAY:
        return _outcome(obs, policy, op, seen)
    if _lost_again(obs, policy, op, seen):
        return Happened.TARGET_LOST, ()
    if check is not None and check.zeros >= policy.zeros:
        return Happened.HEALED, ()
    if check is not None and obs.now - check.progress_at >= policy.stalled_s:
        return Happened.STALLED, ()
    return Happened.TICK, ()


def _outcome(
    obs: FleetObservation, policy: Policy, op: Operation, seen: Mapping[Ref, BrickEvent]
) -> tuple[Happened | None, tuple[str, ...]]:
    report = None if isinstance(obs.outcomes, Unknown) else obs.outcomes.get(op.id)
    final = report is not None and report.node == op.node and report.state in TOLD
    if report is not None and final and TOLD[report.state] is not Happened.TOLD_ISSUED:
        return TOLD[report.state], report.reasons
    overdue_s = obs.now - (op.deadline + policy.settle_s)
    if overdue_s >= 0 and is_known(obs.outcomes):
        now = seen.get(Ref("brick", op.node, op.path), BrickEvent.UNKNOWN)
        if now is BrickEvent.SERVES:
            return Happened.SEEN_DONE, ()
        if now is not BrickEvent.UNKNOWN:
            return Happened.SEEN_UNDONE, ()
        if overdue_s >= policy.stalled_s:
            return Happened.SEEN_NEITHER, ("no witness sees its brick",)
    begun = report is not None and final and op.state is Life.INTENT
    return (Happened.TOLD_ISSUED if begun else None), ()


def _lost_again(
    obs: FleetObservation, policy: Policy, op: Operation, seen: Mapping[Ref, BrickEvent]
) -> bool:
    """Whether the brick is dead by what its node has said since the operation was applied."""
    facts = obs.fresh_facts(op.node, policy)
    if isinstance(facts, Unknown) or facts.at <= (op.applied_at or op.changed):
        return False
    now = seen.get(Ref("brick", op.node, op.path), BrickEvent.UNKNOWN)
    return now in (BrickEvent.DEAD, BrickEvent.DISK, BrickEvent.EXHAUSTED)


# --- verifying -----------------------------------------------------------------------------------


def _checked(
    obs: FleetObservation, policy: Policy, op: Operation, before: VerifyProgress | None
) -> VerifyProgress | None:
    """Return how far verifying has come; None where it has not begun."""
    if op.state is not Life.VERIFYING:
        return None
    check = before or VerifyProgress(since=obs.now, progress_at=obs.now)
    reached = health.port_signal(obs, (op.node, op.path)) is Signal.GOOD
    pending = left_to_heal(obs.pool, op.volume, (op.node, op.path))
    if not reached or isinstance(pending, Unknown):
        return check  # not good, not bad, not zero
    if pending:
        better = check.least is None or pending < check.least
        at = obs.now if better else check.progress_at
        return replace(check, zeros=0, least=min(pending, check.least or pending), progress_at=at)
    if check.zeros and obs.now - check.zero_at < policy.zeros_apart_s:
        return check
    return replace(check, zeros=check.zeros + 1, zero_at=obs.now, least=0, progress_at=obs.now)


def left_to_heal(pool: Observation | Unknown, volume: str, brick: tuple[str, str]) -> int | Unknown:
    """Return the entries that the brick's set still lists; a set of one brick has none."""
    if isinstance(pool, Unknown):
        return pool
    definition = None if isinstance(pool.volumes, Unknown) else pool.volumes.get(volume)
    if not isinstance(definition, Volume):
        return Unknown(f"the volume {volume} is not known")
    for replica_set in definition.sets:
        if brick in [key_of(b) for b in replica_set.bricks]:
            return 0 if len(replica_set.bricks) == 1 else _pending(pool, volume, replica_set.bricks)
    return Unknown(f"{brick[1]} is no brick of {volume}")


def _pending(pool: Observation, volume: str, bricks: tuple[Brick, ...]) -> int | Unknown:
    rows = pool.heal.get(volume, ())
    counts = {} if isinstance(rows, Unknown) else {r.brick: r.pending for r in rows}
    total = 0
    for brick in bricks:
        pending = counts.get(brick.name, Unknown(f"{brick.name} did not count"))
        if isinstance(pending, Unknown):
            return pending
        total += pending
    return total


# --- telling -------------------------------------------------------------------------------------


def announce_operations(
    obs: FleetObservation, conditions: Mapping[Ref, Condition]
) -> tuple[dict[Ref, Condition], tuple[Notice, ...]]:
    """Return the conditions ``Ref("operation", id)`` and the notices of what changed since.

    What is stored is announced, never what is about to be, so that a write that failed
    was never announced and a crash loses nothing.
    """
    before = {k: s for k, s in conditions.items() if k.kind == "operation"}
    if isinstance(obs.operations, Unknown) or isinstance(obs.proposals, Unknown):
        return before, ()
    now, notices = {}, []
    stored = {**obs.proposals, **obs.operations}
    for op in sorted(stored.values(), key=lambda o: o.id):
        key = Ref("operation", op.id)
        old = before.get(key)
        if old is not None and old.state == op.state.value:
            now[key] = old
            continue
        now[key] = Condition(op.state.value, obs.now, op.brick)
        if op.state in TELLS:
            notices.append(_notice(op, old))
    return now, tuple(notices)


def _notice(op: Operation, old: Condition | None) -> Notice:
    reasons = f" ({'; '.join(op.reasons)})" if op.reasons else ""
    word = "rejected" if op.is_rejected else TELLS[op.state]
    details = {"brick": op.brick, "volume": op.volume, "by": op.approved_by or "the policy"}
    return Notice(
        "remediation", op.id, op.id, word, op.state.value, old.state if old else "",
        op.changed or op.at, f"{op.action} {op.brick}: {op.why}{reasons}",
        correlation_id=op.id, details=details,
    )  # fmt: skip
