"""Write a file whole or not at all, or for few readers only; read the end of a long one.

Every file that the extension writes is written here, with its mode and owner.
"""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

#: Enough of a log: glusterd's history has some 100 bytes a line.
TAIL = 1 << 20


def tail(path: Path) -> str:
    """Return the last MiB of a file; the first line may be a part of one."""
    with path.open("rb") as handle:
        size = handle.seek(0, os.SEEK_END)
        handle.seek(max(0, size - TAIL))
        return handle.read(TAIL).decode("utf-8", "replace")


def write_atomically(
    path: Path,
    text: str,
    mode: int,
    *,
    owner: tuple[int, int] | None = None,
    keep: bool = False,
    once: bool = False,
) -> None:
    """Write ``text`` to ``path`` completely or not at all: the only writer of a whole file.

    A temporary file in the same directory, private until it has its owner and mode, takes the
    name. ``owner`` is user and group; with ``keep`` an existing file keeps its own owner and mode.
    With ``once`` an existing file stays as it is. A file that is itself a mount (a container's or
    the lab's ``/etc/fstab``) cannot be renamed over: EBUSY, so it is written in place.
    """
    target = Path(os.path.realpath(path))
    before = target.stat() if keep and target.exists() else None
    if before:
        mode, owner = before.st_mode & 0o7777, (before.st_uid, before.st_gid)
    data = text.encode("utf-8", "surrogateescape")
    try:
        with new_file(target, mode, owner=owner, once=once) as out:
            out.write(data)
    except OSError as busy:
        if busy.errno != errno.EBUSY:
            raise
        with target.open("wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())


@contextlib.contextmanager
def new_file(
    target: Path, mode: int, *, owner: tuple[int, int] | None = None, once: bool = False
) -> Iterator[BinaryIO]:
    """Give a temporary file beside ``target``; after the block it takes the name.

    It is private until it has its owner and mode. With ``once`` an existing file stays.
    """
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            if owner:
                os.fchown(out.fileno(), *owner)
            os.fchmod(out.fileno(), mode)
            yield out
            out.flush()
            os.fsync(out.fileno())
        if once:
            with contextlib.suppress(FileExistsError):
                os.link(temporary, target)
        else:
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def append_line(path: Path, text: str, mode: int) -> None:
    """Add one line to a file in one write; a new file gets this mode, no link is followed."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    handle = os.open(path, flags, mode)
    try:
        os.write(handle, (text + "\n").encode("utf-8", "surrogateescape"))
    finally:
        os.close(handle)


def open_lock(path: str | Path) -> int:
    """Open a file to be locked, made where it is not there, for its owner alone; return it."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


# --- files for few eyes --------------------------------------------------------------------------


def group_of(name: str) -> int | None:
    """Return the number of a group of this machine, None where it has none of that name."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None


def is_different(
    path: Path, text: str, *, mode: int, group: int = 0, owner: tuple[int, int] | None = None
) -> str:
    """Return why a file is not as it should be, "" when it is: words without its content.

    It is root's, or that of ``owner``, user and group.
    """
    try:
        before = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return "absent"
    except (OSError, ValueError):
        return "unreadable"
    status = path.stat()
    if before != text:
        return "different"
    if stat.S_IMODE(status.st_mode) != mode:
        return f"mode {stat.S_IMODE(status.st_mode):04o}"
    return "" if (status.st_uid, status.st_gid) == (owner or (0, group)) else "another owner"


def write_private(path: Path, text: str, *, mode: int, group: int = 0) -> None:
    """Write root's file with exactly this mode; it is never open to others, not for a moment."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    write_atomically(path, text, mode, owner=(0, group))
