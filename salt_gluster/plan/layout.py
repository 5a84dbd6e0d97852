"""Lay out the bricks of a volume: sets, zones, pins, what is left over, and why.

The rules and the words; the arithmetic is in ``placement.py``. Nothing here knows a pool or a spec.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from salt_gluster.errors import SpecError
from salt_gluster.model import natural_key
from salt_gluster.plan.placement import NodeCapacity, allocate_sets, assign_roles, max_sets
from salt_gluster.spec import BrickSlot

__all__ = ["BrickSlot", "Layout", "explain", "lay_out", "max_sets", "natural_key"]


@dataclass(frozen=True)
class Layout:
    """Sets of places, live ones first.

    sets      the bricks of each set in gluster's order; the arbiter is the last of its set
    leftover  free places no set uses (arbiter-only places count for arbiter volumes only)
    bound     how many new sets the free places allow, whatever was wanted
    reasons   sentences: pins, zones, what was wanted, what is left over
    advice    what to add for more sets; true also after these sets are live
    pinned    how many of ``sets`` were there before
    """

    sets: tuple[tuple[BrickSlot, ...], ...]
    leftover: tuple[BrickSlot, ...]
    bound: int
    reasons: tuple[str, ...]
    advice: str
    pinned: int = 0
    arbiter: bool = False

    @property
    def new(self) -> tuple[tuple[BrickSlot, ...], ...]:
        """The sets that are to be made."""
        return self.sets[self.pinned :]


def lay_out(
    places: Sequence[BrickSlot],
    *,
    size: int,
    live: Sequence[Sequence[BrickSlot]] = (),
    arbiter: bool = False,
    want: int | None = None,
) -> Layout:
    """Return sets of ``size`` places: the live ones unchanged, then as many new ones as wanted.

    ``want`` counts new sets; None = as many as the places allow. Never puts two members of a new
    set on one node. Raises ``SpecError`` for a place named twice, a node in two zones, or a node
    that is for arbiters and for data at once.
    """
    _check(places, size, arbiter, want)
    nodes = _free_nodes(places, {(p.node, p.path) for members in live for p in members}, arbiter)
    dedicated = arbiter and any(p.arbiter_only for p in places)
    data = [n for n in nodes if not (dedicated and n.arbiter_only)]
    arbs = [n for n in nodes if dedicated and n.arbiter_only]
    width = size - 1 if dedicated else size
    bound = max_sets([len(n.places) for n in data], width)
    if dedicated:
        bound = min(bound, sum(len(n.places) for n in arbs))
    count = bound if want is None else min(bound, want)
    new, last = allocate_sets(data, arbs, width, count)
    turned = assign_roles(new, last, live, arbiter)
    left = tuple(p for n in nodes for p in n.places[n.used :])
    reasons = _reasons(nodes, turned, live, left, size, bound, want)
    advice = _advice(left, width, dedicated, count) if count == bound else ""
    pinned = tuple(tuple(members) for members in live)
    return Layout(pinned + turned, left, bound, reasons, advice, len(pinned), arbiter)


def explain(layout: Layout) -> str:
    """Return the layout as text, one line per brick with its reason, for ``gluster.explain``."""
    lines: list[str] = []
    for index, members in enumerate(layout.sets):
        lines.append(f"set {index + 1}" + (", live" if index < layout.pinned else ", new"))
        zones = Counter(p.zone for p in members)
        for number, place in enumerate(members, 1):
            role = "arbiter" if layout.arbiter and number == len(members) else "data"
            where = f"{place.node}:{place.path}" + (f" [{place.zone}]" if place.zone else "")
            why = _brick_why(place, members, zones, index < layout.pinned)
            lines.append(f"  {where}  {role}: {why}")
    lines += [f"left over: {p.node}:{p.path}" for p in layout.leftover]
    return "\n".join([*lines, *layout.reasons, *([layout.advice] if layout.advice else [])])


def _brick_why(
    place: BrickSlot, members: Sequence[BrickSlot], zones: Counter[str], pinned: bool
) -> str:
    if pinned:
        return "live, so it stays"
    if len(members) == 1:
        return "a set of its own"
    if place.zone and zones[place.zone] == 1:
        return "the only one of its set on this node and in this zone"
    if place.zone and len(zones) > 1:
        others = [p.node for p in members if p.zone == place.zone and p is not place]
        return f"the only one of its set on this node; shares the zone with {_and(others)}"
    return "the only one of its set on this node"


# --- what is free ---------------------------------------------------------------------------------


def _check(places: Sequence[BrickSlot], size: int, arbiter: bool, want: int | None) -> None:
    if size < 1 or (want is not None and want < 0):
        raise SpecError("size", f"cannot make {want} sets of {size} bricks")
    if arbiter and size < 3:
        raise SpecError("arbiter", "an arbiter needs two data bricks beside it", hint="replica: 3")
    seen: set[tuple[str, str]] = set()
    first: dict[str, BrickSlot] = {}
    for place in places:
        if (place.node, place.path) in seen:
            raise SpecError("bricks", f"{place.node}:{place.path} is named twice")
        seen.add((place.node, place.path))
        other = first.setdefault(place.node, place)
        if other.zone != place.zone:
            zones = " and ".join(sorted((other.zone, place.zone)))
            raise SpecError("zones", f"{place.node} is in two zones: {zones}")
        if other.arbiter_only != place.arbiter_only:
            raise SpecError(
                "arbiters", f"{place.node} is for arbiters only and for data", hint="Choose one."
            )


def _free_nodes(
    places: Sequence[BrickSlot], taken: Collection[tuple[str, str]], arbiter: bool
) -> list[NodeCapacity]:
    by_node: dict[str, list[BrickSlot]] = {}
    for place in places:
        if (place.node, place.path) not in taken and (arbiter or not place.arbiter_only):
            by_node.setdefault(place.node, []).append(place)
    return [
        NodeCapacity(name, sorted(by_node[name], key=lambda p: natural_key(p.path)), order)
        for order, name in enumerate(sorted(by_node, key=natural_key))
    ]


# --- words ---------------------------------------------------------------------------------------


def _reasons(
    nodes: Sequence[NodeCapacity],
    new: Sequence[Sequence[BrickSlot]],
    live: Sequence[Sequence[BrickSlot]],
    left: Sequence[BrickSlot],
    size: int,
    bound: int,
    want: int | None,
) -> tuple[str, ...]:
    reasons = []
    if live:
        reasons.append(f"{_n(len(live), 'live set')} kept as {'it is' if len(live) == 1 else 'is'}")
    for number, members in enumerate(live, 1):
        for node, times in Counter(p.node for p in members).items():
            if times > 1:
                reasons.append(
                    f"live set {number} has {times} members on {node}: kept, not repaired"
                )
    if want is not None and want > bound:
        reasons.append(f"{_n(want, 'new set')} wanted, the free places allow {bound}")
    elif want is not None and want < bound:
        reasons.append(f"{_n(want, 'new set')} wanted of {bound} possible")
    reasons += _zone_reasons(nodes, new, size, len(live))
    return (*reasons, *_left_over(left))


def _zone_reasons(
    nodes: Sequence[NodeCapacity], new: Sequence[Sequence[BrickSlot]], size: int, before: int
) -> list[str]:
    zones = {n.zone for n in nodes}
    if zones <= {""} or size == 1 or not new:
        return []
    reasons = []
    if "" in zones:
        without = [n.name for n in nodes if not n.zone]
        reasons.append(f"{_and(without)}: no zone said, taken as one zone")
    shared = [i for i, m in enumerate(new) if len({p.zone for p in m}) < len(m)]
    if not shared:
        return [*reasons, f"the members of each new set lie in {size} different zones"]
    if len(zones) < size:
        why = f"{_n(len(zones), 'zone')} for sets of {size}"
    else:
        alone = max_sets([sum(len(n.places) for n in nodes if n.zone == z) for z in zones], size)
        why = f"one member per zone allows {_n(alone, 'set')}, the nodes allow {len(new)}"
    numbers = [str(before + i + 1) for i in shared]
    which = f"set{'s' if len(numbers) > 1 else ''} {_and(numbers)}"
    return [*reasons, f"{why}: in {which} members share a zone"]


def _advice(left: Sequence[BrickSlot], width: int, dedicated: bool, count: int) -> str:
    """Say the smallest number of nodes to add, and how many sets they give with what is left."""
    data = Counter(p.node for p in left if not (dedicated and p.arbiter_only))
    arbs = sum(1 for p in left if dedicated and p.arbiter_only)
    missing = max(0, width - len(data))
    sets = min(data.values(), default=1) if missing else max_sets(tuple(data.values()), width)
    if dedicated and arbs:
        sets = min(sets, arbs)
    parts = [_nodes(missing, sets)] if missing else []
    if dedicated and not arbs:
        parts.append(_nodes(1, sets) + " for arbiters only")
    zones = sorted({p.zone for p in left if p.zone}, key=natural_key)
    where = f" (outside {_and(zones)})" if zones else ""
    gain = f"{'another set' if sets == 1 else f'{sets} more sets'}"
    if not count and not left:
        gain = "a set"
    kept = ", ".join(_left_over(left))
    return (f"{kept}; " if kept else "") + f"add {' and '.join(parts)}{where} for {gain}"


def _left_over(left: Sequence[BrickSlot]) -> list[str]:
    counts = Counter(p.node for p in left)
    if len(counts) > 8:
        return [f"{_n(len(left), 'place')} left over on {len(counts)} nodes"]
    return [f"{node}: {_n(number, 'place')} left over" for node, number in counts.items()]


def _nodes(number: int, places: int) -> str:
    each = " each" if number > 1 else ""
    return f"{_n(number, 'more node')} with {_n(places, 'place')}{each}"


def _n(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def _and(words: Sequence[str]) -> str:
    if len(words) > 8:
        return ", ".join(words[:6]) + f" and {len(words) - 6} more"
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
