"""Choose which nodes of a pool are its Consul servers: 1, 3 or 5, spread over zones, and kept.

Pure. A server is a voter: recomputing the set when the pool changes would move the vote, so what
was chosen stays, and one that has left the pool is exchanged for another one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

#: From so many nodes on the pool has so many servers, the biggest first.
SIZES = ((9, 5), (3, 3), (0, 1))


def size_for(nodes: int) -> int:
    """Return how many servers a pool of so many nodes has."""
    return next(size for least, size in SIZES if nodes >= least)


def choose(
    nodes: Sequence[str], zones: Mapping[str, str], kept: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return the servers, in order; ``kept`` are those of today.

    A call either adds what the pool has grown to need, or exchanges one server that is no node any
    more, or gives up one of too many: never two at a time, so the others keep their majority. The
    only server is given up when there are two: another one alone would begin a Consul of its own.
    """
    if not kept:
        return _added(nodes, zones, (), size_for(len(nodes)))
    gone = [name for name in kept if name not in nodes]
    wanted = max(size_for(len(nodes)), 1)
    if len(kept) > wanted:
        leaving = (gone or list(kept))[-1]
        return tuple(name for name in kept if name != leaving)
    if not gone:
        return _added(nodes, zones, tuple(kept), wanted)
    if len(kept) == 1:
        return _added(nodes, zones, tuple(kept), 2)
    others = tuple(name for name in kept if name != gone[0])
    after = _added(nodes, zones, others, len(kept))
    # Without a node to take over, the old one stays a server: the majority counts as before.
    return after if len(after) == len(kept) else tuple(kept)


def _added(
    nodes: Sequence[str], zones: Mapping[str, str], have: tuple[str, ...], size: int
) -> tuple[str, ...]:
    """Add nodes up to ``size``, each time of the zone with the fewest, in the order of the pool."""
    chosen = list(have)
    free = [name for name in nodes if name not in have]

    def crowd(name: str) -> int:
        zone = zones.get(name, name)
        return sum(1 for other in chosen if zones.get(other, other) == zone)

    while free and len(chosen) < size:
        best = min(free, key=crowd)  # the first of the equal ones
        free.remove(best)
        chosen.append(best)
    return tuple(chosen)
