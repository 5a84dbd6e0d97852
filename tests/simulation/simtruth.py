"""What speaks against starting a brick, judged from the truth of the simulated world.

Nothing here is what a node or an engine sees: a start that any of this speaks against is wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simparts import CLUSTER, LAYOUT, NODES

from salt_gluster.remediation.membership import snapshot_from
from salt_gluster.remediation.operations import Operation
from salt_gluster.remediation.policy import Mode

if TYPE_CHECKING:
    from simworld import World

#: What an executor knows of other nodes may be this old: a younger truth is not held against it.
KNOWN_S = 70.0


def truth(world: World, name: str, op: Operation) -> list[str]:
    """Return what speaks against starting now, from the truth; the others' news are young."""
    c, node, now, p = world.consul, world.nodes[name], world.now, world.policy
    old = now - KNOWN_S
    against = {
        "I9 under a hold": c.hold is not None or node.hold is not None,
        "I9 blind: Consul has no leader": not c.up,
        "I9 Consul went back": c.went_back is not None,
        "I9 nobody leads": not c.holder,
        "I7 under an old epoch": op.epoch != c.epoch,
        "late": now >= op.deadline + p.clock_skew_s,
        # A clock that was set forward since it was measured only shortens the deadline.
        "clocks differ": node.skew < -p.clock_skew_s
        or abs(op.evidence["skew_s"] or 0) > p.clock_skew_s,
        "I9 in maintenance": name in c.maintenance or node.consul_maintenance,
        "a stopped volume": op.volume in world.stopped,
        "its process is alive": world.bricks[name, f"/b/{op.volume}"].alive,
        "glusterd was just started": now - node.glusterd_started < p.glusterd_up_s,
        "glusterd imports": node.importing,
        "I9 in a storm": unhealthy(world, 25) > p.max_unhealthy(len(NODES)),
        "I9 many went at once": sum(
            not n.there and 25 < now - n.missed_since < p.storm_window_s - 30
            for n in world.nodes.values()
        ) >= p.storm_suspects,
        "I9 a whole zone is away": any(
            all(not n.there and now - n.missed_since > 25
                for n in world.nodes.values() if n.zone == zone)
            for zone in {n.zone for n in world.nodes.values() if n.zone}
        ),
        "its clock was not measured": op.evidence["skew_s"] is None,
        "it may only watch": p.restart_brick is Mode.OBSERVE,
        "nobody approved it": p.restart_brick is Mode.PROPOSE and op.id not in world.shown,
        "mixed versions": any(
            n.there and n.version != node.version and n.version_since < old
            for n in world.nodes.values()
        ),
        "I11 in a quiet period": _quiet(world),
        "I11 a missed member is Connected here": any(
            not n.agent and n.missed_since < now - 20 and world.connected(name, n.name)
            for n in world.nodes.values() if n.name != name
        ),
    }  # fmt: skip
    looked = max((a.at for a in c.acknowledged if a.what == CLUSTER), default=0.0)
    for other in world.nodes.values():
        for change in other.history if other.there else ():
            lately = max(now - p.person_at_work_s, looked) < change.at < old
            against["a person is at work"] = against.get("a person is at work", False) or (
                lately and not change.ours
            )
    found = [why for why, is_so in against.items() if is_so]
    for host in LAYOUT[op.volume]:
        brick = world.bricks[host, f"/b/{op.volume}"]
        known = host == name or brick.changed < old
        if brick.alive or not known or not world.nodes[host].there:
            continue
        if brick.fault():
            found.append(f"a brick whose disk is ill: {brick.fault()}")
        if not brick.told:
            found.append("I10 a brick nobody knows about")
        if host in c.maintenance or world.nodes[host].consul_maintenance:
            found.append("a brick that is down on purpose")
        if world.nodes[host].has_left:
            found.append("a brick of a node that was taken out of the catalog")
        if (host, f"/b/{op.volume}") not in world.shown.get(op.id, world.dead(op.volume)):
            found.append("a brick that its approval was not shown for")
    return found + _spent(world, name, op)


def _quiet(world: World) -> bool:
    conditions = snapshot_from(world.consul.members).conditions
    return any(
        k.kind == "node" and s.state == "suspect"
        and world.now - s.since < world.policy.quiet_period_s - 5
        for k, s in conditions.items()
    )  # fmt: skip


def _spent(world: World, name: str, op: Operation) -> list[str]:
    looked = max((a.at for a in world.consul.acknowledged if a.what == name), default=0.0)
    mine = [t for t, node, _, _ in world.log if node == name]
    spent = [t for t in mine if t > max(looked, world.now - world.policy.budget_window_s)]
    brick = world.bricks[name, f"/b/{op.volume}"]
    found = []
    if len(spent) >= world.policy.restart_budget:
        found.append("I12 over the budget")
    if spent and world.now - max(spent) < world.policy.restart_cooldown_s:
        found.append("I5 within the cooldown")
    if world.now - brick.died < world.policy.restart_after_s[0]:
        found.append("impatient")
    return found


def unhealthy(world: World, for_s: float) -> int:
    old = world.now - for_s
    bad = {n.name for n in world.nodes.values()
           if (not n.there or not n.agent) and n.missed_since < old}  # fmt: skip
    bad |= {k[0] for k, b in world.bricks.items()
            if not b.alive and b.died < old and b.volume not in world.stopped}  # fmt: skip
    return len(bad)
