"""The versions of the configuration, on 80 columns: the history, differences, giving one back.

Data in, text out; the data are those of ``master/journal.py`` and ``master/restore.py``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from salt_gluster.model import Clock, count, utc_clock
from salt_gluster.render.text import SCREEN, clean, command, labelled, wrap
from salt_gluster.status.config_versions import difference_from

#: Differences of one version that the history shows.
_SHOWN = 5
Data = Mapping[str, Any]


def render_history(data: Data, clock: Clock = utc_clock, width: int = SCREEN) -> str:
    """Return the versions, newest first: when, by whom, why, and what became another."""
    shown, total = data["versions"], data["total"]
    left = f", the newest {len(shown)}" if len(shown) < total else ", newest first"
    lines = [f"{clean(data['pool'])}   {count(total, 'version')}{left if total else ''}"]
    for row in shown:
        lines.append("")
        if "unknown" in row:
            lines += wrap(f"{row['unknown']}", width, f"  {row['version']:>4}  ")
            continue
        by = row["by"] if not row["overwritten_by"] else "OVERWRITTEN"
        accepted = "   spec and policy in force" if row["version"] == data["accepted"] else ""
        lines += wrap(f"{clock(row['at'])}  {by}{accepted}", width, f"  {row['version']:>4}  ")
        lines += wrap(row["why"], width, " " * 8)
        lines += _differences(row["differences"], width, " " * 8, _SHOWN)
    if len(shown) > 1:
        lines += ["", *command("salt-run gluster.diff", width, "  ")]
    return "\n".join(lines)


def render_diff(data: Data, clock: Clock = utc_clock, width: int = SCREEN) -> str:
    """Return the authors of the two versions, and every difference."""
    rows = [
        (f"{word} {v['version']}", f"{clock(v['at'])}, {v['by']}: {v['why']}")
        for word, v in (("from", data["from"]), ("to", data["to"]))
    ]
    differences = data["differences"]
    title = f"{clean(data['pool'])}   {count(len(differences), 'difference')}"
    lines = [title, *labelled(rows, width)]
    if differences:
        lines += ["", *_differences(differences, width, "  ")]
    return "\n".join(lines)


_ANSWER = {True: "yes", False: "NO", None: "unknown"}


def render_restore(data: Data, clock: Clock = utc_clock, width: int = SCREEN) -> str:
    """Return what a node would be given back, every check's answer, and what to type."""
    stored = f"by version {data['version']} of {clock(data['version_at'])}"
    lines = [f"{clean(data['node'])}   pool {clean(data['pool'])}, {stored}", ""]
    if data["restored"]:
        return "\n".join([*lines, *wrap(data["comment"], width, "  "), *_after(data, width)])
    lines += labelled(
        [(f"{_ANSWER[c['yes']].ljust(7)} {c['name']}", c["why"]) for c in data["checks"]], width
    )
    for path, text in data["files"].items():
        lines += ["", f"  {path}", *(f"    {row}" for row in text.splitlines())]
    lines += _after(data, width)
    if data["ready"]:
        words = f"salt-run gluster_operation.restore_config {data['node']} confirm={data['uuid']}"
        return "\n".join(
            [*lines, "", "  Nothing was done. To do it:", *command(words, width, "    ")]
        )
    no = [c["name"] for c in data["checks"] if not c["yes"]]
    return "\n".join([*lines, "", *wrap(f"Nothing was done, and cannot be: {', '.join(no)}.",
                                        width, "  ")])  # fmt: skip


def _after(data: Data, width: int) -> list[str]:
    """Return its bricks, and what an operator has still to do about them."""
    lines: list[str] = []
    for brick in data["bricks"]:
        on = f", lay on file system {brick['filesystem']}" if brick["filesystem"] else ""
        lines += wrap(f"brick {brick['brick']} of {brick['volume']}{on}", width, "  ")
    if data["then"]:
        words = "Then, with all file systems mounted and all brick directories there, for a brick"
        lines += ["", *wrap(f"{words} that is empty:", width, "  ")]
        lines += [line for text in data["then"] for line in command(text, width, "    ")]
    return ["", *lines] if lines else []


def _differences(rows: Iterable[Data], width: int, indent: str, most: int = 1000) -> list[str]:
    differences = [difference_from(row) for row in rows]
    lines: list[str] = []
    for row in differences[:most]:
        mark = "+" if row.old is None else "-" if row.new is None else "~"
        lines += wrap(row.words, width, f"{indent}{mark} ")
    more = len(differences) - most
    return [*lines, *(wrap(f"and {more} more", width, f"{indent}  ") if more > 0 else [])]
