"""Plan the directories of this node's bricks. Nothing is ever emptied or removed."""

from __future__ import annotations

from collections.abc import Collection

from salt_gluster.model import (
    BrickPath,
    Facet,
    Observation,
    Plan,
    Step,
    Unknown,
    Wait,
    brick_at,
    is_known,
    known,
)
from salt_gluster.plan.brick_sets import declared_sets
from salt_gluster.plan.builder import Draft, refuse_unknown_pool
from salt_gluster.plan.fitness import marked_lately_s, unmounted_why
from salt_gluster.plan.peer import plan_own_membership
from salt_gluster.spec import PoolSpec, VolumeSpec

#: A volume id on an empty directory may belong to a create that is under way on another node:
#: from staging to commit took 0.1-0.5 s (facts.md#C-C.1), a hung one is cut off after 120 s.
LEFTOVER_AFTER_S = 150
#: The same where this node itself announced the directory, so that the create was one of ours. Who
#: sent it waits no longer for its volume to show.
OUR_LEFTOVER_AFTER_S = 20


def plan_brick(path: str, obs: Observation, *, accept_risk: Collection[str] = ()) -> Plan:
    """Plan that ``path`` exists on this node and could be, or is, a brick."""
    draft = Draft(path, obs)
    if not _is_live(path, obs):
        _plan_directory(draft, path, frozenset(accept_risk))
    return draft.finish()


def _plan_directory(draft: Draft, path: str, accepted: frozenset[str], volume: str = "") -> None:
    draft.needs.add(Facet("path", path))
    here = draft.state.paths.get(path)
    if here is None or _is_live(here.path, draft.state):
        return
    age_s, settled_s = _age_of_mark(here, draft.state)
    is_leftover = is_known(age_s) and age_s > settled_s
    if is_known(age_s) and not is_leftover:
        what = f"{_mark_words(here)}; it is taken off {settled_s} s after that"
        look = f"look           salt MINION gluster_brick.info {path}"
        draft.waits.append(Wait(what, ways=(look,)))
    hung = _hung_members(draft) if is_leftover else []
    if hung:
        what = f"does not answer: the create that marked {here.path} may still be carried out"
        way = "look at it     salt MINION service.status glusterd"
        draft.waits.extend(Wait(what, name, ways=(way,)) for name in hung)
    elif not here.exists or is_leftover:
        args = {"path": path, "accept_risk": sorted(accepted), "volume": volume}
        draft.do(Step("brick_prepare", path, args, f"prepare {path}", place="node"))
    _judge(draft, here, accepted)


def _is_live(path: str, obs: Observation) -> bool:
    """Whether a volume of the pool has this very brick; then it is gluster's, not ours."""
    if not is_known(obs.volumes) or not is_known(obs.node.uuid):
        return False
    return any(
        b.path == path and b.host_uuid == obs.node.uuid
        for v in obs.volumes.values()
        for b in v.bricks
    )


def _age_of_mark(here: BrickPath, obs: Observation) -> tuple[float | Unknown, int]:
    """Return how old the mark of a failed create is, and when it surely is nothing else.

    Unknown = it is no such mark. A failed create leaves the id of no volume, a failed add-brick
    that of the volume itself (facts.md#C-J.2): that one is taken off only where this node's own
    record shows that the directory was meant to be a brick and no volume has it.
    """
    none = Unknown("no mark of a failed create")
    if here.volume_id is None or here.foreign or here.holds_data or not is_known(obs.volumes):
        return none, 0
    is_alive = any(v.id == here.volume_id for v in obs.volumes.values())
    if not is_known(here.changed) or (is_alive and not here.is_announced):
        return none, 0
    settled_s = OUR_LEFTOVER_AFTER_S if here.is_announced else LEFTOVER_AFTER_S
    return obs.now - here.changed, settled_s


def _hung_members(draft: Draft) -> list[str]:
    """Return the connected members whose glusterd does not answer.

    A change that hangs on one of them is carried out on all when that one runs again, whatever the
    sender was told (facts.md#C-M.3).
    """
    draft.needs.add(Facet("reach"))
    peers, reach = known(draft.state.peers), draft.state.reach
    return [
        peer.name
        for peer in peers
        if peer.usable and peer.uuid in reach and not is_known(reach[peer.uuid].max_op_version)
    ]


def _mark_words(here: BrickPath) -> str:
    return f"{here.path} was marked with volume {here.volume_id} by a create a moment ago"


