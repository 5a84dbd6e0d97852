"""Submit a highstate's declaration to the automation: spec and policy, into Consul.

An engine has no pillar, so this is the only way there. It never fails the state, writes only what
has changed, and waits for an agent that hangs no longer than a moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from salt_gluster import node
from salt_gluster.errors import ConsulError, GlusterError
from salt_gluster.minion.context import RECORD, Minion
from salt_gluster.model import is_known
from salt_gluster.spec.remediation import parse_remediation
from salt_gluster.spec.values import plain

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
        store.submit(_uuid(minion, record), {**head, **declared})
    finally:
        client.close()


def _uuid(minion: Minion, record: Mapping[str, Any] | None) -> str:
    uuid = (record or {}).get("uuid") or node.observe_node(minion.name).uuid
    if not is_known(uuid) or not uuid:
        raise ConsulError("glusterd has no identity here yet.", kind="absent")
    return str(uuid)
