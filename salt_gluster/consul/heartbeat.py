"""Write and read the leader's heartbeat and the mark of our last change of the pool.

By them a reader knows how old a node's report is without believing the node's clock. The leader
writes its time every few seconds: its *heartbeat* (key ``pulse``). Whatever of ours changes the
pool marks it in one key. A node reads both before it looks at itself, and its report keeps them as
its *watermark*: what it saw is no older than that heartbeat, and it saw that change.

Each node marks its own changes in a key of its own. One that marks again and again would keep all
others looking and every screen asking: the heartbeat names such nodes, and their marks count for
nothing (``master/engine/change_marks.py``).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
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
    ignored: tuple[str, ...] = ()


def heartbeat_op(keys: Keys, by: str, now: float, ignored: Iterable[str] = ()) -> Op:
    """Return the write of a heartbeat; ``now`` is the leader's time before it.

    ``ignored`` are the uuids of nodes whose marks of a change count for nothing.
    """
    pulse = {"schema": 1, "by": by, "at": now, "ignored": sorted(ignored)}
    return set_op(keys.heartbeat, json.dumps(pulse).encode())


def heartbeat(entry: Entry | None) -> dict[str, Any]:
    """Return a heartbeat, ``by``, ``at`` and ``ignored``; empty where none can be read."""
    try:
        if entry is None:
            return {}
        return asdict(read_as(_Heartbeat, unpack(entry.value), "it"))
    except (ConsulError, Unreadable):
        return {}


def change_op(keys: Keys, by: str, now: float, uuid: str = "") -> Op:
    """Return the write that marks a change of ours: reports from before it are not the pool.

    ``uuid`` is the node that made it, "" = an operator on a master.
    """
    key = keys.change_of(uuid) if uuid else keys.changed
    return set_op(key, json.dumps({"by": by, "at": now}).encode())


def mark_change(client: Client, keys: Keys, by: str, now: float, uuid: str) -> None:
    """Mark a change that this node has made."""
    client.txn([change_op(keys, by, now, uuid)])


def marks(keys: Keys, entries: Iterable[Entry]) -> dict[str, Entry]:
    """Return the marks among these entries by the node's uuid; "" is an operator's."""
    below = keys.change_of("")
    return {
        "" if e.key == keys.changed else e.key[len(below) :]: e
        for e in entries
        if e.key == keys.changed or e.key.startswith(below)
    }


def last_change(keys: Keys, entries: Iterable[Entry], ignored: Collection[str]) -> int:
    """Return Consul's index of the last change of ours that counts; 0 = there was none."""
    known = marks(keys, entries)
    return max((e.modify_index for u, e in known.items() if u not in ignored), default=0)


def watermark(store: Store) -> dict[str, Any]:
    """Return what a report keeps as ``after``: to be read before the node is looked at."""
    keys = store.keys
    entries = store.trees([keys.heartbeat, keys.changed])
    pulse = heartbeat(_exact(entries[keys.heartbeat], keys.heartbeat))
    ignored = pulse.pop("ignored", ())
    return {**pulse, "changed": last_change(keys, entries[keys.changed], ignored)}


def _exact(entries: Iterable[Entry], key: str) -> Entry | None:
    return next((entry for entry in entries if entry.key == key), None)
