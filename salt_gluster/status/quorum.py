"""Return whether a set serves: which bricks live, what quorum asks, which copies are current.

The rules for ``impact.py``, which holds the words for volumes. Nothing is read here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from salt_gluster.errors import SpecError
from salt_gluster.model import (
    NOT_ASKED,
    Brick,
    Heal,
    Observation,
    Peer,
    ReplicaSet,
    Unknown,
    Volume,
    brick_at,
    is_known,
    natural_key,
)

# --- names, and what is up ----------------------------------------------------------------------

BrickKey = tuple[str, str]


@dataclass(frozen=True)
class BrickUp:
    """``up`` is None where it is not known; ``away`` = because its member is not connected."""

    up: bool | None
    why: str = ""
    away: bool = False


def _by_name(observation: Observation) -> dict[str, str]:
    """Return the uuid behind each name of a member, and each spelling of a brick's host.

    A name that two nodes have is nobody's.
    """
    peers, volumes = observation.peers, observation.volumes
    named = [(n, p.uuid) for p in (peers if is_known(peers) else ()) for n in p.names]
    several = volumes.values() if is_known(volumes) else ()
    named += [(b.host, b.host_uuid) for v in several for b in v.bricks if b.host_uuid]
    found: dict[str, set[str]] = {}
    for name, uuid in named:
        found.setdefault(name.lower(), set()).add(uuid.lower())
    return {name: min(uuids) for name, uuids in found.items() if len(uuids) == 1}


class PoolView:
    """The observation, with nodes and bricks matched by uuid whatever name was typed."""

    def __init__(self, observation: Observation, incomplete: Collection[str] = ()) -> None:
        self.observation = observation
        peers = observation.peers if is_known(observation.peers) else ()
        self.peers = {p.uuid.lower(): p for p in peers}
        self.uuids = _by_name(observation)
        self._heals: dict[str, dict[BrickKey, Heal]] = {}
        volumes = observation.volumes
        self.bricks: frozenset[BrickKey] = frozenset(
            self.of(b) for v in (volumes.values() if is_known(volumes) else ()) for b in v.bricks
        )
        self.incomplete = frozenset(self._brick_key(b) for b in incomplete)

    def key(self, name: str) -> str:
        """Return the uuid behind a name or uuid, else the name itself in lower case."""
        return self.uuids.get(name.lower(), name.lower())

    def member(self, name: str) -> str:
        """Return the key of a member, or raise ``SpecError``."""
        key = self.key(name)
        if key not in self.peers and not any(key == k for k, _ in self.bricks):
            members = ", ".join(sorted((p.name for p in self.peers.values()), key=natural_key))
            raise SpecError("nodes", f"{name} is not a member", hint=f"Members: {members}.")
        return key

    def brick(self, name: str) -> BrickKey:
        """Return the key of a brick that some volume has, or raise ``SpecError``."""
        key = self._brick_key(name)
        if key not in self.bricks:
            raise SpecError(
                "bricks", f"no volume has a brick {name}", hint="Spell it as gluster does."
            )
        return key

    def of(self, brick: Brick) -> BrickKey:
        """Return the key of a brick: the node it lies on, and its path."""
        return (brick.host_uuid.lower() or self.key(brick.host), brick.path)

    def name(self, key: str) -> str:
        """Return the name of a node, not its uuid."""
        return self.peers[key].name if key in self.peers else key

    def _brick_key(self, name: str) -> BrickKey:
        host, path = brick_at(name)
        return (self.key(host), path)

    def states(
        self, volume: Volume, gone: Collection[str], lost: Collection[BrickKey]
    ) -> dict[BrickKey, BrickUp]:
        """Return what is known of each brick of the volume after the losses."""
        rows, none = self._rows(volume)
        killed = self.stopped_by_quorum(volume, gone)
        states = {}
        for key in map(self.of, volume.bricks):
            peer = self.peers.get(key[0])
            if key[0] in gone or key in lost:
                states[key] = BrickUp(False, "is lost")
            elif killed and (peer is None or peer.usable):
                states[key] = BrickUp(False, killed)
            elif key in rows:
                states[key] = rows[key]
            elif peer is not None and not peer.usable:
                states[key] = BrickUp(None, _away(peer), away=True)
            else:
                states[key] = BrickUp(None, none)
        return states

    def _rows(self, volume: Volume) -> tuple[dict[BrickKey, BrickUp], str]:
        """Return the rows of the status, and what to say of a brick that has none."""
        status = self.observation.status.get(volume.name, NOT_ASKED)
        if isinstance(status, Unknown):
            return {}, f"is not known: status {status.why}"
        rows = {}
        for row in status.bricks:
            why = "is down" if not row.online else "is online without a port: serves no client"
            node = row.host_uuid.lower() or self.key(row.host)
            rows[node, row.path] = BrickUp(row.up, "" if row.up else why)
        return rows, "has no row in the status"

    def stopped_by_quorum(self, volume: Volume, gone: Collection[str]) -> str:
        """Say why glusterd kills the bricks on this side, if it does (facts.md#G-6.1, #C-L.4)."""
        if volume.options.get("cluster.server-quorum-type") != "server" or not self.peers:
            return ""
        present = sum(p.usable and uuid not in gone for uuid, p in self.peers.items())
        needs = server_quorum(volume, len(self.peers))
        if present >= needs:
            return ""
        return f"is killed: {present} of {len(self.peers)} members, server quorum needs {needs}"

    def heals(self, volume: Volume) -> Mapping[BrickKey, Heal]:
        """Return the heal rows of a volume by brick; empty where they are not known."""
        if volume.name not in self._heals:
            rows = self.observation.heal.get(volume.name, ())
            known_rows = () if isinstance(rows, Unknown) else rows
            self._heals[volume.name] = {self._brick_key(r.brick): r for r in known_rows}
        return self._heals[volume.name]

    def uncounted(self, volume: Volume, keys: Collection[BrickKey]) -> bool:
        """Return whether the entries to heal of any of these bricks are not known."""
        rows = self.heals(volume)
        return any(k not in rows or not is_known(rows[k].pending) for k in keys)


def _away(peer: Peer) -> str:
    if not peer.connected:
        return f"is not seen: {peer.name} is not connected, the brick may still run"
    return f"is not seen: {peer.name} is {peer.state_text or 'no usable member'}"


def server_quorum(volume: Volume, members: int) -> int:
    """Return how many members must see each other (default: more than half)."""
    ratio = volume.options.get("cluster.server-quorum-ratio", "").rstrip("% ")
    try:
        percent = float(ratio)
    except ValueError:
        return members // 2 + 1
    return -int(-members * percent // 100)


# --- one set -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Availability:
    """A health word with its sentence; ``at_risk`` stays true for a set that is also down."""

    word: str
    why: str
    at_risk: bool = False


class SubvolumeQuorum:
    """One set with what is fixed about it; ``judge`` says what a choice of living bricks means."""

    def __init__(self, pool: PoolView, volume: Volume, members: ReplicaSet) -> None:
        self.pool, self.volume, self.bricks = pool, volume, members.bricks
        self.keys = [pool.of(b) for b in members.bricks]
        self.data = {pool.of(b) for b in members.bricks if not b.is_arbiter}
        self.needs = volume.disperse - volume.redundancy if volume.disperse else 1
        rows = [(k, pool.heals(volume)[k]) for k in self.keys if k in pool.heals(volume)]
        pending = {k: row.pending for k, row in rows if is_known(row.pending)}
        self.blaming = {k for k, number in pending.items() if number > 0}
        self.entries = max(pending.values(), default=0)
        self.split = max((r.split_brain for _, r in rows if is_known(r.split_brain)), default=0)
        self.names = dict(zip(self.keys, (b.name for b in members.bricks), strict=True))

    def judge(self, up: Collection[BrickKey]) -> Availability:
        """Return word and sentence if exactly the bricks ``up`` run."""
        count, alive, copies = len(self.keys), set(up), self.data & set(up) - self.pool.incomplete
        risk = self._risk(copies)
        stop = self._stopped(alive)
        if stop:
            return Availability("down", stop + (f"; also, {risk}" if risk else ""), bool(risk))
        if risk:
            return Availability("data_at_risk", risk, True)
        # Told so, it stays incomplete also when it is lost: coming back it would look healthy.
        empty = sorted(self.names[k] for k in self.data & self.pool.incomplete)
        if empty:
            why = f"{', '.join(empty)}: without the data"
            left = f"{len(copies)} of {len(self.data)} bricks hold data"
            return Availability("incomplete", f"{why}; {left}")
        if self.split:
            why = "cannot be read, somebody has to choose the copies to keep"
            return Availability("partial", f"{self.split} files in split-brain {why}")
        if len(alive) < count or self.entries:
            spare = "" if self.has_spare(alive) else "; none to spare"
            heal = f"; {self.entries} entries to heal" if self.entries else ""
            return Availability("degraded", f"{len(alive)} of {count} bricks up{heal}{spare}")
        return Availability(
            "ok", f"{count} of {count} bricks up" if count > 1 else "its brick is up"
        )

    def _risk(self, copies: set[BrickKey]) -> str:
        """Say why the newest data hang on too few bricks.

        A brick that lists entries holds their newest content and blames others; one that lists none
        while others do is taken as stale. Counts cannot show more (facts.md#G-6.2).
        """
        fresh = copies & self.blaming
        if not self.blaming or len(fresh) > self.needs:
            return ""
        heal = f"{self.entries} entries to heal"
        if len(fresh) < self.needs:
            lack = (
                "no up-to-date copy is" if self.needs == 1 else "too few up-to-date fragments are"
            )
            return f"{heal}, and {lack} up: what is left is stale"
        if self.needs == 1:
            return f"{heal}, and only {self.names[min(fresh)]} is up to date: it must not be lost"
        return f"{heal}, and only {len(fresh)} fragments are up to date: none must be lost"

    def _stopped(self, alive: set[BrickKey]) -> str:
        """Say why the set does not serve, or nothing."""
        up, count = len(alive), len(self.keys)
        if self.volume.disperse:
            need = self.needs
            return "" if up >= need else f"{up} of {count} bricks up, reading needs {need}"
        if count == 1:
            return "" if up else "its only brick is not up: its files are gone from view"
        wanted = self._quorum(alive)
        if wanted:
            return f"{up} of {count} bricks up, client quorum needs {wanted}: reads fail too"
        if not alive:
            return "no brick is up"
        if not alive & self.data:
            return "only the arbiter is up, and it holds no data"
        return ""

    def _quorum(self, alive: set[BrickKey]) -> str:
        """Say what client quorum lacks; as created it is auto from three copies on, else none."""
        up, count = len(alive), len(self.keys)
        kind = self.volume.options.get("cluster.quorum-type", "auto" if count > 2 else "none")
        if kind == "fixed":
            text = self.volume.options.get("cluster.quorum-count", "")
            return text if text.isdecimal() and up < int(text) else ""
        if kind != "auto" or 2 * up > count:
            return ""
        if 2 * up == count:
            return "" if self.keys[0] in alive else f"{count // 2 + 1}, or the first brick"
        return str(count // 2 + 1) if count % 2 else f"{count // 2} with the first"

    def has_spare(self, alive: set[BrickKey]) -> bool:
        return not any(self._stopped(alive - {k}) for k in alive)
