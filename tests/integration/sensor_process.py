"""The sensor of a node as a process of its own there, as the engine on its minion runs it.

Its arguments are the node's name, a DIRECTORY and TIMERS. DIRECTORY gets `log`, `looks` (a byte for
each look at files and mounts) and `turns` (a byte whenever it asks whether it is registered).
SIGTERM asks it to stop, and does no more.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from short_timers import Timers

from lab import Node, forked
from salt_gluster import node as this_node
from salt_gluster.minion.automation import registration, sensor

HERE = Path(__file__).resolve()
WORK = forked.Work(
    "sensor_process:main", ("salt_gluster.*",), (str(HERE.parent), str(HERE.parents[1] / "support"))
)


def start(node: Node, folder: Path, timers: Timers) -> forked.Forked:
    """Start it in a node; it ends with its starter."""
    argv = [str(HERE), node.name, str(folder), timers.to_text()]
    with (folder / "log").open("a") as out:
        return forked.start(WORK, node, argv, out=out)


def _mark(file: Path) -> None:
    with file.open("a") as out:
        out.write(".")


class Counted(this_node.ChangeWatch):
    """A watch whose looks can be waited for."""

    looks: Path

    def changed(self) -> str:
        what = super().changed()
        _mark(self.looks)
        return what


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    name, folder, timers = sys.argv[1], Path(sys.argv[2]), Timers.from_text(sys.argv[3])
    Counted.looks = folder / "looks"
    this_node.ChangeWatch = Counted  # type: ignore[misc]
    load = registration.load_registration

    def load_registration() -> Any:
        _mark(folder / "turns")
        return load()

    registration.load_registration = load_registration
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    sensor.run({}, name, stop=stop, times=timers.sensor)
