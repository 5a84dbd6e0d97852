"""Where the options of a live mount of GlusterFS differ from those that are wanted.

The kernel's flags stand in mountinfo, and a remount sets them. What ``mount.glusterfs`` gave to the
client process stands in its command line and stays until the next mount.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

#: A flag of mountinfo, and the words that take it away: the kernel keeps the flags for access times
#: unless one of them is given, and ``mount`` adds what the mount has.
_FLAGS = {
    "ro": "rw", "nosuid": "suid", "nodev": "dev", "noexec": "exec", "noatime": "atime,relatime",
    "nodiratime": "diratime,relatime",
}  # fmt: skip
#: Options that ``mount.glusterfs`` hands to the client under the same name.
_OF_CLIENT = frozenset({
    "acl", "attr-times-granularity", "attribute-timeout", "aux-gfid-mount", "background-qlen",
    "congestion-threshold", "direct-io-mode", "enable-ino32", "entry-timeout", "event-history",
    "gid-timeout", "global-threading", "invalidate-limit", "kernel-writeback-cache",
    "localtime-logging", "log-file", "log-level", "lru-limit", "mem-accounting",
    "negative-timeout", "oom-score-adj", "reader-thread-count", "resolve-gids", "selinux",
    "thin-client", "use-readdirp", "volume-name", "worm", "xlator-option",
})  # fmt: skip

Options = Mapping[str, str | bool]


def flags_to_set(wanted: Options, live: str) -> tuple[str, ...]:
    """Return all flags for a remount of a mount that has ``live`` in mountinfo; none = it has them.

    A remount takes the place of every flag, so those that stay are among them.
    """
    has = {flag for flag in _FLAGS if flag in live.split(",")}
    wants = {flag for flag in _FLAGS if wanted.get(flag) is True}
    if has == wants:
        return ()
    return tuple(sorted(wants) + sorted(_FLAGS[flag] for flag in has - wants))


def waiting(wanted: Options, argv: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Return option -> (what the client was started with, what is wanted), where they differ."""
    before, after = _given(argv), {}
    for name, value in wanted.items():
        if name in _OF_CLIENT and value is not False:
            after[name] = "on" if value is True else str(value)
    if "--read-only" in argv and wanted.get("ro") is not True:
        before["ro"] = "on"  # the client itself refuses to write, whatever the kernel's flag says
    return {
        name: (before.get(name, "not set"), after.get(name, "not set"))
        for name in sorted(before.keys() | after.keys())
        if before.get(name, "").lower() != after.get(name, "").lower()
    }


def client_at(mount_point: str, proc: str | Path = "/proc") -> tuple[str, ...]:
    """Return the command line of the client that serves a mount point; nothing where none does."""
    for folder in Path(proc).glob("[0-9]*"):
        try:
            raw = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        argv = raw.decode("utf-8", "surrogateescape").rstrip("\0").split("\0")
        if argv[0].endswith("/glusterfs") and argv[-1].rstrip("/") == mount_point:
            return tuple(argv)
    return ()


def _given(argv: Sequence[str]) -> dict[str, str]:
    given = {}
    for word in argv:
        name, sep, value = word.removeprefix("--").partition("=")
        if word.startswith("--") and name in _OF_CLIENT:
            given[name] = value if sep else "on"
    return given
