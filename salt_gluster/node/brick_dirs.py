"""Describe, make and tidy the brick directories of this node.

Nothing here removes a file; the one thing removed is an xattr (see there).
"""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from salt_gluster.errors import GlusterError, NotFound, SpecError
from salt_gluster.model import NOT_ASKED, BrickPath, Unknown
from salt_gluster.node.filesystems import filesystem_uuid
from salt_gluster.node.glusterd import local_bricks
from salt_gluster.node.mounts import NETWORK_TYPES, Mount, fstab_mount_points, mount_of, mounts

VOLUME_ID = "trusted.glusterfs.volume-id"
GFID = "trusted.gfid"
#: What may lie in an unused brick directory: ext4 makes lost+found, gluster its own folder.
_OWN_ENTRIES = frozenset({".glusterfs", "lost+found"})


def check_path(path: str, key: str = "path") -> str:
    """Return ``path`` if gluster stores it as typed, else raise ``SpecError``.

    Gluster cuts a path at a blank and stores ``..`` without a word, and refuses a colon
    (facts.md#C-J.1).
    """
    bad = ""
    if not path.startswith("/"):
        bad = "is not absolute"
    elif any(c.isspace() or not c.isprintable() for c in path):
        bad = "holds a blank, at which gluster would cut it silently"
    elif ":" in path:
        bad = "holds a colon, which gluster takes for the host's end"
    elif os.path.normpath(path) != path or path.startswith("//"):
        bad = f"is not normal; write {os.path.normpath('/' + path.lstrip('/'))}"
    elif path == "/":
        bad = "is the root of everything"
    if bad:
        raise SpecError(key, f"{path!r} {bad}", hint="Give a path such as /srv/gluster/data/1.")
    return path


def brick_path(path: str) -> BrickPath:
    """Return what is at ``path``, symlinks resolved. Raises ``GlusterError`` on a dead disk.

    ``foreign`` names up to five entries that gluster did not put there; also, in words, what makes
    the place unfit: a network mount, a file instead of a directory, a parent that is part of a
    volume (gluster then says "parent directory … is already part of a volume", with ``force`` not
    even that: facts.md#C-J.1), or leftovers of gluster without a volume id.
    """
    try:
        return _brick_path(path, mounts())
    except OSError as problem:
        raise GlusterError(
            f"{path} cannot be looked at: {problem.strerror}",
            kind="unreadable",
            hint="Look at the disk below it: gluster_brick.devices, and the kernel's log.",
        ) from problem


def _brick_path(path: str, table: Sequence[Mount]) -> BrickPath:
    lies_on = mount_of(path, table)
    if lies_on.fstype in NETWORK_TYPES:  # a look into it may hang for ever: none is taken
        words = f"lies on the network mount {lies_on.mount_point} ({lies_on.fstype})"
        free = Unknown("not asked of a network mount")
        return BrickPath(path, True, True, lies_on.mount_point, foreign=(words,), free=free)
    real = os.path.realpath(path)
    lies_on = mount_of(real, table)
    parent = os.path.dirname(real)  # noqa: PTH120
    exists = os.path.lexists(real)
    volume_id, foreign = (_volume_id(real), _foreign(real)) if exists else (None, ())
    above = _parent_of_a_volume(real)
    return BrickPath(
        path=real,
        exists=exists,
        parent_exists=Path(parent).is_dir(),
        filesystem="/" if _is_on_root_device(real) else lies_on.mount_point,
        is_mount_point=lies_on.mount_point == real,
        foreign=foreign + ((f"parent {above} is part of a volume",) if above else ()),
        unmounted=_unmounted_below(real, table),
        volume_id=volume_id,
        holds_data=_holds_data(real) or _was_started(real, volume_id),
        changed=os.lstat(real).st_ctime if exists else NOT_ASKED,
        free=_free(real),
        identity=_identity(real, lies_on),
    )


def _identity(real: str, lies_on: Mount) -> str:
    """Return what tells the file system of a path from any other, also after a boot.

    Its own uuid; where it has none that can be read (tmpfs, overlay), what statvfs says, which is
    enough to tell that another one is mounted there now.
    """
    own = filesystem_uuid(lies_on)
    if not isinstance(own, Unknown):
        return own
    there = next(p for p in (Path(real), *Path(real).parents) if p.exists())
    return f"fsid:{os.statvfs(there).f_fsid:x}"


