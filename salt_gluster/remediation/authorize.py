"""Authorize an operation at its executor, and reconcile the outcome of one that was begun. Pure.

The request is only a reason to look: action, target, epoch and deadline come from Consul. The edge
does, in this order: ``authorize``; store the outcome *issued* with cas 0 (lost race = another run
has begun: ``reconcile_outcome``); look once more and ask ``authorize`` again; one action through
the one executor; read back; store the outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from salt_gluster.model import Ref, Refusal, Unknown, Volume, is_known
from salt_gluster.remediation import fleet_mode, guards, health, ladder, proposals
from salt_gluster.remediation.guards.context import GuardContext
from salt_gluster.remediation.health import BrickEvent
from salt_gluster.remediation.membership import Condition
from salt_gluster.remediation.observation import FleetObservation
from salt_gluster.remediation.operations import ENDED, UNDER_WAY, ExecutionReport, Life, Operation
from salt_gluster.remediation.policy import Mode, Policy

#: The actions this version can carry out (contract "action").
ACTIONS = frozenset({ladder.BRICK_RESTART.action})


class Decision(str, Enum):
    """What the executor does about a request."""

    IGNORE = "ignore"
    REFUSE = "refuse"
    LOOK_BACK = "look_back"
    PERFORM = "perform"


@dataclass(frozen=True)
class Authorization:
    """The answer. ``outcome`` is to be stored in ``outcomes/<self>/<id>``; None = nothing is."""

    do: Decision
    reasons: tuple[Refusal, ...] = ()
    outcome: ExecutionReport | None = None


@dataclass(frozen=True)
class Request:
    """One request as its executor finds it: what Consul has, and a fresh look from this node.

    ``outcome`` is what this node said of the operation before, ``obs.executor_node`` the own uuid,
    ``minion`` the own id, ``begun`` = this very run wrote *issued*, ``only_tells`` = this minion is
    configured to change nothing.
    """

    operation: Operation
    outcome: ExecutionReport | Unknown | None
    obs: FleetObservation
    policy: Policy
    minion: str
    skew_s: float | Unknown
    conditions: Mapping[Ref, Condition]
    begun: bool
    only_tells: bool = False

    @property
    def context(self) -> GuardContext:
        """The same as the guards see it."""
        op, target = self.operation, proposals.target_of(self.operation)
        mode, why = fleet_mode.seen_from_here(self.obs, self.conditions, self.policy)
        return GuardContext(self.obs, self.policy, target, mode, why, self.conditions, op.id)


Precondition = Callable[[Request], Refusal | None]


def authorize(
    operation: Operation | Unknown | None, outcome: ExecutionReport | Unknown | None,
    obs: FleetObservation, policy: Policy, *, minion: str, skew_s: float | Unknown,
    conditions: Mapping[Ref, Condition], begun: bool = False, only_tells: bool = False,
) -> Authorization:  # fmt: skip
    """Return what to do about a request for ``operation``.

    ``operation`` is what Consul has under the requested id (None = nothing: forged or pruned),
    ``outcome`` what this node said of it before, ``obs`` a fresh look from this node
    (``obs.executor_node`` is the own uuid), ``minion`` the own id, ``skew_s`` this clock minus the
    leader's as the leader measured it (``operation.evidence["skew_s"]``; None = Unknown),
    ``conditions`` those of the document ``members``. ``begun`` = this very run wrote *issued*,
    ``only_tells`` = Salt's ``test`` is set in this minion's configuration.
    """
    if operation is None or isinstance(operation, Unknown):
        why = "there is no such operation" if operation is None else operation.why
        return Authorization(Decision.IGNORE, (Refusal("operation_known", why),))
    it = Request(operation, outcome, obs, policy, minion, skew_s, conditions, begun, only_tells)
    for precondition in ADDRESSED:
        reason = precondition(it)
        if reason is not None:
            return Authorization(Decision.IGNORE, (reason,))
    if isinstance(outcome, ExecutionReport) and outcome.state is Life.ISSUED and not begun:
        return reconcile_outcome(operation, obs, policy)
    missing = tuple(r for r in (check(it) for check in PRECONDITIONS) if r is not None)
    reasons = (*missing, *guards.refusals(it.context, ladder.BRICK_RESTART.guards))
    if reasons:
        texts = tuple(f"{r.name}: {r.why}" for r in reasons)
        report = ExecutionReport(operation.id, operation.node, Life.REFUSED, obs.now, texts)
        return Authorization(Decision.REFUSE, reasons, report)
    return Authorization(
        Decision.PERFORM, (), ExecutionReport(operation.id, operation.node, Life.ISSUED, obs.now)
    )  # fmt: skip


def reconcile_outcome(operation: Operation, obs: FleetObservation, policy: Policy) -> Authorization:
    """Return what became of an operation that was begun here: it is never begun again.

    What it wanted is so: applied. Otherwise nothing is said; the engine judges it when it is due.
    """
    if served(operation, obs, policy):
        report = ExecutionReport(operation.id, operation.node, Life.APPLIED, obs.now)
        return Authorization(Decision.LOOK_BACK, (), report)
    return Authorization(Decision.LOOK_BACK)


def served(operation: Operation, obs: FleetObservation, policy: Policy) -> bool:
    """Return whether the brick has a process and a numeric port, as its own node sees it."""
    facts = obs.fresh_facts(operation.node, policy)
    if isinstance(facts, Unknown):
        return False
    brick = facts.bricks.get(operation.path)
    return brick is not None and brick.alive is True and isinstance(brick.port, int)


# --- is it our matter at all ---------------------------------------------------------------------


def named_here(it: Request) -> Refusal | None:
    """It names this minion and this node."""
    if it.operation.executor == it.minion and it.operation.node == it.obs.executor_node:
        return None
    return Refusal("named_here", f"it names {it.operation.executor}")


def outcome_known(it: Request) -> Refusal | None:
    """What this node said of it before can be read."""
    if isinstance(it.outcome, Unknown):
        return Refusal("outcome_known", it.outcome.why)
    return None


def not_done_before(it: Request) -> Refusal | None:
    """This node has not ended it before."""
    if it.begun or not isinstance(it.outcome, ExecutionReport) or it.outcome.state is Life.ISSUED:
        return None
    return Refusal("not_done_before", f"it is {it.outcome.state.value}")


def is_open(it: Request) -> Refusal | None:
    """The engine has not ended it; what was begun here is looked at all the same."""
    begun = isinstance(it.outcome, ExecutionReport) and not it.begun
    if begun or it.operation.state not in ENDED:
        return None
    return Refusal("is_open", f"it is {it.operation.state.value}")


#: Is it this node's matter at all? Nothing is done or said about a request that fails one.
ADDRESSED: tuple[Precondition, ...] = (named_here, outcome_known, not_done_before, is_open)


# --- may it still be begun -----------------------------------------------------------------------


def action_known(it: Request) -> Refusal | None:
    """This version knows the action."""
    if it.operation.action in ACTIONS:
        return None
    return Refusal("action_known", f"this version does not know {it.operation.action}")


def may_change(it: Request) -> Refusal | None:
    """The minion's configuration lets it change something: `test: True` is not set there."""
    if not it.only_tells:
        return None
    return Refusal("may_change", f"`test: True` is set in the configuration of {it.minion}")


