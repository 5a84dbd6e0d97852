"""What people ask of automation, through Consul: journal, proposals, versions, one node explained.

Plain data, with ``render/automation.py`` for the screens. Nothing is written and nothing decided.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from salt_gluster.consul import service
from salt_gluster.consul.leader_lock import leading
from salt_gluster.errors import GlusterError, NotFound, Unreadable
from salt_gluster.master.approvals import WAITING, Desk, parsed, settings_of
from salt_gluster.model import Unknown, plain
from salt_gluster.node.clock import local_datetime
from salt_gluster.remediation.operations import Operation, outcome_from
from salt_gluster.remediation.policy import policy_from

#: The contract of the leader's ``status``.
SCHEMA = 1


def shown(
    opts: Mapping[str, Any],
    ask: Callable[[Desk], dict[str, Any]],
    render: Callable[..., str],
    *,
    as_data: bool,
) -> Any:
    """Ask; return the screen, or its data."""
    with Desk(settings_of(opts)) as desk:
        data = ask(desk)
    return data if as_data else render(data, local_datetime)


def journal(desk: Desk, limit: int) -> dict[str, Any]:
    """Return the newest operations with what their executors said, as plain data."""
    found = list(parsed(desk.store.operations()))
    read = sorted((op for op in found if isinstance(op, Operation)), key=lambda op: -op.at)
    rows: list[dict[str, Any]] = [{"unknown": f.why} for f in found if isinstance(f, Unknown)]
    for op in read[: max(0, limit)]:
        rows.append({**plain(op.to_data()), "outcome": _outcome(desk, op)})
    return {"pool": desk.cluster, "total": len(found), "operations": rows}


def _outcome(desk: Desk, op: Operation) -> Any:
    try:
        found = desk.store.outcome(op.node, op.id)
        return None if found is None else outcome_from(found.data).to_data()
    except GlusterError as err:
        return {"unknown": str(err)}


def proposals(desk: Desk) -> dict[str, Any]:
    """Return what waits for a yes, or was approved and not begun, with what speaks against."""
    begun = {op.id for op in parsed(desk.store.operations()) if isinstance(op, Operation)}
    refused = {r["brick"]: r["reasons"] for r in (_status(desk) or {}).get("refused", ())}
    rows: list[dict[str, Any]] = []
    for found in parsed(desk.store.proposals()):
        if isinstance(found, Unknown):
            rows.append({"unknown": found.why})
        elif found.state in WAITING and found.id not in begun:
            rows.append({**plain(found.to_data()), "not_yet": refused.get(found.brick, [])})
    rows += [_newcomer(row) for row in desk.newcomers()]
    return {"pool": desk.cluster, "proposals": rows}


def _newcomer(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a node that waits to be one of the pool in the form of the other proposals."""
    why = list(row["reasons"])
    if row["until"] is not None:
        at = local_datetime(row["until"])
        why.append({"name": "stable", "why": f"the policy accepts it at {at} if it stays well"})
    return {"id": row["name"], "action": "accept node", "brick": row["name"], "node": row["uuid"],
            "state": "waiting", "changed": row["since"], "not_yet": why}  # fmt: skip


def _status(desk: Desk) -> dict[str, Any] | None:
    found = desk.store.read(desk.store.keys.status)
    if found is not None and found.data.get("schema") != SCHEMA:
        raise Unreadable(f"the leader's status has schema {found.data.get('schema')}, we know"
                         f" {SCHEMA}: it is of another version of this extension.")  # fmt: skip
    return dict(found.data) if found is not None else None


def automation(desk: Desk) -> dict[str, Any]:
    """Return who leads, what it may do, and what is open: the line of ``gluster.status``."""
    lead, told = leading(desk.client, desk.cluster), _status(desk) or {}
    config = desk.store.current()
    said = None if config is None else config.data.get("policy")
    policy = None if said is None else policy_from(said)
    return {
        "leader": lead.holder if lead.held else None,
        "told_at": told.get("at"),
        "told_by": told.get("by"),
        "now": desk.now(),
        "mode": told.get("mode"),
        "why": told.get("why", ""),
        "restart_brick": None if policy is None else policy.restart_brick.value,
        "operations": [
            {"id": op.id, "brick": op.brick, "state": op.state.value, "why": op.why}
            for op in parsed(desk.store.operations())
            if isinstance(op, Operation) and op.is_open
        ],
        "proposals": proposals(desk)["proposals"],
    }


def explain(desk: Desk, name: str) -> dict[str, Any]:
    """Return everything that is known of one node and why nothing, or something, is done."""
    told = _status(desk)
    member = next(
        (m for m in desk.members() if name in (m.uuid, m.node, m.minion, m.address)), None
    )
    nodes = (told or {}).get("nodes", {})
    uuid = member.uuid if member else next(
        (u for u, row in nodes.items() if name in (u, row.get("name"))), ""
    )  # fmt: skip
    if not uuid:
        raise NotFound(
            f"{name} is not in Consul's catalog, and the leader has told nothing of it.",
            kind="not_found", hint="A node that never registered, or left, is unknown here."
            " See: salt '*' gluster_consul.members.",
        )  # fmt: skip
    lead = leading(desk.client, desk.cluster)
    data = {
        "pool": desk.cluster, "node": name, "uuid": uuid, "now": desk.now(),
        "leader": lead.holder if lead.held else None,
        "catalog": asdict(member) if member else _unknown("Consul's catalog does not have it"),
        "checks": _checks(desk, member),
        "hold": plain(desk.store.hold()),
        "maintenance": plain(desk.store.maintenance(uuid)),
        "operations": [
            plain(op.to_data()) for op in parsed(desk.store.operations())
            if isinstance(op, Operation) and op.node == uuid and op.is_open
        ],
    }  # fmt: skip
    return {**data, **_told_of(uuid, told)}


def _checks(desk: Desk, member: service.Member | None) -> Any:
    """Return the checks of the node that are not passing, as Consul has them now."""
    if member is None:
        return _unknown("it is not in the catalog")
    rows = [
        {
            "check": str(row.get("CheckID")),
            "status": state,
            "says": str(row.get("Output") or row.get("Notes") or ""),  # a person's reason is a note
        }
        for state in ("critical", "warning")
        for row in desk.client.health_state(state).data
        if row.get("Node") == member.node
    ]
    return sorted(rows, key=lambda row: row["check"])


def _unknown(why: str) -> dict[str, str]:
    return {"unknown": why}


def _told_of(uuid: str, told: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what the leader has told of one node."""
    if told is None:
        nothing = _unknown("no leader has told anything yet")
        return {"told_at": None, "told_by": None, "mode": None, "why": "", "policy": None,
                "verdict": nothing, "bricks": [], "refused": []}  # fmt: skip
    silent = _unknown("the leader has told nothing of it")
    guards = told.get("guards", {})
    return {
        "told_at": told["at"], "told_by": told.get("by"),
        "mode": told.get("mode"), "why": told.get("why", ""), "policy": told.get("policy"),
        "verdict": told.get("nodes", {}).get(uuid, silent),
        "bricks": [
            {"path": key.partition(":")[2], **row}
            for key, row in sorted(told.get("bricks", {}).items()) if key.startswith(f"{uuid}:")
        ],
        "refused": [
            {**row, "guards": guards.get(row["brick"], [])}
            for row in told.get("refused", ()) if row.get("node") == uuid
        ],
    }  # fmt: skip


# --- versions of the configuration ---------------------------------------------------------------
