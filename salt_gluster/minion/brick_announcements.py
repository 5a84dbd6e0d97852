"""Announce through Salt's mine which brick directories a node has prepared, and read them.

A create names directories of other nodes; it waits until each of them has announced its own.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from salt_gluster import node

if TYPE_CHECKING:
    from salt_gluster.minion.context import Minion

#: Under this name the mine keeps what a node has announced.
MINE_ALIAS = "salt_gluster_ready"
_READY = "ready bricks"


def announced(minion: Minion) -> dict[str, tuple[str, ...]]:
    """Return the brick paths that nodes have announced, by host name."""
    if not minion.can("mine.get"):
        return {}
    entries = minion.call("mine.get", "*", MINE_ALIAS)
    paths: dict[str, tuple[str, ...]] = {}
    for entry in entries.values() if isinstance(entries, Mapping) else ():
        if isinstance(entry, Mapping):
            for host in entry.get("hosts", ()):
                paths[str(host)] = tuple(str(p) for p in entry.get("paths", ()))
    return paths


def announce(minion: Minion, paths: Iterable[str]) -> None:
    """Announce that these brick paths of this node are ready, unless the mine has them already."""
    before = node.LocalState().get(_READY) or {}
    ready = sorted({*before.get("paths", ()), *paths})
    hosts = sorted({minion.name, minion.address})
    if not minion.can("mine.send") or set(paths) <= set(announced(minion).get(hosts[0], ())):
        return
    node.LocalState().put(_READY, {"paths": ready, "hosts": hosts, "at": time.time()})
    minion.call("mine.send", MINE_ALIAS, mine_function="gluster_brick.ready")


def ready_bricks() -> dict[str, Any]:
    """Return what this node has announced, as the mine keeps it."""
    record = node.LocalState().get(_READY) or {}
    return {"hosts": list(record.get("hosts", ())), "paths": list(record.get("paths", ()))}
