"""Take the agent away that was configured here: its service, its configuration, its secrets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from salt_gluster.consul import agent
from salt_gluster.consul.settings import KEPT

Call = Callable[..., Any]


def remove(call: Call, *, test: bool = False) -> dict[str, Any]:
    """Let this machine's agent leave, and take away what it had; return what changed or would.

    ``call`` calls an execution function. Nothing is done to an agent that is not ours. Consul's
    data folder stays.
    """
    if not agent.is_ours():
        return {}
    kept = (agent.FILE, *map(agent.pem, agent.PEMS), Path(KEPT))
    files = [path for path in kept if path.exists()]
    changes: dict[str, Any] = {str(path): {"old": "there", "new": None} for path in files}
    runs = bool(call("service.status", agent.SERVICE))
    if runs:
        changes[agent.SERVICE] = {"old": "running", "new": "left"}
    if test:
        return changes
    mine = agent.configured()
    if runs and mine.get("server"):
        agent.leave_raft(mine, call)  # the one step that may be refused comes first
    elif runs:
        call("service.stop", agent.SERVICE)
    call("service.disable", agent.SERVICE)
    for path in files:
        path.unlink(missing_ok=True)
    return changes
