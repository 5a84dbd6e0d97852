"""Exchange the secrets of the pool's nodes while everything runs.

New ones are made and granted beside the former, each node takes them from its pillar, and only of a
node that was seen with the new ones the former go. One that is away keeps its own, and is named.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from salt_gluster.consul.acl import revoke_secret
from salt_gluster.consul.keyring import fingerprint
from salt_gluster.errors import GlusterError
from salt_gluster.master.deploy import deployment, gossip, secret_store
from salt_gluster.master.deploy.secret_store import SecretStore

#: The function of a node that takes what its pillar has.
TAKE = "gluster_consul.take_secrets"
_GOSSIP = ""


def exchange_secrets(
    conf_file: str, cluster: str, ask: gossip.Ask, *, test: bool
) -> tuple[dict[str, Any], dict[str, str]]:
    """Exchange gossip key, tokens and certificates of all nodes; return what changed, what is left.

    What is left says why; run again it goes on with that alone.
    """
    kept = secret_store.of(conf_file, cluster)
    if kept is None:
        raise GlusterError("no Consul was prepared by this master.", kind="absent",
                           hint="salt-run gluster.setup prepares one.")  # fmt: skip
    if test:
        names = [node.name for node in kept.nodes() if node.uuid]
        return {name: _change() for name in ("gossip key", *names)}, {}
    pending = kept.begin_exchange()
    nodes = [name for name in pending if name != _GOSSIP and kept.known(name) is not None]
    changes, left = _exchange_nodes(kept, nodes, ask)
    if _GOSSIP in pending:
        try:
            changes |= deployment.exchange_gossip_key(conf_file, cluster, ask, test=False)
        except GlusterError as err:
            left["gossip key"] = str(err)
    kept.end_exchange([_GOSSIP if name == "gossip key" else name for name in left])
    return changes, left


def _exchange_nodes(
    kept: SecretStore, names: list[str], ask: gossip.Ask
) -> tuple[dict[str, Any], dict[str, str]]:
    renewed = {name: mine for name in names if (mine := kept.renew(name)) is not None}
    deployment.grant_agents_and_nodes(kept, list(renewed.values()))
    answers = ask(list(renewed), TAKE) if renewed else {}
    changes: dict[str, Any] = {}
    left: dict[str, str] = {}
    with deployment.management(kept) as client:
        for name, mine in renewed.items():
            answer = answers.get(name)
            wanted = {"agent": fingerprint(mine.agent), "node": fingerprint(mine.node)}
            if not isinstance(answer, Mapping) or dict(answer) != wanted:
                left[name] = _why(answer)
                continue
            for secret in mine.former:
                revoke_secret(client, secret)
            kept.settle(name)
            changes[name] = _change()
    return changes, left


def _why(answer: object) -> str:
    if answer is None:
        return "its minion does not answer: the former tokens stay valid"
    if isinstance(answer, Mapping):
        return "it uses other tokens than its new ones: the former stay valid"
    return f"it says: {str(answer)[:500]}. The former tokens stay valid"


def _change() -> dict[str, str]:
    return {"old": "in use", "new": "exchanged"}
