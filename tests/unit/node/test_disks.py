"""A device is written to only when nothing at all says that it may hold something."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from salt_gluster.errors import AlreadyExists, CommandFailed, GlusterError, SpecError
from salt_gluster.node import CommandResult, disks
from salt_gluster.node.disks import SMALLEST, Device, blank, find, label_for, prepare
from salt_gluster.render import state_error

GOOD = Device("/dev/sdb", SMALLEST, "disk", "S1", "disk", ("serial:S1", "/dev/disk/by-id/a"))
MOUNT = "/srv/gluster"


class Machine:
    """What the programs of a node print about its one blank disk; ``row`` is lsblk's."""

    def __init__(self, folder: Path) -> None:
        self.row: dict[str, Any] = {
            "name": "sdb", "path": str(folder / "sdb"), "size": SMALLEST, "type": "disk",
            "serial": "S1", "ro": False, "rota": True, "mountpoints": [None],
        }  # fmt: skip
        (folder / "sdb").write_bytes(b"")
        self.others: list[dict[str, Any]] = []
        self.signatures: list[str] = []
        self.wipefs_rc = self.mkfs_rc = 0
        self.probed = ""
        self.made = False
        self.silent = False
        self.ran: list[list[str]] = []
        self.fstab = folder / "fstab"
        self.fstab.write_text("")
        self.dev_disk = folder / "disk"

    def run(self, argv: list[str], limit_s: float) -> CommandResult:
        self.ran.append(argv)
        out, rc = "", 0
        if argv[0] == "lsblk":
            out = json.dumps({"blockdevices": [self.row, *self.others]})
        elif argv[0] == "wipefs":
            rows = [{"type": kind} for kind in self.signatures]
            out, rc = json.dumps({"signatures": rows} if rows else {}), self.wipefs_rc
        elif argv[0] == "mkfs.xfs":
            rc, self.made = self.mkfs_rc, self.mkfs_rc == 0 and not self.silent
        elif argv[0] == "blkid":
            out = "TYPE=xfs\nUUID=u-new\n" if self.made else self.probed
        return CommandResult(rc, out, "") if rc == 0 else CommandResult(rc, "", "no")

    def prepare(self, device: str = "serial:S1", mount: str = MOUNT, **more: Any) -> dict[str, Any]:
        return prepare(
            device,
            mount,
            run=self.run,
            dev_disk=self.dev_disk,
            fstab=self.fstab,
            **more,  # type: ignore[arg-type]
        )

    @property
    def wrote(self) -> bool:
        programs = {argv[0] for argv in self.ran}
        return bool(programs & {"mkfs.xfs", "mount"}) or self.fstab.read_text() != ""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(tmp_path)
    machine.mounted = None  # type: ignore[attr-defined]
    monkeypatch.setattr(disks, "is_mounted", lambda point: machine.mounted)  # type: ignore[attr-defined]

    def mount(entry: Any, *, run: Any, test: bool = False) -> dict[str, Any]:
        if not test:
            run(["mount", entry.mount_point], 1.0)
        return {"mounted": {"old": None, "new": entry.mount_point}}

    monkeypatch.setattr(disks, "mount_entry", mount)
    return machine


def quiet(argv: Any, limit_s: float) -> CommandResult:
    return CommandResult(0, "{}", "")


def opened(monkeypatch: pytest.MonkeyPatch, problem: OSError | None) -> None:
    def open_(path: Any, flags: int, *args: Any) -> int:
        if problem is not None:
            raise problem
        assert flags & disks.os.O_EXCL
        return 99

    monkeypatch.setattr(disks.os, "open", open_)
    monkeypatch.setattr(disks.os, "close", lambda handle: None)


NOT_BLANK = {
    "a partition": ({"kind": "part"}, "whole_disk"),
    "a RAID": ({"kind": "raid1"}, "whole_disk"),
    "a cdrom": ({"kind": "rom"}, "whole_disk"),
    "one byte too small": ({"size": SMALLEST - 1}, "large_enough"),
    "read-only": ({"read_only": True}, "writable"),
    "a partition table": ({"partition_table": "gpt"}, "no_partitions"),
    "LVM on it": ({"below": ("vg-data",)}, "no_holder"),
    "mounted": ({"mount_points": ("/home",)}, "not_mounted"),
    "swap": ({"mount_points": ("[SWAP]",)}, "not_mounted"),
    "a file system that only lsblk sees": ({"fstype": "ext4"}, "no_signature"),
}


