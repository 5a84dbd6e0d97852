"""Guards on the pool and the node: may anything be done now, and is the node fit to do it?"""

from __future__ import annotations

from salt_gluster.model import NOT_ASKED, Refusal, Unknown, is_known
from salt_gluster.remediation import fleet_mode, health
from salt_gluster.remediation.guards.context import ACKNOWLEDGE, GuardContext, node_of, refuse
from salt_gluster.remediation.health import NodeState
from salt_gluster.remediation.membership import Signal

# --- may anything be done ------------------------------------------------------------------------


def fleet_open(context: GuardContext) -> Refusal | None:
    """The pool is neither BLIND nor in a STORM."""
    if context.mode in (fleet_mode.FleetMode.OPEN, fleet_mode.FleetMode.HELD):
        return None  # a hold speaks for itself
    return refuse("fleet_open", f"the pool is {context.mode.value}: {context.mode_why}")


def lock_valid(context: GuardContext) -> Refusal | None:
    """The lock is held for longer than a write takes, and its epoch is known."""
    lock = context.obs.lock
    if not lock.held or isinstance(lock.epoch, Unknown):
        return refuse("lock_valid", "the leader's lock is not held, or its epoch is not known")
    if not context.obs.executor_node and lock.valid_s < context.policy.lock_left_s:
        return refuse("lock_valid", f"the lock is ours for {lock.valid_s:.0f} s more only")
    return None


def not_held(context: GuardContext) -> Refusal | None:
    """No hold is set, here or in Consul; one that cannot be read counts as set."""
    why = fleet_mode.hold_of(context.obs)
    facts = context.facts()
    if not why and is_known(facts) and isinstance(facts.hold, Unknown):
        why = f"the hold file on {node_of(context)} cannot be read: {facts.hold.why}"
    return refuse("not_held", why, "release it   salt-run gluster.release") if why else None


def not_in_maintenance(context: GuardContext) -> Refusal | None:
    """The node is not in maintenance."""
    why = context.obs.in_maintenance(context.target.node)
    if not why:
        return None
    node = node_of(context)
    way = f"end it   salt-run gluster_operation.maintenance {node} remove=True"
    return refuse("not_in_maintenance", f"{node}: {why}", way)


def in_catalog(context: GuardContext) -> Refusal | None:
    """Every node whose brick would be started is in Consul's catalog: a leave is an intent."""
    down = (brick.host_uuid for brick, _ in context.down_bricks)
    for uuid in dict.fromkeys((context.target.node, *down)):
        if uuid not in context.obs.consul.registered:
            name = context.obs.name(uuid)
            return refuse(
                "in_catalog",
                f"{name} is not in Consul's catalog: it was taken out, or its agent is gone",
                f"put it back   salt {name} state.apply gluster.consul",
            )
    return None


def no_brick_in_maintenance(context: GuardContext) -> Refusal | None:
    """No other brick that would be started too is on a node in maintenance."""
    for brick, _ in context.down_bricks:
        if brick.host_uuid == context.target.node:
            continue
        why = context.obs.in_maintenance(brick.host_uuid)
        if why:
            return refuse(
                "no_brick_in_maintenance",
                f"{brick.name} is down too and would be started with it, but {why}",
            )
    return None


# --- the node and its pool -----------------------------------------------------------------------


def glusterd_up(context: GuardContext) -> Refusal | None:
    """The node answers freshly; its glusterd runs, answers, and is past its import window."""
    facts = context.facts()
    if isinstance(facts, Unknown):
        return refuse("glusterd_up", f"{node_of(context)} does not tell its state: {facts.why}")
    started = facts.glusterd_started
    if not health.glusterd_up(facts) or isinstance(started, Unknown) or started is None:
        return refuse("glusterd_up", f"glusterd on {node_of(context)} is not known to answer")
    up_s = context.obs.now - started
    if up_s <= context.policy.glusterd_up_s:
        left = context.policy.glusterd_up_s - up_s
        return refuse("glusterd_up", f"glusterd there was started {up_s:.0f} s ago", waits_s=left)
    return None


def settled(context: GuardContext) -> Refusal | None:
    """Its glusterd imports nothing."""
    facts = context.facts()
    if isinstance(facts, Unknown):
        return None
    importing = facts.volumes_without_info
    if isinstance(importing, Unknown):
        return refuse("settled", f"whether glusterd there imports is not known: {importing.why}")
    return (
        refuse("settled", f"glusterd there imports {', '.join(importing)}") if importing else None
    )


