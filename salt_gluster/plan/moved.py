"""Tell what has moved between two observations, so that a plan that rests on none of it is kept.

In a pool of hundreds of volumes a look finds a few changed; to plan all the others again would be
most of what a run costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from salt_gluster.model import Facet, Observation, Plan, UnknownRead, is_known, known


@dataclass(frozen=True)
class Movement:
    """What differs. ``pool``: the members, this node, or the uuid of a host that is no member."""

    pool: bool = False
    volumes: frozenset[str] = frozenset()
    facets: frozenset[Facet] = frozenset()


def what_moved(before: Observation | None, after: Observation) -> Movement:
    """Return what differs between two observations of one node, all of it where one is not known.

    What is not looked at any more, or for the first time, has moved as well.
    """
    if before is after:
        return Movement()
    if before is None or not all(
        is_known(facet) for obs in (before, after) for facet in (obs.peers, obs.volumes)
    ):
        return Movement(pool=True)
    seen = ((o.node, o.peers, o.spellings) for o in (before, after))
    if _differs(*seen):
        return Movement(pool=True)
    volumes = _differing(known(before.volumes), known(after.volumes))
    if volumes and _hosts_outside(before) != _hosts_outside(after):
        return Movement(pool=True)
    return Movement(False, volumes, _moved_facets(before, after))


def rests_on(plan: Plan, volume: str, moved: Movement) -> bool:
    """Return whether a plan of ``volume`` may be another one now.

    What waits or is refused rests on time as well, and on what no facet tells.
    """
    if moved.pool or plan.waits or plan.refusals or volume in moved.volumes:
        return True
    return not plan.needs.isdisjoint(moved.facets)


def _moved_facets(before: Observation, after: Observation) -> frozenset[Facet]:
    moved = {Facet("path", name) for name in _differing(before.paths, after.paths)}
    moved |= {Facet("dead", name) for name in _differing(before.dead, after.dead)}
    moved |= {Facet("candidate", name) for name in _differing(before.candidates, after.candidates)}
    if is_known(after.prepared) or is_known(before.prepared):  # a word grows old: time moves it
        moved.add(Facet("prepared"))
    return frozenset(moved)


def _differing(before: Mapping[str, object], after: Mapping[str, object]) -> frozenset[str]:
    names = before.keys() | after.keys()
    return frozenset(name for name in names if _differs(before.get(name), after.get(name)))


def _differs(before: object, after: object) -> bool:
    """Return whether two nouns differ; where something in them is unknown, it may have moved."""
    try:
        return before != after
    except UnknownRead:
        return True


def _hosts_outside(obs: Observation) -> dict[str, str]:
    """Return the uuids that bricks give to hosts that are no member's name.

    That is all that the plan of one volume takes from the others (``brick_sets.Finder``).
    """
    bricks = (brick for volume in known(obs.volumes).values() for brick in volume.bricks)
    return {b.host: b.host_uuid for b in bricks if b.host_uuid and obs.peer_named(b.host) is None}
