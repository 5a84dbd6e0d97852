"""Register a node's service in Consul, push its checks, set and end its maintenance.

Only what is ours is touched: the service ``gluster`` and checks that begin with ``gluster:``; an
operator's maintenance only at an operator's request.
Checks are hints that wake a look, never a verdict; whoever decides looks for himself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from salt_gluster.consul.client import Client
from salt_gluster.errors import ConsulError

SERVICE = "gluster"
PORT = 24007
#: The dead man's switch: twice a beat of 60 s and a little (facts.md#K-7.1).
TTL_S = 150
#: Pushed by the node itself; ``port`` is looked at by its agent.
PUSHED = ("bricks", "heal", "space")
#: Critical for as long as the node waits to be one of the pool: nobody gets it from DNS, and it is
#: no fault.
WAITS = "accepted"
STATES = ("passing", "warning", "critical")
#: Consul's own check of a node's agent, by gossip.
SERF = "serfHealth"
#: Consul's own checks that are an operator's stop, of the whole node and of our service; the reason
#: stands in their notes.
NODE_MAINTENANCE = "_node_maintenance"
SERVICE_MAINTENANCE = f"_service_maintenance:{SERVICE}"
#: An output of a check is cut at 4096 bytes (facts.md#K-7.2).
NOTE_BYTES = 4000
#: What Consul takes as the value of a meta key.
_META_BYTES = 512
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True)
class Member:
    """One node as the service's meta tells it. ``uuid`` is gluster's; node names double.

    No part of it, and for a node's own registration alone: ``waits``, why the node is none of the
    pool yet; ``ip``, what DNS answers: a name would be an alias there, and one alias alone.
    """

    uuid: str
    node: str
    minion: str
    cluster: str
    zone: str = ""
    version: str = ""
    op_version: str = ""
    address: str = ""
    waits: str = ""
    ip: str = ""

    def meta(self) -> dict[str, str]:
        """Return the service's meta."""
        return {
            "cluster": self.cluster,
            "peer_uuid": self.uuid,
            "zone": self.zone,
            "minion_id": self.minion,
            "version": self.version,
            "op_version": self.op_version,
        }


def definition(me: Member) -> dict[str, Any]:
    """Return the service with its checks; each begins as passing, or it flaps at every restart."""
    meta = me.meta()
    if not _UUID.fullmatch(me.uuid):
        raise ConsulError(
            f"{me.uuid!r} is not the uuid of a Gluster peer; nothing was registered.",
            kind="no_identity", hint="glusterd must have started once: gluster.identified",
        )  # fmt: skip
    if too_long := [key for key, value in meta.items() if len(value.encode()) > _META_BYTES]:
        raise ConsulError(f"{too_long[0]} is too long for Consul's meta.", kind="too_big")
    port = {
        "CheckID": check_id("port"), "Name": "glusterd accepts", "Status": "passing",
        "TCP": f"{me.address or '127.0.0.1'}:{PORT}", "Interval": "10s", "Timeout": "1s",
        "FailuresBeforeCritical": 2,
    }  # fmt: skip
    pushed = [
        {"CheckID": check_id(name), "Name": f"gluster {name}", "Status": "passing",
         "TTL": f"{TTL_S}s"}
        for name in PUSHED
    ]  # fmt: skip
    waits = {"CheckID": check_id(WAITS), "Name": "gluster accepted", "Status": "critical",
             "TTL": "8760h", "Notes": me.waits}  # fmt: skip
    return {
        "ID": SERVICE, "Name": SERVICE, "Port": PORT, "Address": me.ip or me.address,
        "Meta": meta,
        "Tags": [me.cluster], "Checks": [port, *pushed, *([waits] if me.waits else [])],
    }  # fmt: skip


def check_id(name: str) -> str:
    """Return the id of one of our checks."""
    return f"{SERVICE}:{name}"


def is_own_row(row: Mapping[str, Any]) -> bool:
    """Whether a row is the one that a node registers: of another id there may be any number."""
    return str(row.get("ServiceID") or SERVICE) == SERVICE


def members(rows: list[Any], cluster: str = "") -> list[Member]:
    """Return the members in ``catalog/service/gluster``; those of another cluster left out.

    It is what the rows say, and whoever may write the service writes any row: ``catalog.py`` tells
    who they are.
    """
    nodes = []
    for row in filter(is_own_row, rows):
        meta = row.get("ServiceMeta") or {}
        if not cluster or meta.get("cluster") == cluster:
            nodes.append(
                Member(
                    str(meta.get("peer_uuid", "")), str(row.get("Node", "")),
                    str(meta.get("minion_id", "")), str(meta.get("cluster", "")),
                    str(meta.get("zone", "")), str(meta.get("version", "")),
                    str(meta.get("op_version", "")),
                    str(row.get("ServiceAddress") or row.get("Address") or ""),
                )
            )  # fmt: skip
    return sorted(nodes, key=lambda m: (m.cluster, m.node))


def catalog_rows(rows: list[Any]) -> list[dict[str, Any]]:
    """Return rows of ``health/service`` in the form that ``catalog/service`` has."""
    return [
        {
            "Node": row["Node"]["Node"], "Address": row["Node"].get("Address"),
            "ServiceID": row["Service"].get("ID"),
            "ServiceMeta": row["Service"].get("Meta"),
            "ServiceAddress": row["Service"].get("Address"),
        }
        for row in rows
    ]  # fmt: skip


