"""Writing a file whole or not at all, or for few eyes only; reading the end of a long one."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import stat
import tempfile
from pathlib import Path

#: Enough of a log: glusterd's history has some 100 bytes a line.
_TAIL = 1 << 20


def tail(path: Path) -> str:
    """Return the last MiB of a file; the first line may be a part of one."""
    with path.open("rb") as handle:
        size = handle.seek(0, os.SEEK_END)
        handle.seek(max(0, size - _TAIL))
        return handle.read(_TAIL).decode("utf-8", "replace")


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    """Write ``text`` to ``path`` through a temporary file in the same directory.

    An existing file keeps its owner and mode. A file that is itself a mount (a container's or the
    lab's ``/etc/fstab``) cannot be renamed over: EBUSY, so it is written in place.
    """
    target = Path(os.path.realpath(path))
    before = target.stat() if target.exists() else None
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as out:
            os.fchmod(out.fileno(), before.st_mode & 0o7777 if before else mode)
            if before:
                os.fchown(out.fileno(), before.st_uid, before.st_gid)
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        try:
            os.replace(temporary, target)  # noqa: PTH105  (Path.replace says the same)
        except OSError as busy:
            if busy.errno != errno.EBUSY:
                raise
            with target.open("w", encoding="utf-8", errors="surrogateescape") as out:
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)  # noqa: PTH108


# --- files for few eyes --------------------------------------------------------------------------


def group_of(name: str) -> int | None:
    """Return the number of a group of this machine, None where it has none of that name."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None


def is_different(path: Path, text: str, *, mode: int, group: int = 0) -> str:
    """Return why root's file is not as it should be, "" when it is: words without its content."""
    try:
        before = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return "absent"
    except (OSError, ValueError):
        return "unreadable"
    found = path.stat()
    if before != text:
        return "different"
    if stat.S_IMODE(found.st_mode) != mode:
        return f"mode {stat.S_IMODE(found.st_mode):04o}"
    return "" if (found.st_uid, found.st_gid) == (0, group) else "another owner"


def write_private(path: Path, text: str, *, mode: int, group: int = 0) -> None:
    """Write root's file with exactly this mode; it is never open to others, not for a moment."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    if not path.exists():
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    os.chown(path, 0, group)
    path.chmod(mode)
    write_atomically(path, text, mode)
