"""Run a program, or several functions at once. Knows nothing of a lab."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from lab.errors import LabError

T = TypeVar("T")
R = TypeVar("R")

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def environment() -> dict[str, str]:
    """Give the environment of a login in a node: nothing of the caller's virtualenv gets in."""
    kept = {k: v for k, v in os.environ.items() if k in ("TERM", "COLUMNS", "LINES")}
    return kept | {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", "SHELL": "/bin/bash"}


def run(
    argv: Sequence[str], *, timeout: float = 60, check: bool = True, **kwargs: object
) -> subprocess.CompletedProcess[str]:
    """Run a program of the host and collect its output; LabError with the output if it fails."""
    try:
        done = subprocess.run(  # type: ignore[call-overload]
            list(argv), capture_output=True, text=True, timeout=timeout, **kwargs
        )
    except FileNotFoundError as err:
        raise LabError(f"{argv[0]}: not installed on this machine ({err})") from err
    except subprocess.TimeoutExpired as err:
        raise LabError(f"{' '.join(argv)}: no end after {timeout:g} s") from err
    if check and done.returncode:
        raise LabError(
            f"{' '.join(argv)}: exit {done.returncode}\n{(done.stderr or done.stdout).strip()}"
        )
    return done  # type: ignore[no-any-return]


def at_once(call: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Call a function on all items in threads; the first error is raised after all have ended."""
    todo = list(items)
    if not todo:
        return []
    with ThreadPoolExecutor(max_workers=len(todo)) as threads:
        return list(threads.map(call, todo))


def pace() -> float:
    """Return how many programs want a processor for each there is, at least 1."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def wait_for(what: str, true: Callable[[], object], *, timeout: float, step: float = 0.1) -> None:
    """Wait until a condition holds; LabError naming it after the timeout (seconds)."""
    end = time.monotonic() + timeout
    while not true():
        if time.monotonic() > end:
            raise LabError(f"{what}: not after {timeout:g} s")
        time.sleep(step)
