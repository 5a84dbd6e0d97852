"""Allocate brick slots to sets: quotas, zones, and which brick is first or arbiter in its set.

Arithmetic for ``layout.py`` only, which holds the rules in words. Nothing here knows a pool.

How it works. For ``k`` sets every node gets a quota of at most ``k`` places, every zone the sum of
its nodes' quotas. As long as no quota is larger than the number of sets still to be made, some
choice of members for the next set keeps it so: taking the largest quotas first is such a choice.
So the node bound is always reached, and two members share a zone only where the sums force it.
Heaps keep the cost at n log n.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping, Sequence

from salt_gluster.model import natural_key
from salt_gluster.spec import BrickSlot


def max_sets(counts: Collection[int], width: int) -> int:
    """Return the largest k with sum(min(c, k)) >= width * k: how many sets nodes can hold."""
    low, high = 0, sum(counts) // width
    while low < high:
        k = (low + high + 1) // 2
        if sum(min(c, k) for c in counts) >= width * k:
            low = k
        else:
            high = k - 1
    return low


class NodeCapacity:
    """A node with its free places in natural order; the first ``used`` are taken."""

    def __init__(self, name: str, places: list[BrickSlot], order: int) -> None:
        self.name = name
        self.places = places
        self.order = order
        self.zone = places[0].zone
        self.arbiter_only = places[0].arbiter_only
        self.used = 0

    def take(self) -> BrickSlot:
        """Return the next free place."""
        self.used += 1
        return self.places[self.used - 1]


# --- quotas --------------------------------------------------------------------------------------


def _level(caps: Mapping[str, int], total: int) -> dict[str, int]:
    """Share ``total`` as evenly as ``caps`` allow; an odd rest goes to the largest first."""
    low, high = 0, max(caps.values(), default=0)
    while low < high:
        middle = (low + high + 1) // 2
        if sum(min(c, middle) for c in caps.values()) <= total:
            low = middle
        else:
            high = middle - 1
    shares = {key: min(cap, low) for key, cap in caps.items()}
    rest = total - sum(shares.values())
    for key in sorted(caps, key=lambda key: -caps[key])[:rest]:
        shares[key] += 1
    return shares


def _caps(nodes: Sequence[NodeCapacity], zones: Sequence[str], count: int) -> dict[str, int]:
    caps = dict.fromkeys(zones, 0)
    for node in nodes:
        caps[node.zone] += min(len(node.places), count)
    return caps


def _two_kinds(
    data: Mapping[str, int], arbs: Mapping[str, int], width: int, count: int
) -> tuple[dict[str, int], dict[str, int]]:
    """Share data and arbiters over zones so that as few zones as possible hold more than ``count``.

    First arbiters go where the zone has room that its data cannot fill. Every further arbiter costs
    one data place wherever it goes.
    """
    spare = {z: min(arbs[z], max(0, count - data[z])) for z in data}
    first = _level(spare, min(count, sum(spare.values())))
    rest = {z: min(arbs[z], count) - first[z] for z in data}
    second = _level(rest, count - sum(first.values()))
    special = {z: first[z] + second[z] for z in data}
    room = {z: min(data[z], count - special[z]) for z in data}
    plain = _level(room, min(width * count, sum(room.values())))
    over = _level({z: data[z] - plain[z] for z in data}, width * count - sum(plain.values()))
    return {z: plain[z] + over[z] for z in data}, special


# --- sets ----------------------------------------------------------------------------------------


def allocate_sets(
    data: Sequence[NodeCapacity], arbs: Sequence[NodeCapacity], width: int, count: int
) -> tuple[list[list[BrickSlot]], list[BrickSlot]]:
    """Return ``count`` sets of ``width`` data places, and the arbiter of each if there are any."""
    if count == 0:
        return [], []
    zones = sorted({n.zone for n in (*data, *arbs)}, key=natural_key)
    caps = _caps(data, zones, count)
    if not arbs:
        quota = _level(caps, width * count)
        pools = _FreeBricks(data, quota, count)
        return [pools.draw(counts) for counts in _zone_counts(quota, count)], []
    quota, special = _two_kinds(caps, _caps(arbs, zones, count), width, count)
    pools, arb_pools = _FreeBricks(data, quota, count), _FreeBricks(arbs, special, count)
    sets, last = [], []
    for counts, zone in _zone_counts_with_arbiter(quota, special, count):
        sets.append(pools.draw(counts))
        last += arb_pools.draw({zone: 1})
    return sets, last


class _FreeBricks:
    """The nodes of each zone with what is left of their quotas, largest first."""

    def __init__(self, nodes: Sequence[NodeCapacity], quota: Mapping[str, int], count: int) -> None:
        by_zone: dict[str, list[NodeCapacity]] = {}
        for node in nodes:
            by_zone.setdefault(node.zone, []).append(node)
        self.heaps: dict[str, list[tuple[int, int, NodeCapacity]]] = {}
        for zone, members in by_zone.items():
            caps = {n.name: min(len(n.places), count) for n in members}
            shares = _level(caps, quota[zone])
            self.heaps[zone] = [(-shares[n.name], n.order, n) for n in members if shares[n.name]]
            heapq.heapify(self.heaps[zone])

    def draw(self, counts: Mapping[str, int]) -> list[BrickSlot]:
        """Return that many places of each zone, each from another node, in natural order."""
        drawn: list[tuple[int, BrickSlot]] = []
        for zone, number in counts.items():
            heap = self.heaps[zone]
            popped = [heapq.heappop(heap) for _ in range(number)]
            for left, order, node in popped:
                drawn.append((order, node.take()))
                if left < -1:
                    heapq.heappush(heap, (left + 1, order, node))
        return [place for _, place in sorted(drawn, key=lambda pair: pair[0])]


def _zone_counts(quota: Mapping[str, int], count: int) -> Iterator[dict[str, int]]:
    """Yield per set how many members each zone gives: its average, rounded down or up."""
    base = {z: q // count for z, q in quota.items() if q >= count}
    heap = [(-(q % count), order, z) for order, (z, q) in enumerate(quota.items()) if q % count]
    heapq.heapify(heap)
    more = sum(q % count for q in quota.values()) // count
    for _ in range(count):
        counts = dict(base)
        for left, order, zone in [heapq.heappop(heap) for _ in range(more)]:
            counts[zone] = counts.get(zone, 0) + 1
            if left < -1:
                heapq.heappush(heap, (left + 1, order, zone))
        yield counts


def _zone_counts_with_arbiter(
    quota: Mapping[str, int], special: Mapping[str, int], count: int
) -> Iterator[tuple[dict[str, int], str]]:
    """Yield per set the data members of each zone and the zone of the arbiter.

    Each zone's data and its total stay at their averages, rounded down or up. Such a choice always
    exists (the constraints are two nested families). Costs sets times zones.
    """
    base = {z: quota[z] // count for z in quota}
    inner = {z: (quota[z] + special[z]) // count - base[z] for z in quota}
    plus = {z: quota[z] % count for z in quota}
    total = {z: (quota[z] + special[z]) % count for z in quota}
    arbs = dict(special)
    more = sum(plus.values()) // count
    for rest in range(count, 0, -1):
        for zone in sorted((z for z in arbs if arbs[z]), key=lambda z: -arbs[z]):
            chosen = _plus_one(zone, inner, plus, total, arbs, rest, more)
            if chosen is not None:
                break
        else:  # pragma: no cover - excluded by the argument in the docstring
            raise AssertionError("no choice of zones keeps the quotas")
        for z in quota:
            total[z] -= (z in chosen) + (z == zone) - inner[z]
            plus[z] -= z in chosen
        arbs[zone] -= 1
        yield {z: base[z] + (z in chosen) for z in quota if base[z] or z in chosen}, zone


def _plus_one(
    arbiter: str,
    inner: Mapping[str, int],
    plus: Mapping[str, int],
    total: Mapping[str, int],
    arbs: Mapping[str, int],
    rest: int,
    more: int,
) -> set[str] | None:
    """Return the zones that give one data member more if ``arbiter`` is the arbiter's zone."""
    if any(left == rest and z != arbiter for z, left in arbs.items()):
        return None
    must, may = [], []
    for z in plus:
        taken = int(z == arbiter)
        least = inner[z] + (total[z] == rest) - taken
        most = inner[z] + (total[z] > 0) - taken
        forced = least > 0 or plus[z] == rest
        if least > 1 or most < 0 or (forced and (most < 1 or plus[z] == 0)):
            return None
        if forced:
            must.append(z)
        elif most > 0 and plus[z] > 0:
            may.append(z)
    if not len(must) <= more <= len(must) + len(may):
        return None
    may.sort(key=lambda z: -total[z])
    return {*must, *may[: more - len(must)]}


