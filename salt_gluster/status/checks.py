"""A node's report as the states of its checks in Consul: hints, no verdicts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from salt_gluster.model import NodeFacts, Unknown
from salt_gluster.status.facts import facts_from

#: A brick with less free than this part of its size is told.
LITTLE, VERY_LITTLE = 0.10, 0.05


Sign = tuple[str, str]


def signs(report: Mapping[str, Any]) -> dict[str, Sign]:
    """Return state and words of the checks ``bricks``, ``heal`` and ``space``: hints, no verdicts.

    What is not known is a warning: it asks for a look, and is nothing to be alarmed by.
    """
    bricks = _bricks_sign(facts_from(report), str(report.get("uuid", "")))
    rows = report.get("bricks")
    if not isinstance(rows, Mapping) or isinstance(rows.get("unknown"), str):
        why = rows["unknown"] if isinstance(rows, Mapping) else "the report has no bricks"
        unseen = ("warning", f"not known: {why}")
        return {"bricks": bricks, "heal": unseen, "space": unseen}
    heal_rows = [row for volume in rows.values() for row in volume]
    return {"bricks": bricks, "heal": _heal_sign(heal_rows), "space": _space_sign(heal_rows)}


def _bricks_sign(facts: NodeFacts | Unknown, uuid: str) -> Sign:
    if isinstance(facts, Unknown):
        return "warning", facts.why
    idle = _idle(facts, uuid)
    wanted = {p: b for p, b in facts.bricks.items() if p not in idle}
    dead = sorted(p for p, b in wanted.items() if b.alive is False)
    if dead:
        return "critical", f"no process: {', '.join(dead)}"
    if facts.glusterd_started is None or facts.glusterd_answers is False:
        return "critical", "glusterd does not answer"  # a warning would wake nobody
    unsure = sorted(
        p for p, b in wanted.items()
        if isinstance(b.alive, Unknown) or not isinstance(b.port, int)
    )  # fmt: skip
    if unsure:
        return "warning", f"no port: {', '.join(unsure)}"
    if facts.glusterd_answers is not True:
        return "warning", "whether glusterd answers is not known"
    count = len(wanted)
    many = f"{count} bricks serve" if count else "no brick has to serve"
    return "passing", "1 brick serves" if count == 1 else many


def _idle(facts: NodeFacts, uuid: str) -> set[str]:
    """Return the bricks of volumes that are not started: they need not serve."""
    volumes = {} if isinstance(facts.volumes, Unknown) else facts.volumes
    stopped = (v for v in volumes.values() if not v.is_started)
    return {b.path for v in stopped for b in v.bricks if b.host_uuid == uuid}


def _heal_sign(rows: list[Mapping[str, Any]]) -> Sign:
    left = {row["name"]: row["pending"] for row in rows}
    unknown = sorted(n for n, p in left.items() if not isinstance(p, int))
    pending = {n: p for n, p in left.items() if isinstance(p, int) and p}
    if pending:
        return "warning", "; ".join(f"{n}: {p} to heal" for n, p in sorted(pending.items()))
    if unknown:
        return "warning", f"not known: {', '.join(unknown)}"
    return "passing", "nothing to heal"


def _space_sign(rows: list[Mapping[str, Any]]) -> Sign:
    free: dict[str, float] = {}
    for row in rows:
        if isinstance(row["total"], int) and isinstance(row["free"], int) and row["total"]:
            free[row["name"]] = row["free"] / row["total"]
    words = "; ".join(f"{n}: {part:.0%} free" for n, part in sorted(free.items()) if part < LITTLE)
    if free and not words:  # no numbers: a text that moves by itself is a write in Consul
        words = f"{LITTLE:.0%} or more free: {', '.join(sorted(free))}"
    least = min(free.values(), default=1.0)
    state = "critical" if least < VERY_LITTLE else "warning" if least < LITTLE else "passing"
    return state, words
