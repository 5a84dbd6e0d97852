"""Copies of glusterd's configuration: what is in them, what never is, and when one is made."""

from __future__ import annotations

import os
import socket
import stat
import tarfile
from pathlib import Path

import pytest

from salt_gluster.errors import GlusterError
from salt_gluster.node import Mount, copy_glusterd_dir, glusterd_copy

NOW = 1e9


@pytest.fixture
def glusterd(tmp_path: Path) -> Path:
    """Return a glusterd's directory with one volume."""
    folder = tmp_path / "var/lib/glusterd"
    put(folder / "glusterd.info", "UUID=x")
    put(folder / "options", "global-option-version=0")
    put(folder / "vols/data/info", "password=x")
    put(folder / "vols/data/data.g1.brick.vol", "volume x")
    put(folder / "peers/u2", "uuid=u2")
    return folder


def put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def copied(root: Path, now: float = NOW) -> Path:
    copy = copy_glusterd_dir(now, root)
    assert copy is not None
    return copy


def files(copy: Path) -> dict[str, str]:
    with tarfile.open(copy) as tar:
        assert all(m.isreg() or m.isdir() or m.issym() for m in tar.getmembers())
        return {
            m.name.removeprefix("glusterd/"): handle.read().decode()
            for m in tar.getmembers() if (handle := m.isreg() and tar.extractfile(m))
        }  # fmt: skip


def test_the_configuration_is_in_it_and_it_is_for_root_alone(
    tmp_path: Path, glusterd: Path
) -> None:
    copy = copied(tmp_path)
    assert (mode(copy), mode(copy.parent)) == (0o600, 0o700)
    assert files(copy) == {
        "glusterd.info": "UUID=x", "options": "global-option-version=0", "peers/u2": "uuid=u2",
        "vols/data/info": "password=x", "vols/data/data.g1.brick.vol": "volume x",
    }  # fmt: skip


def test_nothing_is_copied_where_nothing_differs_from_the_last_copy(
    tmp_path: Path, glusterd: Path
) -> None:
    first = copied(tmp_path)
    os.utime(glusterd / "options", (1, 1))  # glusterd writes the same anew at each start
    put(glusterd / "vols/data/run/g1.pid", "4711")
    assert copied(tmp_path, NOW + 60) == first
    put(glusterd / "vols/data/info", "password=y")
    second = copied(tmp_path, NOW + 120)
    put(glusterd / "vols/data/info", "password=x")
    third = copied(tmp_path, NOW + 180)
    assert [files(c)["vols/data/info"][-1] for c in (first, second, third)] == ["x", "y", "x"]
    (glusterd / "options").chmod(0o600)
    assert copied(tmp_path, NOW + 240) > third
    assert len(list(first.parent.iterdir())) == 4


def test_the_oldest_of_more_than_ten_goes(tmp_path: Path, glusterd: Path) -> None:
    first = copied(tmp_path)
    for second in range(12):
        put(glusterd / "options", str(second))
        copied(tmp_path, NOW + 1 + second)
    kept = sorted(first.parent.iterdir())
    assert (len(kept), first in kept) == (10, False)


def test_the_data_of_volumes_and_what_is_not_glusterds_own_is_in_no_copy(
    tmp_path: Path, glusterd: Path
) -> None:
    """``gluster_shared_storage`` has its bricks in ``ss_brick``."""
    elsewhere = tmp_path / "elsewhere"
    put(elsewhere / "user", "data of a user")
    put(glusterd / "ss_brick/user", "data of a user")
    put(glusterd / "ss_brick/.glusterfs/health_check", "")
    put(glusterd / "of-an-operator/user", "data of a user")
    put(glusterd / "snaps/brick/.glusterfs/health_check", "")  # a brick wherever it is
    put(glusterd / "snaps/brick/user", "data of a user")
    (glusterd / "hooks").symlink_to(elsewhere)
    (glusterd / "vols/data/link").symlink_to(elsewhere / "user")
    os.mkfifo(glusterd / "vols/data/fifo")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(glusterd / "s.socket"))
        copy = copied(tmp_path)
    assert "data of a user" not in files(copy).values()
    with tarfile.open(copy) as tar:
        names = {m.name: m.linkname for m in tar.getmembers()}
    assert names["glusterd/hooks"] == str(elsewhere), "a link is kept as one"
    assert not [n for n in names if "user" in n or "ss_brick" in n or "fifo" in n or "brick/" in n]


def test_no_mount_point_is_crossed_or_even_looked_at(
    tmp_path: Path, glusterd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bind mount has the same device number, and a look at a mount that hangs never ends."""
    put(glusterd / "hooks/1/mine", "mine")
    put(glusterd / "hooks/1/set/user", "data of a user")
    there = str(glusterd / "hooks/1/set")
    monkeypatch.setattr(
        glusterd_copy, "mounts",
        lambda: (Mount(str(glusterd), "ext4", "/dev/a"), Mount(there, "fuse.glusterfs", "g1:/x")),
    )  # fmt: skip
    looked: list[str] = []
    lstat = Path.lstat
    monkeypatch.setattr(Path, "lstat", lambda path: looked.append(str(path)) or lstat(path))
    found = files(copied(tmp_path))
    assert found["hooks/1/mine"] == "mine"
    assert "hooks/1/set/user" not in found
    assert there not in looked


def test_a_copy_is_bounded_and_names_what_it_lacks(
    tmp_path: Path, glusterd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Volume files go first: glusterd makes them anew."""
    monkeypatch.setattr(glusterd_copy, "FILE_LIMIT", 300)
    monkeypatch.setattr(glusterd_copy, "COPY_LIMIT", 400)
    put(glusterd / "vols/data/quota.conf", "q" * 301)
    put(glusterd / "vols/data/data.g1.brick.vol", "v" * 290)
    put(glusterd / "vols/data/another.vol", "v" * 290)
    found = files(copied(tmp_path))
    assert found["LEFT_OUT"].split() == [
        "glusterd/vols/data/quota.conf", "glusterd/vols/data/data.g1.brick.vol",
    ]  # fmt: skip
    assert {"glusterd.info", "vols/data/info", "vols/data/another.vol"} <= found.keys()
    assert sum(len(text) for name, text in found.items() if name != "LEFT_OUT") <= 400


def test_a_file_that_goes_while_we_look_is_no_failure(
    tmp_path: Path, glusterd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = glusterd_copy._take

    def gone(content: object, path: Path, *rest: object) -> None:
        if path.name == "options":
            path.unlink()
        take(content, path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(glusterd_copy, "_take", gone)
    assert set(files(copied(tmp_path))) == {
        "glusterd.info", "peers/u2", "vols/data/info", "vols/data/data.g1.brick.vol",
    }  # fmt: skip


def test_without_room_nothing_is_changed_and_without_glusterd_nothing_is_copied(
    tmp_path: Path, glusterd: Path
) -> None:
    assert copy_glusterd_dir(NOW, tmp_path / "nothing") is None
    put(tmp_path / "var/lib/salt-gluster", "no directory")
    with pytest.raises(GlusterError) as failed:
        copy_glusterd_dir(NOW, tmp_path)
    assert failed.value.kind == "no_backup"
