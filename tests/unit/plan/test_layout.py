"""The rules of the layout, on generated pools: each property can fail on its own."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from functools import cache
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salt_gluster.errors import SpecError
from salt_gluster.model import natural_key
from salt_gluster.plan.layout import BrickSlot, Layout, explain, lay_out


@st.composite
def pools(draw: st.DrawFn, zoned: bool | None = None, arbs: bool = False) -> list[BrickSlot]:
    """Draw up to 9 nodes with up to 6 places, in up to 4 zones."""
    zones = draw(st.integers(1, 4)) if (draw(st.booleans()) if zoned is None else zoned) else 0
    places: list[BrickSlot] = []
    for index, count in enumerate(draw(st.lists(st.integers(0, 6), max_size=9))):
        zone = f"z{draw(st.integers(1, zones))}" if zones else ""
        only = arbs and draw(st.booleans())
        places += [BrickSlot(f"h{index + 1}", f"/b/{i}", zone, only) for i in range(count)]
    return places


def counts(places: Sequence[BrickSlot], *, zone: bool = False) -> list[int]:
    return list(Counter(p.zone if zone else p.node for p in places).values())


def bound_by_trial(caps: Sequence[int], size: int) -> int:
    """Count up: the formula of the rule, without search."""
    k = 0
    while caps and sum(min(c, k + 1) for c in caps) >= size * (k + 1):
        k += 1
    return k


@cache
def possible_by_search(caps: tuple[int, ...], size: int) -> int:
    """Try every choice of nodes for every set: no formula at all."""
    best = 0
    for chosen in combinations([i for i, c in enumerate(caps) if c], size):
        rest = tuple(sorted(c - (i in chosen) for i, c in enumerate(caps)))
        best = max(best, 1 + possible_by_search(rest, size))
    return best


def nodes_of(layout: Layout) -> list[list[str]]:
    return [[p.node for p in members] for members in layout.sets]


@given(pools(), st.integers(1, 6))
def test_bound_is_reached_and_no_set_has_two_members_on_a_node(
    places: list[BrickSlot], size: int
) -> None:
    layout = lay_out(places, size=size)
    assert len(layout.sets) == layout.bound == bound_by_trial(counts(places), size)
    for members in nodes_of(layout):
        assert len(members) == len(set(members)) == size
    dealt = [p for members in layout.sets for p in members]
    assert Counter([*dealt, *layout.leftover]) == Counter(places)


@given(st.lists(st.integers(0, 3), max_size=5), st.integers(1, 3))
def test_bound_is_what_trying_everything_finds(caps: list[int], size: int) -> None:
    places = [BrickSlot(f"h{n}", f"/b/{i}") for n, c in enumerate(caps) for i in range(c)]
    assert lay_out(places, size=size).bound == possible_by_search(tuple(sorted(caps)), size)


@given(pools(zoned=True), st.integers(2, 5), st.none() | st.integers(0, 4))
def test_members_share_a_zone_only_as_often_as_the_sums_force(
    places: list[BrickSlot], size: int, want: int | None
) -> None:
    layout = lay_out(places, size=size, want=want)
    made = len(layout.sets)
    per_zone: Counter[str] = Counter()
    for number in Counter((p.zone, p.node) for p in places).items():
        per_zone[number[0][0]] += min(number[1], made)
    least = max(0, size * made - sum(min(c, made) for c in per_zone.values()))
    shared = sum(size - len({p.zone for p in members}) for members in layout.sets)
    assert shared == least
    if made and made <= bound_by_trial(counts(places, zone=True), size):
        assert shared == 0
    assert bool(shared) == any("share a zone" in why for why in layout.reasons)


@given(pools(zoned=True, arbs=True), st.integers(3, 5))
def test_dedicated_arbiters_hold_arbiters_only_and_keep_out_of_the_zones_of_their_data(
    places: list[BrickSlot], size: int
) -> None:
    layout = lay_out(places, size=size, arbiter=True)
    if not any(p.arbiter_only for p in places):
        return
    data = [p for p in places if not p.arbiter_only]
    arbs = [p for p in places if p.arbiter_only]
    assert len(layout.sets) == min(bound_by_trial(counts(data), size - 1), len(arbs))
    for members in layout.sets:
        assert [p.arbiter_only for p in members] == [False] * (size - 1) + [True]
    k = len(layout.sets)
    room: dict[str, list[int]] = {}
    for (zone, _, only), n in Counter((p.zone, p.node, p.arbiter_only) for p in places).items():
        room.setdefault(zone, [0, 0])[only] += min(n, k)
    strict = (
        sum(min(d, k) for d, _ in room.values()) >= (size - 1) * k
        and sum(min(a, k) for _, a in room.values()) >= k
        and sum(min(d + a, k) for d, a in room.values()) >= size * k
    )
    if strict:
        assert all(len({p.zone for p in members}) == size for members in layout.sets)


@given(pools(), st.integers(1, 4), st.booleans(), st.randoms(use_true_random=False))
def test_the_order_of_the_input_does_not_matter(
    places: list[BrickSlot], size: int, arbiter: bool, rnd: random.Random
) -> None:
    mixed = rnd.sample(places, len(places))
    arbiter = arbiter and size >= 3
    assert lay_out(places, size=size, arbiter=arbiter) == lay_out(mixed, size=size, arbiter=arbiter)


@given(pools(), st.integers(1, 4), st.integers(0, 3))
def test_live_sets_stay_first_and_as_they_are(
    places: list[BrickSlot], size: int, made: int
) -> None:
    before = lay_out(places, size=size, want=made).sets
    shuffled = [tuple(reversed(members)) for members in reversed(before)]
    after = lay_out(places, size=size, live=shuffled)
    assert list(after.sets[: after.pinned]) == shuffled
    dealt = [p for members in after.sets for p in members]
    assert len(dealt) == len(set(dealt))


@given(pools(), st.integers(3, 5), st.booleans())
def test_every_node_has_its_share_of_first_bricks_or_arbiters(
    places: list[BrickSlot], size: int, arbiter: bool
) -> None:
    layout = lay_out(places, size=size, arbiter=arbiter)
    used = Counter(node for members in nodes_of(layout) for node in members)
    role = Counter(members[-1 if arbiter else 0] for members in nodes_of(layout))
    for node, bricks in used.items():
        assert bricks // size <= role[node] <= -(-bricks // size)


@given(pools(), st.integers(1, 4))
def test_adding_what_the_advice_says_gives_the_sets_it_says(
    places: list[BrickSlot], size: int
) -> None:
    before = lay_out(places, size=size)
    nodes, each, gain = said(before.advice)
    more = [BrickSlot(f"new{n}", f"/b/{i}", "new") for n in range(nodes) for i in range(each)]
    assert len(lay_out([*places, *more], size=size).sets) >= len(before.sets) + gain
    later = lay_out([*places, *more], size=size, live=before.sets)
    assert len(later.new) == gain
    if nodes * each > 1:
        assert len(lay_out([*places, *more[each:]], size=size, live=before.sets).new) < gain


def said(advice: str) -> tuple[int, int, int]:
    """Read nodes, places each and sets out of the sentence a person reads."""
    words = advice[advice.index("add ") :].split()
    gain = words[words.index("for") + 1]
    return int(words[1]), int(words[5]), 1 if gain in ("a", "another") else int(gain)


def places_of(text: str) -> list[BrickSlot]:
    """``h1=2 h2=1@r1``: places per node, and its zone."""
    found = []
    for word in text.split():
        node, _, rest = word.partition("=")
        count, _, zone = rest.partition("@")
        found += [BrickSlot(node, f"/b/{i + 1}", zone) for i in range(int(count))]
    return found


def test_names_are_taken_in_natural_order() -> None:
    layout = lay_out(places_of("h10=1 h9=1 h2=1 h1=1 h11=1 h3=1"), size=3)
    assert nodes_of(layout) == [["h1", "h2", "h3"], ["h9", "h10", "h11"]]
    assert sorted(["g10", "g9", "g1a2", "g1a", "g01", ""], key=natural_key) == [
        "", "g01", "g1a", "g1a2", "g9", "g10",
    ]  # fmt: skip


def test_three_nodes_share_the_arbiters_of_three_sets_and_of_three_single_expansions() -> None:
    places = places_of("g1=3 g2=3 g3=3")
    whole = lay_out(places, size=3, arbiter=True)
    assert sorted(members[-1] for members in nodes_of(whole)) == ["g1", "g2", "g3"]
    grown: Layout = lay_out(places, size=3, arbiter=True, want=1)
    for _ in range(2):
        grown = lay_out(places, size=3, arbiter=True, want=1, live=grown.sets)
    assert sorted(members[-1] for members in nodes_of(grown)) == ["g1", "g2", "g3"]


def test_what_is_left_over_and_what_to_add_is_said() -> None:
    layout = lay_out(places_of("g1=2 g2=2 g3=2 g4=2"), size=3)
    assert layout.advice == (
        "g3: 1 place left over, g4: 1 place left over; add 1 more node with 1 place for another set"
    ), layout.leftover
    pair = lay_out(places_of("g1=1 g4=3"), size=2)
    assert pair.advice == "g4: 2 places left over; add 1 more node with 2 places for 2 more sets"
    assert lay_out([], size=3).advice == "add 3 more nodes with 1 place each for a set"


def test_where_arbiters_run_out_a_node_for_arbiters_is_asked_for() -> None:
    data, one = places_of("g1=2 g2=2"), [BrickSlot("arb1", "/b/1", "", True)]
    layout = lay_out([*data, *one], size=3, arbiter=True)
    assert nodes_of(layout) == [["g1", "g2", "arb1"]]
    assert layout.advice.endswith(
        "add 1 more node with 1 place for arbiters only for another set"
    ), layout.advice
    more = [*data, *one, BrickSlot("arb2", "/b/1", "", True)]
    assert len(lay_out(more, size=3, arbiter=True, live=layout.sets).new) == 1


def test_a_shared_zone_is_explained() -> None:
    layout = lay_out(places_of("g1=1@r1 g2=1@r1 g3=1@r2"), size=3)
    assert "2 zones for sets of 3: in set 1 members share a zone" in layout.reasons
    assert "shares the zone with g2" in explain(layout)


def test_a_live_set_on_one_node_is_kept_and_named() -> None:
    places = places_of("g1=2 g2=1 g3=1")
    layout = lay_out(places, size=2, live=[places[:2]])
    assert nodes_of(layout) == [["g1", "g1"], ["g2", "g3"]]
    assert "live set 1 has 2 members on g1: kept, not repaired" in layout.reasons


def test_more_sets_than_possible_are_refused_in_words_not_made_badly() -> None:
    layout = lay_out(places_of("g1=5 g2=5"), size=3, want=2)
    assert layout.sets == ()
    assert "2 new sets wanted, the free places allow 0" in layout.reasons


@pytest.mark.parametrize(
    ("places", "kwargs", "key"),
    [
        ([BrickSlot("g1", "/b"), BrickSlot("g1", "/b")], {"size": 1}, "bricks"),
        ([BrickSlot("g1", "/b", "r1"), BrickSlot("g1", "/c", "r2")], {"size": 1}, "zones"),
        ([BrickSlot("g1", "/b", "", True), BrickSlot("g1", "/c")], {"size": 3}, "arbiters"),
        ([], {"size": 2, "arbiter": True}, "arbiter"),
        ([], {"size": 0}, "size"),
    ],
)
def test_nonsense_is_refused_with_its_key(
    places: list[BrickSlot], kwargs: dict[str, int], key: str
) -> None:
    with pytest.raises(SpecError) as caught:
        lay_out(places, **kwargs)  # type: ignore[arg-type]
    assert caught.value.key == key
