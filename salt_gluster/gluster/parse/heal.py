"""``heal V info``, ``... summary`` and ``... split-brain``.

Zero pending does not mean that the data is there (facts.md#G-0.2), and a count that gluster could
not get is ``-``, absent or glued into the status text (facts.md#G-5.1): all three become Unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from salt_gluster.errors import Unreadable
from salt_gluster.gluster.parse.answer import CliAnswer
from salt_gluster.gluster.parse.elements import number_or_unknown, required_text
from salt_gluster.model import Heal, Unknown

_AFTER_NAME = re.compile(r"(?: - (?:Is in split-brain|Possibly undergoing heal))?[ \n]?\Z")


@dataclass(frozen=True)
class HealEntry:
    """One entry to heal: its path as seen from the volume's root, or ``<gfid:...>``."""

    path: str
    gfid: str


@dataclass(frozen=True)
class HealEntries:
    """The entries of one brick, or why they are not known. Directories are among them."""

    brick: str
    host_uuid: str | Unknown
    entries: tuple[HealEntry, ...] | Unknown


def parse_heal_summary(answer: CliAnswer) -> tuple[Heal, ...]:
    """Return the counts per brick of ``heal V info summary``. Raises ``Unreadable``.

    ``pending`` is every entry that is not in sync: heal-pending, split-brain and possibly healing
    together (gluster's own total), so 0 is the only value that means none.
    """
    return tuple(_summary(row) for row in answer.element("healInfo/bricks").iterfind("brick"))


def parse_heal_info(answer: CliAnswer) -> tuple[Heal, ...]:
    """Return the counts per brick of ``heal V info``; split-brain and healing are not in it."""
    return tuple(
        Heal(required_text(row, "name"), _uuid(row), _count(row, "numberOfEntries"))
        for row in answer.element("healInfo/bricks").iterfind("brick")
    )


def parse_heal_entries(answer: CliAnswer) -> tuple[HealEntries, ...]:
    """Return the entries per brick of ``heal V info`` or ``heal V info split-brain``.

    A file in split-brain looks like any other in ``heal V info``: ask split-brain for them
    (facts.md#G-8.3). Raises ``Unreadable``.
    """
    return tuple(_entries(row) for row in answer.element("healInfo/bricks").iterfind("brick"))


def parse_heal_text(answer: CliAnswer) -> tuple[HealEntries, ...]:
    """Return the entries per brick from the text of ``heal V info``, where no gfid stands.

    Gluster's XML ends at a name with a control character (facts.md#G-5.3). A line that begins no
    entry belongs to the name before it. Raises ``Unreadable`` where no brick is named.
    """
    bricks: list[HealEntries] = []
    for part in re.split(r"^Brick (?=\S+:/)", answer.raw, flags=re.MULTILINE)[1:]:
        name, _, rest = part.partition("\n")
        body, found, status = rest.rpartition("\nStatus: ")
        body = body if found else ""
        state = (status if found else rest.removeprefix("Status: ")).partition("\n")[0].strip()
        entries: tuple[HealEntry, ...] | Unknown = tuple(_lines(body))
        if state != "Connected":
            entries = Unknown(f"heal info of this brick: {state or 'no status'}")
        none = Unknown("the text of heal info names no node")
        bricks.append(HealEntries(name.strip(), none, entries))
    if not bricks:
        raise Unreadable("the text of heal info names no brick", text=answer.raw[:300])
    return tuple(bricks)


def _lines(body: str) -> Iterator[HealEntry]:
    """Return the entries of one brick; gluster ends each with a blank and what is wrong with it."""
    starts = re.split(r"\n(?=/|<gfid:)", body)
    for text in starts if body else ():
        yield HealEntry(_AFTER_NAME.sub("", text), "")


def _summary(row: Element) -> Heal:
    return Heal(
        brick=required_text(row, "name"),
        host_uuid=_uuid(row),
        pending=_count(row, "totalNumberOfEntries"),
        split_brain=_count(row, "numberOfEntriesInSplitBrain"),
        healing=_count(row, "numberOfEntriesPossiblyHealing"),
    )


def _entries(row: Element) -> HealEntries:
    name, uuid, count = required_text(row, "name"), _uuid(row), _count(row, "numberOfEntries")
    if isinstance(count, Unknown):
        return HealEntries(name, uuid, count)
    entries = tuple(
        HealEntry(entry.text or "", entry.get("gfid", "")) for entry in row.iterfind("file")
    )
    return HealEntries(name, uuid, entries)


def _count(row: Element, name: str) -> int | Unknown:
    status = (row.findtext("status") or "").strip()
    # "Connected" is the only status under which a number was ever right.
    if status != "Connected":
        return Unknown(f"heal info of this brick: {status or 'no status'}")
    return number_or_unknown(row, name)


def _uuid(row: Element) -> str | Unknown:
    uuid = (row.get("hostUuid") or "").strip()
    return uuid if uuid not in ("", "-") else Unknown("heal info names no node for this brick")
