"""Approve, reject and acknowledge: an operator's requests to automation, written into Consul.

Whoever leads reads them there; no minion is asked and nothing is decided here.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from salt_gluster.consul.client import Op, cas_op, delete_op, set_op
from salt_gluster.consul.cluster_snapshot import ClusterSnapshot
from salt_gluster.consul.codec import pack
from salt_gluster.consul.documents import Document
from salt_gluster.consul.orders import OperatorOrder, order_op
from salt_gluster.consul.pool import PoolClient
from salt_gluster.consul.store import acknowledgement
from salt_gluster.errors import ConsulError, GlusterError, NotFound
from salt_gluster.master.deploy.credentials import engine_access
from salt_gluster.model import Unknown
from salt_gluster.remediation.operations import (
    APPROVED_AT,
    APPROVED_BY,
    REJECTED_BY,
    Happened,
    Life,
    Operation,
    moved,
    operation_from,
)

log = logging.getLogger(__name__)

#: Proposals that an operator can still decide about.
WAITING = (Life.WAITING, Life.APPROVED)


def configured(opts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the configuration says: what the engine was given goes over the rest."""
    settings = dict(opts.get("gluster_consul") or {})
    settings.update({k: v for k, v in (_of_engine(opts) or {}).items() if v})
    return settings


def settings_of(opts: Mapping[str, Any]) -> dict[str, Any]:
    """Return how to reach Consul: as configured, else the one that was deployed for this master.

    A minion that shares the machine has an access of its own and gets nothing from the vault.
    """
    settings = configured(opts)
    named = settings.get("address") or settings.get("token") or os.environ.get("CONSUL_HTTP_ADDR")
    if named or opts.get("__role") != "master" or not opts.get("conf_file"):
        return settings
    return {**engine_access(opts["conf_file"], str(settings.get("cluster") or "")), **settings}


