"""Salt's client on the master of a lab, as a function of a fork: the one file that imports Salt.

No answer is late here. Salt 3007's own client may see one only at its time-out (an answer of more
than 4 KB that nothing follows): this one waits for events with a time-out of its own and looks into
the job cache. Configuration and client are made anew each time: a client breaks at the first
restart of its master.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Collection, Iterator
from typing import Any

import salt.client
import salt.config
import salt.utils.args
from salt.exceptions import SaltException

CONFIG = "/etc/salt/master"
KINDS = {"": "glob", "L": "list", "C": "compound", "E": "pcre", "G": "grain", "I": "pillar"}
LOOK_S = 0.5
#: After some seconds without an answer the minions are asked whether they still work on it, and
#: each is given so long to say so. Who is silent twice is given up.
FOUND_S, MISSES = 15, 2
SILENCE = "Minion did not return. [No response]"
#: A ping that was published before its minion listened is lost: so long is the first waited for.
PING_S, LONGEST_PING_S = 2, 30


def answers() -> None:
    """Run a job and print minion -> answer as JSON: what the arguments say, one JSON document."""
    asked = json.loads(sys.argv[1])
    with _client() as client:
        target = asked["target"].split(",") if asked["by"] == "L" else asked["target"]
        args = salt.utils.args.parse_input(asked["args"], no_parse=[])
        kind = KINDS[asked["by"]]
        job = client.run_job(target, asked["fun"], arg=args, tgt_type=kind, listen=True)
        if not job:
            sys.exit("no minion matches the target, or the master does not answer")
        told = _answers(client, job, asked["quiet_s"])
    print(json.dumps(told, default=repr))


def heard() -> None:
    """Wait until each of the minions named in the arguments has answered a ping.

    Who starts says so on the master's bus, which is listened to before the first ping: it is asked
    then. An answer to any of the pings counts, and each is waited for longer than the last: on a
    machine so busy that all are late, more pings would only make them later.
    """
    missing, pings, wait_s = set(sys.argv[1:]), set[str](), float(PING_S)
    while missing:
        with contextlib.suppress(SaltException, OSError), _client() as client:
            job = client.run_job(
                sorted(missing), "test.ping", tgt_type="list", listen=True, timeout=5
            )
            pings |= {job["jid"]} if job else set()
            missing -= _pinged(client, pings, missing, wait_s, set(job.get("minions", ())))
            wait_s = min(2 * wait_s, LONGEST_PING_S)
        if missing:
            time.sleep(0.1)


def _pinged(
    client: Any, pings: set[str], missing: Collection[str], wait_s: float, asked: Collection[str]
) -> set[str]:
    """Return who has answered one of the pings: all, or those until another one has started."""
    told = {name for ping in pings for name in client.get_cache_returns(ping)}
    end = time.monotonic() + wait_s
    while time.monotonic() < end:
        event = client.event.get_event(wait=0.2, tag="salt/", full=True, match_type="startswith")
        kind, _, rest = (event["tag"] if event else "").removeprefix("salt/").partition("/")
        first, _, last = rest.partition("/")
        if kind == "job" and first in pings and last.startswith("ret/"):
            told.add(last.removeprefix("ret/"))
        elif kind == "minion" and last == "start" and first in set(missing) - told:
            break
        if asked and told >= set(asked):
            break  # all, or the others were not known to the master yet
    return told & set(missing)


@contextlib.contextmanager
def _client() -> Iterator[Any]:
    client = salt.client.LocalClient(mopts=salt.config.client_config(CONFIG))
    try:
        yield client
    finally:
        client.destroy()


def _answers(client: Any, job: dict[str, Any], quiet_s: float) -> dict[str, Any]:
    """Collect until all have answered, or say nothing and do not work on it any more."""
    told: dict[str, Any] = {}
    misses = dict.fromkeys(job["minions"], 0)

    while True:
        _collect(client, job, told, lambda silence_s: silence_s > quiet_s)
        missing = sorted(set(misses) - set(told))
        if not missing:
            return told
        working = _working(client, job["jid"], missing, min(FOUND_S, quiet_s))
        for name in missing:
            misses[name] = 0 if name in working else misses[name] + 1
        if min(misses[name] for name in missing) >= MISSES:
            _collect(client, job, told, lambda _: True)
            return dict.fromkeys(missing, SILENCE) | told


def _working(client: Any, jid: str, minions: list[str], within_s: float) -> set[str]:
    """Return the minions that say within some seconds that they have a process for this job."""
    job = client.run_job(minions, "saltutil.find_job", arg=[jid], tgt_type="list", listen=True)
    told: dict[str, Any] = {}
    began = time.monotonic()
    if job:
        _collect(client, job, told, lambda _: time.monotonic() - began > within_s)
    return {name for name, found in told.items() if found}


def _collect(
    client: Any, job: dict[str, Any], told: dict[str, Any], is_over: Callable[[float], bool]
) -> None:
    """Add the answers of a job until all are there, or until ``is_over(seconds of silence)``."""
    tag = f"salt/job/{job['jid']}/ret/"
    heard_at = looked_at = time.monotonic()
    while set(job["minions"]) - set(told):
        event = client.event.get_event(wait=LOOK_S, tag=tag, match_type="startswith")
        count = len(told)
        if event:
            told[event["id"]] = event.get("return")
        if not event or time.monotonic() - looked_at > LOOK_S:
            looked_at = time.monotonic()
            kept = client.get_cache_returns(job["jid"])
            told.update({name: row["ret"] for name, row in kept.items() if name not in told})
        if len(told) > count:
            heard_at = time.monotonic()
        elif is_over(time.monotonic() - heard_at):
            return
