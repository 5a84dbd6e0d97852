"""What else a member may be called: as the pillar declares, and by the addresses of names here.

Names are resolved only where gluster calls no member by a declared name, in any spelling of the
pillar: in a pool that is as declared nothing is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping

from salt_gluster import node
from salt_gluster.model import Peer, is_known
from salt_gluster.spec import PoolSpec

#: Name in lower case -> its other spellings.
Spellings = dict[str, tuple[str, ...]]
#: All names together; what did not resolve in that time has no address in this run.
LIMIT_S = 2.0


def declared(pool: PoolSpec | None) -> Spellings:
    """Return the spellings that the pillar gives: a node and its address, both ways."""
    found: dict[str, set[str]] = {}
    for name in pool.nodes if pool else ():
        address = pool.address(name) if pool else name
        for one, other in ((name, address), (address, name)):
            found.setdefault(one.lower(), set()).add(other.lower())
    return {name: tuple(sorted(others - {name})) for name, others in found.items()}


def spellings(
    given: Spellings, own: Iterable[str], peers: Iterable[Peer], kept: MutableMapping[str, object]
) -> Spellings:
    """Return the declared spellings, with addresses where a declared name is called by nobody.

    ``own`` are the names of this node; ``kept`` holds what was resolved in this run.
    """
    called = {n.lower() for p in peers for n in p.names} | {n.lower() for n in own}
    strange = [n for n, others in given.items() if called.isdisjoint({n, *others})]
    if not strange:
        return given
    wanted = {*called, *strange, *(o for n in strange for o in given[n])}
    missing = sorted(wanted - kept.keys())
    if missing:
        kept.update(node.resolve_all(missing, LIMIT_S))
    return {n: (*given.get(n, ()), *_addresses(kept, n)) for n in {*given, *wanted}}


def _addresses(kept: Mapping[str, object], name: str) -> tuple[str, ...]:
    found = kept.get(name)
    return tuple(map(str, found)) if isinstance(found, tuple) and is_known(found) else ()
