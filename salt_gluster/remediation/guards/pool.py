"""Guards on the pool and the node: may anything be done now, and is the node fit to do it?"""

from __future__ import annotations

from salt_gluster.model import NOT_ASKED, Refusal, Unknown, is_known
from salt_gluster.remediation import fleet_mode, health
from salt_gluster.remediation.guards.context import ACKNOWLEDGE, Case, no, node_of
from salt_gluster.remediation.health import NodeState
from salt_gluster.remediation.membership import Sight

# --- may anything be done ------------------------------------------------------------------------


def fleet_open(case: Case) -> Refusal | None:
    """The pool is neither BLIND nor in a STORM."""
    if case.mode in (fleet_mode.FleetMode.OPEN, fleet_mode.FleetMode.HELD):
        return None  # a hold speaks for itself
    return no("fleet_open", f"the pool is {case.mode.value}: {case.mode_why}")


def lock_valid(case: Case) -> Refusal | None:
    """The lock is held for longer than a write takes, and its epoch is known."""
    lock = case.obs.lock
    if not lock.held or isinstance(lock.epoch, Unknown):
        return no("lock_valid", "the leader's lock is not held, or its epoch is not known")
    if not case.obs.seat and lock.valid_s < case.policy.lock_left_s:
        return no("lock_valid", f"the lock is ours for {lock.valid_s:.0f} s more only")
    return None


def not_held(case: Case) -> Refusal | None:
    """No hold is set, here or in Consul; one that cannot be read counts as set."""
    why = fleet_mode.hold_of(case.obs)
    facts = case.facts()
    if not why and is_known(facts) and isinstance(facts.hold, Unknown):
        why = f"the hold file on {case.obs.name(case.target.node)} cannot be read: {facts.hold.why}"
    return no("not_held", why, "release it   salt-run gluster.release") if why else None


def not_in_maintenance(case: Case) -> Refusal | None:
    """Nobody has the node in hand."""
    why = case.obs.in_maintenance(case.target.node)
    if not why:
        return None
    node = node_of(case)
    way = f"end it   salt-run gluster_operation.maintenance {node} remove=True"
    return no("not_in_maintenance", f"{node}: {why}", way)


def in_catalog(case: Case) -> Refusal | None:
    """Every node whose brick would be started is in Consul's catalog: a leave is an intent."""
    down = (brick.host_uuid for brick, _ in case.down_bricks)
    for uuid in dict.fromkeys((case.target.node, *down)):
        if uuid not in case.obs.consul.registered:
            name = case.obs.name(uuid)
            return no(
                "in_catalog",
                f"{name} is not in Consul's catalog: somebody took it out, or its agent is gone",
                f"put it back   salt {name} state.apply gluster.consul",
            )
    return None


def no_brick_in_maintenance(case: Case) -> Refusal | None:
    """No other brick that would be started too is down because of a person."""
    for brick, _ in case.down_bricks:
        if brick.host_uuid == case.target.node:
            continue
        why = case.obs.in_maintenance(brick.host_uuid)
        if why:
            return no(
                "no_brick_in_maintenance",
                f"{brick.name} is down too and would be started with it, but {why}",
            )
    return None


# --- the node and its pool -----------------------------------------------------------------------


def glusterd_up(case: Case) -> Refusal | None:
    """The node answers freshly; its glusterd runs, answers, and is past its import window."""
    facts = case.facts()
    if isinstance(facts, Unknown):
        return no("glusterd_up", f"{node_of(case)} does not tell its state: {facts.why}")
    started = facts.glusterd_started
    if not health.glusterd_up(facts) or isinstance(started, Unknown) or started is None:
        return no("glusterd_up", f"glusterd on {node_of(case)} is not known to answer")
    up_s = case.obs.now - started
    if up_s <= case.policy.glusterd_up_s:
        left = case.policy.glusterd_up_s - up_s
        return no("glusterd_up", f"glusterd there was started {up_s:.0f} s ago", waits_s=left)
    return None


def settled(case: Case) -> Refusal | None:
    """Its glusterd imports nothing."""
    facts = case.facts()
    if isinstance(facts, Unknown):
        return None
    importing = facts.volumes_without_info
    if isinstance(importing, Unknown):
        return no("settled", f"whether glusterd there imports is not known: {importing.why}")
    return no("settled", f"glusterd there imports {', '.join(importing)}") if importing else None


