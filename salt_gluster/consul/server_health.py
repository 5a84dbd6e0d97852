"""Judge Consul's servers from two answers of autopilot. Pure.

Autopilot's own verdict is not enough: of a server whose disk is full, and that stores nothing any
more, it says *healthy* until 250 entries of the log are missing there (facts.md#K-2.8). The
engine writes every few seconds, so a server that has not come as far as the leader was at the look
before is behind by the time between the two. One bad look is none: a server that a busy machine
kept waiting is *unhealthy* for two seconds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from salt_gluster.consul.client import Client
from salt_gluster.consul.transport import HttpResponse
from salt_gluster.errors import ConsulError

_PATH = "/v1/operator/autopilot/health"


@dataclass(frozen=True)
class ServerLook:
    """What autopilot said once: the servers' log indexes, and why one is not well, "" = it is."""

    indexes: Mapping[str, int] = field(default_factory=dict)
    wrong: Mapping[str, str] = field(default_factory=dict)
    newest: int = 0


def look(client: Client) -> ServerLook:
    """Ask autopilot; ``ConsulError`` where it does not say."""

    def parsed(response: HttpResponse) -> Any:
        return json.loads(response.body)

    try:
        answer = client.transport.get(parsed, _PATH)
    except ConsulError as err:
        if err.kind != "refused" or client.transport.last.code != 429:  # 429: one is not well
            raise
        answer = json.loads(client.transport.last.body)
    return look_from(answer)


def look_from(answer: Any) -> ServerLook:
    """Read autopilot's answer; one that is none says nothing of any server."""
    rows = answer.get("Servers") if isinstance(answer, Mapping) else None
    indexes, wrong = {}, {}
    for row in rows or ():
        name = str(row.get("Name", ""))
        if name:  # one that is just being forgotten has none
            indexes[name] = int(row.get("LastIndex", 0))
            wrong[name] = "" if row.get("Healthy") else _why(row)
    return ServerLook(indexes, wrong, max(indexes.values(), default=0))


def _why(row: Mapping[str, Any]) -> str:
    if row.get("SerfStatus") != "alive":
        return f"gossip has it as {row.get('SerfStatus')}"
    if row.get("LastContact") == "-1ns":
        return "Consul's leader cannot ask it: its agent hangs, or its certificate is not valid"
    return "Consul's autopilot has it as not healthy"


def judged(before: ServerLook, now: ServerLook) -> dict[str, str]:
    """Return what is wrong with each server, "" = nothing; one that was not seen twice is left out.

    One of before that is gone from the list is left out, too: that is the catalog's matter.
    """
    found = {}
    for name, index in now.indexes.items():
        if name not in before.indexes:
            continue
        lasting = now.wrong[name] if before.wrong[name] else ""
        behind = 0 < before.newest > index and index <= before.indexes[name]
        stores = "it stores nothing any more: is its disk full?" if behind else ""
        found[name] = lasting or stores
    return found
