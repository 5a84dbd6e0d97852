"""Observe this node's own bricks: process, disk, marks (witness W4).

glusterd's files name the bricks, ``/proc`` and the disks tell how they are; gluster is not asked.
A disk that hangs leaves its facts unknown. Nothing is decided, and nothing is written here.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from salt_gluster.errors import GlusterError
from salt_gluster.model import BrickFacts, Unknown
from salt_gluster.node.brick_dirs import brick_volume_id
from salt_gluster.node.brick_log import health_check_ended
from salt_gluster.node.filesystems import device_names, filesystem_uuid, io_errors, kernel_log
from salt_gluster.node.glusterd import LocalBrick, brick_pid, glusterfsd_processes, local_bricks
from salt_gluster.node.local_state import LocalState
from salt_gluster.node.mounts import Mount, fstab_mount_points, mount_of, mount_point_of, mounts
from salt_gluster.node.timeouts import call_with_timeout

#: A brick directory that has not answered for so long is unknown.
LIMIT_S = 5.0
#: Under this word it is remembered on which file system each brick lay while it was well.
WELL = "bricks"
#: Gluster's own root directory in a brick: an empty brick would look healthy and hold nothing.
GLUSTER_ROOT = ".glusterfs/00/00/00000000-0000-0000-0000-000000000001"


@dataclass(frozen=True)
class BrickProcess:
    """A ``glusterfsd`` that serves a brick; ``port`` is the one it was told to listen on."""

    pid: int
    port: int | None


def brick_facts(
    ports: Mapping[str, int | None], silent: Unknown | None = None, root: str | Path = "/"
) -> dict[str, BrickFacts]:
    """Return the facts of every brick of this node, by path.

    ``ports`` is what its glusterd says of them. Where it is ``silent``, the process's own word
    counts if the port listens.
    """
    bricks = local_bricks(root)
    if not bricks:
        return {}
    try:
        serving: Mapping[str, BrickProcess] | Unknown = brick_processes(bricks, root)
    except OSError as problem:
        serving = Unknown(f"/proc cannot be looked at: {problem.strerror}")
    disks = _Disks(LocalState().get(WELL) or {})

    def recorded_port(path: str) -> int | Unknown | None:
        return ports.get(path) if silent is None else silent

    return {
        b.path: _with_process(disks.facts(b), b, serving, recorded_port(b.path), Path(root))
        for b in bricks
    }


# --- the process ---------------------------------------------------------------------------------


def brick_processes(
    bricks: Sequence[LocalBrick], root: str | Path = "/"
) -> dict[str, BrickProcess]:
    """Return the live process of each brick that has one, by path.

    The command line of a process names one brick. Of a multiplexed one the pid file tells the
    others, which alone is no proof: the process must also hold the brick's directory open.
    """
    running = dict(glusterfsd_processes())
    own = {_after(argv, "--brick-name"): pid for pid, argv in running.items()}
    processes = {}
    for brick in bricks:
        pid = own.get(brick.path)
        if pid is None:
            filed = brick_pid(brick.volume, brick.host, brick.path, root)
            pid = filed if filed in running and _holds(filed, brick.path) else None
        if pid is not None:
            port = _after(running[pid], "--brick-port")
            processes[brick.path] = BrickProcess(pid, int(port) if port.isdigit() else None)
    return processes


def _after(argv: Sequence[str], word: str) -> str:
    return next((b for a, b in pairwise(argv) if a == word), "")


def _holds(pid: int | None, path: str) -> bool:
    try:
        return any(os.readlink(e) == path for e in os.scandir(f"/proc/{pid}/fd"))  # noqa: PTH115
    except OSError:
        return False


def _with_process(
    facts: BrickFacts, brick: LocalBrick, serving: Mapping[str, BrickProcess] | Unknown,
    recorded: int | Unknown | None, root: Path,
) -> BrickFacts:  # fmt: skip
    ended = health_check_ended(brick.volume, brick.path, root)
    if isinstance(serving, Unknown):
        return replace(facts, alive=serving, port=serving, health_check_ended=ended)
    process = serving.get(brick.path)
    if process is None:
        return replace(facts, alive=False, port=None, health_check_ended=ended)
    port = recorded
    if isinstance(recorded, Unknown) and process.port is not None:
        port = process.port if listens(process.port) else recorded
    return replace(facts, alive=True, port=port, health_check_ended=ended)


def listens(port: int) -> bool:
    """Return whether something in this network namespace listens on a TCP port."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            words = row.split()
            if words[3] == "0A" and int(words[1].rpartition(":")[2], 16) == port:
                return True
    return False


