"""Read the definitions of volumes from glusterd's own files, and the stamps that vouch for them.

glusterd writes a volume's ``info`` on every member at every change, wherever it was made
(facts.md#S-5.2). ``info`` holds the volume's user and password: nothing but the definition leaves
this file.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from salt_gluster.model import Brick, Unknown, Volume

Stat = tuple[int, int, int] | None

_STATUS = {"0": "Created", "1": "Started", "2": "Stopped"}
_KINDS = {"0": "distribute", "2": "replicate", "4": "disperse"}
_TRANSPORTS = {"0": "tcp", "1": "rdma", "2": "tcp,rdma"}
#: Lines of ``info`` that are no option: all others are.
_FIELDS = frozenset({
    "type", "count", "status", "sub_count", "stripe_count", "replica_count", "arbiter_count",
    "thin_arbiter_count", "disperse_count", "redundancy_count", "version", "transport-type",
    "volume-id", "username", "password", "op-version", "client-op-version", "quota-version",
    "tier-enabled", "parent_volname", "restored_from_snap", "snap-max-hard-limit",
    "snap-max-soft-limit", "features.limit-usage", "features.soft-limit", "caps",
    "global-option-version",
})  # fmt: skip
_NUMBERED = re.compile(r"(brick-|slave|ta-brick)\d*")


@dataclass(frozen=True)
class Stamp:
    """What changes when glusterd stores anything: compare with ``==``.

    ``members`` is when glusterd started, the mtime of ``peers/`` and the stat of the options of the
    whole pool, ``vols`` the mtime of ``vols/``. ``volumes`` is inode, mtime and size of each
    volume's ``info`` and ``cksum``, None for a file that is missing.
    """

    members: tuple[object, ...]
    vols: int
    volumes: Mapping[str, tuple[Stat, Stat]]

    def among(self, names: Iterable[str]) -> Stamp:
        """Return the part of it that tells of these volumes."""
        few = {n: self.volumes[n] for n in names if n in self.volumes}
        return Stamp(self.members, self.vols, few)


def stamp(
    glusterd_dir: str | Path,
    glusterd_started: float | Unknown | None = None,
    volumes: Iterable[str] | None = None,
) -> Stamp | None:
    """Return the stamp of all volumes or of these; None when it cannot be looked at."""
    if isinstance(glusterd_started, Unknown):
        return None
    vols, peers = Path(glusterd_dir, "vols"), Path(glusterd_dir, "peers")
    try:
        names = sorted(entry.name for entry in os.scandir(vols)) if volumes is None else volumes
        members = (glusterd_started, peers.stat().st_mtime_ns, _stat(f"{glusterd_dir}/options"))
        changed = vols.stat().st_mtime_ns
    except OSError:
        return None
    stats = {n: (_stat(f"{vols}/{n}/info"), _stat(f"{vols}/{n}/cksum")) for n in names}
    return Stamp(members, changed, stats)


def read_definitions(glusterd_dir: str | Path, names: Iterable[str]) -> dict[str, Volume] | None:
    """Return these volumes as ``volume info`` shows them; None where the files do not tell it."""
    try:
        for_all = _pairs(Path(glusterd_dir, "options"))
    except FileNotFoundError:
        for_all = {}
    except OSError:
        return None
    try:
        return {n: _volume(Path(glusterd_dir, "vols", n), for_all) for n in names}
    except (OSError, KeyError, ValueError):  # half written, or of a kind that is not made any more
        return None


def _volume(folder: Path, for_all: Mapping[str, str]) -> Volume:
    info = _pairs(folder / "info")
    kind, count = _KINDS[info["type"]], int(info["count"])
    replica, disperse = int(info["replica_count"]), int(info["disperse_count"])
    arbiter = int(info.get("arbiter_count", "0"))
    size = disperse or max(1, replica)
    bricks = []
    for at in range(count):
        row = _pairs(folder / "bricks" / info[f"brick-{at}"])
        is_arbiter = bool(arbiter) and (at + 1) % size == 0
        bricks.append(Brick(row["hostname"], row["path"], row["uuid"], is_arbiter=is_arbiter))
    several = "Distributed-" if count > size > 1 else ""
    return Volume(
        name=folder.name,
        id=info["volume-id"],
        status=_STATUS[info["status"]],
        kind=kind,
        bricks=tuple(bricks),
        dist_count=count // size,
        replica=replica,
        arbiter=arbiter,
        disperse=disperse,
        redundancy=int(info["redundancy_count"]),
        transport=_TRANSPORTS[info["transport-type"]],
        options={**_options(info), **_options(for_all)},
        type_text=several + kind.capitalize(),
        thin_arbiter=_is_thin(info),
    )


def with_thin_arbiters(
    glusterd_dir: str | Path, volumes: Mapping[str, Volume]
) -> dict[str, Volume]:
    """Return the volumes as gluster tells them, with the thin arbiters that its XML hides.

    Only a volume of two copies can have one, so that no other costs a look. A file that cannot be
    read leaves a volume as it was told.
    """
    seen = dict(volumes)
    for name, volume in volumes.items():
        if volume.replica == 2:
            with contextlib.suppress(OSError):
                thin = _is_thin(_pairs(Path(glusterd_dir, "vols", name, "info")))
                seen[name] = replace(volume, thin_arbiter=thin)
    return seen


def _is_thin(info: Mapping[str, str]) -> bool:
    return info.get("thin_arbiter_count", "0") not in ("", "0")


def _options(pairs: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in pairs.items() if k not in _FIELDS and not _NUMBERED.fullmatch(k)}


def _pairs(file: Path) -> dict[str, str]:
    lines = file.read_text(encoding="utf-8", errors="replace").split("\n")
    return {k: v.strip() for k, sep, v in (line.partition("=") for line in lines) if sep}


def _stat(path: str) -> Stat:
    try:
        status = os.stat(path)  # noqa: PTH116 - a Path costs more than the stat, and there are many
    except OSError:
        return None
    return (status.st_ino, status.st_mtime_ns, status.st_size)
