"""Run a job on minions and collect what they answer, none of it late.

On Salt 3007 ``LocalClient.cmd`` may see an answer of more than 4 KB only at its time-out, though
the master has it (facts.md#S-10.1). Here the bus is waited on with a time-out of its own, and the
master's job cache is looked into. ``client`` is Salt's ``LocalClient``, handed in; nothing here
imports Salt.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

#: Seconds between two looks into the job cache.
LOOK_S = 0.5
#: Seconds in which a minion says whether it still works on a job, and how often it is asked.
FIND_S, FIND_TRIES = 5.0, 2

IsOver = Callable[[Collection[str], float], bool]
"""Whether to stop waiting: who has answered, and how many seconds have passed."""


def ask(
    client: Any,
    target: str | Sequence[str],
    function: str,
    arguments: Sequence[Any] = (),
    named: Mapping[str, Any] | None = None,
    *,
    silence_s: float,
    limit_s: float = math.inf,
    believes: Callable[[Any], bool] = lambda answer: True,
) -> dict[str, Any]:
    """Return what each minion of a glob, or of a list, answers; who says nothing is left out.

    An answer that is not believed is none: the next one in that name may be the minion's own.

    After ``silence_s`` seconds without an answer the missing ones are asked whether they still work
    on it: they are waited for as long as they say so, ``limit_s`` at most: anybody can say it in
    their name. Raises what ``client`` does where the master does not run.
    """
    ends_at = time.monotonic() + limit_s
    kind = "glob" if isinstance(target, str) else "list"
    job = client.run_job(
        target if kind == "glob" else list(target), function, arg=list(arguments),
        kwarg=dict(named or {}), tgt_type=kind, listen=True,
    )  # fmt: skip
    answers: dict[str, Any] = {}
    while job:
        answers = collect(client, job, _silent_for(silence_s, ends_at), answers, believes)
        missing = sorted(set(job["minions"]) - set(answers))
        if not missing:
            break
        tries = range(FIND_TRIES)
        if not any(_working(client, str(job["jid"]), missing, ends_at) for _ in tries):
            # It may have ended meanwhile.
            return _with_cached(client, str(job["jid"]), answers, believes)
    return answers


def collect(
    client: Any, job: Mapping[str, Any], is_over: IsOver, answers: Mapping[str, Any] | None = None,
    believes: Callable[[Any], bool] = lambda answer: True,
) -> dict[str, Any]:  # fmt: skip
    """Return the answers to a job, those already known too, when all are there or it is over.

    Who was not asked counts for nothing: else answers in ever other names would end no silence.
    """
    found = dict(answers or {})
    tag, jid = f"salt/job/{job['jid']}/ret/", str(job["jid"])
    began = looked_at = time.monotonic()
    while set(job["minions"]) - set(found) and not is_over(found, time.monotonic() - began):
        event = client.event.get_event(wait=LOOK_S, tag=tag, match_type="startswith")
        if event and event.get("id") in job["minions"] and believes(event.get("return")):
            found[event["id"]] = event.get("return")
        elif time.monotonic() - looked_at >= LOOK_S:
            looked_at = time.monotonic()
            found = _with_cached(client, jid, found, believes)
    return found


def _with_cached(
    client: Any, jid: str, answers: Mapping[str, Any], believes: Callable[[Any], bool]
) -> dict[str, Any]:
    """Return the answers and those in the master's job cache."""
    cached = {name: row["ret"] for name, row in client.get_cache_returns(jid).items()}
    return {name: ret for name, ret in cached.items() if believes(ret)} | dict(answers)


def _silent_for(limit_s: float, ends_at: float) -> IsOver:
    """Return the rule that stops when nobody has answered for so many seconds, at last then."""
    count, heard_at_s = 0, 0.0

    def is_over(answered: Collection[str], passed_s: float) -> bool:
        nonlocal count, heard_at_s
        if len(answered) > count:
            count, heard_at_s = len(answered), passed_s
        return passed_s - heard_at_s >= limit_s or time.monotonic() >= ends_at

    return is_over


def _working(client: Any, jid: str, minions: Sequence[str], ends_at: float) -> bool:
    """Return whether any of them says that it has a process for this job."""
    job = client.run_job(
        list(minions), "saltutil.find_job", arg=[jid], tgt_type="list", listen=True
    )
    return bool(job) and any(collect(client, job, _silent_for(FIND_S, ends_at)).values())
