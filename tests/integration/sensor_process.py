"""The sensor of a node as a process of its own there, as the engine on its minion runs it.

Its argument is the node's name.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from lab import Node, forked
from salt_gluster.minion.automation import sensor

HERE = Path(__file__).resolve()
WORK = forked.Work("sensor_process:main", ("salt_gluster.*",), (str(HERE.parent),))


def start(node: Node, log: Path) -> forked.Forked:
    """Start it in a node; it ends with its starter."""
    with log.open("a") as out:
        return forked.start(WORK, node, [str(HERE), node.name], out=out)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    sensor.run({}, sys.argv[1] if len(sys.argv) > 1 else os.uname().nodename)
