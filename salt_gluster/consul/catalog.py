"""Turn Consul's rows into the view of the members (W1), and into hints that a look is due. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from salt_gluster.consul.service import (
    NODE_MAINTENANCE,
    SERVICE,
    SERVICE_MAINTENANCE,
    WAITS,
    check_id,
    members,
)
from salt_gluster.remediation.membership import ConsulView, Registered, Signal, ViewTrust, zones_of

_SERF = "serfHealth"
_MAINTENANCE = (NODE_MAINTENANCE, SERVICE_MAINTENANCE)


@dataclass(frozen=True)
class CriticalChecks:
    """What ``health/state/critical`` says, by Consul's node name; of maintenance the reason."""

    serf: frozenset[str] = frozenset()
    maintenance: Mapping[str, str] = field(default_factory=dict)
    hinting: frozenset[str] = frozenset()


def critical_checks(rows: Iterable[Mapping[str, Any]]) -> CriticalChecks:
    """Return which nodes are critical; a service check only hints that a look is due."""
    serf, hinting, maintenance = set(), set(), {}
    for row in rows:
        node, check = str(row.get("Node", "")), str(row.get("CheckID", ""))
        if check == _SERF:
            serf.add(node)
        elif check in _MAINTENANCE:
            maintenance[node] = str(row.get("Notes") or "no reason given")
        elif row.get("ServiceName") == SERVICE and check != check_id(WAITS):
            hinting.add(node)
    return CriticalChecks(frozenset(serf), maintenance, frozenset(hinting))


@dataclass(frozen=True)
class Catalog:
    """The service's rows of one cluster, parsed once for each change of the catalog."""

    nodes: tuple[tuple[str, str, str, str], ...] = ()  # uuid, Consul's node, minion, zone
    addresses: Mapping[str, str] = field(default_factory=dict)

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


def catalog(rows: list[Any], cluster: str) -> Catalog:
    """Return the cluster's members; rows without a uuid name no node."""
    nodes = [m for m in members(rows, cluster) if m.uuid]
    return Catalog(
        tuple((m.uuid, m.node, m.minion or m.node, m.zone) for m in nodes),
        {m.uuid: m.address for m in nodes},
    )


def consul_view(known: Catalog, checks: CriticalChecks, trust: ViewTrust, index: int) -> ConsulView:
    """Return W1 of everybody, keyed by peer uuid; in maintenance if any row of it says so.

    A renamed node stands there twice for a while: the name that is alive speaks for it
    (facts.md#K-2.5).
    """
    registered = dict(known.as_healthy)
    critical = _touched(known, checks.serf | checks.maintenance.keys())
    for uuid in critical:
        rows = known.by_uuid[uuid]
        good = None
        # Whoever adds a row of its own lifts nobody's maintenance by it.
        held = next(filter(None, (checks.maintenance.get(node, "") for _, node, _, _ in rows)), "")
        for _, node, minion, zone in rows:
            serf = Signal.BAD if node in checks.serf else Signal.GOOD
            if good is not None and serf is Signal.BAD:
                continue
            good = Registered(uuid, minion, minion, serf, zone, bool(held), held)
            registered[uuid] = good
    return ConsulView(trust, registered, index, frozenset(critical), known.zones, known.names)


def _touched(known: Catalog, nodes: frozenset[str]) -> set[str]:
    return {row[0] for node in nodes for row in known.by_node.get(node, ())}


def hinted(known: Catalog, checks: CriticalChecks) -> frozenset[str]:
    """Return the uuids whose own checks say that something is wrong there."""
    return frozenset(_touched(known, checks.hinting))
