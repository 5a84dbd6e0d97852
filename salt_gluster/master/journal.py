"""Return what automation did and proposes: the journal, the proposals, one node explained.

Plain data, with ``render/automation.py`` for the screens. Nothing is written and nothing decided.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from salt_gluster.consul import queries, service
from salt_gluster.consul.catalog import believe
from salt_gluster.consul.cluster_snapshot import ClusterSnapshot
from salt_gluster.consul.documents import Document
from salt_gluster.consul.orders import orders
from salt_gluster.consul.outcomes import outcomes_of
from salt_gluster.consul.pool import PoolClient
from salt_gluster.errors import GlusterError, NotFound
from salt_gluster.master.approvals import WAITING, candidates, operations_in, settings_of
from salt_gluster.model import Unknown, plain
from salt_gluster.node.clock import local_datetime
from salt_gluster.remediation.operations import Operation, outcome_from
from salt_gluster.remediation.policy import policy_from
from salt_gluster.spec import values


def shown(
    opts: Mapping[str, Any],
    ask: Callable[[PoolClient], dict[str, Any]],
    render: Callable[..., str],
    *,
    as_data: bool,
) -> Any:
    """Ask; return the screen, or its data."""
    with PoolClient(settings_of(opts)) as pool:
        data = ask(pool)
    return data if as_data else render(data, local_datetime)


def journal(pool: PoolClient, limit: Any) -> dict[str, Any]:
    """Return the newest operations and operators' orders, each with who decided it, as plain data.

    An operation that nobody had to approve is the policy's.
    """
    limit = values.number(limit, "limit", "limit=20")
    snapshot = pool.snapshot()
    operations = list(operations_in(snapshot.below(snapshot.keys.operation(""))))
    read = sorted((op for op in operations if isinstance(op, Operation)), key=lambda op: -op.at)
    rows: list[dict[str, Any]] = [{"unknown": f.why} for f in operations if isinstance(f, Unknown)]
    shown = read[: max(0, limit)]
    outcomes = outcomes_of(pool.store, ((op.node, op.id) for op in shown))
    for op in shown:
        by, outcome = op.approved_by or "the policy", _outcome(outcomes.get(op.id))
        rows.append({**plain(op.to_data()), "by": by, "outcome": outcome})
    ordered = sorted(orders(pool.store.all(snapshot.keys.audit(""))), key=lambda o: -o.at)
    said = [asdict(order) for order in ordered[: max(0, limit)]]
    return {"pool": pool.cluster, "total": len(operations), "operations": rows, "orders": said}


def _outcome(document: Document | Unknown | None) -> Any:
    try:
        if isinstance(document, Unknown):
            return {"unknown": document.why}
        return None if document is None else outcome_from(document.data).to_data()
    except GlusterError as err:
        return {"unknown": str(err)}


def proposals(pool: PoolClient) -> dict[str, Any]:
    """Return what waits for approval, or was approved and not begun, with what speaks against."""
    return {"pool": pool.cluster, "proposals": _proposals(pool.snapshot())}


def _proposals(snapshot: ClusterSnapshot) -> list[dict[str, Any]]:
    operations = operations_in(snapshot.below(snapshot.keys.operation("")))
    begun = {op.id for op in operations if isinstance(op, Operation)}
    refused = {r["brick"]: r["reasons"] for r in (snapshot.status or {}).get("refused", ())}
    rows: list[dict[str, Any]] = []
    for proposal in operations_in(snapshot.below(snapshot.keys.proposal(""))):
        if isinstance(proposal, Unknown):
            rows.append({"unknown": proposal.why})
        elif proposal.state in WAITING and proposal.id not in begun:
            rows.append({**plain(proposal.to_data()), "not_yet": refused.get(proposal.brick, [])})
    return rows + [_candidate(row) for row in candidates(snapshot)]


def _candidate(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a node that waits to be one of the pool in the form of the other proposals."""
    why = list(row["reasons"])
    if row["until"] is not None:
        at = local_datetime(row["until"])
        why.append({"name": "stable", "why": f"the policy accepts it at {at} if it stays well"})
    return {"id": row["name"], "action": "accept node", "brick": row["name"], "node": row["uuid"],
            "state": "waiting", "changed": row["since"], "not_yet": why}  # fmt: skip


def automation(pool: PoolClient, snapshot: ClusterSnapshot) -> dict[str, Any]:
    """Return who leads, what it may do, and what is open: the line of ``gluster.status``."""
    lead, status = snapshot.lead, snapshot.status or {}
    number = snapshot.version_number
    config = pool.store.version(number) if number else None
    data = None if config is None else config.data.get("policy")
    policy = None if data is None else policy_from(data)
    return {
        "leader": lead.holder if lead.held else None,
        "told_at": status.get("at"),
        "told_by": status.get("by"),
        "now": pool.now(),
        "mode": status.get("mode"),
        "why": status.get("why", ""),
        "hold": plain(snapshot.hold()),
        "holds": status.get("holds", []),
        "restart_brick": None if policy is None else policy.restart_brick.value,
        "operations": [
            {"id": op.id, "brick": op.brick, "state": op.state.value, "why": op.why}
            for op in operations_in(snapshot.below(snapshot.keys.operation("")))
            if isinstance(op, Operation) and op.is_open
        ],
        "proposals": _proposals(snapshot),
        "trouble": status.get("trouble", []) if lead.held else [],
    }


