"""Read what other nodes have announced of their brick directories, and judge how old it is. Pure.

What another node wrote is limited in size and becomes a type, or an ``Unknown`` with why. It speaks
for that node alone. Its age is judged by the clock of the reader only: each announcement carries a
number that its node counts up, and the reader keeps when it last looked without finding it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from salt_gluster.model import AnnouncedBrick, Announcement, Unknown, is_known

#: Bricks that are read of one node, host names that it may claim, and characters of a text.
MOST_BRICKS, MOST_HOSTS, MOST_TEXT, MOST_WHY = 2000, 4, 4096, 300

_NO_AGE = Unknown("it was there at the first look of this node")
_ODD = Unknown("what it has announced cannot be read")


@dataclass(frozen=True)
class Said:
    """One announcement as it was written. ``epoch`` and ``count`` tell it from the one before."""

    epoch: str
    count: int
    hosts: tuple[str, ...]
    bricks: tuple[AnnouncedBrick, ...]


def parse(entry: object) -> Said | Unknown:
    """Return what one node wrote into the mine, or why it cannot be read."""
    if not isinstance(entry, Mapping):
        return _ODD
    epoch, count = entry.get("epoch"), entry.get("count")
    if not _is_text(epoch, 64) or isinstance(count, bool) or not isinstance(count, int):
        return Unknown("has announced its bricks in a form that tells no age: apply its state anew")
    hosts = [h.lower() for h in _items(entry.get("hosts"), MOST_HOSTS) if _is_text(h, 255)]
    rows = entry.get("bricks")
    if not isinstance(rows, list | tuple) or len(rows) > MOST_BRICKS:
        return _ODD
    bricks = [_brick(row) for row in rows]
    if any(brick is None for brick in bricks):
        return _ODD
    return Said(str(epoch), count, tuple(hosts), tuple(b for b in bricks if b is not None))


def _items(value: object, most: int) -> list[Any]:
    return list(value[:most]) if isinstance(value, list | tuple) else []


def _is_text(value: object, most: int = MOST_TEXT) -> bool:
    return isinstance(value, str) and 0 < len(value) <= most and value.isprintable()


def _brick(row: object) -> AnnouncedBrick | None:
    if not isinstance(row, Mapping):
        return None
    volume, path, filesystem, unfit = (
        row.get(key) for key in ("volume", "path", "filesystem", "unfit")
    )
    if not (_is_text(path) and _is_text(filesystem, 255)):
        return None
    if not (isinstance(volume, str) and isinstance(unfit, str)) or len(volume) > 255:
        return None
    why = "".join(c if c.isprintable() else "?" for c in unfit[:MOST_WHY])
    flags = [row.get(key) is True for key in ("on_root", "marked")]
    return AnnouncedBrick(volume, str(path), str(filesystem), flags[0], why, flags[1])


# --- how old ------------------------------------------------------------------------------------


def sightings(
    before: Mapping[str, Any] | None, said: Mapping[str, Said | Unknown], now: float
) -> dict[str, Any]:
    """Return the record of this look: when each announcement was not there yet, by minion.

    ``before`` is the record of the last look; None = there was none. ``now`` was read before the
    mine was asked. A clock that was set back makes the age unknown, not small.
    """
    looked, rows = _number((before or {}).get("looked")), (before or {}).get("minions")
    last = looked if looked is not None and looked <= now else None
    kept = rows if isinstance(rows, Mapping) else {}
    minions: dict[str, Any] = dict(kept)  # what has gone from the mine may come back as it was
    for minion, one in said.items():
        if isinstance(one, Unknown):
            continue
        row = kept.get(minion)
        same, later_than = _kept(row, one)
        minions[minion] = [one.epoch, one.count, later_than if same else last]
    return {"looked": now, "minions": minions}


def _kept(row: object, said: Said) -> tuple[bool, float | None]:
    """Return whether a row of the record is of this announcement or a later one, and its time."""
    if not isinstance(row, list | tuple) or len(row) != 3 or row[0] != said.epoch:
        return False, None
    count = row[1] if isinstance(row[1], int) else -1
    return said.count <= count, _number(row[2]) if said.count == count else None


def _number(value: object) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number else None  # type: ignore[arg-type]


def by_host(
    said: Mapping[str, Said | Unknown],
    record: Mapping[str, Any],
    addresses: Mapping[str, str],
) -> dict[str, Announcement | Unknown]:
    """Return the announcements by host name in lower case.

    A minion speaks for its own name and for the address that the declaration gives it
    (``addresses``: minion -> host). Another name it may only claim where no declaration and no
    other minion has it.
    """
    owned = {minion: {minion.lower(), addresses.get(minion, minion).lower()} for minion in said}
    taken = {h.lower() for pair in addresses.items() for h in pair}.union(*owned.values())
    claims: dict[str, list[str]] = {}
    for minion, one in said.items():
        for host in one.hosts if is_known(one) else ():
            if host not in taken:
                claims.setdefault(host, []).append(minion)
    for host, minions in claims.items():
        if len(set(minions)) == 1:
            owned[minions[0]].add(host)
    return {host: _dated(said[m], record, m) for m, hosts in owned.items() for host in hosts}


def _dated(said: Said | Unknown, record: Mapping[str, Any], minion: str) -> Announcement | Unknown:
    if isinstance(said, Unknown):
        return said
    time = record["minions"][minion][2]
    return Announcement(_NO_AGE if time is None else time, said.bricks)


# --- what is written ------------------------------------------------------------------------------


def written(bricks: Iterable[AnnouncedBrick]) -> list[dict[str, Any]]:
    """Return bricks as they are written into the mine."""
    return [
        {
            "volume": b.volume,
            "path": b.path,
            "filesystem": b.filesystem,
            "on_root": b.on_root,
            "unfit": b.unfit[:MOST_WHY],
            "marked": b.marked,
        }
        for b in bricks
    ]


def without_volumes(rows: object, volumes: Collection[str]) -> list[AnnouncedBrick]:
    """Return the bricks of a record that are of none of these volumes."""
    bricks = [_brick(row) for row in _items(rows, MOST_BRICKS)]
    return [b for b in bricks if b is not None and b.volume not in volumes]
