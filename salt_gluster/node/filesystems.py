"""The disk below a path: the file system's own uuid, and what the kernel has said of the device.

Only read; the device itself is opened for its superblock alone.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from salt_gluster.model import Unknown
from salt_gluster.node.mounts import Mount

KMSG = "/dev/kmsg"

#: Words of the kernel about a disk that did not do as it was told; the device is named beside them.
_BAD = re.compile(
    r"I/O error|medium error|target error|Shutting down filesystem|(EXT4-fs|BTRFS)[^:]*: error"
    r"|EXT4-fs error|read error corrected|uncorrectable",
    re.IGNORECASE,
)
#: A loop device gets its name again and again: what was said of an earlier file is forgotten.
_MADE_ANEW = re.compile(r"^(\w+): detected capacity change from 0 to ")
_WORD = re.compile(r"[A-Za-z0-9!_-]+")


@dataclass(frozen=True)
class _Superblock:
    """Where a file system keeps its uuid: offset and bytes of its mark, offset of the uuid."""

    mark_at: int
    mark: bytes
    uuid_at: int


_SUPERBLOCKS = {
    "xfs": _Superblock(0, b"XFSB", 32),
    "btrfs": _Superblock(0x10040, b"_BHRfS_M", 0x10020),
    **dict.fromkeys(("ext2", "ext3", "ext4"), _Superblock(0x438, b"\x53\xef", 0x468)),
}


def filesystem_uuid(mount: Mount) -> str | Unknown:
    """Return the own uuid of the file system that is mounted; it stays over reboots and moves."""
    where = _SUPERBLOCKS.get(mount.fstype)
    if where is None:
        return Unknown(f"a file system of type {mount.fstype} has no uuid that we can read")
    try:
        handle = os.open(_device(mount), os.O_RDONLY | os.O_CLOEXEC)
    except OSError as problem:
        why = Unknown(f"{mount.source} cannot be opened: {problem.strerror}")
        return _told_by_udev(mount) or why
    try:
        mark = os.pread(handle, len(where.mark), where.mark_at)
        raw = os.pread(handle, 16, where.uuid_at)
    except OSError as problem:
        return Unknown(f"{mount.source} cannot be read: {problem.strerror}")
    finally:
        os.close(handle)
    if mark != where.mark or len(raw) != 16:
        return Unknown(f"{mount.source} holds no {mount.fstype} superblock")
    return str(uuid.UUID(bytes=raw))


def _told_by_udev(mount: Mount, folder: str = "/dev/disk/by-uuid") -> str:
    """Return the uuid that udev found on the device when it came, "" where it names none."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            number = entry.stat().st_rdev
            if f"{os.major(number)}:{os.minor(number)}" == mount.device:
                return entry.name
    return ""


def _device(mount: Mount) -> str:
    """Return the device node: the source where it is that device, else by its number."""
    with contextlib.suppress(OSError):
        status = os.stat(mount.source)  # noqa: PTH116
        number = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
        # btrfs shows a number of its own.
        if (
            stat.S_ISBLK(status.st_mode) and mount.device in (number, "")
        ) or mount.fstype == "btrfs":
            return mount.source
    return f"/dev/block/{mount.device}"


def device_names(mount: Mount, sys_root: str | Path = "/sys") -> frozenset[str]:
    """Return the kernel's names of the device and of all below it: partition, disk, dm, raid."""
    number = mount.device
    if mount.fstype == "btrfs":
        with contextlib.suppress(OSError):
            device = os.stat(mount.source).st_rdev  # noqa: PTH116
            number = f"{os.major(device)}:{os.minor(device)}"
    names: set[str] = set()
    _names_below(Path(sys_root, "dev/block", number), names)
    return frozenset(names)


def _names_below(device: Path, names: set[str]) -> None:
    try:
        here = device.resolve(strict=True)
    except OSError:
        return
    if here.name in names:
        return
    names.add(here.name)
    if (here / "partition").exists():
        names.add(here.parent.name)
    with contextlib.suppress(OSError):
        for slave in (here / "slaves").iterdir():
            _names_below(slave, names)


def kernel_log(path: str = KMSG) -> tuple[str, ...] | Unknown:
    """Return the lines that the kernel's ring buffer still has, oldest first."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as problem:
        return Unknown(f"{path} cannot be read: {problem.strerror}")
    lines = []
    try:
        while True:
            try:
                record = os.read(handle, 16384)
            except BlockingIOError:
                break
            except OSError as problem:
                if problem.errno == errno.EPIPE:  # overwritten while we read: go on behind it
                    continue
                return Unknown(f"{path} cannot be read: {problem.strerror}")
            if not record:
                break
            text = record.decode("utf-8", "replace").partition(";")[2]
            lines.append(text.partition("\n")[0])
    finally:
        os.close(handle)
    return tuple(lines)


def io_errors(lines: Iterable[str], names: frozenset[str]) -> int:
    """Return how many of these lines tell of an I/O error on one of these devices."""
    count = 0
    for line in lines:
        made = _MADE_ANEW.match(line)
        if made and made[1] in names and made[1].startswith("loop"):
            count = 0
        elif _BAD.search(line) and names & set(_WORD.findall(line)):
            count += 1
    return count
