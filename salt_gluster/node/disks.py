"""Block devices: what disks there are, which are blank, XFS on one.

No force flag stands here, so the tools themselves refuse too. Nothing is ever wiped. Devices are
named by what stays: ``serial:…``, ``/dev/disk/by-id/…`` or ``/dev/disk/by-path/…``. Commands run
through a ``node.Run`` that is handed in, so that a recording can stand in for hardware.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from salt_gluster.errors import AlreadyExists, CommandFailed, GlusterError, SpecError, Unreadable
from salt_gluster.model import Refusal
from salt_gluster.node import (
    FstabEntry,
    Run,
    check_path,
    fstab_entry,
    is_mounted,
    mount_point_of,
    run_command,
    write_fstab,
)
from salt_gluster.node import mount as mount_entry

DEV_DISK = "/dev/disk"
SMALLEST = 512 * 1024 * 1024
#: ``nofail``: a dead brick disk must not stop the boot. With it systemd no longer waits for the
#: mount, and a brick that glusterd starts before it stays down: so that order is said as well.
OPTIONS = "noatime,inode64,nofail,x-systemd.before=glusterd.service"
#: 512-byte inodes hold gluster's xattrs; 8 KiB directory blocks as the administrator's guide says.
MKFS = ("mkfs.xfs", "-q", "-i", "size=512", "-n", "size=8192")
MKFS_LIMIT_S = 600.0
LOOK_LIMIT_S = 20.0


# --- what there is -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Device:
    """One block device. ``names`` are those that may be used; ``below`` = partitions, LVM, RAID."""

    path: str
    size: int
    kind: str  # lsblk's: disk, loop, part, lvm, raid1, crypt, rom …
    serial: str = ""
    model: str = ""
    names: tuple[str, ...] = ()
    read_only: bool = False
    rotational: bool | None = None
    fstype: str = ""
    label: str = ""
    uuid: str = ""
    partition_table: str = ""
    mount_points: tuple[str, ...] = ()
    below: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


def devices(run: Run = run_command, dev_disk: str | Path = DEV_DISK) -> tuple[Device, ...]:
    """Return every block device with a size, loop devices too, each with its stable names.

    Without udev lsblk knows neither file system nor label, so the device itself is probed.
    """
    ran = run(["lsblk", "--json", "-b", "-O"], LOOK_LIMIT_S)
    try:
        rows = json.loads(ran.out)["blockdevices"] if ran.out.strip() else []
    except (ValueError, KeyError, TypeError) as problem:
        raise Unreadable(f"lsblk did not print its JSON: {ran.words}") from problem
    links = _links(Path(dev_disk))
    by_path = {}
    for row in _rows(rows):  # a RAID member's volume is listed below each member: keep one
        if int(row.get("size") or 0) > 0:
            device = _device(row, links, run)
            by_path[device.path] = device
    return tuple(by_path.values())


def _rows(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for row in rows:
        yield row
        yield from _rows(row.get("children") or [])


def _device(row: dict[str, Any], links: dict[str, list[str]], run: Run) -> Device:
    path = str(row.get("path") or f"/dev/{row['name']}")
    serial = str(row.get("serial") or "").strip()
    whole = row.get("type") in ("disk", "loop")
    names = ([f"serial:{serial}"] if serial and whole else []) + links.get(path, [])
    seen = {k: str(row.get(k) or "") for k in ("fstype", "label", "uuid", "pttype")}
    if not seen["fstype"] and row.get("type") != "rom":
        seen.update(_probed(path, run))
    # Before util-linux 2.37 there is one "mountpoint" instead of the list.
    points = row.get("mountpoints") or [row.get("mountpoint")]
    return Device(
        path=path,
        size=int(row["size"]),
        kind=str(row.get("type") or "unknown"),
        serial=serial,
        model=str(row.get("model") or "").strip(),
        names=tuple(names),
        read_only=bool(row.get("ro")),
        rotational=row.get("rota"),
        fstype=seen["fstype"],
        label=seen["label"],
        uuid=seen["uuid"],
        partition_table=seen["pttype"],
        mount_points=tuple(p for p in points if p),
        below=tuple(str(child.get("name")) for child in row.get("children") or []),
    )


def _probed(path: str, run: Run) -> dict[str, str]:
    """Return what ``blkid -p`` reads from the device now, not from udev's or its own cache."""
    ran = run(["blkid", "-p", "-o", "export", path], LOOK_LIMIT_S)
    pairs = dict(line.split("=", 1) for line in ran.out.splitlines() if "=" in line)
    wanted = {"TYPE": "fstype", "LABEL": "label", "UUID": "uuid", "PTTYPE": "pttype"}
    return {wanted[key]: value for key, value in pairs.items() if key in wanted}


def _links(dev_disk: Path) -> dict[str, list[str]]:
    links: dict[str, list[str]] = {}
    for folder in ("by-id", "by-path"):
        for link in sorted((dev_disk / folder).glob("*")):
            links.setdefault(os.path.realpath(link), []).append(str(link))
    return links


