"""Register this node in Consul: service, checks and report, after its declaration.

What stands where in Consul is ``consul/``'s; nothing is decided from what is read there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from ipaddress import ip_address
from typing import Any, TypeVar

from salt_gluster import node
from salt_gluster.consul import admitted, agent, canary, service
from salt_gluster.consul.canary import FileMarker
from salt_gluster.consul.client import Client, connect
from salt_gluster.consul.leader_lock import current_leader
from salt_gluster.consul.store import Store
from salt_gluster.errors import ConsulError, GlusterError
from salt_gluster.minion import report as minion_report
from salt_gluster.minion.automation import consul_agent
from salt_gluster.minion.automation.publish import collect_and_publish
from salt_gluster.minion.context import RECORD, Minion
from salt_gluster.minion.submit import submit
from salt_gluster.model import is_known
from salt_gluster.remediation import salt_events
from salt_gluster.render import state_dict, state_error

T = TypeVar("T")

#: How long a node waits for a new Consul and for the master's admission, and how often it asks.
ADMIT_S = 90.0
ASK_S = 5.0
#: How long it waits in a Consul that was there before for the first of ``nodes``.
FIRST_S = 30.0
#: Kinds of error that say nothing about this node: Consul itself is away, or not there yet.
_SILENT = ("unreachable", "timeout", "cut_off", "no_leader", "server_error", "stale")


class NodeRegistration:
    """Service, checks and report of this node. ``settings``: Salt's ``gluster_consul``."""

    def __init__(self, minion: Minion, settings: Mapping[str, Any] | None, first: str = "") -> None:
        self._minion = minion
        self.pool = minion.declared()
        #: Who opens the pool in Consul: where globs alone are written the master says it.
        self.first = first or next(iter(self.pool.named), "")
        self.client: Client = connect(settings or {})
        self._marker = FileMarker()

    def member(self) -> service.Member:
        """Return this node; ``ConsulError`` of kind ``no_identity`` before its glusterd had one."""
        minion, pool = self._minion, self._minion.candidate()
        uuid = node.observe_node(minion.name).uuid
        version = minion.driver().version()
        return service.Member(
            uuid if is_known(uuid) and uuid else "",
            "",
            minion.name,
            pool.cluster,
            pool.zone(minion.name),
            version if is_known(version) else "",
            self._op_version(),
            pool.address(minion.name),
            self._waits(),
            ip_of(pool.address(minion.name), getattr(load_registration(), "ip", "")),
        )

    def _waits(self) -> str:
        """Say why this node is none of the pool yet; where that is not known it is as it was."""
        before = load_registration() if self._minion.unsure else None
        return self._minion.waits if before is None else before.waits

    def _op_version(self) -> str:
        try:
            return str(minion_report.op_version(self._minion))
        except GlusterError:
            return ""  # glusterd is down: a node is registered all the same

    def register(self, *, test: bool) -> dict[str, Any]:
        """Register the service and make the canary; return what changed or would.

        ``ConsulError`` of kind ``wiped`` before anything is changed.
        """
        me = self.member()
        state = self._canary(may_create=False)
        changes = (service.difference if test else service.register)(self.client, me)
        first = self.first == self._minion.name
        if state == "absent" and first and not test:
            state = self._canary(may_create=True)
        if state == "created" or (state == "absent" and first):
            changes["canary"] = {"old": None, "new": self.pool.cluster}
        if state in ("seen", "created") and not test:
            self._marker.remember(self.pool.cluster)
        if not test:
            save_registration(me)
        return changes

    def is_open(self) -> bool:
        """Return whether the first of ``nodes`` has made the canary; no answer is "not yet"."""
        try:
            seen = self._canary(may_create=False) == "seen"
        except ConsulError as err:
            if err.kind == "wiped":
                raise
            return False
        if seen:
            self._marker.remember(self.pool.cluster)
        return seen

    def _canary(self, *, may_create: bool) -> str:
        cluster = self.pool.cluster
        marker = self._marker.seen(cluster)
        state = canary.canary(self.client, cluster, marker=marker, may_create=may_create)
        if state == "wiped":
            raise ConsulError(
                "Consul has lost what this pool had written there: the canary is gone.",
                kind="wiped",
                hint="Restore a snapshot; or, if it was emptied on purpose, remove"
                f" /var/lib/salt-gluster/canary-{cluster} on every node.",
            )
        return state

    def report(self) -> dict[str, Any]:
        """Write this node's own report, and what its bricks are while they are well; return it."""
        store = Store(self.client, self.pool.cluster)
        return collect_and_publish(self._minion.driver(), store, self.member())

    def members(self) -> list[dict[str, str]]:
        """Return the pool's members: as the master admitted them, else as the catalog says."""
        return [asdict(m) for m in admitted.members(self.client, self.pool.cluster)]

    def leader(self) -> dict[str, Any]:
        """Return who leads the automation, and Consul."""
        lead = current_leader(self.client, self.pool.cluster)
        return {
            "holder": lead.holder if lead.held else None,
            "epoch": lead.epoch,
            "consul": self.client.leader() or None,
        }


