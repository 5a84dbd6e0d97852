"""The status as one line of a monitoring plugin: state, words, performance data. Pure.

The form is that of the Monitoring Plugins: ``GLUSTER OK - words | label=value;warn;crit;min;max``.
What is not known has the value ``U``, never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from salt_gluster.model import is_unknown, some
from salt_gluster.render.text import clean

#: What the guidelines call the exit codes.
STATES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
#: Of more volumes than this the line has the sums only.
MANY = 50
#: The code for what could not be looked at.
UNKNOWN = 3
#: More than none is a warning at least; the state is decided by ``status/summary.py``.
_WARN = "0"


def check_line(data: Mapping[str, Any]) -> str:
    """Return the line of the status screen's data."""
    words = [_whole(data), *_not_well(data), *_away(data), *_torn(data)]
    return f"GLUSTER {STATES[data['exit']]} - {_plain('; '.join(words))} | {_performance(data)}"


def check_unknown(why: str) -> str:
    """Return the line where there is no status."""
    return f"GLUSTER {STATES[UNKNOWN]} - {_plain(why)}"


def _plain(text: str) -> str:
    """A bar begins the performance data, and a line more would be another part of the answer."""
    return " ".join(clean(text).replace("|", "/").split())


def _rows(data: Mapping[str, Any]) -> Mapping[str, Mapping[str, Any]]:
    rows: Mapping[str, Mapping[str, Any]] = {} if is_unknown(data["volumes"]) else data["volumes"]
    return rows


def _whole(data: Mapping[str, Any]) -> str:
    if is_unknown(data["volumes"]):
        return f"volumes not known: {data['volumes']['unknown']}"
    rows = _rows(data)
    whole = sum(row["word"] == "ok" for row in rows.values())
    return f"{whole} of {len(rows)} volume{'s' * (len(rows) != 1)} whole"


def _not_well(data: Mapping[str, Any]) -> list[str]:
    """Name the volumes by their word, and the declared ones that are not there."""
    words: dict[str, list[str]] = {}
    for name, row in _rows(data).items():
        if row["word"] != "ok":
            stopped = row["word"] == "down" and row["status"] != "Started"
            words.setdefault("not started" if stopped else row["word"], []).append(name)
    if data["not_made"]:
        words["declared and not made"] = list(data["not_made"])
    return [f"{some(names)} {word.replace('_', ' ')}" for word, names in words.items()]


def _away(data: Mapping[str, Any]) -> list[str]:
    if is_unknown(data["nodes"]):
        return [f"nodes not known: {data['nodes']['unknown']}"]
    away = [n for n, row in data["nodes"]["members"].items() if row["state"] != "up"]
    differ = ["versions differ"] if data["versions"].get("equal") is False else []
    return [*([f"not up: {some(away)}"] if away else []), *differ]


def _torn(data: Mapping[str, Any]) -> list[str]:
    torn = [n for n, row in _rows(data).items() if _number(row["split_brain"]) not in ("U", "0")]
    return [f"split-brain in {some(torn)}"] if torn else []


def _performance(data: Mapping[str, Any]) -> str:
    nodes, rows = data["nodes"], _rows(data)
    lost, total = ("U", "U") if is_unknown(data["volumes"]) else _lost_bricks(rows)
    away, members = "U", "U"
    if not is_unknown(nodes):
        away, members = str(nodes["total"] - nodes["up"]), str(nodes["total"])
    parts = [
        _value("nodes_away", away, members),
        _value("bricks_down", lost, total),
        _value("heal_pending", _sum(data, "to_heal"), warn=""),
        _value("split_brain", _sum(data, "split_brain")),
    ]
    free = {name: row["free"] for name, row in rows.items()} if len(rows) <= MANY else {}
    parts += [f"{name}_free={room['percent']}%;;;0;100" for name, room in free.items()
              if not is_unknown(room) and "percent" in room]  # fmt: skip
    return " ".join(parts)


def _value(label: str, value: str, most: str = "", warn: str = _WARN) -> str:
    return f"{label}=U" if value == "U" else f"{label}={value};{warn};;0;{most}".rstrip(";")


def _lost_bricks(rows: Mapping[str, Mapping[str, Any]]) -> tuple[str, str]:
    bricks = [row["bricks"] for row in rows.values() if row["status"] == "Started"]
    if any(is_unknown(b) for b in bricks):
        return "U", "U"
    lost = sum(len(b["down"]) + len(b["away"]) for b in bricks)
    return str(lost), str(sum(b["total"] for b in bricks))


def _sum(data: Mapping[str, Any], key: str) -> str:
    """Add up what volumes tell; of one that does not know, nothing is known."""
    if is_unknown(data["volumes"]):
        return "U"
    told = [_number(row[key]) for row in _rows(data).values() if row["status"] == "Started"]
    return "U" if "U" in told else str(sum(map(int, told)))


def _number(value: Any) -> str:
    """Return a number, 0 where there is nothing to heal from, or ``U``."""
    return "U" if is_unknown(value) else str(value or 0)
