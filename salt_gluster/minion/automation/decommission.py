"""Decommission the Consul agent of a machine that was a node: its vote, service, secrets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from salt_gluster.consul import agent_removal
from salt_gluster.errors import GlusterError

Call = Callable[..., Any]


def leave(credentials: object, call: Call, *, test: bool = False) -> dict[str, Any]:
    """Let this machine's agent leave, and take away what it had; return what changed or would.

    ``credentials`` is what the pillar says of Consul, ``call`` calls an execution function.
    Consul's data folder stays. ``GlusterError`` where the machine still is a node.
    """
    if credentials:
        raise GlusterError(
            "this machine still is a node of the pool: its pillar has its access.", kind="needed",
            hint="Take it out of gluster: nodes first.",
        )  # fmt: skip
    return agent_removal.remove(call, test=test)
