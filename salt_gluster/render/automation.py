"""What automation did, wants and thinks, on 80 columns: journal, proposals, one node explained.

Data in, text out; the data are those of ``master/journal.py``. What is not known is printed as
unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from salt_gluster.model import Clock, count, duration, is_unknown, some, utc_clock
from salt_gluster.render.text import SCREEN, clean, command, labelled, wrap

_MAY = {
    "act": "Restarts bricks",
    "propose": "Proposes to restart bricks",
    "observe": "Only watches",
}
#: Notices on automation's own trouble that a screen has room for.
MOST_NOTICES = 5
_SIGNALS = {"+": "good", "-": "bad", "?": "unknown"}
Data = Mapping[str, Any]


# --- the journal ---------------------------------------------------------------------------------


def render_journal(data: Data, clock: Clock = utc_clock, width: int = SCREEN) -> str:
    """Return operations and orders, newest first: when, by whom, what, and how it ended."""
    shown, total = data["operations"], data["total"]
    left = f", the newest {len(shown)}" if len(shown) < total else ", newest first"
    lines = [f"{clean(data['pool'])}   {count(total, 'operation')}{left if total else ''}"]
    rows = [row for row in shown if "id" not in row]
    known = [*(row for row in shown if "id" in row), *data["orders"]]
    for row in (*rows, *sorted(known, key=lambda row: -row["at"])):
        lines += ["", *_journal_row(row, clock, width)]
    return "\n".join(lines)


def _journal_row(row: Data, clock: Clock, width: int) -> list[str]:
    if "order" in row:
        return _order(row, clock, width)
    return _operation(row, clock, width) if "id" in row else _unread(row, width)


def _order(row: Data, clock: Clock, width: int) -> list[str]:
    """Return what an operator ordered, who it was, and why."""
    start = f"  {clock(row['at'])}  {clean(row['order']).ljust(9)}  "
    why = f": {row['why']}" if row["why"] else ""
    return wrap(f"{row['what']}, by {row['by']}{why}", width, start)


def _unread(row: Data, width: int) -> list[str]:
    return wrap(f"cannot be read: {row['unknown']}", width, "  ")


def _operation(row: Data, clock: Clock, width: int) -> list[str]:
    start = f"  {clock(row['at'])}  {row['state'].ljust(9)}  "
    lines = wrap(f"{row['action']} {row['brick']}, by {row['by']}", width, start)
    below = " " * 6
    lines += wrap(f"{row['id']}, attempt {row['attempt']} on {row['executor']}: {_times(row)}",
                  width, below)  # fmt: skip
    reasons = [row["why"], *row["reasons"]]
    lines += [line for text in reasons if text for line in wrap(text, width, below)]
    outcome = row["outcome"]
    if outcome is None:
        return [*lines, *wrap(f"{row['executor']} has written no outcome", width, below)]
    if is_unknown(outcome):
        return [*lines, *wrap(f"its outcome cannot be read: {outcome['unknown']}", width, below)]
    result = f"{row['executor']} says {outcome['state']} at {clock(outcome['at'])}"
    return [*lines, *wrap("; ".join([result, *outcome["reasons"]]), width, below)]


def _times(row: Data) -> str:
    """Say how long it took, or that it is not over."""
    applied = row["applied_at"]
    parts = [f"seen applied after {duration(applied - row['at'])}"] if applied is not None else []
    is_over = row["state"] in ("done", "refused", "failed", "lost", "closed")
    took = duration((row["changed"] or row["at"]) - row["at"])
    return ", ".join([*parts, f"ended after {took}" if is_over else "not over"])


# --- proposals -----------------------------------------------------------------------------------


def render_proposals(data: Data, clock: Clock = utc_clock, width: int = SCREEN) -> str:
    """Return what waits for a yes, what speaks against it now, and what to type."""
    rows = data["proposals"]
    lines = [f"{clean(data['pool'])}   {count(len(rows), 'proposal')}"]
    for row in rows:
        if "id" not in row:
            lines += ["", *_unread(row, width)]
            continue
        lines += ["", *wrap(f"{row['action']} {row['brick']}", width, f"  {row['id']}  ")]
        lines += wrap(f"{row['state']} since {clock(row['changed'])}{_given(row)}", width, " " * 6)
        if len(row.get("starts", ())) > 1:
            lines += wrap(f"it starts {', '.join(row['starts'])}", width, " " * 6)
        lines += _not_yet(row["not_yet"], width)
        if row["state"] == "waiting":
            for verb in ("approve", "reject"):
                lines += command(f"salt-run gluster_remediation.{verb} {row['id']}", width, " " * 6)
    return "\n".join(lines)


def _given(row: Data) -> str:
    """Say who approved it."""
    by = (row.get("evidence") or {}).get("approved_by")
    return f" by {by}" if by and row["state"] == "approved" else ""


def _not_yet(reasons: Iterable[Data], width: int) -> list[str]:
    """Return what speaks against it now."""
    pairs = [(f"not yet: {r['name']}", str(r["why"])) for r in reasons]
    return labelled(pairs, width, " " * 6)


# --- the line of the status ----------------------------------------------------------------------


def automation_lines(data: Data, width: int = SCREEN) -> list[str]:
    """Return the lines of ``AUTOMATION`` for the status screen."""
    if is_unknown(data):
        return wrap(f"unknown: {data['unknown']}", width, "AUTOMATION  ", " " * 12)
    lines = wrap(f"{_leads(data)}. {_may(data)}", width, "AUTOMATION  ", " " * 12)
    for row in data.get("trouble", ())[:MOST_NOTICES]:
        lines += wrap(row["why"], width, "  NOTICE  ", " " * 10)
        lines += [line for way in row["ways"][:1] for line in command(way, width, " " * 10)]
    if len(data.get("trouble", ())) > MOST_NOTICES:
        lines.append(f"  and {len(data['trouble']) - MOST_NOTICES} more, all in --out json")
    for row in data["operations"]:
        lines += wrap(f"{row['state']}, {row['brick']}: {row['why'] or 'just begun'}", width,
                      f"  {row['id']}  ")  # fmt: skip
    for row in data["proposals"]:
        if "id" not in row:
            lines += wrap(f"a proposal cannot be read: {row['unknown']}", width, "  ")
            continue
        lines += wrap(f"{row['action']} {row['brick']}: {row['state']}", width, f"  {row['id']}  ")
        if row["state"] == "waiting":
            lines += command(f"salt-run gluster_remediation.approve {row['id']}", width, "    ")
    return lines


def _leads(data: Data) -> str:
    """Name the leader and the age of its last news, which are written when something changes."""
    if data["leader"] is None:
        before = f" ({data['told_by']} did)" if data["told_by"] else ""
        return f"nobody leads{before}: nothing is watched"
    if data["told_at"] is None:
        return f"{data['leader']} leads and has told nothing yet"
    return f"{data['leader']} leads, last news {duration(data['now'] - data['told_at'])} ago"


def _may(data: Data) -> str:
    if data["restart_brick"] is None:
        return "Gives notices only: no declaration is accepted (state gluster.cluster)"
    may = _MAY[data["restart_brick"]]
    mode = data["mode"]
    if data["leader"] is None or mode in (None, "open"):
        return may
    return f"{may}, but nothing now: {mode}, {data['why']}"


# --- one node explained --------------------------------------------------------------------------


def render_explained(data: Data, clock: Clock = utc_clock, width: int = SCREEN) -> str:
    """Return the evidence, the table's row with its why, and every guard's answer."""
    told_at = data["told_at"]
    age = "" if told_at is None else f", as told {duration(data['now'] - told_at)} ago"
    rows = [
        ("VERDICT", _condition(data["verdict"], clock)),
        *_evidence(data["verdict"]),
        ("CONSUL", _catalog(data["catalog"])),
        ("", f"gluster uuid {data['uuid']}"),
        *_checks(data["checks"]),
        *[("BRICK", f"{b['path']}: {_condition(b, clock)}") for b in data["bricks"]],
    ]
    lines = [*wrap(f"{data['node']}   pool {data['pool']}{age}", width), "", *_block(rows, width)]
    for refused in data["refused"]:
        lines += ["", *_guards(refused, width)]
    end = [
        *[("OPEN", f"{o['id']}, {o['brick']}: {o['state']}, {o['why']}")
          for o in data["operations"]],
        ("HOLD", _hold(data["hold"], clock)),
        ("MAINTENANCE", _hold(data["maintenance"], clock)),
        ("LEADER", _leader(data)),
    ]  # fmt: skip
    return "\n".join([*lines, "", *labelled(end, width)])


def _block(rows: Iterable[tuple[str, str]], width: int) -> list[str]:
    """Return labelled rows; a label that repeats is shown once."""
    shown, before = [], ""
    for label, text in rows:
        shown.append(("" if label == before else label, text))
        before = label or before
    return labelled(shown, width)


def _condition(row: Data, clock: Clock) -> str:
    if is_unknown(row):
        return f"unknown: {row['unknown']}"
    since = "" if row["since"] is None else f" since {clock(row['since'])}"
    which = "" if row["row"] == "-" else f" (row {row['row']})"  # "-": nothing happens there
    return f"{row['state']}{since}{which}: {row['why']}"


def _evidence(verdict: Data) -> list[tuple[str, str]]:
    seen = verdict.get("witnesses", ())
    return [("EVIDENCE", f"{w['source']}: {_SIGNALS.get(w['says'], w['says'])}") for w in seen]


def _catalog(row: Data) -> str:
    if is_unknown(row):
        return f"unknown: {row['unknown']}; it left, was erased, or never registered"
    zone = f", zone {row['zone']}" if row["zone"] else ""
    return f"node {row['node']}, minion {row['minion']}, {row['address']}{zone}"


def _checks(rows: Any) -> list[tuple[str, str]]:
    if is_unknown(rows):
        return []
    if not rows:
        return [("CHECKS", "all pass")]
    return [("CHECKS", f"{r['check']} {r['status']}: {r['says'] or 'no word'}") for r in rows]


def _guards(refused: Data, width: int) -> list[str]:
    """Return every guard's answer: what speaks against it first, with the ways out."""
    ways = {r["name"]: r.get("ways", ()) for r in refused["reasons"]}
    answers = refused["guards"] or [
        {"name": r["name"], "yes": False, "why": r["why"]} for r in refused["reasons"]
    ]
    no = [g for g in answers if not g["yes"]]
    lines = wrap(f"GUARDS of {refused['brick']}: {len(no)} of {len(answers)} say no", width)
    for guard in no:
        lines += labelled([(f"no   {guard['name']}", str(guard["why"]))], width)
        lines += [line for way in ways.get(guard["name"], ()) for line in
                  command(str(way), width, " " * 9)]  # fmt: skip
    yes = [g["name"] for g in answers if g["yes"]]
    return [*lines, *(wrap(some(yes, 50), width, "  yes  ") if yes else [])]


def _hold(hold: Any, clock: Clock) -> str:
    if is_unknown(hold):
        return f"unknown, counts as set: {hold['unknown']}"
    if hold is None:
        return "none"
    by = f" by {hold['by']}" if hold.get("by") else ""
    end = f" until {clock(hold['until'])}" if hold.get("until") else ""
    return f"SET{by}{end}: {hold.get('reason', '')}"


def _leader(data: Data) -> str:
    if data["leader"] is None:
        last = f"; what {data['told_by']} told last is above" if data["told_by"] else ""
        return f"nobody leads: nothing is watched and nothing will be done{last}"
    if data["told_at"] is None:
        return f"{data['leader']} leads and has told nothing yet"
    return f"{data['leader']} leads, mode {data['mode']}: {data['why']}; policy {data['policy']}"
