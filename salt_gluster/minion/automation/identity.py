"""Say who this node is, as the master asks before it admits it to the pool's own Consul."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from salt_gluster import node
from salt_gluster.consul.admission_proof import proof
from salt_gluster.consul.settings import KEPT, access
from salt_gluster.model import is_known


def proven(name: str, nonce: str, kept: str | Path | None = None) -> dict[str, Any]:
    """Return uuid and proof; both are empty where this node has none.

    Only the token that the highstate wrote counts, in ``kept`` or its usual file: the master has
    that one.
    """
    uuid = node.observe_node(name).uuid
    own = str(uuid) if is_known(uuid) and uuid else ""
    token = access({}, {}, kept or KEPT).token
    return {"uuid": own, "proof": proof(token, name, own, nonce) if token and own else ""}
