"""What the copy of the pool in Consul is worth: what of it counts, how old it is, or why not. Pure.

Each node tells Consul itself how it is: every five minutes, and within seconds when something
changes. No age comes from a node's clock: a report names the leader's pulse that was the last one
before the look, so the age by it is never too small, and our last change that it saw
(``consul/heartbeat.py``). What is too old is unknown; where the copy cannot be judged, it is not
used.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from salt_gluster.model import Unknown, duration
from salt_gluster.status.names import distinct
from salt_gluster.status.report import usable

#: A sensor looks every 300 s. To that come the look, the pulse before it (10 s), and ``LIVE_S``.
LIMIT_S = 360.0
#: A leader whose last pulse is older is not there, or has a clock that is not ours.
LIVE_S = 30.0
#: What the leader says of a node that is not well seen.
AWAY = ("suspect", "down", "gone")
#: What the leader says of a brick that does not serve.
DEAD = ("down", "failed")
#: Uuid and path of a brick -> who says that it is dead, and why.
DeadBricks = Mapping[tuple[str, str], str]


@dataclass(frozen=True)
class StoredPool:
    """What stood in Consul at one moment. ``now`` is the time of ``reader``, this machine.

    leader    the engine that holds the lock, "" = none
    pulse     its last one, ``by`` and ``at``; empty = none
    changed   the index of our last change of the pool, read before the reports
    status    the leader's last tick
    reports   uuid -> report; one that cannot be read is Unknown
    """

    now: float
    reader: str
    leader: str
    heartbeat: Mapping[str, Any]
    changed: int
    status: Mapping[str, Any] | None
    reports: Mapping[str, Mapping[str, Any] | Unknown]

    def readable(self) -> dict[str, Mapping[str, Any]]:
        """Return the reports that can be read."""
        return {u: r for u, r in self.reports.items() if not isinstance(r, Unknown)}


@dataclass(frozen=True)
class PoolCopy:
    """The pool as its nodes have told it.

    now        this machine's time when it was read
    reports    those that count, the youngest first
    ages       uuid -> at most so many seconds ago it looked
    silent     node -> why what it told does not count
    verdicts   uuid -> what the leader thinks of a node that is away, and its words
    dead       the bricks that the leader knows to be dead, and its words
    """

    now: float
    reports: tuple[Mapping[str, Any], ...]
    ages: Mapping[str, float]
    silent: Mapping[str, str]
    names: Mapping[str, str]
    verdicts: Mapping[str, tuple[str, str]]
    dead: DeadBricks = field(default_factory=dict)


def copy_of(kept: StoredPool) -> PoolCopy | str:
    """Return the copy, or why the nodes have to be asked."""
    if why := _unwatched(kept):
        return why
    verdicts, reports = _verdicts(kept), kept.readable()
    missed = {u for u in verdicts if _is_missed(kept, u)}
    age_of = {u: _age(r, kept) for u, r in reports.items() if u not in missed}
    ages = {u: a for u, a in age_of.items() if not isinstance(a, str)}
    fresh = {u: a for u, a in ages.items() if a <= LIMIT_S and usable(reports[u])}
    if not fresh:
        doubts = [a for a in age_of.values() if isinstance(a, str)]
        return doubts[0] if doubts else f"no node's report is younger than {duration(LIMIT_S)}"
    names = _names(_most_told_peers([reports[u] for u in sorted(fresh)]), reports)
    silent: dict[str, str] = {}
    for uuid, name in names.items():
        unreadable = kept.reports.get(uuid)
        if uuid in missed:
            silent[uuid] = verdicts[uuid][1]
        elif isinstance(unreadable, Unknown):
            silent[uuid] = unreadable.why
        elif uuid not in age_of:
            return f"{name} has told Consul nothing"
        elif uuid not in ages:
            return str(age_of[uuid])
        elif uuid not in fresh:
            silent[uuid] = _why_silent(reports[uuid], ages[uuid])
        elif _saw(reports[uuid]) < kept.changed:
            return f"the pool was changed, and {name} has not looked since"
    counted = {u: a for u, a in sorted(fresh.items(), key=lambda row: row[1]) if u in names}
    told = tuple(reports[u] for u in counted)
    return PoolCopy(kept.now, told, counted, silent, names, verdicts, _dead_bricks(kept))


def dead_bricks(kept: StoredPool) -> DeadBricks:
    """Return the bricks that the leader knows to be dead; none where nobody watches."""
    return {} if _unwatched(kept) else _dead_bricks(kept)


def _dead_bricks(kept: StoredPool) -> DeadBricks:
    """Read them from the status; a node whose report is late does not know it of its own brick."""
    dead = {}
    for key, row in (kept.status or {}).get("bricks", {}).items():
        uuid, _, path = str(key).partition(":")
        if row.get("state") in DEAD:
            dead[uuid, path] = f"{row['state']}, says {kept.leader}: {row.get('why', '')}"
    return dead


def _most_told_peers(reports: Iterable[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Return the members that most of the reports tell; at a draw the larger pool.

    Whoever was taken out of the pool may still tell of a pool of its own, and who lies of any.
    """
    told: dict[frozenset[str], list[Sequence[Mapping[str, Any]]]] = {}
    for report in reports:
        peers = report["peers"]
        told.setdefault(frozenset(p["uuid"] for p in peers), []).append(peers)
    members = max(told, key=lambda uuids: (len(told[uuids]), len(uuids), sorted(uuids)))
    return told[members][0]


