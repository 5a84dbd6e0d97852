"""All of it together: one observation in, every decision out. Reads no clock and does no I/O.

The engine carries the decisions out in the order of the fields of ``Decisions``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from salt_gluster.model import Ref, Refusal, Unknown, encode_ref, is_known
from salt_gluster.remediation import (
    consul_health,
    fleet_mode,
    guards,
    ladder,
    proposals,
    volume_trouble,
)
from salt_gluster.remediation.admission import AdmissionDecisions, evaluate_candidates
from salt_gluster.remediation.consul_health import Trouble
from salt_gluster.remediation.evaluate import Evaluation, evaluate, mode_why
from salt_gluster.remediation.fleet_mode import FleetMode
from salt_gluster.remediation.guards.context import GuardContext, Target
from salt_gluster.remediation.health import NodeEvent, NodeState
from salt_gluster.remediation.identity import announce_identities
from salt_gluster.remediation.membership import update_membership
from salt_gluster.remediation.observation import FleetObservation, Memory, remembered
from salt_gluster.remediation.operations import (
    APPROVED_AT,
    APPROVED_BY,
    UNDER_WAY,
    Happened,
    Life,
    Operation,
    moved,
    operation_id,
)
from salt_gluster.remediation.policy import Mode, Policy
from salt_gluster.remediation.progress import announce_operations, followed
from salt_gluster.remediation.salt_events import Notice
from salt_gluster.remediation.state_machine import Turn

__all__ = ["MODE", "Asks", "Decisions", "Refused", "decide", "remembered"]

#: The fleet's mode, among the rows of a tick.
MODE = Ref("cluster", "mode")
#: Kinds of conditions that each tick makes anew.
_MADE_ANEW = ("candidate", "identity", "trouble", "volume_trouble")


@dataclass(frozen=True)
class Refused:
    """One target, and every reason why nothing is done about it now."""

    target: Target
    reasons: tuple[Refusal, ...]


@dataclass(frozen=True)
class Asks:
    """What the next tick has to be told afresh. Uuids of nodes; empty = nothing is asked.

    ``ports`` W2 of all their bricks from at least two other members, ``peers`` their peer lists
    (W3, at least two members), ``facts`` their own reports (W4, also histories and versions).
    """

    ports: frozenset[str] = frozenset()
    peers: frozenset[str] = frozenset()
    facts: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        """Whether the engine has to tick on."""
        return bool(self.ports or self.peers or self.facts)


@dataclass(frozen=True)
class Decisions:
    """What one tick decided, in the order in which it is carried out.

    memory      for the next tick; ``membership.published`` makes the snapshot of its conditions
    notices     fired after that snapshot is stored
    updates     operations to store, fenced by the epoch
    proposals   proposals to store
    intents     at most one: one transaction; on a conflict it is dropped and decided anew
    requests    (operation id, minion) to ask; only operations that are stored
    asks        what the next tick needs
    refused     every target with every reason
    admission   candidates for the pool, and which of them are to be accepted
    rows        what -> the table row that was taken; ``MODE`` is the fleet's, for *explain*
    mode_why    what has put the fleet into its mode: who holds, what is missing, who is not healthy
    trouble     of sensors and of Consul itself, as it is now
    """

    memory: Memory
    mode: FleetMode
    notices: tuple[Notice, ...] = ()
    updates: tuple[Operation, ...] = ()
    proposals: tuple[Operation, ...] = ()
    intents: tuple[Operation, ...] = ()
    requests: tuple[tuple[str, str], ...] = ()
    asks: Asks = Asks()
    refused: tuple[Refused, ...] = ()
    admission: AdmissionDecisions = AdmissionDecisions()  # noqa: RUF009  (frozen)
    rows: Mapping[Ref, Turn[Any]] = field(default_factory=dict)
    mode_why: str = ""
    trouble: tuple[Trouble, ...] = ()


def decide(obs: FleetObservation, policy: Policy, memory: Memory) -> Decisions:
    """Return what is to be told, asked, written and done. At most one action for the whole pool."""
    why = fleet_mode.event_of(obs, memory, policy)[1]
    memory, turn, notices = fleet_mode.next_mode(obs, memory, policy)
    if fleet_mode.view_lost(obs):
        return Decisions(memory, turn.state, notices, rows={MODE: turn}, mode_why=why or turn.why)
    memory, of_members = _with_members(obs, policy, memory)
    seen = evaluate(obs, policy, memory, turn.state)
    operations, of_operations = announce_operations(obs, seen.conditions)
    past = followed(obs, policy, memory, seen.bricks, acquired=turn.row == "F8")
    lapsed = proposals.lapsed(obs, policy, {**seen.conditions, **operations})
    chosen = _choose(
        obs, policy, replace(memory, conditions=seen.conditions), turn.state, seen,
        frozenset(op.id for op in lapsed),
    )  # fmt: skip
    expired = proposals.expired(obs, policy, seen.targets, chosen.lapsed)
    conditions = _without_old_operations({**seen.conditions, **chosen.conditions}, operations)
    admitted = evaluate_candidates(obs, policy, memory, turn.state)
    identities, of_identities = announce_identities(obs.consul, memory.conditions, obs.now)
    trouble, own, of_trouble = _trouble(obs, conditions)
    kept = {k: s for k, s in conditions.items() if k.kind not in _MADE_ANEW}
    volumes, of_volumes = _volume_trouble(obs, conditions)
    conditions = {**kept, **admitted.conditions, **identities, **own, **volumes}
    requests, asked = _requests(obs, policy, memory, turn.state)
    clocks = {**_of_fleet(memory.clocks), **seen.clocks, **admitted.clocks}
    after = replace(
        memory, conditions=conditions, clocks=clocks, candidate=chosen.candidate,
        checks=past.checks or {}, asked=asked,
    )  # fmt: skip
    return Decisions(
        memory=after, mode=turn.state,
        notices=(*notices, *of_members, *of_identities, *seen.notices, *of_operations,
                 *past.resumed, *chosen.notices, *admitted.notices, *of_trouble,
                 *of_volumes),
        updates=past.updates, proposals=(*lapsed, *chosen.proposals, *expired),
        intents=chosen.intents, requests=requests,
        asks=_asks(obs, policy, conditions, seen, chosen.refused), refused=chosen.refused,
        admission=admitted, rows={**seen.rows, MODE: turn}, mode_why=why or turn.why,
        trouble=trouble,
    )  # fmt: skip


def _with_members(
    obs: FleetObservation, policy: Policy, memory: Memory
) -> tuple[Memory, tuple[Notice, ...]]:
    """Return the memory with the members as they are now, and what is to be told of them."""
    membership = update_membership(
        memory.conditions, memory.roster, obs.consul, obs.now, settle_s=policy.absent_s,
        crowd=policy.max_unhealthy(len(obs.members)), compared_roster=memory.compared_roster,
    )  # fmt: skip
    others = {k: s for k, s in memory.conditions.items() if k.kind != "member"}
    after = replace(
        memory, conditions={**others, **membership.conditions}, roster=membership.roster,
        compared_roster=membership.compared_roster,
    )  # fmt: skip
    return after, membership.notices


def _trouble(
    obs: FleetObservation, conditions: Mapping[Ref, Any]
) -> tuple[tuple[Trouble, ...], dict[Ref, Any], tuple[Notice, ...]]:
    """Return automation's own trouble, its conditions, and what is to be told of it."""
    trouble = consul_health.troubles(obs)
    return (trouble, *consul_health.announce(obs, conditions, trouble))


