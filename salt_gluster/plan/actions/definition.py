"""A volume's definition: its shape in words, its difference, its place in an observation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from salt_gluster.model import Brick, Observation, Volume, VolumeStatus, brick_at, known
from salt_gluster.plan.actions.row import Args
from salt_gluster.spec import VolumeSpec


@dataclass(frozen=True)
class SetShape:
    """The type of each set; of a volume that is there and of one that is declared the same."""

    kind: str
    replica: int = 1
    arbiter: bool = False
    disperse: int = 0
    redundancy: int = 0
    thin_arbiter: bool = field(default=False, compare=False)  # no declaration can name it

    @property
    def words(self) -> str:
        """It in words: ``replica 3``, ``replica 2 + arbiter``, ``disperse 4+2``, ``distribute``."""
        if self.kind == "disperse":
            return f"disperse {self.disperse - self.redundancy}+{self.redundancy}"
        if self.kind == "replicate":
            with_data = self.replica - 1 if self.arbiter else self.replica
            more = " + arbiter" if self.arbiter else " + thin arbiter" if self.thin_arbiter else ""
            return f"replica {with_data}{more}"
        return "distribute"


def set_shape(volume: Volume | VolumeSpec) -> SetShape:
    """Return the type of each of its sets."""
    if volume.kind == "disperse":
        return SetShape("disperse", disperse=volume.disperse, redundancy=volume.redundancy)
    if volume.kind == "replicate":
        thin = isinstance(volume, Volume) and volume.thin_arbiter
        return SetShape("replicate", volume.replica, bool(volume.arbiter), thin_arbiter=thin)
    return SetShape("distribute")


def shape(volume: Volume) -> str:
    """Return the volume's type in words: ``2 x replica 3``, ``distribute 4``."""
    sets, each = len(volume.sets), set_shape(volume)
    return f"distribute {sets}" if each.kind == "distribute" else f"{sets} x {each.words}"


def volume_diff(
    before: Volume | None, after: Volume | None, fields: Iterable[str], options: Iterable[str] = ()
) -> dict[str, Any]:
    """Return ``{field: {old, new}}`` between two definitions, for the named fields and options."""
    read: dict[str, Callable[[Volume], Any]] = {
        "type": shape,
        "transport": lambda v: v.transport,
        "bricks": lambda v: [b.name for b in v.bricks],
        "status": lambda v: v.status,
    }
    diff: dict[str, Any] = {}
    for name in fields:
        old, new = (read[name](v) if v else None for v in (before, after))
        if old != new:
            diff[name] = {"old": old, "new": new}
    changed = {}
    for name in sorted(options):
        old, new = (v.options.get(name) if v else None for v in (before, after))
        if old != new:
            changed[name] = {"old": old, "new": new}
    if changed:
        diff["options"] = changed
    return diff


def with_volume(obs: Observation, volume: Volume) -> Observation:
    return replace(obs, volumes={**known(obs.volumes), volume.name: volume})


def bricks_named(
    obs: Observation, names: Iterable[str], arbiter_every: int = 0
) -> tuple[Brick, ...]:
    bricks = []
    for position, name in enumerate(names, 1):
        host, path = brick_at(name)
        peer = obs.peer_named(host)
        is_arbiter = bool(arbiter_every) and position % arbiter_every == 0
        bricks.append(Brick(host, path, peer.uuid if peer else "", is_arbiter))
    return tuple(bricks)


def seen_in_volume(*fields: str) -> Callable[[Observation, Observation, str, Args], dict[str, Any]]:
    def seen(before: Observation, after: Observation, subject: str, args: Args) -> dict[str, Any]:
        options = args.get("options", ()) or ([args["option"]] if "option" in args else [])
        old, new = (known(o.volumes).get(subject) for o in (before, after))
        diff = volume_diff(old, new, fields, options)
        return {subject: diff} if diff else {}

    return seen


def bricks_down(obs: Observation, volume: Volume, status: VolumeStatus) -> tuple[str, ...]:
    """Return the bricks of usable members without a row that is up; a missing row is not up."""
    usable = {p.uuid for p in known(obs.peers) if p.usable}
    up = {(row.host_uuid, row.path) for row in status.bricks if row.up}
    here = (b for b in volume.bricks if b.host_uuid in usable)
    return tuple(sorted(b.name for b in here if (b.host_uuid, b.path) not in up))


def has_bricks(obs: Observation, subject: str, args: Args) -> bool:
    """Return whether the volume has all these bricks, whatever else it has."""
    volume = known(obs.volumes).get(subject)
    return volume is not None and set(args["bricks"]) <= {b.name for b in volume.bricks}