def make_brick_dir(path: str, *, accept_root: bool = False, test: bool = False) -> tuple[str, ...]:
    """Make the directory of a brick and its parents (0755); return those made, outermost first.

    Gluster's own create makes one level only, with ``force`` too (facts.md#C-J.1). Raises
    ``SpecError`` on a bad path, and on the root file system unless ``accept_root``.
    """
    check_path(path)
    seen = brick_path(path)
    if seen.exists:
        if not Path(seen.path).is_dir():
            raise SpecError("path", f"{path} is there and is not a directory")
        return ()
    if seen.filesystem == "/" and not accept_root:
        raise SpecError(
            "path",
            f"{path} would lie on the root file system: a full brick would stop the whole node",
            hint="Mount a file system of its own there (gluster_brick.prepare device=… "
            f"mount={os.path.dirname(path)}), or accept it with accept_risk: [root_disk].",  # noqa: PTH120
        )
    missing = [Path(seen.path)]
    while not missing[-1].parent.exists():
        missing.append(missing[-1].parent)
    made: list[str] = []
    if test:
        return tuple(str(folder) for folder in reversed(missing))
    with _writing(path, "cannot be made"):
        for folder in reversed(missing):
            try:
                folder.mkdir()
            except FileExistsError:  # another job was faster
                continue
            folder.chmod(0o755)  # whatever the umask says
            made.append(str(folder))
    return tuple(made)


@contextlib.contextmanager
def _writing(path: str, what: str) -> Iterator[None]:
    """Raise an error of the system (EROFS, ENOSPC, EPERM …) as a ``GlusterError`` of that path."""
    try:
        yield
    except OSError as problem:
        raise GlusterError(
            f"{path} {what}: {problem.strerror}.",
            kind="unwritable",
            hint="Look at the disk below it: gluster_brick.devices, and the kernel's log.",
        ) from problem


def remove_stale_volume_id(path: str, live_ids: Collection[str]) -> str:
    """Take the marks off an empty directory that a failed create left; return the volume id.

    A failed create leaves the xattr and an empty ``.glusterfs``, and the next one says "already
    part of a volume" (facts.md#G-0.7, #C-J.2, #C-C.2). A volume that was created and not yet
    started looks just the same, so ``live_ids`` must hold the ids of all volumes of the pool.
    Raises ``GlusterError`` of kind ``refused`` when the directory holds anything, was ever started,
    or its volume lives.
    """
    check_path(path)
    real = os.path.realpath(path)
    volume_id = _volume_id(real) if Path(real).is_dir() else None
    if volume_id is None:
        raise NotFound(f"{path} carries no volume id", kind="no_volume_id", hint="Nothing to do.")
    own = Path(real, ".glusterfs")
    is_marked = own.is_dir() and not own.is_symlink() and not _holds_data(real)
    names = {entry.name for entry in Path(real).iterdir()} - ({own.name} if is_marked else set())
    held = sorted(names)[:5]
    why = ""
    if volume_id in {str(i).lower() for i in live_ids}:
        why = f"volume {volume_id} is alive"
    elif held:
        why = f"it is not empty: {', '.join(held)}"
    elif _xattr(real, GFID) is not None:
        why = "its brick was started once (trusted.gfid)"
    if why:
        raise GlusterError(
            f"the volume id of {path} is not removed: {why}",
            kind="refused",
            hint="Choose another path: what is in this one may be the only copy.",
        )
    with _writing(path, "keeps its mark"):
        if is_marked:
            own.rmdir()  # which fails if anything is in it after all
        os.removexattr(real, VOLUME_ID)
    return volume_id


def describe_brick(path: str) -> dict[str, Any]:
    """Return ``brick_path`` and the file system below it as plain data, sizes in bytes.

    What cannot be learned is a sentence that begins with ``unknown``.
    """
    seen = brick_path(path)
    lies_on = mount_of(seen.path)
    description = {**asdict(seen), "foreign": list(seen.foreign)}
    for key, value in description.items():
        description[key] = str(value) if isinstance(value, Unknown) else value
    description.update(fstype=lies_on.fstype, source=lies_on.source)
    if lies_on.fstype not in NETWORK_TYPES:
        space = os.statvfs(lies_on.mount_point)
        description.update(
            size=space.f_blocks * space.f_frsize,
            inodes=space.f_files,
            inodes_free=space.f_favail,
        )
    return description


