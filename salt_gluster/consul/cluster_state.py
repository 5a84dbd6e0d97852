"""Read the documents in Consul as a decision wants them; what cannot be read is Unknown.

Reports are kept from one tick to the next: 300 of them are too many to read at every wake. They are
read in full at a collection, and one by one where something is wrong.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from salt_gluster.consul import admitted
from salt_gluster.consul.client import Client, Entry, Op
from salt_gluster.consul.documents import Document, documents, hold_of
from salt_gluster.consul.keys import is_name
from salt_gluster.consul.report_parts import all_reports, some_reports
from salt_gluster.consul.store import Store
from salt_gluster.consul.went_back import went_back_of
from salt_gluster.errors import ConsulError, GlusterError, Unreadable
from salt_gluster.model import Hold, NodeFacts, Observation, Unknown, read_as
from salt_gluster.remediation.membership import Snapshot, snapshot_from
from salt_gluster.remediation.observation import (
    Acknowledged,
    BrickKey,
    Maintenance,
    Recorded,
    WentBack,
)
from salt_gluster.remediation.operations import (
    ExecutionReport,
    Operation,
    operation_from,
    outcome_from,
)
from salt_gluster.status import config_versions, report
from salt_gluster.status.facts import facts_from
from salt_gluster.status.look_time import NEVER, LeaderTime, by_our_clock, look_time
from salt_gluster.status.report_document import report_from
from salt_gluster.status.volume_trouble import VolumeTroubles, volume_troubles

log = logging.getLogger(__name__)
T = TypeVar("T")

#: The time of who goes by no leader: what names one has no known age.
NOBODYS = LeaderTime("", float("inf"), float("inf"))
_NO_REPORT = Unknown("no node has told its report yet")


class ClusterState:
    """What the leader knows of the documents of its cluster."""

    def __init__(
        self, client: Client, cluster: str, time: Callable[[], LeaderTime] | None = None
    ) -> None:
        self._client = client
        #: By what time the nodes' looks are dated: that of the leader, and of who reads.
        self.time = time or (lambda: NOBODYS)
        self.store = Store(client, cluster)
        self.keys = self.store.keys
        self.reports: dict[str, Mapping[str, Any]] = {}
        self.facts: dict[str, NodeFacts | Unknown] = {}
        #: proposal id -> the index that compare-and-set wants.
        self.proposal_index: dict[str, int] = {}
        #: Acknowledgements that no leader has seen yet.
        self.unseen: list[Document] = []
        self._operation_index: dict[str, int] = {}
        #: uuid -> Consul's index of its report that was read last.
        self.written: dict[str, int] = {}
        #: uuid -> when the question was put that its last answer is to.
        self._answered: dict[str, float] = {}
        #: Of whom an answer stands in ``reports``.
        self._answers: set[str] = set()
        #: uuid -> when it looked, by our clock.
        self.looked: dict[str, float] = {}
        self._pool: Observation | Unknown = _NO_REPORT
        self.troubles: VolumeTroubles | Unknown = _NO_REPORT
        self._read_reports = report.ReadReports()
        #: Of which reports that is the sum: the number of each.
        self._summed: dict[str, int] = {}
        self._number: dict[str, int] = {}
        #: Why Consul did not answer in this tick: nothing else is asked of it then.
        self._silent = ""
        #: What every tick looks at, read in one question; None = not yet in this tick.
        self._read: dict[str, list[Entry]] | Unknown | None = None
        keys = self.keys
        self._every_tick = (
            keys.hold, keys.canary, keys.maintenance(""), keys.operation(""), keys.proposal(""),
            keys.acknowledged(""), keys.went_back,
        )  # fmt: skip

    def refresh(self) -> None:
        """Begin a tick: ask Consul again, even if it was silent before."""
        self._silent, self._read = "", None

    # --- reports ---------------------------------------------------------------------------------

    def collect(self) -> None:
        """Read every node's report; ``ConsulError`` when Consul does not give them."""
        self._take_all(all_reports(self.store))

    def read_sets_of(self, uuids: Iterable[str]) -> None:
        """Read the reports of these nodes and of those that share a set with them.

        What does not answer stays as it was, and ages.
        """
        first = set(uuids)
        self.read_reports(first)
        if first:
            self.read_reports(set().union(*sets_of(self.pool(), first)) - first)

    def read_reports(self, uuids: Iterable[str]) -> None:
        """Read the reports of these nodes; what does not answer stays as it was."""
        # A report may name a node that cannot be: nobody's key.
        names = sorted(filter(is_name, uuids))
        read = self._ask(lambda: some_reports(self.store, names))
        if not isinstance(read, Unknown):
            self._take_all(read)

    def _take_all(self, read: Mapping[str, Document | Unknown]) -> None:
        for uuid, document in read.items():
            if isinstance(document, Document):
                self.take(uuid, document.data, document.index)
            else:
                self._unreadable(uuid, document)

    def take(self, uuid: str, data: Any, index: int = 0, asked_at: float = NEVER) -> None:
        """Keep a report unless a younger one is here; one that cannot be read is no report.

        ``index`` is Consul's: what it got last counts, whatever the node's clock says. 0 = it is an
        answer, to a question that was put at ``asked_at``; each is looked at once.
        """
        if index and index <= self.written.get(uuid, 0):
            return
        report = report_from(data, uuid)
        if isinstance(report, Unknown):
            self._unreadable(uuid, report)
            return
        looked = look_time(report, self.time(), asked_at)
        is_older = uuid in self.reports and looked < self.looked[uuid]
        if index:
            self.written[uuid] = index
            if is_older and uuid in self._answers:  # it may have been written before the answer
                return
            self._answers.discard(uuid)
        elif is_older or (asked_at and asked_at <= self._answered.get(uuid, NEVER)):
            return
        else:
            self._answered[uuid] = asked_at
            self._answers.add(uuid)
        self.reports[uuid], self.looked[uuid] = report, looked
        self._number[uuid] = self._number.get(uuid, 0) + 1
        self.facts[uuid] = by_our_clock(facts_from(report), looked)

    def _unreadable(self, uuid: str, why: Unknown) -> None:
        """Know nothing of a node: what it told before is not what it tells now."""
        before = self.facts.get(uuid)
        if not isinstance(before, Unknown) or before.why != why.why:
            log.warning("of %s nothing is known: %s", uuid, why.why)
        self.reports.pop(uuid, None)
        self.facts[uuid] = why

    def pool(self, missed: Mapping[str, float] | None = None) -> Observation | Unknown:
        """Return the pool as the sum of the reports; its definitions are what most of them tell.

        ``missed``: uuid -> since when a node is missed; what it had written before is not so now.
        """
        gone = missed or {}
        usable = {
            u: r for u, r in self.reports.items()
            if report.usable(r) and not (u in gone and self.looked[u] <= gone[u])
        }  # fmt: skip
        key = {u: self._number[u] for u in usable}
        if key != self._summed:
            self._summed = key
            definitions = {
                u: f if isinstance(f, Unknown) else f.volumes for u, f in self.facts.items()
            }
            told = config_versions.most_told_first(usable, definitions, self.looked)
            self._pool = report.observation(told, read=self._read_reports) if told else _NO_REPORT
            self.troubles = self._troubles_of(told)
        return self._pool

    def _troubles_of(self, told: Sequence[Mapping[str, Any]]) -> VolumeTroubles | Unknown:
        pool = self._pool
        if isinstance(pool, Unknown) or isinstance(pool.volumes, Unknown):
            return pool if isinstance(pool, Unknown) else _NO_REPORT
        return volume_troubles(pool, report.space(pool, told))

    def forget(self) -> None:
        """Forget what was collected: another leader may have ruled meanwhile."""
        self.reports, self.facts, self.written, self.looked = {}, {}, {}, {}
        self._pool, self._summed, self._answered = _NO_REPORT, {}, {}
        self.troubles = _NO_REPORT
        self._answers = set()

    # --- documents -------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Return what was published last; ``Unreadable`` where another version of ours wrote it."""
        document = self.store.read(self.keys.members)
        if document is None:
            return Snapshot()
        digest = document.data.get("roster")
        roster = self.store.read(self._roster_key(digest)) if digest else None
        if digest and roster is None:
            log.warning("the roster is not known any more: the document of its digest is gone")
        return snapshot_from(document.data, None if roster is None else roster.data)

    def write_snapshot(
        self, new: Snapshot, before: Snapshot, guard: Callable[[], Sequence[Op]]
    ) -> None:
        """Write what is to be published; first the long roster, if a node came or went."""
        other = new.roster_digest != before.roster_digest
        if other:
            self.store.write(self._roster_key(new.roster_digest), new.roster_data())
        self.store.write(self.keys.members, new.to_data(), guard=guard)
        if other and before.roster_digest:
            self.store.remove(self._roster_key(before.roster_digest), guard=guard)

    def _roster_key(self, digest: str) -> str:
        return f"{self.keys.members}/{digest}"

    def operations(self) -> Mapping[str, Operation] | Unknown:
        """Return all operations; one that is broken makes all of them unknown."""
        self._operation_index = {}

        def operation(document: Document) -> Operation:
            self._operation_index[document.name] = document.index
            return operation_from(document.data)

        return self._all(self.keys.operation(""), operation)

    def proposals(self) -> Mapping[str, Operation] | Unknown:
        """Return all proposals."""

        def proposal(document: Document) -> Operation:
            self.proposal_index[document.name] = document.index
            return operation_from(document.data)

        self.proposal_index = {}
        return self._all(self.keys.proposal(""), proposal)

    def outcomes(
        self, operations: Mapping[str, Operation] | Unknown
    ) -> Mapping[str, ExecutionReport] | Unknown:
        """Return what executors said of the operations that are open.

        What cannot be read is not said: such an operation is judged by what is so (R9 to R11).
        """
        if isinstance(operations, Unknown):
            return operations
        reports = {}
        for op in (o for o in operations.values() if o.is_open):
            document = self._ask(lambda op=op: self._outcome(op))  # type: ignore[misc]
            if isinstance(document, Unknown):
                return document
            if document is not None and (outcome := _outcome(op, document)) is not None:
                reports[op.id] = outcome
        return reports

    def _outcome(self, op: Operation) -> Document | None:
        """Read an outcome; one that is no document is none."""
        try:
            return self.store.outcome(op.node, op.id)
        except ConsulError as err:
            if err.kind != "unreadable":
                raise
            log.warning("the outcome of %s cannot be read: %s", op.id, err)
            return None

    def hold(self) -> Hold | Unknown | None:
        """Return the pool's hold; without the canary "no such key" proves nothing."""
        for key in (self.keys.hold, self.keys.canary):
            entries = self._below(key)
            if isinstance(entries, Unknown):
                return entries
            own = [e for e in entries if e.key == key]
            if own:
                return hold_of(own[0].value) if key == self.keys.hold else None
        return Unknown("neither a hold nor the canary is there: Consul proves nothing")

    def went_back(self) -> WentBack | Unknown | None:
        """Return the mark that Consul is an older one than it was."""
        key = self.keys.went_back
        entries = self._below(key)
        if isinstance(entries, Unknown):
            return entries
        return went_back_of(next((e for e in entries if e.key == key), None))

    def acknowledged(self) -> tuple[Acknowledged, ...] | Unknown:
        """Return what operators have acknowledged, as of when a leader first saw it.

        The clock of the machine where it was typed says nothing. What Consul got before an
        operation became what it is now was not about that.
        """
        self.unseen = []

        def acknowledged(document: Document) -> Acknowledged:
            data = document.data
            what, at = str(data["what"]), data.get("seen_at")
            if at is None and document.index > self._operation_index.get(what, 0):
                self.unseen.append(document)
            return Acknowledged(what, float(at or 0), str(data.get("by", "")), document.index)

        rows = self._all(self.keys.acknowledged(""), acknowledged)
        return rows if isinstance(rows, Unknown) else tuple(rows.values())

    def see_acknowledged(self, now: float, guard: Callable[[], Sequence[Op]]) -> None:
        """Write the leader's time beside those that are new; they count from the next look on."""
        unseen, self.unseen = self.unseen, []
        for document in unseen:
            data = {**document.data, "seen_at": now}
            self.store.write(document.key, data, cas=document.index, guard=guard)

    def recorded(self) -> Mapping[BrickKey, Recorded] | Unknown:
        """Return what was written down of every brick when it was well."""
        prefix = self.keys.identity("")
        entries = self._below(prefix)
        if isinstance(entries, Unknown):
            return entries
        recorded: dict[BrickKey, Recorded] = {}
        known = {e.key[len(prefix) :]: e for e in entries if "/" not in e.key[len(prefix) :]}
        for uuid, entry in known.items():
            (document,) = documents(prefix, [entry])
            identity = identity_of(document)
            if isinstance(identity, Unknown):  # nothing is recorded of its bricks: none is started
                log.warning("what was recorded of a node cannot be read: %s", identity.why)
            else:
                recorded |= {(uuid, path): row for path, row in identity.items()}
        return recorded

    def admitted(self) -> Mapping[str, str]:
        """Return minion -> gluster uuid as the master admitted them; raises ``ConsulError``."""
        return admitted.read(self._client, self.store.keys.cluster)

    def maintenance(self) -> Mapping[str, Maintenance] | Unknown:
        """Return every node in maintenance; whatever was put there counts."""
        prefix = self.keys.maintenance("")
        entries = self._below(prefix)
        if isinstance(entries, Unknown):
            return entries
        return {e.key[len(prefix) :]: _maintenance(e.value) for e in entries}

    def _all(self, prefix: str, read: Callable[[Document], T]) -> dict[str, T] | Unknown:
        entries = self._below(prefix)
        if isinstance(entries, Unknown):
            return entries
        by_name = {}
        try:
            for document in documents(prefix, entries):
                if isinstance(document, Unknown):
                    return document
                by_name[document.name] = read(document)
        except (GlusterError, KeyError, TypeError, ValueError, AttributeError) as err:
            return Unknown(f"{prefix} cannot be read: {err}")
        return by_name

    def _below(self, prefix: str) -> list[Entry] | Unknown:
        """Return what is below a prefix; what every tick looks at is all of one moment."""
        if prefix not in self._every_tick:
            return self._ask(lambda: self._client.kv_tree(prefix, consistent=True))
        if self._read is None:
            self._read = self._ask(lambda: self.store.trees(self._every_tick))
        return self._read if isinstance(self._read, Unknown) else self._read[prefix]

    def _ask(self, read: Callable[[], T]) -> T | Unknown:
        """Read, or say why not; after one silence nothing else is asked in this tick."""
        if self._silent:
            return Unknown(self._silent)
        try:
            return read()
        except ConsulError as err:
            self._silent = f"Consul did not answer: {err}"
            log.info("%s", self._silent)
            return Unknown(self._silent)


