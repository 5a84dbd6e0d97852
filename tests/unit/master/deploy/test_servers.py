"""Which nodes are Consul servers: the size, the spread, and that what was chosen is kept."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salt_gluster.master.deploy.servers import choose, size_for


def nodes(count: int) -> list[str]:
    return [f"g{n}" for n in range(1, count + 1)]


@pytest.mark.parametrize(
    ("count", "size"), [(1, 1), (2, 1), (3, 3), (4, 3), (8, 3), (9, 5), (48, 5), (5000, 5)]
)
def test_there_are_one_three_or_five(count: int, size: int) -> None:
    assert size_for(count) == size
    assert choose(nodes(count), {}) == tuple(nodes(count)[:size])


def test_they_are_spread_over_zones() -> None:
    zones = {name: f"r{(n // 4) + 1}" for n, name in enumerate(nodes(12))}
    chosen = choose(nodes(12), zones)
    assert chosen == ("g1", "g5", "g9", "g2", "g6")
    two = {name: "a" if name in ("g1", "g2", "g3") else "b" for name in nodes(4)}
    assert choose(nodes(4), two) == ("g1", "g4", "g2")


def test_what_was_chosen_stays_whatever_joins_or_changes_its_place() -> None:
    kept = choose(nodes(4), {})
    assert choose(["g0", *nodes(7)], {}, kept) == kept
    assert choose(list(reversed(nodes(4))), {"g1": "z", "g2": "z", "g3": "z"}, kept) == kept


def test_one_server_is_exchanged_at_a_time() -> None:
    kept = ("g1", "g2", "g3")
    left = ["g3", "g4", "g5", "g6"]
    first = choose(left, {}, kept)
    assert first == ("g2", "g3", "g4")
    second = choose(left, {}, first)
    assert second == ("g3", "g4", "g5")
    assert choose(left, {}, second) == second


def test_the_only_server_goes_when_there_are_two() -> None:
    assert choose(["g2", "g3"], {}, ("g1",)) == ("g1", "g2")
    assert choose(["g2", "g3"], {}, ("g1", "g2")) == ("g2",)


def test_without_a_node_to_take_over_the_old_server_keeps_its_seat() -> None:
    assert choose(["g2", "g3"], {}, ("g2", "g3")) == ("g2",)
    assert choose(["g1", "g2", "g3"], {}, ("g1", "g2", "g9")) == ("g1", "g2", "g3")


def test_a_pool_that_grows_gets_its_servers_and_one_that_shrinks_gives_them_up_singly() -> None:
    assert choose(nodes(3), {}, ("g1",)) == ("g1", "g2", "g3")
    assert choose(nodes(9), {}, ("g1", "g2", "g3")) == ("g1", "g2", "g3", "g4", "g5")
    five = ("g1", "g2", "g3", "g4", "g5")
    assert choose(nodes(4), {}, five) == ("g1", "g2", "g3", "g4")
    assert choose(nodes(4), {}, five[:4]) == ("g1", "g2", "g3")


_POOLS = st.integers(1, 14).flatmap(
    lambda n: st.tuples(
        st.permutations(nodes(n)), st.dictionaries(st.sampled_from(nodes(n)), st.sampled_from("ab"))
    )
)


@given(_POOLS, st.lists(st.sampled_from(nodes(14)), max_size=5, unique=True))
def test_every_step_leaves_the_others_and_the_steps_end(
    pool: tuple[list[str], dict[str, str]], kept: list[str]
) -> None:
    names, zones = pool
    before = tuple(kept)
    for step in itertools.count():
        after = choose(names, zones, before)
        assert choose(names, zones, before) == after
        assert len(set(after)) == len(after)
        if before:
            assert len(set(before) - set(after)) <= 1
            assert not (set(before) - set(after) and len(set(after) - set(before)) > 1)
        if after == before:
            break
        before = after
        assert step < 10
    assert len(after) == size_for(len(names))
    assert set(after) <= set(names)
