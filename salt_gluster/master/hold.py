"""Hold a pool, and release it: on every node and in Consul."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from salt_gluster.consul.client import Op, delete_op, set_op
from salt_gluster.consul.codec import pack
from salt_gluster.consul.heartbeat import change_op
from salt_gluster.consul.orders import OperatorOrder, order_op
from salt_gluster.consul.pool import PoolClient
from salt_gluster.consul.store import acknowledgement
from salt_gluster.errors import GlusterError, SpecError
from salt_gluster.master.minions import Ask, PoolResult, _nobody, last_line, no_answer, reports
from salt_gluster.remediation.fleet_mode import NODE_HOLDS

_NO_ANSWER = "it did not answer"
_SILENT = "while it is away it holds nothing; a hold file there counts again once it is back"


def hold(ask: Ask, target: str, reason: str, by: str, pool: PoolResult = None) -> dict[str, Any]:
    """Hold the pool on every node and in Consul; say where it is written and where not."""
    if not reason.strip():
        raise SpecError("reason", "it is empty.", hint="reason='moving the rack'")
    done, missing = _on_nodes(ask, target, pool, "gluster.hold", reason, by)

    def ops(client: PoolClient) -> list[Op]:
        document = {"reason": reason, "by": by, "since": client.now()}
        order = OperatorOrder("hold", f"the pool {client.cluster}", by, client.now(), reason)
        keys = client.store.keys
        return [set_op(keys.hold, pack(document)), order_op(keys, order)]

    _in_consul(pool, ops, done, missing)
    return _result("held", "not held", done, missing, target)


def release(ask: Ask, target: str, by: str, pool: PoolResult = None) -> dict[str, Any]:
    """Take the hold off every node and out of Consul; say where it could not be.

    What nodes have told that are away and cannot answer holds the pool no longer.
    """
    done, missing = _on_nodes(ask, target, pool, "gluster.release")

    def ops(client: PoolClient) -> list[Op]:
        keys = client.store.keys
        seen = pack(acknowledgement(NODE_HOLDS, by))
        order = OperatorOrder("release", f"the pool {client.cluster}", by, client.now())
        return [
            delete_op(keys.hold), set_op(keys.acknowledged(NODE_HOLDS), seen), order_op(keys, order)
        ]  # fmt: skip

    _in_consul(pool, ops, done, missing)
    if isinstance(pool, PoolClient) and "Consul" not in missing:
        silent = {m: f"{why}; {_SILENT}" for m, why in missing.items() if why == _NO_ANSWER}
        missing.update(silent)
    return _result("free", "perhaps still held", done, missing, target)


def _on_nodes(
    ask: Ask, target: str, pool: PoolResult, function: str, *arguments: Any
) -> tuple[list[str], dict[str, str]]:
    """Return the minions that did it, and those that did not with why."""
    answers = ask(target, function, *arguments)
    told = {m: answer for m, answer in sorted(answers.items()) if not no_answer(answer)}
    undone = {m: _undone(answer, function == "gluster.hold") for m, answer in told.items()}
    done = [minion for minion, why in undone.items() if not why]
    missing = {
        minion: last_line(answer) for minion, answer in sorted(answers.items())
        if minion not in told and isinstance(answer, str) and "is not available" not in answer
    }  # fmt: skip
    missing |= {minion: why for minion, why in undone.items() if why}
    for minion in _registered(pool) if target == "*" else ():
        if minion not in done:
            missing.setdefault(minion, _NO_ANSWER)
    if target == "*" and not isinstance(pool, PoolClient):
        missing |= {name: _NO_ANSWER for name in _members_away(ask) if name not in missing}
    return done, missing


def _members_away(ask: Ask) -> list[str]:
    """Return the members that the nodes' reports name and that gave none, by gluster's name."""
    try:
        told = reports(ask, "*")
    except GlusterError:
        return []
    there = {report["uuid"] for report in told}
    away: dict[str, str] = {}
    for report in told:
        for peer in report["peers"] if isinstance(report["peers"], list) else ():
            if peer["uuid"] not in there:
                away.setdefault(peer["uuid"], next(iter(peer["names"]), peer["uuid"]))
    return sorted(away.values())


def _undone(answer: Any, wanted: bool) -> str:
    """Say why a node that answered is not as it was asked to be, or ""."""
    held = answer.get("held", wanted or None) if isinstance(answer, Mapping) else None
    if bool(held) == wanted:
        return ""
    return str(answer.get("comment") or "") if isinstance(answer, Mapping) else str(answer)


def _registered(pool: PoolResult) -> list[str]:
    """Return the minions that Consul's catalog has: who does not answer is not in Salt's answer."""
    try:
        return (
            [m.minion for m in pool.members() if m.minion] if isinstance(pool, PoolClient) else []
        )
    except GlusterError:
        return []


def _in_consul(
    pool: PoolResult, ops: Callable[[PoolClient], list[Op]],
    done: list[str], missing: dict[str, str],
) -> None:  # fmt: skip
    """Write it there, with the mark that the pool was changed: one transaction."""
    if pool is None:
        return
    try:
        if isinstance(pool, GlusterError):
            raise pool
        mark = change_op(pool.store.keys, "an operator", pool.now())
        pool.store.commit([*ops(pool), mark], rev=pool.snapshot().rev)
        done.append(f"Consul ({pool.cluster})")
    except GlusterError as err:
        missing["Consul"] = str(err)


def _result(
    word: str, other: str, done: list[str], missing: Mapping[str, str], target: str
) -> dict[str, Any]:
    if not done and missing:
        why = "; ".join(f"{where}: {text}" for where, text in missing.items())
        raise GlusterError(f"nothing was done. {why}", kind="no_answer")
    if not done:
        raise _nobody(target)
    return {word: done, **({other: dict(missing), "retcode": 1} if missing else {})}
