"""Resolve which bricks a declaration means: those written, or those that the layout chooses."""

from __future__ import annotations

from collections.abc import Sequence

from salt_gluster.model import Observation, Volume, brick_at, known, natural_key
from salt_gluster.plan.layout import Layout, explain, lay_out
from salt_gluster.spec import BrickSlot, PoolSpec, VolumeSpec

#: ``HOST:PATH`` of every member, set by set.
BrickSets = list[list[str]]


class Finder:
    """Compares bricks by the member's uuid, because a host has many spellings (facts.md#G-2.1)."""

    def __init__(self, obs: Observation) -> None:
        self._obs = obs
        self._hosts: dict[str, str] | None = None

    def key(self, brick: str) -> tuple[str, str]:
        """Return what makes two spellings of a brick the same."""
        host, path = brick_at(brick)
        peer = self._obs.peer_named(host)
        return (peer.uuid if peer else self._uuid_in_bricks(host.lower()), path)

    def _uuid_in_bricks(self, host: str) -> str:
        """Return the uuid that the bricks of any volume give a host, else the host."""
        if self._hosts is None:  # not before it is needed: a pool has thousands of bricks
            volumes = known(self._obs.volumes).values()
            bricks = (b for v in volumes for b in v.bricks if b.host_uuid)
            self._hosts = {b.host.lower(): b.host_uuid for b in bricks}
        return self._hosts.get(host, host)


def declared_sets(
    desired: VolumeSpec, volume: Volume | None, pool: PoolSpec | None, obs: Observation
) -> BrickSets | None:
    """Return the sets the declaration asks for; None = whatever is there is right.

    Live sets are pinned. Without written bricks a volume grows only where ``only`` names the nodes:
    a new member never gets bricks by itself.
    """
    if desired.bricks:
        hosts = [f"{_address(pool, b.node)}:{b.path}" for b in desired.bricks]
        size = desired.set_size
        return [hosts[i : i + size] for i in range(0, len(hosts), size)]
    if pool is None:
        return None if volume is not None else []
    live = [[b.name for b in s.bricks] for s in volume.sets] if volume else []
    if volume is None:
        return _chosen(_layout(desired, pool), pool)
    find = Finder(obs)
    places = {find.key(_spelled(p, pool)): p for p in _places(desired, pool)}
    if desired.set_size > volume.set_size:
        laid_out = [[b for b in members if find.key(b) in places] for members in live]
        if laid_out != live:  # the rest would be foreign as soon as a companion is there
            return laid_out
        own = _with_companions(desired, live, pool, obs)
        if any(len(members) < desired.set_size for members in own):
            return own
    else:
        own = _as_laid_out(live, places, find)
    if not desired.only or not any(find.key(b) in places for members in live for b in members):
        return own
    pinned = [
        [places[find.key(b)] for b in m] for m in own if all(find.key(b) in places for b in m)
    ]
    grown = lay_out(
        tuple(places.values()), size=desired.set_size, live=pinned, arbiter=desired.arbiter
    )
    return own + _chosen(grown, pool)[len(pinned) :]


def explain_layout(desired: VolumeSpec, pool: PoolSpec | None) -> str:
    """Return why no set can be placed and what to add."""
    if pool is None:
        return "no bricks are given"
    layout = _layout(desired, pool)
    return "; ".join((*layout.reasons, layout.advice)).strip("; ") or "there are no nodes for it"


def _address(pool: PoolSpec | None, node: str) -> str:
    return pool.address(node) if pool else node


def _places(desired: VolumeSpec, pool: PoolSpec) -> tuple[BrickSlot, ...]:
    return pool.places(desired)


def _layout(desired: VolumeSpec, pool: PoolSpec) -> Layout:
    return lay_out(_places(desired, pool), size=desired.set_size, arbiter=desired.arbiter)


def _chosen(layout: Layout, pool: PoolSpec) -> BrickSets:
    return [[f"{pool.address(p.node)}:{p.path}" for p in members] for members in layout.sets]


def _as_laid_out(
    live: BrickSets, places: dict[tuple[str, str], BrickSlot], find: Finder
) -> BrickSets:
    """Return the live sets without bricks that were put into a laid-out volume by another hand.

    A volume none of whose bricks lies where the layout would put it was made by hand as a whole:
    it is taken as it is.
    """
    laid_out = [[b for b in members if find.key(b) in places] for members in live]
    return [members for members in laid_out if members] or live


def _with_companions(
    desired: VolumeSpec, live: BrickSets, pool: PoolSpec, obs: Observation
) -> BrickSets:
    """Give every live set its new members: other nodes, other zones first, the least used first.

    A set stays too short where no other node has a free place.
    """
    find = Finder(obs)
    used = {find.key(b) for members in live for b in members}
    free = [p for p in _places(desired, pool) if find.key(_spelled(p, pool)) not in used]
    if any(p.arbiter_only for p in free):  # then the new member is an arbiter, and goes there
        free = [p for p in free if p.arbiter_only]
    load: dict[str, int] = {}
    grown: BrickSets = []
    for members in live:
        chosen = list(members)
        while len(chosen) < desired.set_size:
            taken = {find.key(b)[0] for b in chosen}
            zones = {pool.zone(n) for b in chosen if (n := pool.node_of(brick_at(b)[0]))}
            fitting = [p for p in free if find.key(_spelled(p, pool))[0] not in taken]
            if not fitting:
                break
            best = min(
                fitting,
                key=lambda p: (p.zone in zones, load.get(p.node, 0), natural_key(p.node), p.path),
            )
            free.remove(best)
            load[best.node] = load.get(best.node, 0) + 1
            chosen.append(_spelled(best, pool))
        grown.append(chosen)
    return grown


def _spelled(place: BrickSlot, pool: PoolSpec) -> str:
    return f"{pool.address(place.node)}:{place.path}"


def unused_nodes(
    desired: VolumeSpec, volume: Volume, pool: PoolSpec, obs: Observation
) -> Sequence[str]:
    """Return declared nodes that could hold bricks of the volume and hold none."""
    find = Finder(obs)
    holding = {find.key(b.name)[0] for b in volume.bricks}
    nodes = {p.node for p in pool.places(desired)}
    idle = [n for n in nodes if find.key(f"{pool.address(n)}:/")[0] not in holding]
    return sorted(idle, key=natural_key)


def explain_bricks(
    desired: VolumeSpec, volume: Volume | None, pool: PoolSpec, obs: Observation
) -> str:
    """Return why each brick of a declared volume lies, or would lie, where it does."""
    find = Finder(obs)
    places = {find.key(_spelled(p, pool)): p for p in _places(desired, pool)}
    live = []
    for members in volume.sets if volume else ():
        keys = [find.key(b.name) for b in members.bricks]
        if not all(k in places for k in keys):
            outside = ", ".join(b.name for b in members.bricks)
            return f"{desired.name} was not laid out by this declaration: {outside}"
        live.append([places[k] for k in keys])
    want = 0 if volume else None
    size, arbiter = desired.set_size, desired.arbiter
    return explain(
        lay_out(tuple(places.values()), size=size, live=live, arbiter=arbiter, want=want)
    )
