"""Return the nodes accepted into the pool: from Consul, or as they were last read there.

Asked only where a glob stands in ``nodes``. A Consul that does not answer, or that has lost what
was in it, removes no node: what was read last is kept here. Only a rejection by an operator does.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from salt_gluster import node
from salt_gluster.errors import ConsulError, GlusterError

#: How long an agent may take for an answer.
TIMEOUT_S = 2.0
#: Where a node keeps what it has read.
_RECORD = "accepted"


@dataclass(frozen=True)
class AcceptedNodes:
    """The accepted names. ``note`` says that they are old, ``unsure`` why they are not known."""

    names: tuple[str, ...] = ()
    note: str = ""
    unsure: str = ""


def accepted_nodes(
    cluster: str, settings: Mapping[str, Any] | None, *, registered: bool
) -> AcceptedNodes:
    """Return the accepted nodes. A node that was never in a Consul knows of none, and is sure."""
    kept = node.LocalState().get(_RECORD) or {}
    before = set(kept["names"]) if kept.get("cluster") == cluster else None
    try:
        accepted, rejected = _read(cluster, settings)
    except GlusterError as err:
        if before is not None:
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(kept["at"]))
            return AcceptedNodes(tuple(sorted(before)), f"who was accepted is as of {when}: {err}")
        return AcceptedNodes(unsure=f"who was accepted is not known: {err}" if registered else "")
    lost = (before or set()) - accepted - rejected
    if before != accepted | lost:
        names = sorted(accepted | lost)
        node.LocalState().put(_RECORD, {"cluster": cluster, "names": names, "at": time.time()})
    note = f"Consul does not know any more that they were accepted: {', '.join(sorted(lost))}"
    return AcceptedNodes(tuple(sorted(accepted | lost)), note if lost else "")


def _read(cluster: str, settings: Mapping[str, Any] | None) -> tuple[set[str], set[str]]:
    # Imported late: a run without globs does not pay for its library.
    from salt_gluster.consul.client import connect
    from salt_gluster.consul.store import Store

    with contextlib.closing(connect(settings or {}, timeout_s=TIMEOUT_S)) as client:
        store = Store(client, cluster)
        accepted, rejected = set(store.accepted()), set(store.rejected())
        if client.kv_get(store.keys.canary) is None:
            raise ConsulError(f"Consul knows no pool {cluster}.", kind="absent")
        return accepted, rejected
