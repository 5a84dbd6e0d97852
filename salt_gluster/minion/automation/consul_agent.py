"""The Consul agent of a node, as the state ``gluster_consul.agent`` declares it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from salt_gluster import node
from salt_gluster.consul.agent import ensure, existing, is_ours, keep_access
from salt_gluster.minion.context import Minion
from salt_gluster.render import state_dict

#: What a pool without automation is told.
NONE = "no Consul: nothing watches this pool. For that run salt-run gluster.setup on the master"


AWAY = "the Consul that this node was registered in does not answer; it is not made here"


#: What a node keeps once it is registered (``registration.py``).
_REGISTERED = "consul"


LEFT = "the agent is left as it is: the pillar does not tell of it"


def deployed(name: str, minion: Minion, credentials: Mapping[str, Any] | None) -> dict[str, Any]:
    """Ensure this node's agent where the master deploys one; return a state's dict."""
    changes: dict[str, Any] = {}
    existing_consul = existing(minion.consul)
    if credentials and credentials.get("address") and not minion.consul:
        changes = keep_access(credentials, test=minion.test)
        comment = f"the pillar names a Consul at {credentials['address']}"
    elif existing_consul:
        comment = f"an existing Consul is used: {existing_consul}"
    elif not credentials:
        comment = LEFT if is_ours() else AWAY if node.LocalState().get(_REGISTERED) else NONE
    else:
        where = minion.candidate().address(minion.name)
        changes = ensure(
            credentials, minion.call, name=minion.name, address=where, test=minion.test
        )
        changes |= keep_access(credentials, test=minion.test)
        role = "server" if credentials["is_server"] else "client"
        comment = f"the Consul agent runs as a {role} of {len(credentials['servers'])}"
    would = bool(changes) and minion.test
    comment = f"would change: {', '.join(changes)}" if would else comment
    return state_dict(name, None if would else True, changes, comment)
