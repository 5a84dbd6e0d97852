"""Append lines to a file without end, each with an fsync, and count failures.

Run in a node (``python writer.py DIRECTORY``) it answers each line on its input with its counters
as JSON, and ends with its input. ``Writer`` is the handle of it. Nothing here retries: an append
that fails is counted, and the demo wants none.
"""

from __future__ import annotations

import hashlib
import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.node import Node

LINES_PER_FILE = 40
PAUSE_S = 0.03


class Writer:
    """A writer that runs in a node."""

    def __init__(self, node: Node, directory: str) -> None:
        argv = [sys.executable, str(Path(__file__).resolve()), directory]
        self._process = node.popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def counters(self) -> dict[str, Any]:
        """Give writes, failed, longest_s, and the SHA-256 of what was acknowledged, by file."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write("?\n")
        self._process.stdin.flush()
        return dict(json.loads(self._process.stdout.readline()))

    def stop(self) -> dict[str, Any]:
        """End it after the write it is in; give its last counters."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        told = self._process.stdout.read()
        self._process.wait(timeout=60)
        return dict(json.loads(told.splitlines()[-1]))


def main(directory: Path) -> None:
    """Write until the input ends."""
    directory.mkdir(exist_ok=True)
    count: dict[str, Any] = {"writes": 0, "failed": 0, "longest_s": 0.0, "error": "", "files": {}}
    sums: dict[str, Any] = {}
    while True:
        ready, _, _ = select.select([sys.stdin], [], [], PAUSE_S)
        ended = bool(ready) and not sys.stdin.readline()
        if ready:
            count["files"] = {name: digest.hexdigest() for name, digest in sums.items()}
            print(json.dumps(count), flush=True)
        if ended:
            return
        number = count["writes"] + count["failed"]
        name, line = f"{number // LINES_PER_FILE:05d}.log", f"line {number}\n".encode()
        began = time.monotonic()
        try:
            append(directory / name, line)
            count["writes"] += 1
            sums.setdefault(name, hashlib.sha256()).update(line)
        except OSError as err:
            count["failed"] += 1
            count["error"] = str(err)
        count["longest_s"] = max(count["longest_s"], round(time.monotonic() - began, 3))


def append(path: Path, line: bytes) -> None:
    """Append a line and have it on the disks of the pool before this returns."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(file, line)
        os.fsync(file)
    finally:
        os.close(file)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