def find(name: str, run: Run = run_command, dev_disk: str | Path = DEV_DISK) -> Device:
    """Return the device called ``name``; raises ``SpecError`` for a name that moves at boot."""
    everything = devices(run, dev_disk)
    if name.startswith("serial:"):
        matches = [d for d in everything if name in d.names]
    elif name.startswith((f"{dev_disk}/by-id/", f"{dev_disk}/by-path/")):
        target = os.path.realpath(name)
        matches = [d for d in everything if d.path == target]
    else:
        same = next((d for d in everything if d.path == os.path.realpath(name)), None)
        raise SpecError(
            "device",
            f"{name!r} is no name to rely on: it may mean another disk after the next boot",
            hint=_named_hint(same),
        )
    if len(matches) == 1:
        return matches[0]
    if matches:
        paths = ", ".join(d.path for d in matches)
        raise SpecError("device", f"{name!r} names several devices: {paths}", hint="Use by-path.")
    usable = [d.names[0] for d in everything if d.names and d.kind in ("disk", "loop")]
    names = ", ".join(usable[:8]) or "none has a stable name"
    raise SpecError("device", f"there is no device {name!r} on this node", hint=f"There: {names}.")


def _named_hint(device: Device | None) -> str:
    if device and device.names:
        return f"Write {' or '.join(device.names[:3])}."
    return (
        "Use serial:…, /dev/disk/by-id/… or /dev/disk/by-path/…; gluster_brick.devices lists them."
    )


# --- blank? --------------------------------------------------------------------------------------


def blank(
    device: Device | str, run: Run = run_command, dev_disk: str | Path = DEV_DISK
) -> tuple[Refusal, ...]:
    """Return every reason why ``device`` may hold something; empty = blank.

    Raw data without a signature is not seen: an operator chose the device. Claims from another
    mount namespace, or by a process, are seen by opening the device exclusively.
    """
    disk = find(device, run, dev_disk) if isinstance(device, str) else device
    checks: tuple[Callable[[Device, Run], Refusal | None], ...] = (
        _whole_disk, _large_enough, _writable, _no_partitions, _nothing_above, _not_mounted,
        _no_signature, _not_claimed,
    )  # fmt: skip
    return tuple(refusal for check in checks if (refusal := check(disk, run)))


def _whole_disk(device: Device, run: Run) -> Refusal | None:
    if device.kind in ("disk", "loop"):
        return None
    return Refusal("whole_disk", f"{device.path} is a {device.kind}, not a whole disk")


def _large_enough(device: Device, run: Run) -> Refusal | None:
    if device.size >= SMALLEST:
        return None
    mib = device.size // 1024**2
    return Refusal("large_enough", f"{device.path} has {mib} MiB; a brick needs 512 MiB")


def _writable(device: Device, run: Run) -> Refusal | None:
    return Refusal("writable", f"{device.path} is read-only") if device.read_only else None


def _no_partitions(device: Device, run: Run) -> Refusal | None:
    if not device.partition_table:
        return None
    why = f"{device.path} has a partition table ({device.partition_table})"
    return Refusal("no_partitions", why, _WAYS)


def _nothing_above(device: Device, run: Run) -> Refusal | None:
    if not device.below:
        return None
    return Refusal("no_holder", f"{device.path} carries {', '.join(device.below)}", _WAYS)


def _not_mounted(device: Device, run: Run) -> Refusal | None:
    if not device.mount_points:
        return None
    at = ", ".join(device.mount_points)
    return Refusal("not_mounted", f"{device.path} is in use at {at}")


def _no_signature(device: Device, run: Run) -> Refusal | None:
    ran = run(["wipefs", "--json", "--no-act", device.path], LOOK_LIMIT_S)
    try:
        if ran.rc != 0:
            raise ValueError(ran.words)
        signatures = [s["type"] for s in json.loads(ran.out or "{}").get("signatures", [])]
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        return Refusal("no_signature", f"signatures of {device.path} cannot be read: {problem}")
    if device.fstype and device.fstype not in signatures:
        signatures.append(device.fstype)
    if not signatures:
        return None
    words = ", ".join(sorted(set(signatures)))
    return Refusal("no_signature", f"{device.path} carries {words}", _WAYS)


