"""Take away what nobody needs any more in Consul, by age and number: one table.

An age is in seconds that leaders have led (``consul/led_time.py``): no clock of a day counts, and
while nobody leads nothing grows older. An outcome never outlives its operation: the same incident
gets the same id again, and what was done then would be taken for done now.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from salt_gluster.consul.client import Op
from salt_gluster.consul.documents import Document
from salt_gluster.consul.led_time import DAY_S, LedTime, read_led_time, write_led_time
from salt_gluster.consul.outcomes import clear_outcomes, nodes_with_outcomes, outcome_names
from salt_gluster.consul.store import Store
from salt_gluster.model import NOT_ASKED, Observation, Unknown
from salt_gluster.remediation.fleet_mode import NODE_HOLDS
from salt_gluster.remediation.operations import ENDED, REJECTED_BY, Life

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kept:
    """What stays below one prefix: the newest so many, and of those none that is older."""

    what: str
    number: int | None
    days: float | None
    why: str

    def too_old(self, led: LedTime, index: int) -> bool:
        """Whether a key with this index is older than that."""
        return self.days is not None and led.age_s(index) > self.days * DAY_S


#: Prefix below the pool's own -> what stays there of what is over. What is not over stays.
TABLE = {
    "operations/": Kept("ended ones", 200, None, "a policy may count them for years"),
    "outcomes/": Kept("of ended operations", None, 30, "one goes with its operation, or before it"),
    "proposals/": Kept("closed ones", 200, 30, "a rejected one stays, or it is shown anew"),
    "acknowledged/": Kept("of what is not there any more", 200, 30,
                          "of the pool, its nodes and its operations each stays"),
    "config/v/": Kept("versions", 50, None, "a big pool's may have half a megabyte each"),
    "members/": Kept("rosters that are not the current one", None, 1,
                     "one is written before the document that names it"),
    "audit/": Kept("lines", 5000, 10, "the newest 200 stay at any age"),
    "nodes/": Kept("of departed nodes", None, 30, "a node that comes back finds its own"),
    "identity/": Kept("of departed nodes", None, 30, "the same"),
    "submitted/": Kept("of departed nodes", None, 30, "the same"),
    "changed/": Kept("of departed nodes", None, 30, "the same"),
}  # fmt: skip
#: What nobody prunes, and why it does not grow.
STAYS = {
    "admitted/": "one a minion; gluster.setup takes that of a node away which has left the pool",
    "accepted/": "one a minion: an operator's word, or the policy's",
    "rejected/": "one a minion: an operator's word",
    "maintenance/": "one a node: an operator ends it",
    "moved/": "nothing is written there yet",
}
#: What departed nodes leave: the prefixes whose first word is a node's uuid.
_OF_NODES = ("nodes/", "identity/", "submitted/", "changed/")
_AUDIT_ALWAYS = 200
#: How often the audit is read, in seconds led: its lines are many.
_AUDIT_EVERY_S = 3600.0
#: Operations of one node that are not ended; there is one at a time. A transaction takes 64.
_MOST_BEGUN = 40
_ENDED = {state.value for state in ENDED}
Guard = Callable[[], Sequence[Op]]


class Pruning:
    """Count the seconds led, and prune. ``clock`` never goes back."""

    def __init__(self, store: Store, guard: Guard, clock: Callable[[], float]) -> None:
        self._store, self._guard, self._clock = store, guard, clock
        self._epoch, self._at = 0, 0.0
        #: The nodes of the pool (uuids), as they were seen under this epoch.
        self.present: Collection[str] | Unknown = NOT_ASKED

    def prune(self, epoch: int, in_force: int, most_s: float) -> None:
        """Prune everything; ``in_force`` is the version that is never taken away.

        Since the last time under this epoch at most ``most_s`` are counted: a process that was
        frozen did not lead.
        """
        now = self._clock()
        if self._epoch != epoch:
            self.present = NOT_ASKED
        seconds = min(now - self._at, most_s) if self._epoch == epoch else 0.0
        before, index = read_led_time(self._store)
        led = before.later(seconds, index)
        departed = _departed(self._store, self.present)
        if not isinstance(departed, Unknown):
            led = led.without(departed)
        if led != before:
            write_led_time(self._store, led, self._guard)
        self._epoch, self._at = epoch, now
        is_hour = led.led_s // _AUDIT_EVERY_S != before.led_s // _AUDIT_EVERY_S
        prune(self._store, led, in_force, self._guard, audit=is_hour or not index)
        if not isinstance(departed, Unknown):
            _prune_departed(self._store, led, departed, self._guard)


def present(registered: Iterable[str], pool: Observation | Unknown) -> set[str] | Unknown:
    """Return the nodes that have registered, and gluster's own peers."""
    peers = pool if isinstance(pool, Unknown) else pool.peers
    return peers if isinstance(peers, Unknown) else {*registered, *(p.uuid for p in peers)}


def prune(
    store: Store, led: LedTime, in_force: int, guard: Guard = list, *, audit: bool = True
) -> None:  # fmt: skip
    """Prune all but what departed nodes leave.

    ``guard`` is the leader's: who leads no more removes nothing.
    """
    # Read before the operations are: what was begun meanwhile has its operation by then.
    outcomes = {node: outcome_names(store, node) for node in nodes_with_outcomes(store)}
    store.prune_operations(
        _in_state(store.operations(), _ENDED), TABLE["operations/"].number or 0, guard
    )
    operations = [d for d in store.operations() if isinstance(d, Document)]
    prune_outcomes(store, led, operations, outcomes, guard)
    _prune_proposals(store, led, guard)
    _prune_acknowledged(store, led, operations, guard)
    store.prune_versions(TABLE["config/v/"].number or 0, {in_force}, guard)
    _prune_rosters(store, led, guard)
    if audit:
        _prune_audit(store, led, guard)


