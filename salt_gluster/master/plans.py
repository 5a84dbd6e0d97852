"""Plans and impact of a pool, asked from its minions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from salt_gluster.errors import NotFound, SpecError
from salt_gluster.master.minions import Ask, _answers, _nobody, first, reports
from salt_gluster.render import impact_data, render_impact, render_plan
from salt_gluster.status import pool


def impact(
    ask: Ask, target: str, nodes: Sequence[str], bricks: Sequence[str], *, as_data: bool = False
) -> Any:
    """Return what a loss would do: in words, or as data."""
    losses = pool.impact_of(reports(ask, target), nodes, bricks)
    return impact_data(losses) if as_data else render_impact(losses, ", ".join([*nodes, *bricks]))


def plans(ask: Ask, target: str, *, as_data: bool = False) -> Any:
    """Return the plans of one member that answers; of several the one that sees most."""
    answers = {
        m: p for m, p in _answers(ask, target, "gluster.plan").items() if isinstance(p, list)
    }
    if not answers:
        raise _nobody(target)
    data = max((answers[m] for m in sorted(answers)), key=len)
    text = "\n\n".join(render_plan(plan) for plan in data)
    return data if as_data else text or "All is as declared."


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
            return ask([minion], "gluster.apply_plan", *arguments).get(minion)
    ids = sorted({plan["id"] for plans in mine.values() for plan in plans})
    raise NotFound(
        f"no member has the plan {plan_id} now; the pool or the pillar has changed.",
        kind="no_such_plan",
        hint=f"The plans are: {', '.join(ids) or 'none, all is as declared'}. What an order would"
        " do is accepted with that order: accept= and reason= there.",
    )