def _volume_trouble(
    obs: FleetObservation, conditions: Mapping[Ref, Any]
) -> tuple[dict[Ref, Any], tuple[Notice, ...]]:
    """Return the conditions of volumes in trouble, as they were where nothing is known of it."""
    if isinstance(obs.volume_troubles, Unknown):
        return {k: c for k, c in conditions.items() if k.kind == "volume_trouble"}, ()
    return volume_trouble.announce(obs.now, conditions, obs.volume_troubles)


# --- choosing ------------------------------------------------------------------------------------


@dataclass
class _Chosen:
    candidate: tuple[str, float] | None = None
    intents: tuple[Operation, ...] = ()
    proposals: tuple[Operation, ...] = ()
    notices: list[Notice] = field(default_factory=list)
    refused: tuple[Refused, ...] = ()
    conditions: dict[Ref, Any] = field(default_factory=dict)
    #: Ids of the proposals that end in this tick.
    lapsed: frozenset[str] = frozenset()


def _choose(
    obs: FleetObservation, policy: Policy, memory: Memory, mode: FleetMode, seen: Evaluation,
    lapsed: frozenset[str],
) -> _Chosen:  # fmt: skip
    """Choose the oldest failure that nothing speaks against; all reasons of all are kept."""
    out, refused = _Chosen(lapsed=lapsed), []
    if not obs.has_policy:
        return out  # notices only
    why = mode_why(obs, memory, policy)
    for target in sorted(seen.targets, key=lambda t: (t.down_since, t.brick)):
        before = memory.candidate
        since = before[1] if before and before[0] == target.key else None
        context = GuardContext(obs, policy, target, mode, why, memory.conditions, "", since)
        reasons = guards.refusals(context, ladder.BRICK_RESTART.guards)
        first = not any(r.name != "same_twice" for r in reasons) and out.candidate is None
        if first:
            out.candidate = (target.key, obs.now if since is None else since)
        if reasons:
            refused.append(Refused(target, reasons))
            _tell_refused(obs, policy, memory, target, reasons, out)
        elif first:
            _act(obs, policy, memory, target, seen, out)
    out.refused = tuple(refused)
    return out


