"""Write the pages that are printed from the code: `python tests/support/printed.py`."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from salt_gluster.remediation import authorize, guards, ladder, salt_events
from salt_gluster.remediation.admission import CANDIDATE
from salt_gluster.remediation.fleet_mode import FLEET
from salt_gluster.remediation.health import BRICK, NODE
from salt_gluster.remediation.membership import PRESENCE
from salt_gluster.remediation.operations import LIFE
from salt_gluster.remediation.policy import Policy
from salt_gluster.remediation.state_machine import Table

DOCS = Path(__file__).resolve().parents[2] / "docs"
TABLES: tuple[Table[Any, Any, Any], ...] = (FLEET, NODE, BRICK, LIFE, PRESENCE, CANDIDATE)


def tables() -> str:
    """Return the page of all state machines, guards and settings."""
    lines = [
        "# What automation decides by",
        "",
        "Printed from the code by `python tests/support/printed.py`. A row without a guard always",
        "applies; of several rows for a pair the first whose guard holds.",
    ]
    for table in TABLES:
        lines += ["", f"## {table.name}", "", "| row | in | at | if | does | then | why |"]
        lines += ["|---|---|---|---|---|---|---|"]
        for r in table.rows:
            states = ", ".join(s.value for s in r.states)
            then = r.next.value if r.next else "same"
            cells = (r.id, states, r.event.value, r.guard, r.action, then, r.why)
            lines.append(f"| {' | '.join(cells)} |")
        for i in table.ignored:
            states = ", ".join(s.value for s in i.states)
            at = ", ".join(e.value for e in i.events)
            lines.append(f"| - | {states} | {at} | | ignored | same | {i.why} |")
    lines += ["", "## The ladder", "", "| rung | name | read back | then |", "|---|---|---|---|"]
    lines += [f"| {r.number} | {r.name} | {r.post} | {r.then} |" for r in ladder.RUNGS]
    lines += [
        "",
        "## Guards of rung 1",
        "",
        "| guard | says yes when | asked by |",
        "|---|---|---|",
    ]
    for guard in guards.RESTART_BRICK:
        by = "engine" if guard.__name__ in guards.ENGINE_ONLY else "engine and executor"
        lines.append(f"| {guard.__name__} | {(guard.__doc__ or '').strip()} | {by} |")
    lines += [
        "",
        "## Preconditions of the executor",
        "",
        "| precondition | holds when | else |",
        "|---|---|---|",
    ]
    for word, preconditions in (
        ("ignored", authorize.ADDRESSED),
        ("refused", authorize.PRECONDITIONS),
    ):
        lines += [f"| {f.__name__} | {(f.__doc__ or '').strip()} | {word} |" for f in preconditions]
    lines += ["", "## Settings", "", "| setting | default | unit | why |", "|---|---|---|---|"]
    for f in fields(Policy):
        default = getattr(f.default, "value", f.default)
        lines.append(f"| {f.name} | {default} | {f.metadata['unit']} | {f.metadata['why']} |")
    return "\n".join([*lines, ""])


PAGES = {"events.md": salt_events.printed, "tables.md": tables}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
