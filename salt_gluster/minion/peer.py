"""Read the members of the pool, probe and detach one."""

from __future__ import annotations

from typing import Any

from salt_gluster import node, plan
from salt_gluster.gluster.parse.peer import parse_pool_list
from salt_gluster.minion import converge
from salt_gluster.minion.adhoc import run
from salt_gluster.minion.context import Minion
from salt_gluster.minion.query import Data, ask
from salt_gluster.model import Peer, Subject, plain
from salt_gluster.spec import check_host


def peers(minion: Minion) -> list[Data]:
    """Return the members as this node's glusterd sees them; its own row has the minion's name."""
    rows = ask(minion, "pool_list", parse_pool_list)
    return [
        {**plain(p), "name": _name(p, minion), "usable": p.usable}
        for p in sorted(rows, key=lambda p: _name(p, minion))
    ]


def peer_names(minion: Minion) -> list[str]:
    """Return the members' names, this node's own among them."""
    return [row["name"] for row in peers(minion)]


def own_uuid(minion: Minion) -> str | Data | None:
    """Return this node's uuid from its own files, None before it has one."""
    uuid: str | Data | None = plain(node.observe_node(minion.name).uuid)
    return uuid


def _name(peer: Peer, minion: Minion) -> str:
    if not peer.is_self:
        return peer.name
    return minion.pool.address(minion.name) if minion.pool else minion.name


def probe(minion: Minion, host: str) -> dict[str, Any]:
    """Invite a node into this node's pool, with the rules of the pillar where it names the node."""
    check_host(host, "host")
    pool = minion.pool
    node = pool.node_of(host) if pool else None
    if pool is not None and node is not None:
        return run(Subject("peer", host), minion, converge.peer_planner(pool, node))
    nodes = (minion.name, host)
    planner = lambda obs: plan.plan_peer(host, host, obs, nodes=nodes, hosts=nodes)  # noqa: E731
    return run(Subject("peer", host), minion, planner)


def detach(minion: Minion, host: str) -> dict[str, Any]:
    """Take a member out of the pool; one that holds bricks or is away is refused."""
    check_host(host, "host")
    return run(Subject("peer", host), minion, lambda obs: plan.plan_peer_absent(host, obs))
