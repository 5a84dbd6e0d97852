"""Evaluate a plan, apply it, or carry out one step once.

There is no other executor. What it touches is handed in as a ``Driver``: the real one is
``GlusterDriver``, a test brings a simulated pool with a virtual clock.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import replace

from salt_gluster.errors import GlusterError, OutcomeUnknown
from salt_gluster.minion.driver import Driver
from salt_gluster.minion.goal import Goal
from salt_gluster.minion.run import WAIT_S, Run
from salt_gluster.model import Facet, Plan, merge_changes
from salt_gluster.plan import guards
from salt_gluster.plan.outcome import Planner, Result, View

log = logging.getLogger(__name__)


def evaluate(
    planner: Planner, driver: Driver, hosts: Collection[str] = (), *, fresh: bool = False
) -> View:
    """Observe, plan, observe what the plan needs to be sure, check the guards. Changes nothing."""
    asked: frozenset[Facet] = frozenset()
    obs = driver.observe(asked, fresh=fresh)
    while True:
        plan = planner(obs)
        shown_by = {wait.shown_by for wait in plan.waits if wait.shown_by is not None}
        wanted = plan.needs | guards.facets(plan.steps) | shown_by
        if wanted <= asked:
            break
        obs = driver.observe_more(obs, wanted - asked)
        asked |= wanted
    results = guards.check(obs, plan.steps, hosts)
    refused = tuple(r.refusal for r in results if r.refusal is not None)
    return View(obs, replace(plan, refusals=plan.refusals + refused), results)


def dry_run(
    planner: Planner, driver: Driver, hosts: Collection[str] = (), *, accept: Collection[str] = ()
) -> Result:
    """Return what a run would do now, with the refusals that are accepted: test mode."""
    view = evaluate(planner, driver, hosts)
    return Result(view.plan, view.plan, view.guards, refused=_is_refused(view.plan, accept))


def _is_refused(plan: Plan, accept: Collection[str]) -> bool:
    return any(r.final or r.name not in accept for r in plan.refusals)


def converge(
    planner: Planner,
    driver: Driver,
    hosts: Collection[str] = (),
    *,
    accept: Collection[str] = (),
    wait_s: float = WAIT_S,
    expect_id: str = "",
    addressed: bool = False,
) -> Result:
    """Bring the pool to where ``planner`` has nothing left to do, or say why not.

    ``accept`` and ``expect_id`` are those of ``Goal``, the others those of ``converge_all``.
    """
    goal = Goal(planner, frozenset(accept), expect_id)
    converge_all([goal], driver, hosts, wait_s=wait_s, addressed=addressed)
    return goal.out


def converge_all(
    goals: Sequence[Goal],
    driver: Driver,
    hosts: Collection[str] = (),
    *,
    wait_s: float = WAIT_S,
    addressed: bool = False,
    acts_for_all: bool = False,
) -> bool:
    """Bring all goals about in one run; each then has its ``out``.

    ``hosts`` are the declared host names. A run ends when nothing has moved for ``wait_s`` seconds.
    With ``addressed`` an operator has chosen this node: it acts at once. Returns whether this node
    has taken over from others that did not act; ``acts_for_all`` says that it had before.
    """
    run = Run(goals, driver, hosts, wait_s=wait_s, addressed=addressed)
    run.acts_for_all |= acts_for_all
    run.first_look()
    if any(not goal.is_over for goal in goals):
        with driver.node_lock():
            run.run()
    return run.acts_for_all


def run_once(
    planner: Planner, driver: Driver, hosts: Collection[str] = (), *, accept: Collection[str] = ()
) -> Result:
    """Carry out the one step of a plan once: for what no observation shows, such as a rotated log.

    The guards are checked as ever, ``accept`` is as in ``Goal``. There is nothing to read back, so
    nothing is repeated, and ``Plan.changes`` is what gluster said it did.
    """
    view = evaluate(planner, driver, hosts)
    if view.plan.is_empty:
        return Result(view.plan, view.plan)
    with driver.node_lock():
        view = evaluate(planner, driver, hosts, fresh=True)
        refused = _is_refused(view.plan, accept)
        out = Result(view.plan, view.plan, view.guards, refused=refused)
        if out.refused or not view.plan.steps:
            return out
        (step,) = view.plan.steps
        log.info("gluster %s: %s", step.subject, step.text)
        try:
            driver.execute(step)
        except GlusterError as err:
            out.error = err
            if isinstance(err, OutcomeUnknown):
                out.unknown_step, out.unknown_at = step, driver.now()
            return out
        out.done.append(step)
        merge_changes(out.changes, view.plan.changes)
        out.plan = replace(view.plan, steps=(), refusals=(), changes={})
        return out
