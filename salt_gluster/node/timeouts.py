"""Call what may never return, with a limit: a disk that hangs must not hang its caller."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from salt_gluster.model import Unknown

T = TypeVar("T")

#: What is being waited for by a thread that was left behind: it is not asked again meanwhile.
_hanging: dict[str, threading.Thread] = {}


def call_with_timeout(limit_s: float, name: str, ask: Callable[[], T]) -> T | Unknown:
    """Return what ``ask`` gives, or Unknown when nothing came in ``limit_s``; an error is raised.

    It runs in a thread that is left behind when it hangs, once for each ``name``.
    """
    before = _hanging.get(name)
    if before is not None and before.is_alive():
        return Unknown(f"{name} has not answered since it was asked before")
    answer: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue(1)

    def run() -> None:
        try:
            answer.put((ask(), None))
        except BaseException as problem:  # handed to the caller below
            answer.put((None, problem))

    thread = threading.Thread(target=run, daemon=True, name=f"salt-gluster {name}")
    thread.start()
    try:
        value, problem = answer.get(timeout=limit_s)
    except queue.Empty:
        _hanging[name] = thread
        return Unknown(f"{name} does not answer within {limit_s:g} s")
    _hanging.pop(name, None)
    if problem is not None:
        raise problem
    return value  # type: ignore[no-any-return]
