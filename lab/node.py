"""Class Node: the process that holds a node's namespaces, and running programs in them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lab import boot
from lab.command import environment, pace, wait_for
from lab.errors import LabError
from lab.network import NETNS
from lab.record import Record

NAMESPACES = ("-m", "-u", "-n", "-p")


class Node:
    """Run things in the namespaces of one member of a lab."""

    def __init__(self, lab: Record, name: str) -> None:
        self.lab = lab
        self.name = name
        self.address = lab.address(name)
        self.home = lab.path("nodes", name)

    def __repr__(self) -> str:
        return f"<Node {self.name} {self.address} of lab {self.lab.name}>"

    def holder(self) -> int | None:
        """Give the host's pid of the first process of the node, None when it is not up."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.home / "holder").read_text())
            if _runs(pid, self.home / "init.sh"):
                return pid
        return None

    def up(self) -> int:
        """Give the host's pid of the first process of the node; LabError when it is not up."""
        pid = self.holder()
        if pid is None:
            raise LabError(
                f"{self.name} is not up: python -m lab heal node-kill {self.name}"
                f" --name {self.lab.name}, or down and up again"
            )
        return pid

    def prefix(self) -> list[str]:
        """Give the words that put a command into the node; LabError when it is not up."""
        return ["nsenter", "-t", str(self.up()), *NAMESPACES, "--"]

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 60,
        check: bool = False,
        input: str | None = None,
        env: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the node; it is killed there at the timeout (TimeoutExpired).

        The timeout is for a quiet machine: a busy one gives a program so much longer.

        The working directory is /. The environment is a login's plus `env`.
        """
        return subprocess.run(
            # nsenter forks into the PID namespace: without this a timeout would kill it alone.
            [*self.prefix(), "setpriv", "--pdeathsig", "KILL", "--", *argv],
            capture_output=True,
            text=True,
            timeout=timeout * pace(),
            check=check,
            input=input,
            stdin=None if input is not None else subprocess.DEVNULL,
            env=environment() | (env or {}),
            cwd="/",
        )

    def popen(
        self, argv: Sequence[str], *, env: dict[str, str] | None = None, **kwargs: object
    ) -> subprocess.Popen[str]:
        """Start a command in the node and return; it ends with its starter."""
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
            [*self.prefix(), "setpriv", "--pdeathsig", "KILL", "--", *argv],
            text=True,
            env=environment() | (env or {}),
            cwd="/",
            **kwargs,
        )

    def ok(self, argv: Sequence[str], *, timeout: float = 60, input: str | None = None) -> str:
        """Run a command that must succeed and give its output; LabError with it if it does not."""
        done = self.run(argv, timeout=timeout, input=input)
        if done.returncode:
            raise LabError(
                f"{self.name}: {' '.join(argv)}: exit {done.returncode}\n"
                f"{(done.stderr + done.stdout).strip()}"
            )
        return done.stdout

    def start(self) -> None:
        """Start the first process, which makes the mounts, and wait until they are there."""
        script = boot.script(self.lab, self.name)
        with (self.home / "boot.log").open("w") as log:
            first = subprocess.Popen(
                [
                    *("ip", "netns", "exec", self.lab.netns(self.name), "unshare", "-m", "-u"),
                    *("-p", "--fork", "--mount-proc", "--propagation", "private"),
                    *("sh", str(script)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=environment(),
            )
        ready = self.home / "ready"
        with contextlib.suppress(LabError):
            wait_for(
                "boot",
                lambda: ready.exists() or first.poll() is not None,
                timeout=120,
                step=0.02,
            )
        if not ready.exists():
            said = (self.home / "boot.log").read_text().strip()
            raise LabError(f"{self.name} did not boot: {said or 'no word'} (script: {script})")
        (self.home / "holder").write_text(f"{self._find(script)}\n")

    def _find(self, script: Path) -> int:
        for pid in self.pids():
            if _runs(pid, script) and _inner_pid(pid) == "1":
                return pid
        raise LabError(f"{self.name}: its first process ended at once; see {self.home}/boot.log")

    def pids(self) -> list[int]:
        """List the host's pids of all processes in the node, the holder's among them.

        In the node is what has its network namespace or a mount of its directory.
        """
        try:
            net = (NETNS / self.lab.netns(self.name)).stat().st_ino
        except OSError:
            net = -1
        return [pid for pid, found in _processes() if net in found or self._mounted(pid)]

    def _mounted(self, pid: int) -> bool:
        own = f"upperdir={self.home}/up/etc,"
        with contextlib.suppress(OSError):
            if _inode(pid, "mnt") == _inode(os.getpid(), "mnt"):
                return False
            return own in Path(f"/proc/{pid}/mountinfo").read_text()
        return False

    def programs(self, name: str) -> list[tuple[int, list[str]]]:
        """List host's pid and arguments of the node's processes of a program."""
        found = [(pid, _argv(pid)) for pid in self.pids()]
        return [(pid, argv) for pid, argv in found if argv and Path(argv[0]).name == name]

    def unit_pids(self, unit: str) -> list[int]:
        """List the host's pids of what a unit of the node started (systemctl.py marks them)."""
        mark = f"LAB_UNIT={unit}.service".encode()
        return [pid for pid in self.pids() if mark in _environ(pid)]

    def holds(self, pid: int) -> bool:
        """Tell whether a process of the node is there to hold its namespaces only."""
        return (
            pid == self.holder()
            or _is_unshare(pid)
            or (_parent(pid) == self.holder() and _argv(pid) == ["sleep", "86400"])
        )

    def gone(self, pids: list[int], *, timeout: float = 10) -> None:
        """Wait until processes of the node have ended."""
        wait_for(f"{self.name}: end of {pids}", lambda: not set(pids) & set(self.pids()),
                 timeout=timeout, step=0.02)  # fmt: skip

    def kill(self, *, holder: bool = True) -> None:
        """Kill every process of the node, at last the holder if wanted, and wait for their end.

        The holder reaps the others and our own process the holder: so the time they took is known.
        """
        self._kill(lambda: [pid for pid in self.pids() if not self.holds(pid)])
        if holder:
            first = self.holder()
            self._kill(lambda: [pid for pid in self.pids() if pid == first])
            self._kill(self.pids)

    def _kill(self, find: Callable[[], list[int]]) -> None:
        end = time.monotonic() + 60
        while victims := find():
            if time.monotonic() > end:
                raise LabError(f"{self.name}: pids {victims} do not end; see /proc/PID/stack")
            for pid in victims:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)


def _processes() -> list[tuple[int, tuple[int, ...]]]:
    found = []
    for entry in os.listdir("/proc"):  # noqa: PTH208 - a name is wanted, and many
        if entry.isdigit():
            with contextlib.suppress(OSError):
                found.append((int(entry), (_inode(int(entry), "net"),)))
    return found


def _inode(pid: int, kind: str) -> int:
    return Path(f"/proc/{pid}/ns/{kind}").stat().st_ino


def _argv(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def _environ(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _parent(pid: int) -> int:
    with contextlib.suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def _runs(pid: int, script: Path) -> bool:
    return _argv(pid) == ["sh", str(script)]


def _is_unshare(pid: int) -> bool:
    return _argv(pid)[:1] == ["unshare"]


def _inner_pid(pid: int) -> str:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("NSpid:"):
                return line.split()[-1]
    return ""
