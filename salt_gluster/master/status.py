"""Return the pool on one screen: from its copy in Consul, or by asking the nodes.

Reading the copy starts no process of gluster, publishes no job and waits for no node, however many
look at once. ``status/freshness.py`` decides what the copy is worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from salt_gluster.consul.cluster_snapshot import ClusterSnapshot
from salt_gluster.consul.known_reports import KnownReports
from salt_gluster.consul.pool import PoolClient
from salt_gluster.errors import GlusterError
from salt_gluster.master import journal, minions
from salt_gluster.model import Unknown
from salt_gluster.node.clock import local_clock
from salt_gluster.render import check_line, check_unknown, printed, render_status, with_code
from salt_gluster.render.check import UNKNOWN
from salt_gluster.status import pool
from salt_gluster.status.freshness import PoolCopy, StoredPool, copy_of, dead_bricks


def status(
    ask: minions.Ask, target: str, consul_pool: minions.PoolResult = None, *, reader: str = "",
    live: bool = False, as_data: bool = False,
) -> Any:  # fmt: skip
    """Return the status of the pool, a screen or its data, with the exit code that it names.

    ``reader`` is the name of this master; the nodes are asked if ``live``, and if ``target`` names
    some of them. Where the pool is in Consul, what automation does belongs to it.
    """
    data = _data(ask, target, consul_pool, reader=reader, live=live)
    return with_code(data, data["exit"]) if as_data else printed(render_status(data), data["exit"])


def check(ask: minions.Ask, target: str, consul_pool: minions.PoolResult = None, *,
          reader: str = "", live: bool = False) -> dict[str, Any]:  # fmt: skip
    """Return one line for a monitor, with the exit code; what cannot be seen is 3."""
    try:
        data = _data(ask, target, consul_pool, reader=reader, live=live)
    except GlusterError as err:
        return printed(check_unknown(str(err)), UNKNOWN)
    return printed(check_line(data), data["exit"])


def _data(
    ask: minions.Ask, target: str, consul_pool: minions.PoolResult, *, reader: str, live: bool
) -> dict[str, Any]:
    with_reports = not live and target == "*"
    snapshot = _snapshot(consul_pool, with_reports)
    now = consul_pool.now() if isinstance(consul_pool, PoolClient) else 0.0
    kept = stored(snapshot, reader, now)
    copy: PoolCopy | str = ""
    if with_reports:
        copy = kept if isinstance(kept, str) else copy_of(kept)
    if isinstance(copy, PoolCopy):
        data = of_copy(copy)
    else:
        dead = {} if isinstance(kept, str) else dead_bricks(kept)
        data = pool.pool_status(minions.reports(ask, target), clock=local_clock, dead=dead)
        data |= {"source": "nodes", "asked_because": copy, "ages_s": {}}
    if consul_pool is not None:
        automation = data["automation"] = _automation(consul_pool, snapshot)
        told, own = automation.get("holds", ()), automation.get("hold")
        data["holds"] = pool.with_leaders_holds(data["holds"], told, own)
    return data


def _snapshot(pool: minions.PoolResult, reports: bool) -> ClusterSnapshot | str:
    """Return the pool in Consul at one moment, or why it is not seen there."""
    if pool is None:
        return "the pool is in no Consul"
    if isinstance(pool, GlusterError):
        return f"not from Consul, {pool.message}"
    try:
        return pool.snapshot(reports=reports)
    except GlusterError as err:
        return f"not from Consul, {err.message}"


def stored(
    snapshot: ClusterSnapshot | str, reader: str, now: float, known: KnownReports | None = None
) -> StoredPool | str:
    """Return what stood in Consul at one moment, or why that is not known.

    ``known`` are the reports that were read before, for whoever looks often.
    """
    if isinstance(snapshot, str):
        return snapshot
    try:
        lead = snapshot.lead
        return StoredPool(
            now=now,
            reader=reader,
            leader=lead.holder if lead.held else "",
            heartbeat=snapshot.heartbeat,
            changed=snapshot.last_change,
            status=snapshot.status,
            reports=_reports(snapshot, known),
        )
    except GlusterError as err:
        return f"not from Consul, {err.message}"


def _reports(
    snapshot: ClusterSnapshot, known: KnownReports | None
) -> Mapping[str, Mapping[str, Any] | Unknown]:
    if not snapshot.has_reports:
        return {}
    return snapshot.reports if known is None else known.of(snapshot)


def of_copy(copy: PoolCopy) -> dict[str, Any]:
    """Return the status screen's data of the copy."""
    ages = {copy.names[u]: round(a, 1) for u, a in copy.ages.items()}
    silent = {copy.names[u]: {"unknown": why} for u, why in copy.silent.items()}
    oldest = max(ages.values())
    data = pool.pool_status(
        copy.reports, clock=local_clock, now=copy.now, age_s=oldest, verdicts=copy.verdicts,
        dead=copy.dead,
    )  # fmt: skip
    data |= {"source": "consul", "asked_because": "", "ages_s": {**ages, **silent}}
    data["unknown"] += [
        {"what": "report", "subjects": [name], "why": row["unknown"]}
        for name, row in silent.items()
    ]
    return data


def _automation(pool: PoolClient | GlusterError, snapshot: ClusterSnapshot | str) -> Any:
    try:
        if isinstance(pool, GlusterError):
            return {"unknown": str(pool)}
        if isinstance(snapshot, str):
            return {"unknown": snapshot}
        return journal.automation(pool, snapshot)
    except GlusterError as err:
        return {"unknown": str(err)}
