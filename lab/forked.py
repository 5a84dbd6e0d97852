"""Running a Python function in a node by a fork of a server that has its modules imported already.

A Python program with Salt takes a second of processor time before it does anything; a fork takes
some milliseconds. There is one server per process that uses labs, virtualenv and set of modules,
started at first use; it ends with that process (``lab/fork_server.py``).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from lab.command import environment, pace
from lab.errors import LabError
from lab.node import Node
from lab.record import CHECKOUT

PROGRAM = Path(__file__).with_name("fork_server.py")
NETWORK = "/proc/self/ns/net"
# A thread that is in a node's network now must not take the server there: it would die with it.
_NETWORK = os.open(NETWORK, os.O_RDONLY) if Path(NETWORK).exists() else -1
_servers: dict[tuple[int, str, tuple[str, ...]], Server] = {}
_lock = threading.Lock()


@dataclass(frozen=True)
class Work:
    """What to run: ``task`` is ``module:function``, called without arguments, as a program's main.

    ``modules`` are imported by the server, once. ``path`` is put before Python's own.
    """

    task: str
    modules: tuple[str, ...]
    path: tuple[str, ...] = ()
    python: str = sys.executable


class Forked:
    """A fork in a node, with the handle of a process: `pid` is the host's number of it."""

    def __init__(self, name: str, line: socket.socket, server: Server) -> None:
        self.name = name
        self.returncode: int | None = None
        self._line, self._server, self._text = line, server, b""
        line.settimeout(120)
        first = self._read()
        if "pid" not in first:
            raise LabError(f"{name}: not started: {first['error']}")
        self.pid = int(first["pid"])

    def _read(self) -> dict[str, Any]:
        while b"\n" not in self._text:
            more = self._line.recv(4096)
            if not more:
                raise LabError(f"{self.name}: its fork server ended: {self._server.errors()}")
            self._text += more
        row, _, self._text = self._text.partition(b"\n")
        return dict(json.loads(row))

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit code, negative a signal; TimeoutExpired if none."""
        if self.returncode is None:
            self._line.settimeout(timeout)
            try:
                self.returncode = int(self._read()["exit"])
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(self.name, timeout or 0) from None
            except (LabError, ConnectionError):
                self.returncode = -signal.SIGKILL  # what waits for it was killed with the node
            self._line.close()
        return self.returncode

    def poll(self) -> int | None:
        """Return the exit code, None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


class Server:
    """One fork server."""

    def __init__(self, python: str, modules: Sequence[str]) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the server
        argv = [python, str(PROGRAM), str(theirs.fileno()), str(_NETWORK), *modules]
        with theirs:
            self._process = subprocess.Popen(
                argv,
                env=environment() | {"PYTHONPATH": str(CHECKOUT)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                pass_fds=[theirs.fileno(), _NETWORK],
                start_new_session=True,
                cwd="/",
            )

    def is_alive(self) -> bool:
        """Tell whether it can still fork."""
        return self._process.poll() is None

    def errors(self) -> str:
        """Return the end of what it has written to its standard error."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace").strip()[-2000:]

    def fork(self, name: str, request: dict[str, Any], out: int, err: int) -> Forked:
        """Fork; LabError if the server is no more."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(self._channel, [b"fork"], [out, err, theirs.fileno()])
            ours.sendall(json.dumps(request).encode() + b"\n")
        except OSError as err_:
            raise LabError(f"{name}: no fork server: {err_}: {self.errors()}") from err_
        return Forked(name, ours, self)


def _server(python: str, modules: tuple[str, ...]) -> Server:
    key = (os.getpid(), python, modules)
    with _lock:
        there = _servers.get(key)
        if there is None or not there.is_alive():
            there = _servers[key] = Server(python, modules)
        return there


def warm(work: Work) -> None:
    """Let the server of a task start now, beside whatever else is to be done."""
    _server(work.python, work.modules)


def start(
    work: Work,
    node: Node | None,
    argv: Sequence[str],
    *,
    out: IO[Any],
    err: IO[Any] | None = None,
    env: dict[str, str] | None = None,
) -> Forked:
    """Start it in a node, or in the host, and return; it ends with this process.

    `argv` is what it finds as its own. It has a login's environment, and `env`.
    """
    request = {
        "holder": node.up() if node else 0,
        "task": work.task,
        "argv": list(argv),
        "path": list(work.path),
        "env": environment() | (env or {}),
    }
    where = f"{node.name if node else 'host'}: {' '.join(argv)}"
    server = _server(work.python, work.modules)
    return server.fork(where, request, out.fileno(), (err or out).fileno())


def run(
    work: Work,
    node: Node | None,
    argv: Sequence[str],
    *,
    timeout: float = 60,
    env: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run it and collect its output; it is killed at the timeout (TimeoutExpired).

    The timeout is for a quiet machine, as that of ``Node.run``.
    """
    # Files and not pipes: what it leaves behind in the background may keep its output open.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = start(work, node, argv, out=out, err=err, env=env)
        try:
            code = process.wait(timeout * pace())
        except BaseException:
            process.kill()
            raise
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
        return subprocess.CompletedProcess(list(argv), code, *texts)