def _act(
    obs: FleetObservation,
    policy: Policy,
    memory: Memory,
    target: Target,
    seen: Evaluation,
    out: _Chosen,
) -> None:
    """Turn the chosen target into an intent, a proposal or a notice, as the mode says."""
    op = _planned(obs, policy, target, seen)
    mode = ladder.mode_of(ladder.BRICK_RESTART, policy)
    stored = [p for p in proposals.of_target(obs, target) if p.id not in out.lapsed]
    approved = next((p for p in stored if p.state is Life.APPROVED), None)
    if approved is not None and mode is not Mode.OBSERVE:
        op, mode = _approved(op, approved), Mode.ACT
    event = Happened(f"mode_{mode.value}")
    if mode is Mode.ACT:
        out.intents = (moved(op, event, obs.now).operation,)
    elif mode is Mode.PROPOSE and is_known(obs.proposals):
        if not any(p.state in proposals.WAITING or p.is_rejected for p in stored):
            plan = proposals.as_proposal(op, obs.now)
            out.proposals = (moved(plan, event, obs.now).operation,)
    elif mode is Mode.OBSERVE:
        ref = Ref("brick", target.node, target.path)
        condition = memory.conditions[ref]
        if "would_act" not in condition.announced:
            out.conditions[ref] = replace(condition, announced=condition.announced | {"would_act"})
            out.notices.append(_notice(op, "would_act", f"it would have started {op.brick}"))


def _approved(op: Operation, approval: Operation) -> Operation:
    """Return the plan as it was approved: by whom, and for which bricks."""
    given = {k: approval.evidence.get(k) for k in (APPROVED_BY, APPROVED_AT)}
    return replace(
        op, id=approval.id, state=Life.APPROVED, starts=approval.starts,
        evidence={**op.evidence, **given},
    )  # fmt: skip


def _planned(
    obs: FleetObservation, policy: Policy, target: Target, seen: Evaluation
) -> Operation:  # fmt: skip
    operations = {} if isinstance(obs.operations, Unknown) else obs.operations
    same = [
        o for o in operations.values()
        if o.brick == target.brick and o.incident == target.down_since
    ]  # fmt: skip
    op_id = operation_id(
        obs.cluster, target.node, target.path, 1, target.down_since, len(same) + 1
    )  # fmt: skip
    epoch = obs.lock.epoch
    skew_s = obs.skews.get(target.node)
    evidence: dict[str, Any] = {encode_ref(k): t.row for k, t in seen.rows.items()}
    evidence["skew_s"] = None if isinstance(skew_s, Unknown) else skew_s
    starts = GuardContext(obs, policy, target, FleetMode.OPEN).starts()
    return Operation(
        id=op_id, action=ladder.BRICK_RESTART.action, rung=1, volume=target.volume,
        volume_id=target.volume_id, brick=target.brick, node=target.node,
        executor=obs.consul.registered[target.node].minion,
        epoch=-1 if isinstance(epoch, Unknown) else epoch, state=Life.PLANNED, at=obs.now,
        deadline=obs.now + policy.intent_s, incident=target.down_since, attempt=len(same) + 1,
        changed=obs.now, evidence=evidence, policy=policy.digest,
        starts=() if isinstance(starts, Unknown) else starts,
    )  # fmt: skip