def allowed(it: Request) -> Refusal | None:
    """The policy in force now lets it be done: by itself, or as it was approved under this one."""
    if not it.obs.has_policy:
        return Refusal("allowed", "no policy is in force")
    mode = ladder.mode_of(ladder.BRICK_RESTART, it.policy)
    if it.operation.approved_by and it.operation.policy != it.policy.digest:
        return Refusal("allowed", "it was approved under another policy")
    if mode is Mode.OBSERVE or (mode is not Mode.ACT and not it.operation.approved_by):
        return Refusal("allowed", f"the policy says {mode.value} now")
    return None


def as_approved(it: Request) -> Refusal | None:
    """What was approved starts the bricks that its approval was shown for, and no others."""
    if not it.operation.approved_by:
        return None
    why = proposals.other_bricks(it.operation, it.context.starts())
    return Refusal("as_approved", why) if why else None


def epoch_current(it: Request) -> Refusal | None:
    """The leader that decided it leads still."""
    epoch = it.obs.lock.epoch
    if is_known(epoch) and epoch == it.operation.epoch:
        return None
    why = f"its epoch {it.operation.epoch} is not the newest: {epoch}"
    return Refusal("epoch_current", why)


def in_intent(it: Request) -> Refusal | None:
    """Its effect was not seen yet."""
    if it.operation.state in UNDER_WAY:
        return None
    return Refusal("in_intent", f"it is {it.operation.state.value}")


def in_time(it: Request) -> Refusal | None:
    """Its deadline is not over."""
    late_s = it.obs.now - it.operation.deadline
    return Refusal("in_time", f"its time was up {late_s:.0f} s ago") if late_s >= 0 else None


def clocks_agree(it: Request) -> Refusal | None:
    """The leader's clock is this one, as it was measured, and as its intent says."""
    limit_s = it.policy.clock_skew_s
    if isinstance(it.skew_s, Unknown):
        return Refusal("clocks_agree", f"the leader's clock: {it.skew_s.why}")
    if abs(it.skew_s) > limit_s:
        return Refusal("clocks_agree", f"the leader's clock is {it.skew_s:.0f} s away")
    ahead_s = it.operation.at - it.obs.now
    if ahead_s > limit_s:
        return Refusal("clocks_agree", f"it was written {ahead_s:.0f} s from now")
    return None


def still_down(it: Request) -> Refusal | None:
    """There is something left to do: the brick does not serve by itself again."""
    op, volume = it.operation, it.context.volume()
    if not isinstance(volume, Volume):
        return None
    for brick in volume.bricks:
        if (brick.host_uuid, brick.path) == (op.node, op.path):
            seen = health.brick_event(it.obs, volume, brick, health.NodeEvent.GOOD, it.policy)
            if seen is BrickEvent.SERVES:
                return Refusal("still_down", f"{brick.name} serves again by itself")
    return None


#: All are asked, all are reported, before the guards of the ladder.
PRECONDITIONS: tuple[Precondition, ...] = (
    action_known, may_change, allowed, as_approved, epoch_current, in_intent, in_time, clocks_agree,
    still_down,
)  # fmt: skip
