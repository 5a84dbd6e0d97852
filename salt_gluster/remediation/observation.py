"""What a decision may look at, and what it remembers. Nouns only; nothing else is looked at.

A ``FleetObservation`` is built by the engine at every tick, and by an executor on its own node.
What was not asked or not answered is an ``Unknown`` or is missing: never good, bad or zero.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from salt_gluster.model import NOT_ASKED, Brick, Hold, NodeFacts, Observation, Ref, Unknown, Volume
from salt_gluster.remediation.membership import Condition, ConsulView, Snapshot
from salt_gluster.remediation.operations import ExecutionReport, Operation
from salt_gluster.remediation.policy import Policy
from salt_gluster.status.look_time import NEVER
from salt_gluster.status.volume_trouble import VolumeTroubles

#: The condition of an engine's own view.
VIEW = Ref("cluster", "view")
#: A brick's identity: the uuid of its node, and its path.
BrickKey = tuple[str, str]


@dataclass(frozen=True)
class Recorded:
    """What was written down of a brick when it was well (``identity/<uuid>``)."""

    filesystem: str
    volume_id: str


@dataclass(frozen=True)
class LockView:
    """The leader's lock as seen from here. ``epoch`` is the newest token in Consul.

    ``held`` is about this engine; an executor hands in ``held=True`` when a leader holds it.
    """

    held: bool
    valid_s: float = 0.0
    epoch: int | Unknown = NOT_ASKED


@dataclass(frozen=True)
class Maintenance:
    """The maintenance window of one node; no end = until it is removed."""

    owner: str
    reason: str
    until: float | None

    @property
    def text(self) -> str:
        """Return the reason that Consul's own maintenance of the node has, if it is this one."""
        return f"{self.reason} ({self.owner})"

    def is_over(self, now: float) -> bool:
        """Whether its end has come."""
        return self.until is not None and now >= self.until


@dataclass(frozen=True)
class Acknowledged:
    """An acknowledgement. ``what`` is the cluster's name, a node's uuid or an operation's id.

    ``index`` is Consul's; 0 = it is not known.
    """

    what: str
    at: float
    by: str = ""
    index: int = 0


@dataclass(frozen=True)
class WentBack:
    """The mark that Consul is an older one than it was.

    ``index`` is Consul's of the mark itself: what was written later is of now. ``seen`` was the
    highest before, ``found`` what is there.
    """

    index: int
    at: float = 0.0
    by: str = ""
    seen: int = 0
    found: int = 0


@dataclass(frozen=True)
class Admission:
    """The nodes that the declaration admits, and those that have registered and wait for it.

    ``nodes`` are the names that are admitted; ``accepted`` and ``rejected`` are name -> operator
    that decided it; ``candidates`` wait, uuid -> name; ``critical`` are the uuids with a critical
    check of their own.
    """

    nodes: Collection[str] = ()
    accepted: Mapping[str, str] = field(default_factory=dict)
    rejected: Mapping[str, str] = field(default_factory=dict)
    candidates: Mapping[str, str] = field(default_factory=dict)
    critical: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Certificate:
    """One that an agent uses, as its node tells: what it is, and from when to when it counts."""

    what: str
    node: str
    since: float
    until: float
    ways: tuple[str, ...] = ()


@dataclass(frozen=True)
class ConsulHealth:
    """How that is which automation itself stands on.

    known         the nodes, by uuid, whose sensors were heard once
    heard         those that are heard now
    says          uuid -> what a node that was asked says of its own trouble with Consul
    servers       the name of each of Consul's servers -> what is wrong with it, "" = nothing
    certificates  what is known of the agents' certificates
    """

    known: frozenset[str] = frozenset()
    heard: frozenset[str] | Unknown = NOT_ASKED
    says: Mapping[str, str] = field(default_factory=dict)
    servers: Mapping[str, str] | Unknown = NOT_ASKED
    certificates: tuple[Certificate, ...] = ()

    def unheard(self, registered: Collection[str]) -> frozenset[str]:
        """Return the registered nodes whose sensors were heard once and are not now."""
        heard = self.heard
        return frozenset() if isinstance(heard, Unknown) else (self.known - heard) & {*registered}


