"""How a reader knows how old a node's report is without believing the node's clock.

The leader writes its time every few seconds: its *pulse*. Whoever of us has changed the pool says
so in one key. A node reads both before it looks at itself, and its report keeps them: what it saw
is no older than that pulse, and it saw that change.
"""

from __future__ import annotations

import json
from typing import Any

from salt_gluster.consul.client import Client, Op, set_op
from salt_gluster.consul.keys import Keys

#: The engine's loop comes by every 7-10 s, and then writes it.
PULSE_S = 5.0


def pulse_op(keys: Keys, by: str, now: float) -> Op:
    """Return the write of a pulse; ``now`` is the leader's time before it."""
    return set_op(keys.pulse, json.dumps({"schema": 1, "by": by, "at": now}).encode())


def pulse(client: Client, keys: Keys) -> dict[str, Any]:
    """Return the last pulse, ``by`` and ``at``; empty where there is none that can be read."""
    entry = client.kv_get(keys.pulse)
    try:
        said = json.loads(entry.value) if entry is not None else {}
        return {"by": str(said["by"]), "at": float(said["at"])} if said else {}
    except (ValueError, KeyError, TypeError):
        return {}


def note_change(client: Client, keys: Keys, by: str, now: float) -> None:
    """Say that the pool was changed: a report of who looked before is not the pool any more."""
    client.kv_put(keys.changed, json.dumps({"by": by, "at": now}))


def last_change(client: Client, keys: Keys) -> int:
    """Return Consul's index of the last change of ours; 0 = there was none."""
    entry = client.kv_get(keys.changed)
    return entry.modify_index if entry is not None else 0


def before_look(client: Client, keys: Keys) -> dict[str, Any]:
    """Return what a report keeps as ``after``; to be read before the look begins."""
    return {**pulse(client, keys), "changed": last_change(client, keys)}
