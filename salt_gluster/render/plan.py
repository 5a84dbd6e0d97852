"""Render a plan, its refusals and an impact as text, and as plain data.

The same lines stand in a state's comment (``state_return.py``) and on the screen of a runner.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from salt_gluster.model import Hazard, Plan, Refusal, count, natural_key, plain, some
from salt_gluster.plan import drift
from salt_gluster.plan.guards import GUARDS, GuardResult
from salt_gluster.render.text import SCREEN, clean, labelled, ways, wrap

if TYPE_CHECKING:
    from salt_gluster.status.impact import VolumeHealth

#: What may be accepted for one plan: a guard's refusal, or a hazard. Drift and a
#: declaration that does not fit are no such thing: there is nothing to carry out.
ACCEPTABLE = frozenset(GUARDS) | {drift.REFUSAL} | {h.value for h in Hazard if h is not Hazard.NONE}


def plan_data(plan: Plan, results: Sequence[GuardResult] = ()) -> dict[str, Any]:
    """Return the plan and the results of the guards as plain data.

    ``accept`` names what an operator has to accept to have it carried out; empty where nothing
    refuses, or where one of the refusals cannot be accepted.
    """
    names = list(dict.fromkeys(r.name for r in plan.refusals))
    may = bool(plan.steps) and set(names) <= ACCEPTABLE and not any(r.final for r in plan.refusals)
    data: dict[str, Any] = {
        "id": plan.id,
        "subject": plan.subject,
        "steps": [plain(s) for s in plan.steps],
        "waits": [
            {"node": w.node, "what": w.what, "why": w.why, "ways": list(w.ways)} for w in plan.waits
        ],
        "refusals": [plain(r) for r in _in_order(plan, results)],
        "yes": [
            {"guard": a.guard, "note": a.note, "unknown": a.unknown}
            for a in results
            if a.refusal is None
        ],
        "notes": list(plan.notes),
        "changes": plain(plan.changes),
        "accept": names if may else [],
    }
    return data


def _in_order(plan: Plan, results: Sequence[GuardResult]) -> list[Refusal]:
    """Return every reason once: two guards may give the same one (majority, pool_whole)."""
    refusals = [*plan.refusals, *(a.refusal for a in results if a.refusal is not None)]
    return list({(r.name, r.why): r for r in refusals}.values())


def render_plan(data: Mapping[str, Any], width: int = SCREEN) -> str:
    """Return what is to be done, what is waited for and what forbids it, from ``plan_data``."""
    lines: list[str] = []
    steps = count(len(data["steps"]), "step")
    if data["refusals"]:
        lines += wrap(f"{data['subject']}: REFUSED (plan {data['id']}, {steps}).", width)
    elif data["steps"]:
        lines += wrap(f"{data['subject']}: {steps} to do (plan {data['id']}).", width)
    elif data["waits"]:
        lines += wrap(f"{data['subject']}: nothing to do here yet.", width)
    else:
        lines += wrap(f"{data['subject']}: nothing to do.", width)
    if data["steps"]:
        lines += ["", *step_lines(data["steps"], width)]
    if data["refusals"]:
        lines += ["", *refusal_lines(data, width)]
    lines += wait_lines(data["waits"], width)
    lines += note_lines(data["notes"], width)
    return "\n".join(lines)


def step_lines(
    steps: Sequence[Mapping[str, Any]], width: int, verb: str = "", begin: int = 1
) -> list[str]:
    """Return the steps, numbered; ``verb`` stands before each, such as ``would``."""
    lines: list[str] = []
    digits = len(str(begin + len(steps) - 1))
    for number, step in enumerate(steps, begin):
        text = f"{verb} {step['text']}" if verb else step["text"]
        lines += wrap(text, width, f"{number:>{digits}} ", " " * (digits + 3))
        if step.get("hazard", "none") != "none":
            words = step["hazard"].replace("_", " ")
            lines += wrap(f"{words}: {step['hazard_why']}", width, " " * (digits + 3))
    return lines


def refusal_lines(data: Mapping[str, Any], width: int, again: str = "") -> list[str]:
    """Return every guard's result and what an operator can do.

    ``again`` is the command that orders the same once more; "" = it is a plan of the declaration.
    """
    lines = reason_lines(data, width)
    yes = [(a["guard"], _yes(a)) for a in data["yes"]]
    lines += labelled(yes, width, "")
    out = ways_out(data) + acceptance(data, again)
    return [*lines, "", "Do one of:", *ways(out, width)] if out else lines


def reason_lines(data: Mapping[str, Any], width: int) -> list[str]:
    """Return what speaks against the plan."""
    return [line for refusal in data["refusals"] for line in _reason(refusal, width)]


def ways_out(data: Mapping[str, Any]) -> list[str]:
    """Return what an operator can do, but for accepting the refusals."""
    return [way for refusal in data["refusals"] for way in refusal["ways"]]


def acceptance(data: Mapping[str, Any], again: str = "") -> list[str]:
    """Return the way to accept the refusals, [] = they cannot be accepted."""
    if not data["accept"]:
        return []
    command = again or f"salt-run gluster_operation.apply {data['id']}"
    return [f"do it anyway   {command} accept={','.join(data['accept'])} reason='...'"]


def _yes(answer: Mapping[str, Any]) -> str:
    """Return the answer of a guard that has nothing against it; not seen is not yes."""
    if answer.get("unknown"):
        return f"not known ({answer['unknown']})"
    return f"yes ({answer['note']})" if answer["note"] else "yes"


def _reason(refusal: Mapping[str, Any], width: int) -> list[str]:
    """Return the name with the first sentence beside it and the others indented below."""
    why = clean(refusal["why"])
    head = f"{refusal['name']}   "
    at = why.find(". ")
    if at >= 0 and len(head) + at + 1 <= width:
        return [head + why[: at + 1], *wrap(why[at + 2 :], width, " " * 4)]
    return wrap(why, width, head, " " * 4)


def wait_lines(waits: Sequence[Mapping[str, Any]], width: int) -> list[str]:
    """Return what another node, or time, has to do first; what several nodes owe stands once."""
    owed: dict[tuple[str, str], list[str]] = {}
    for wait in waits:
        owed.setdefault((wait["what"], wait["why"]), []).append(wait["node"])
    lines: list[str] = []
    for (what, why), nodes in owed.items():
        names = sorted({n for n in nodes if n}, key=natural_key)
        text = f"{some(names)} {_plural(what) if len(names) > 1 else what}".strip()
        text = f"{text} ({why})" if why else text
        lines += wrap(f"waiting: {text}", width, "", "  ")
    return lines


def _plural(what: str) -> str:
    verb, _, rest = what.partition(" ")
    return {"has": "have", "is": "are"}.get(verb, verb) + " " + rest


def note_lines(notes: Collection[str], width: int) -> list[str]:
    """Return what an operator should know though nothing is to be done about it."""
    return [line for note in notes for line in wrap(f"note: {note}", width, "", "  ")]


# --- impact --------------------------------------------------------------------------------------


def impact_data(healths: Sequence[VolumeHealth]) -> dict[str, Any]:
    """Return what each volume would be, and each of its sets, as plain data."""
    return {
        h.volume: {"word": plain(h.word), "why": plain(h.why), "sets": [plain(s) for s in h.sets]}
        for h in sorted(healths, key=lambda h: natural_key(h.volume))
    }


def render_impact(healths: Sequence[VolumeHealth], lost: str = "", width: int = SCREEN) -> str:
    """Return what happens to each volume when ``lost`` (in words) goes.

    At most 12 volumes are shown whole; of more only those that are not ok, and a count.
    """
    data = impact_data(healths)
    lines = wrap(f"After the loss of {lost}:" if lost else "As it is now:", width)
    if not data:
        return "\n".join([*lines, "  there is no volume"])
    hit = {name: v for name, v in data.items() if v["word"] != "ok"}
    shown = data if len(data) <= 12 else hit
    rows = []
    for name, volume in shown.items():
        why = f": {volume['why']}" if volume["why"] else ""
        rows.append((name, f"{volume['word'].replace('_', ' ')}{why}"))
    lines += labelled(rows, width)
    fine = len(data) - len(shown)
    if fine:
        lines.append(f"  {count(fine, 'volume')} of {len(data)} ok")
    elif not hit:
        lines.append("  every volume goes on and keeps all its copies")
    return "\n".join(lines)