# --- the disk ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Seen:
    """What touching a brick's directory gave; ``exists`` = it is in the mount it lies on."""

    facts: BrickFacts
    lies_on: Mount
    exists: bool | Unknown


class _Disks:
    """The disks of one look: what all bricks share is read once."""

    def __init__(self, well: Mapping[str, Any]) -> None:
        self._well = well
        self._table = mounts()
        self._declared = [p for p in fstab_mount_points() if p != "/"]
        self._log = kernel_log()
        self._below: dict[str, tuple[str | Unknown, int | Unknown]] = {}

    def facts(self, brick: LocalBrick) -> BrickFacts:
        """Return what the disk tells; one that hangs or gives errors tells just that."""
        by_name = mount_of(brick.path, self._table)
        try:
            seen = call_with_timeout(LIMIT_S, brick.path, lambda: _touched(brick.path, self._table))
        except OSError as problem:
            seen = _unreadable(problem, by_name)
        except GlusterError as problem:
            seen = Unknown(str(problem))
        if isinstance(seen, Unknown):
            seen = _Seen(_all_unknown(seen), by_name, seen)
        uuid, errors = self._device(seen.lies_on)
        touched = seen.facts.io_errors
        return replace(
            seen.facts,
            filesystem=uuid,
            mounted=self._is_mounted(brick.path, seen, uuid),
            io_errors=touched if isinstance(touched, int) and touched else errors,
        )

    def _device(self, on: Mount) -> tuple[str | Unknown, int | Unknown]:
        """Return the file system's uuid and the kernel's I/O errors of the device below a mount."""
        if on.mount_point not in self._below:
            name = f"the device of {on.mount_point}"
            uuid = call_with_timeout(LIMIT_S, name, lambda: filesystem_uuid(on))
            self._below[on.mount_point] = (uuid, self._errors(on))
        return self._below[on.mount_point]

    def _errors(self, on: Mount) -> int | Unknown:
        if isinstance(self._log, Unknown):
            return self._log
        names = device_names(on)
        if not names:
            return Unknown(f"{on.source} is no device that the kernel would name")
        return io_errors(self._log, names)

    def _is_mounted(self, path: str, seen: _Seen, uuid: str | Unknown) -> bool | Unknown:
        """Return whether the brick's own file system is mounted where the brick is.

        Its own is the one on which it was well before, as this node remembers. Without such a
        memory a line of fstab tells what belongs there; a plain directory on a file system that
        other things use too counts as mounted when it is there.
        """
        before = self._well.get(path)
        if isinstance(before, Mapping) and before.get("filesystem") is not None:
            return uuid if isinstance(uuid, Unknown) else uuid == before["filesystem"]
        real = path if isinstance(seen.exists, Unknown) else mount_point_of(path)
        declared = [p for p in self._declared if real.startswith(p + "/")]
        if declared:
            return len(seen.lies_on.mount_point) >= len(max(declared, key=len))
        if seen.exists is False:
            return Unknown("it is not there, and where it lay was never recorded")
        return seen.exists


def _touched(path: str, table: Sequence[Mount]) -> _Seen:
    real = os.path.realpath(path)
    lies_on = mount_of(real, table)
    try:
        os.lstat(real)
    except FileNotFoundError:
        why = Unknown(f"{path} is not there")
        gone = BrickFacts(read_only=why, volume_id=None, gluster_root=False, io_errors=0)
        return _Seen(gone, lies_on, False)
    flags = os.statvfs(real).f_flag
    facts = BrickFacts(
        read_only=bool(flags & os.ST_RDONLY),
        volume_id=brick_volume_id(real),
        gluster_root=_has_root(real),
        io_errors=0,
    )
    return _Seen(facts, lies_on, True)


def _has_root(real: str) -> bool:
    try:
        os.lstat(f"{real}/{GLUSTER_ROOT}")
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def _unreadable(problem: OSError, lies_on: Mount) -> _Seen:
    """EIO is what a dead disk, or an XFS that has shut itself down, answers to everything."""
    why = Unknown(f"its directory cannot be looked at: {problem.strerror}")
    dead = problem.errno in (errno.EIO, errno.EUCLEAN, errno.ENODEV, errno.ENXIO)
    facts = replace(_all_unknown(why), io_errors=1) if dead else _all_unknown(why)
    return _Seen(facts, lies_on, why)


def _all_unknown(why: Unknown) -> BrickFacts:
    return BrickFacts(read_only=why, volume_id=why, gluster_root=why, io_errors=why)
