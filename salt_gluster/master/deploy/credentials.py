"""Return the credentials for the pool's Consul: a node's own for its pillar, the engine's.

Runs with every pillar that Salt compiles for a node: it reads a few files of the secret store,
imports little, and never asks Consul.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from salt_gluster.errors import GlusterError
from salt_gluster.gluster.events import url
from salt_gluster.master.deploy import secret_store
from salt_gluster.master.deploy.secret_store import DATACENTER, AgentCredentials, SecretStore
from salt_gluster.spec import PoolSpec, parse_nodes
from salt_gluster.spec.names import has_globs

#: Where the agent of this machine answers.
OWN_AGENT = "http://127.0.0.1:8500"


#: How the minions are listed whose keys the master has accepted.
Minions = Callable[[], Iterable[str]]


def pool_of(pillar: Mapping[str, Any], minions: Minions = tuple) -> PoolSpec | None:
    """Return who is in the pool that a pillar declares, and where; None without a pool.

    A glob means every minion that Salt has accepted: that is the admission to Consul. Who of them
    is in the pool is decided there.
    """
    body = pillar.get("gluster")
    if not isinstance(body, Mapping) or not body.get("nodes"):
        return None
    return parse_nodes(body, tuple(minions()) if has_globs(body["nodes"]) else ())


def voters(pool: PoolSpec, settled: Iterable[str] = ()) -> PoolSpec:
    """Return those of the pool that may be Consul servers: named, or one of ``settled``.

    At first there may be globs alone and no node accepted: then all of them.
    """
    sure = {*pool.named, *settled}
    return replace(pool, nodes=tuple(n for n in pool.nodes if n in sure) or pool.nodes)


def first_of(pool: PoolSpec) -> str:
    """Return the node that opens the pool in Consul."""
    return (pool.named or pool.nodes)[0]


def for_pillar(
    conf_file: str, minion: str, pillar: Mapping[str, Any], minions: Minions = tuple
) -> dict[str, Any]:
    """Return what is added to a minion's pillar: for a node of a pool with a vault its access."""
    if not isinstance(pillar.get("gluster"), Mapping) or pillar.get("gluster_consul"):
        return {}
    pool = pool_of(pillar, lambda: {minion, *minions()})
    if pool is None or minion not in pool.nodes:
        return {}
    kept = secret_store.of(conf_file, pool.cluster)
    return {} if kept is None else {"gluster_consul": node_credentials(kept, pool, minion)}


def is_known(conf_file: str | Path, minion: str) -> bool:
    """Return whether a minion has been a node of a pool of this master."""
    stores = secret_store.all_of(conf_file)
    with contextlib.suppress(GlusterError):  # no name of a node, or a file that says nothing
        return any(store.known(minion) is not None for store in stores)
    return False


def node_credentials(kept: SecretStore, pool: PoolSpec, minion: str) -> dict[str, Any]:
    """Return what a node may know; a server also the new gossip key while it is exchanged."""
    mine = kept.node(minion, server=minion in kept.servers(voters(pool)))
    tokens = {"agent": mine.agent, "node": mine.node}
    new_key = kept.new_gossip_key() if mine.server else ""
    told = {**_credentials(kept, pool, mine, tokens), "first": first_of(pool), **_webhook(kept)}
    return {**told, "new_gossip_key": new_key} if new_key else told


def _webhook(kept: SecretStore) -> dict[str, Any]:
    """Return where a node posts GlusterFS's events, and the token for it."""
    where = kept.events()
    return {"webhook": {"url": url(*where), "token": kept.secrets().webhook}} if where else {}


def master_credentials(kept: SecretStore, pool: PoolSpec, name: str) -> dict[str, Any]:
    """Return the same for the client agent of a master that is no node of the pool."""
    kept.servers(voters(pool))
    mine = kept.master(name)
    return _credentials(kept, pool, mine, {"agent": mine.agent})


def _credentials(
    kept: SecretStore, pool: PoolSpec, mine: AgentCredentials, tokens: Mapping[str, str]
) -> dict[str, Any]:
    chosen = kept.servers()
    return {
        "cluster": kept.cluster,
        "datacenter": DATACENTER,
        "servers": {name: pool.address(name) for name in chosen},
        "is_server": mine.server,
        "expect": len(chosen),
        "encrypt": kept.secrets().encrypt,
        "tokens": dict(tokens),
        "tls": {"ca": kept.authority().certificate, "cert": mine.cert, "key": mine.key},
    }


def engine_access(conf_file: str | Path, cluster: str = "") -> dict[str, str]:
    """Return how this master reaches the Consul that was deployed for it; {} = there is none."""
    kept = secret_store.of(conf_file, cluster)
    if kept is None:
        return {}
    where = {"address": OWN_AGENT, "token": kept.secrets().engine}
    return {**where, "cluster": kept.cluster}


def events_access(conf_file: str | Path, cluster: str = "") -> dict[str, Any]:
    """Return where this master takes GlusterFS's events, and the token for it; {} = nowhere."""
    kept = secret_store.of(conf_file, cluster)
    where = kept.events() if kept is not None else None
    if kept is None or where is None:
        return {}
    settings = {"address": where[0], "port": where[1], "token": kept.secrets().webhook}
    return {**settings, "cluster": kept.cluster}
