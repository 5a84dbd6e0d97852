"""Ask Consul for the service's rows and for what is critical: as few rows as nodes allow.

With the right to the service ``gluster`` a node can write any number of instances and checks, on
every node that has one, and a check of its own over Consul's ``serfHealth`` and
``_node_maintenance`` of another node (facts.md#K-5.5). So Consul is asked for the rows that can be
ours only, and for what stands where Consul's own checks should stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from salt_gluster.consul.client import Client, Reply
from salt_gluster.consul.service import (
    NODE_MAINTENANCE,
    PUSHED,
    SERF,
    SERVICE,
    SERVICE_MAINTENANCE,
    WAITS,
    check_id,
)
from salt_gluster.consul.watch import Query
from salt_gluster.errors import ConsulError

#: An answer with rows that nobody needs is not read beyond this.
MOST_STRAY_BYTES = 256 * 1024
#: Between two looks for checks that stand where Consul's own should stand: they are among all
#: checks of the service, some 20,000 at 5,000 nodes.
LOOK_EVERY_S = 10.0
#: A row that stands for all that were not read.
TOO_MANY = "TooMany"
#: Where a row tells what gossip says of its node: 1 = alive, 4 = failed.
GOSSIP = "Gossip"


def _any(field: str, values: Iterable[str]) -> str:
    return "(" + " or ".join(f'{field} == "{value}"' for value in values) + ")"


#: The filter of ``health/service`` for the instances that nodes register.
HEALTH = f'Service.ID == "{SERVICE}"'
_OURS = [*(check_id(name) for name in ("port", *PUSHED, WAITS)), SERVICE_MAINTENANCE]
_CRITICAL = (
    f"{_any('CheckID', (SERF, NODE_MAINTENANCE))} or"
    f' (ServiceID == "{SERVICE}" and {_any("CheckID", _OURS)})'
)
#: Consul's own checks belong to no service, and a maintenance is critical or not there.
_OVERWRITTEN = (
    f"{_any('CheckID', (SERF, NODE_MAINTENANCE))} or"
    f' (CheckID == "{SERVICE_MAINTENANCE}" and Status != "critical")'
)


def registered(client: Client, *, consistent: bool = False) -> Reply[list[Any]]:
    """Return the rows of the service: one of each of Consul's nodes."""
    where = f'ServiceID == "{SERVICE}"'
    return client.catalog_service(SERVICE, where=where, consistent=consistent)


def _stray_rows(client: Client) -> Reply[list[Any]]:
    """Return the rows that are more than one of a node, or one that says that they are too many."""
    where = f'ServiceID != "{SERVICE}"'
    try:
        return client.catalog_service(SERVICE, where=where, most=MOST_STRAY_BYTES)
    except ConsulError as err:
        if err.kind != "too_big":
            raise
        return Reply([{"ServiceID": "?", TOO_MANY: True}], 0, TOO_MANY)


def roster(client: Client) -> Query:
    """Return the query of the service's rows that a watch asks: woken by who comes, goes, changes.

    It waits on the list of services, some bytes, and reads the rows when that has moved. The rows'
    own index moves with every check of their nodes: at 5,000 nodes of which 50 flapped such a query
    never waited again, and each answer is 2.7 MB (bench/flap.py, Consul 1.8.7).
    """
    last: list[Reply[Any]] = []

    def ask(index: int, wait_s: float) -> Reply[Any]:
        moved = client.catalog_services(index, wait_s).index
        if index and last and moved == index:
            return last[0]
        # Read after the index was: what changes from here on wakes the next question.
        rows, strays = registered(client), _stray_rows(client)
        last[:] = [Reply([*rows.data, *strays.data], moved, rows.digest + strays.digest)]
        return last[0]

    return ask


def critical(client: Client, now: Callable[[], float]) -> Query:
    """Return the query of what is critical that a watch asks, with what overwrites Consul's own."""
    looked_at, forged = 0.0, Reply[list[Any]]([], 0, "")

    def ask(index: int, wait_s: float) -> Reply[list[Any]]:
        nonlocal looked_at, forged
        rows = client.health_state("critical", index, wait_s, where=_CRITICAL)
        if not index or now() - looked_at >= LOOK_EVERY_S:
            forged, looked_at = overwritten(client), now()
        return Reply([*rows.data, *forged.data], rows.index, rows.digest + forged.digest)

    return ask


def critical_now(client: Client) -> list[Any]:
    """Return the same at this moment."""
    rows: list[Any] = critical(client, lambda: 0.0)(0, 0).data
    return rows


def overwritten(client: Client) -> Reply[list[Any]]:
    """Return the checks that stand where Consul's own should stand, with what gossip says."""
    rows = client.health_checks(SERVICE, where=_OVERWRITTEN)
    if not any(row.get("CheckID") == SERF for row in rows.data):
        return rows
    gossip = {str(m.get("Name")): int(m.get("Status") or 0) for m in client.agent_members()}
    data = [{**row, GOSSIP: gossip.get(str(row.get("Node")), 0)} for row in rows.data]
    said = sorted((str(row["Node"]), row[GOSSIP]) for row in data)
    return replace(rows, data=data, digest=f"{rows.digest}{said}")
