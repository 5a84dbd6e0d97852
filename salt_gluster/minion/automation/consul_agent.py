"""The Consul agent of a node, as the state ``gluster_consul.agent`` declares it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from salt_gluster import node
from salt_gluster.consul.agent import ensure, existing, is_ours, keep_access
from salt_gluster.minion.context import Minion
from salt_gluster.node.certificates import validity
from salt_gluster.node.clock import local_datetime
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
        if why := _not_valid_now(credentials, minion.driver().now()):
            return state_dict(name, False, {}, why)
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


def _not_valid_now(credentials: Mapping[str, Any], now: float) -> str:
    """Say which certificate of the pillar does not count by this node's clock; "" = all do."""
    tls = credentials.get("tls") or {}
    for kind, what in (("ca", "authority of the pool"), ("cert", "certificate of this agent")):
        try:
            begins, ends = validity(str(tls.get(kind, "")))
        except ValueError:
            continue  # the agent itself refuses it
        if now < begins:
            return (
                f"the {what} counts only from {local_datetime(begins)} on, and by this node's clock"
                f" it is {local_datetime(now)}: no other agent would be believed. If this clock is"
                " back, set it right (timedatectl) and apply this again; else the master's was"
                " ahead when it was made: salt-run gluster.setup there says what to do"
            )
        if now > ends:
            return (
                f"the {what} has ended, {local_datetime(ends)}, by this node's clock"
                f" ({local_datetime(now)}): is the clock ahead? Else salt-run gluster.setup on the"
                " master says what to do"
            )
    return ""
