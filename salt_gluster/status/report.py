"""What a node tells of itself as plain data, and the pool as the sum of what its nodes tell. Pure.

Nobody takes a lock for that: peers and definitions come from ``pool list`` and ``volume info``,
bricks from each node's own ``get-state``, what is left to heal from the bricks' own index.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

from salt_gluster.model import (
    BrickSpace,
    BrickStatus,
    GlusterdState,
    Heal,
    HealIndex,
    Hold,
    Node,
    NodeFacts,
    Observation,
    Peer,
    Unknown,
    Volume,
    VolumeStatus,
    brick_at,
    is_known,
    known,
    read_as,
)
from salt_gluster.status import peers_seen
from salt_gluster.status.facts import facts_data, volumes_data, volumes_from
from salt_gluster.status.peers_seen import MemberViews
from salt_gluster.status.split_brain import Copy, in_split_brain

#: Raised when a key changes its meaning.
SCHEMA = 1
#: The uuid of a node, and what it tells of one of its bricks.
BrickRow = tuple[str, Mapping[str, Any]]


def own_report(
    obs: Observation,
    state: GlusterdState | Unknown,
    indexes: Mapping[str, HealIndex | Unknown],
    version: str | Unknown,
    facts: NodeFacts,
) -> dict[str, Any]:
    """Return this node's report: what it sees of the pool, its own bricks, and its evidence.

    The definitions stand in it once: the facts are read with those of the report.
    """
    own = obs.node
    uuid = next((p.uuid for p in known(obs.peers) if p.is_self), "") if is_known(obs.peers) else ""
    return {
        "schema": SCHEMA,
        "at": obs.now,
        "node": own.name,
        "names": [own.name, *own.aliases],
        "uuid": uuid,
        "version": _encoded(version),
        "hold": _encoded(own.hold) if not isinstance(own.hold, Hold) else asdict(own.hold),
        "peers": [asdict(p) for p in obs.peers] if is_known(obs.peers) else _encoded(obs.peers),
        "volumes": _volumes(obs),
        "reach": {u: {"accepts": r.accepts, "max_op_version": _encoded(r.max_op_version)}
                  for u, r in obs.reach.items()},
        "bricks": _own_bricks(state, indexes) if is_known(state) else _encoded(state),
        "facts": {k: v for k, v in facts_data(facts).items() if k != "volumes"},
    }  # fmt: skip


def _volumes(obs: Observation) -> Any:
    if isinstance(obs.volumes, Unknown):
        return _encoded(obs.volumes)
    return volumes_data(obs.volumes)


def _encoded(value: Any) -> Any:
    return {"unknown": value.why} if isinstance(value, Unknown) else value


def _own_bricks(
    state: GlusterdState, indexes: Mapping[str, HealIndex | Unknown]
) -> dict[str, list[dict[str, Any]]]:
    bricks: dict[str, list[dict[str, Any]]] = {}
    for volume in state.volumes.values():
        rows = bricks.setdefault(volume.name, [])
        for brick in volume.bricks:
            if is_known(brick.started):
                path = brick_at(brick.name)[1]
                rows.append(
                    {
                        "name": brick.name,
                        "online": brick.started,
                        "port": _encoded(brick.port),
                        "free": _encoded(brick.free),
                        "total": _encoded(brick.total),
                        **_index_row(indexes.get(path, Unknown("its index was not read"))),
                    }
                )
    return bricks


def _index_row(index: HealIndex | Unknown) -> dict[str, Any]:
    """Return what is to heal; whom the copies accuse only where there is something."""
    if isinstance(index, Unknown):
        return {"pending": _encoded(index)}
    row: dict[str, Any] = {"pending": index.entries, "client": index.client}
    if index.entries:
        row |= {"looked_at": index.looked_at, "accused": index.accused}
    return row


# --- the sum of the reports ----------------------------------------------------------------------


def usable(report: Any) -> bool:
    """Return whether this is a report whose node could look at its pool."""
    return (
        isinstance(report, Mapping)
        and report.get("schema") == SCHEMA
        and isinstance(report.get("peers"), list)
    )


class ReadReports:
    """What reports say of the other members, read once for as long as a report is the same one."""

    def __init__(self) -> None:
        self._read: dict[str, tuple[Mapping[str, Any], MemberViews]] = {}

    def views(self, report: Mapping[str, Any]) -> MemberViews:
        """Return what this report says of the other members."""
        known = self._read.get(report["uuid"])
        if known is None or known[0] is not report:
            known = self._read[report["uuid"]] = report, peers_seen.views_of(report)
        return known[1]


def observation(
    reports: Iterable[Mapping[str, Any]], seen_by: str = "", read: ReadReports | None = None
) -> Observation:
    """Return the pool as the sum of these reports; the first is believed for members and volumes.

    Whether a member is connected, and answers, is what most of the others say (``peers_seen.py``).
    A brick of a node that did not report has no row: unknown, not down (facts.md#G-0.12). ``read``
    is for whoever sums up again and again.
    """
    read = read or ReadReports()
    good = [r for r in reports if usable(r)]
    views = {r["uuid"]: read.views(r) for r in good}
    told_peers = {u: v.peers for u, v in views.items()}
    away = peers_seen.missed(told_peers)
    there = [r for r in good if r["uuid"] not in away] or good
    first = next((r for r in good if r["node"] == seen_by), there[0])
    volumes = volumes_from(_mapping(first["volumes"]))
    peers = _named(tuple(_peer(p) for p in first["peers"]), good)
    reach = {u: v.reach for u, v in views.items()}
    started = [v for v in volumes.values() if v.is_started]
    rows = _rows_by_volume(good)
    return Observation(
        now=float(first["at"]),
        node=Node(first["node"], tuple(first["names"][1:]), first["uuid"], hold=_hold(good)),
        peers=peers_seen.by_majority(peers, told_peers),
        volumes=volumes,
        status={v.name: _status(v.name, rows.get(v.name, ())) for v in started},
        reach=peers_seen.reach_by_majority(reach, first["uuid"], away),
        heal={v.name: _heal(v, rows.get(v.name, ())) for v in started},
    )


def definitions(report: Mapping[str, Any]) -> Mapping[str, Volume] | Unknown:
    """Return the volumes that a report tells; a node that has none whole does not say."""
    volumes = report["volumes"]
    if isinstance(volumes, Mapping) and isinstance(volumes.get("unknown"), str):
        return Unknown(volumes["unknown"])
    return volumes_from(volumes)


def space(obs: Observation, reports: Iterable[Mapping[str, Any]]) -> dict[str, list[BrickSpace]]:
    """Return the size of every brick that was reported, by volume; no inodes."""
    sizes: dict[str, list[BrickSpace]] = {}
    for _, volume, row in _rows(reports):
        if volume in known(obs.volumes) and isinstance(row["total"], int):
            size = BrickSpace(row["name"], row["total"], row["free"], 0, 0)
            sizes.setdefault(volume, []).append(size)
    return sizes


def version(reports: Iterable[Mapping[str, Any]]) -> str | Unknown:
    """Return the version that the nodes run, all of them where they differ."""
    versions = sorted({str(r["version"]) for r in reports if isinstance(r.get("version"), str)})
    return " and ".join(versions) if versions else Unknown("no node told its version")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) and "unknown" not in value else {}


def _rows(reports: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, str, Mapping[str, Any]]]:
    for report in reports:
        for volume, rows in _mapping(report["bricks"]).items():
            for row in rows:
                yield report["uuid"], volume, row


def _peer(data: Mapping[str, Any]) -> Peer:
    peer: Peer = read_as(Peer, data, "a peer")
    return peer


def _named(peers: tuple[Peer, ...], reports: list[Mapping[str, Any]]) -> tuple[Peer, ...]:
    """Call each member as it calls itself; gluster says localhost, or an address it was met by.

    A name by which gluster knows another member is nobody's to take.
    """
    told = {r["uuid"]: tuple(r["names"]) for r in reports}
    owners = {n.lower(): p.uuid for p in peers if not p.is_self for n in p.names}

    def names(peer: Peer) -> tuple[str, ...]:
        own = (n for n in told.get(peer.uuid, ()) if owners.get(n.lower(), peer.uuid) == peer.uuid)
        met = () if peer.is_self and peer.uuid in told else peer.names
        return tuple(dict.fromkeys((*own, *met))) or peer.names

    return tuple(replace(peer, names=names(peer)) for peer in peers)


def _number(value: Any) -> int | Unknown:
    if isinstance(value, int):
        return value
    return Unknown(str(value["unknown"]) if isinstance(value, Mapping) else "not told")


def _hold(reports: list[Mapping[str, Any]]) -> Hold | Unknown | None:
    """Return the first hold that any node has; a hold on one node holds the pool."""
    for report in reports:
        hold = report["hold"]
        if isinstance(hold, Mapping) and "unknown" in hold:
            return Unknown(str(hold["unknown"]))
        if isinstance(hold, Mapping):
            held: Hold = read_as(Hold, hold, "a hold")
            return held
    return None


def _rows_by_volume(reports: Iterable[Mapping[str, Any]]) -> dict[str, list[BrickRow]]:
    by_volume: dict[str, list[BrickRow]] = {}
    for uuid, volume, row in _rows(reports):
        by_volume.setdefault(volume, []).append((uuid, row))
    return by_volume


def _status(volume: str, told: Iterable[BrickRow]) -> VolumeStatus:
    rows = []
    for uuid, row in told:
        host, path = brick_at(str(row["name"]))
        port = row["port"] if isinstance(row["port"], int) and row["port"] > 0 else None
        rows.append(BrickStatus(host, path, uuid, bool(row["online"]), port, None))
    return VolumeStatus(volume, tuple(rows))


def _heal(volume: Volume, told: Iterable[BrickRow]) -> tuple[Heal, ...]:
    rows = list(told)
    if all(row["pending"] == 0 for _, row in rows):
        return tuple(Heal(str(row["name"]), uuid, 0, 0) for uuid, row in rows)
    indexes = {(uuid, brick_at(str(row["name"]))[1]): _index_of(row) for uuid, row in rows}
    split: dict[tuple[str, str], int | Unknown] = {}
    for members in volume.sets if volume.replica > 1 else ():
        keys = [(brick.host_uuid, brick.path) for brick in members.bricks]
        copies = [
            Copy(brick.host, indexes.get(key, Unknown("not told")), brick.is_arbiter)
            for key, brick in zip(keys, members.bricks, strict=True)
        ]
        split |= dict.fromkeys(keys, in_split_brain(copies))
    return tuple(
        Heal(name := str(row["name"]), uuid, _number(row["pending"]),
             split.get((uuid, brick_at(name)[1]), 0))
        for uuid, row in rows
    )  # fmt: skip


def _index_of(row: Mapping[str, Any]) -> HealIndex | Unknown:
    """Read what one brick tells; only rows of reports that were found readable come here."""
    pending = _number(row["pending"])
    if isinstance(pending, Unknown):
        return pending
    return HealIndex(
        pending, row.get("client", ""), row.get("looked_at", 0), row.get("accused", {})
    )