def _tell_refused(
    obs: FleetObservation, policy: Policy, memory: Memory, target: Target,
    reasons: tuple[Refusal, ...], out: _Chosen,
) -> None:  # fmt: skip
    """Tell once of each reason that time alone does not mend, and page after an hour of any."""
    ref = Ref("brick", target.node, target.path)
    condition = memory.conditions[ref]
    down_s = obs.now - target.down_since
    lasting = {r.name for r in reasons if r.name not in guards.PATIENCE}
    # The first looks at it, and those of a new leader, know little: not every node was asked yet.
    looked_s = obs.now - max(target.down_since, memory.mode_since)
    words = {f"refused {name}" for name in lasting} if looked_s >= policy.decide_twice_s else set()
    if down_s >= policy.refused_page_s and condition.state == "down":
        words |= {"refused_page"}
    new = words - condition.announced
    if not new:
        return
    out.conditions[ref] = replace(condition, announced=condition.announced | new)
    text = "; ".join(f"{r.name}: {r.why}" for r in reasons)
    ways = tuple(way for r in reasons for way in r.ways)
    episode = operation_id(obs.cluster, target.node, target.path, 1, target.down_since, 0)
    out.notices.append(
        Notice("remediation", episode, episode, "refused", "refused", "", target.down_since,
               f"{target.brick} is not started: {text}", suggest=ways, page="refused_page" in new,
               details={"brick": target.brick, "refusals": [r.name for r in reasons]})
    )  # fmt: skip


def _notice(op: Operation, event: str, why: str) -> Notice:
    return Notice("remediation", op.id, op.id, event, event, "", op.at, why, correlation_id=op.id)


# --- asking --------------------------------------------------------------------------------------


def _requests(
    obs: FleetObservation, policy: Policy, memory: Memory, mode: FleetMode
) -> tuple[tuple[tuple[str, str], ...], dict[str, float]]:
    """Return the executors to be asked; again after a while, because a request may be lost."""
    operations = {} if isinstance(obs.operations, Unknown) else obs.operations
    intents = [o for o in operations.values() if o.state is Life.INTENT and obs.now < o.deadline]
    asked = {o.id: memory.asked[o.id] for o in intents if o.id in memory.asked}
    due = []
    for op in sorted(intents, key=lambda o: o.id):
        waited = op.id not in asked or obs.now - asked[op.id] >= policy.ask_again_s
        if mode is FleetMode.OPEN and waited and op.epoch == obs.lock.epoch:
            due.append((op.id, op.executor))
            asked[op.id] = obs.now
    return tuple(due), asked


def _asks(
    obs: FleetObservation, policy: Policy, conditions: Mapping[Ref, Any], seen: Evaluation,
    refused: tuple[Refused, ...],
) -> Asks:  # fmt: skip
    """Return what the next tick needs about everything that is not healthy."""
    operations = {} if isinstance(obs.operations, Unknown) else obs.operations
    nodes = {
        k.id for k, s in conditions.items()
        if k.kind in ("node", "brick") and s.state not in (NodeState.HEALTHY.value, "off")
    }  # fmt: skip
    nodes |= {op.node for op in operations.values() if op.is_open}
    fine = (NodeEvent.GOOD, NodeEvent.LEFT)
    nodes |= {uuid for uuid, event in seen.nodes.items() if event not in fine}
    members = frozenset(uuid for uuid in nodes if uuid in obs.members)
    # Versions and histories of all are needed only where something may be done. What has just begun
    # is not known well enough to say that nothing will be.
    free = len(seen.targets) - len(refused) if obs.has_policy else 0
    new_s, soon_s = 4 * policy.decide_twice_s, 2 * policy.decide_twice_s
    soon = any(
        obs.now - r.target.down_since <= new_s or guards.needs_all(r.reasons, soon_s)
        for r in refused
    )
    # An executor judges by what all have told within a minute, also one that is asked again.
    asked = any(op.state in UNDER_WAY for op in operations.values())
    return Asks(members, members, frozenset(obs.members) if free or soon or asked else members)


def _of_fleet(clocks: Mapping[tuple[Ref, str], float]) -> dict[tuple[Ref, str], float]:
    return {k: v for k, v in clocks.items() if k[0].kind == "cluster"}


def _without_old_operations(conditions: dict[Ref, Any], now: Mapping[Ref, Any]) -> dict[Ref, Any]:
    """Return the conditions with these operations and no others: pruned ones are forgotten."""
    kept = {k: s for k, s in conditions.items() if k.kind != "operation"}
    return {**kept, **now}
