"""Ask minions for the runners, and add up what they answer.

How minions are asked is handed in; nothing here imports Salt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from salt_gluster.consul.pool import PoolClient
from salt_gluster.errors import GlusterError
from salt_gluster.model import Unknown
from salt_gluster.status.report import usable
from salt_gluster.status.report_document import report_from

#: Seconds of silence after which minions are asked whether they still work on a job.
SILENCE_S = 15.0

Ask = Callable[..., Mapping[str, Any]]
#: The pool in Consul, why it cannot be reached, or None where nothing says that there is one.
PoolResult = PoolClient | GlusterError | None


def first(ask: Ask, target: str, function: str, *arguments: Any) -> Any:
    """Return the answer of the first minion, by name, that has one."""
    answers = _answers(ask, target, function, *arguments)
    for minion in sorted(answers):
        return answers[minion]
    raise _nobody(target)


def reports(ask: Ask, target: str) -> list[Mapping[str, Any]]:
    """Return what every node that can see a pool tells of itself, asked now."""
    answers = _answers(ask, target, "gluster.report")
    read = [report_from(answers[minion]) for minion in sorted(answers)]
    known = [report for report in read if not isinstance(report, Unknown)]
    if not any(map(usable, known)):
        raise _nobody(target)
    return known


def last_line(text: str) -> str:
    """Return the line of an error that says what it is."""
    return (text.strip().splitlines() or [""])[-1]


def _answers_text(answers: Mapping[str, Any]) -> str:
    """Return what one minion said instead of an answer."""
    for minion, answer in sorted(answers.items()):
        if isinstance(answer, str) and "is not available" not in answer:
            return f"{minion} said: {last_line(answer)}"
    return "See: salt '*' gluster.version; the extension must be on the nodes."


def _answers(ask: Ask, target: str, function: str, *arguments: Any) -> dict[str, Any]:
    """Ask, and leave out minions without Gluster or with an error, which answer with a text."""
    returned = ask(target, function, *arguments)
    answers = {m: a for m, a in returned.items() if not no_answer(a)}
    if not answers:
        raise GlusterError(
            f"no minion of a Gluster pool answered to {target!r}.",
            kind="no_answer",
            hint=_answers_text(returned),
        )
    return answers


def no_answer(answer: Any) -> bool:
    """Whether a minion's answer is none."""
    lacking = ("is not available", "ERROR", "Minion did not return", "The minion function caused")
    return answer is False or (isinstance(answer, str) and any(t in answer for t in lacking))


def _nobody(target: str) -> GlusterError:
    return GlusterError(
        f"minions matched {target!r}, but none of them can see a Gluster pool.",
        kind="no_answer",
        hint="See: salt '*' gluster.status.",
    )
