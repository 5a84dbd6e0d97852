"""Read what is left to heal, and wait until nothing is."""

from __future__ import annotations

from salt_gluster.errors import CommandFailed, GlusterError, SpecError, Unreadable
from salt_gluster.gluster.parse.heal import parse_heal_entries, parse_heal_summary, parse_heal_text
from salt_gluster.minion.context import Minion
from salt_gluster.minion.query import Data, ask
from salt_gluster.model import Heal, Unknown, is_known, plain

#: Looks in a row that must show nothing to heal: a disperse volume shows 0 in its first seconds
#: (facts.md#G-0.2).
ZEROS = 3


_LOOK_EVERY_S = 1.0


def heal_entries(minion: Minion, name: str, command: str = "heal_info") -> Data:
    """Return brick -> entries to heal (path, gfid); ``heal_split_brain`` for those in conflict."""
    try:
        rows = ask(minion, command, parse_heal_entries, volume=name)
    except Unreadable:  # a name that no XML can hold
        rows = ask(minion, f"{command}_text", parse_heal_text, volume=name)
    return {row.brick: plain(row.entries) for row in rows}


def heal_summary(minion: Minion, name: str) -> Data:
    """Return brick -> counts. ``pending`` has split-brain in it, so that only 0 means none."""
    rows = ask(minion, "heal_summary", parse_heal_summary, volume=name)
    keys = ("pending", "split_brain", "healing")
    return {row.brick: {key: plain(getattr(row, key)) for key in keys} for row in rows}


def wait_healed(minion: Minion, name: str, timeout_s: float) -> Data:
    """Wait until no brick has an entry to heal, three looks in a row; return how long it took.

    A brick that does not answer is waited for. Raises ``GlusterError`` when the time is up.
    """
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, (int, float)):
        raise SpecError("timeout", f"expected seconds, not {timeout_s!r}", hint="timeout=600")
    driver = minion.driver()
    began, zeros = driver.now(), 0
    rows: tuple[Heal, ...] | Unknown = ask(minion, "heal_summary", parse_heal_summary, volume=name)
    while True:
        zeros = zeros + 1 if is_known(rows) and not _left(rows) else 0
        took = driver.now() - began
        if zeros == ZEROS:
            return {"healed": True, "seconds": round(took, 1)}
        if took >= timeout_s:
            raise _unhealed(name, rows, took)
        driver.sleep(_LOOK_EVERY_S)
        rows = minion.reader.heal(name)


def _left(rows: tuple[Heal, ...]) -> dict[str, str]:
    """Return brick -> what is left on it, in words."""
    left = {}
    for row in rows:
        pending, split = row.pending, row.split_brain
        if isinstance(pending, Unknown):
            left[row.brick] = f"unknown ({pending.why})"
        elif pending:
            in_conflict = is_known(split) and split > 0
            left[row.brick] = f"{pending}" + (f", {split} in split-brain" if in_conflict else "")
    return left


def _unhealed(name: str, rows: tuple[Heal, ...] | Unknown, took_s: float) -> GlusterError:
    if isinstance(rows, Unknown):
        left = rows.why
    else:
        left = "; ".join(f"{brick} {what}" for brick, what in _left(rows).items())
    return CommandFailed(
        f"{name} is not healed after {took_s:.0f} s: {left or 'it was clean only just now'}.",
        kind="not_healed",
        hint="What is in split-brain never heals by itself: see gluster_heal.split_brain. A brick "
        "that is down: see gluster_volume.status.",
    )
