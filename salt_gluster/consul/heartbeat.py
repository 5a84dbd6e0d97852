"""Write and read the leader's heartbeat and the mark of our last change of the pool.

By them a reader knows how old a node's report is without believing the node's clock. The leader
writes its time every few seconds: its *heartbeat* (key ``pulse``). Whatever of ours changes the
pool marks it in one key. A node reads both before it looks at itself, and its report keeps them as
its *watermark*: what it saw is no older than that heartbeat, and it saw that change.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from salt_gluster.consul.client import Client, Entry, Op, set_op
from salt_gluster.consul.codec import unpack
from salt_gluster.consul.keys import Keys
from salt_gluster.consul.store import Store
from salt_gluster.errors import ConsulError, Unreadable
from salt_gluster.model import read_as


@dataclass(frozen=True)
class _Heartbeat:
    by: str
    at: float


def heartbeat_op(keys: Keys, by: str, now: float) -> Op:
    """Return the write of a heartbeat; ``now`` is the leader's time before it."""
    return set_op(keys.heartbeat, json.dumps({"schema": 1, "by": by, "at": now}).encode())


def heartbeat(entry: Entry | None) -> dict[str, Any]:
    """Return a heartbeat, ``by`` and ``at``; empty where there is none that can be read."""
    try:
        if entry is None:
            return {}
        return asdict(read_as(_Heartbeat, unpack(entry.value), "it"))
    except (ConsulError, Unreadable):
        return {}


def change_op(keys: Keys, by: str, now: float) -> Op:
    """Return the write that marks a change of ours: reports from before it are not the pool."""
    return set_op(keys.changed, json.dumps({"by": by, "at": now}).encode())


def mark_change(client: Client, keys: Keys, by: str, now: float) -> None:
    """Mark a change of ours."""
    client.txn([change_op(keys, by, now)])


def last_change(entry: Entry | None) -> int:
    """Return Consul's index of the last change of ours; 0 = there was none."""
    return entry.modify_index if entry is not None else 0


def watermark(store: Store) -> dict[str, Any]:
    """Return what a report keeps as ``after``: to be read before the node is looked at."""
    keys = store.keys
    entries = store.trees([keys.heartbeat, keys.changed])
    pulse, changed = (
        _exact(entries[keys.heartbeat], keys.heartbeat),
        _exact(entries[keys.changed], keys.changed),
    )
    return {**heartbeat(pulse), "changed": last_change(changed)}


def _exact(entries: Iterable[Entry], key: str) -> Entry | None:
    return next((entry for entry in entries if entry.key == key), None)
