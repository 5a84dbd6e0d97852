"""What people say to automation, through Consul: the master's side, without minions.

Whoever leads reads it there. Nothing is decided here, and nothing is read that may be another
pool's: without the canary neither an answer nor a missing key proves anything.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from salt_gluster.consul import service
from salt_gluster.consul.canary import FileMarker
from salt_gluster.consul.client import Client, connect
from salt_gluster.consul.keys import Keys
from salt_gluster.consul.store import Document, Store
from salt_gluster.errors import ConsulError, GlusterError, NotFound
from salt_gluster.master.deploy.credentials import engine_access
from salt_gluster.model import Unknown
from salt_gluster.remediation.operations import (
    REJECTED_BY,
    Happened,
    Life,
    Operation,
    moved,
    operation_from,
)

#: How long an agent may take for an answer to a person.
TIMEOUT_S = 5.0
#: Proposals that a person can still decide about.
WAITING = (Life.WAITING, Life.APPROVED)
_ALONE = (
    "Say where it is in the master's configuration: gluster_consul: {address: …}; without it the"
    " agent of this machine is asked."
)


def configured(opts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the configuration says: what the engine was given goes over the rest."""
    said = dict(opts.get("gluster_consul") or {})
    said.update({k: v for k, v in (_of_engine(opts) or {}).items() if v})
    return said


def settings_of(opts: Mapping[str, Any]) -> dict[str, Any]:
    """Return how to reach Consul: as configured, else the one that was deployed for this master.

    A minion that shares the machine has an access of its own and gets nothing from the vault.
    """
    said = configured(opts)
    named = said.get("address") or said.get("token") or os.environ.get("CONSUL_HTTP_ADDR")
    if named or opts.get("__role") != "master" or not opts.get("conf_file"):
        return said
    return {**engine_access(opts["conf_file"], str(said.get("cluster") or "")), **said}


