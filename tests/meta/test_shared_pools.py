"""Shared pools without a pool: what is compared, put back, told, and who runs what."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import one_worker
import pytest
import trees
from fingerprint import Fingerprint, differences, lines
from pools import KINDS
from trees import Entry, Tree

ROOT = Path(__file__).resolve().parents[2]


def dirty(folder: Path) -> None:
    (folder / "kept").write_text("another")
    (folder / "kept").chmod(0o600)
    (folder / "sub/gone").unlink()
    (folder / "link").unlink()
    (folder / "new/deep").mkdir(parents=True)
    (folder / "new/deep/file").write_text("x")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "folder"
    (made / "sub").mkdir(parents=True)
    (made / "kept").write_text("text")
    (made / "sub/gone").write_text("text")
    (made / "link").symlink_to("kept")
    return made


def test_a_folder_is_put_back_and_what_is_new_is_one_entry_whatever_is_in_it(folder: Path) -> None:
    tree = Tree("config", "/x", folder)
    new = trees.read(tree, None)
    dirty(folder)
    now = trees.read(tree, new)
    changed = {name for name in new.keys() | now.keys() if new.get(name) != now.get(name)}
    assert changed == {"kept", "sub/gone", "link", "new"}
    trees.restore(tree, new, now)
    assert trees.read(tree, new) == trees.read(tree, None) == new


def test_of_an_overlay_only_what_differs_from_the_machines_own_counts(
    folder: Path, tmp_path: Path
) -> None:
    """The upper folder stands for the merged one: to write there what is below is the same."""
    lower = tmp_path / "lower"
    (lower / "sub").mkdir(parents=True)
    (lower / "kept").write_text("text")
    (lower / "other").write_text("the machine's")
    (folder / "kept").chmod(0o644)
    (lower / "kept").chmod(0o644)
    tree = Tree("config", "/x", folder, lower=lower, inside=folder)
    new = trees.read(tree, None)
    assert set(new) == {"sub/gone", "link"}
    (folder / "other").write_text("changed here")
    assert set(trees.read(tree, new)) - set(new) == {"other"}
    trees.restore(tree, new, trees.read(tree, new))
    assert trees.read(tree, new) == new
    assert (folder / "other").read_text() == "the machine's"


def test_a_mount_below_is_not_looked_into(folder: Path) -> None:
    """What answers there may hang."""
    tree = Tree("disk", "/srv", folder)
    assert "sub/gone" in trees.read(tree, None)
    assert not [name for name in trees.read(tree, None, ["/srv/sub"]) if name.startswith("sub")]


def test_each_difference_is_one_line_and_that_of_several_nodes_together() -> None:
    entry = Entry("folder", 0o755)
    new = Fingerprint(
        {(name, "/var/lib/glusterd"): {"vols": entry} for name in ("g1", "g2")},
        {("process", "g1"): {"glusterd": "1"}, ("mount", "g1"): {"/": "overlay rw"}},
    )
    now = Fingerprint(
        {(name, "/var/lib/glusterd"): {"vols": entry, "vols/v": entry} for name in ("g1", "g2")},
        {("process", "g1"): {}, ("mount", "g1"): {"/": "overlay ro"}, ("pillar", ""): {"g1": "{}"}},
    )
    assert lines(differences(new, now)) == [
        "g1, g2: volume v is new",
        "g1: mount / is another: overlay ro, before overlay rw",
        "g1: process glusterd is gone",
    ]
    assert differences(new, new) == []


def test_files_on_a_shared_pool_go_to_one_worker_and_every_other_has_its_own() -> None:
    assert set(one_worker.KINDS) == set(KINDS)
    assert one_worker.group("tests/integration/test_shared_pools.py") == "watched"
    for own in ("tests/integration/test_lab.py", "tests/unit/plan/test_peer.py"):
        assert one_worker.group(own) == own


def test_what_was_left_behind_stands_in_the_summary_once_also_from_a_worker(tmp_path: Path) -> None:
    file = tmp_path / "test_it.py"
    file.write_text("def test_a(record_property): record_property('shared pools', 'a\\n  g1: b')\n")
    (tmp_path / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text())
    argv = [sys.executable, "-m", "pytest", "-n", "1", f"--rootdir={tmp_path}", "-c/dev/null"]
    env = {k: v for k, v in os.environ.items() if k != "PART"}
    env |= {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests/support'}"}
    done = subprocess.run([*argv, str(file)], cwd=tmp_path, env=env, capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("shared pools that were not left as they were") == 1
    assert done.stdout.count("a\n  g1: b\n") == 1
