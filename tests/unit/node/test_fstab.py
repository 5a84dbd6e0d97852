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

    def mount(
        self,
        at: str = "",
        *,
        test: bool = False,
        servers: Sequence[str] = ("g1",),
        knows: Any = None,
    ) -> Any:
        return node.mount_glusterfs(
            "v", servers, at or str(self.point), fstab=self.fstab, run=self.run, test=test,
            knows=knows,
        )  # fmt: skip


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
        ["/dev/sdz /{} ext4 defaults 0 0"],
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


def test_a_line_by_a_symlink_of_another_name_is_at_the_same_place(machine: Machine) -> None:
    """`/data -> /mnt/v`: at the next boot both would be mounted, one over the other."""
    machine.point.mkdir()
    link = machine.fstab.parent / "by-another-name"
    link.symlink_to(machine.point)
    text = f"/dev/sdz {link} ext4 defaults 0 0\n"
    machine.fstab.write_text(text)
    for test in (True, False):
        with pytest.raises(AlreadyExists):
            machine.mount(test=test)
    assert (machine.fstab.read_text(), machine.mounted) == (text, {})
    link.unlink()
    link.symlink_to("by-another-name")  # a loop leads nowhere, and ends
    assert machine.mount() != {}


def test_nothing_below_a_network_mount_is_touched(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may hang for ever, and with it whoever only looks for the line of another mount."""
    mounts = importlib.import_module("salt_gluster.node.mounts")
    hung = machine.fstab.parent / "hung"
    hung.mkdir()
    touched: list[str] = []
    monkeypatch.setattr(mounts, "_link", lambda path: touched.append(path))
    table = (node.Mount(str(hung), "fuse.glusterfs", "g1:/v"),)
    assert mounts.mount_point_of(f"{hung}/below/it", table) == f"{hung}/below/it"
    assert touched and not [path for path in touched if path.startswith(str(hung))]


def test_the_volume_of_another_pool_keeps_its_line_and_its_mount(machine: Machine) -> None:
    def knows(host: str) -> bool:
        return host in ("g1", "g2")

    text = f"s1:/v {machine.point} glusterfs _netdev,backup-volfile-servers=s2 0 0\n"
    machine.fstab.write_text(text)
    with pytest.raises(AlreadyExists):
        machine.mount(knows=knows)
    machine.mounted[str(machine.point)] = ("s1:/v", "fuse.glusterfs")
    with pytest.raises(AlreadyExists):
        machine.mount(knows=knows)
    assert machine.fstab.read_text() == text


def test_a_server_that_has_left_makes_no_other_volume_of_it(machine: Machine) -> None:
    """What it mounted stays mounted, and one server that is known makes the line ours."""
    text = f"g9:/v {machine.point} glusterfs _netdev,backup-volfile-servers=g1 0 0\n"
    machine.fstab.write_text(text)
    machine.mounted[str(machine.point)] = ("g9:/v", "fuse.glusterfs")
    assert set(machine.mount(knows=lambda host: host == "g1")) == {"fstab"}
    assert machine.mount(knows=lambda host: host == "g1") == {}


def test_mount_points_of_fstab_are_told_as_the_kernel_tells_them(machine: Machine) -> None:
    """Else a brick below `/srv/disk1/` counts as mounted though its disk is not there."""
    folder = machine.fstab.parent
    (folder / "link").symlink_to(folder)
    machine.fstab.write_text(
        f"a {folder}/m/ xfs defaults 0 0\nb {folder}/link/n xfs defaults 0 0\nc none swap sw 0 0\n"
    )
    mounts = importlib.import_module("salt_gluster.node.mounts")
    assert mounts.fstab_mount_points(machine.fstab) == (f"{folder}/m", f"{folder}/n")