def prune_outcomes(
    store: Store, led: LedTime, known: Sequence[Document],
    outcomes: Mapping[str, Collection[str] | None], guard: Guard = list,
) -> None:  # fmt: skip
    """Take away the outcomes that no operation of their node has; ``outcomes`` are names by node.

    Also those of operations that ended long ago. A node whose names are too many (None) loses all
    at once but those of what is not ended there.
    """
    kept, most = TABLE["outcomes/"], TABLE["operations/"].number or 0
    unread = set(store.names(store.keys.operation(""))) - {d.name for d in known}
    for node, names in outcomes.items():
        own = [d for d in known if d.data.get("node") == node]
        begun = [d.name for d in own if not _is_ended(d)]
        if names is None or len(names) > 2 * most:
            log.warning("%s has written more outcomes than there are operations: cleared", node)
            clear_outcomes(store, node, begun[:_MOST_BEGUN], guard)
        else:
            young = {d.name for d in own if not kept.too_old(led, d.index)}
            wanted = unread | young | set(begun)
            keys = [f"{store.keys.outcomes}{node}/{name}" for name in names if name not in wanted]
            store.take_away(keys, guard)


def _prune_proposals(store: Store, led: LedTime, guard: Guard) -> None:
    """One that was rejected is counted apart: while its incident stands it is not shown anew."""
    closed = _in_state(store.proposals(), {Life.CLOSED.value})
    rejected = [d for d in closed if REJECTED_BY in (d.data.get("evidence") or {})]
    kept = TABLE["proposals/"]
    others = [d for d in closed if d not in rejected]
    store.take_away([*_over(kept, led, others), *_beyond(kept, rejected)], guard)


def _prune_acknowledged(
    store: Store, led: LedTime, operations: Iterable[Document], guard: Guard
) -> None:  # fmt: skip
    """What stands is acknowledged as long as it does: what a word released would hold again."""
    documents = [d for d in store.acknowledged() if isinstance(d, Document)]
    nodes = {name.split("/")[0] for name in store.names(store.keys.node(""))}
    standing = {store.keys.cluster, NODE_HOLDS, *nodes, *(d.name for d in operations)}
    loose = [d for d in documents if d.name not in standing]
    store.take_away(_over(TABLE["acknowledged/"], led, loose), guard)


def _prune_rosters(store: Store, led: LedTime, guard: Guard) -> None:
    prefix = f"{store.keys.members}/"
    if len(store.names(prefix)) < 2:
        return
    current = store.read(store.keys.members)
    named = None if current is None else current.data.get("roster")
    old = [e for e in store.tree(prefix) if TABLE["members/"].too_old(led, e.modify_index)]
    store.take_away([e.key for e in old if named and e.key != prefix + str(named)], guard)


def _prune_audit(store: Store, led: LedTime, guard: Guard) -> None:
    """By Consul's index: the name of a line has the time of the machine where it was written."""
    if len(store.names(store.keys.audit(""))) <= _AUDIT_ALWAYS:
        return
    lines = sorted(store.tree(store.keys.audit("")), key=lambda e: e.modify_index)
    kept = TABLE["audit/"]
    beyond = lines[: max(0, len(lines) - (kept.number or 0))]
    old = [e for e in lines[:-_AUDIT_ALWAYS] if kept.too_old(led, e.modify_index)]
    store.take_away(sorted({e.key for e in (*beyond, *old)}), guard)


# --- departed nodes ------------------------------------------------------------------------------


def _departed(store: Store, present: Collection[str] | Unknown) -> set[str] | Unknown:
    """Return the nodes that have documents and are none of the pool: not even admitted to it.

    One in maintenance is none: an operator has a word about it.
    """
    if isinstance(present, Unknown):
        return present
    keys = store.keys
    admitted = store.all(keys.admitted(""))
    for document in admitted:
        if isinstance(document, Unknown):
            return document
    uuids = {str(d.data.get("uuid")) for d in admitted if isinstance(d, Document)}
    return set(_left_by(store)) - {*present, *uuids, *store.names(keys.maintenance(""))}


def _left_by(store: Store) -> dict[str, list[str]]:
    """Return the keys that each node has written, by its uuid."""
    found: dict[str, list[str]] = {}
    for prefix in _OF_NODES:
        for name in store.names(store.keys.root + prefix):
            found.setdefault(name.split("/")[0], []).append(f"{store.keys.root}{prefix}{name}")
    return found


def _prune_departed(store: Store, led: LedTime, departed: Collection[str], guard: Guard) -> None:
    gone = led.departed_for((TABLE["nodes/"].days or 0) * DAY_S)
    left = _left_by(store) if gone else {}
    for uuid in (u for u in gone if u in departed and u in left):
        log.info("%s has left the pool long ago: its documents are taken away", uuid)
        store.take_away(left[uuid], guard)


# --- of one prefix -------------------------------------------------------------------------------


def _is_ended(document: Document) -> bool:
    return str(document.data.get("state")) in _ENDED


def _in_state(documents: Iterable[Document | Unknown], states: Collection[str]) -> list[Document]:
    return [
        d for d in documents if not isinstance(d, Unknown) and str(d.data.get("state")) in states
    ]


def _over(kept: Kept, led: LedTime, documents: Sequence[Document]) -> list[str]:
    """Return the keys of those that are too many, and of those that are too old."""
    old = {d.key for d in documents if kept.too_old(led, d.index)}
    return sorted({*_beyond(kept, documents), *old})


def _beyond(kept: Kept, documents: Iterable[Document]) -> list[str]:
    ordered = sorted(documents, key=lambda d: d.index)
    return [d.key for d in ordered[: max(0, len(ordered) - (kept.number or 0))]]
