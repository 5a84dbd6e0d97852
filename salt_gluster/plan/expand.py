"""Plan how a volume grows to its declared shape, or name the difference and leave it.

Sets are added and copies are added; bricks and copies are never taken away, nor moved.
"""

from __future__ import annotations

from salt_gluster.model import Facet, Step, Unknown, Volume, Wait, brick_at, is_known, known
from salt_gluster.plan import fitness
from salt_gluster.plan.actions import set_shape
from salt_gluster.plan.brick_sets import BrickSets, Finder, declared_sets
from salt_gluster.plan.builder import Draft
from salt_gluster.plan.peer import unresolved_ways
from salt_gluster.spec import PoolSpec, VolumeSpec


def reshape(draft: Draft, desired: VolumeSpec, volume: Volume, pool: PoolSpec | None) -> None:
    """Add the steps that make the volume as large as declared, or refuse with what differs."""
    if not _same_type(draft, desired, volume):
        return
    find = Finder(draft.state)
    sets = declared_sets(desired, volume, pool, draft.state)
    if sets is None:
        return
    live = {find.key(b.name) for b in volume.bricks}
    wanted = {find.key(b) for members in sets for b in members}
    foreign = [b.name for b in volume.bricks if find.key(b.name) not in wanted]
    if foreign:
        draft.refuse(
            "foreign_brick",
            f"{', '.join(foreign)} is in {volume.name}, but not declared. Nothing is removed.",
            f"declare it     as it is in: gluster volume info {volume.name}",
        )
        return
    if volume.thin_arbiter and (desired.set_size > volume.set_size or not wanted <= live):
        _refuse_thin_arbiter(draft, volume)
        return
    if desired.set_size > volume.set_size:
        sets = _raise_replica(draft, desired, volume, sets, pool)
    elif not _same_sets(draft, volume, sets, find):
        return
    _add_sets(draft, desired, sets, live, pool)


def _refuse_thin_arbiter(draft: Draft, volume: Volume) -> None:
    """glusterd died of an ``add-brick`` to such a volume (facts.md#C-J.5)."""
    draft.refuse(
        "thin_arbiter",
        f"{volume.name} has a thin arbiter: neither bricks nor copies are added to it",
        f"declare it     as it is in: gluster volume info {volume.name}",
    )


def _same_sets(draft: Draft, volume: Volume, sets: BrickSets, find: Finder) -> bool:
    """Refuse live bricks that are declared in another set: gluster never moves one over."""
    declared = {find.key(b): i for i, members in enumerate(sets) for b in members}
    for live in volume.sets:
        if len({declared[find.key(b.name)] for b in live.bricks}) > 1:
            together = ", ".join(b.name for b in live.bricks)
            draft.refuse(
                "other_sets",
                f"{together} are one set of {volume.name}, declared are other sets; that cannot "
                "be changed",
                "declare it     in the order of: gluster volume info " + volume.name,
            )
            return False
    return True


def _same_type(draft: Draft, desired: VolumeSpec, volume: Volume) -> bool:
    """Refuse what is no growth: another type, another transport, fewer copies."""
    declared, observed = set_shape(desired), set_shape(volume)
    if desired.transport != volume.transport:
        draft.refuse(
            "other_transport",
            f"{volume.name} uses {volume.transport}, declared is {desired.transport}; gluster "
            "changes that only while the volume is stopped",
        )
    upwards = {"distribute": 0, "replicate": 1}
    if declared == observed:
        pass
    elif {desired.kind, volume.kind} <= set(upwards) and desired.replica < volume.replica:
        draft.refuse(
            "fewer_copies",
            f"{volume.name} is {observed.words}, declared is {declared.words}: gluster can take "
            "copies away, a state never takes copies away",
            "declare what is there, or use another name",
        )
    elif not _can_raise(desired, volume):
        draft.refuse(
            "other_type",
            f"{volume.name} is {observed.words}, declared is {declared.words}. "
            + _why_not(desired, volume),
            "declare what is there, or use another name",
        )
    return not draft.refusals


def _why_not(desired: VolumeSpec, volume: Volume) -> str:
    """Say why no state turns the one into the other, and the order in which gluster does.

    Measured: 3 copies become an arbiter volume, and back, by way of 2 (facts.md#G-7.1).
    """
    if "disperse" in (desired.kind, volume.kind):
        return "A volume cannot be turned into that; make a new one and copy."
    if not volume.arbiter and volume.replica == 1:
        return (
            "Gluster adds an arbiter to two copies only: declare replica: 2 first "
            "(accept_risk: [replica2]), and the arbiter once they are healed."
        )
    goes = "the arbiters" if volume.arbiter else "one copy of each set"
    return (
        f"Gluster does that by way of two copies: {goes} out, then the others in. Two copies "
        "alone can split, and a state never takes a brick out."
    )


def _can_raise(desired: VolumeSpec, volume: Volume) -> bool:
    if volume.kind == "disperse" or desired.kind == "disperse":
        return False
    if volume.arbiter or desired.replica <= volume.replica:
        return False
    # replica 2 + arbiter comes only from replica 2: gluster refuses it from 3 and from 1
    return volume.replica == 2 if desired.arbiter else True