def inventory(root: str | Path = "/") -> list[dict[str, Any]]:
    """Return the bricks that glusterd's files give to this node, each described.

    One that cannot be looked at (a dead disk) keeps its row, with ``error``.
    """
    rows: list[dict[str, Any]] = []
    for brick in local_bricks(root):
        row: dict[str, Any] = {"volume": brick.volume, "brick": f"{brick.host}:{brick.path}"}
        try:
            row.update(describe_brick(brick.path))
        except (GlusterError, OSError) as problem:
            row.update(path=brick.path, error=str(problem))
        rows.append(row)
    return rows


# --- looking -------------------------------------------------------------------------------------


def _foreign(real: str) -> tuple[str, ...]:
    if not Path(real).is_dir():
        return ("it is not a directory",)
    try:
        names = sorted(entry.name for entry in Path(real).iterdir())
    except OSError as problem:
        return (f"it cannot be listed: {problem.strerror}",)
    others = [name for name in names if name not in _OWN_ENTRIES][:5]
    if _xattr(real, VOLUME_ID) is None:  # without an id these are leftovers of some volume
        others += [".glusterfs"] if ".glusterfs" in names else []
        others += [f"xattr {GFID}"] if _xattr(real, GFID) is not None else []
    return tuple(others[:5])


def _holds_data(real: str) -> bool:
    """Whether gluster's own folder is there and is not as empty as a failed create leaves it."""
    try:
        return any(os.scandir(f"{real}/.glusterfs"))
    except FileNotFoundError:
        return False
    except OSError:  # no directory, or one that cannot be read: that is no empty one
        return True


def _was_started(real: str, volume_id: str | None) -> bool:
    """Whether a directory with a mark was a brick once, which a create alone does not make it."""
    return volume_id is not None and _xattr(real, GFID) is not None


def _parent_of_a_volume(real: str) -> str:
    """Return the nearest parent that carries a volume's xattr; gluster looks at the same two."""
    for parent in Path(real).parents:
        if any(_xattr(str(parent), name) is not None for name in (VOLUME_ID, GFID)):
            return str(parent)
    return ""


def _is_on_root_device(real: str) -> bool:
    """Whether a path is, or would be made, on the device of the root file system.

    Gluster compares devices, too: the mount point of a bind has another name.
    """
    there = next(p for p in (Path(real), *Path(real).parents) if p.exists())
    return there.stat().st_dev == Path("/").stat().st_dev


def _unmounted_below(real: str, table: Sequence[Mount]) -> str:
    """Return the mount point of fstab that the path lies below and that is not mounted, or ""."""
    mounted = {mount.mount_point for mount in table}
    declared = (p for p in fstab_mount_points() if p != "/" and Path(real).is_relative_to(p))
    point = max(declared, key=len, default="")
    return point if point not in mounted else ""


def brick_volume_id(real: str) -> str | None:
    """Return the id of the volume whose brick a directory is marked to be; None = of none."""
    return _volume_id(real)


def _volume_id(real: str) -> str | None:
    raw = _xattr(real, VOLUME_ID)
    if raw is None:
        return None
    return str(uuid.UUID(bytes=raw)) if len(raw) == 16 else f"unreadable: {raw.hex()}"


def _xattr(path: str, name: str) -> bytes | None:
    if os.geteuid() != 0:  # the kernel says "no such attribute" to others, not "no permission"
        raise GlusterError(
            f"the xattrs of {path} cannot be read", kind="not_root", hint="Run as root."
        )
    try:
        return os.getxattr(path, name)
    except OSError as problem:
        if problem.errno in (errno.ENODATA, errno.ENOENT, errno.EOPNOTSUPP, errno.ENOTDIR):
            return None
        raise


def _free(real: str) -> int | Unknown:
    existing = Path(real)
    while not existing.exists():
        existing = existing.parent
    try:
        seen = os.statvfs(existing)
    except OSError as problem:
        return Unknown(f"statvfs {existing}: {problem.strerror}")
    return seen.f_bavail * seen.f_frsize
