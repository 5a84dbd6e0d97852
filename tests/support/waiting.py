"""Waiting for what has to happen: as long as this machine needs, and no promise in seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from lab import LabError
from lab.command import pace
from salt_gluster.errors import ConsulError

T = TypeVar("T")
#: However fast it usually is: another test may have the machine just then.
LEAST_S = 120.0


def until(
    check: Callable[[], T],
    within_s: float = 0.0,
    what: str = "it to come true",
    *,
    step_s: float = 0.3,
    more: Callable[[], object] = lambda: "",
) -> T:
    """Return what the check gives as soon as that is true; no answer is "not yet".

    ``within_s`` is for a quiet machine. ``more`` is asked for what the message shall say besides.
    """
    began, why = time.monotonic(), ""
    while True:
        try:
            if found := check():
                return found
        except (ConsulError, LabError) as err:
            why = f" ({err})"
        took_s = time.monotonic() - began
        if took_s > max(LEAST_S, within_s) * pace():
            raise AssertionError(f"not within {took_s:.0f} s: {what}{why}; {more()}")
        time.sleep(step_s)
