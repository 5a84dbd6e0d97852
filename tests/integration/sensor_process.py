"""The sensor of a node as a process of its own there, as the engine on its minion runs it.

`python sensor_process.py NAME`, run in a node.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

from lab import Node
from salt_gluster.minion.automation import sensor

CHECKOUT = Path(__file__).resolve().parents[2]


def start(node: Node, log: Path) -> subprocess.Popen[str]:
    """Start it in a node; it ends with its starter."""
    argv = [sys.executable, str(Path(__file__).resolve()), node.name]
    path = {"PYTHONPATH": str(CHECKOUT)}
    return node.popen(argv, env=path, stdout=log.open("a"), stderr=subprocess.STDOUT)


def inner(process: subprocess.Popen[str]) -> int:
    """Return the pid of the sensor itself: what Popen knows is nsenter, which waits for it."""
    pid = process.pid
    (found,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(found)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    sensor.run({}, sys.argv[1] if len(sys.argv) > 1 else os.uname().nodename)
