"""What hurts is on the screen: split-brain and sets without room, with number and way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from salt_gluster.model import BrickSpace
from tests.unit.render.test_screens import GB, pool, screen, space_of, volume, wide

NODES = ["g1", "g2", "g3", "g4"]


@pytest.mark.parametrize(
    ("free", "code", "word", "says"),
    [(9, 1, "full soon", "home is full soon: set 2 has"), (0, 2, "full", "home is FULL: set 2")],
)
def test_the_fullest_set_is_named_with_what_is_free(
    free: int, code: int, word: str, says: str
) -> None:
    obs = pool(NODES, [volume("home", NODES, 2), volume("vm", NODES[:2], 2)])
    room = space_of(obs)
    room["home"] = tuple(
        BrickSpace(r.brick, r.total, free * GB if r.brick.startswith("g3") else r.free, 0, 0)
        for r in room["home"]
    )
    data, text = screen(obs, space=room)
    assert (data["exit"], data["exit_word"].replace("_", " "), data["worst"]) == (
        code,
        word,
        "home",
    )
    assert says in text and "on g3:" in text and wide(text) == []
    assert ("home FULL: writes fail" in text) == (code == 2)
    assert data["volumes"]["home"]["free"]["fullest"]["percent"] == free
    assert data["volumes"]["vm"]["free"]["fullest"]["level"] == ""


def test_files_in_split_brain_are_never_reading_and_writing_works() -> None:
    obs = pool(NODES, [volume("home", NODES[:2], 2), volume("vm", NODES[2:], 2)])
    torn = tuple(replace(row, pending=5, split_brain=3) for row in obs.heal["home"])  # type: ignore[union-attr]
    data, text = screen(replace(obs, heal={**obs.heal, "home": torn}))
    words = " ".join(text.split())
    assert (data["exit"], data["volumes"]["home"]["word"]) == (2, "partial")
    assert "some files of home CANNOT BE READ: split-brain; reading and writing works on 1" in words
    assert "not every copy is up" not in words and "3 files in split-brain" in str(data)
    assert "gluster volume heal home info split-brain" in words
