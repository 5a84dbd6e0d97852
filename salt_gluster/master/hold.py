"""Hold a pool, and release it: on every node and in Consul."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from salt_gluster.consul.client import Op, delete_op, set_op
from salt_gluster.consul.codec import pack
from salt_gluster.consul.heartbeat import change_op
from salt_gluster.consul.pool import PoolClient
from salt_gluster.errors import GlusterError
from salt_gluster.master.minions import Ask, PoolResult, _nobody, last_line, no_answer


def hold(ask: Ask, target: str, reason: str, by: str, pool: PoolResult = None) -> dict[str, Any]:
    """Hold the pool on every node and in Consul; say where it is written and where not."""
    done, missing = _on_nodes(ask, target, pool, "gluster.hold", reason, by)

    def ops(client: PoolClient) -> list[Op]:
        document = {"reason": reason, "by": by, "since": client.now()}
        return [set_op(client.store.keys.hold, pack(document))]

    _in_consul(pool, ops, done, missing)
    return _result("held", "not held", done, missing, target)


def release(ask: Ask, target: str, pool: PoolResult = None) -> dict[str, Any]:
    """Take the hold off every node and out of Consul; say where it could not be."""
    done, missing = _on_nodes(ask, target, pool, "gluster.release")
    _in_consul(pool, lambda client: [delete_op(client.store.keys.hold)], done, missing)
    return _result("free", "perhaps still held", done, missing, target)


def _on_nodes(
    ask: Ask, target: str, pool: PoolResult, function: str, *arguments: Any
) -> tuple[list[str], dict[str, str]]:
    """Return the minions that did it, and those that did not with why."""
    answers = ask(target, function, *arguments)
    done = [minion for minion in sorted(answers) if not no_answer(answers[minion])]
    missing = {
        minion: last_line(answer) for minion, answer in sorted(answers.items())
        if minion not in done and isinstance(answer, str) and "is not available" not in answer
    }  # fmt: skip
    for minion in _registered(pool) if target == "*" else ():
        if minion not in done:
            missing.setdefault(minion, "it did not answer")
    return done, missing


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
