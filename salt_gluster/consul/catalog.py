"""Turn Consul's rows into the view of the members (W1), and into hints that a look is due. Pure.

A row is written by whoever may write the service: any node of the pool, for any other. What is
believed is on which of Consul's nodes it stands, for only that node's agent can make that one, and
who that node is by the master's admission. Where nothing was admitted, in a Consul that the
operator brings, rows are believed as far as they do not contradict each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from salt_gluster.consul.queries import GOSSIP, TOO_MANY
from salt_gluster.consul.service import (
    NODE_MAINTENANCE,
    SERF,
    SERVICE,
    SERVICE_MAINTENANCE,
    WAITS,
    Member,
    check_id,
    is_own_row,
    members,
)
from salt_gluster.errors import GlusterError
from salt_gluster.remediation.membership import ConsulView, Registered, Signal, ViewTrust, zones_of
from salt_gluster.spec import parse_nodes

_MAINTENANCE = (NODE_MAINTENANCE, SERVICE_MAINTENANCE)
#: What gossip says of a node, by Serf's numbers.
_BY_GOSSIP = {1: Signal.GOOD, 4: Signal.BAD}
_OVERWRITTEN = "{}, which is Consul's own, was overwritten"


@dataclass(frozen=True)
class CriticalChecks:
    """What ``health/state/critical`` says, by Consul's node name; of maintenance the reason.

    ``unsure``: nodes of which neither Consul's own check nor gossip tells whether they are alive.
    ``forged``: nodes of which one of Consul's own checks was written by somebody else, and which.
    """

    serf: frozenset[str] = frozenset()
    maintenance: Mapping[str, str] = field(default_factory=dict)
    hinting: frozenset[str] = frozenset()
    unsure: frozenset[str] = frozenset()
    forged: Mapping[str, str] = field(default_factory=dict)

    @property
    def odd(self) -> frozenset[str]:
        """The nodes that are not plainly well."""
        return self.serf | self.unsure | self.maintenance.keys() | self.forged.keys()


def critical_checks(rows: Iterable[Mapping[str, Any]]) -> CriticalChecks:
    """Return which nodes are critical; a service check only hints that a look is due.

    Consul's own checks of a node belong to no service: one that does was written over the true one,
    by whoever may write the service. Then gossip says whether the node is alive, and it counts as
    in maintenance.
    """
    signals: dict[str, Signal] = {}
    hinting, maintenance, forged = set[str](), dict[str, str](), dict[str, str]()
    for row in rows:
        node, check = str(row.get("Node", "")), str(row.get("CheckID", ""))
        is_of_service = bool(row.get("ServiceID"))
        is_critical = row.get("Status") == "critical"
        if check == SERF and not is_of_service:
            signals.setdefault(node, Signal.BAD)
        elif check == SERF:
            signals[node] = _BY_GOSSIP.get(row.get(GOSSIP) or 0, Signal.UNKNOWN)
            forged[node] = _OVERWRITTEN.format(check)
        elif (
            check in _MAINTENANCE
            and is_critical
            and not (check == NODE_MAINTENANCE and is_of_service)
        ):
            maintenance.setdefault(node, str(row.get("Notes") or "no reason given"))
        elif check in _MAINTENANCE:
            forged[node] = maintenance[node] = _OVERWRITTEN.format(check)
        elif row.get("ServiceName") == SERVICE and check != check_id(WAITS):
            hinting.add(node)
    by_signal = {s: frozenset(n for n, of in signals.items() if of is s) for s in Signal}
    bad, unsure = by_signal[Signal.BAD], by_signal[Signal.UNKNOWN]
    return CriticalChecks(bad, maintenance, frozenset(hinting), unsure, forged)


@dataclass(frozen=True)
class Catalog:
    """The service's rows of one cluster, parsed once for each change of the catalog.

    ``rows`` are what was read, of all clusters, ``nodes`` who they are. ``contradicted`` is what
    rows say that is not so, by the name of Consul's node on which they stand; ``strays`` are those
    of it that are more rows than one.
    """

    nodes: tuple[tuple[str, str, str, str], ...] = ()  # uuid, Consul's node, minion, zone
    rows: tuple[Member, ...] = ()
    cluster: str = ""
    strays: Mapping[str, str] = field(default_factory=dict)
    contradicted: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def as_healthy(self) -> Mapping[str, Registered]:
        """Every member as if no check were critical: made once for each change of the catalog."""
        return {u: Registered(u, minion, minion, Signal.GOOD, z) for u, _, minion, z in self.nodes}

    @cached_property
    def zones(self) -> Mapping[str, frozenset[str]]:
        """The nodes of every zone that has a name."""
        return zones_of((uuid, zone) for uuid, _, _, zone in self.nodes)

    @cached_property
    def names(self) -> Mapping[str, str]:
        """The name of every member."""
        return {uuid: minion for uuid, _, minion, _ in self.nodes}

    @cached_property
    def by_node(self) -> Mapping[str, tuple[tuple[str, str, str, str], ...]]:
        """The rows by Consul's node."""
        rows: dict[str, tuple[tuple[str, str, str, str], ...]] = {}
        for row in self.nodes:
            rows[row[1]] = (*rows.get(row[1], ()), row)
        return rows

    @cached_property
    def by_uuid(self) -> Mapping[str, tuple[tuple[str, str, str, str], ...]]:
        """The rows by uuid: several while a renamed node stands there twice."""
        rows: dict[str, tuple[tuple[str, str, str, str], ...]] = {}
        for row in self.nodes:
            rows[row[0]] = (*rows.get(row[0], ()), row)
        return rows

    @cached_property
    def doubled(self) -> frozenset[str]:
        """The uuids that more than one row names."""
        return frozenset(uuid for uuid, rows in self.by_uuid.items() if len(rows) > 1)