def sets_of(pool: Observation | Unknown, nodes: Collection[str]) -> Iterator[set[str]]:
    """Yield the nodes of every replica set that has a brick on one of these nodes."""
    if isinstance(pool, Unknown) or isinstance(pool.volumes, Unknown):
        return
    for volume in pool.volumes.values():
        for members in volume.sets:
            hosts = {b.host_uuid for b in members.bricks}
            if not hosts.isdisjoint(nodes):
                yield hosts


@dataclass(frozen=True)
class _Identity:
    bricks: Mapping[str, Recorded]


def identity_of(document: Document | Unknown) -> Mapping[str, Recorded] | Unknown:
    """Return what a node's document says of its bricks, or why it cannot be read."""
    try:
        if isinstance(document, Unknown):
            return document
        identity: _Identity = read_as(_Identity, document.data, document.key)
        return identity.bricks
    except Unreadable as err:
        return Unknown(err.message)


def _outcome(op: Operation, document: Document) -> ExecutionReport | None:
    """Return what the executor said of this operation; None where it said nothing of it."""
    try:
        outcome = outcome_from(document.data)
    except GlusterError as err:
        log.warning("the outcome of %s cannot be read: %s", op.id, err)
        return None
    if outcome.id != op.id or outcome.node != op.node:
        log.warning("the outcome of %s is another's: %s on %s", op.id, outcome.id, outcome.node)
        return None
    return outcome


def _maintenance(value: bytes) -> Maintenance:
    hold = hold_of(value)
    return Maintenance(hold.by or "somebody", hold.reason, hold.until)
