"""Keep tests off the files that salt-gluster, Salt, Consul and GlusterFS have on this machine.

A default argument that names one of ours points into a folder of the tests. Whatever else would
write one is refused, and the test that did it fails, also where the code swallows the refusal.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from salt_gluster.consul import canary, settings
from salt_gluster.node import cmd_history, hold, local_state

#: Ours, by default arguments of these modules.
OURS = ("/var/lib/salt-gluster", "/run/salt-gluster")
MODULES = (canary, settings, cmd_history, hold, local_state)
HOST = (
    *OURS, "/etc/salt", "/var/cache/salt", "/var/log/salt", "/etc/consul.d", "/var/lib/consul",
    "/etc/systemd/system", "/etc/fstab", "/var/lib/glusterd",
)  # fmt: skip
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
#: Audit event -> how many of its first arguments are paths that it changes.
_CHANGES = {"os.mkdir": 1, "os.rmdir": 1, "os.remove": 1, "os.truncate": 1, "os.chmod": 1,
            "os.chown": 1, "os.rename": 2, "os.link": 2, "os.symlink": 2}  # fmt: skip


class HostWritten(Exception):
    """A test would have changed a file of this machine."""


class Guard:
    """What tests of this process would have written; a hook of Python's that is there for good."""

    def __init__(self) -> None:
        self.refused: list[str] = []
        self._is_on = False  # other tests of this process may make labs, which write there
        self._namespace = _mounts()
        sys.addaudithook(self._audit)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._is_on:
            return
        if event == "open":
            path, _, flags = arguments
            paths = (path,) if isinstance(flags, int) and flags & _WRITES else ()
        else:
            paths = arguments[: _CHANGES.get(event, 0)]
        for path in paths:
            if isinstance(path, str | os.PathLike) and _is_hosts(os.fspath(path)):
                self._refuse(event, os.fspath(path))

    def _refuse(self, event: str, path: str | bytes) -> None:
        if _mounts() != self._namespace:  # a fork with files of its own there
            return
        self.refused.append(f"{event} {path!r}")
        raise HostWritten(self.refused[-1])

    def check(self) -> Iterator[None]:
        """Fail the test in which something was refused: the body of a fixture for each test."""
        self._is_on = True
        yield
        self._is_on = False
        refused, self.refused = self.refused, []
        assert not refused, f"this machine's own files: {refused}"


def _is_hosts(path: str | bytes) -> bool:
    return isinstance(path, str) and path.startswith(HOST)


def _mounts() -> int:
    return Path("/proc/self/ns/mnt").stat().st_ino


#: Python has no way to take such a hook out again: one for each process.
GUARD = Guard()


def redirect(folder: Path) -> None:
    """Let every default argument of ours that names a file of this machine name one of these."""
    for path in OURS:
        (folder / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
    for module in MODULES:
        for function in _functions(module):
            function.__defaults__ = _moved(function.__defaults__, folder)


def _functions(module: Any) -> Iterator[Callable[..., Any]]:
    own = [v for v in vars(module).values() if getattr(v, "__module__", "") == module.__name__]
    for value in own:
        if inspect.isclass(value):
            yield from filter(inspect.isfunction, vars(value).values())
        elif inspect.isfunction(value):
            yield inspect.unwrap(value)


def _moved(defaults: tuple[Any, ...] | None, folder: Path) -> tuple[Any, ...] | None:
    return defaults and tuple(
        str(folder / value.lstrip("/")) if isinstance(value, str) and value.startswith(OURS)
        else value for value in defaults
    )  # fmt: skip
