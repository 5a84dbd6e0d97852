"""What is wrong in a volume that no dead brick explains: split-brain, no room. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from salt_gluster.model import BrickSpace, Observation, Ref, Unknown, Volume, is_known, size
from salt_gluster.status import space as space_of

#: A set that was told has to have so much more room, in percent, before it is told to be well.
BACK_PERCENT = 2

SPLIT, ROOM = "split_brain", "room"


@dataclass(frozen=True)
class VolumeTrouble:
    """One matter of a volume. ``state`` is the event that tells it."""

    kind: str
    volume: str
    name: str
    state: str
    why: str
    ways: tuple[str, ...] = ()

    @property
    def ref(self) -> Ref:
        """Its condition."""
        return Ref("volume_trouble", f"{self.kind}@{self.volume}")


@dataclass(frozen=True)
class VolumeTroubles:
    """What is wrong now, and of which matters it is not known whether they go on."""

    found: tuple[VolumeTrouble, ...] = ()
    unknown: frozenset[Ref] = frozenset()


def volume_troubles(pool: Observation, space: Mapping[str, Iterable[BrickSpace]]) -> VolumeTroubles:
    """Return the trouble of all volumes that are started."""
    found: list[VolumeTrouble] = []
    unknown: set[Ref] = set()
    volumes = pool.volumes.values() if is_known(pool.volumes) else ()
    for volume in volumes:
        if not volume.is_started:
            continue
        count = _split(volume, pool)
        if isinstance(count, Unknown):
            unknown.add(Ref("volume_trouble", f"{SPLIT}@{volume.id}"))
        elif count:
            found.append(_of_split(volume, count))
        sets = space_of.of_sets(volume, tuple(space.get(volume.name, ())))
        found += _of_room(volume, sets)
        least = space_of.fullest(sets)
        almost = least is not None and least.percent < space_of.SOON_PERCENT + BACK_PERCENT
        if len(sets) < len(volume.sets) or (almost and least is not None and not least.level):
            unknown.add(Ref("volume_trouble", f"{ROOM}@{volume.id}"))
    return VolumeTroubles(tuple(found), frozenset(unknown))


def _split(volume: Volume, pool: Observation) -> int | Unknown:
    rows = pool.heal.get(volume.name, ())
    if isinstance(rows, Unknown):
        return rows
    known = [r.split_brain for r in rows if is_known(r.split_brain)]
    if most := max(known, default=0):
        return most
    return next((r.split_brain for r in rows if isinstance(r.split_brain, Unknown)), 0)


def _of_split(volume: Volume, count: int) -> VolumeTrouble:
    files = "a file" if count == 1 else f"{count} files"
    return VolumeTrouble(
        SPLIT, volume.id, volume.name, "split_brain",
        f"{files} of {volume.name} cannot be read: each copy accuses the other. Somebody has to"
        " choose the copies to keep.",
        (f"salt-call gluster_heal.split_brain {volume.name}",),
    )  # fmt: skip


def _of_room(volume: Volume, sets: Iterable[space_of.SetSpace]) -> Iterator[VolumeTrouble]:
    least = space_of.fullest(tuple(sets))
    if least is not None and least.level:
        room = f"{size(least.free)} ({least.percent} %) free on {least.brick}"
        yield VolumeTrouble(
            ROOM, volume.id, volume.name, least.level,
            f"set {least.number} of {volume.name} has {room}.",
            (f"add bricks to {volume.name}, or remove files",),
        )  # fmt: skip