# --- service and checks --------------------------------------------------------------------------


def difference(client: Client, me: Member) -> dict[str, Any]:
    """Return what registering would change, in a state's form; empty when all is so."""
    wanted = definition(me)
    existing = client.agent_services().get(SERVICE)
    if existing is None:
        return {"service": {"old": None, "new": me.meta()}}
    changes: dict[str, Any] = {}
    before = {str(k): str(v) for k, v in (existing.get("Meta") or {}).items()}
    for key in sorted({*before, *wanted["Meta"]}):
        if before.get(key, "") != wanted["Meta"].get(key, ""):
            changes[key] = {"old": before.get(key), "new": wanted["Meta"].get(key)}
    where = wanted["Address"]
    if (existing.get("Address") or "") != where or int(existing.get("Port") or 0) != PORT:
        changes["address"] = {"old": existing.get("Address"), "new": where}
    have = {c for c, row in client.agent_checks().items() if row.get("ServiceID") == SERVICE}
    ours = {str(c["CheckID"]) for c in wanted["Checks"]}
    have = {c for c in have if c.startswith(f"{SERVICE}:")}
    if have != ours:
        changes["checks"] = {"old": sorted(have), "new": sorted(ours)}
    return changes


def register(client: Client, me: Member, *, again: bool = False) -> dict[str, Any]:
    """Register where something is different; return what changed.

    ``again``: in any case. An agent keeps the token by which a service was registered, and speaks
    to Consul by that for it.
    The states of the checks that a push has set stay: only a changed definition replaces them.
    """
    changes = difference(client, me)
    if changes or again:
        before = client.agent_checks()
        # A check that the definition lacks would be taken away: an operator's stop is one of them.
        stopped = SERVICE_MAINTENANCE in before
        client.service_register(_keeping(definition(me), before), drop=not stopped)
    return changes


def _keeping(wanted: dict[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    for check in wanted["Checks"]:
        status = before.get(check["CheckID"], {}).get("Status")
        if status in STATES:
            check["Status"] = status
    return wanted


def deregister(client: Client) -> bool:
    """Take our service off this agent; return whether it was there."""
    existed = SERVICE in client.agent_services()
    if existed:
        client.service_deregister(SERVICE)
    return existed


# --- an operator's stop --------------------------------------------------------------------------


def maintenance(client: Client) -> dict[str, str]:
    """Return which of Consul's own checks stop this agent's node, with their reasons."""
    checks = client.agent_checks()
    names = (name for name in (NODE_MAINTENANCE, SERVICE_MAINTENANCE) if name in checks)
    return {name: str(checks[name].get("Notes") or "no reason given") for name in names}


def set_maintenance(client: Client, reason: str, *, test: bool = False) -> dict[str, Any]:
    """Put our service on this agent into maintenance; return what changed or would.

    Ours alone: other services of the node are not our business, and our token has no right to the
    node. One that is on stays, with its reason: Consul changes none, and to end it first would
    free the node for a moment.
    """
    if maintenance(client):
        return {}
    if SERVICE not in client.agent_services():
        raise ConsulError(
            "this node is not registered in Consul: there is nothing to put into maintenance.",
            kind="absent", hint="Register it: gluster_consul.registered.",
        )  # fmt: skip
    if not test:
        client.agent_maintenance(reason, SERVICE)
    return {SERVICE_MAINTENANCE: {"old": None, "new": reason}}


def end_maintenance(client: Client, only: str = "", *, test: bool = False) -> dict[str, Any]:
    """End this agent's maintenance, of node and service; return what changed or would.

    ``only`` one that has this reason: what was begun for another one stays.
    """
    reasons = {k: why for k, why in maintenance(client).items() if only in ("", why)}
    for name in reasons if not test else ():
        client.agent_maintenance(None, SERVICE if name == SERVICE_MAINTENANCE else "")
    return {name: {"old": reason, "new": None} for name, reason in reasons.items()}


class Checks:
    """Push the state of a node's checks on change, and on every beat as a sign of life."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._pushed: dict[str, tuple[str, str]] = {}

    def push(self, name: str, status: str, note: str = "", *, beat: bool = False) -> bool:
        """Push one of ``PUSHED``; return whether anything was sent.

        The note alone is no change: text travels every 5 minutes only (facts.md#K-7.2). It goes
        with the next beat.
        """
        if name not in PUSHED or status not in STATES:
            raise ValueError(f"{name}={status}: checks are {PUSHED}, states {STATES}")
        short = note.encode()[:NOTE_BYTES].decode(errors="ignore")
        if not beat and self._pushed.get(name, ("", ""))[0] == status:
            self._pushed[name] = (status, short)
            return False
        self._client.check_update(check_id(name), status, short)
        self._pushed[name] = (status, short)
        return True

    def beat(self) -> None:
        """Push all that were pushed before, as they are: a sign of life."""
        for name, (status, note) in self._pushed.items():
            self._client.check_update(check_id(name), status, note)
