"""The module ``gluster_brick`` through Salt's own loader, on real directories and a loop device."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from needs import needs
from salt.exceptions import CommandExecutionError

from lab import LabError
from lab.disks import attach

pytestmark = pytest.mark.usefixtures("root")


@pytest.fixture
def brick(loaders: Any) -> Any:
    """The loaded module."""
    return loaders.modules.gluster_brick


@pytest.fixture
def own_mount() -> Iterator[Path]:
    """A directory on a file system that is not the root's."""
    needs("" if os.path.ismount("/dev/shm") else "a mount at /dev/shm")
    folder = Path("/dev/shm") / f"sg-brick-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    yield folder
    subprocess.run(["rm", "-r", str(folder)], check=True)


@pytest.fixture
def blank_disk(tmp_path: Path) -> Iterator[str]:
    """A blank loop device, by its kernel name."""
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(600 * 1024**2)
    try:
        loop = attach(image)
    except LabError as err:
        needs(f"a loop device: {err}")
    yield loop
    subprocess.run(["losetup", "-d", loop], check=True)


@pytest.mark.capability(37, 161)
def test_test_mode_predicts_what_the_run_does_and_the_second_run_changes_nothing(
    brick: Any, own_mount: Path
) -> None:
    path = str(own_mount / "data/1")
    predicted = brick.prepare(path=path, test=True)
    assert predicted == {"changes": {"brick": {"old": None, "new": path}}, "test": True}
    assert not Path(path).exists()
    assert brick.prepare(path=path) == {"changes": predicted["changes"], "test": False}
    assert brick.prepare(path=path)["changes"] == {}
    told = brick.info(path)
    assert (told["path"], told["foreign"], told["fstype"]) == (path, [], "tmpfs")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "give a path"),
        ({"path": "/b/with blank"}, "blank"),
        ({"path": "relative"}, "absolute"),
        ({"device": "serial:X"}, "belong together"),
        ({"device": "serial:NO SUCH", "mount": "/mnt/x"}, "no device"),
        ({"device": "serial:X", "mount": "/mnt/../x"}, "Write /x"),
    ],
)
def test_bad_arguments_are_salts_errors_and_name_the_fix(
    brick: Any, arguments: dict[str, str], words: str
) -> None:
    with pytest.raises(CommandExecutionError, match=words):
        brick.prepare(**arguments)


def test_a_kernel_name_is_refused_and_the_device_stays_blank(brick: Any, blank_disk: str) -> None:
    with pytest.raises(CommandExecutionError, match="next boot"):
        brick.prepare(device=blank_disk, mount="/mnt/x")
    seen = {row["path"]: row for row in brick.devices()}[blank_disk]
    assert (seen["fstype"], seen["not_blank"]) == ("", [])


def test_a_mount_point_without_a_line_in_fstab_is_an_error(brick: Any) -> None:
    with pytest.raises(CommandExecutionError, match="fstab has no line"):
        brick.mount("/srv/no/such/mount")
