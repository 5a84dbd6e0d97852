"""Run one change that was ordered with ``salt …``, by the guards and executor of the states.

It returns ``changes`` and ``comment``, in test mode those of the run. What was refused, or waits
for another node, raises: a caller has to know that it was not done.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from salt_gluster.errors import GlusterError
from salt_gluster.gluster.commands import command
from salt_gluster.minion import apply
from salt_gluster.minion.context import Minion
from salt_gluster.minion.converge import order
from salt_gluster.minion.order import Order
from salt_gluster.model import Plan, Subject, is_known
from salt_gluster.plan import adhoc
from salt_gluster.plan.actions import ACTIONS
from salt_gluster.plan.outcome import Planner, Result
from salt_gluster.render import as_declared, state_return
from salt_gluster.spec import parse_volume

log = logging.getLogger(__name__)


def run(
    subject: Subject,
    minion: Minion,
    planner: Planner,
    run: Callable[..., Result] | None = None,
) -> dict[str, Any]:
    """Forecast or carry out a plan; return its changes and a comment.

    Raises ``GlusterError`` with the words of a state's comment when it was not all done.
    """
    given = minion.order or Order("")
    outcome = (run or order)(minion, planner, accept=given.accept)
    if given.accept:
        log.warning(
            "order %s, plan %s: accepted %s because %r",
            given.command(minion.name), outcome.first.id, list(given.accept), given.reason,
        )  # fmt: skip
    again = given.command(minion.name) if minion.order else ""
    ret = state_return(subject, outcome, test=minion.test, again=again)
    if ret["result"] is False:
        raise GlusterError(ret["comment"], kind="refused" if outcome.refused else "not_done")
    if outcome.first.is_empty:
        ret["comment"] = _nothing(subject, minion, outcome.first)
    return {"changes": ret["changes"], "comment": ret["comment"]}


def _once(minion: Minion, planner: Planner, *, accept: Iterable[str] = ()) -> Result:
    carry_out = apply.dry_run if minion.test else apply.run_once
    driver = minion.driver(preview=False)
    return carry_out(planner, driver, minion.hosts, accept=frozenset(accept))


def _nothing(subject: Subject, minion: Minion, plan: Plan) -> str:
    volumes = minion.reader.volumes() if subject.kind == "volume" else {}
    volume = volumes.get(subject.name) if is_known(volumes) else None
    state = f": {as_declared(volume)}" if volume else ""
    return "\n".join([f"{subject}: nothing to do{state}", *plan.notes])


def run_once(minion: Minion, action: str, name: str, **arguments: Any) -> dict[str, Any]:
    """Carry out one of ``plan.adhoc.ONCE``."""
    given: dict[str, Any] = {key: value for key, value in arguments.items() if value}
    command(ACTIONS[action].command).words(volume=name, **given)  # before anything is asked
    planner = lambda obs: adhoc.plan_once(action, name, obs, **given)  # noqa: E731
    return run(Subject("volume", name), minion, planner, _once)


def run_on_volume(minion: Minion, name: str, planner: Planner) -> dict[str, Any]:
    parse_volume(name, {})  # the name alone: before anything is asked
    return run(Subject("volume", name), minion, planner)