def test_a_whole_empty_disk_is_blank(monkeypatch: pytest.MonkeyPatch) -> None:
    opened(monkeypatch, None)
    assert blank(GOOD, quiet) == ()
    assert blank(replace(GOOD, kind="loop"), quiet) == ()


@pytest.mark.parametrize("name", NOT_BLANK)
def test_one_sign_of_use_is_enough(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened(monkeypatch, None)
    changed, reason = NOT_BLANK[name]
    assert [r.name for r in blank(replace(GOOD, **changed), quiet)] == [reason]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rc", "out"),
    [
        (0, '{"signatures": [{"type": "xfs"}]}'),
        (1, ""),
        (0, "no JSON"),
        (0, '{"signatures": [{}]}'),
        (0, "[]"),
    ],
)
def test_a_signature_and_one_that_cannot_be_read_refuse(
    rc: int, out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(monkeypatch, None)
    said = blank(GOOD, lambda argv, limit_s: CommandResult(rc, out, "x"))
    assert [r.name for r in said] == ["no_signature"]


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EACCES, errno.ENXIO])
def test_a_device_that_cannot_be_had_alone_refuses(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(monkeypatch, OSError(number, "x"))
    assert [r.name for r in blank(GOOD, quiet)] == ["not_claimed"]


# --- the right device ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["/dev/sdb", "sdb", "serial:", "serial:S2", ""])
def test_a_name_that_moves_or_names_none_is_refused(machine: Machine, name: str) -> None:
    with pytest.raises(SpecError):
        find(name, machine.run, machine.dev_disk)  # type: ignore[arg-type]


@pytest.mark.parametrize("serial", [None, "", "  "])
def test_a_disk_without_a_serial_has_no_name_of_that_kind(machine: Machine, serial: Any) -> None:
    machine.row["serial"] = serial
    with pytest.raises(SpecError):
        machine.prepare("serial:")
    assert not machine.wrote


def test_the_kernels_own_name_is_refused_with_those_that_stay(machine: Machine) -> None:
    """``/dev/sdb`` may be another disk after the next boot, though it is this one now."""
    link = machine.dev_disk / "by-id" / "wwn-1"
    link.parent.mkdir(parents=True)
    link.symlink_to(machine.row["path"])
    with pytest.raises(SpecError) as refused:
        machine.prepare(machine.row["path"])
    assert "serial:S1" in str(refused.value.hint) and str(link) in str(refused.value.hint)
    assert not machine.wrote
    assert find(str(link), machine.run, machine.dev_disk).serial == "S1"  # type: ignore[arg-type]
    with pytest.raises(SpecError):
        find(str(link) + "-part1", machine.run, machine.dev_disk)  # type: ignore[arg-type]


def test_two_disks_of_one_serial_are_not_guessed(machine: Machine) -> None:
    machine.others = [{**machine.row, "name": "sdc", "path": "/dev/sdc"}]
    with pytest.raises(SpecError, match="several"):
        machine.prepare()
    assert not machine.wrote


def test_a_partition_does_not_inherit_the_disks_serial(machine: Machine) -> None:
    machine.row["type"] = "part"
    with pytest.raises(SpecError):
        machine.prepare()


# --- preparing -----------------------------------------------------------------------------------


def test_a_blank_disk_gets_xfs_by_its_uuid_and_is_mounted(machine: Machine) -> None:
    assert set(machine.prepare()) == {"filesystem", "fstab", "mounted"}
    assert "UUID=u-new" in machine.fstab.read_text()
    (made,) = [argv for argv in machine.ran if argv[0] == "mkfs.xfs"]
    assert "-f" not in made and label_for(MOUNT) in made and made[-1] == machine.row["path"]


def test_in_test_mode_the_same_is_said_and_nothing_is_written(machine: Machine) -> None:
    told = machine.prepare(test=True)
    assert not machine.wrote
    assert machine.prepare() == told


@pytest.mark.parametrize("confirm", ["S1", "serial:S1"])
def test_the_serial_or_a_stable_name_confirms(machine: Machine, confirm: str) -> None:
    assert machine.prepare(confirm=confirm)


@pytest.mark.parametrize("confirm", ["", "S2", "yes", "sdb", "/dev/sdb", "s1"])
def test_no_other_word_confirms(machine: Machine, confirm: str) -> None:
    with pytest.raises(SpecError, match="confirm"):
        machine.prepare(confirm=confirm)
    assert not machine.wrote


USED: dict[str, Callable[[Machine], object]] = {
    "a signature": lambda m: m.signatures.append("ext4"),
    "wipefs fails": lambda m: setattr(m, "wipefs_rc", 1),
    "an XFS of somebody": lambda m: m.row.update(fstype="xfs", label="home", uuid="u"),
    "our XFS of another mount point": lambda m: m.row.update(
        fstype="xfs", label=label_for("/srv/other"), uuid="u"
    ),
    "our label on another file system": lambda m: m.row.update(
        fstype="ext4", label=label_for(MOUNT), uuid="u"
    ),
    "our XFS, mounted elsewhere": lambda m: m.row.update(
        fstype="xfs", label=label_for(MOUNT), uuid="u", mountpoints=["/mnt"]
    ),
    "mounted": lambda m: m.row.update(mountpoints=["/home"]),
    "mounted, told the old way": lambda m: (
        m.row.pop("mountpoints"), m.row.update(mountpoint="/home"),
    ),
    "partitions below it": lambda m: m.row.update(children=[{"name": "sdb1", "size": 1}]),
    "a partition table": lambda m: m.row.update(pttype="dos"),
    "a file system that only the device itself tells": lambda m: setattr(
        m, "probed", "TYPE=LVM2_member\n"
    ),
    "read-only": lambda m: m.row.update(ro=True),
}  # fmt: skip


@pytest.mark.parametrize("name", USED)
def test_a_disk_that_may_hold_something_is_never_formatted(machine: Machine, name: str) -> None:
    USED[name](machine)
    with pytest.raises(GlusterError) as refused:
        machine.prepare(confirm="S1")
    assert refused.value.kind == "refused"
    assert not machine.wrote


def test_a_mount_point_in_use_is_not_covered(machine: Machine) -> None:
    machine.mounted = ("/dev/sdz", MOUNT)  # type: ignore[attr-defined]
    with pytest.raises(AlreadyExists):
        machine.prepare()
    assert not machine.wrote


def test_a_mount_point_that_fstab_gives_to_another_is_not_taken(machine: Machine) -> None:
    line = f"UUID=other {MOUNT} ext4 defaults 0 0\n"
    machine.fstab.write_text(line)
    with pytest.raises(AlreadyExists):
        machine.prepare()
    assert machine.fstab.read_text() == line


def test_our_own_xfs_is_mounted_and_not_made_again(machine: Machine) -> None:
    machine.row.update(fstype="xfs", label=label_for(MOUNT), uuid="u-old")
    assert "filesystem" not in machine.prepare()
    assert "UUID=u-old" in machine.fstab.read_text()
    assert "mkfs.xfs" not in {argv[0] for argv in machine.ran}


@pytest.mark.parametrize("fault", ["mkfs_rc", "silent"])
def test_a_file_system_that_is_not_there_after_mkfs_is_not_mounted(
    machine: Machine, fault: str
) -> None:
    setattr(machine, fault, 1)
    with pytest.raises(CommandFailed):
        machine.prepare()
    assert machine.fstab.read_text() == ""
    assert "mount" not in {argv[0] for argv in machine.ran}


def test_a_mount_that_fails_after_mkfs_tells_what_was_made(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, test: bool = False, **__: Any) -> dict[str, Any]:
        if test:
            return {}
        raise CommandFailed("mounting failed", kind="system_command")

    monkeypatch.setattr(disks, "mount_entry", refuse)
    with pytest.raises(CommandFailed) as told:
        machine.prepare()
    assert list(told.value.changed) == ["filesystem"] and machine.fstab.read_text() == ""
    ret = state_error("disk sdb", told.value)
    assert "filesystem" in str(ret["changes"])
    assert ret["comment"].startswith("FAILED, half-way: see the changes.")


def test_a_disk_is_mounted_where_a_symlink_leads(machine: Machine, tmp_path: Path) -> None:
    """The kernel tells that name only: by the other one it would never be found mounted."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    wanted = str(tmp_path / "real" / "disk1")
    done = machine.prepare(mount=str(tmp_path / "link" / "disk1"))
    assert done["mounted"]["new"] == wanted
    assert machine.fstab.read_text().split()[1] == wanted
    machine.row.update(
        fstype="xfs", label=label_for(str(tmp_path / "link" / "disk1")), uuid="u-new",
        mountpoints=[wanted],
    )  # fmt: skip
    machine.mounted = (machine.row["path"], "xfs")  # type: ignore[attr-defined]
    assert "fstab" not in machine.prepare(mount=str(tmp_path / "link" / "disk1"))
