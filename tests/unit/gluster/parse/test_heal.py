from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import samples

from salt_gluster.errors import Unreadable
from salt_gluster.gluster.parse.answer import CliAnswer, parse_answer, text_answer
from salt_gluster.gluster.parse.heal import (
    parse_heal_entries,
    parse_heal_info,
    parse_heal_summary,
    parse_heal_text,
)
from salt_gluster.minion.heal import heal_entries
from salt_gluster.model import Unknown, is_known, known

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


#: As GlusterFS 10.3 printed it (facts.md#G-5.3): each name has one blank behind it.
TEXT = """Brick g1:/srv/h
/ 
/sp ace 
/ lead 
/trail  
/a&b 
/x\x01y 
/new
line 
<gfid:7c0ce25d-22a3-4456-ab2a-4d571f01b93c> - Is in split-brain
/slow - Possibly undergoing heal
Status: Connected
Number of entries: 9

Brick g2:/srv/h
Status: Connected
Number of entries: 0

Brick g3:/srv/h
Status: Transport endpoint is not connected
Number of entries: -
"""  # noqa: W291
NAMES = ["/", "/sp ace", "/ lead", "/trail ", "/a&b", "/x\x01y", "/new\nline",
         "<gfid:7c0ce25d-22a3-4456-ab2a-4d571f01b93c>", "/slow"]  # fmt: skip


def test_names_that_no_xml_can_hold_are_told_by_the_text() -> None:
    one, none, dead = parse_heal_text(text_answer(TEXT, "", 0))
    assert (one.brick, [e.path for e in known(one.entries)]) == ("g1:/srv/h", NAMES)
    assert none.entries == ()
    assert dead.brick == "g3:/srv/h" and "not connected" in str(dead.entries)
    with pytest.raises(Unreadable):
        parse_heal_text(text_answer("Connection failed.", "", 1))


def test_an_xml_that_ends_at_such_a_name_is_asked_again_as_text() -> None:
    asked = []

    class Gluster:
        def ask(self, command: str, **arguments: str) -> CliAnswer:
            asked.append(command)
            if not command.endswith("_text"):
                return parse_answer("", "xmlTextWriterWriteDocCallback : XML error 9 !", 0)
            return text_answer(TEXT, "", 0)

    minion: Any = SimpleNamespace(reader=SimpleNamespace(gluster=Gluster()))
    told = heal_entries(minion, "h", "heal_split_brain")
    assert [e["path"] for e in told["g1:/srv/h"]] == NAMES
    assert asked == ["heal_split_brain", "heal_split_brain_text"]


def test_no_name_is_stripped() -> None:
    xml = samples.text("heal-info-rep3-pending-brick-down.xml")
    first = parse_heal_entries(parse_answer(xml))[0]
    (path, *_) = (entry.path for entry in known(first.entries) if entry.path != "/")
    bricks = parse_heal_entries(parse_answer(xml.replace(f">{path}<", f">/ {path[1:]} <")))
    assert f"/ {path[1:]} " in [entry.path for entry in known(bricks[0].entries)]