def explain(pool: PoolClient, name: str) -> dict[str, Any]:
    """Return everything that is known of one node, and why automation acts there or does not."""
    snapshot = pool.snapshot()
    status = snapshot.status
    rows = pool.client.health_service(service.SERVICE, where=queries.HEALTH).data
    registered = service.members(service.catalog_rows(rows))
    members, contradicted = believe(registered, pool.cluster, snapshot.admitted)
    member = next((m for m in members if name in (m.uuid, m.node, m.minion, m.address)), None)
    nodes = (status or {}).get("nodes", {})
    uuid = member.uuid if member else next(
        (u for u, row in nodes.items() if name in (u, row.get("name"))), ""
    )  # fmt: skip
    if not uuid:
        raise NotFound(
            f"{name} is not in Consul's catalog, and the leader has told nothing of it.",
            kind="not_found", hint="A node that never registered, or left, is unknown here."
            " See: salt '*' gluster_consul.members.",
        )  # fmt: skip
    lead = snapshot.lead
    data = {
        "pool": pool.cluster, "node": name, "uuid": uuid, "now": pool.now(),
        "leader": lead.holder if lead.held else None,
        "catalog": asdict(member) if member else _unknown("Consul's catalog does not have it"),
        "checks": _checks(rows, member, contradicted),
        "hold": plain(snapshot.hold()),
        "maintenance": plain(snapshot.maintenance(uuid)),
        "operations": [
            plain(op.to_data())
            for op in operations_in(snapshot.below(snapshot.keys.operation("")))
            if isinstance(op, Operation) and op.node == uuid and op.is_open
        ],
    }  # fmt: skip
    told = _status_of(uuid, status)
    if told["verdict"] is None:
        told["verdict"] = _untold(told, data, member)
    return {**data, **told}


def _checks(
    rows: list[Any], member: service.Member | None, contradicted: Mapping[str, str]
) -> Any:  # fmt: skip
    """Return the checks of the node and of our service there that are not passing.

    Also what its row in the catalog says that is not so.
    """
    if member is None:
        return _unknown("it is not in the catalog")
    checks = [
        {
            "check": str(check.get("CheckID")),
            "status": check.get("Status"),
            "says": str(check.get("Output") or check.get("Notes") or ""),  # a reason is a note
        }
        for row in rows if row["Node"]["Node"] == member.node
        for check in row["Checks"] if check.get("Status") in ("critical", "warning")
    ]  # fmt: skip
    if why := contradicted.get(member.node):
        checks.append({"check": "catalog", "status": "contradicted", "says": why})
    return sorted(checks, key=lambda check: check["check"])


def _unknown(why: str) -> dict[str, str]:
    return {"unknown": why}


def _untold(
    told: Mapping[str, Any], seen: Mapping[str, Any], member: service.Member | None
) -> dict[str, Any]:
    """Return the verdict on a node that the leader does not name: it names who is not healthy."""
    if member is None:
        return _unknown("the leader has told nothing of it")
    if seen["leader"] is None:
        return _unknown("nobody leads: what was told last may be over")
    if told["mode"] == "blind":
        return _unknown(f"the leader sees nothing now: {told['why']}")
    if any(check["status"] == "critical" for check in seen["checks"]):
        return _unknown("the leader has not told it yet; its own checks say what is wrong")
    why = "no witness misses it, and no brick of it is known to be down"
    return {"name": member.minion or member.node, "state": "healthy", "since": None, "row": "-",
            "why": why, "witnesses": []}  # fmt: skip


def _status_of(uuid: str, status: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what the leader has told of one node; verdict None = it does not name it."""
    if status is None:
        nothing = _unknown("no leader has told anything yet")
        return {"told_at": None, "told_by": None, "mode": None, "why": "", "policy": None,
                "verdict": nothing, "bricks": [], "refused": []}  # fmt: skip
    guards = status.get("guards", {})
    return {
        "told_at": status["at"], "told_by": status.get("by"),
        "mode": status.get("mode"), "why": status.get("why", ""), "policy": status.get("policy"),
        "verdict": status.get("nodes", {}).get(uuid),
        "bricks": [
            {"path": key.partition(":")[2], **row}
            for key, row in sorted(status.get("bricks", {}).items()) if key.startswith(f"{uuid}:")
        ],
        "refused": [
            {**row, "guards": guards.get(row["brick"], [])}
            for row in status.get("refused", ()) if row.get("node") == uuid
        ],
    }  # fmt: skip