@dataclass(frozen=True)
class FleetObservation:
    """Everything a decision may look at, taken at ``now``.

    members      uuid -> name: the nodes that should be in the pool
    pool         the sum of the reports, for definitions, impact and heal counts; may be unknown
    facts        uuid -> the node's own report; stale and silent ones are the guards' matter
    ports        brick -> {asked member's uuid: accepted?} (W2)
    peers        asked member's uuid -> {uuid: connected?} (W3)
    answered     uuid -> did it answer when it was asked; empty = no node was asked
    unconfirmed  uuids for which an answer came of which it is not known who gave it
    skews        uuid -> its clock minus the leader's in seconds, measured when it was asked
    went_back    the mark that Consul is an older one than it was; None = it is not
    has_policy   a configuration was accepted; without one there are only notices
    executor_node  "" = the engine; else the uuid of the node of the executor
    strays       the members that Consul's catalog does not have; None = compare
    admission    candidates for the pool; an executor does not look there
    written      uuid -> Consul's index of its report
    consul_health  trouble of sensors and of Consul itself; it is told, and nothing depends on it
    volume_troubles  split-brain and sets without room; as that
    """

    now: float
    cluster: str
    consul: ConsulView
    lock: LockView
    members: Mapping[str, str]
    pool: Observation | Unknown = NOT_ASKED
    facts: Mapping[str, NodeFacts | Unknown] = field(default_factory=dict)
    ports: Mapping[BrickKey, Mapping[str, bool | Unknown]] = field(default_factory=dict)
    peers: Mapping[str, Mapping[str, bool] | Unknown] = field(default_factory=dict)
    answered: Mapping[str, bool] = field(default_factory=dict)
    unconfirmed: frozenset[str] = frozenset()
    skews: Mapping[str, float | Unknown] = field(default_factory=dict)
    hold: Hold | Unknown | None = NOT_ASKED
    maintenance: Mapping[str, Maintenance] | Unknown = NOT_ASKED
    operations: Mapping[str, Operation] | Unknown = NOT_ASKED
    proposals: Mapping[str, Operation] | Unknown = NOT_ASKED
    outcomes: Mapping[str, ExecutionReport] | Unknown = NOT_ASKED
    acknowledged: tuple[Acknowledged, ...] | Unknown = NOT_ASKED
    recorded: Mapping[BrickKey, Recorded] | Unknown = NOT_ASKED
    went_back: WentBack | Unknown | None = None
    has_policy: bool = True
    executor_node: str = ""
    strays: frozenset[str] | None = None
    admission: Admission = Admission()
    written: Mapping[str, int] = field(default_factory=dict)
    consul_health: ConsulHealth = ConsulHealth()
    volume_troubles: VolumeTroubles | Unknown = NOT_ASKED

    def not_in_catalog(self) -> Collection[str]:
        """Return the members that Consul's catalog does not have."""
        registered = self.consul.registered.keys()
        return self.members.keys() - registered if self.strays is None else self.strays

    def fresh_facts(self, uuid: str, policy: Policy) -> NodeFacts | Unknown:
        """Return a node's own report; Unknown: there is none, too old, or of a clock far ahead.

        Its times are by this clock, whatever the node's own says (``status/look_time.py``).
        """
        facts = self.facts.get(uuid, NOT_ASKED)
        if isinstance(facts, Unknown):
            return facts
        if facts.at == NEVER:
            return Unknown("how old its report is is not known: it looked when another one led")
        age = self.now - facts.at
        if age > policy.evidence_s:
            return Unknown(f"its report is {age:.0f} s old")
        if age < -policy.clock_skew_s:  # it would stay fresh for as long as its clock is ahead
            return Unknown(f"its report is {-age:.0f} s ahead of this clock")
        return facts

    def volumes(self) -> Mapping[str, Volume] | Unknown:
        """Return the pool's definitions."""
        return self.pool if isinstance(self.pool, Unknown) else self.pool.volumes

    def name(self, uuid: str) -> str:
        """Return the name of a node."""
        return self.members.get(uuid, uuid)

    def in_maintenance(self, uuid: str) -> str:
        """Say why a node is in maintenance, or ""; what cannot be read counts as maintenance."""
        if isinstance(self.maintenance, Unknown):
            return f"whether it is in maintenance cannot be read: {self.maintenance.why}"
        window = self.maintenance.get(uuid)
        if window and not window.is_over(self.now):
            return f"{window.owner} has it in maintenance: {window.reason}"
        registered = self.consul.registered.get(uuid)
        # Of one that is over Consul may keep its half for ever, where the node does not answer.
        is_other = window is None or (registered and registered.held_for != window.text)
        if registered and registered.maintenance and is_other:
            return f"it is in maintenance in Consul: {registered.held_for or 'no reason given'}"
        return ""

    def last_acknowledged(self, *what: str) -> float:
        """Return when an operator last acknowledged any of these; 0 where that is not known."""
        if isinstance(self.acknowledged, Unknown):
            return 0.0  # no acknowledgement is known: the patient answer
        return max((a.at for a in self.acknowledged if a.what in what), default=0.0)

    def is_acknowledged_since(self, index: int, *what: str) -> bool:
        """Whether an operator has acknowledged any of these after Consul got ``index``."""
        known = () if isinstance(self.acknowledged, Unknown) else self.acknowledged
        return any(a.index > index for a in known if a.what in what)


