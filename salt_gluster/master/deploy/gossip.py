"""Compare and exchange the gossip key: the vault's, and the one by which Consul's agents encrypt.

A node with an empty data folder starts with the key of its pillar, which is the vault's: where the
others use another it never joins, and nobody says why.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from salt_gluster.consul import keyring
from salt_gluster.consul.client import Client
from salt_gluster.errors import ConsulError, GlusterError
from salt_gluster.master.deploy.secret_store import SecretStore

_CHANGE = "gossip key"
#: What Consul 1.8.7 answers where this machine's agent is a client.
_OF_SERVERS = "must run against a server"
#: The function of a server's minion that does one phase.
FUNCTION = "gluster_consul.exchange_gossip"
#: A member's status in gossip.
_ALIVE = 1
#: For so long one is looked for again that is away: gossip takes a busy agent for dead, and hears
#: it again within seconds.
AGAIN_S, PAUSE_S = 15.0, 1.0

Ask = Callable[..., Mapping[str, Any]]
"""``ask(minions, function, *arguments)`` gives what minions return."""


def follow(kept: SecretStore, client: Client, *, test: bool) -> tuple[dict[str, Any], str]:
    """Take the key into the vault that all agents use; return what changed or would, and why not.

    It differs where an operator has exchanged it with Consul's own program.
    """
    ring = keyring.keyring(client)
    if not ring.in_use:
        return {}, (
            f"Consul's agents encrypt their gossip by {len(ring.primary)} keys: an exchange was"
            " begun and is to be ended (consul keyring -use KEY), then run this again."
        )
    if ring.in_use == kept.secrets().encrypt:
        return {}, ""
    if not test:
        kept.take_gossip_key(ring.in_use)
    return {_CHANGE: {"old": "not the one that Consul uses", "new": "the one that Consul uses"}}, ""


def is_of_servers(err: ConsulError) -> bool:
    """Return whether this machine's agent may not ask for the keys: only a server's may."""
    return _OF_SERVERS in f"{err.text} {err.message}"


def compare(kept: SecretStore, ask: Ask) -> str:
    """Compare the vault's key with the one in use through a server's minion; return what differs.

    The key itself comes to no master that way: an exchange gives all agents a new one.
    """
    try:
        _, ring = _server(kept, ask)
    except GlusterError as err:
        return f"Whether Consul's agents use the gossip key that is kept here is not known: {err}"
    if ring["in_use"] == keyring.fingerprint(kept.secrets().encrypt):
        return ""
    return (
        "Consul's agents encrypt their gossip by another key than the one kept here, with which a"
        " new node would never join: salt-run gluster_consul.exchange_gossip_key gives all of them"
        " a new one."
    )


def exchange(kept: SecretStore, client: Client, ask: Ask, *, test: bool) -> dict[str, Any]:
    """Exchange the key on all agents while they run; return what changed or would.

    Consul takes that on a server only, so a server's minion does it, phase by phase; it has the new
    key in its pillar. Run again it goes on where it was interrupted. ``GlusterError`` of kind
    ``needed`` before anything is done where an agent is away: it would come back with the old key
    alone and never join.
    """
    known = {*(n.name for n in kept.nodes() if n.uuid), *(m.name for m in kept.masters())}
    end = time.monotonic() + AGAIN_S
    while (away := _away(client, known)) and time.monotonic() < end:
        time.sleep(PAUSE_S)
    if away:
        raise _not_exchanged(f"{', '.join(away[:5])} would never join again: the agent is away")
    server, ring = _server(kept, ask)
    while ring["agents"] < len(known) and time.monotonic() < end:
        time.sleep(PAUSE_S)  # the server's agent hears of one later than this machine's
        server, ring = _server(kept, ask)
    _refuse_missing(ring["agents"], len(known))
    done = {_CHANGE: {"old": "in use", "new": "exchanged on all agents"}}
    if test:
        return done
    new = kept.begin_gossip_exchange()
    ring = _phase(server, "install", new, ask)
    _refuse_missing(min(ring["have"], ring["agents"]), max(len(known), ring["agents"]))
    ring = _phase(server, "use", new, ask)
    _refuse_missing(ring["use"], ring["agents"])
    kept.take_gossip_key(new)
    _phase(server, "remove", new, ask)
    kept.end_gossip_exchange()
    return done


def _away(client: Client, known: set[str]) -> list[str]:
    alive = {str(m["Name"]) for m in client.agent_members() if m["Status"] == _ALIVE}
    return sorted(known - alive)


def _server(kept: SecretStore, ask: Ask) -> tuple[str, Mapping[str, Any]]:
    """Return a server whose minion answers for its agent, and how the keys are there."""
    servers = kept.servers()
    returned = ask(list(servers), FUNCTION, "look")
    for name in servers:
        if isinstance(answer := returned.get(name), Mapping):
            return name, answer
    told = "; ".join(f"{n} says: {str(a)[:300]}" for n, a in sorted(returned.items()))
    raise GlusterError(
        f"no minion of Consul's servers ({', '.join(servers)}) tells of the gossip keys. {told}",
        kind="needed", hint="See: salt -L " + ",".join(servers) + f" {FUNCTION} look.",
    )  # fmt: skip


def _phase(server: str, phase: str, new: str, ask: Ask) -> Mapping[str, Any]:
    """Let the server do one phase with this new key; return how it stands then."""
    answer = ask([server], FUNCTION, phase).get(server)
    if not isinstance(answer, Mapping):
        raise _not_exchanged(
            f"the phase {phase} ended on {server} with: {str(answer or 'no answer')[:500]}"
        )
    if answer["new"] != keyring.fingerprint(new):
        raise _not_exchanged(f"the pillar of {server} has another new key than this master")
    return answer


def _refuse_missing(count: int, known: int) -> None:
    if count < known:
        raise _not_exchanged(f"{count} of {known} agents have taken part")


def _not_exchanged(why: str) -> GlusterError:
    return GlusterError(
        f"the gossip key was not exchanged: {why}.", kind="needed",
        hint="No agent has lost the key that it had. See: consul members; who is gone for good"
        " leaves first (docs/consul.md). Then run this again: it goes on.",
    )  # fmt: skip
