"""One engine as a process of its own, with a file for a bus: it may be killed, frozen and doubled.

Its arguments are CLUSTER NAME DIRECTORY TIMERS [ADDRESS TOKEN]. DIRECTORY gets `fired` (a line of
JSON for each event, on the disk before the engine goes on), `asked` (a line for each question),
`ticks` (a byte for each tick that went through) and the marker of the canary. It may have `clock`:
by how many seconds the clock of that machine was set. With `hold` in
DIRECTORY a request to execute waits until that file is gone. Minions answer nothing, but where
`pool.json` lies beside DIRECTORY as the nodes of a recorded pool do.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from recorded_pool import answers
from short_timers import REAL, Timers
from waiting import until

from lab import Node, forked
from salt_gluster.consul.answers import write_answer
from salt_gluster.consul.canary import FileMarker
from salt_gluster.consul.client import Client
from salt_gluster.consul.settings import Access
from salt_gluster.consul.store import Store
from salt_gluster.consul.transport import TIMEOUT_S
from salt_gluster.errors import ConsulError
from salt_gluster.master.engine import Engine
from salt_gluster.master.engine.steady_clock import SteadyClock

HERE = Path(__file__).resolve()
WORK = forked.Work(
    "engine_process:main", ("salt_gluster.*",), (str(HERE.parent), str(HERE.parents[1] / "support"))
)


class FileBus:
    """A bus that never loses anything and that nobody listens to."""

    def __init__(self, folder: Path, store: Store) -> None:
        self._folder, self.store = folder, store
        #: Under which epoch its engine speaks; 0 = it does not lead, by its own clock.
        self.epoch: Callable[[], int] = lambda: 0

    def _add(self, name: str, what: Any) -> None:
        with (self._folder / name).open("a") as file:
            file.write(json.dumps(what) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def fire(self, event: Mapping[str, Any]) -> bool:
        while event["tag"].endswith("/execute") and (self._folder / "hold").exists():
            time.sleep(0.05)
        self._add("fired", {"wall": time.time(), "epoch": self.epoch(), **event})
        return True

    def send(self, minion: str, function: str, arguments: Sequence[Any]) -> None:
        self._add("sent", [minion, function, list(arguments)])

    def ask(
        self, minions: Sequence[str], function: str, arguments: Sequence[Any], is_over: object
    ) -> Mapping[str, Any]:
        self._add("asked", [list(minions), function, list(arguments)])
        pool = self._folder.parent / "pool.json"
        if not pool.exists():
            return {}
        said = answers(json.loads(pool.read_text()), minions, arguments[0], time.time())
        return {minion: self._written(answer, arguments[1]) for minion, answer in said.items()}

    def _written(self, answer: Mapping[str, Any], nonce: str) -> Mapping[str, Any]:
        """Write an answer to Consul, as a node does; what cannot be written goes by the bus."""
        uuid = answer["report"]["uuid"]
        try:
            self.store.write(self.store.keys.node(uuid), answer["report"])
            at, ports = answer["at"], answer["ports"]
            write_answer(self.store, uuid, nonce, at=at, ports=ports)
        except ConsulError:
            return answer
        return {"schema": 1, "at": at, "confirmed": True}


class Process:
    """The handle of it. What it fired outlives every one of its lives."""

    def __init__(
        self, node: Node, cluster: str, name: str, folder: Path, *access: str,
        timers: Timers = REAL,
    ) -> None:  # fmt: skip
        self.node, self.folder = node, folder
        self._argv = [str(HERE), cluster, name, str(folder), timers.to_text(), *access]
        folder.mkdir(exist_ok=True)
        self.start()

    def start(self) -> None:
        with (self.folder / "log").open("a") as log:
            self._process = forked.start(WORK, self.node, self._argv, out=log)

    def kill(self) -> None:
        """End it at once, wherever it is."""
        self._process.kill()
        self._process.wait(10)

    def freeze(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def set_clock(self, ahead_s: float) -> None:
        """Set the clock of its machine so far from the true time; monotonic time goes on."""
        (self.folder / "clock").write_text(str(ahead_s))

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End it as a clean stop does: the lock is handed over."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(20)

    def fired(self, event: str = "") -> list[dict[str, Any]]:
        """Return what it has fired, in order."""
        file = self.folder / "fired"
        rows = file.read_text().splitlines() if file.exists() else []
        told = [json.loads(row) for row in rows if row.endswith("}")]
        return [e for e in told if event in ("", e["tag"].rsplit("/", 1)[1])]

    def asked(self) -> int:
        file = self.folder / "asked"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def ticks(self) -> int:
        """Return how often it has observed, decided and acted, in all of its lives."""
        file = self.folder / "ticks"
        return file.stat().st_size if file.exists() else 0

    def comes_by(self, times: int = 3) -> None:
        """Wait until it has come by so often: whatever it had to say it has said then."""
        wanted = self.ticks() + times
        until(lambda: self.ticks() >= wanted, 0, f"{times} ticks", step_s=0.1, more=self.log_end)

    def log_end(self) -> str:
        return (self.folder / "log").read_text()[-2000:]


def main() -> None:
    cluster, name, folder, access = sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[5:]
    time.time = _clock(folder)
    serve(cluster, name, folder, Access(*access), Timers.from_text(sys.argv[4]))


def _clock(folder: Path) -> Callable[[], float]:
    file, true_time = folder / "clock", time.time
    return lambda: true_time() + (float(file.read_text() or 0) if file.exists() else 0)


class Counted(Engine):
    """An engine whose ticks can be waited for."""

    folder: Path

    def tick(self) -> None:
        super().tick()
        with (self.folder / "ticks").open("a") as file:
            file.write(".")


def serve(cluster: str, name: str, folder: Path, access: Access, timers: Timers) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")

    def connect(timeout_s: float | None) -> Client:
        return Client(access, timeout_s=timeout_s or TIMEOUT_S)

    bus = FileBus(folder, Store(connect(None), cluster))
    engine = Counted(
        connect, cluster, name, bus, marker=FileMarker(folder),
        lease=timers.lease, times=timers.engine, clock=SteadyClock(time.time),
    )  # fmt: skip
    engine.folder = folder
    bus.epoch = lambda: engine.watches.lock.epoch

    def end(number: int, frame: object) -> None:
        engine.watches.stop()
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    engine.run()