# --- order within a set --------------------------------------------------------------------------


def assign_roles(
    new: Sequence[list[BrickSlot]],
    last: Sequence[BrickSlot],
    live: Sequence[Sequence[BrickSlot]],
    arbiter: bool,
) -> tuple[tuple[BrickSlot, ...], ...]:
    """Turn each set so that first bricks, or arbiters, fall on all nodes alike."""
    at_end = arbiter and not last
    have = Counter(members[-1 if at_end else 0].node for members in live if members)
    total = Counter(p.node for members in live for p in members)
    chosen = _Roles([[p.node for p in members] for members in new], have, total, at_end).choose()
    turned = []
    for index, members in enumerate(new):
        start = (chosen[index] + at_end) % len(members)
        tail = [last[index]] if last else []
        turned.append((*members[start:], *members[:start], *tail))
    return tuple(turned)


class _Roles:
    """Choose one member of each set for a role so that every node has its share, rounded.

    A greedy pass comes close, moves along chains of sets mend the rest. Without live sets an exact
    answer always exists.
    """

    def __init__(
        self, sets: Sequence[Sequence[str]], have: Counter[str], total: Counter[str], late: bool
    ) -> None:
        self.sets, self.have, self.total, self.late = sets, have, total, late
        self.sets_of: dict[str, list[int]] = {}
        for index, members in enumerate(sets):
            for node in members:
                self.sets_of.setdefault(node, []).append(index)
                total[node] += 1
        self.width = len(sets[0]) if sets else 1
        self.holder: list[str] = []

    def choose(self) -> list[int]:
        """Return the index of the chosen member of each set."""
        for members in self.sets:
            ranked = reversed(members) if self.late else members
            node = min(ranked, key=lambda n: self.have[n] * self.width - self.total[n])
            self.holder.append(node)
            self.have[node] += 1
        for giving in (True, False):
            while self._mend(giving):
                pass
        return [members.index(self.holder[i]) for i, members in enumerate(self.sets)]

    def _is_off(self, node: str, giving: bool) -> bool:
        if giving:
            return self.have[node] > -(-self.total[node] // self.width)
        return self.have[node] < self.total[node] // self.width

    def _can_end(self, node: str, giving: bool) -> bool:
        if giving:
            return self.have[node] < -(-self.total[node] // self.width)
        return self.have[node] > self.total[node] // self.width

    def _steps(self, node: str, giving: bool) -> Iterator[tuple[str, int]]:
        for index in self.sets_of[node]:
            if giving and self.holder[index] == node:
                yield from ((other, index) for other in self.sets[index])
            elif not giving:
                yield self.holder[index], index

    def _mend(self, giving: bool) -> bool:
        """Move one role along a chain of sets from every node that is off, if there is one.

        All chains grow at once as trees without a common node, so none undoes another and a few
        rounds do. Return whether anything moved.
        """
        root = {node: node for node in self.sets_of if self._is_off(node, giving)}
        came = dict.fromkeys(root, ("", -1))
        queue, done = deque(root), set[str]()
        while queue:
            node = queue.popleft()
            if root[node] in done:
                continue
            for other, index in self._steps(node, giving):
                if other in came:
                    continue
                came[other], root[other] = (node, index), root[node]
                if self._can_end(other, giving):
                    self._turn(other, came, giving)
                    done.add(root[node])
                    break
                queue.append(other)
        return bool(done)

    def _turn(self, end: str, came: Mapping[str, tuple[str, int]], giving: bool) -> None:
        node = end
        while (step := came[node])[0]:
            before, index = step
            self.holder[index] = node if giving else before
            node = before
        self.have[end] += 1 if giving else -1
        self.have[node] += -1 if giving else 1
