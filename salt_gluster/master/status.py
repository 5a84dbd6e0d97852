"""The pool on one screen: from its copy in Consul where that is worth it, else by asking the nodes.

Reading the copy starts no process of gluster, publishes no job and waits for nobody, however many
look at once. ``status/freshness.py`` decides what the copy is worth.
"""

from __future__ import annotations

from typing import Any

from salt_gluster.consul.heartbeat import last_change, pulse
from salt_gluster.consul.leader_lock import leading
from salt_gluster.consul.store import Document
from salt_gluster.errors import GlusterError
from salt_gluster.master import journal, minions
from salt_gluster.master.approvals import Desk
from salt_gluster.node.clock import local_clock
from salt_gluster.render import render_status
from salt_gluster.status import pool
from salt_gluster.status.freshness import Copy, Kept, copy_of


def status(
    ask: minions.Ask, target: str, found: minions.Found = None, *, reader: str = "",
    live: bool = False, as_data: bool = False,
) -> Any:  # fmt: skip
    """Return the status of the pool: a screen, or its data.

    ``reader`` is the name of this master; the nodes are asked if ``live``, and if ``target`` names
    some of them. Where the pool is in Consul, what automation does belongs to it.
    """
    copy = "" if live or target != "*" else _copy(found, reader)
    if isinstance(copy, Copy):
        data = _of_copy(copy)
    else:
        data = pool.pool_status(minions.reports(ask, target), clock=local_clock)
        data |= {"source": "nodes", "asked_because": copy, "ages_s": {}}
    if found is not None:
        data["automation"] = _automation(found)
    return data if as_data else render_status(data)


def _copy(found: minions.Found, reader: str) -> Copy | str:
    """Return the copy, or why the nodes are asked."""
    if found is None:
        return "the pool is in no Consul"
    if isinstance(found, GlusterError):
        return f"not from Consul, {found.message}"
    try:
        return copy_of(_kept(found, reader))
    except GlusterError as err:
        return f"not from Consul, {err.message}"


def _kept(desk: Desk, reader: str) -> Kept:
    """Read what stands there; the last change first: who looks after it counts."""
    client, store = desk.client, desk.store
    changed = last_change(client, store.keys)
    lead, told = leading(client, desk.cluster), store.read(store.keys.status)
    status = told.data if told is not None and told.data.get("schema") == journal.SCHEMA else None
    found = (d for d in store.all(store.keys.node("")) if isinstance(d, Document))
    reports = {d.name: d.data for d in found if isinstance(d.data, dict)}
    return Kept(
        now=desk.now(),
        reader=reader,
        leader=lead.holder if lead.held else "",
        pulse=pulse(client, store.keys),
        changed=changed,
        status=status,
        reports=reports,
    )


def _of_copy(copy: Copy) -> dict[str, Any]:
    ages = {copy.names[u]: round(a, 1) for u, a in copy.ages.items()}
    silent = {copy.names[u]: {"unknown": why} for u, why in copy.silent.items()}
    oldest = max(ages.values())
    data = pool.pool_status(
        copy.reports, clock=local_clock, now=copy.now, age_s=oldest, verdicts=copy.verdicts
    )
    data |= {"source": "consul", "asked_because": "", "ages_s": {**ages, **silent}}
    data["unknown"] += [
        {"what": "report", "subjects": [name], "why": row["unknown"]}
        for name, row in silent.items()
    ]
    return data


def _automation(found: Desk | GlusterError) -> dict[str, Any]:
    try:
        if isinstance(found, GlusterError):
            return {"unknown": str(found)}
        return journal.automation(found)
    except GlusterError as err:
        return {"unknown": str(err)}