def volume_started(case: Case) -> Refusal | None:
    """The volume is started, and is the one that was meant: a person's stop is a person's word."""
    volume = case.volume()
    if isinstance(volume, Unknown):
        return no("volume_started", f"{case.target.volume} is not known: {volume.why}")
    if volume is None:
        return no("volume_started", f"there is no volume {case.target.volume} any more")
    if volume.id != case.target.volume_id:
        return no("volume_started", f"{volume.name} is another volume of that name")
    if not volume.is_started:
        return no("volume_started", f"a person has stopped {volume.name}: it is {volume.status}")
    names = {(b.host_uuid, b.path) for b in volume.bricks}
    if (case.target.node, case.target.path) not in names:
        return no("volume_started", f"{case.target.brick} is no brick of {volume.name} any more")
    return None


def clocks_agree(case: Case) -> Refusal | None:
    """Its clock is the leader's: a deadline means nothing between clocks that differ."""
    skew_s = case.obs.skews.get(case.target.node, NOT_ASKED)
    if isinstance(skew_s, Unknown):
        return no("clocks_agree", f"the clock of {node_of(case)} is not known: {skew_s.why}")
    if abs(skew_s) > case.policy.clock_skew_s:
        return no("clocks_agree", f"the clock of {node_of(case)} is {skew_s:+.0f} s from ours")
    return None


def single_version(case: Case) -> Refusal | None:
    """All members run one version; those that are known to be away are passed over."""
    versions: dict[int, list[str]] = {}
    for uuid in case.members_there():
        facts = case.obs.fresh_facts(uuid, case.policy)
        version = facts if isinstance(facts, Unknown) else facts.version
        if isinstance(version, Unknown):
            return no("single_version", f"{case.obs.name(uuid)}'s version: {version.why}")
        versions.setdefault(version, []).append(case.obs.name(uuid))
    if len(versions) < 2:
        return None
    told = "; ".join(f"{v}: {', '.join(n[:3])}" for v, n in sorted(versions.items()))
    return no("single_version", f"the members run different versions ({told})")


def no_recent_manual_change(case: Case) -> Refusal | None:
    """No changing command but ours in any member's history, lately or since an acknowledge."""
    seen = case.obs.last_acknowledged(case.obs.cluster)
    for uuid in case.members_there():
        facts = case.obs.fresh_facts(uuid, case.policy)
        changes = facts if isinstance(facts, Unknown) else facts.changes
        name = case.obs.name(uuid)
        if isinstance(changes, Unknown):
            return no(
                "no_recent_manual_change", f"what was done on {name} is not known: {changes.why}"
            )
        for change in changes:
            ago_s = case.obs.now - change.at
            if not change.ours and change.at > seen and ago_s < case.policy.person_at_work_s:
                return no(
                    "no_recent_manual_change",
                    f"somebody is at work: on {name}, {ago_s / 60:.0f} min ago: {change.command}",
                    f"go on       {ACKNOWLEDGE}",
                    waits_s=case.policy.person_at_work_s - ago_s,
                )
    return None


def quiet_over(case: Case) -> Refusal | None:
    """No node became suspect a moment ago: a command now would block and blind glusterd."""
    for key, standing in case.standings.items():
        if key.startswith("node:") and standing.state == NodeState.SUSPECT.value:
            left_s = standing.since + case.policy.quiet_period_s - case.obs.now
            if left_s > 0:
                why = f"{standing.name or key[5:]} became suspect a moment ago"
                return no("quiet_over", why, waits_s=left_s)
    return None


def suspects_disconnected(case: Case) -> Refusal | None:
    """The glusterd that is to act has itself seen that the missed nodes are away."""
    facts = case.facts()
    if isinstance(facts, Unknown):
        return None
    for uuid in case.obs.members:
        if case.obs.consul.sight(uuid) is not Sight.BAD or uuid == case.target.node:
            continue
        if isinstance(facts.connected, Unknown) or facts.connected.get(uuid, True):
            why = f"its glusterd does not know yet that {case.obs.name(uuid)} is away"
            return no("suspects_disconnected", f"{node_of(case)}: {why}")
    return None
