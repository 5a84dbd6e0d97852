"""Compare and exchange the gossip key: the vault's, and the one by which Consul's agents encrypt.

A node with an empty data folder starts with the key of its pillar, which is the vault's: where the
others use another it never joins, and nobody says why.
"""

from __future__ import annotations

import base64
import secrets
from typing import Any

from salt_gluster.consul import keyring
from salt_gluster.consul.client import Client
from salt_gluster.errors import ConsulError, GlusterError
from salt_gluster.master.deploy.secret_store import SecretStore

_CHANGE = "gossip key"
#: What Consul 1.8.7 answers where this machine's agent is a client.
_OF_SERVERS = "must run against a server"


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


def by_hand() -> GlusterError:
    """Return the refusal of an exchange from a master whose agent is a client."""
    return GlusterError(
        "the gossip key was not exchanged: Consul takes that on its servers only, and this"
        " machine's agent is none.", kind="needed",
        hint="By hand, on a server: docs/consul.md, *Exchanging the gossip key*.",
    )  # fmt: skip


def exchange(kept: SecretStore, client: Client, *, test: bool) -> dict[str, Any]:
    """Exchange the key on all agents while they run; return what changed or would.

    ``GlusterError`` of kind ``needed`` before anything is done where an agent is away: it would
    come back with the old key alone and never join.
    """
    changes, why = follow(kept, client, test=test)
    ring = keyring.keyring(client)
    known = len([n for n in kept.nodes() if n.uuid]) + len(kept.masters())
    if why or ring.agents < known:
        why = (
            why or f"{ring.agents} of {known} agents answer, and one that is away would never join"
        )
        raise GlusterError(f"the gossip key was not exchanged: {why}.", kind="needed",
                           hint="See: consul members. Who is gone for good leaves first"
                           " (docs/consul.md).")  # fmt: skip
    done = {_CHANGE: {"old": "in use", "new": "exchanged on all agents"}}
    if test:
        return {**changes, **done}
    new = base64.b64encode(secrets.token_bytes(32)).decode()
    keyring.install(client, new)
    if keyring.keyring(client).keys.get(new) != ring.agents:
        raise GlusterError(
            "not every agent has taken the new key; the old one stays in use.", kind="needed",
            hint="See: consul members, and run this again.",
        )  # fmt: skip
    keyring.use(client, new)
    kept.take_gossip_key(new)  # gluster.setup does it where this process ends here
    for old in ring.keys:
        keyring.remove(client, old)
    return done
