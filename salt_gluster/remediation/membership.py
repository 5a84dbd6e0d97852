"""Update the pool's membership from Consul's catalog, and the snapshot that events are fired from.

Everything that was announced stands in one ``Snapshot``: it is written *before* its events
are fired and carries them in its outbox, so that a crash in between loses none, and each keeps its
id when it is fired again. Rules of health live in ``remediation``; nothing is read here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any

from salt_gluster.errors import Unreadable
from salt_gluster.model import Ref, decode_ref, digest_of, encode_ref, read_as
from salt_gluster.remediation.salt_events import Notice, payload
from salt_gluster.remediation.state_machine import Ignored, Row, Table

#: Raised when a key of the stored snapshot changes its meaning.
SCHEMA = 1


class Signal(str, Enum):
    """What a witness says. Unknown is a third answer: it never counts as good or as bad."""

    GOOD = "+"
    BAD = "-"
    UNKNOWN = "?"


@dataclass(frozen=True)
class ViewTrust:
    """May Consul's view be believed? ``since`` = the present answer holds since.

    The edge starts ``since`` anew when the view returns and when Consul changes its leader.
    """

    fresh: bool
    why: str = ""
    since: float = 0.0


@dataclass(frozen=True)
class Registered:
    """One node in Consul's catalog with the service ``gluster``, keyed by its peer uuid.

    ``serf`` is serfHealth alone, ``maintenance`` Consul's own check of that name, ``held_for`` its
    reason.
    """

    uuid: str
    name: str
    minion: str
    serf: Signal
    zone: str = ""
    maintenance: bool = False
    held_for: str = ""


@dataclass(frozen=True)
class ConsulView:
    """What Consul says, with the verdict of the trust gate.

    A caller that makes one at every change of thousands hands in what it knows, so that the well
    ones are not looked through: ``critical``, the only ones that may be odd, ``by_zone``, and
    ``roster``, the name of every node, the same object until one comes or goes.
    ``contradicted`` is what stands in Consul of a node and cannot be its own word, by its name.
    """

    trust: ViewTrust
    registered: Mapping[str, Registered] = field(default_factory=dict)
    index: int = 0
    critical: frozenset[str] | None = None
    by_zone: Mapping[str, frozenset[str]] | None = None
    roster: Mapping[str, str] | None = None
    contradicted: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def odd(self) -> frozenset[str]:
        """The nodes that Consul does not plainly see well: a few, also of thousands."""
        known = self.registered if self.critical is None else self.critical
        nodes = ((u, self.registered[u]) for u in known)
        return frozenset(u for u, n in nodes if n.serf is not Signal.GOOD or n.maintenance)

    @cached_property
    def zones(self) -> Mapping[str, frozenset[str]]:
        """The nodes of every zone that has a name."""
        if self.by_zone is not None:
            return self.by_zone
        return zones_of((u, node.zone) for u, node in self.registered.items())

    def signal(self, uuid: str) -> Signal:
        """Return W1 of a node; absent, or a view that is not fresh, is unknown."""
        node = self.registered.get(uuid)
        return node.serf if node is not None and self.trust.fresh else Signal.UNKNOWN


def zones_of(nodes: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    """Return the nodes of every zone that has a name, of (uuid, zone)."""
    zones: dict[str, set[str]] = {}
    for uuid, zone in nodes:
        if zone:
            zones.setdefault(zone, set()).add(uuid)
    return {zone: frozenset(members) for zone, members in zones.items()}


# --- what was announced --------------------------------------------------------------------------


@dataclass(frozen=True)
class Condition:
    """What is thought of one thing since when; ``told`` are the one-off notices of that state.

    ``flaps`` are the times at which it came back lately.
    """

    state: str
    since: float
    name: str = ""
    flaps: tuple[float, ...] = ()
    announced: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Snapshot:
    """The document ``members``. ``version`` 0 = nothing was ever seen: no node has *joined* then.

    ``outbox`` are the events that were due when it was written; an engine that starts fires them
    again, under the same ids. ``roster`` are the names of the nodes that are in, by uuid: a
    document of its own under its digest, because it is long and hardly ever changes.
    """

    version: int = 0
    conditions: Mapping[Ref, Condition] = field(default_factory=dict)
    outbox: tuple[Mapping[str, Any], ...] = ()
    roster: Mapping[str, str] = field(default_factory=dict)
    roster_digest: str = ""

    def roster_data(self) -> dict[str, Any]:
        """Return the roster as plain data; it has to be stored before ``to_data`` names it."""
        return {"schema": SCHEMA, "names": dict(self.roster)}

    def to_data(self) -> dict[str, Any]:
        """Return plain data for the store, without the roster."""
        rows = {
            encode_ref(k): [s.state, s.since, s.name, list(s.flaps), sorted(s.announced)]
            for k, s in sorted(self.conditions.items())
        }
        outbox = [dict(e) for e in self.outbox]
        return {"schema": SCHEMA, "version": self.version, "conditions": rows, "outbox": outbox,
                "roster": self.roster_digest}  # fmt: skip


def snapshot_from(
    data: Mapping[str, Any] | None, roster: Mapping[str, Any] | None = None
) -> Snapshot:  # fmt: skip
    """Return the stored snapshot; None = none was ever stored. Raises ``Unreadable``.

    ``roster`` is the document of that digest. Without it no node is in, as before the first tick.
    """
    if data is None:
        return Snapshot()
    schema = data.get("schema") if isinstance(data, Mapping) else None
    if schema != SCHEMA:
        raise Unreadable(f"the members snapshot has schema {str(schema)[:20]}, we know {SCHEMA}")
    stored: _Stored = read_as(_Stored, data, "the members snapshot")
    names: Mapping[str, str] = {}
    if roster is not None:
        names = read_as(_Roster, roster, "the roster").names
    try:
        rows = {decode_ref(k): _condition(k, row) for k, row in stored.conditions.items()}
    except (TypeError, ValueError) as problem:
        raise Unreadable(f"the members snapshot cannot be read: {problem}") from problem
    outbox = tuple({"tag": e.tag, "data": e.data} for e in stored.outbox)
    return Snapshot(stored.version, rows, outbox, names, stored.roster if roster else "")


@dataclass(frozen=True)
class _Event:
    tag: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class _Stored:
    version: int
    conditions: Mapping[str, tuple[Any, ...]]
    outbox: tuple[_Event, ...]
    roster: str


@dataclass(frozen=True)
class _Roster:
    names: Mapping[str, str]


@dataclass(frozen=True)
class _Row:
    state: str
    since: float
    name: str
    flaps: tuple[float, ...]
    announced: tuple[str, ...]


def _condition(key: str, row: tuple[Any, ...]) -> Condition:
    named = dict(zip(("state", "since", "name", "flaps", "announced"), row, strict=False))
    read: _Row = read_as(_Row, named, f"the members snapshot: {key[:60]}")
    return Condition(read.state, read.since, read.name, read.flaps, frozenset(read.announced))


def published(
    snapshot: Snapshot, conditions: Mapping[Ref, Condition], notices: Iterable[Notice],
    cluster: str, now: float, *, roster: Mapping[str, str] | None = None, consul_index: int = 0,
    origin: str = "",
) -> Snapshot:  # fmt: skip
    """Return the next snapshot with its outbox; the same object when there is nothing to tell.

    Ids come from the version that the change was seen against, so they are the same whichever
    engine sees it, however often, until the next version is written.
    """
    outbox = tuple(
        payload(cluster, n, snapshot.version, now, consul_index=consul_index, origin=origin)
        for n in notices
    )
    names, digest = snapshot.roster, snapshot.roster_digest
    if roster is not None and roster is not names and roster != names:
        names, digest = roster, digest_of(sorted(roster.items()))
    if not outbox and names is snapshot.roster and dict(conditions) == dict(snapshot.conditions):
        return snapshot
    return Snapshot(snapshot.version + 1, dict(conditions), outbox, names, digest)


# --- membership ----------------------------------------------------------------------------------


class Presence(str, Enum):
    """Whether Consul's catalog has it."""

    OUT = "out"
    IN = "in"
    MISSING = "missing"