# --- what a node keeps of it, and tells ----------------------------------------------------------


def save_registration(me: service.Member) -> None:
    """Keep who this node is in Consul: its sensor and its executor have no pillar."""
    if load_registration() != me:
        node.LocalState().put(RECORD, asdict(me))


def load_registration() -> service.Member | None:
    """Return who this node is in Consul; None = it was never registered."""
    record = node.LocalState().get(RECORD)
    if record is None or not record.get("uuid") or not record.get("cluster"):
        return None
    names = (f.name for f in fields(service.Member))
    return service.Member(**{name: str(record.get(name, "")) for name in names})


def ip_of(host: str, before: str = "") -> str:
    """Return where the others reach this node, for DNS: of several the one of before, "" = unknown.

    Debian maps a machine's own name to 127.0.1.1: no other node reaches that.
    """
    addresses = node.resolve(host)
    if not is_known(addresses):
        return before
    usable = [a for a in addresses if not ip_address(a.partition("%")[0]).is_loopback]
    return before if before in usable or not usable else usable[0]


def delete_registration() -> None:
    """Forget it, where this node was taken off on purpose: its sensor registers nothing then."""
    node.LocalState().put(RECORD, None)


# --- the state -----------------------------------------------------------------------------------


def registered(
    name: str, minion: Minion, settings: Mapping[str, Any] | None,
    credentials: Mapping[str, Any] | None = None, *, needed: bool = True,
) -> dict[str, Any]:  # fmt: skip
    """Ensure that this node stands in Consul and has told its report; return a state's dict.

    ``credentials`` is the pillar's ``gluster_consul``; with tokens it is the pool's own Consul,
    where the master has to admit a node first. Not ``needed``: a pool goes on without Consul; where
    one was used and does not answer, the state only warns.
    """
    known, deployed = load_registration() is not None, "tokens" in (credentials or {})
    if not (needed or credentials or known or agent.existing(settings)):
        return state_dict(name, True, {}, consul_agent.NONE)
    if minion.test and deployed and not known:
        new = {"service": {"old": None, "new": service.SERVICE}}
        return state_dict(name, None, new, f"{minion.name} would be registered in Consul")
    try:
        registration = NodeRegistration(minion, settings, str((credentials or {}).get("first", "")))
        asks = deployed and not minion.test
        admission = AdmissionRequest(minion, registration, known) if asks else None
        changes = _retry_until_admitted(admission, lambda: registration.register(test=minion.test))
    except GlusterError as err:
        if deployed and isinstance(err, ConsulError) and err.kind == "forbidden":
            err = _not_admitted(minion.name, load_registration(), err)
        if not needed and known and isinstance(err, ConsulError) and err.kind in _SILENT:
            credentials = state_dict(
                name, True, {}, f"{minion.name} was registered in Consul, which is silent"
            )
            return {**credentials, "warnings": [f"Automation sees nothing of this node: {err}"]}
        return state_error(name, err)
    would = bool(changes) and minion.test
    verb = ("would be" if would else "was") if changes else "is"
    comment = f"{minion.name} {verb} registered in Consul"
    result: bool | None = None if would else True
    if minion.test:
        return state_dict(name, result, changes, comment)
    try:
        _retry_until_admitted(admission, registration.report)
        if not _opened(registration, admission.until if admission else time.monotonic() + FIRST_S):
            return {**state_dict(name, True, changes, comment), "warnings": [_waits(registration)]}
    except GlusterError as err:
        result, comment = False, f"{comment}, but its report could not be written: {err}"
    # The state of the pool, which tells it too, has run before this node was known here.
    return state_dict(name, result, changes, "\n".join(filter(None, (comment, submit(minion)))))


