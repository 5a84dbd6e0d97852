"""Block devices, on real loop devices: what is refused, and a full round from blank to mounted.

Each test has loop devices of its own and gives them back. This kernel has no device mapper: an LVM
member is a real signature written by hand, an LVM volume above it comes from lsblk's output as its
manual shows it, through the command layer.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import subprocess
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.disks import attach
from salt_gluster import node
from salt_gluster.errors import AlreadyExists, GlusterError, SpecError
from salt_gluster.node import disks

MIB = 1024**2


def run(*argv: str) -> str:
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    env = {**os.environ, "PATH": path}
    return subprocess.run(argv, check=True, capture_output=True, text=True, env=env).stdout.strip()


@dataclass
class Bench:
    """A place with loop devices, links to them as udev would make, and an fstab."""

    home: Path
    loops: list[str]

    @property
    def dev_disk(self) -> Path:
        return self.home / "disk"

    @property
    def fstab(self) -> Path:
        return self.home / "fstab"

    def disk(self, size: int = 600 * MIB, *options: str) -> str:
        """Attach a new sparse disk; return its by-id name."""
        file = self.home / f"disk{len(self.loops)}.img"
        with file.open("wb") as image:
            image.truncate(size)
        self.loops.append(attach(file, *options))
        link = self.dev_disk / "by-id" / f"test-{len(self.loops)}"
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(self.loops[-1])
        return str(link)

    def refused(self, name: str) -> dict[str, str]:
        return {r.name: r.why for r in disks.blank(name, dev_disk=self.dev_disk)}

    def prepare(self, name: str, at: Path, **more: object) -> dict[str, object]:
        places = {"dev_disk": self.dev_disk, "fstab": self.fstab}
        return disks.prepare(name, str(at), **places, **more)  # type: ignore[arg-type]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path, [])
    yield made
    for one in reversed(node.mounts()):
        if one.mount_point.startswith(f"{tmp_path}/"):
            run("umount", one.mount_point)
    for loop in made.loops:
        run("losetup", "-d", loop)


def lvm_member(device: str) -> None:
    """Write the label of an LVM physical volume (label sector 1, CRC with LVM's start value)."""
    body = struct.pack("<I8s", 32, b"LVM2 001") + bytes(32)
    body += bytes(512 - 20 - len(body))
    crc = zlib.crc32(body, 0xF597A6CF ^ 0xFFFFFFFF) ^ 0xFFFFFFFF
    with open(device, "r+b") as disk:  # noqa: PTH123
        disk.seek(512)
        disk.write(struct.pack("<8sQI", b"LABELONE", 1, crc) + body)


# --- refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda d: run("mkfs.ext4", "-q", d), "ext4"),
        (lambda d: run("mkfs.xfs", "-q", d), "xfs"),
        (lambda d: run("mkswap", d), "swap"),
        (lvm_member, "LVM2_member"),
    ],
    ids=["ext4", "xfs", "swap", "lvm"],
)
@pytest.mark.capability(25)
def test_a_device_with_a_signature_is_refused_and_left_as_it_is(
    bench: Bench, make: object, words: str
) -> None:
    name = bench.disk()
    make(bench.loops[0])  # type: ignore[operator]
    before = run("wipefs", "--json", "-n", bench.loops[0])
    assert words in bench.refused(name)["no_signature"]
    with pytest.raises(GlusterError, match=words) as told:
        bench.prepare(name, bench.home / "m")
    assert told.value.kind == "refused"
    assert run("wipefs", "--json", "-n", bench.loops[0]) == before
    assert not bench.fstab.exists()


def test_a_partitioned_device_is_refused_and_so_is_its_partition(bench: Bench) -> None:
    name = bench.disk(600 * MIB, "-P")
    with open(bench.loops[0], "r+b") as disk:  # noqa: PTH123
        disk.write(
            bytes(446) + struct.pack("<8sII", b"\0\0\0\0\x83\0\0\0", 2048, 600 * 2048 - 2048)
        )
        disk.seek(510)
        disk.write(b"\x55\xaa")
    run("addpart", bench.loops[0], "1", "2048", str(600 * 2048 - 2048))  # any kernel can this way
    refused = bench.refused(name)
    assert "dos" in refused["no_partitions"]
    assert f"{Path(bench.loops[0]).name}p1" in refused["no_holder"]
    part = bench.dev_disk / "by-id/test-1-part1"
    part.symlink_to(f"{bench.loops[0]}p1")
    assert "part" in bench.refused(str(part))["whole_disk"]