def _names(
    peers: Iterable[Mapping[str, Any]], reports: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """Return the name of each peer: as it calls itself, where it has reported."""
    own = {p["uuid"]: reports.get(p["uuid"], {}).get("node") for p in peers}
    names = {p["uuid"]: str(own[p["uuid"]] or next(iter(p["names"]), p["uuid"])) for p in peers}
    return distinct(names)


def _unwatched(kept: StoredPool) -> str:
    """Say why no engine keeps the copy, or ""."""
    leader, pulse, status = kept.leader, kept.heartbeat, kept.status
    if not leader:
        return "nobody leads, so nobody watches"
    if pulse.get("by") != leader:
        return f"{leader} leads and has given no sign of life yet"
    if abs(kept.now - pulse["at"]) > LIVE_S:
        return f"the last sign of life of {leader} is {duration(abs(kept.now - pulse['at']))} off"
    if status is None or status.get("by") != leader:
        return f"{leader} leads and has told nothing yet"
    if status.get("mode") == "blind":
        return f"{leader} leads and is blind: {status.get('why') or 'it does not say why'}"
    return ""


def _now(kept: StoredPool) -> float:
    """Return the leader's time, or a little more: on another machine its clock cannot be read."""
    return kept.now if kept.reader == kept.leader else float(kept.heartbeat["at"]) + LIVE_S


def _age(report: Mapping[str, Any], kept: StoredPool) -> float | str:
    """Return how old a report is at most, or why that is not known."""
    name, after = report.get("node"), report.get("after")
    if not isinstance(after, Mapping) or not _is_time(after.get("at")):
        return f"how old the report of {name} is is not known: nobody led when it looked"
    if after.get("by") != kept.leader:
        return f"{name} looked when {after.get('by')} led, by another clock"
    age = _now(kept) - float(after["at"])
    return age if age >= 0 else f"the report of {name} is younger than now: a clock went back"


def _is_time(at: Any) -> bool:
    is_number = isinstance(at, int | float) and not isinstance(at, bool)
    return is_number and 0 <= at < 1e12


def _saw(report: Mapping[str, Any]) -> int:
    """Return the last change of ours that it saw."""
    changed = report["after"].get("changed")
    return changed if isinstance(changed, int) else -1


def _why_silent(report: Mapping[str, Any], age: float) -> str:
    if age > LIMIT_S:
        return f"it told last {duration(age)} ago, and should every 5 min"
    peers = report.get("peers")
    why = peers.get("unknown") if isinstance(peers, Mapping) else None
    return str(why or "its report cannot be read")


def _verdicts(kept: StoredPool) -> dict[str, tuple[str, str]]:
    verdicts = {}
    for uuid, row in (kept.status or {}).get("nodes", {}).items():
        state, since = str(row.get("state")), row.get("since")
        if state in AWAY:
            lasts = f" for {duration(_now(kept) - since)}" if isinstance(since, int | float) else ""
            verdicts[uuid] = (state, f"{state}{lasts}, says {kept.leader}: {row.get('why', '')}")
    return verdicts


def _is_missed(kept: StoredPool, uuid: str) -> bool:
    """Whether Consul itself does not see the node: what it told is from before."""
    seen = (kept.status or {})["nodes"][uuid].get("witnesses", ())
    return any(w.get("source") == "consul" and w.get("says") == "-" for w in seen)
