"""Keep which gluster uuid the master admitted each node with: what identity rests on.

The records stand below ``admitted/``, where only a master's tokens may write. Each master writes
those of its own vault and takes away only what it withdraws. Where there is none no master admits,
as in a Consul that the operator brings.
"""

from __future__ import annotations

from collections.abc import Mapping

from salt_gluster.consul import queries, service
from salt_gluster.consul.catalog import believe
from salt_gluster.consul.client import Client, set_op
from salt_gluster.consul.codec import pack
from salt_gluster.consul.documents import admitted_in
from salt_gluster.consul.keys import Keys
from salt_gluster.consul.service import Member
from salt_gluster.consul.store import Store

#: Of a transaction's 64 operations two are for the counter.
_AT_ONCE = 50


def read(client: Client, cluster: str) -> dict[str, str]:
    """Return minion -> gluster uuid."""
    prefix = Keys(cluster).admitted("")
    return admitted_in(prefix, client.kv_tree(prefix, consistent=True))


def members(client: Client, cluster: str) -> list[Member]:
    """Return the pool's members: as the master admitted them, else as the catalog says."""
    rows = service.members(queries.registered(client, consistent=True).data)
    return believe(rows, cluster, read(client, cluster))[0]


def record(client: Client, cluster: str, nodes: Mapping[str, str]) -> list[str]:
    """Write with which uuid these nodes were admitted where that is not so; return who changed."""
    store = Store(client, cluster)
    before = read(client, cluster)
    new = {minion: uuid for minion, uuid in nodes.items() if uuid and before.get(minion) != uuid}
    ops = [
        set_op(store.keys.admitted(minion), pack({"schema": 1, "uuid": uuid}))
        for minion, uuid in sorted(new.items())
    ]
    for begin in range(0, len(ops), _AT_ONCE):
        store.commit(ops[begin : begin + _AT_ONCE])
    return sorted(new)


def withdraw(client: Client, cluster: str, minion: str) -> None:
    """Take the record of a node away that is none any more."""
    store = Store(client, cluster)
    store.remove(store.keys.admitted(minion), seen=True)
