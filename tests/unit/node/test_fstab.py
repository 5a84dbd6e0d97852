"""What a mount leaves in fstab: nothing before it is there, and never what is another's."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from salt_gluster import node
from salt_gluster.errors import AlreadyExists, CommandFailed, GlusterError, SpecError
from salt_gluster.node.command import CommandResult


class Machine:
    """A machine whose mounts are in memory."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fstab, self.point = folder / "fstab", folder / "m"
        self.mounted: dict[str, tuple[str, str]] = {}
        self.fails = False
        mounts = importlib.import_module("salt_gluster.node.mounts")
        monkeypatch.setattr(mounts, "is_mounted", self.mounted.get)
        monkeypatch.setattr(mounts, "mount_state", lambda at: "ok" if at in self.mounted else "")

    def run(self, argv: Sequence[str], limit_s: float) -> CommandResult:
        assert argv[0] == "mount"
        if self.fails:
            return CommandResult(32, "", "Mounting glusterfs failed")
        self.mounted[argv[-1]] = (argv[-2], "fuse.glusterfs")
        return CommandResult(0, "", "")

    def mount(self, at: str = "", *, test: bool = False, servers: Sequence[str] = ("g1",)) -> Any:
        return node.mount_glusterfs(
            "v", servers, at or str(self.point), fstab=self.fstab, run=self.run, test=test
        )


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_a_mount_that_fails_leaves_no_line(machine: Machine) -> None:
    machine.fails = True
    with pytest.raises(CommandFailed):
        machine.mount()
    assert not machine.fstab.exists()


def test_a_directory_with_files_is_protected_at_the_next_boot_too(machine: Machine) -> None:
    machine.point.mkdir()
    (machine.point / "precious").touch()
    for test in (True, False):
        with pytest.raises(AlreadyExists, match="holds files"):
            machine.mount(test=test)
    assert not machine.fstab.exists()


@pytest.mark.parametrize(
    "lines",
    [
        ["/dev/sdz {} ext4 defaults 0 0"],
        ["g1:/v {} glusterfs _netdev 0 0", "/dev/sdz {} ext4 defaults 0 0"],
        ["/dev/sdz {} ext4 defaults 0 0", "g1:/v {} glusterfs _netdev 0 0"],
        ["/dev/sdz {}/ ext4 defaults 0 0"],
        ["g1:/other {} glusterfs _netdev 0 0"],
        ["g1:/v {} nfs defaults 0 0"],
    ],
)
def test_a_line_of_another_source_refuses_and_stays(machine: Machine, lines: list[str]) -> None:
    text = "\n".join(line.format(machine.point) for line in lines) + "\n"
    machine.fstab.write_text(text)
    for test in (True, False):
        with pytest.raises(AlreadyExists):
            machine.mount(test=test)
    assert (machine.fstab.read_text(), machine.mounted) == (text, {})


def test_two_lines_of_the_same_volume_become_one(machine: Machine) -> None:
    line = f"g9:/v {machine.point} glusterfs _netdev 0 0\n"
    machine.fstab.write_text(line + line)
    assert machine.mount(test=True)["fstab"] == machine.mount()["fstab"]
    assert machine.fstab.read_text() == f"g1:/v {machine.point} glusterfs _netdev 0 0\n"


@pytest.mark.parametrize("spelling", ["{}/", "{}//", "{0}/../m", "link"])
def test_a_mount_point_in_another_spelling_is_the_same(machine: Machine, spelling: str) -> None:
    machine.mount()
    if spelling == "link":
        (machine.fstab.parent / "link").symlink_to(machine.fstab.parent)
        spelling = str(machine.fstab.parent / "link" / "m")
    assert machine.mount(spelling.format(machine.point)) == {}
    assert len(machine.fstab.read_text().splitlines()) == 1


def test_a_first_mount_below_a_symlink_is_found_afterwards(machine: Machine) -> None:
    (machine.fstab.parent / "link").symlink_to(machine.fstab.parent)
    at = str(machine.fstab.parent / "link" / "m")
    assert machine.mount(at, test=True) == machine.mount(at) != {}
    assert machine.mount(at) == {}


def test_only_the_line_changes_where_only_servers_do(machine: Machine) -> None:
    machine.mount()
    assert set(machine.mount(servers=("g2", "g1"))) == {"fstab"}


def test_what_stands_there_unreadable_is_no_mount(machine: Machine) -> None:
    machine.mounted[str(machine.point)] = ("/dev/sdz", "ext4")
    with pytest.raises(GlusterError, match="is mounted at"):
        machine.mount()


def test_a_line_is_never_longer_than_what_is_read_of_one(machine: Machine) -> None:
    """What `getmntent` cuts off would be options, or the end of the last server's name."""
    servers = [f"storage-node-{n:03}.rack.example.org" for n in range(200)]
    machine.mount(servers=servers)
    (line,) = machine.fstab.read_text().splitlines()
    assert len(line) < 4_000 and ":storage-node-020." in line
    assert line.split()[3].rpartition(":")[2] in servers
    assert machine.mount(servers=servers) == {}


def test_a_server_whose_name_the_helper_leaves_out_is_not_the_first(machine: Machine) -> None:
    long = ".".join(["a" * 40] * 2)
    machine.mount(servers=[long, "g2", "g3"])
    assert machine.fstab.read_text().startswith("g2:/v ") and long not in machine.fstab.read_text()
    for test in (True, False):
        with pytest.raises(SpecError, match="more than 63"):
            machine.mount("/mnt/other", servers=[long], test=test)
