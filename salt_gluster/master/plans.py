"""Plans and impact of a pool, asked from its minions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from salt_gluster.errors import NotFound, SpecError
from salt_gluster.master.minions import Ask, _answers, _nobody, first, reports
from salt_gluster.model import Unknown, natural_key, some
from salt_gluster.render import impact_data, printed, render_impact, render_plan, with_code
from salt_gluster.status import pool
from salt_gluster.status.report import usable
from salt_gluster.status.report_document import report_from


def impact(
    ask: Ask, target: str, nodes: Sequence[str], bricks: Sequence[str], *, as_data: bool = False
) -> Any:
    """Return what a loss would do: in words, or as data."""
    losses = pool.impact_of(reports(ask, target), nodes, bricks)
    return impact_data(losses) if as_data else render_impact(losses, ", ".join([*nodes, *bricks]))


def plans(ask: Ask, target: str, *, as_data: bool = False) -> Any:
    """Return the plans of a member of the pool that most are in; of several the longest.

    A node that is no member yet sees an empty pool, and would make what is there.
    """
    answers = {
        m: p for m, p in _answers(ask, target, "gluster.plan").items() if isinstance(p, list)
    }
    if not answers:
        raise _nobody(target)
    inside = _members(ask, target) if any(answers.values()) else set()
    mine = {m: p for m, p in answers.items() if m in inside} or answers
    data = max((mine[m] for m in sorted(mine)), key=len)
    if as_data:
        return data
    texts = [render_plan(plan) for plan in data] or ["All is as declared."]
    alone = sorted((m for m, p in answers.items() if m not in mine and p), key=natural_key)
    if alone:
        word = "is" if len(alone) == 1 else "are"
        other = f"and would do something else: salt {alone[0]} gluster.plan"
        texts.append(f"As the pool sees it. {some(alone)} {word} in no pool with it, {other}")
    return printed("\n\n".join(texts), 1 if any(plan.get("refusals") for plan in data) else 0)


def _carried_out(answer: Any) -> Any:
    """Return a member's answer; of one that failed, or that is no answer, with an exit code."""
    if isinstance(answer, Mapping) and answer.get("result") is not False:
        return answer
    told = answer if isinstance(answer, Mapping) else {"error": str(answer or "it did not answer.")}
    return with_code(told, 1)


def _members(ask: Ask, target: str) -> set[str]:
    """Return the minions that are in the pool that most of them are in, by their reports."""
    told = {m: report_from(a) for m, a in _answers(ask, target, "gluster.report").items()}
    uuids, pools = dict[str, str](), list[frozenset[str]]()
    for minion, report in told.items():
        if isinstance(report, Unknown) or not usable(report):
            continue
        uuids[minion] = str(report["uuid"])
        pools.append(frozenset(str(p["uuid"]) for p in report["peers"]))
    if not pools:
        return set()
    most = max(pools, key=lambda pool: (sum(u in pool for u in uuids.values()), sorted(pool)))
    return {minion for minion, uuid in uuids.items() if uuid in most}


def explain(ask: Ask, target: str, volume: str | None) -> Any:
    """Return why each brick of a declared volume lies where it does."""
    if not volume:
        raise SpecError("volume", "it, or node=, says what is to be explained.",
                        hint="Such as volume=data, or node=g3.")  # fmt: skip
    return first(ask, target, "gluster.explain", str(volume))


def apply_plan(
    ask: Ask, target: str, plan_id: str, accept: str, reason: str,
    note: Callable[[], None] = lambda: None,
) -> Any:  # fmt: skip
    """Find a member that has this plan and let it carry it out.

    ``note`` writes down that something is accepted, before it is done.
    """
    if accept and not reason:
        raise SpecError("reason", "accepting a refusal needs a reason.", hint="Add reason='…'.")
    answers = _answers(ask, target, "gluster.plan")
    mine = {m: p for m, p in answers.items() if isinstance(p, list)}
    for minion in sorted(mine):
        if any(plan.get("id") == str(plan_id) for plan in mine[minion]):
            if accept:
                note()
            arguments = (str(plan_id), accept, reason)
            return _carried_out(ask([minion], "gluster.apply_plan", *arguments).get(minion))
    ids = sorted({plan["id"] for plans in mine.values() for plan in plans})
    raise NotFound(
        f"no member has the plan {plan_id} now; the pool or the pillar has changed.",
        kind="no_such_plan",
        hint=f"The plans are: {', '.join(ids) or 'none, all is as declared'}. What an order would"
        " do is accepted with that order: accept= and reason= there.",
    )
