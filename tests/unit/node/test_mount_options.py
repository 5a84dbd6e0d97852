"""Options of a live mount against those that are wanted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from salt_gluster.node import mount_options

#: As mount.glusterfs 10.3 starts a client.
ARGV = (
    "/usr/sbin/glusterfs", "--acl", "--log-level=WARNING", "--process-name", "fuse",
    "--volfile-server=g1", "--volfile-id=/data", "--fuse-mountopts=noatime", "/mnt/data",
)  # fmt: skip
AS_STARTED: dict[str, str | bool] = {"acl": True, "log-level": "warning", "noatime": True}


@pytest.mark.parametrize(
    ("wanted", "live", "flags"),
    [
        ({}, "rw,relatime", ()),
        ({"acl": True, "log-level": "INFO"}, "rw,relatime", ()),
        ({"ro": True}, "rw,relatime", ("ro",)),
        ({}, "ro,relatime", ("rw",)),
        (
            {"nosuid": True, "noexec": True},
            "rw,nosuid,noatime",
            ("noexec", "nosuid", "atime,relatime"),
        ),
        ({"nosuid": False}, "rw,nosuid", ("suid",)),
        ({"noatime": True}, "rw,noatime", ()),
    ],
)
def test_a_remount_has_every_flag_that_stays(
    wanted: Any, live: str, flags: tuple[str, ...]
) -> None:
    assert mount_options.flags_to_set(wanted, live) == flags


def test_what_the_client_was_started_with_waits_for_nothing() -> None:
    assert mount_options.waiting(AS_STARTED, ARGV) == {}
    assert mount_options.waiting({**AS_STARTED, "_netdev": True, "x-systemd.y": "z"}, ARGV) == {}


@pytest.mark.parametrize(
    ("change", "waits"),
    [
        ({"log-level": "ERROR"}, {"log-level": ("WARNING", "ERROR")}),
        ({"acl": False}, {"acl": ("on", "not set")}),
        ({"entry-timeout": "3"}, {"entry-timeout": ("not set", "3")}),
    ],
)
def test_what_a_remount_cannot_do_is_named(change: Any, waits: Any) -> None:
    assert mount_options.waiting({**AS_STARTED, **change}, ARGV) == waits


def test_a_client_that_was_started_to_read_writes_after_the_next_mount_only() -> None:
    argv = (*ARGV[:-1], "--read-only", ARGV[-1])
    assert mount_options.waiting(AS_STARTED, argv) == {"ro": ("on", "not set")}
    assert mount_options.waiting({**AS_STARTED, "ro": True}, argv) == {}


def test_the_client_of_a_mount_point_is_found_by_its_last_word(tmp_path: Path) -> None:
    for pid, argv in {"12": ARGV, "13": ("vi", "/mnt/data"), "self": ARGV}.items():
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "cmdline").write_bytes("\0".join(argv).encode() + b"\0")
    (tmp_path / "14").mkdir()
    assert mount_options.client_at("/mnt/data", tmp_path) == ARGV
    assert mount_options.client_at("/mnt", tmp_path) == ()
