"""What a state returns: Salt's name, result, changes and comment, from a ``plan.outcome.Result``.

True: it is as declared. None: test mode, this would change. False: refused, failed, or another node
has not done its part. ``changes`` is what was seen to change, or in test mode what will be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from salt_gluster.errors import GlusterError, OutcomeUnknown
from salt_gluster.model import Clock, Step, Volume, count, plain, utc_clock
from salt_gluster.plan.actions import shape
from salt_gluster.render.parts import Part
from salt_gluster.render.plan import (
    acceptance,
    note_lines,
    plan_data,
    reason_lines,
    refusal_lines,
    step_lines,
    wait_lines,
    ways_out,
)
from salt_gluster.render.text import COMMENT, labelled, ways, wrap

if TYPE_CHECKING:
    from salt_gluster.plan.outcome import Result

#: So many ways to go on are shown: of 300 nodes each may have one.
_WAYS = 4


def as_declared(volume: Volume) -> str:
    """Return a volume in words for the one line of an empty plan: ``1 x replica 3, started``."""
    return f"{shape(volume)}, {volume.status.lower()}"


@dataclass(frozen=True)
class _Text:
    """The lines of a ``Part``."""

    own: Sequence[str]
    rest: Sequence[str] = ()
    reason: Sequence[str] = ()
    left: Sequence[str] = ()


def state_return(
    name: object, outcome: Result, *, test: bool, told: str = "", again: str = "",
    clock: Clock = utc_clock,
) -> dict[str, Any]:  # fmt: skip
    """Return Salt's dict for one subject, as ``state_part`` does."""
    part = state_part(name, outcome, test=test, told=told, again=again, clock=clock)
    return part.to_state()


def state_part(
    name: object, outcome: Result, *, test: bool, told: str = "", again: str = "",
    clock: Clock = utc_clock,
) -> Part:  # fmt: skip
    """Return the state of a subject after a convergence, or of a forecast when ``test``.

    ``told`` is what the subject is like when nothing is to be done (``as_declared``), ``again`` the
    command of an order, to be given once more with what is accepted.
    """
    data = plan_data(outcome.plan, outcome.guards)
    changes = plain(outcome.changes)
    result: bool | None = True
    if outcome.error is not None:
        result, text = False, _failed(outcome, data, outcome.error, clock)
    elif outcome.refused:
        result, text = False, _refused(outcome, data, again)
    elif test and (data["steps"] or data["waits"]):
        result, changes = None, data["changes"]
        text = _Text(_would(data))
    elif data["waits"]:
        result, text = False, _in_vain(outcome, data)
    elif data["steps"]:
        result, text = False, _Text(_unfinished(outcome, data, clock))
    else:
        text = _Text(_converged(name, outcome, told))
    notes = note_lines(data["notes"], COMMENT)
    rest, left = (*text.rest, *notes), (*text.left, *notes)
    return Part(str(name), result, changes, tuple(text.own), rest, tuple(text.reason), left)


