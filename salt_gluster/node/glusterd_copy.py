"""Copy glusterd's configuration before it is changed, for an operator to look things up in.

Only what glusterd keeps there itself: its files and directories are named. A volume's data can lie
below the same directory (``gluster_shared_storage`` has its bricks in ``ss_brick``), and so can
anything that an operator has mounted or linked there.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import stat
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from salt_gluster.errors import GlusterError
from salt_gluster.node.files import new_file
from salt_gluster.node.glusterd import GLUSTERD_DIR
from salt_gluster.node.mounts import mounts

log = logging.getLogger(__name__)

BACKUP_DIR = "var/lib/salt-gluster/backup"
COPIES_KEPT = 10
#: What glusterd writes below its directory, or reads there (groups, hooks).
PARTS = (
    "glusterd.info", "options", "peers", "vols", "snaps", "events", "geo-replication", "groups",
    "hooks", "bitd", "glustershd", "nfs", "quotad", "scrub",
)  # fmt: skip
#: glusterd's files have some KB. The longest, a list of quotas, has 17 bytes an entry.
FILE_LIMIT = 4 << 20
#: 200 volumes with 3 bricks each have 3 MB, most of it volume files, which glusterd makes anew.
COPY_LIMIT = 64 << 20
#: The member of a copy that names what the limits have left out.
LEFT_OUT = "LEFT_OUT"
#: Process ids, and what changes with each start of a daemon.
_PASSING = (".pid", ".socket", "/run")


@dataclass
class _Content:
    """What goes into a copy, within the limits."""

    members: list[tuple[tarfile.TarInfo, bytes]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    size: int = 0

    @property
    def digest(self) -> str:
        """Return a digest of names, modes, owners and contents; not of any time."""
        total = hashlib.sha256()
        for about, data in self.members:
            row = (about.name, about.type, about.mode, about.uid, about.gid, about.linkname)
            total.update(repr((*row, len(data))).encode("utf-8", "surrogateescape") + data)
        total.update(repr(self.left_out).encode("utf-8", "surrogateescape"))
        return total.hexdigest()[:16]


def copy_glusterd_dir(now: float, root: str | Path = "/") -> Path | None:
    """Copy glusterd's configuration to a tar.gz (0600, it holds passwords); return the newest copy.

    Nothing is written where nothing differs from the last copy. The newest ten are kept. None
    where glusterd has no directory. Taken before the first change of a plan.
    """
    source = Path(root) / GLUSTERD_DIR
    if not source.is_dir():
        return None
    folder = Path(root) / BACKUP_DIR
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = _content(Path(os.path.realpath(source)))
        copies = sorted(folder.glob("glusterd-*.tar.gz"))
        if copies and copies[-1].name.endswith(f"-{content.digest}.tar.gz"):
            return copies[-1]
        when = datetime.fromtimestamp(now, timezone.utc).strftime("%Y%m%dT%H%M%S.%fZ")
        copy = folder / f"glusterd-{when}-{content.digest}.tar.gz"
        _write(copy, content, now)
    except OSError as problem:
        raise GlusterError(
            f"no copy of {source} could be made: {problem}",
            kind="no_backup",
            hint="Nothing was changed. Make room below /var/lib/salt-gluster.",
        ) from problem
    if content.left_out:
        log.warning("%s has no copy of %s", copy, ", ".join(content.left_out[:10]))
    for old in sorted(folder.glob("glusterd-*.tar.gz"))[:-COPIES_KEPT]:
        old.unlink(missing_ok=True)
    return copy


def _write(copy: Path, content: _Content, now: float) -> None:
    members = list(content.members)
    if content.left_out:
        data = "".join(f"{name}\n" for name in content.left_out).encode("utf-8", "surrogateescape")
        about = tarfile.TarInfo(LEFT_OUT)
        about.size, about.mode, about.mtime = len(data), 0o600, int(now)
        members.insert(0, (about, data))
    with new_file(copy, 0o600) as raw, tarfile.open(fileobj=raw, mode="w:gz") as tar:
        for about, data in members:
            tar.addfile(about, io.BytesIO(data))


def _content(source: Path) -> _Content:
    """Read the parts; volume files last, so that they are the first to be left out."""
    elsewhere = {row.mount_point for row in mounts()} - {str(source)}
    device = source.stat().st_dev
    entries = [
        entry
        for part in PARTS
        for entry in _below(source / part, f"glusterd/{part}", device, elsewhere)
    ]
    content = _Content()
    for path, name, status in sorted(entries, key=lambda e: (e[1].endswith(".vol"), e[1])):
        with contextlib.suppress(FileNotFoundError):  # glusterd renames its files while we look
            _take(content, path, name, status)
    return content


def _below(
    path: Path, name: str, device: int, elsewhere: set[str]
) -> Iterator[tuple[Path, str, os.stat_result]]:
    """Give ``path`` and what lies below it on the same file system, no link followed, no brick."""
    if str(path) in elsewhere or name.endswith(_PASSING):
        return
    try:
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode):
            if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
                yield path, name, status
            return
        if status.st_dev != device or _is_brick(path):
            return
        below = sorted(path.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    yield path, name, status
    for entry in below:
        yield from _below(entry, f"{name}/{entry.name}", device, elsewhere)


def _is_brick(path: Path) -> bool:
    """Whether glusterfsd keeps, or has kept, a volume's data here."""
    with contextlib.suppress(OSError):  # a file system without such attributes has no brick
        if os.getxattr(path, "trusted.glusterfs.volume-id", follow_symlinks=False):
            return True
    return os.path.lexists(path / ".glusterfs")


def _take(content: _Content, path: Path, name: str, status: os.stat_result) -> None:
    about = tarfile.TarInfo(name)
    about.mode, about.uid, about.gid = stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid
    about.mtime, data = int(status.st_mtime), b""
    if stat.S_ISLNK(status.st_mode):
        about.type, about.linkname = tarfile.SYMTYPE, str(path.readlink())
    elif stat.S_ISDIR(status.st_mode):
        about.type = tarfile.DIRTYPE
    else:
        limit = min(FILE_LIMIT, COPY_LIMIT - content.size)
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            content.left_out.append(name)
            return
    about.size = len(data)
    content.size += len(data)
    content.members.append((about, data))
