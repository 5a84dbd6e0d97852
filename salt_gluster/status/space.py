"""How full the bricks of a volume are: its fullest set decides. Pure.

A file lies in one set, whatever is free in the others, and a set holds what its smallest brick
holds. Below ``storage.reserve`` (1 % as created) a brick takes no new data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from salt_gluster.model import BrickSpace, ReplicaSet, Volume

#: Percent free, below which a set is told before it is full. There gluster begins to place new
#: files on other sets (``cluster.min-free-disk``).
SOON_PERCENT = 10
RESERVE_PERCENT = 1.0


@dataclass(frozen=True)
class SetSpace:
    """The brick of a set with the least room, and how much a client can still write there."""

    number: int
    brick: str
    free: int
    total: int
    level: str = ""
    """"" = there is room, ``full_soon``, ``full``."""

    @property
    def percent(self) -> int:
        """Return how much is free, rounded down."""
        return 100 * self.free // self.total if self.total else 0


def of_sets(volume: Volume, told: Sequence[BrickSpace]) -> tuple[SetSpace, ...]:
    """Return the space of each set of which a brick with data is told, in their order."""
    by_brick: Mapping[str, BrickSpace] = {row.brick: row for row in told if row.total > 0}
    return tuple(found for members in volume.sets if (found := _of_set(volume, members, by_brick)))


def _of_set(
    volume: Volume, members: ReplicaSet, by_brick: Mapping[str, BrickSpace]
) -> SetSpace | None:
    rows = [by_brick[b.name] for b in members.bricks if not b.is_arbiter and b.name in by_brick]
    if not rows:
        return None
    share = volume.disperse - volume.redundancy if volume.disperse else 1
    least = min(rows, key=lambda row: (row.free, row.brick))
    total = share * min(row.total for row in rows)
    level = _level(100 * least.free / least.total, _reserve(volume))
    return SetSpace(members.index + 1, least.brick, share * least.free, total, level)


def fullest(sets: Sequence[SetSpace]) -> SetSpace | None:
    """Return the set with the least part of its room free."""
    return min(sets, key=lambda one: (one.free / one.total, one.number), default=None)


def _level(percent: float, reserve: float) -> str:
    if percent <= reserve:
        return "full"
    return "full_soon" if percent < SOON_PERCENT else ""


def _reserve(volume: Volume) -> float:
    try:
        return float(volume.options.get("storage.reserve", RESERVE_PERCENT))
    except ValueError:
        return RESERVE_PERCENT
