"""Collect this node's report and publish it in Consul: one way for all that do."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from salt_gluster import node
from salt_gluster.consul.agent import pem
from salt_gluster.consul.cluster_state import identity_of
from salt_gluster.consul.heartbeat import watermark
from salt_gluster.consul.report_parts import write_report
from salt_gluster.consul.service import Member
from salt_gluster.consul.store import Store
from salt_gluster.errors import ConsulError
from salt_gluster.minion import report
from salt_gluster.minion.driver import GlusterDriver
from salt_gluster.model import Unknown
from salt_gluster.node.certificates import validities
from salt_gluster.status.facts import facts_from, identity_after

#: Why Consul did not answer, in a report that is not published.
TROUBLE = "trouble"


def collect_and_publish(
    driver: GlusterDriver, store: Store, me: Member, *, best_effort: bool = False
) -> dict[str, Any]:
    """Write the report of this node, and the identity of its bricks; return the report.

    ``ConsulError`` where Consul does not take it. With ``best_effort`` the report is returned all
    the same, and after one silence nothing else is asked of Consul.
    """
    own = collect(driver, store, best_effort=best_effort)
    if not best_effort or "after" in own:
        with contextlib.suppress(ConsulError) if best_effort else contextlib.nullcontext():
            publish_report(store, me, own)
    return own


def collect(driver: GlusterDriver, store: Store, *, best_effort: bool = False) -> dict[str, Any]:
    """Return the report of this node, with what stood in Consul before it was collected."""
    try:
        after = watermark(store)
    except ConsulError as err:
        if not best_effort:
            raise
        return {**_collected(driver), TROUBLE: str(err)}
    return {**_collected(driver), "after": after}


def _collected(driver: GlusterDriver) -> dict[str, Any]:
    """Return the report, with what is read of this node's agent."""
    found = validities({kind: pem(kind) for kind in ("cert", "ca")})
    more = {"certificates": found} if found else {}
    return {**report.collect_report(driver), **more}


def publish_report(store: Store, me: Member, own: Mapping[str, Any]) -> None:
    """Write a report, and into the node's identity the bricks that are well."""
    write_report(store, me.uuid, own)
    facts = facts_from(own)
    if isinstance(facts, Unknown):
        return
    try:
        document = store.read(store.keys.identity(me.uuid))
    except ConsulError as err:
        if err.kind != "unreadable":
            raise
        return  # the operator's matter; the guards say so
    if document is not None and isinstance(identity_of(document), Unknown):
        return
    before = document.data if document is not None else None
    after = identity_after(before, facts, me.uuid, me.minion)
    same = before is not None and before.get("bricks") == after["bricks"]
    if not same or (before or {}).get("name") != me.minion:
        try:
            index = 0 if document is None else document.index
            store.write(store.keys.identity(me.uuid), after, cas=index)
        except ConsulError as err:
            if err.kind != "conflict":  # another job of this node was faster
                raise
            return
    if (node.LocalState().get(node.WELL) or {}) != after["bricks"]:
        node.LocalState().put(node.WELL, after["bricks"])
