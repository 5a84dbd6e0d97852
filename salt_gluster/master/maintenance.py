"""Put one node into maintenance, and end it, at an operator's request.

It stands at two places, and either alone holds: the pool's key ``maintenance/<uuid>``, and Consul's
own maintenance of the service there, which only that agent can write, so its minion is asked.
No engine begins one, and none ends one but at the time that was given for it
(``engine/maintenance_expiry.py``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from salt_gluster.consul.client import Op, delete_op, set_op
from salt_gluster.consul.codec import pack
from salt_gluster.consul.orders import OperatorOrder, order_op
from salt_gluster.consul.pool import PoolClient
from salt_gluster.errors import ConsulError, GlusterError, NotFound, SpecError
from salt_gluster.master.minions import Ask, PoolResult, last_line, no_answer
from salt_gluster.model import Hold, Unknown
from salt_gluster.node.clock import local_datetime

FUNCTION = "gluster_consul.maintenance"
_SILENT = "its minion did not answer"
_LASTS = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class MaintenanceRequest:
    """What the operator requests."""

    reason: str
    by: str
    remove: bool = False
    test: bool = False
    until: float | None = None

    @property
    def text(self) -> str:
        """Reason and name in one, for a place that knows only a reason."""
        return f"{self.reason} ({self.by})"


def end_of(until: Any, now: float) -> float | None:
    """Return when a maintenance ends that was given such an end; ``SpecError`` on none to come."""
    if until in ("", None):
        return None
    text = str(until).strip()
    lasts = _LASTS.fullmatch(text)
    try:
        if lasts:
            end = now + float(lasts[1]) * _UNITS[lasts[2]]
        else:
            end = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text)).timestamp()
    except (ValueError, OverflowError):
        raise SpecError("until", f"{text[:60]!r} is no time.",
                        hint="Such as 2h, 1d or 2026-12-24T18:00.") from None  # fmt: skip
    if end <= now:
        raise SpecError("until", f"{text} is over.", hint="Without until it has no end.")
    return end


def put(ask: Ask, name: str, pool: PoolResult, request: MaintenanceRequest) -> dict[str, Any]:
    """Set or end the maintenance of a node; say what changed, where it is so now, where not.

    ``GlusterError`` when nothing could be reached at all.
    """
    if not request.reason and not request.remove:
        raise SpecError("reason", "a node is not put into maintenance without one.",
                        hint="Add reason='…', or remove=True to end it.")  # fmt: skip
    changes: dict[str, Any] = {}
    done: list[str] = []
    missing: dict[str, str] = {}
    minion, has_left = name, False
    try:
        if not isinstance(pool, PoolClient):
            raise pool or ConsulError("no Consul answers here.", kind="unreachable")
        uuid, minion, has_left = _find_node(pool, name, request)
        key = pool.store.keys.maintenance(uuid)
        changes.update(_in_key(pool, uuid, key, request, minion))
        done.append(key)
    except NotFound:
        raise
    except GlusterError as err:
        missing["the pool's key in Consul"] = str(err)
    _by_agent(ask, minion, request, changes, done, missing)
    if has_left and done:  # its agent is gone with it: what it held it holds no more
        missing = {where: why for where, why in missing.items() if why != _SILENT}
    if not done:
        why = "; ".join(f"{where}: {text}" for where, text in missing.items())
        raise GlusterError(f"nothing was done. {why}", kind="no_answer")
    return _result(minion, request, changes, done, missing)


def _result(
    minion: str,
    request: MaintenanceRequest,
    changes: Mapping[str, Any],
    done: list[str],
    missing: dict[str, str],
) -> dict[str, Any]:
    word = ("free" if request.remove else "held") if not request.test else "looked at"
    other = "perhaps still held" if request.remove else "not held"
    more = {other: missing, "retcode": 1} if missing else {}
    return {"node": minion, "changes": dict(changes), "test": request.test, word: done, **more}


def _find_node(
    pool: PoolClient, name: str, request: MaintenanceRequest
) -> tuple[str, str, bool]:  # fmt: skip
    """Return a node's uuid and minion, and whether it has left the pool.

    One that has left the catalog is known by what was told of it, or by its report; a maintenance
    that stands can be ended by the uuid alone, whatever became of its node.
    """
    for member in pool.members():
        if name in (member.uuid, member.node, member.minion):
            return member.uuid, member.minion or member.node, False
    rows: Mapping[str, Any] = (pool.snapshot().status or {}).get("nodes", {})
    for uuid, row in rows.items():
        if name in (uuid, row.get("name")):
            return str(uuid), str(row.get("name")), False
    if request.remove:
        held = pool.store.names(pool.store.keys.maintenance(""))
        named = {uuid: _reported_name(pool, uuid) for uuid in held}
        found = [name] if name in named else [uuid for uuid, n in named.items() if n == name]
        if len(found) == 1:  # of two reports with one name neither is believed: the uuid is
            return found[0], named[found[0]] or name, True
    raise NotFound(
        f"{name} is not in Consul's catalog, and automation has told nothing of it.",
        kind="not_found", hint="See: salt '*' gluster_consul.members.",
    )  # fmt: skip


def _reported_name(pool: PoolClient, uuid: str) -> str:
    """Return the name in the report that a node left, "" where there is none."""
    try:
        report = pool.store.read(pool.store.keys.node(uuid))
    except GlusterError:  # the uuid is no key's, or what stands there is no report
        return ""
    return "" if report is None else str(report.data.get("node") or "")


def _ops(pool: PoolClient, key: str, request: MaintenanceRequest, name: str) -> list[Op]:
    """Return the writes: the key itself, and who ordered it."""
    now, word = pool.now(), "end" if request.remove else "begin"
    what = f"the maintenance of {name}"
    order = OperatorOrder(word, what, request.by, now, request.reason)
    document = {"reason": request.reason, "by": request.by, "since": now, "until": request.until}
    write = delete_op(key) if request.remove else set_op(key, pack(document))
    return [write, order_op(pool.store.keys, order)]


def _in_key(
    pool: PoolClient, uuid: str, key: str, request: MaintenanceRequest, name: str
) -> dict[str, Any]:
    """Write or remove the pool's key; return what changed or would."""
    before = pool.store.maintenance(uuid)
    if isinstance(before, Unknown):
        raise ConsulError(before.why, kind="unreadable")
    is_so = before is None if request.remove else _is(before, request)
    if is_so:
        return {}
    if not request.test:
        pool.store.commit(_ops(pool, key, request, name))
    new = Hold(request.reason, request.by, until=request.until)
    return {key: {"old": _words(before), "new": None if request.remove else _words(new)}}


def _is(before: Hold | None, request: MaintenanceRequest) -> bool:
    asked = (request.reason, request.by, request.until)
    return before is not None and (before.reason, before.by, before.until) == asked


def _words(hold: Hold | None) -> str | None:
    if hold is None:
        return None
    end = "" if hold.until is None else f", until {local_datetime(hold.until)}"
    return (f"{hold.reason} ({hold.by})" if hold.by else hold.reason) + end


def _by_agent(
    ask: Ask, minion: str, request: MaintenanceRequest, changes: dict[str, Any], done: list[str],
    missing: dict[str, str],
) -> None:  # fmt: skip
    where = f"the Consul agent of {minion}"
    # By name: Salt would take a word such as `disk=bad` for a name and its value.
    words = {"reason": request.text, "remove": request.remove, "test": request.test}
    answer = ask([minion], FUNCTION, **words).get(minion)
    if isinstance(answer, Mapping) and "changes" in answer:
        changes.update({f"{minion} {k}": v for k, v in answer["changes"].items()})
        done.append(where)
        return
    silent = answer is None or answer is False
    why = _SILENT if silent else last_line(str(answer))
    missing[where] = why if silent or no_answer(answer) else f"its minion said: {why}"