def state_or_error(name: str, act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the dict that ``act`` returns, or that of the error it raises."""
    try:
        return act()
    except GlusterError as err:
        return state_error(name, err)


def state_error(name: object, error: GlusterError, clock: Clock = utc_clock) -> dict[str, Any]:
    """Return Salt's dict for an error before anything was planned."""
    return error_part(name, error, clock).to_state()


def error_part(name: object, error: GlusterError, clock: Clock = utc_clock) -> Part:
    """Return the state of a subject for such an error."""
    done = "half-way: see the changes" if error.changed else "nothing was changed"
    lines = (f"FAILED, {done}.", "", *_error_lines(error, clock))
    return Part(str(name), False, dict(error.changed), lines)


# --- the ends a run can come to ------------------------------------------------------------------


def _converged(name: object, outcome: Result, told: str) -> list[str]:
    end = f": {told}" if told else ""
    own = _steps(outcome.done)
    if outcome.by_others:
        lines = wrap(f"{name} is as declared, done by another node{end}", COMMENT)
    elif own:
        return [
            *wrap(f"{name}: {count(len(own), 'step')} done{end}", COMMENT),
            *step_lines(own, COMMENT),
        ]
    else:
        lines = wrap(f"{name} is as declared{end}", COMMENT)
    if own:
        lines += ["This node did:", *step_lines(own, COMMENT)]
    return lines


def _would(data: dict[str, Any]) -> list[str]:
    steps = data["steps"]
    if not steps:
        return wait_lines(data["waits"], COMMENT)
    head = f"{count(len(steps), 'step')} would be done (plan {data['id']})."
    return [
        *wrap(head, COMMENT),
        "",
        *step_lines(steps, COMMENT, "would"),
        *wait_lines(data["waits"], COMMENT),
    ]


def _refused(outcome: Result, data: dict[str, Any], again: str) -> _Text:
    steps, done = data["steps"], _steps(outcome.done)
    plan = f" (plan {data['id']}, {count(len(steps), 'step')})" if steps else ""
    if not data["refusals"]:
        head = f"REFUSED, nothing was changed: the plan is another one now{plan}."
        return _Text([*wrap(head, COMMENT), "", *step_lines(steps, COMMENT)])
    if not done:
        lines = wrap(f"REFUSED, nothing was changed{plan}.", COMMENT)
    else:
        were = "step was" if len(done) == 1 else "steps were"
        head = f"REFUSED after {len(done)} {were} done. What is left is refused now{plan}; "
        lines = wrap(head + "running it again goes on from there.", COMMENT)
        lines += ["", "Done:", *step_lines(done, COMMENT), "Left:"]
    if steps:
        lines += [*([] if done else [""]), *step_lines(steps, COMMENT, begin=len(done) + 1)]
    reason = [*reason_lines(data, COMMENT), *ways_out(data)]
    left = ways(acceptance(data, again), COMMENT)
    return _Text(lines, ["", *refusal_lines(data, COMMENT, again)], reason, left)


def _in_vain(outcome: Result, data: dict[str, Any]) -> _Text:
    """Return for whom it waited until nothing moved any more, why, and what to do next."""
    steps, done = data["steps"], _steps(outcome.done)
    plan = f" (plan {data['id']}, {count(len(steps), 'step')} left)" if steps else ""
    lines = wrap(f"NOT DONE: another node has to go first{plan}.", COMMENT)
    if done:
        lines += ["", "Done:", *step_lines(done, COMMENT)]
    if steps:
        lines += ["", "Left:", *step_lines(steps, COMMENT, begin=len(done) + 1)]
    rest = ["", *wait_lines(data["waits"], COMMENT)]
    out = list(dict.fromkeys(way for wait in data["waits"] for way in wait["ways"]))
    if out:
        more = [f"and {len(out) - _WAYS} more like these"] if len(out) > _WAYS else []
        rest += ["", "Do this, then run it again:", *ways([*out[:_WAYS], *more], COMMENT)]
    return _Text(lines, rest, rest)


def _unfinished(outcome: Result, data: dict[str, Any], clock: Clock) -> list[str]:
    head = "STOPPED with steps left; running it again goes on from there."
    lines = [*wrap(head, COMMENT), "", *_progress(outcome, data, "left"), ""]
    if outcome.last_answer is None:
        text = (
            "None was refused here: another node was to do it and has not, or time was up before."
        )
        return lines + wrap(text, COMMENT)
    return lines + _last_answer(outcome, clock)


def _last_answer(outcome: Result, clock: Clock) -> list[str]:
    """Return what gluster said to the last step that it refused, unless that is the error."""
    answer = outcome.last_answer
    if answer is None or answer is outcome.error:
        return []
    return ["Gluster's last answer:", *_error_lines(answer, clock)]


def _failed(outcome: Result, data: dict[str, Any], error: GlusterError, clock: Clock) -> _Text:
    unknown = outcome.unknown_step is not None or isinstance(error, OutcomeUnknown)
    word = "unknown" if unknown else "failed"
    total = len(outcome.done) + len(data["steps"])
    if not total:
        head = "FAILED, nothing was changed."
    else:
        after = f"FAILED after {len(outcome.done)} of {count(total, 'step')} (plan {data['id']}); "
        head = after + "running it again goes on from there."
    lines = [*wrap(head, COMMENT), "", *_progress(outcome, data, word)]
    if unknown and data["steps"]:
        step = len(outcome.done) + 1
        text = f"Whether step {step} happened is unknown: the next run looks before it does a step."
        lines += ["", *wrap(text, COMMENT)]
    reason = [*_error_lines(error, clock), *_last_answer(outcome, clock)]
    return _Text(lines, [*([""] if total else []), *reason], reason)


def _progress(outcome: Result, data: dict[str, Any], word: str) -> list[str]:
    """Return each step with what became of it; ``word`` is what became of the first one left."""
    words = ["done"] * len(outcome.done) + [word] + ["left"] * len(data["steps"])
    steps = [*_steps(outcome.done), *data["steps"]]
    rows = [(words[i], f"{i + 1} {step['text']}") for i, step in enumerate(steps)]
    return labelled(rows, COMMENT, "")


def _error_lines(error: GlusterError, clock: Clock) -> list[str]:
    text = error.text if error.text and error.text not in error.message else ""
    lines = wrap(error.message, COMMENT)
    if text:
        lines += wrap(f"{error.speaker} said: {text}", COMMENT, "", "    ")
    if error.hosts:
        lines += wrap(f"Gluster names {', '.join(error.hosts)}.", COMMENT)
    until = error.locked_until if isinstance(error, OutcomeUnknown) else None
    if until is not None and "until about" not in error.hint:
        lines += wrap(f"The pool may stay locked until about {clock(until)}.", COMMENT)
    if error.hint:
        lines += wrap(error.hint, COMMENT)
    return lines


def _steps(steps: Sequence[Step]) -> list[dict[str, Any]]:
    return [plain(step) for step in steps]
