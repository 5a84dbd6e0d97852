"""What this node keeps for itself: its lock for changing jobs, its records, copies of glusterd's
directory. All below ``/run`` and ``/var/lib/salt-gluster``.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
import tarfile
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from salt_gluster.errors import Conflict, GlusterError
from salt_gluster.node.files import new_file, write_atomically
from salt_gluster.node.glusterd import GLUSTERD_DIR

LOCK_FILE = "/run/salt-gluster.lock"
STATE_FILE = "/var/lib/salt-gluster/state.json"
BACKUP_DIR = "var/lib/salt-gluster/backup"
COPIES_KEPT = 10


@contextlib.contextmanager
def one_job(wait_s: float, path: str | Path = LOCK_FILE) -> Iterator[None]:
    """Hold this node's lock for one changing job; waits up to ``wait_s``.

    Raises ``Conflict`` of kind ``node_busy`` naming the process that holds it. The kernel frees the
    lock when its holder dies; the file stays and means nothing.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        end = time.monotonic() + wait_s
        while not _locked(handle):
            if time.monotonic() >= end:
                holder = os.pread(handle, 100, 0).decode(errors="replace").strip() or "?"
                raise Conflict(
                    f"another change of this node's pool is running here (pid {holder})",
                    kind="node_busy",
                    hint=f"Wait for it, or see what it does: ps -fp {holder}.",
                )
            time.sleep(0.1)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        try:
            yield
        finally:
            os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


# --- records --------------------------------------------------------------------------------------


class LocalState:
    """The records that this node keeps for itself between runs, by key, in one file.

    A record is plain data. Losing the file costs a comparison, never a pool.
    """

    def __init__(self, path: str | Path = STATE_FILE) -> None:
        self._file = Path(path)

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the record of ``key``, lists as tuples; None = there is none, or unreadable."""
        record = self._records().get(key)
        return {k: _tuples(v) for k, v in record.items()} if isinstance(record, dict) else None

    def put(self, key: str, record: Mapping[str, Any] | None) -> None:
        """Keep a record, or with None forget it; those of other keys stay."""
        self._file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        folder = os.open(self._file.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)  # two states may run at once; held for a moment
            records = {**self._records(), key: record}
            kept = {k: v for k, v in records.items() if v is not None}
            write_atomically(self._file, json.dumps(kept, sort_keys=True) + "\n", 0o600)
        finally:
            os.close(folder)

    def _records(self) -> dict[str, Any]:
        try:
            records = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return records if isinstance(records, dict) else {}


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


# --- copies --------------------------------------------------------------------------------------


def copy_glusterd_dir(now: float, root: str | Path = "/") -> Path | None:
    """Copy ``/var/lib/glusterd`` to a tar.gz (0600, it holds passwords); return it.

    The newest ten are kept. None where glusterd has no directory. Taken before the first change of
    a plan.
    """
    source = Path(root) / GLUSTERD_DIR
    if not source.is_dir():
        return None
    folder = Path(root) / BACKUP_DIR
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    when = datetime.fromtimestamp(now, timezone.utc).strftime("%Y%m%dT%H%M%S.%fZ")
    copy = folder / f"glusterd-{when}.tar.gz"
    try:
        with new_file(copy, 0o600) as raw, tarfile.open(fileobj=raw, mode="w:gz") as tar:
            _add(tar, source, "glusterd")
    except OSError as problem:
        raise GlusterError(
            f"no copy of {source} could be made: {problem}",
            kind="no_backup",
            hint="Nothing was changed. Make room below /var/lib/salt-gluster.",
        ) from problem
    for old in sorted(folder.glob("glusterd-*.tar.gz"))[:-COPIES_KEPT]:
        old.unlink(missing_ok=True)
    return copy


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    """Add ``path`` and what is below it; glusterd renames its files while we look."""
    try:
        mode = path.lstat().st_mode
        if stat.S_ISSOCK(mode):
            return
        tar.add(path, arcname=name, recursive=False)
        below = sorted(path.iterdir()) if stat.S_ISDIR(mode) else []
    except FileNotFoundError:
        return
    for entry in below:
        _add(tar, entry, f"{name}/{entry.name}")