def key_of(brick: Brick) -> BrickKey:
    """Return a brick's identity."""
    return (brick.host_uuid, brick.path)


@dataclass(frozen=True)
class VerifyProgress:
    """How far verifying one operation has come."""

    since: float
    zeros: int = 0
    zero_at: float = 0.0
    least: int | None = None
    progress_at: float = 0.0


@dataclass(frozen=True)
class Memory:
    """What one tick hands to the next. ``conditions`` are stored, the rest is lost in a crash.

    ``clocks`` have what lasts and of what kind, and since when; they run only on unbroken evidence
    and only in OPEN; losing them is only patience.
    ``roster`` are the names of the nodes that are in, by uuid, and ``compared_roster`` the view's
    roster that it was last compared with (``membership.update_membership``).
    ``candidate`` is the action that was decided, and when first. ``asked`` is when each request was
    sent last.
    """

    conditions: Mapping[Ref, Condition] = field(default_factory=dict)
    clocks: Mapping[tuple[Ref, str], float] = field(default_factory=dict)
    mode: str = "blind"
    mode_since: float = 0.0
    epoch: int | None = None
    candidate: tuple[str, float] | None = None
    checks: Mapping[str, VerifyProgress] = field(default_factory=dict)
    asked: Mapping[str, float] = field(default_factory=dict)
    roster: Mapping[str, str] = field(default_factory=dict)
    compared_roster: Mapping[str, str] | None = field(default=None, compare=False, repr=False)

    def without_clocks(self) -> Memory:
        """Return it with every clock at zero: what was seen before is not evidence any more."""
        return replace(self, clocks={}, candidate=None)


def remembered(
    snapshot: Snapshot, before: Memory | None = None, now: float | None = None
) -> Memory:
    """Return the memory of an engine that starts, or takes the lock: what was told, and no clock.

    ``before`` is its memory until now: the view is each engine's own, announced on its own bus.
    What began after ``now``, by a clock that was ahead, began now.
    """
    conditions = {
        k: c if now is None or c.since <= now else replace(c, since=now)
        for k, c in snapshot.conditions.items()
    }
    conditions.pop(VIEW, None)
    if before is not None and VIEW in before.conditions:
        conditions[VIEW] = before.conditions[VIEW]
    return Memory(conditions=conditions, roster=snapshot.roster)