def _not_admitted(name: str, before: service.Member | None, err: ConsulError) -> GlusterError:
    """Return the error for a node that the master has not let in: why, and what to type."""
    if before is not None and before.minion not in ("", name):
        old = before.minion
        return ConsulError(
            f"this node was {old} in Consul and its minion is called {name} now: the master lets"
            f" it in under one name only.", kind="renamed", text=err.text,
            hint=f"Take {old} out of gluster: nodes and put {name} there, delete the old key on the"
            f" master (salt-key -d {old}), and apply this again; the old row goes with it.",
        )  # fmt: skip
    return ConsulError(
        f"the master has not admitted {name} to Consul within {ADMIT_S:.0f} s.", kind=err.kind,
        text=err.text, hint=f"It says why: salt-run gluster_consul.admit {name} UUID, with the uuid"
        f" of: salt {name} gluster_peer.uuid",
    )  # fmt: skip


def _opened(registration: NodeRegistration, until: float) -> bool:
    """Wait until the pool is open in Consul: highstates of all nodes mostly run at once."""
    while not registration.is_open():
        if time.monotonic() > until:
            return False
        time.sleep(1.0)
    return True


def _waits(registration: NodeRegistration) -> str:
    first = registration.first
    if not first:
        return "Automation begins when the first node is written into `nodes` beside the globs."
    return (
        f"Automation begins when {first} is registered: only the first of `nodes` opens the pool in"
        f" Consul. Apply its highstate: salt {first} state.apply gluster"
    )


class AdmissionRequest:
    """How a node is let into the pool's own Consul: the master makes its rights when asked."""

    def __init__(self, minion: Minion, registration: NodeRegistration, known: bool) -> None:
        self._minion, self._registration = minion, registration
        # A Consul that this node was in is up or away; only a new one is worth waiting for.
        self._kinds = ("forbidden",) if known else ("forbidden", *_SILENT)
        self.until = time.monotonic() + ADMIT_S
        self._ask_at = 0.0

    def goes_on(self, err: ConsulError) -> bool:
        """Return whether it is worth trying again, and ask where the right is missing."""
        now = time.monotonic()
        if err.kind not in self._kinds or now > self.until:
            return False
        if err.kind == "forbidden" and now >= self._ask_at:
            self._ask_at = now + ASK_S
            self.ask()
        return True

    def ask(self) -> None:
        """Fire the request on the master's bus."""
        me = self._registration.member()
        event = salt_events.admission(me.cluster, me.minion, me.uuid, self._minion.driver().now())
        self._minion.call("event.send", event["tag"], event["data"])


def _retry_until_admitted(admission: AdmissionRequest | None, do: Callable[[], T]) -> T:
    """Do it; in a Consul that has only just been made, again until it may be done."""
    while True:
        try:
            return do()
        except ConsulError as err:
            if admission is None or not admission.goes_on(err):
                raise
        time.sleep(1.0)
