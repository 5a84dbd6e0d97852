"""Read everything of one pool in Consul at one moment, in one request.

What is shown together has to be of one moment: with a request for each part a screen could show two
leaders. Versions of the configuration and the audit are left out; both are long, and their own. So
are outcomes: a node may write any number of them, and each is read by its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from salt_gluster.consul.client import Client, Entry, tree_op
from salt_gluster.consul.codec import unpack
from salt_gluster.consul.documents import (
    Document,
    admitted_in,
    authors,
    documents,
    stop_of,
    version_in,
)
from salt_gluster.consul.heartbeat import heartbeat, last_change
from salt_gluster.consul.keys import Keys
from salt_gluster.consul.leader_lock import Lead, lead_of
from salt_gluster.consul.report_parts import reports_in
from salt_gluster.consul.went_back import went_back_of
from salt_gluster.errors import ConsulError
from salt_gluster.model import Hold, Unknown
from salt_gluster.remediation.observation import WentBack
from salt_gluster.status.leader_status import leader_status
from salt_gluster.status.report_document import report_from


@dataclass(frozen=True)
class ClusterSnapshot:
    """The keys of one cluster, by name. ``has_reports``: the nodes' reports were read as well."""

    keys: Keys
    entries: Mapping[str, Entry]
    has_reports: bool = False

    @classmethod
    def read(cls, client: Client, cluster: str, *, reports: bool = False) -> ClusterSnapshot:
        """Read it, from a leader that has made sure of itself; reports can be megabytes."""
        keys = Keys(cluster)
        prefixes = [
            keys.canary, keys.rev, keys.leader, keys.epoch, keys.heartbeat, keys.changed, keys.hold,
            keys.went_back,
            keys.status, keys.current, keys.pillar, keys.maintenance(""), keys.proposal(""),
            keys.operation(""), keys.acknowledged(""), keys.accepted(""), keys.rejected(""),
            keys.admitted(""), *([keys.node("")] if reports else []),
        ]  # fmt: skip
        entries = client.txn([tree_op(prefix) for prefix in prefixes], consistent=True)
        return cls(keys, {entry.key: entry for entry in entries}, reports)

    @property
    def has_canary(self) -> bool:
        """Whether our rights are what we think; without it a missing key proves nothing."""
        return self.keys.canary in self.entries

    @property
    def rev(self) -> Entry | None:
        """The counter of what watchers have to see."""
        return self.entries.get(self.keys.rev)

    # --- who leads -------------------------------------------------------------------------------

    @property
    def lead(self) -> Lead:
        """Who leads, and with which epoch."""
        return lead_of(self.entries.get(self.keys.leader), self.entries.get(self.keys.epoch))

    @property
    def heartbeat(self) -> dict[str, Any]:
        """The leader's last heartbeat, ``by``, ``at`` and ``ignored``; empty = none."""
        return heartbeat(self.entries.get(self.keys.heartbeat))

    @property
    def last_change(self) -> int:
        """Consul's index of our last change of the pool; 0 = none."""
        ignored = self.heartbeat.get("ignored", ())
        return last_change(self.keys, self.entries.values(), ignored)

    @property
    def version_number(self) -> int:
        """The number of the current version of the configuration; 0 = none."""
        pointer = self.document(self.keys.current)
        return 0 if pointer is None else version_in(pointer)

    @property
    def status(self) -> Mapping[str, Any] | None:
        """What the leader told of its last tick; raises ``GlusterError`` where it is unreadable."""
        document = self.document(self.keys.status)
        return None if document is None else leader_status(document.data)

    # --- documents -------------------------------------------------------------------------------

    def document(self, key: str) -> Document | None:
        """Return a document; ``ConsulError`` of kind ``unreadable`` where it is none."""
        entry = self.entries.get(key)
        if entry is None:
            return None
        (document,) = documents(key, [entry])
        if isinstance(document, Unknown):
            raise ConsulError(document.why, kind="unreadable")
        return document

    def below(self, prefix: str) -> list[Document | Unknown]:
        """Return all documents right below a prefix; one that is broken is an ``Unknown``."""
        return documents(prefix, [e for key, e in self.entries.items() if key.startswith(prefix)])

    @property
    def reports(self) -> dict[str, Mapping[str, Any] | Unknown]:
        """The reports by the node's uuid; one that cannot be read is an ``Unknown``."""
        return {
            uuid: report if isinstance(report, Unknown) else report_from(report.data, uuid)
            for uuid, report in reports_in(self.keys, self.entries.values()).items()
        }

    @property
    def went_back(self) -> WentBack | None:
        """The mark that Consul is an older one than it was."""
        return went_back_of(self.entries.get(self.keys.went_back))

    # --- what operators wrote --------------------------------------------------------------------

    def hold(self) -> Hold | Unknown | None:
        """Return the pool's hold; without the canary "no such key" proves nothing."""
        return stop_of(self.keys.hold, self.entries.get(self.keys.hold), self.has_canary)

    def maintenance(self, uuid: str) -> Hold | Unknown | None:
        """Return a node's maintenance, read in the same way."""
        key = self.keys.maintenance(uuid)
        return stop_of(key, self.entries.get(key), self.has_canary)

    def accepted(self) -> dict[str, str]:
        """Return the accepted nodes, and who accepted them."""
        return self._authors(self.keys.accepted(""))

    def rejected(self) -> dict[str, str]:
        """Return the rejected nodes, and who rejected them."""
        return self._authors(self.keys.rejected(""))

    @property
    def admitted(self) -> dict[str, str]:
        """Minion -> gluster uuid, as the master admitted them; empty = no master admits here."""
        return admitted_in(self.keys.admitted(""), self.entries.values())

    def _authors(self, prefix: str) -> dict[str, str]:
        return authors(prefix, self.entries.values())

    def uuid_in(self, key: str) -> str | None:
        """Return the uuid in what was written of a node: "" where it has none, None = no key."""
        if (entry := self.entries.get(key)) is None:
            return None
        try:
            return str(unpack(entry.value).get("uuid", ""))
        except (ConsulError, AttributeError):
            return ""