def _of_engine(opts: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the engine is given; None where there is none."""
    engines = opts.get("engines") or []
    for entry in [engines] if isinstance(engines, Mapping) else engines:
        if entry == "gluster_consul":
            return {}
        if isinstance(entry, Mapping) and "gluster_consul" in entry:
            return dict(entry["gluster_consul"] or {})
    return None


def find(opts: Mapping[str, Any], *, reports: bool = False) -> PoolClient | GlusterError | None:
    """Return the pool in Consul, or why not; None where no setting names one and there is none.

    For what works without Consul as well.
    """
    try:
        return PoolClient(settings_of(opts), reports=reports)
    except GlusterError as err:
        quiet = err.kind in ("unreachable", "absent", "no_library")
        configured_here = opts.get("gluster_consul") is not None or _of_engine(opts) is not None
        return None if quiet and not configured_here else err


def name_of(typed: Any) -> str:
    """Return an id as it was typed: Salt's command line makes a number of one of digits alone."""
    return f"{typed:016d}" if isinstance(typed, int) and typed > 999 else str(typed)


def note_accepted_risk(
    pool: PoolClient | GlusterError | None, plan: str, accept: str, by: str, reason: str
) -> None:  # fmt: skip
    """Write into the journal who accepts which refusals of a plan.

    A plan is carried out without Consul as well: then only the log has it.
    """
    log.warning("plan %s: %s accepted %s because %r", plan, by, accept, reason)
    if not isinstance(pool, PoolClient):
        return
    with pool:
        order = OperatorOrder("accept", f"{accept} of plan {plan}", by, pool.now(), reason)
        try:
            pool.store.commit([order_op(pool.store.keys, order)], seen=False)
        except ConsulError as err:
            log.warning("the journal does not have it: %s", err)


# --- what operators request ----------------------------------------------------------------------


def acknowledge(pool: PoolClient, what: str, by: str) -> dict[str, Any]:
    """Write that an operator has looked at the pool, a node or an operation."""
    snapshot = pool.snapshot()
    subject, words = _subject(pool, snapshot, what)
    keys = pool.store.keys
    word = acknowledgement(subject, by)
    if subject == pool.cluster and (mark := snapshot.went_back) is not None:
        word["went_back"] = mark.index
        words = f"{words}, and that Consul is an older one: what it says now is in force"
    ops = [
        set_op(keys.acknowledged(subject), pack(word)),
        order_op(keys, OperatorOrder("acknowledge", words, by, pool.now())),
    ]
    pool.store.commit(ops, rev=snapshot.rev)
    return {"acknowledged": words, "by": by, "pool": pool.cluster}


def _subject(pool: PoolClient, snapshot: ClusterSnapshot, what: str) -> tuple[str, str]:
    if what in ("", pool.cluster):
        return pool.cluster, f"what was done by hand in the pool {pool.cluster}"
    for member in pool.members():
        if what in (member.uuid, member.node, member.minion):
            return member.uuid, f"node {member.minion or member.node}"
    if snapshot.document(pool.store.keys.operation(what)) is not None:
        return what, f"operation {what}"
    left = (d for d in pool.store.all(pool.store.keys.node("")) if isinstance(d, Document))
    for report in left:  # of a node that has left the catalog
        if what in (report.name, dict(report.data).get("node")):
            return report.name, f"node {what}, which is not in Consul's catalog"
    raise NotFound(
        f"{what} is neither a node in Consul's catalog nor an operation.", kind="not_found",
        hint="See: salt-run gluster_remediation.journal, salt '*' gluster_consul.members.",
    )  # fmt: skip


def approve(pool: PoolClient, name: str, by: str) -> dict[str, Any]:
    """Approve this very proposal; it is carried out once every guard still agrees.

    A node that is proposed is one of the pool from now on.
    """
    snapshot = pool.snapshot()
    if (node := _candidate(snapshot, name)) is not None:
        return _accept_node(pool, snapshot, *node, by)
    document, op = _waiting(snapshot, name)
    if op.state is Life.APPROVED:
        approver = op.approved_by or "an operator"
        return {"approved": name, "brick": op.brick, "then": f"{approver} said so before"}
    after = moved(op, Happened.APPROVE, pool.now()).operation
    after = replace(after, why=f"{by} approved it")
    order = OperatorOrder("approve", f"{op.action} {op.brick}, {name}", by, pool.now())
    evidence = {APPROVED_BY: by, APPROVED_AT: pool.now()}
    _write_decision(pool, snapshot, document, after, evidence, order)
    then = "it is carried out when every guard still says yes: gluster_remediation.journal"
    return {"approved": name, "brick": op.brick, "by": by, "then": then}


def reject(pool: PoolClient, name: str, by: str, reason: str) -> dict[str, Any]:
    """Reject a proposal: it is closed, and the same thing is not proposed again.

    Of a node that was accepted before, that is taken back; nothing is done to the node itself.
    """
    snapshot = pool.snapshot()
    if (node := _candidate(snapshot, name)) is not None:
        _reject_node(pool, snapshot, *node, by, reason)
        then = "nothing is done to it; it may be approved later all the same"
        return {"rejected": node[0], "node": node[1], "by": by, "then": then}
    document, op = _waiting(snapshot, name)
    after = moved(op, Happened.REJECT, pool.now()).operation
    why = f"{by} said no" + (f": {reason}" if reason else "")
    order = OperatorOrder("reject", f"{op.action} {op.brick}, {name}", by, pool.now(), reason)
    _write_decision(pool, snapshot, document, replace(after, why=why), {REJECTED_BY: by}, order)
    return {"rejected": name, "brick": op.brick, "by": by, "then": "nothing will be done"}


def candidates(snapshot: ClusterSnapshot) -> list[Mapping[str, Any]]:
    """Return the nodes that the leader proposes and that no operator has decided about since."""
    rows = (snapshot.status or {}).get("proposed", ())
    decided = {*snapshot.accepted(), *snapshot.rejected()} if rows else set()
    return [row for row in rows if row["name"] not in decided]


def _candidate(snapshot: ClusterSnapshot, name: str) -> tuple[str, str] | None:
    """Return name and uuid of a node that a glob means: proposed, accepted or rejected."""
    for row in candidates(snapshot):
        if name in (row["name"], row["uuid"]):
            return row["name"], row["uuid"]
    for key in (snapshot.keys.accepted(name), snapshot.keys.rejected(name)):
        if (uuid := snapshot.uuid_in(key)) is not None:
            return name, uuid
    return None


def _accept_node(
    pool: PoolClient, snapshot: ClusterSnapshot, minion: str, uuid: str, by: str
) -> dict[str, Any]:
    done = {"approved": minion, "node": uuid}
    if (before := snapshot.accepted().get(minion)) is not None:
        return {**done, "then": f"{before or 'somebody'} said so before"}
    document = {"schema": 1, "at": pool.now(), "by": by, "uuid": uuid}
    keys = snapshot.keys
    ops: list[Op] = [
        delete_op(keys.rejected(minion)),
        cas_op(keys.accepted(minion), pack(document), 0),
        order_op(keys, OperatorOrder("approve", f"accept node {minion}", by, pool.now())),
    ]
    pool.store.commit(ops, rev=snapshot.rev)
    then = f"the next highstate of {minion} and of the others takes it in: state.apply gluster"
    return {**done, "by": by, "then": then}


def _reject_node(
    pool: PoolClient, snapshot: ClusterSnapshot, minion: str, uuid: str, by: str, why: str
) -> None:
    document = {"schema": 1, "at": pool.now(), "by": by, "uuid": uuid, "why": why}
    keys = snapshot.keys
    ops: list[Op] = [
        set_op(keys.rejected(minion), pack(document)),
        delete_op(keys.accepted(minion)),
        order_op(keys, OperatorOrder("reject", f"accept node {minion}", by, pool.now(), why)),
    ]
    pool.store.commit(ops, rev=snapshot.rev)


def _waiting(snapshot: ClusterSnapshot, name: str) -> tuple[Document, Operation]:
    """Return a proposal that can be decided about, or raise why not and what to do."""
    document = snapshot.document(snapshot.keys.proposal(name))
    if snapshot.document(snapshot.keys.operation(name)) is not None:
        raise GlusterError(f"{name} is being carried out, or was.", kind="too_late",
                           hint="See: salt-run gluster_remediation.journal.")  # fmt: skip
    if document is None:
        known = operations_in(snapshot.below(snapshot.keys.proposal("")))
        waiting = [p.id for p in known if isinstance(p, Operation) and p.state in WAITING]
        waiting += [str(row["name"]) for row in candidates(snapshot)]
        raise NotFound(f"there is no proposal {name}.", kind="not_found",
                       hint=f"Waiting are: {', '.join(waiting) or 'none'}.")  # fmt: skip
    op = operation_from(document.data)
    if op.state not in WAITING:
        raise GlusterError(f"the proposal {name} is {op.state.value}: {op.why}.",
                           kind="too_late", hint="See: salt-run"
                           " gluster_remediation.proposals.")  # fmt: skip
    return document, op


def _write_decision(
    pool: PoolClient, snapshot: ClusterSnapshot, document: Document, after: Operation,
    evidence: Mapping[str, Any], order: OperatorOrder,
) -> None:  # fmt: skip
    data = replace(after, evidence={**after.evidence, **evidence}).to_data()
    ops = [cas_op(document.key, pack(data), document.index), order_op(snapshot.keys, order)]
    try:
        pool.store.commit(ops, rev=snapshot.rev)
    except ConsulError as err:
        if err.kind != "conflict":
            raise
        raise ConsulError(f"the proposal {after.id} has just changed; nothing was written.",
                          kind="conflict", hint="Look at it again: salt-run"
                          " gluster_remediation.proposals.") from err  # fmt: skip


def operations_in(documents: Iterable[Document | Unknown]) -> Iterator[Operation | Unknown]:
    """Yield the operations in documents; one that cannot be read is an ``Unknown``."""
    for document in documents:
        if isinstance(document, Unknown):
            yield document
            continue
        try:
            yield operation_from(document.data)
        except GlusterError as err:
            yield Unknown(f"{document.name}: {err}")