def catalog(
    rows: list[Any], cluster: str, admitted: Mapping[str, str] | None = None, spec: Any = None
) -> Catalog:
    """Return the cluster's members; without an admission rows without a uuid name no node.

    ``admitted`` is minion -> gluster uuid, as the master wrote it; empty = no master admits here.
    ``spec`` is the accepted declaration.
    """
    strays = {
        str(row.get("Node")): "the catalog has a second row of the service there"
        for row in rows
        if not is_own_row(row) and (row.get("ServiceMeta") or {}).get("cluster") == cluster
    }
    if any(row.get(TOO_MANY) for row in rows):
        strays["?"] = "the catalog has more rows of the service than are read"
    known = Catalog(rows=tuple(members(rows)), cluster=cluster, strays=strays)
    return identified(known, admitted, spec)


def identified(known: Catalog, admitted: Mapping[str, str] | None, spec: Any = None) -> Catalog:
    """Return the same rows as who they are by this admission, in the zones of the declaration."""
    believed, contradicted = believe(known.rows, known.cluster, admitted or {})
    named = [(m, m.minion or m.node) for m in believed if m.uuid]
    zones = declared_zones(spec, (minion for _, minion in named))
    nodes = ((m.uuid, m.node, minion, zones.get(minion, m.zone)) for m, minion in named)
    return replace(known, nodes=tuple(nodes), contradicted={**contradicted, **known.strays})


def declared_zones(spec: Any, minions: Iterable[str]) -> dict[str, str]:
    """Return the zone of each node that the declaration means: no node says itself where it is.

    A row's zone counts only for one that it does not mean, or where none is accepted.
    """
    try:
        pool = parse_nodes(spec, tuple(minions))
    except (GlusterError, AttributeError, TypeError):
        return {}
    return {name: pool.zone(name) for name in pool.nodes}


def believe(
    rows: Iterable[Member], cluster: str, admitted: Mapping[str, str]
) -> tuple[list[Member], dict[str, str]]:
    """Return who the rows of a cluster are, and by Consul's node what they say against that.

    By the admission a row is its node's, whatever it says; the row of a node that was not admitted
    is nobody's. Without an admission rows are what they say.
    """
    if not admitted:
        return [row for row in rows if row.cluster == cluster], {}
    believed, contradicted = [], dict[str, str]()
    for row in rows:
        uuid = admitted.get(row.node)
        if uuid is not None:
            believed.append(replace(row, uuid=uuid, minion=row.node, cluster=cluster))
            if (row.uuid, row.minion, row.cluster) != (uuid, row.node, cluster):
                contradicted[row.node] = (
                    f"its row says minion {_short(row.minion)}, uuid {_short(row.uuid)}, pool"
                    f" {_short(row.cluster)}; the master has admitted it with {uuid}"
                )
        elif row.cluster == cluster:
            contradicted[row.node] = "it has a row, and the master has not admitted it"
    return believed, contradicted


def _short(word: str) -> str:
    return word[:60] or "-"


def consul_view(known: Catalog, checks: CriticalChecks, trust: ViewTrust, index: int) -> ConsulView:
    """Return W1 of everybody, keyed by peer uuid; in maintenance if any row of it says so.

    A renamed node stands there twice for a while: the name that is alive speaks for it
    (facts.md#K-2.5). Of two that are alive at once it is not known which is the node.
    """
    registered = dict(known.as_healthy)
    critical = _touched(known, checks.odd) | known.doubled
    contradicted = {**known.contradicted, **checks.forged}
    for uuid in critical:
        rows = known.by_uuid[uuid]
        # Whoever adds a row of its own lifts nobody's maintenance by it.
        held = next(filter(None, (checks.maintenance.get(node, "") for _, node, _, _ in rows)), "")
        signals = [_signal(checks, node) for _, node, _, _ in rows]
        alive = [row for row, s in zip(rows, signals, strict=True) if s is not Signal.BAD]
        _, _, minion, zone = (alive or rows)[0]
        serf = signals[rows.index(alive[0])] if alive else Signal.BAD
        if len(alive) > 1:
            serf = Signal.UNKNOWN
            names = " and ".join(sorted(row[1] for row in alive))
            contradicted |= {row[1]: f"{names} both say that they are {uuid}" for row in alive}
        registered[uuid] = Registered(uuid, minion, minion, serf, zone, bool(held), held)
    return ConsulView(
        trust, registered, index, frozenset(critical), known.zones, known.names, contradicted
    )


def _signal(checks: CriticalChecks, node: str) -> Signal:
    if node in checks.unsure:
        return Signal.UNKNOWN
    return Signal.BAD if node in checks.serf else Signal.GOOD


def _touched(known: Catalog, nodes: frozenset[str]) -> set[str]:
    return {row[0] for node in nodes for row in known.by_node.get(node, ())}


def hinted(known: Catalog, checks: CriticalChecks) -> frozenset[str]:
    """Return the uuids whose own checks say that something is wrong there."""
    return frozenset(_touched(known, checks.hinting))
