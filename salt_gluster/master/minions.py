"""What the runners do with the minions: ask them, and add up what they tell.

How minions are asked is handed in; nothing here imports Salt.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from salt_gluster.consul.heartbeat import note_change
from salt_gluster.errors import GlusterError, NotFound, SpecError
from salt_gluster.master.approvals import Desk
from salt_gluster.render import impact_data, render_impact, render_plan
from salt_gluster.status import pool
from salt_gluster.status.report import usable

#: Seconds a minion has for a look; one that is down costs this much.
TIMEOUT_S = 15
#: Seconds a minion has for a change: waiting for its turn, the command, reading back.
CHANGE_TIMEOUT_S = 300

Ask = Callable[..., Mapping[str, Any]]
#: The pool in Consul, why it cannot be reached, or None where nothing says that there is one.
Found = Desk | GlusterError | None


def impact(
    ask: Ask, target: str, nodes: Sequence[str], bricks: Sequence[str], *, as_data: bool = False
) -> Any:
    """Return what a loss would do: in words, or as data."""
    told = pool.impact_of(reports(ask, target), nodes, bricks)
    return impact_data(told) if as_data else render_impact(told, ", ".join([*nodes, *bricks]))


def plans(ask: Ask, target: str, *, as_data: bool = False) -> Any:
    """Return the plans of one member that answers; of several the one that sees most."""
    told = {m: p for m, p in _answers(ask, target, "gluster.plan").items() if isinstance(p, list)}
    if not told:
        raise _nobody(target)
    data = max((told[m] for m in sorted(told)), key=len)
    text = "\n\n".join(render_plan(plan) for plan in data)
    return data if as_data else text or "All is as declared."


def first(ask: Ask, target: str, function: str, *arguments: Any) -> Any:
    """Return the answer of the first minion, by name, that has one."""
    told = _answers(ask, target, function, *arguments)
    for minion in sorted(told):
        return told[minion]
    raise _nobody(target)


def explain(ask: Ask, target: str, volume: str | None) -> Any:
    """Return why each brick of a declared volume lies where it does."""
    if not volume:
        raise SpecError("volume", "it, or node=, says what is to be explained.",
                        hint="Such as volume=data, or node=g3.")  # fmt: skip
    return first(ask, target, "gluster.explain", str(volume))


def hold(ask: Ask, target: str, reason: str, by: str, found: Found = None) -> dict[str, Any]:
    """Hold the pool on every node and in Consul; say where it is written and where not."""
    done, missing = _on_nodes(ask, target, found, "gluster.hold", reason, by)
    set_it = lambda desk: desk.store.set_hold(reason, by, desk.now())  # noqa: E731
    _in_consul(found, set_it, done, missing)
    return _said("held", "not held", done, missing, target)


def release(ask: Ask, target: str, found: Found = None) -> dict[str, Any]:
    """Take the hold off every node and out of Consul; say where it could not be."""
    done, missing = _on_nodes(ask, target, found, "gluster.release")
    _in_consul(found, lambda desk: desk.store.release(), done, missing)
    return _said("free", "perhaps still held", done, missing, target)


def _on_nodes(
    ask: Ask, target: str, found: Found, function: str, *arguments: Any
) -> tuple[list[str], dict[str, str]]:
    """Return the minions that did it, and those that did not with why."""
    told = ask(target, function, *arguments)
    done = [minion for minion in sorted(told) if not is_excuse(told[minion])]
    missing = {
        minion: last_line(answer) for minion, answer in sorted(told.items())
        if minion not in done and isinstance(answer, str) and "is not available" not in answer
    }  # fmt: skip
    for minion in _registered(found) if target == "*" else ():
        if minion not in done:
            missing.setdefault(minion, "it did not answer")
    return done, missing


def _registered(found: Found) -> list[str]:
    """Return the minions that Consul's catalog has: who does not answer is not in Salt's answer."""
    try:
        return [m.minion for m in found.members() if m.minion] if isinstance(found, Desk) else []
    except GlusterError:
        return []


def _in_consul(
    found: Found, do: Callable[[Desk], Any], done: list[str], missing: dict[str, str]
) -> None:
    if found is None:
        return
    try:
        if isinstance(found, GlusterError):
            raise found
        do(found)
        done.append(f"Consul ({found.cluster})")
        with contextlib.suppress(GlusterError):  # the sensors see it within seconds all the same
            note_change(found.client, found.store.keys, "a person", found.now())
    except GlusterError as err:
        missing["Consul"] = str(err)


def _said(
    word: str, other: str, done: list[str], missing: Mapping[str, str], target: str
) -> dict[str, Any]:
    if not done and missing:
        why = "; ".join(f"{where}: {text}" for where, text in missing.items())
        raise GlusterError(f"nothing was done. {why}", kind="no_answer")
    if not done:
        raise _nobody(target)
    return {word: done, **({other: dict(missing), "retcode": 1} if missing else {})}


def apply_plan(ask: Ask, target: str, plan_id: str, accept: str, reason: str) -> Any:
    """Find a member that has this plan and let it carry it out."""
    if accept and not reason:
        raise SpecError("reason", "accepting a refusal needs a reason.", hint="Add reason='…'.")
    told = _answers(ask, target, "gluster.plan")
    mine = {m: p for m, p in told.items() if isinstance(p, list)}
    for minion in sorted(mine):
        if any(plan.get("id") == str(plan_id) for plan in mine[minion]):
            arguments = (str(plan_id), accept, reason)
            return ask([minion], "gluster.apply_plan", *arguments).get(minion)
    ids = sorted({plan["id"] for plans in mine.values() for plan in plans})
    raise NotFound(
        f"no member has the plan {plan_id} now; the pool or the pillar has changed.",
        kind="no_such_plan",
        hint=f"The plans are: {', '.join(ids) or 'none, all is as declared'}.",
    )


def reports(ask: Ask, target: str) -> list[Mapping[str, Any]]:
    """Return what every node that can see a pool tells of itself, asked now."""
    told = _answers(ask, target, "gluster.report")
    if not any(usable(report) for report in told.values()):
        raise _nobody(target)
    return [told[minion] for minion in sorted(told)]


def last_line(text: str) -> str:
    """Return the line of an error that says what it is."""
    return (text.strip().splitlines() or [""])[-1]


def _answers_text(told: Mapping[str, Any]) -> str:
    """Return what one minion said instead of an answer."""
    for minion, answer in sorted(told.items()):
        if isinstance(answer, str) and "is not available" not in answer:
            return f"{minion} said: {last_line(answer)}"
    return "See: salt '*' gluster.version; the extension must be on the nodes."


def _answers(ask: Ask, target: str, function: str, *arguments: Any) -> dict[str, Any]:
    """Ask, and leave out minions without Gluster or with an error, which answer with a text."""
    told = ask(target, function, *arguments)
    answers = {m: a for m, a in told.items() if not is_excuse(a)}
    if not answers:
        raise GlusterError(
            f"no minion of a Gluster pool answered to {target!r}.",
            kind="no_answer",
            hint=_answers_text(told),
        )
    return answers


def is_excuse(answer: Any) -> bool:
    """Whether a minion's answer is none."""
    lacking = ("is not available", "ERROR", "Minion did not return", "The minion function caused")
    return answer is False or (isinstance(answer, str) and any(t in answer for t in lacking))


def _nobody(target: str) -> GlusterError:
    return GlusterError(
        f"minions matched {target!r}, but none of them can see a Gluster pool.",
        kind="no_answer",
        hint="See: salt '*' gluster.status.",
    )