def test_a_mounted_device_is_refused_also_when_another_namespace_mounts_it(bench: Bench) -> None:
    name = bench.disk()
    run("mkfs.xfs", "-q", bench.loops[0])
    (bench.home / "m").mkdir()
    script = f"mount {bench.loops[0]} {bench.home}/m && echo mounted && read end"
    elsewhere = subprocess.Popen(
        ["unshare", "-m", "sh", "-c", script],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert elsewhere.stdout is not None
        assert elsewhere.stdout.readline() == "mounted\n"
        refused = bench.refused(name)
        assert "not_mounted" not in refused  # nothing here shows it
        assert "held" in refused["not_claimed"]
    finally:
        elsewhere.communicate("\n")
    run("mount", bench.loops[0], str(bench.home / "m"))
    assert str(bench.home / "m") in bench.refused(name)["not_mounted"]


def test_a_device_that_a_process_holds_is_refused_until_it_lets_go(bench: Bench) -> None:
    name = bench.disk()
    with contextlib.ExitStack() as stack:
        holder = os.open(bench.loops[0], os.O_RDWR | os.O_EXCL)
        stack.callback(os.close, holder)
        assert list(bench.refused(name)) == ["not_claimed"]
    assert bench.refused(name) == {}


def test_a_small_and_a_read_only_device_are_refused(bench: Bench) -> None:
    assert list(bench.refused(bench.disk(100 * MIB))) == ["large_enough"]
    assert list(bench.refused(bench.disk(600 * MIB, "-r"))) == ["writable"]


def test_a_kernel_name_is_refused_and_the_name_to_use_is_told(bench: Bench) -> None:
    name = bench.disk()
    with pytest.raises(SpecError, match="next boot") as told:
        bench.prepare(bench.loops[0], bench.home / "m")
    assert name in told.value.hint
    with pytest.raises(SpecError, match="no device") as told:
        bench.prepare("serial:NOSUCH", bench.home / "m")
    assert name in told.value.hint


def test_every_reason_is_told_at_once(bench: Bench) -> None:
    name = bench.disk(100 * MIB)
    run("mkswap", bench.loops[0])
    with pytest.raises(GlusterError) as told:
        bench.prepare(name, bench.home / "m")
    assert "large_enough" in str(told.value)
    assert "no_signature" in str(told.value)


# --- prepared ------------------------------------------------------------------------------------


@pytest.mark.capability(23, 31)
def test_a_blank_device_is_made_mounted_by_uuid_and_the_second_run_changes_nothing(
    bench: Bench,
) -> None:
    name, at = bench.disk(), bench.home / "srv" / "gluster"
    before = {d.path: d for d in disks.devices(dev_disk=bench.dev_disk)}[bench.loops[0]]
    assert (before.names, before.fstype) == ((name,), "")
    predicted = bench.prepare(name, at, test=True)
    assert run("wipefs", "-n", bench.loops[0]) == ""
    assert not at.exists()
    assert bench.prepare(name, at, confirm=name) == predicted != {}
    assert node.is_mounted(str(at)) == (bench.loops[0], "xfs")
    uuid = run("blkid", "-p", "-s", "UUID", "-o", "value", bench.loops[0])
    entry = node.fstab_entry(str(at), bench.fstab)
    assert entry is not None
    assert entry.source == f"UUID={uuid}"
    assert {"noatime", "inode64"} <= set(entry.options.split(","))
    said = run("xfs_info", str(at))
    assert "isize=512" in said
    assert "naming   =version 2              bsize=8192" in said
    text = bench.fstab.read_text()
    assert bench.prepare(name, at) == {}
    assert bench.fstab.read_text() == text


@pytest.mark.capability(23)
def test_what_fstab_says_is_what_a_boot_mounts(bench: Bench) -> None:
    name, at = bench.disk(), bench.home / "m"
    bench.prepare(name, at)
    (at / "data").write_text("kept")
    assert node.unmount(str(at)) is True
    run("mount", "--fstab", str(bench.fstab), str(at))  # as mount -a would
    assert (at / "data").read_text() == "kept"


def test_a_run_that_was_cut_off_after_mkfs_is_finished_by_the_next(bench: Bench) -> None:
    name, at = bench.disk(), bench.home / "m"

    def cut_off(argv: Sequence[str], limit_s: float) -> node.CommandResult:
        if argv[0] == "mount":
            raise KeyboardInterrupt
        return node.run_command(argv, limit_s)

    with pytest.raises(KeyboardInterrupt):
        bench.prepare(name, at, run=cut_off)
    made = run("blkid", "-p", "-s", "UUID", "-o", "value", bench.loops[0])
    assert set(bench.prepare(name, at)) == {"fstab", "mounted"}
    assert run("blkid", "-p", "-s", "UUID", "-o", "value", bench.loops[0]) == made
    assert node.is_mounted(str(at)) is not None


def test_our_own_device_is_not_moved_to_another_mount_point(bench: Bench) -> None:
    name = bench.disk()
    bench.prepare(name, bench.home / "m")
    with pytest.raises(GlusterError) as told:
        bench.prepare(name, bench.home / "elsewhere")
    assert told.value.kind == "refused"


def test_a_second_device_does_not_take_a_mount_point(bench: Bench) -> None:
    first, second = bench.disk(), bench.disk()
    bench.prepare(first, bench.home / "m")
    for test in (True, False):
        with pytest.raises(AlreadyExists):
            bench.prepare(second, bench.home / "m", test=test)
    assert bench.refused(second) == {}


def test_a_wrong_identity_formats_nothing(bench: Bench) -> None:
    name = bench.disk()
    with pytest.raises(SpecError, match="confirm"):
        bench.prepare(name, bench.home / "m", confirm="S3Z8NX0K")
    assert bench.refused(name) == {}


# --- through the command layer -------------------------------------------------------------------

#: The shape of ``lsblk --json -b -O`` for a disk that is an LVM member; keys that are read.
LVM = {
    "blockdevices": [
        {
            "name": "sda", "path": "/dev/sda", "type": "disk", "size": 4000787030016, "ro": False,
            "fstype": "LVM2_member", "label": None, "uuid": "Zb3xqk", "pttype": None, "rota": True,
            "serial": "S3Z8NX0K", "model": "ST4000NM0035", "mountpoints": [None],
            "children": [
                {"name": "vg0-data", "path": "/dev/mapper/vg0-data", "type": "lvm",
                 "size": 3999688294400, "ro": False, "fstype": "xfs", "mountpoints": ["/data"]},
            ],
        },
        {"name": "zram0", "path": "/dev/zram0", "type": "disk", "size": 0, "ro": False},
    ]
}  # fmt: skip


def recorded(argv: Sequence[str], limit_s: float) -> node.CommandResult:
    if argv[0] == "lsblk":
        return node.CommandResult(0, json.dumps(LVM), "")
    if argv[0] == "wipefs":
        return node.CommandResult(0, '{"signatures": [{"device":"sda","type":"LVM2_member"}]}', "")
    raise AssertionError(f"{argv} must not be run")


def test_an_lvm_member_is_found_by_its_serial_and_refused_for_what_lies_on_it(
    tmp_path: Path,
) -> None:
    found = disks.devices(recorded, tmp_path)
    assert [(d.path, d.names) for d in found] == [
        ("/dev/sda", ("serial:S3Z8NX0K",)),
        ("/dev/mapper/vg0-data", ()),
    ]
    refused = {r.name: r.why for r in disks.blank("serial:S3Z8NX0K", recorded, tmp_path)}
    assert "vg0-data" in refused["no_holder"]
    assert "LVM2_member" in refused["no_signature"]


@pytest.mark.parametrize(
    "answer", [node.CommandResult(1, "", "wipefs: error"), node.CommandResult(0, "nonsense", "")]
)
def test_signatures_that_cannot_be_read_are_a_reason_and_not_a_blank_device(
    bench: Bench, answer: node.CommandResult
) -> None:
    name = bench.disk()

    def broken(argv: Sequence[str], limit_s: float) -> node.CommandResult:
        return answer if argv[0] == "wipefs" else node.run_command(argv, limit_s)

    refused = disks.blank(name, broken, bench.dev_disk)
    assert [r.name for r in refused] == ["no_signature"]