class Seen(str, Enum):
    """What the catalog shows."""

    THERE = "there"
    ABSENT = "absent"
    UNSEEN = "unseen"


@dataclass(frozen=True)
class MissingNodes:
    """The context of a turn: how long it has been missing, and how many are missing at once."""

    missing_s: float
    settle_s: float
    missing: int
    crowd: int
    is_first: bool


PRESENCE: Table[Presence, Seen, MissingNodes] = Table(
    "presence",
    Presence,
    Seen,
    (
        Row("P1", (Presence.OUT,), Seen.THERE, "first_look", "", Presence.IN,
            "it was there before the first look"),
        Row("P2", (Presence.OUT,), Seen.THERE, "", "joined", Presence.IN,
            "it has registered itself"),
        Row("P3", (Presence.IN,), Seen.ABSENT, "", "", Presence.MISSING,
            "an agent that restarts is away for up to 17 s: wait before it is announced"),
        Row("P4", (Presence.MISSING,), Seen.THERE, "", "", Presence.IN,
            "it was only restarted"),
        Row("P5", (Presence.MISSING,), Seen.ABSENT, "left_for_good", "left", Presence.OUT,
            "it has been absent too long for a restart, and it is not one of a crowd"),
    ),
    (
        Ignored((Presence.OUT,), (Seen.ABSENT,), "it is known to be out"),
        Ignored((Presence.IN,), (Seen.THERE,), "nothing has changed"),
        Ignored((Presence.MISSING,), (Seen.ABSENT,),
                "it may be a restart, or the catalog was wiped or restored"),
        Ignored(tuple(Presence), (Seen.UNSEEN,), "a view that cannot be believed says nothing"),
    ),
    {
        "first_look": lambda r: r.is_first,
        "left_for_good": lambda r: r.missing_s >= r.settle_s and r.missing <= r.crowd,
    },
)  # fmt: skip