def _judge(draft: Draft, here: BrickPath, accepted: frozenset[str]) -> None:
    if here.filesystem == "/" and "root_disk" not in accepted:
        parent = here.path.rsplit("/", 2)[0]
        draft.refuse(
            "paths_fit",
            f"{here.path} would be on the root file system; a full brick would stop the machine",
            f"mount a disk   at {parent}, or declare `devices`",
            "do it anyway   accept_risk: [root_disk]",
        )
    if here.unmounted:
        draft.refuse("paths_fit", unmounted_why(here), f"mount it       mount {here.unmounted}")
    if here.is_mount_point:
        draft.refuse(
            "paths_fit",
            f"{here.path} is a mount point itself: gluster could write to the root file system "
            "when it is not mounted",
            f"use            {here.path}/brick",
        )
    if here.foreign:
        foreign = ", ".join(here.foreign[:3])
        draft.refuse("paths_fit", f"{here.path} holds {foreign}", "use another path")
    elif here.volume_id and not is_known(draft.state.volumes):
        draft.refuse(
            "pool_unknown",
            f"{here.path} is a brick of volume {here.volume_id}, and this node's glusterd cannot "
            "be asked whether that is in the pool",
            "start it       systemctl start glusterd",
            waits_s=5,
        )
    elif here.volume_id and not _is_leftover_candidate(here):
        draft.refuse(
            "paths_fit",
            f"{here.path} is a brick of a volume that is not in this pool ({here.volume_id})",
            "use another path; what is in this one may be the only copy",
            waits_s=marked_lately_s(here, draft.state.now),
        )


def _is_leftover_candidate(here: BrickPath) -> bool:
    """Whether it is empty but for the id: time alone will show whether a create is under way."""
    return not here.holds_data


def plan_own_bricks(desired: VolumeSpec, obs: Observation, pool: PoolSpec) -> Plan:
    """Plan this node's directories for a volume: those that the layout gives it, and no others."""
    subject = f"bricks of {desired.name}"
    refused = refuse_unknown_pool(subject, obs)
    if refused:
        return refused
    draft = Draft(subject, obs)
    own = {n.lower() for n in (obs.node.name, *obs.node.aliases)}
    named = [
        brick_at(brick)
        for members in declared_sets(desired, obs.volume(desired.name), pool, obs) or ()
        for brick in members
    ]
    paths = [p for host, p in named if host.lower() in own and not _is_live(p, obs)]
    if paths:
        _await_pool(draft, desired.name, [host for host, _ in named], pool)
    for path in paths:
        _plan_directory(draft, path, desired.accept_risk | pool.accept_risk, desired.name)
    return draft.finish()


def _await_pool(draft: Draft, volume: str, hosts: Collection[str], pool: PoolSpec) -> None:
    """Wait until this node knows the pool's volumes, and all hosts of this one as members.

    Who is not a member yet cannot know that the pool has the volume, without a brick here. And a
    create is refused by any host that does not know another as a member, after it has marked the
    bricks of the rest (facts.md#C-J.2): so none says before that its brick is ready.
    """
    obs = draft.state
    declared = tuple(pool.address(n) for n in pool.nodes)
    membership = plan_own_membership(obs, nodes=pool.nodes, hosts=declared)
    draft.needs |= membership.needs
    draft.waits.extend(membership.waits)
    draft.refusals.extend(membership.refusals)
    if membership.waits or membership.refusals:
        return
    for host in dict.fromkeys(hosts):
        peer = obs.peer_named(host)
        if peer is None or not peer.usable:
            words = "is not in the pool yet" if peer is None else "is not connected as a member"
            draft.waits.append(Wait(words, host))
    if not draft.waits and obs.volume(volume) is None:
        _await_import(draft, volume)


def _await_import(draft: Draft, volume: str) -> None:
    """Wait for a volume that other members have and this node does not, yet.

    A node that was just invited is connected before it has all volumes: 0.25 s for each
    (facts.md#C-J.2). One whose volumes are older than its glusterd was not invited just now.
    """
    obs = draft.state
    if obs.imported or (is_known(obs.node.volumes_at_start) and obs.node.volumes_at_start):
        return
    draft.needs.add(Facet("definitions", volume))
    for peer in known(obs.peers):
        told = obs.definitions.get(peer.uuid)
        if told is not None and is_known(told) and volume in told:
            what = f"has {volume}, which is not known here yet"
            draft.waits.append(Wait(what, peer.name))
            return


def ready_paths(plan: Plan) -> tuple[str, ...]:
    """Return the directories a finished ``plan_own_bricks`` has looked at."""
    return tuple(sorted(f.name for f in plan.needs if f.kind == "path"))