def volume_started(context: GuardContext) -> Refusal | None:
    """The volume is started, and is the one that was meant: an operator's stop stands."""
    volume = context.volume()
    if isinstance(volume, Unknown):
        return refuse("volume_started", f"{context.target.volume} is not known: {volume.why}")
    if volume is None:
        return refuse("volume_started", f"there is no volume {context.target.volume} any more")
    if volume.id != context.target.volume_id:
        return refuse("volume_started", f"{volume.name} is another volume of that name")
    if not volume.is_started:
        return refuse(
            "volume_started", f"an operator has stopped {volume.name}: it is {volume.status}"
        )
    names = {(b.host_uuid, b.path) for b in volume.bricks}
    if (context.target.node, context.target.path) not in names:
        return refuse(
            "volume_started", f"{context.target.brick} is no brick of {volume.name} any more"
        )
    return None


def clocks_agree(context: GuardContext) -> Refusal | None:
    """Its clock is the leader's: a deadline means nothing between clocks that differ."""
    skew_s = context.obs.skews.get(context.target.node, NOT_ASKED)
    if isinstance(skew_s, Unknown):
        return refuse("clocks_agree", f"the clock of {node_of(context)} is not known: {skew_s.why}")
    if abs(skew_s) > context.policy.clock_skew_s:
        return refuse(
            "clocks_agree", f"the clock of {node_of(context)} is {skew_s:+.0f} s from ours"
        )
    return None


def single_version(context: GuardContext) -> Refusal | None:
    """All members run one version; those that are known to be away are passed over."""
    versions: dict[int, list[str]] = {}
    for uuid in context.members_there():
        facts = context.obs.fresh_facts(uuid, context.policy)
        version = facts if isinstance(facts, Unknown) else facts.version
        if isinstance(version, Unknown):
            return refuse("single_version", f"{context.obs.name(uuid)}'s version: {version.why}")
        versions.setdefault(version, []).append(context.obs.name(uuid))
    if len(versions) < 2:
        return None
    groups = "; ".join(f"{v}: {', '.join(n[:3])}" for v, n in sorted(versions.items()))
    return refuse("single_version", f"the members run different versions ({groups})")


def no_recent_manual_change(context: GuardContext) -> Refusal | None:
    """No changing command but ours in any member's history, lately or since an acknowledge."""
    seen = context.obs.last_acknowledged(context.obs.cluster)
    for uuid in context.members_there():
        facts = context.obs.fresh_facts(uuid, context.policy)
        changes = facts if isinstance(facts, Unknown) else facts.changes
        name = context.obs.name(uuid)
        if isinstance(changes, Unknown):
            return refuse(
                "no_recent_manual_change", f"what was done on {name} is not known: {changes.why}"
            )
        for change in changes:
            ago_s = context.obs.now - change.at
            if not change.ours and change.at > seen and ago_s < context.policy.person_at_work_s:
                return refuse(
                    "no_recent_manual_change",
                    f"an operator is at work on {name}: {ago_s / 60:.0f} min ago: {change.command}",
                    f"go on       {ACKNOWLEDGE}",
                    waits_s=context.policy.person_at_work_s - ago_s,
                )
    return None


def quiet_over(context: GuardContext) -> Refusal | None:
    """No node became suspect a moment ago: a command now would block glusterd's own view."""
    for ref, condition in context.conditions.items():
        if ref.kind == "node" and condition.state == NodeState.SUSPECT.value:
            left_s = condition.since + context.policy.quiet_period_s - context.obs.now
            if left_s > 0:
                why = f"{condition.name or ref.id} became suspect a moment ago"
                return refuse("quiet_over", why, waits_s=left_s)
    return None


def suspects_disconnected(context: GuardContext) -> Refusal | None:
    """The glusterd that is to act has itself seen that the missed nodes are away."""
    facts = context.facts()
    if isinstance(facts, Unknown):
        return None
    for uuid in context.obs.members:
        if context.obs.consul.signal(uuid) is not Signal.BAD or uuid == context.target.node:
            continue
        if isinstance(facts.connected, Unknown) or facts.connected.get(uuid, True):
            why = f"its glusterd does not know yet that {context.obs.name(uuid)} is away"
            return refuse("suspects_disconnected", f"{node_of(context)}: {why}")
    return None
