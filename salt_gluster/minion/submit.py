"""Submit a highstate's declaration to the automation: spec and policy, into Consul.

An engine has no pillar, so this is the only way there. It never fails the state, writes only what
has changed, and waits for an agent that hangs no longer than a moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from salt_gluster import node
from salt_gluster.errors import ConsulError, GlusterError
from salt_gluster.minion.context import RECORD, Minion
from salt_gluster.model import is_known
from salt_gluster.spec.remediation import parse_remediation
from salt_gluster.spec.values import plain

if TYPE_CHECKING:
    from salt_gluster.consul.documents import Document
    from salt_gluster.consul.store import Store

#: Where a node keeps what it has submitted.
SUBMITTED = "submitted"
#: How long an agent may take for an answer.
TIMEOUT_S = 2.0
SCHEMA = 1


def submit(minion: Minion) -> str:
    """Write what this node's pillar declares into Consul; return a line where it could not.

    Nothing is told in test mode, and by a node that is not registered. One that is only configured
    to speak to Consul keeps silent about an agent that does not answer or knows no pool yet.
    """
    record = node.LocalState().get(RECORD)
    if minion.test or minion.pool is None or (record is None and minion.consul is None):
        return ""
    try:
        _write(minion, record)
    except GlusterError as err:
        early = isinstance(err, ConsulError) and err.kind in ("unreachable", "timeout", "absent")
        return "" if record is None and early else f"Automation was not told: {err}"
    return ""


def _write(minion: Minion, record: Mapping[str, Any] | None) -> None:
    # Imported late: a highstate without Consul does not pay for its library.
    from salt_gluster.consul.client import connect
    from salt_gluster.consul.store import Store

    pool, at = minion.declared(), minion.driver().now()
    client = connect(minion.consul or {}, timeout_s=TIMEOUT_S)
    try:
        store = Store(client, pool.cluster)
        if client.kv_get(store.keys.canary) is None:
            raise ConsulError(
                f"Consul knows no pool {pool.cluster}.", kind="absent",
                hint="See: salt '*' gluster_consul.register test=True.",
            )  # fmt: skip
        head = {"schema": SCHEMA, "at": at, "by": minion.name}
        # A node that waits to be one of the pool knows only its nodes.
        policy = parse_remediation((minion.body or {}).get("remediation"), "gluster:remediation")
        declared = {"spec": plain(minion.body), "policy": plain(policy)}
        uuid = _uuid(minion, record)
        if store.submit(uuid, {**head, **declared}) or not kept_submission():
            keep_submission(store, uuid)
    finally:
        client.close()


def keep_submission(store: Store, uuid: str) -> None:
    """Keep what this node has submitted, and where in Consul's order it stands: for the sensor."""
    document = store.read(store.keys.submitted(uuid))
    if document is not None:
        record = {"uuid": uuid, "index": document.index, "document": document.data}
        node.LocalState().put(SUBMITTED, record)


def kept_submission() -> Mapping[str, Any] | None:
    """Return what this node has submitted last."""
    return node.LocalState().get(SUBMITTED)


def is_older(document: Document | None, kept: Mapping[str, Any] | None) -> bool:
    """Whether Consul has an older submission of this node than it has written: it went back."""
    if kept is None:
        return False
    return document is None or document.index < int(kept["index"])


def submit_again(store: Store, uuid: str, *, compare: bool) -> bool:
    """Submit what this node's last highstate declared, where Consul has an older one; whether.

    That is after Consul went back: by its mark, or, with ``compare``, by this node's own memory,
    which an engine on a new machine does not have. A declaration may be large: without a mark it is
    not read at every look.
    """
    mark = store.went_back()
    kept = kept_submission() if mark is not None or compare else None
    if kept is None or kept.get("uuid") != uuid:
        return False
    document = store.read(store.keys.submitted(uuid))
    is_old = is_older(document, kept) or (
        mark is not None and document is not None and document.index < mark.index
    )
    if not is_old:
        return False
    store.write(store.keys.submitted(uuid), {**kept["document"], "once": uuid4().hex}, seen=True)
    keep_submission(store, uuid)
    return True


def _uuid(minion: Minion, record: Mapping[str, Any] | None) -> str:
    uuid = (record or {}).get("uuid") or node.observe_node(minion.name).uuid
    if not is_known(uuid) or not uuid:
        raise ConsulError("glusterd has no identity here yet.", kind="absent")
    return str(uuid)
