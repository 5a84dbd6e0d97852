"""The index of a brick, and the xattrs of the copies, as AFR writes them."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from salt_gluster import node
from salt_gluster.model import HealIndex, Unknown
from salt_gluster.node import heal_index
from salt_gluster.node.glusterd import LocalBrick

FILE, FOLDER, GONE = (f"{n}{n}aabbcc-0000-4000-8000-00000000000{n}" for n in "123")


def handle(brick: Path, gfid: str) -> Path:
    path = brick / ".glusterfs" / gfid[:2] / gfid[2:4] / gfid
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def accuse(path: Path, client: str, *counts: int) -> None:
    os.setxattr(path, f"trusted.afr.{client}", struct.pack(">3I", *counts))


@pytest.fixture
def brick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A brick with a file, a directory, and an entry that is healed by now."""
    index = tmp_path / ".glusterfs/indices/xattrop"
    index.mkdir(parents=True)
    for name in (FILE, FOLDER, GONE, f"xattrop-{GONE}"):
        (index / name).touch()
    (tmp_path / "f").touch()
    os.link(tmp_path / "f", handle(tmp_path, FILE))
    (tmp_path / "folder").mkdir()
    root = "00000000-0000-0000-0000-000000000001"
    handle(tmp_path, root).symlink_to("../../..")
    handle(tmp_path, FOLDER).symlink_to(f"../../00/00/{root}/folder")
    here = LocalBrick("v", "g1", str(tmp_path), 0, "v-client-0")
    monkeypatch.setattr(heal_index, "local_bricks", lambda root: (here,))
    return tmp_path


def test_who_is_accused_of_what_and_no_more(brick: Path) -> None:
    accuse(brick / "f", "v-client-1", 2, 0, 0)
    accuse(brick / "f", "v-client-2", 0, 0, 0)
    accuse(brick / "f", "dirty", 1, 1, 1)
    accuse(brick / "folder", "v-client-1", 0, 1, 5)
    accuse(brick / "folder", "v-client-2", 0, 0, 5)
    assert node.heal_indexes() == {
        str(brick): HealIndex(
            3, "v-client-0", 3, {FILE: {"v-client-1": "d"}, FOLDER: {"v-client-1": "m"}}
        )
    }


def test_of_very_many_a_part_is_looked_at(brick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heal_index, "MOST_LOOKED_AT", 2)
    told = node.heal_indexes()[str(brick)]
    assert isinstance(told, HealIndex) and (told.entries, told.looked_at) == (3, 2)


def test_a_brick_without_its_index_is_unknown(brick: Path) -> None:
    for entry in (brick / ".glusterfs/indices/xattrop").iterdir():
        entry.unlink()
    (brick / ".glusterfs/indices/xattrop").rmdir()
    told = node.heal_indexes()[str(brick)]
    assert isinstance(told, Unknown) and "No such file" in told.why
