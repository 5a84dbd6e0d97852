from __future__ import annotations

import pytest
import samples

from salt_gluster.errors import Unreadable
from salt_gluster.gluster.parse.answer import parse_answer
from salt_gluster.gluster.parse.heal import parse_heal_entries, parse_heal_info, parse_heal_summary
from salt_gluster.model import Unknown, is_known

SUMMARY = samples.text("heal-info-summary-rep3-pending-brick-down.xml")


def test_a_brick_that_cannot_be_asked_is_unknown_not_zero() -> None:
    first, dead, third = parse_heal_summary(parse_answer(SUMMARY))
    assert (first.pending, first.split_brain, first.healing) == (42, 0, 0)
    assert third.pending == 42
    for value in (dead.host_uuid, dead.pending, dead.split_brain, dead.healing):
        assert isinstance(value, Unknown)
    assert "Transport endpoint is not connected" in str(dead.pending)


@pytest.mark.parametrize(
    "lie",
    [
        ("<totalNumberOfEntries>42<", "<totalNumberOfEntries>-<"),
        ("<totalNumberOfEntries>42</totalNumberOfEntries>", ""),
        ("<totalNumberOfEntries>42<", "<totalNumberOfEntries><"),
        ("<totalNumberOfEntries>42<", "<totalNumberOfEntries>-1<"),
        ("<status>Connected<", "<status>Failed to process entries completely. (x)<"),
        ("<status>Connected</status>", ""),
    ],
)
def test_every_way_of_not_giving_a_count_is_unknown(lie: tuple[str, str]) -> None:
    rows = parse_heal_summary(parse_answer(SUMMARY.replace(*lie)))
    assert len(rows) == 3
    assert not any(is_known(row.pending) for row in rows)


def test_pending_counts_split_brain_too() -> None:
    rows = parse_heal_summary(samples.answer("heal-info-summary-split-brain.xml"))
    assert [(r.pending, r.split_brain) for r in rows] == [(7, 4), (5, 4)]


def test_heal_info_gives_entries_or_says_why_not() -> None:
    first, dead, _ = parse_heal_entries(samples.answer("heal-info-rep3-pending-brick-down.xml"))
    assert is_known(first.entries)
    assert len(first.entries) == 42
    assert first.entries[0].path == "/d/f1"
    assert isinstance(dead.entries, Unknown)


def test_heal_info_after_a_dead_glusterd_is_unknown_for_its_living_brick() -> None:
    rows = parse_heal_info(samples.answer("heal-info-rep3-glusterd-killed.xml"))
    assert [is_known(r.pending) for r in rows] == [True, True, False]


def test_split_brain_lists_the_files() -> None:
    first, _ = parse_heal_entries(samples.answer("heal-info-splitbrain-list.xml"))
    assert is_known(first.entries)
    assert [e.path for e in first.entries] == ["/data", "/meta", "/gfidsb", "/dd"]


def test_an_answer_without_bricks_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="healInfo/bricks"):
        parse_heal_summary(samples.answer("volume-list.xml"))
