"""Split-brain out of what the copies say of each other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from salt_gluster.model import HealIndex, Unknown
from salt_gluster.status.split_brain import Copy, in_split_brain

Accused = dict[str, dict[str, str]]


def copies(*accused: Accused, arbiter: bool = False, entries: int | None = None) -> list[Copy]:
    """Return a set of bricks c0, c1, …, each with what its copies say."""
    last = len(accused) - 1
    return [
        Copy(
            f"g{n}",
            HealIndex(len(a) if entries is None else entries, f"c{n}", len(a), a),
            arbiter and n == last,
        )
        for n, a in enumerate(accused)
    ]


def test_one_that_is_accused_by_nobody_is_a_source() -> None:
    assert in_split_brain(copies({"f": {"c1": "d"}}, {})) == 0
    assert in_split_brain(copies({"f": {"c2": "d"}}, {"f": {"c2": "dm"}}, {})) == 0
    assert in_split_brain(copies({}, {}, {})) == 0


def test_two_copies_that_accuse_each_other_of_the_same() -> None:
    assert in_split_brain(copies({"f": {"c1": "d"}}, {"f": {"c0": "d"}})) == 1
    assert in_split_brain(copies({"f": {"c1": "m"}}, {"f": {"c0": "dm"}})) == 1
    assert in_split_brain(copies({"f": {"c1": "d"}}, {"f": {"c0": "m"}})) == 0
    assert in_split_brain(copies({"f": {"c1": "d"}}, {"g": {"c0": "d"}})) == 0


def test_three_that_accuse_each_other_in_a_ring() -> None:
    ring = copies({"f": {"c1": "d"}}, {"f": {"c2": "d"}}, {"f": {"c0": "d"}})
    assert in_split_brain(ring) == 1


def test_an_arbiter_is_no_source_of_data_and_one_of_metadata() -> None:
    both: list[Accused] = [{"f": {"c1": "d"}}, {"f": {"c0": "d"}}, {}]
    assert in_split_brain(copies(*both, arbiter=True)) == 1
    assert in_split_brain(copies(*both)) == 0
    meta: list[Accused] = [{"f": {"c1": "m"}}, {"f": {"c0": "m"}}, {}]
    assert in_split_brain(copies(*meta, arbiter=True)) == 0


def test_a_copy_that_accuses_itself_says_nothing() -> None:
    """AFR leaves such an xattr behind a change that was interrupted."""
    assert in_split_brain(copies({"f": {"c0": "d"}}, {"f": {"c1": "d"}})) == 0


def test_what_a_brick_does_not_tell_is_unknown() -> None:
    told = copies({"f": {"c1": "d"}}, {"f": {"c0": "d"}})
    silent = [told[0], Copy("g9", Unknown("down"))]
    said = in_split_brain(silent)
    assert isinstance(said, Unknown) and "g9" in said.why
    nameless = [Copy("g1", HealIndex(2)), Copy("g2", HealIndex(0))]
    assert isinstance(in_split_brain(nameless), Unknown)


def test_of_many_entries_some_are_looked_at() -> None:
    found = copies({"f": {"c1": "d"}}, {"f": {"c0": "d"}}, entries=500)
    assert in_split_brain(found) == 1
    none = in_split_brain(copies({"f": {"c1": "d"}}, {}, entries=500))
    assert isinstance(none, Unknown) and "of 500 entries" in none.why


_ACCUSED = st.dictionaries(
    st.sampled_from("fgh"),
    st.dictionaries(
        st.sampled_from(["c0", "c1", "c2", "other"]), st.sampled_from(["d", "m", "dm"])
    ),
)


@given(st.lists(_ACCUSED, min_size=3, max_size=3))
def test_no_single_brick_can_make_it_up(accused: list[Accused]) -> None:
    """What one hostile node says of the others makes no file of theirs a split one."""
    for liar in range(3):
        alone = [a if n == liar else {} for n, a in enumerate(accused)]
        assert in_split_brain(copies(*alone)) == 0
