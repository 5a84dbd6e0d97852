"""Undo what ``gluster.setup`` has begun outside the master's configuration.

This machine's Consul agent goes, and so do the webhooks by which the nodes post GlusterFS's events
here. The pool's Consul runs on with its secrets: a pool that has it does not lose it by a command
about one master.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from salt_gluster.consul import agent_removal
from salt_gluster.gluster.events import url
from salt_gluster.master.deploy import rights, secret_store
from salt_gluster.master.deploy.deployment import Master
from salt_gluster.master.deploy.secret_store import SecretStore

#: The state by which a node stops posting to an address.
ABSENT = "gluster_events.webhook_absent"


def remove(master: Master, *, test: bool) -> tuple[dict[str, Any], str]:
    """Return what changed or would, and in sentences what stays and why."""
    kept = secret_store.of(master.conf_file, str(master.configured.get("cluster") or ""))
    if kept is None:
        return {}, ""
    events, left = _webhooks(master, kept, test=test)
    agent, stays = _agent(master, kept, test=test)
    secrets = f"{kept.folder} stays: the secrets of the running Consul."
    return {**events, **agent}, " ".join(filter(None, (left, stays, secrets)))


def _webhooks(master: Master, kept: SecretStore, *, test: bool) -> tuple[dict[str, Any], str]:
    """Take this master's address out of the nodes' webhooks; it is handed out no more first."""
    where = kept.events()
    if where is None:
        return {}, ""
    address = url(*where)
    nodes = [credentials.name for credentials in kept.nodes()]
    change = {f"webhook {address}": {"old": "handed out to the nodes", "new": None}}
    if test:
        return change, ""
    kept.take_no_events()
    returned = master.ask(nodes, "state.single", ABSENT, address) if nodes else {}
    if left := _without(nodes, returned):
        return change, (
            f"{', '.join(left)} did not say that {address} is out of their webhooks; when they are"
            f" there: salt -L {','.join(left)} state.single {ABSENT} {address}"
        )
    return change, ""


def _without(nodes: Sequence[str], returned: Mapping[str, Any]) -> list[str]:
    """Return who has not carried the state out."""

    def is_done(answer: Any) -> bool:
        rows = list(answer.values()) if isinstance(answer, Mapping) else []
        return bool(rows) and all(isinstance(r, Mapping) and r.get("result") for r in rows)

    return [name for name in nodes if not is_done(returned.get(name))]


def _agent(master: Master, kept: SecretStore, *, test: bool) -> tuple[dict[str, Any], str]:
    if master.minion and kept.known(master.minion) is not None:
        return {}, f"Consul's agent here stays: it is that of the node {master.minion}."
    if master.is_root:
        return agent_removal.remove(master.call(), test=test), ""
    returned = master.ask([master.minion], rights.LEAVE, test) if master.minion else {}
    answer = returned.get(master.minion)
    if isinstance(answer, Mapping) and "changes" in answer:
        return dict(answer["changes"]), ""
    return {}, rights.as_root(rights.LEAVE) + "."