def _not_claimed(device: Device, run: Run) -> Refusal | None:
    try:
        os.close(os.open(device.path, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
    except OSError as problem:
        if problem.errno == errno.EBUSY:
            why = f"{device.path} is held by the kernel or a process, perhaps in a container"
        else:
            why = f"{device.path} cannot be opened: {problem.strerror}"
        return Refusal("not_claimed", why)
    return None


_WAYS = ("another device", "look           lsblk -f; no disk with anything on it is ever taken")


# --- XFS on it -----------------------------------------------------------------------------------


def label_for(mount_point: str) -> str:
    """Return the XFS label (12 characters) that says: made by us, for this mount point."""
    return "sg-" + hashlib.sha256(mount_point.encode()).hexdigest()[:9]


def prepare(
    device: str,
    mount_point: str,
    *,
    confirm: str | None = None,
    test: bool = False,
    run: Run = run_command,
    dev_disk: str | Path = DEV_DISK,
    fstab: str | Path = "/etc/fstab",
) -> dict[str, Any]:
    """Make XFS on a blank ``device``, mount it by UUID, now and at boot; return the changes.

    Idempotent: a device that carries our label for this ``mount_point`` is only mounted, and a run
    that was cut off is finished by the next one. ``confirm`` names the device's identity, one of
    its stable names. The changes hold no UUID (mkfs chooses one), so that test mode and the run say
    the same. Raises ``GlusterError`` of kind ``refused`` with every reason, ``SpecError`` for a bad
    name, before anything is changed.
    """
    check_path(mount_point, "mount")
    at = mount_point_of(mount_point)
    disk = find(device, run, dev_disk)
    if confirm is not None and confirm not in (*disk.names, disk.serial):
        raise SpecError(
            "confirm", f"{confirm!r} is not {device}", hint=f"It is {' or '.join(disk.names)}."
        )
    ours = disk.fstype == "xfs" and disk.label == label_for(mount_point)
    refusals = () if ours else blank(disk, run, dev_disk)
    if ours and disk.mount_points and at not in disk.mount_points:
        refusals = (Refusal("not_mounted", f"{disk.path} is mounted at {disk.mount_points[0]}"),)
    if refusals:
        raise _refused(device, refusals)
    entry = FstabEntry(f"UUID={disk.uuid}" if ours else "UUID=", at, "xfs", OPTIONS)
    changes = _predicted(device, disk, entry, ours, run, fstab)
    if test or not changes:
        return changes
    done: dict[str, Any] = {}
    try:
        if not ours:
            uuid = _make_xfs(disk, mount_point, run)
            done["filesystem"] = changes["filesystem"]
            entry = FstabEntry(f"UUID={uuid}", at, "xfs", OPTIONS)
        done |= mount_entry(entry, run=run)
        # Last: what cannot be mounted now is not mounted at the next boot.
        write_fstab(entry, fstab)
    except GlusterError as err:
        err.changed = done
        raise
    return changes


def _predicted(
    name: str, device: Device, entry: FstabEntry, ours: bool, run: Run, fstab: str | Path
) -> dict[str, Any]:
    """Return what will change; raises where the mount point is another's."""
    changes: dict[str, Any] = {}
    if not ours:
        changes["filesystem"] = {"old": None, "new": f"xfs on {name}"}
        if fstab_entry(entry.mount_point, fstab) or is_mounted(entry.mount_point):
            raise AlreadyExists(
                f"something is mounted at {entry.mount_point}, or {fstab} says so",
                kind="mount_point_taken",
                hint="Choose another mount point, or take that line out if it is not needed.",
            )
    written = write_fstab(entry, fstab, test=True)
    if written:
        old = written["old"] and entry.mount_point
        changes["fstab"] = {"old": old, "new": f"{entry.mount_point} xfs {entry.options}"}
    mounted = is_mounted(entry.mount_point)
    if mounted is not None and os.path.realpath(mounted[0]) != device.path:
        raise AlreadyExists(
            f"{mounted[0]} is mounted at {entry.mount_point}, not {device.path}",
            kind="mount_point_taken",
            hint="Unmount it, or choose another mount point.",
        )
    return {**changes, **mount_entry(entry, run=run, test=True)}


def _make_xfs(device: Device, mount_point: str, run: Run) -> str:
    """Make the file system, read it back and return its UUID."""
    argv = [*MKFS, "-L", label_for(mount_point), device.path]
    ran = run(argv, MKFS_LIMIT_S)
    if ran.rc != 0:
        raise CommandFailed(
            f"mkfs.xfs refused {device.path}: {ran.words}",
            kind="mkfs_failed",
            hint="Nothing was mounted. Look at the device with gluster_brick.devices.",
            op_ret=ran.rc,
            argv=argv,
        )
    seen = _probed(device.path, run)
    if seen.get("fstype") != "xfs" or not seen.get("uuid"):
        raise CommandFailed(
            f"mkfs.xfs said nothing, and {device.path} has no XFS", kind="mkfs_failed", argv=argv
        )
    return seen["uuid"]


def _refused(device: str, refusals: tuple[Refusal, ...]) -> GlusterError:
    reasons = "; ".join(f"{r.name}: {r.why}" for r in refusals)
    ways = list(dict.fromkeys(way for r in refusals for way in r.ways))
    hint = (
        f"Nothing was changed. Ways on: {', or '.join(ways)}." if ways else "Nothing was changed."
    )
    return GlusterError(f"{device} is not blank. {reasons}.", kind="refused", hint=hint)
