"""What other nodes announce: limited, parsed or unknown, dated by the reader's clock alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salt_gluster.model import AnnouncedBrick, Announcement, Unknown, is_known
from salt_gluster.status.announcement import (
    MOST_BRICKS,
    MOST_WHY,
    Said,
    by_host,
    parse,
    sightings,
    written,
)

BRICK = AnnouncedBrick("data", "/srv/b", "uuid-1")


def entry(count: int = 1, epoch: str = "e", **more: Any) -> dict[str, Any]:
    return {"epoch": epoch, "count": count, "hosts": ["g2"], "bricks": written([BRICK]), **more}


def test_what_is_written_is_what_is_read() -> None:
    bricks = (BRICK, AnnouncedBrick("", "/srv/c", "fsid:7", True, "it holds x", marked=True))
    assert parse(entry(bricks=written(bricks))) == Said("e", 1, ("g2",), bricks)


@pytest.mark.parametrize(
    "odd",
    [
        None,
        "g2",
        {"hosts": ["g2"], "paths": ["/srv/b"]},  # of a version that told no age
        entry(count=True),
        entry(epoch="e" * 65),
        entry(bricks="all"),
        entry(bricks=written([BRICK]) * (MOST_BRICKS + 1)),
        entry(bricks=[{**written([BRICK])[0], "path": "/a\nb"}]),
        entry(bricks=[{**written([BRICK])[0], "path": "/" + "a" * 5000}]),
        entry(bricks=[{**written([BRICK])[0], "filesystem": ""}]),
        entry(bricks=[{**written([BRICK])[0], "unfit": 7}]),
        entry(bricks=[["data", "/srv/b"]]),
    ],
)
def test_what_is_no_announcement_is_unknown(odd: object) -> None:
    assert isinstance(parse(odd), Unknown)


def test_a_reason_is_cut_and_holds_no_control_characters() -> None:
    said = parse(entry(bricks=[{**written([BRICK])[0], "unfit": "a\x1b[2J" + "b" * 900}]))
    assert is_known(said)
    assert len(said.bricks[0].unfit) == MOST_WHY and said.bricks[0].unfit.isprintable()


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists))
def test_nothing_that_another_node_writes_raises(value: Any) -> None:
    for key in ("epoch", "count", "hosts", "bricks"):
        parse(entry(**{key: value}))
    parse(dict.fromkeys(("epoch", "count", "hosts", "bricks"), value))


# --- how old -------------------------------------------------------------------------------------


def looks(*each: tuple[float, dict[str, Any]]) -> dict[str, Any]:
    """The record after these looks: when, and what the mine had."""
    record = None
    for now, entries in each:
        record = sightings(record, {m: parse(e) for m, e in entries.items()}, now)
    assert record is not None
    return {m: row[2] for m, row in record["minions"].items()}


def test_only_what_came_after_a_look_has_an_age() -> None:
    assert looks((10, {"g2": entry(1)})) == {"g2": None}
    assert looks((10, {}), (20, {"g2": entry(1)})) == {"g2": 10}
    assert looks((10, {"g2": entry(1)}), (20, {"g2": entry(2)})) == {"g2": 10}
    assert looks((10, {}), (20, {"g2": entry(1)}), (30, {"g2": entry(1)})) == {"g2": 10}


def test_an_older_one_that_comes_back_is_not_new() -> None:
    """Another master's mine, or one that was emptied and filled from a copy."""
    back = ((10, {"g2": entry(5)}), (20, {"g2": entry(6)}), (30, {"g2": entry(5)}))
    assert looks(*back) == {"g2": None}
    gone = ((10, {"g2": entry(5)}), (20, {}), (30, {"g2": entry(5)}))
    assert looks(*gone) == {"g2": None}


def test_a_node_that_lost_its_record_counts_from_a_new_beginning() -> None:
    assert looks((10, {"g2": entry(9)}), (20, {"g2": entry(1, "new")})) == {"g2": 10}


def test_a_clock_that_was_set_back_makes_the_age_unknown() -> None:
    assert looks((100, {"g2": entry(1)}), (20, {"g2": entry(2)})) == {"g2": None}


@pytest.mark.parametrize("record", [{}, {"looked": "x", "minions": 7}, {"minions": {"g2": [1]}}])
def test_a_record_that_cannot_be_read_is_none(record: dict[str, Any]) -> None:
    assert sightings(record, {"g2": parse(entry())}, 5.0)["minions"]["g2"][2] is None


# --- who speaks for whom -------------------------------------------------------------------------


def hosts(entries: dict[str, Any], addresses: dict[str, str]) -> set[str]:
    said = {m: parse(e) for m, e in entries.items()}
    return set(by_host(said, sightings(None, said, 1.0), addresses))


def test_a_minion_speaks_for_itself_its_declared_address_and_a_name_that_no_other_has() -> None:
    lie = {"g2": entry(hosts=["g2", "G3", "g3-storage", "alone"]), "g3": entry(hosts=["G3"])}
    assert hosts(lie, {}) == {"g2", "g3", "g3-storage", "alone"}
    declared = hosts(lie, {"g2": "g2-storage", "g3": "g3-storage"})
    assert declared == {"g2", "g2-storage", "g3", "g3-storage", "alone"}
    both = {"g2": entry(hosts=["x"]), "g4": entry(hosts=["x"])}
    assert hosts(both, {}) == {"g2", "g4"}


def test_a_minion_whose_entry_cannot_be_read_is_unknown_and_others_do_not_speak_for_it() -> None:
    said = {"g2": parse(entry(hosts=["g3"])), "g3": parse(None)}
    record = sightings({"looked": 1.0, "minions": {}}, said, 2.0)
    told = by_host(said, record, {})
    assert isinstance(told["g3"], Unknown)
    assert told["g2"] == Announcement(1.0, (BRICK,))
