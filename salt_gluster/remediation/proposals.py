"""Decide for how long a proposal counts, and an operator's approval of it. Pure.

A proposal is shown with the policy under which it was decided and with every brick that its command
would start. An approval is of that, and of nothing else: where one of the two is another now, the
incident is over, or the approval is too old, the proposal is closed. What is still wanted then is
proposed anew, under an id of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from salt_gluster.model import Ref, Unknown, digest_of, duration
from salt_gluster.remediation import fleet_mode
from salt_gluster.remediation.guards.context import GuardContext, Target
from salt_gluster.remediation.membership import Condition
from salt_gluster.remediation.observation import FleetObservation
from salt_gluster.remediation.operations import (
    APPROVED_AT,
    Happened,
    Life,
    Operation,
    moved,
)
from salt_gluster.remediation.policy import Policy

WAITING = (Life.WAITING, Life.APPROVED)


def target_of(op: Operation) -> Target:
    """Return what an operation is about, as the guards take it."""
    return Target(op.node, op.brick, op.path, op.volume, op.volume_id, op.incident)


def as_proposal(op: Operation, now: float) -> Operation:
    """Return a plan with an id of its own: what was closed, or approved, before is another one.

    The ids of acts are the same for every engine that decides them; a proposal is looked for by
    what it is about.
    """
    return replace(op, id=digest_of([op.id, op.volume_id, op.policy, op.starts, now]))


def of_target(obs: FleetObservation, target: Target) -> list[Operation]:
    """Return the proposals about one incident of a brick that no operation was made of."""
    if isinstance(obs.proposals, Unknown):
        return []
    begun = {} if isinstance(obs.operations, Unknown) else obs.operations
    return [op for op in obs.proposals.values() if target_of(op) == target and op.id not in begun]


def lapsed(
    obs: FleetObservation, policy: Policy, conditions: Mapping[Ref, Condition]
) -> tuple[Operation, ...]:
    """Return the proposals, closed, whose approval would not be of what is so now.

    ``conditions`` are those of operations and bricks; what is not known closes nothing, and a guard
    says no to it.
    """
    if isinstance(obs.proposals, Unknown) or not obs.has_policy:
        return ()
    waiting = (op for op in _in_order(obs.proposals.values()) if op.state in WAITING)
    ended = ((op, why_lapsed(obs, policy, op, conditions)) for op in waiting)
    return tuple(
        moved(op, Happened.LAPSE, obs.now, (why,)).operation for op, why in ended if why
    )  # fmt: skip


def why_lapsed(
    obs: FleetObservation, policy: Policy, op: Operation, conditions: Mapping[Ref, Condition]
) -> str:
    """Say why a proposal does not count any more, or ""."""
    if fleet_mode.went_back(obs):
        return "Consul is an older one than it was: what was approved since is not known"
    if op.policy != policy.digest:
        return "the policy is another one now"
    context = GuardContext(obs, policy, target_of(op), fleet_mode.FleetMode.OPEN)
    if why := other_bricks(op, context.starts()):
        return why
    if op.state is not Life.APPROVED:
        return ""
    brick = conditions.get(Ref("brick", op.node, op.path))
    if brick is None or brick.since != op.incident:
        return "what was wrong with its brick is over"
    age_s = _age_s(op, obs.now, conditions)
    if age_s < policy.approval_ends_s:
        return ""
    limit = duration(policy.approval_ends_s)
    return f"it was approved {duration(age_s)} ago, and an approval counts for {limit}"


def other_bricks(op: Operation, starts: tuple[str, ...] | Unknown) -> str:
    """Say so where other bricks would be started than it was shown with; unknown is no other."""
    if isinstance(starts, Unknown) or set(starts) == set(op.starts):
        return ""
    now, shown = (", ".join(sorted(names)) or "nothing" for names in (starts, op.starts))
    return f"it would start {now} now, and was shown for {shown}"


def _age_s(op: Operation, now: float, conditions: Mapping[Ref, Condition]) -> float:
    """Return the age of an approval: from when a leader first saw it, or was told that it was.

    The clock where it was typed can only make it older: nobody may have led since.
    """
    told = conditions.get(Ref("operation", op.id))
    is_told = told is not None and told.state == Life.APPROVED.value
    seen_at = told.since if told is not None and is_told else now
    typed_at = op.evidence.get(APPROVED_AT)
    is_time = isinstance(typed_at, int | float) and not isinstance(typed_at, bool)
    return now - min(seen_at, float(typed_at) if is_time else now)  # type: ignore[arg-type]


def expired(
    obs: FleetObservation, policy: Policy, targets: Iterable[Target], lapsed: Collection[str]
) -> list[Operation]:
    """Return the other proposals, closed, that nobody decided about and nothing wants any more."""
    if isinstance(obs.proposals, Unknown):
        return []
    wanted = {(t.node, t.path) for t in targets}
    return [
        moved(op, Happened.EXPIRE, obs.now).operation
        for op in obs.proposals.values()
        if op.state in WAITING
        and op.id not in lapsed
        and (op.node, op.path) not in wanted
        and obs.now - op.changed >= policy.proposal_ends_s
    ]


def _in_order(operations: Iterable[Operation]) -> list[Operation]:
    return sorted(operations, key=lambda op: op.id)
