"""Return what is served and what is at stake, now and without these nodes, zones or bricks.

One set is judged from which of its bricks are up (``quorum.py``), a volume from its sets. What is
not known is tried both ways: the word is ``unknown`` only where it makes a difference. A caller
that knows better than gluster that a node is dead passes it as lost. Nothing is read here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from salt_gluster.errors import NotFound
from salt_gluster.model import Observation, Volume, known, natural_key
from salt_gluster.status.quorum import Availability, BrickKey, BrickUp, PoolView, SubvolumeQuorum

#: The health words, each worse than the one before. ``unknown`` stands apart.
WORDS = ("ok", "degraded", "incomplete", "partial", "data_at_risk", "down")


@dataclass(frozen=True)
class SetHealth:
    """One set: its word, the sentence why, and its bricks (unknown ones in neither)."""

    index: int
    word: str
    why: str
    up: tuple[str, ...]
    lost: tuple[str, ...]
    at_risk: bool = False


@dataclass(frozen=True)
class VolumeHealth:
    """One volume: its word, the sentence why, and its sets."""

    volume: str
    word: str
    why: str
    sets: tuple[SetHealth, ...]


def health(
    observation: Observation, *, incomplete: Collection[str] = ()
) -> tuple[VolumeHealth, ...]:
    """Return the health of every volume as observed.

    ``incomplete`` names bricks (HOST:PATH) known to lack their data: gluster cannot tell
    (facts.md#G-0.2). Raises ``UnknownRead`` where the volumes are not known.
    """
    return impact(observation, incomplete=incomplete)


def impact(
    observation: Observation,
    *,
    nodes: Collection[str] = (),
    bricks: Collection[str] = (),
    zones: Mapping[str, Collection[str]] | None = None,
    incomplete: Collection[str] = (),
) -> tuple[VolumeHealth, ...]:
    """Return the health of every volume after losing these too.

    ``nodes`` are member names or uuids, ``bricks`` HOST:PATH, ``zones`` the lost zones with their
    nodes (those outside the pool carry nothing and are passed over). Raises ``SpecError`` for a
    node that is no member and a brick no volume has.
    """
    pool = PoolView(observation, incomplete)
    gone = frozenset(pool.member(n) for n in nodes)
    gone |= {pool.key(n) for names in (zones or {}).values() for n in names}
    lost = frozenset(pool.brick(b) for b in bricks)
    volumes = known(observation.volumes)
    return tuple(
        _volume_health(pool, volumes[name], gone, lost) for name in sorted(volumes, key=natural_key)
    )


def _set_health(members: SubvolumeQuorum, index: int, states: Mapping[BrickKey, BrickUp]) -> _Range:
    sure = [k for k in members.keys if states[k].up]
    maybe = [k for k in members.keys if states[k].up is None]
    best, worst = members.judge(sure + maybe), members.judge(sure)
    lost = tuple(members.names[k] for k in members.keys if states[k].up is False)
    why = _because(members, states)
    up = tuple(members.names[k] for k in sure)
    word = _one_word(best.word, worst.word, all(states[k].away for k in maybe))
    if word == "unknown":
        text = f"{best.word} or {worst.word} ({worst.why})"
    else:
        text = (worst if word == worst.word else best).why
    health = SetHealth(index, word, text + why, up, lost, worst.at_risk and best.at_risk)
    return _Range(health, best, worst, bool(maybe) and all(states[k].away for k in maybe))


@dataclass(frozen=True)
class _Range:
    health: SetHealth
    best: Availability
    worst: Availability
    away: bool


def _one_word(best: str, worst: str, away: bool) -> str:
    """Return the word both views share.

    A copy on a member that is not connected cannot be counted on: between ok and degraded that is
    degraded. Anything worse is said only of bricks known to be lost.
    """
    if best == worst:
        return best
    return "degraded" if away and (best, worst) == ("ok", "degraded") else "unknown"


def _because(members: SubvolumeQuorum, states: Mapping[BrickKey, BrickUp]) -> str:
    """Name up to three bricks that are not up, each with its reason."""
    off = [f"{members.names[k]} {states[k].why}" for k in members.keys if not states[k].up]
    more = f" and {len(off) - 3} more" if len(off) > 3 else ""
    return f": {', '.join(off[:3])}{more}" if off else ""


# --- one volume ----------------------------------------------------------------------------------


def _volume_health(
    pool: PoolView, volume: Volume, gone: Collection[str], lost: Collection[BrickKey]
) -> VolumeHealth:
    if volume.is_broken:
        why = "its definition here has no whole set: look at it from another member"
        return VolumeHealth(volume.name, "unknown", why, ())
    if not volume.is_started:
        why = "stopped" if volume.status == "Stopped" else "never started"
        return VolumeHealth(volume.name, "down", why, ())
    states = pool.states(volume, gone, lost)
    ranges = [_set_health(SubvolumeQuorum(pool, volume, s), s.index, states) for s in volume.sets]
    best, worst = _sum(r.best for r in ranges), _sum(r.worst for r in ranges)
    word = _one_word(best, worst, all(r.away for r in ranges if r.best.word != r.worst.word))
    why = _volume_why(word, [r.health for r in ranges], len(volume.bricks))
    up = [key for key, state in states.items() if state.up]
    if volume.set_size > 1 and pool.uncounted(volume, up):
        why += "; heal counts are not known"
    return VolumeHealth(volume.name, word, why, tuple(r.health for r in ranges))


def _sum(verdicts: Iterable[Availability]) -> str:
    """Return the word of a volume from those of its sets."""
    sets = list(verdicts)
    words = {v.word for v in sets}
    if words == {"down"}:
        return "down"
    if any(v.at_risk for v in sets):
        return "data_at_risk"
    if "down" in words:
        return "partial"
    return max(words, key=WORDS.index)


def _volume_why(word: str, sets: list[SetHealth], bricks: int) -> str:
    if word == "ok":
        return f"{bricks} of {bricks} bricks up" if bricks > 1 else "its brick is up"
    parts = []
    for kind in (*reversed(WORDS), "unknown"):
        same = [s for s in sets if s.word == kind]
        if same and kind != "ok":
            is_one = len(same) == 1
            what = f"{'is' if is_one else 'are'} {kind}"
            if kind == "data_at_risk":
                what = f"{'has' if is_one else 'have'} data at risk"
            lead = f"{len(same)} of {len(sets)} sets {what}, set {same[0].index + 1}: "
            parts.append((lead if len(sets) > 1 else "") + same[0].why)
    if word == "partial" and any(s.word == "down" for s in sets):
        parts.append("the other sets serve")
    return "; ".join(parts)


# --- the next loss -------------------------------------------------------------------------------


def next_loss(observation: Observation, volume: str) -> str:
    """Return what one more failed node does to a volume, for a column of the status screen.

    Bricks that are not seen count as lost. Raises ``NotFound`` for a volume that is not there.
    """
    pool = PoolView(observation)
    definition = known(observation.volumes).get(volume)
    if definition is None:
        raise NotFound(f"no volume {volume}", kind="not_found", hint="See gluster volume list.")
    if not definition.is_started:
        return "stopped"
    now = _volume_health(pool, definition, (), ()).word
    if now in ("down", "unknown"):
        return "down already" if now == "down" else "not known"
    return _Next(pool, definition).sentence()


class _Next:
    """What each node's loss would do, judged on the sets that have a brick there."""

    def __init__(self, pool: PoolView, volume: Volume) -> None:
        self.pool, self.volume = pool, volume
        states = pool.states(volume, (), ())
        self.up = {key for key, state in states.items() if state.up}
        self.sets = [SubvolumeQuorum(pool, volume, s) for s in volume.sets]
        self.words = [members.judge(self._alive(members)).word for members in self.sets]
        self.by_node: dict[str, set[int]] = {}
        for index, members in enumerate(self.sets):
            for node, _ in self._alive(members):
                self.by_node.setdefault(node, set()).add(index)

    def _alive(self, members: SubvolumeQuorum, without: str = "") -> list[BrickKey]:
        return [k for k in members.keys if k in self.up and k[0] != without]

    def sentence(self) -> str:
        """Return the sentence."""
        if self.by_node and self.pool.stopped_by_quorum(self.volume, {next(iter(self.by_node))}):
            return "any node: all goes DOWN (server quorum)"
        stops, risks = {}, set()
        for node, touched in self.by_node.items():
            after = {i: self.sets[i].judge(self._alive(self.sets[i], node)).word for i in touched}
            stops[node] = sum(w == "down" != self.words[i] for i, w in after.items())
            if any(w == "data_at_risk" != self.words[i] for i, w in after.items()):
                risks.add(node)
        worst = max(stops.values(), default=0)
        if worst:
            names = self._who(n for n in stops if stops[n] == worst)
            return f"{names}: {self._part(worst)} goes DOWN"
        if risks:
            return f"{self._who(risks)}: data at risk"
        return "works" + self._then()

    def _who(self, nodes: Iterable[str]) -> str:
        names = sorted((self.pool.name(n) for n in nodes), key=natural_key)
        if 1 < len(names) == len(self.by_node):
            return "any node"
        if len(names) > 3:
            return f"any of {len(names)} nodes"
        return " or ".join(filter(None, [", ".join(names[:-1]), names[-1]]))

    def _part(self, number: int) -> str:
        if number == len(self.sets):
            return "all"
        if 2 * number == len(self.sets):
            return "half"
        return f"{number} of {len(self.sets)} sets"

    def _then(self) -> str:
        """Say which loss stops it, if some are lost already and the next leaves none to spare."""
        for members in self.sets:
            alive = set(self._alive(members))
            lost = len(members.keys) - len(alive)
            if lost and any(not members.has_spare(alive - {k}) for k in alive):
                ordinals = {1: "a third", 2: "a fourth", 3: "a fifth"}
                return f"; {ordinals.get(lost, f'loss number {lost + 2}')} stops it"
        return ""
