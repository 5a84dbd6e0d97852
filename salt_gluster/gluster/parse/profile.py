"""``volume profile V info``: how often each file operation came, and how long it took."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree.ElementTree import Element

from salt_gluster.errors import Unreadable
from salt_gluster.gluster.parse.answer import CliAnswer
from salt_gluster.gluster.parse.elements import required_number, required_text


@dataclass(frozen=True)
class FopStats:
    """One kind of file operation on one brick; latencies in ns, as 10.3 prints them."""

    name: str
    hits: int
    average_ns: float
    least_ns: float
    most_ns: float


@dataclass(frozen=True)
class BrickProfile:
    """What one brick counted since profiling was started; sizes in bytes."""

    brick: str
    duration_s: int
    bytes_read: int
    bytes_written: int
    operations: tuple[FopStats, ...]


def parse_profile(answer: CliAnswer) -> tuple[BrickProfile, ...]:
    """Return the cumulative counts of every brick that answered. Raises ``Unreadable``."""
    rows = answer.element("volProfile").iterfind("brick")
    return tuple(_brick(row) for row in rows)


def _brick(row: Element) -> BrickProfile:
    stats = row.find("cumulativeStats")
    if stats is None:
        raise Unreadable("a brick of the profile has no <cumulativeStats>")
    return BrickProfile(
        brick=required_text(row, "brickName"),
        duration_s=required_number(stats, "duration"),
        bytes_read=required_number(stats, "totalRead"),
        bytes_written=required_number(stats, "totalWrite"),
        operations=tuple(_operation(fop) for fop in stats.iterfind("fopStats/fop")),
    )


def _operation(row: Element) -> FopStats:
    return FopStats(
        name=required_text(row, "name"),
        hits=required_number(row, "hits"),
        average_ns=_real(row, "avgLatency"),
        least_ns=_real(row, "minLatency"),
        most_ns=_real(row, "maxLatency"),
    )


def _real(row: Element, name: str) -> float:
    text = required_text(row, name)
    try:
        return float(text)
    except ValueError:
        raise Unreadable(f"<{name}> in <{row.tag}> is {text!r}, not a number") from None