@dataclass(frozen=True)
class MembershipUpdate:
    """The members (uuid -> name; the same object where none came or went), and the missing nodes.

    ``conditions`` has a ``Ref("member", uuid)`` only for those that are missing or out.
    ``compared_roster`` is the view's roster, whose very nodes are in.
    """

    roster: Mapping[str, str]
    conditions: Mapping[Ref, Condition]
    notices: tuple[Notice, ...] = ()
    compared_roster: Mapping[str, str] | None = None


def update_membership(
    conditions: Mapping[Ref, Condition], roster: Mapping[str, str], view: ConsulView, now: float,
    *, settle_s: float, crowd: int, compared_roster: Mapping[str, str] | None = None,
) -> MembershipUpdate:  # fmt: skip
    """Return the members, and what is to be announced.

    ``crowd`` is how many may be missing at once before it is no longer believed.
    ``compared_roster`` is what the last call gave: while it is the view's roster no node has come
    or gone, and of thousands only those that are missing or out are looked at.
    """
    others = {k: s for k, s in conditions.items() if k.kind == "member"}
    if not view.trust.fresh:
        return MembershipUpdate(roster, others)
    seen = view.registered.keys()
    is_same = compared_roster is not None and compared_roster is view.roster
    is_first = not roster and not others
    gone = () if is_same else roster.keys() - seen
    before = others | {Ref("member", u): Condition(Presence.IN.value, now, roster[u]) for u in gone}
    absent = {k: s for k, s in before.items() if k.id not in seen}
    missing = sum(s.state != Presence.OUT.value for s in absent.values())
    came = [] if is_same else [Ref("member", u) for u in view.registered if u not in roster]
    notices, now_out, now_in = [], dict(others), dict[str, str]()
    for key in (*came, *absent):
        uuid, was = key.id, before.get(key, Condition(Presence.OUT.value, now))
        # A view that was lost meanwhile starts the wait anew: absent must be unbroken.
        missing_s = now - max(was.since, view.trust.since)
        turn = PRESENCE.turn(
            Presence(was.state),
            Seen.ABSENT if key in absent else Seen.THERE,
            MissingNodes(missing_s, settle_s, missing, crowd, is_first),
        )
        name = view.registered[uuid].name if uuid in seen else was.name
        if turn.state is Presence.IN:
            now_in[uuid] = name
            now_out.pop(key, None)
        elif turn.state is not turn.before:
            now_out[key] = Condition(turn.state.value, now, name)
        if turn.action:
            notices.append(
                Notice("node", uuid, name, turn.action, turn.state.value, turn.before.value,
                       now, turn.why)
            )  # fmt: skip
    if now_in or gone:
        roster = {u: n for u, n in roster.items() if u not in gone} | now_in
    return MembershipUpdate(roster, now_out, tuple(notices), view.roster)