def _of_engine(opts: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what the engine is given; None where there is none."""
    engines = opts.get("engines") or []
    for entry in [engines] if isinstance(engines, Mapping) else engines:
        if entry == "gluster_consul":
            return {}
        if isinstance(entry, Mapping) and "gluster_consul" in entry:
            return dict(entry["gluster_consul"] or {})
    return None


def find(opts: Mapping[str, Any]) -> Desk | GlusterError | None:
    """Return the pool in Consul, or why not; None where nobody said that it is there, and is not.

    For what works without Consul as well.
    """
    try:
        return Desk(settings_of(opts))
    except GlusterError as err:
        quiet = err.kind in ("unreachable", "absent", "no_library")
        said = opts.get("gluster_consul") is not None or _of_engine(opts) is not None
        return None if quiet and not said else err


def name_of(typed: Any) -> str:
    """Return an id as it was typed: Salt's command line makes a number of one of digits alone."""
    return f"{typed:016d}" if isinstance(typed, int) and typed > 999 else str(typed)


class Desk:
    """One pool's people before its Consul; raises ``ConsulError`` where there is nothing to ask."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        *,
        now: Callable[[], float] = time.time,
        marker: FileMarker | None = None,
    ) -> None:
        self.now = now
        self._marker = marker or FileMarker()
        self.client: Client = connect(settings, timeout_s=TIMEOUT_S)
        try:
            self.cluster = self._cluster(str(settings.get("cluster") or ""))
        except ConsulError as err:
            if err.kind != "unreachable" or settings.get("address"):
                raise
            raise ConsulError(err.message, kind=err.kind, text=err.text, hint=_ALONE) from err
        self.store = Store(self.client, self.cluster)

    def _cluster(self, named: str) -> str:
        """Return the pool's name: as configured, ``main``, or the only one that there is."""
        wanted = named or "main"
        if self.client.kv_get(Keys(wanted).canary) is not None:
            return wanted
        there = self._clusters()
        if len(there) == 1 and not named:
            return there[0]
        if self._marker.seen(wanted):
            raise ConsulError(
                f"Consul has lost what the pool {wanted} had written there: the canary is gone.",
                kind="wiped", hint="Restore a snapshot; see gluster_consul.registered.",
            )  # fmt: skip
        others = f" It knows {', '.join(there)}: gluster_consul: {{cluster: …}}." if there else ""
        raise ConsulError(
            f"Consul knows no pool {wanted}, or the token has no right to read it.", kind="absent",
            hint="Its nodes register with the state gluster_consul.registered." + others,
        )  # fmt: skip

    def _clusters(self) -> list[str]:
        """Return the pools that Consul knows, as far as the token may see them."""
        try:
            keys = self.client.kv_keys("gluster/")
        except ConsulError as err:
            if err.kind != "forbidden":
                raise
            return []  # it is for one pool alone
        return sorted({k.split("/")[1] for k in keys if k.endswith("/canary")})

    def close(self) -> None:
        """Give the connections back."""
        self.client.close()

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def members(self) -> list[service.Member]:
        """Return the pool's members as Consul's catalog has them."""
        rows = self.client.catalog_service(service.SERVICE, consistent=True).data
        return service.members(rows, self.cluster)

    # --- what people say -------------------------------------------------------------------------

    def acknowledge(self, what: str, by: str) -> dict[str, Any]:
        """Write that a person has looked at the pool, a node or an operation."""
        subject, words = self._subject(what)
        self.store.acknowledge(subject, by, self.now())
        return {"acknowledged": words, "by": by, "pool": self.cluster}

    def _subject(self, what: str) -> tuple[str, str]:
        if what in ("", self.cluster):
            return self.cluster, f"what was done by hand in the pool {self.cluster}"
        for member in self.members():
            if what in (member.uuid, member.node, member.minion):
                return member.uuid, f"node {member.minion or member.node}"
        if self.store.operation(what) is not None:
            return what, f"operation {what}"
        raise NotFound(
            f"{what} is neither a node in Consul's catalog nor an operation.", kind="not_found",
            hint="See: salt-run gluster_remediation.journal, salt '*' gluster_consul.members.",
        )  # fmt: skip

    def approve(self, name: str, by: str) -> dict[str, Any]:
        """Say yes to this very proposal; it is carried out once every guard still says yes.

        A node that is proposed is one of the pool from now on.
        """
        if (node := self._newcomer(name)) is not None:
            return self._accept(*node, by)
        document, op = self._waiting(name)
        if op.state is Life.APPROVED:
            said = op.evidence.get("approved_by") or "somebody"
            return {"approved": name, "brick": op.brick, "then": f"{said} said so before"}
        after = moved(op, Happened.APPROVE, self.now()).operation
        self._decided(document, after, {"approved_by": by, "approved_at": self.now()})
        then = "it is carried out when every guard still says yes: gluster_remediation.journal"
        return {"approved": name, "brick": op.brick, "by": by, "then": then}

    def reject(self, name: str, by: str, reason: str) -> dict[str, Any]:
        """Say no: it is closed, and the same thing is not proposed again.

        Of a node that was accepted before, that is taken back; nothing is done to the node itself.
        """
        if (node := self._newcomer(name)) is not None:
            self.store.reject_node(*node, by, self.now(), reason)
            then = "nothing is done to it; it may be approved later all the same"
            return {"rejected": node[0], "node": node[1], "by": by, "then": then}
        document, op = self._waiting(name)
        after = moved(op, Happened.REJECT, self.now()).operation
        why = f"{by} said no" + (f": {reason}" if reason else "")
        self._decided(document, replace(after, why=why), {REJECTED_BY: by})
        return {"rejected": name, "brick": op.brick, "by": by, "then": "nothing will be done"}

    def newcomers(self) -> list[Mapping[str, Any]]:
        """Return the nodes that the leader proposes and that nobody has decided about since."""
        told = self.store.read(self.store.keys.status)
        rows = [] if told is None else told.data.get("proposed", ())
        decided = {*self.store.accepted(), *self.store.rejected()} if rows else set()
        return [row for row in rows if row["name"] not in decided]

    def _newcomer(self, name: str) -> tuple[str, str] | None:
        """Return name and uuid of a node that a glob means: proposed, accepted or rejected."""
        keys = self.store.keys
        for row in self.newcomers():
            if name in (row["name"], row["uuid"]):
                return row["name"], row["uuid"]
        for key in (keys.accepted(name), keys.rejected(name)):
            if (entry := self.client.kv_get(key)) is not None:
                return name, uuid_in(entry.value)
        return None

    def _accept(self, minion: str, uuid: str, by: str) -> dict[str, Any]:
        done = {"approved": minion, "node": uuid}
        if (before := self.store.accepted().get(minion)) is not None:
            return {**done, "then": f"{before or 'somebody'} said so before"}
        self.store.remove(self.store.keys.rejected(minion), seen=True)
        self.store.accept_node(minion, uuid, by, self.now())
        then = f"the next highstate of {minion} and of the others takes it in: state.apply gluster"
        return {**done, "by": by, "then": then}

    def _waiting(self, name: str) -> tuple[Document, Operation]:
        """Return a proposal that somebody can decide about, or say why not and what to do."""
        found = self.store.read(self.store.keys.proposal(name))
        if self.store.operation(name) is not None:
            raise GlusterError(f"{name} is being carried out, or was.", kind="too_late",
                               hint="See: salt-run gluster_remediation.journal.")  # fmt: skip
        if found is None:
            known = parsed(self.store.proposals())
            there = [p.id for p in known if isinstance(p, Operation) and p.state in WAITING]
            there += [str(row["name"]) for row in self.newcomers()]
            raise NotFound(f"there is no proposal {name}.", kind="not_found",
                           hint=f"Waiting are: {', '.join(there) or 'none'}.")  # fmt: skip
        op = operation_from(found.data)
        if op.state not in WAITING:
            raise GlusterError(f"the proposal {name} is {op.state.value}: {op.why}.",
                               kind="too_late", hint="See: salt-run"
                               " gluster_remediation.proposals.")  # fmt: skip
        return found, op

    def _decided(self, document: Document, after: Operation, who: Mapping[str, Any]) -> None:
        data = replace(after, evidence={**after.evidence, **who}).to_data()
        try:
            self.store.write(document.key, data, cas=document.index, seen=True)
        except ConsulError as err:
            if err.kind != "conflict":
                raise
            raise ConsulError(f"the proposal {after.id} has just changed; nothing was written.",
                              kind="conflict", hint="Look at it again: salt-run"
                              " gluster_remediation.proposals.") from err  # fmt: skip


def uuid_in(value: bytes) -> str:
    """Return the uuid in what was written of a node, "" where a person left it out."""
    try:
        return str(json.loads(value).get("uuid", ""))
    except (ValueError, AttributeError):
        return ""


def parsed(documents: Iterable[Document | Unknown]) -> Iterator[Operation | Unknown]:
    """Yield the operations in documents; one that cannot be read is an ``Unknown``."""
    for document in documents:
        if isinstance(document, Unknown):
            yield document
            continue
        try:
            yield operation_from(document.data)
        except GlusterError as err:
            yield Unknown(f"{document.name}: {err}")
