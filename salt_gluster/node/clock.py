"""The time of day on this host, for text that an operator reads."""

from __future__ import annotations

import time


def local_clock(at: float) -> str:
    """Return HH:MM:SS of a time (seconds since the epoch) in this host's time zone."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def local_datetime(at: float) -> str:
    """Return date and time of a time (seconds since the epoch) in this host's time zone."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
