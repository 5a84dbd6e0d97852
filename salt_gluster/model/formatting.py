"""Format values as text: sort keys of names, counts, durations, plain data, digests. Pure."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import lru_cache
from typing import Any

from salt_gluster.model.unknown import Unknown


def brick_at(name: str) -> tuple[str, str]:
    """Return host and path of ``HOST:/PATH``; the host may be an IPv6 address, with colons."""
    host, sep, path = name.partition(":/")
    if sep:
        return host, "/" + path
    host, _, path = name.partition(":")
    return host, path


@lru_cache(maxsize=65536)
def natural_key(text: str) -> tuple[tuple[str | int, ...], str]:
    """Return a sort key that puts h2 before h10."""
    parts = re.split(r"([0-9]+)", text)
    return tuple(int(p) if i % 2 else p for i, p in enumerate(parts)), text


#: Turns seconds since the epoch into HH:MM:SS; the caller brings the local one.
Clock = Callable[[float], str]


def utc_clock(at: float) -> str:
    """Return HH:MM:SS of a time, in UTC and saying so."""
    minutes, seconds = divmod(int(at) % 86400, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d} UTC"


def plain(value: Any) -> Any:
    """Return the value as data for JSON: an unknown is ``{'unknown': why}``, never nothing."""
    if isinstance(value, Unknown):
        return {"unknown": value.why}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(plain(k)): plain(v) for k, v in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted((plain(v) for v in value), key=str)
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def is_unknown(data: Any) -> bool:
    """Return whether this piece of plain data stands for something that could not be learned."""
    return isinstance(data, Mapping) and "unknown" in data


def some(names: Iterable[str], limit: int = 6) -> str:
    """Return names with commas, the many shortened to a count."""
    listed = list(names)
    if len(listed) <= limit:
        return ", ".join(listed)
    return f"{', '.join(listed[: limit - 1])} and {len(listed) - limit + 1} more"


def count(number: int, noun: str) -> str:
    """Return ``1 node``, ``2 nodes``."""
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number} {noun if number == 1 else plural}"


def duration(seconds: float) -> str:
    """Return ``6 s``, ``27 min``, ``3 h``, ``2 days``."""
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


def digest_of(what: Any) -> str:
    """Return a short stable digest of plain data."""
    text = json.dumps(what, sort_keys=True, separators=(",", ":"), default=str)
    return text_id(hashlib.sha256(text.encode()).hexdigest()[:16])


def text_id(digest: str) -> str:
    """Keep an id text on a command line: Salt reads 12345678 as a number and 00000017 as 15."""
    return "abcdefghij"[int(digest[0])] + digest[1:] if digest.isdecimal() else digest


def size(number: int) -> str:
    """Return bytes as people read them: ``1.2 GB``, powers of 1,000."""
    amount, units = float(number), ["B", "KB", "MB", "GB", "TB", "PB"]
    while amount >= 1000 and len(units) > 1:
        amount /= 1000
        del units[0]
    return (
        f"{amount:.0f} {units[0]}"
        if amount >= 10 or units[0] == "B"
        else f"{amount:.1f} {units[0]}"
    )
