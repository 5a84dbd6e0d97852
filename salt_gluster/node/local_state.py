"""What this node keeps for itself: its lock for changing jobs and its records.

Below ``/run`` and ``/var/lib/salt-gluster``; copies of glusterd's files: ``glusterd_copy.py``.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from salt_gluster.errors import Conflict
from salt_gluster.node.files import open_lock, write_atomically

LOCK_FILE = "/run/salt-gluster.lock"
EXECUTOR_LOCK = "/run/salt-gluster-executor.lock"
STATE_FILE = "/var/lib/salt-gluster/state.json"


@contextlib.contextmanager
def one_job(wait_s: float, path: str | Path = LOCK_FILE) -> Iterator[None]:
    """Hold this node's lock for one changing job; waits up to ``wait_s``.

    Raises ``Conflict`` of kind ``node_busy`` naming the process that holds it. The kernel frees the
    lock when its holder dies; the file stays and means nothing.
    """
    handle = open_lock(path)
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


def one_executor(path: str | Path = EXECUTOR_LOCK) -> contextlib.AbstractContextManager[None]:
    """Hold the lock of the one request of automation that is followed here; waits for none."""
    return one_job(0.0, path)


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
