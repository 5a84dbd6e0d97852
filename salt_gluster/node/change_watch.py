"""Notice that something on this node has changed, without a process and almost for nothing.

The end of a watched process is seen at once (a pidfd becomes readable); files, mounts and the hold
are left to the caller. What a change means is found out by the observation that follows.
"""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Sequence
from pathlib import Path

from salt_gluster.node.brick_state import brick_processes
from salt_gluster.node.glusterd import GLUSTERD_DIR, LocalBrick, glusterd_pid, local_bricks
from salt_gluster.node.hold import HOLD_FILE
from salt_gluster.node.mounts import mount_of, mounts

Glance = tuple[object, ...]


class ChangeWatch:
    """The processes of gluster on this node, and the stamps of what they depend on."""

    def __init__(self, root: str | Path = "/") -> None:
        self._root = Path(root)
        self._fds: dict[int, str] = {}
        self._poll = select.poll()
        self._wanted: frozenset[str] = frozenset()
        self._running: dict[str, int] = {}
        self._bricks: tuple[LocalBrick, ...] = ()
        self._seen: Glance = ()

    def aim(self) -> None:
        """Watch what runs now, and take the present state for the one that is known."""
        self.close()
        self._bricks = local_bricks(self._root)
        self._wanted, self._running = self._processes()
        for name, pid in self._running.items():
            try:
                fd = os.pidfd_open(pid)
            except (OSError, AttributeError):
                continue  # gone already, or a kernel before 5.3: the look at /proc finds it
            self._fds[fd] = name
            self._poll.register(fd, select.POLLIN)
        self._seen = self._glance()

    def wait(self, for_s: float) -> tuple[str, ...]:
        """Return the names of watched processes that have ended, after ``for_s`` at the latest."""
        ended = [self._fds[fd] for fd, _ in self._poll.poll(max(0.0, for_s) * 1000)]
        for fd in [fd for fd, name in self._fds.items() if name in ended]:
            self._drop(fd)
        return tuple(sorted(ended))

    def changed(self) -> str:
        """Say what is not as it was at the last ``aim``, or "".

        ``/proc`` is walked only where a process is missing, or its end could not be watched.
        """
        if self._glance() != self._seen:
            return "glusterd's files, a mount or the hold"
        if len(self._fds) == len(self._wanted):
            return ""
        wanted, running = self._processes()
        return "" if (wanted, running) == (self._wanted, self._running) else "a process"

    def close(self) -> None:
        """Watch nothing any more."""
        for fd in list(self._fds):
            self._drop(fd)

    def _drop(self, fd: int) -> None:
        self._fds.pop(fd, None)
        with contextlib.suppress(KeyError, OSError):
            self._poll.unregister(fd)
        with contextlib.suppress(OSError):
            os.close(fd)

    def _glance(self) -> Glance:
        return glance(self._bricks, self._root)

    def _processes(self) -> tuple[frozenset[str], dict[str, int]]:
        """Return the names of all that could run here, and the pids of those that do."""
        running: dict[str, int] = {}
        with contextlib.suppress(OSError):
            processes = brick_processes(self._bricks, self._root)
            running = {path: process.pid for path, process in processes.items()}
            pid = glusterd_pid(self._root)
            running |= {} if pid is None else {"glusterd": pid}
        return frozenset({"glusterd", *(b.path for b in self._bricks)}), running


def glance(bricks: Sequence[LocalBrick], root: str | Path = "/") -> Glance:
    """Return what changes when definitions, members, mounts below bricks or the hold change."""
    base = Path(root) / GLUSTERD_DIR
    try:
        names = sorted(entry.name for entry in os.scandir(base / "vols"))
    except OSError:
        names = []
    files = [base / "glusterd.info", Path(root) / HOLD_FILE.lstrip("/")]
    files += [base / "vols" / n / f for n in names for f in ("info", "cksum")]
    folders = (_stat(base / "vols")[:1], _stat(base / "peers")[:1])
    try:
        table = mounts()
        below = tuple(mount_of(b.path, table) for b in bricks)
    except OSError:
        below = ()
    return (*folders, tuple(names), tuple(map(_stat, files)), below)


def _stat(path: Path) -> tuple[int, ...]:
    try:
        seen = path.stat()
    except OSError:
        return ()
    return (seen.st_mtime_ns, seen.st_ino, seen.st_size)
