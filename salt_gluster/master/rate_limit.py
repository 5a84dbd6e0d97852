"""Let a request that anybody can make cost something only so often, across processes.

Runners live in processes of their own: what was asked when stands in a file for each name.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from salt_gluster.node.files import open_lock

#: No pause is longer.
LONGEST_S = 3600.0


class RateLimit:
    """One question of each name at a time, and the next one after a pause; ``slot`` bounds all.

    Whoever can ask in the name of others is stopped by no pause of one name. The caller bounds the
    names: each has a file in ``folder``.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)

    def _file(self, name: str) -> Path:
        return self._folder / hashlib.sha256(name.encode()).hexdigest()[:32]

    def begin(self, name: str, every_s: float) -> bool:
        """Whether this one may go on: none of the name is in its pause, or began just now."""
        now = time.time()
        with self._opened(self._file(name)) as handle:
            until = float(os.pread(handle, 40, 0) or 0) if handle >= 0 else now + every_s
            if now < until <= now + LONGEST_S:  # further ahead: the clock was set back
                return False
            self._write(handle, now + every_s)
        return True

    def pause(self, name: str, for_s: float) -> None:
        """Let the next one of this name wait so long from now."""
        with self._opened(self._file(name)) as handle:
            if handle >= 0:
                self._write(handle, time.time() + for_s)

    @contextlib.contextmanager
    def slot(self, most: int) -> Iterator[bool]:
        """Give whether fewer than ``most`` of all names were under way; then this is one of them.

        It ends with the process that has it.
        """
        with contextlib.ExitStack() as kept:
            places = (self._opened(self._folder / f"slot-{number}") for number in range(most))
            yield any(kept.enter_context(place) >= 0 for place in places)

    @contextlib.contextmanager
    def _opened(self, file: Path) -> Iterator[int]:
        """Give the file, locked; -1 where another process has it."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = open_lock(file)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield handle
        except BlockingIOError:
            yield -1
        finally:
            os.close(handle)

    @staticmethod
    def _write(handle: int, until: float) -> None:
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{until:.3f}".encode(), 0)
