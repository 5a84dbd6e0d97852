"""The time of day on this host, for text that an operator reads."""

from __future__ import annotations

import time


def local_clock(at: float) -> str:
    """Return HH:MM:SS of a time (seconds since the epoch) in this host's time zone."""
    return _formatted("%H:%M:%S", at)


def local_datetime(at: float) -> str:
    """Return date and time of a time (seconds since the epoch) in this host's time zone."""
    return _formatted("%Y-%m-%d %H:%M:%S", at)


def _formatted(form: str, at: float) -> str:
    try:
        return time.strftime(form, time.localtime(at))
    except (OverflowError, ValueError, OSError):  # another node may have written it
        return f"at {at:.0f} s"
