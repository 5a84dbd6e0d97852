"""Say in a few words why a declared volume is not made, from a plan or from how a run ended."""

from __future__ import annotations

from textwrap import shorten

from salt_gluster.model import Plan
from salt_gluster.plan.outcome import Result

#: A report carries this for each volume, and a screen has it in brackets.
_LONGEST = 200
#: Nothing speaks against it here, or nothing was tried.
NOTHING = {"says": "", "why": ""}


def said_by_plan(plan: Plan) -> dict[str, str]:
    """Return what a plan says against its subject: ``says`` is ``refuses``, ``waits`` or ""."""
    if plan.refusals:
        return _row("refuses", "; ".join(dict.fromkeys(r.why for r in plan.refusals)))
    if plan.waits:
        waits = (f"{w.node} {w.what}".strip() + (f": {w.why}" if w.why else "") for w in plan.waits)
        return _row("waits", "; ".join(dict.fromkeys(waits)))
    return NOTHING


def said_by_run(bricks: Result | None, volume: Result | None) -> dict[str, str]:
    """Return why the last run of a node has not made a volume, its own bricks first.

    ``about`` is ``bricks`` where those were in the way: whether they still are can be looked at.
    """
    for about, result in (("bricks", bricks), ("volume", volume)):
        row = _said(result) if result is not None else NOTHING
        if row["says"]:
            return {**row, "about": about}
    return {**NOTHING, "about": ""}


def _said(result: Result) -> dict[str, str]:
    if result.error is not None:
        return _row("failed", result.error.message)
    if result.plan.refusals or result.plan.waits:
        return said_by_plan(result.plan)
    if result.plan.steps:
        return _row("stopped", f"left is: {result.plan.steps[0].text}")
    return NOTHING


def _row(says: str, why: str) -> dict[str, str]:
    return {"says": says, "why": shorten(why, _LONGEST, placeholder=" …")}
