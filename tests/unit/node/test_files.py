"""Files that hold secrets: who may read them, from their first byte on."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from salt_gluster.errors import GlusterError
from salt_gluster.minion.automation import engine_config
from salt_gluster.node import events_daemon, files, is_different, write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def owners(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Note who is made owner instead of doing it."""
    owners: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "fchown", lambda handle, user, group: owners.append((user, group)))
    return owners


@pytest.mark.parametrize("wanted", [0o600, 0o640, 0o644])
@pytest.mark.parametrize("before", [None, 0o666, 0o600])
def test_a_private_file_has_exactly_its_mode_whatever_was_there(
    tmp_path: Path, wanted: int, before: int | None, owners: list[tuple[int, int]]
) -> None:
    file = tmp_path / "a" / "token"
    old = os.umask(0)
    try:
        if before is not None:
            file.parent.mkdir()
            file.write_text("old")
            file.chmod(before)
        write_private(file, "secret", mode=wanted, group=7)
    finally:
        os.umask(old)
    assert (mode(file), file.read_text(), owners) == (wanted, "secret", [(0, 7)])


@pytest.mark.parametrize("before", [None, 0o644])
def test_nobody_else_can_read_it_at_any_moment(
    tmp_path: Path, before: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "token"
    if before is not None:
        file.write_text("old")
        file.chmod(before)
    real, seen = os.fsync, []

    def fsync(handle: int) -> None:
        """The words are in a file now: which files have them, and who may read those?"""
        seen.extend(mode(p) for p in tmp_path.iterdir() if p.read_text() == "secret")
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    old = os.umask(0)
    try:
        write_private(file, "secret", mode=0o600)
    finally:
        os.umask(old)
    assert seen and set(seen) == {0o600}
    assert (list(tmp_path.iterdir()), mode(file)) == ([file], 0o600), "no copy of it is left"


@pytest.mark.parametrize("once", [True, False])
def test_the_first_writer_wins_only_where_that_is_asked_for(tmp_path: Path, once: bool) -> None:
    file = tmp_path / "ca.key"
    files.write_atomically(file, "first", 0o600)
    files.write_atomically(file, "second", 0o600, once=once)
    assert file.read_text() == ("first" if once else "second")
    assert list(tmp_path.iterdir()) == [file]


def test_a_write_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "glusterd.info"
    file.write_text("old")

    def full(handle: int) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        files.write_atomically(file, "new", 0o644)
    assert (list(tmp_path.iterdir()), file.read_text()) == ([file], "old")


def test_a_file_that_others_may_read_is_not_as_it_should_be(tmp_path: Path) -> None:
    file = tmp_path / "token"
    own = os.getgid()
    assert is_different(file, "secret", mode=0o600, group=own) == "absent"
    file.write_text("secret")
    file.chmod(0o640)
    assert is_different(file, "secret", mode=0o600, group=own) == "mode 0640"
    file.chmod(0o600)
    wanted = "" if os.getuid() == 0 else "another owner"
    assert is_different(file, "secret", mode=0o600, group=own) == wanted
    assert is_different(file, "secret", mode=0o600, group=own + 1) == "another owner"
    said = is_different(file, "another", mode=0o600, group=own)
    assert (said, "secret" in said) == ("different", False)


def test_a_file_that_is_replaced_keeps_its_mode_and_is_never_half(tmp_path: Path) -> None:
    file = tmp_path / "fstab"
    file.write_text("old")
    file.chmod(0o640)
    before = file.stat().st_ino
    files.write_atomically(file, "new", 0o644, keep=True)
    assert (mode(file), file.read_text(), file.stat().st_ino != before) == (0o640, "new", True)


def test_a_line_is_added_for_its_owner_alone_and_through_no_link(tmp_path: Path) -> None:
    file, link = tmp_path / "journal", tmp_path / "link"
    files.append_line(file, "one", 0o600)
    files.append_line(file, "two", 0o600)
    assert (mode(file), file.read_text()) == (0o600, "one\ntwo\n")
    link.symlink_to(file)
    with pytest.raises(OSError):
        files.append_line(link, "three", 0o600)
    with pytest.raises(OSError):
        files.open_lock(link)
    os.close(files.open_lock(tmp_path / "lock"))
    assert mode(tmp_path / "lock") == 0o600


def test_the_tokens_of_webhooks_are_for_root_alone_and_others_entries_stay(tmp_path: Path) -> None:
    folder = tmp_path / events_daemon.FOLDER
    folder.mkdir(parents=True)
    events_daemon.close_events_folder(tmp_path)
    assert mode(folder) == 0o700
    hooks = tmp_path / events_daemon.WEBHOOKS
    hooks.parent.mkdir(parents=True, exist_ok=True)
    hooks.write_text(json.dumps({"http://other": {"token": "t"}}))
    hooks.chmod(0o644)
    events_daemon.write_webhooks(lambda told: {**told, "http://ours": {"token": "s"}}, tmp_path)
    assert mode(hooks) == 0o600
    assert set(json.loads(hooks.read_text())) == {"http://other", "http://ours"}


def test_the_engines_configuration_is_for_root_alone_and_anothers_is_not_taken(
    tmp_path: Path,
) -> None:
    file = tmp_path / "engine.conf"
    text = engine_config._OURS + "engines: []\n"
    assert engine_config.bring_about(file, text, test=True)
    assert not file.exists()
    engine_config.bring_about(file, text, test=False)
    assert (mode(file), file.read_text()) == (0o600, text)
    file.write_text("# mine\nengines: []\n")
    with pytest.raises(GlusterError):
        engine_config.bring_about(file, text, test=False)
    assert file.read_text().startswith("# mine")