def _raise_replica(
    draft: Draft, desired: VolumeSpec, volume: Volume, sets: BrickSets, pool: PoolSpec | None
) -> BrickSets:
    """Add the new members of every live set in one step; return the declared sets that remain."""
    find = Finder(draft.state)
    if not volume.is_started:  # gluster refuses, and with force it would not mark what to fill
        draft.refuse(
            "not_started",
            f"{volume.name} is {volume.status}: copies are added while its bricks serve",
            f"start it       salt MINION gluster_volume.start {volume.name}",
        )
        return []
    new: list[str] = []
    rest = list(sets)
    for live in ([find.key(b.name) for b in s.bricks] for s in volume.sets):
        home = next((m for m in rest if set(live) <= {find.key(b) for b in m}), None)
        if home is None:
            draft.refuse(
                "layout",
                f"no declared set holds the live bricks {', '.join(p for _, p in live)}, so none "
                "can be given another copy",
            )
            return []
        if len(home) < desired.set_size:
            members = ", ".join(home)
            draft.refuse(
                "layout",
                f"no other node has a free place for another copy of the set {members}",
                "add a node     or a disk, or write `bricks:`",
            )
            return []
        rest.remove(home)
        new += [b for b in home if find.key(b) not in live]
    args = {"bricks": new, "replica": desired.replica, "arbiter": 1 if desired.arbiter else 0}
    args["accept_risk"] = sorted(risks(desired, pool))
    await_hosts(draft, new, pool)
    text = f"raise {volume.name} to {set_shape(desired).words} with {' '.join(new)}"
    draft.do(Step("bricks_add", volume.name, args, text))
    return rest


def _add_sets(
    draft: Draft,
    desired: VolumeSpec,
    sets: BrickSets,
    live: set[tuple[str, str]],
    pool: PoolSpec | None,
) -> None:
    find = Finder(draft.state)
    # A set is live as a whole or not at all: what differs inside one was refused above.
    new = [b for members in sets for b in members if find.key(b) not in live]
    if new:
        args = {"bricks": new, "accept_risk": sorted(risks(desired, pool))}
        await_hosts(draft, new, pool)
        count = len(new) // desired.set_size
        text = f"add {count} set{'s' if count > 1 else ''} to {desired.name}: {' '.join(new)}"
        draft.do(Step("bricks_add", desired.name, args, text))
        draft.notes.append("old files stay where they are until a rebalance is started")


# --- what every new brick needs -----------------------------------------------------------------


def await_hosts(draft: Draft, bricks: list[str], pool: PoolSpec | None) -> None:
    """Wait for hosts that are not in the pool or have not said that their directory is ready.

    What a host says against its own directory is a matter of the guard ``paths_fit``.
    """
    obs = draft.state
    draft.needs.add(Facet("prepared"))
    for brick in bricks:
        host, path = brick_at(brick)
        peer = obs.peer_named(host)
        if peer is None:
            _await_member(draft, host, pool)
        elif peer.is_self:
            draft.needs.add(Facet("path", path))
            here = obs.paths.get(path)
            if here is not None and not here.parent_exists:
                draft.waits.append(_awaited(f"has not prepared {path} yet", brick, draft, pool))
            elif here is not None and fitness.is_our_mark(here):
                draft.waits.append(_awaited(_marked(path), brick, draft, pool))
        else:
            _await_word(draft, brick, pool)


def _await_word(draft: Draft, brick: str, pool: PoolSpec | None) -> None:
    obs = draft.state
    if isinstance(obs.prepared, Unknown) or fitness.is_masterless(obs):
        return  # not asked yet; or no node can tell another, so gluster alone will say
    told = fitness.told_of(obs, draft.subject, brick)
    if isinstance(told, Unknown):
        draft.waits.append(_awaited(told.why, brick, draft, pool))
    elif told.marked and not told.unfit:
        draft.waits.append(_awaited(_marked(told.path), brick, draft, pool))


def _marked(path: str) -> str:
    return f"takes the mark of a failed create off {path} in its next run"


def _awaited(what: str, brick: str, draft: Draft, pool: PoolSpec | None) -> Wait:
    """Return the wait for a brick's host; without a declaration an order says what is awaited."""
    host, path = brick_at(brick)
    node = (pool.node_of(host) if pool is not None else None) or host
    order = f"gluster_brick.prepare path={path} volume={draft.subject}"
    words = "state.apply gluster" if pool is not None else order
    peer = draft.state.peer_named(host)
    is_own = peer is not None and peer.is_self
    why = "" if is_own else fitness.silence_of(draft.state, host)
    return Wait(what, host, why, (f"prepare it     salt {node} {words}",))


def _await_member(draft: Draft, host: str, pool: PoolSpec | None) -> None:
    """Wait for a host to become a member; one that no declaration names is asked first."""
    node = pool.node_of(host) if pool is not None else None
    if pool is not None and node:  # its own peer's plan says what is wrong with it
        way = f"invite it      salt {pool.nodes[0]} state.apply gluster"
        asked = Facet("candidate", host)
        draft.waits.append(Wait("is not in the pool yet", host, ways=(way,), shown_by=asked))
        return
    way = f"invite it      salt MINION gluster_peer.probe {host}"
    draft.waits.append(Wait("is not in the pool yet", host, ways=(way,)))
    draft.needs.add(Facet("candidate", host))
    candidate = draft.state.candidates.get(host)
    if candidate is None:
        return
    peers = candidate.peers if is_known(candidate.peers) else ()
    others = [p.name for p in peers if not p.is_self]
    ours = {p.uuid for p in known(draft.state.peers)}
    if candidate.unresolved:
        draft.refuse("host_unknown", f"`bricks`: {candidate.unresolved}", *unresolved_ways(host))
    elif others and not ours & {p.uuid for p in peers}:
        draft.refuse(
            "foreign_pool",
            f"`bricks`: {host} is in a pool with {', '.join(others[:3])}, not in this one",
            "use a member   salt MINION gluster_peer.list",
        )


def risks(desired: VolumeSpec, pool: PoolSpec | None) -> frozenset[str]:
    """Return what the volume and its pool accept for good."""
    return desired.accept_risk | (pool.accept_risk if pool else frozenset())
