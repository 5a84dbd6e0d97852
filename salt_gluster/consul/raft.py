"""Keep Consul's raft voters and autopilot's ``MinQuorum`` equal to the pool's servers.

Consul keeps a list of its own. A server that has become a client, or has left the pool and runs on,
still votes in it; and how many servers may not be forgotten stays what it was on the first day
(facts.md#K-2.7). A server has to say itself that it leaves: one that others strike out is
back within a minute, for Consul's leader lets in every server whom gossip shows alive.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from salt_gluster.consul.client import Client
from salt_gluster.errors import ConsulError

#: A server waits 5 s until the others count without it, and 5 s for who still asks it.
LEAVE_S = 30.0
_AUTOPILOT = "/v1/operator/autopilot/configuration"
#: Autopilot's own answer on health comes as an error when one server is down, as here it is.
_VOTERS, _MEMBERS, _ALIVE = "/v1/operator/raft/configuration", "/v1/agent/members", 1
#: Who leaves may not come to answer: it ends.
_ENDED = ("cut_off", "timeout")
_READ_ONLY = ("CreateIndex", "ModifyIndex")


def leave(client: Client) -> None:
    """Let the agent that is asked leave and end; ``client`` waits ``LEAVE_S`` and may manage.

    ``ConsulError`` where Consul has no leader: its vote would stay.
    """
    voters(client)
    try:
        client.transport.put(lambda answer: None, "/v1/agent/leave")
    except ConsulError as err:
        if err.kind not in _ENDED:
            raise


def forget_node(client: Client, name: str) -> None:
    """Take an agent that is no more out of gossip and out of the catalog."""
    client.transport.put(lambda answer: None, f"/v1/agent/force-leave/{name}", [("prune", 1)])
    data = json.dumps({"Node": name})
    client.transport.put(lambda answer: None, "/v1/catalog/deregister", data=data)


def voters(client: Client) -> tuple[set[str], set[str]]:
    """Return the names of the voters, and of those that are alive."""
    names = {str(s["Node"]) for s in _asked(client, _VOTERS)["Servers"] if s["Voter"]}
    alive = {str(m["Name"]) for m in _asked(client, _MEMBERS) if m["Status"] == _ALIVE}
    return names, names & alive


def reconcile_voters(
    client: Client, servers: Collection[str], nodes: Collection[str],
    ask: Callable[..., Mapping[str, Any]], *, test: bool,
) -> tuple[dict[str, Any], str]:  # fmt: skip
    """Let Consul's voters follow the servers; return what changed or would, and what is in the way.

    ``ask(minions, function)`` gives what minions return.
    """
    changes = _set_min_quorum(client, len(servers), test=test)
    gone, why = _remove_voter(client, servers, nodes, ask, test=test)
    return changes | gone, why


def _set_min_quorum(client: Client, size: int, *, test: bool) -> dict[str, Any]:
    """Set ``MinQuorum``: autopilot forgets no server of these, and every former one."""
    configuration = _asked(client, _AUTOPILOT)
    before = int(configuration["MinQuorum"])
    if before == size:
        return {}
    if not test:
        wanted = {key: value for key, value in configuration.items() if key not in _READ_ONLY}
        data = json.dumps({**wanted, "MinQuorum": size})
        client.transport.put(lambda answer: None, _AUTOPILOT, data=data)
    return {"servers that Consul never forgets": {"old": before, "new": size}}


def _remove_voter(
    client: Client, servers: Collection[str], nodes: Collection[str],
    ask: Callable[..., Mapping[str, Any]], *, test: bool,
) -> tuple[dict[str, Any], str]:  # fmt: skip
    """Let one server go that is none any more, nor a node; not before all others vote.

    One that is down Consul forgets by itself.
    """
    _, alive = voters(client)
    leaving = sorted(alive - {*servers, *nodes})
    if not leaving or not alive >= set(servers):
        return {}, ""
    name = leaving[0]
    returned = {name: {}} if test else ask([name], "gluster_consul.leave")
    if not isinstance(returned.get(name), Mapping):
        return {}, (
            f"{name} has left gluster: nodes and still is a server of Consul; asked to leave it"
            f" says: {returned.get(name) or 'nothing'}. See docs/consul.md."
        )
    return {f"vote of {name}": {"old": "counts", "new": None}}, ""


def _asked(client: Client, path: str) -> Any:
    return client.transport.get(lambda answer: json.loads(answer.body), path)
