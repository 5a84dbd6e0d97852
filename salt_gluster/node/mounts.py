"""Mounts of this node: mountinfo, fstab, mounting a brick or a volume, and whether a mount answers.

A mount that may hang is only ever touched by a child process with a limit.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from salt_gluster.errors import AlreadyExists, CommandFailed, GlusterError, SpecError
from salt_gluster.node import mount_options
from salt_gluster.node.command import Run, checked, run_command
from salt_gluster.node.files import write_atomically

FSTAB = "/etc/fstab"
#: File systems whose server may be away, so that a look into them may never return.
NETWORK_TYPES = frozenset({"fuse.glusterfs", "glusterfs", "nfs", "nfs4", "cifs", "ceph"})
MOUNT_LIMIT_S = 60.0
#: As many symlinks as the kernel follows in one path.
MOST_LINKS = 40
#: A server with a longer name is left out by mount.glusterfs without a word.
MOST_HOST = 63
#: glibc's ``getmntent`` cuts a line of fstab at 4,095 characters, and what is cut off is not told.
MOST_LINE = 4_000
MOST_BACKUPS = 2_000
#: Options of mount.glusterfs that name other servers, separated by colons.
_BACKUPS = ("backup-volfile-servers", "backup-volfile-server")


# --- mountinfo -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mount:
    """One line of mountinfo, octal escapes undone; ``device`` is its ``major:minor``."""

    mount_point: str
    fstype: str
    source: str
    options: str = ""
    device: str = ""


def mounts(text: str | None = None) -> tuple[Mount, ...]:
    """Return this namespace's mounts in the kernel's order; a later one covers an earlier one."""
    if text is None:
        raw = Path("/proc/self/mountinfo").read_bytes()
        text = raw.decode("utf-8", "surrogateescape")
    table = []
    for line in text.splitlines():
        # id parent major:minor root MOUNT_POINT options [tags…] - FSTYPE SOURCE super-options
        left, _, right = line.partition(" - ")
        head, tail = left.split(" "), right.split(" ")
        if len(head) >= 6 and len(tail) >= 3:
            point, source = _unescaped(head[4]), _unescaped(tail[1])
            table.append(Mount(point, tail[0], source, head[5], head[2]))
    return tuple(table)


def mount_of(path: str, table: Sequence[Mount] | None = None) -> Mount:
    """Return the mount that ``path`` lies on by its words; symlinks are the caller's matter."""
    best = Mount("/", "unknown", "")
    for row in mounts() if table is None else table:
        point = row.mount_point
        inside = point == "/" or path == point or path.startswith(point + "/")
        if inside and len(point) >= len(best.mount_point):  # equal: the later covers the earlier
            best = row
    return best


def is_mounted(path: str) -> tuple[str, str] | None:
    """Return (source, file system type) of what is mounted exactly at ``path``."""
    for row in reversed(mounts()):
        if row.mount_point == path:
            return row.source, row.fstype
    return None


def mount_state(path: str, limit_s: float = 5) -> str:
    """Return ``absent``, ``ok``, ``stale`` or ``hung`` for the mount at ``path``.

    ``stale``: its FUSE process is gone ("Transport endpoint is not connected", or an I/O error).
    ``hung``: no answer to a stat within ``limit_s``. The child that asks is left behind then: it
    cannot be killed before the server answers.
    """
    if is_mounted(path) is None:
        return "absent"
    ask = "import os,sys; os.stat(sys.argv[1]); os.statvfs(sys.argv[1])"
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", ask, path],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        return "ok" if child.wait(limit_s) == 0 else "stale"
    except subprocess.TimeoutExpired:
        child.kill()
        return "hung"


# --- fstab ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FstabEntry:
    """One mount of fstab. Bricks and volumes are not dumped and not checked at boot: ``0 0``."""

    source: str
    mount_point: str
    fstype: str
    options: str = "defaults"

    @property
    def line(self) -> str:
        """Return the line as it stands in the file."""
        words = (self.source, self.mount_point, self.fstype, self.options)
        return " ".join(_escaped(word) for word in words) + " 0 0"


def fstab_entry(mount_point: str, fstab: str | Path = FSTAB) -> FstabEntry | None:
    """Return the entry for ``mount_point``, the last one where there are several."""
    found = [_entry(line) for line in _lines(Path(fstab)) if _is_at(line, mount_point)]
    return found[-1] if found else None


def mount_point_of(path: str, table: Sequence[Mount] | None = None) -> str:
    """Return a directory as mountinfo names it once something is mounted there.

    Symlinks are followed, but what is, or lies on, a network mount is not touched: it could hang.
    """
    types = {row.mount_point: row.fstype for row in (mounts() if table is None else table)}
    words, at, links = _words(os.path.normpath(path)), "", 0
    while words:
        here = f"{at}/{words[0]}"
        if types.get(here) in NETWORK_TYPES:
            return "/".join((at, *words))
        target = None if here in types or links >= MOST_LINKS else _link(here)
        if target is None:
            at = os.path.normpath(here).rstrip("/")
            del words[0]
            continue
        words, links = [*_words(target), *words[1:]], links + 1
        at = "" if target.startswith("/") else at
    return at or "/"


def _link(path: str) -> str | None:
    """Return where a symlink leads; None = it is none, or cannot be read."""
    try:
        return str(Path(path).readlink())
    except OSError:
        return None


def _words(path: str) -> list[str]:
    return [word for word in path.split("/") if word]


def fstab_mount_points(fstab: str | Path = FSTAB) -> tuple[str, ...]:
    """Return every mount point that fstab names, as mountinfo would name it."""
    table = mounts()
    entries = (_entry(line) for line in _lines(Path(fstab)))
    return tuple(
        mount_point_of(entry.mount_point, table)
        for entry in entries
        if entry and entry.mount_point.startswith("/")
    )


def write_fstab(
    entry: FstabEntry,
    fstab: str | Path = FSTAB,
    *,
    ours: Callable[[FstabEntry], bool] | None = None,
    test: bool = False,
) -> dict[str, Any]:
    """Make ``entry`` the one entry of its mount point; return the change, ``{}`` where it stood.

    All other lines stay as they are, comments and order too. ``ours`` tells which entries of the
    mount point it may replace, those of the same source if not given; any other raises
    ``AlreadyExists``: what it mounts would be lost at the next boot.
    """
    for word in (entry.source, entry.mount_point, entry.fstype, entry.options):
        if not word or "\n" in word:
            raise SpecError("fstab", f"{word!r} cannot stand in a line of fstab")
    before = _lines(Path(fstab))
    mine = [i for i, line in enumerate(before) if _is_at(line, entry.mount_point)]
    old = [before[i] for i in mine]
    if [_entry(line) for line in old] == [entry]:
        return {}
    is_ours = ours or (lambda one: one.source == entry.source)
    others = [e for e in map(_entry, old) if e and not is_ours(e)]
    if others:
        raise AlreadyExists(
            f"{fstab} mounts {others[0].source} at {entry.mount_point}",
            kind="mount_point_taken",
            hint="Choose another mount point, or take that line out if it is not needed.",
        )
    after = [line for i, line in enumerate(before) if i not in mine[1:]]
    if mine:
        after[mine[0]] = entry.line
    else:
        after.append(entry.line)
    if not test:
        write_atomically(Path(fstab), "\n".join(after) + "\n", 0o644, keep=True)
        _tell_systemd()
    return {"old": "; ".join(old) or None, "new": entry.line}


def _lines(fstab: Path) -> list[str]:
    try:
        text = fstab.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return []
    return text.split("\n")[:-1] if text.endswith("\n") else text.split("\n")


def _entry(line: str) -> FstabEntry | None:
    words = line.split()
    if len(words) < 3 or words[0].startswith("#"):
        return None
    options = words[3] if len(words) > 3 else "defaults"
    return FstabEntry(*(_unescaped(word) for word in (*words[:3], options)))


def _is_at(line: str, mount_point: str) -> bool:
    """Whether a line mounts something there, however its mount point is written."""
    entry = _entry(line)
    if entry is None or not entry.mount_point.startswith("/"):
        return False
    return mount_point in (entry.mount_point, mount_point_of(entry.mount_point))


def _escaped(word: str) -> str:
    return re.sub(r"[ \t\\]", lambda m: f"\\{ord(m.group()):03o}", word)


def _unescaped(word: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda m: chr(int(m.group(1), 8)), word)


def _tell_systemd() -> None:
    """Reload systemd, if it runs: it unmounts what an old unit made of fstab says is gone."""
    if Path("/run/systemd/system").is_dir():
        with contextlib.suppress(GlusterError):
            run_command(["systemctl", "daemon-reload"], 30)


# --- mounting ------------------------------------------------------------------------------------


def mount(entry: FstabEntry, *, run: Run = run_command, test: bool = False) -> dict[str, Any]:
    """Mount ``entry`` and make its directory; return the changes, ``{}`` where it is mounted.

    Raises ``AlreadyExists`` when something of another type is mounted there, and when the
    directory holds files, which the mount would hide.
    """
    entry = replace(entry, mount_point=mount_point_of(entry.mount_point))
    mounted = is_mounted(entry.mount_point)
    if mounted is not None:
        if mounted[1] not in (entry.fstype, f"fuse.{entry.fstype}"):
            raise AlreadyExists(
                f"{mounted[0]} ({mounted[1]}) is mounted at {entry.mount_point}",
                kind="mount_point_taken",
                hint="Unmount it, or choose another mount point.",
            )
        return {}
    point = Path(entry.mount_point)
    changes: dict[str, Any] = {"mounted": {"old": None, "new": entry.mount_point}}
    if not point.is_dir():
        changes["directory"] = {"old": None, "new": entry.mount_point}
    elif any(os.scandir(point)):
        raise AlreadyExists(
            f"the directory {point} holds files that the mount would hide",
            kind="mount_point_not_empty",
            hint="Move them away, or choose another mount point.",
        )
    if test:
        return changes
    had_directory = point.is_dir()
    point.mkdir(parents=True, exist_ok=True)
    argv = ["mount", "-t", entry.fstype, "-o", entry.options, entry.source, entry.mount_point]
    try:
        checked(run, argv, MOUNT_LIMIT_S, f"mounting {entry.source} at {entry.mount_point}")
    except GlusterError:
        if not had_directory:
            with contextlib.suppress(OSError):
                point.rmdir()
        raise
    if is_mounted(entry.mount_point) is None:  # mount.glusterfs returns before the mount is proven
        raise CommandFailed(
            f"{entry.source} is not mounted at {entry.mount_point}, though mount said nothing",
            kind="mount_failed",
            hint="Look into /var/log/glusterfs/ and the kernel's log.",
            argv=argv,
        )
    return changes


def unmount(path: str, *, lazy: bool = False, run: Run = run_command) -> bool:
    """Unmount ``path``; return whether it was mounted. ``lazy`` is for a stale mount only."""
    if is_mounted(path) is None:
        return False
    argv = ["umount", *(["-l"] if lazy else []), path]
    checked(run, argv, MOUNT_LIMIT_S, f"unmounting {path}", "See what uses it: fuser -vm PATH.")
    return True


def mount_glusterfs(
    volume: str,
    servers: Sequence[str],
    at: str,
    options: Mapping[str, str | bool] | None = None,
    *,
    knows: Callable[[str], bool] | None = None,
    fstab: str | Path = FSTAB,
    run: Run = run_command,
    test: bool = False,
) -> dict[str, Any]:
    """Mount ``volume`` at ``at`` now and at every boot; return ``{key: {old, new}}`` changes.

    The first server gives the volume file, the others stand in for it
    (``backup-volfile-servers``). A stale mount of the same volume is taken off and mounted again;
    a hung one is an error: no one can tell whether its users still wait. ``knows`` tells whether a
    host is one of the volume's pool: another pool may have a volume of the same name.
    """
    at = mount_point_of(at)
    entry = _glusterfs_entry(volume, servers, at, options or {})
    changes: dict[str, Any] = {}
    ours = partial(_is_of, volume, knows or (lambda host: True))
    state = mount_state(at)
    mounted = is_mounted(at)
    if mounted is not None and not _mounts_ours(mounted, entry, ours, fstab_entry(at, fstab)):
        raise AlreadyExists(
            f"{mounted[0]} ({mounted[1]}) is mounted at {at}",
            kind="mount_point_taken",
            hint="Unmount it, or choose another mount point.",
        )
    if state == "hung":
        raise GlusterError(
            f"the mount of {volume} at {at} does not answer",
            kind="mount_hung",
            hint="See whether the volume is up: salt-run gluster.status. If it is, unmount with "
            f"umount -l {at} and run this again.",
        )
    if written := write_fstab(entry, fstab, ours=ours, test=True):
        changes["fstab"] = written
    if state == "stale":
        if not test:
            unmount(at, lazy=True, run=run)
            mount(entry, run=run)
        changes["mounted"] = {"old": f"{at} (stale)", "new": at}
    elif mounted is None:
        changes.update(mount(entry, run=run, test=test))
    else:
        changes.update(_remount(at, options or {}, run, test))
    if written and not test:  # last: what cannot be mounted now is not mounted at the next boot
        write_fstab(entry, fstab, ours=ours)
    return changes


def _remount(at: str, options: Mapping[str, str | bool], run: Run, test: bool) -> dict[str, Any]:
    """Give a live mount the kernel's flags that are wanted; its other flags, and users, stay."""
    live = next((row.options for row in reversed(mounts()) if row.mount_point == at), None)
    flags = () if live is None else mount_options.flags_to_set(options, live)
    if not flags:
        return {}
    words = ",".join(flags)
    if not test:
        # -i: mount.glusterfs has no remount. bind: the flags of this mount point and nothing else.
        argv = ["mount", "-i", "-o", f"remount,bind,{words}", at]
        checked(run, argv, MOUNT_LIMIT_S, f"remounting {at} with {words}")
    return {"options": {"old": live, "new": words}}


def options_waiting(
    at: str, options: Mapping[str, str | bool] | None = None
) -> dict[str, tuple[str, str]]:
    """Return the options of a live mount that another mount would have: (as it is, as wanted)."""
    argv = mount_options.client_at(mount_point_of(at))
    return mount_options.waiting(options or {}, argv) if argv else {}


def _is_of(volume: str, knows: Callable[[str], bool], entry: FstabEntry) -> bool:
    """Whether an entry mounts the volume; one server of it that is known is enough."""
    is_named_so = entry.fstype == "glusterfs" and _volume_in(entry.source) == volume
    return is_named_so and any(knows(host) for host in servers_of(entry))


def _mounts_ours(
    mounted: tuple[str, str],
    wanted: FstabEntry,
    ours: Callable[[FstabEntry], bool],
    written: FstabEntry | None,
) -> bool:
    """Whether what is mounted is the volume that is wanted.

    Its server may have left the pool since: then the line of fstab tells.
    """
    source, fstype = mounted
    if (fstype, _volume_in(source)) != ("fuse.glusterfs", _volume_in(wanted.source)):
        return False
    live = FstabEntry(source, wanted.mount_point, "glusterfs")
    return ours(live) or (written is not None and ours(written))


def _glusterfs_entry(
    volume: str, servers: Sequence[str], at: str, options: Mapping[str, str | bool]
) -> FstabEntry:
    if not servers:
        raise SpecError("servers", "a mount needs at least one server of the pool")
    usable = [host for host in servers if len(host) <= MOST_HOST]
    if not usable:
        raise SpecError(
            "servers",
            f"mount.glusterfs takes no host name of more than {MOST_HOST} characters: {servers[0]}",
            hint="Name a server by a shorter name or its address.",
        )
    words = ["_netdev"]
    if len(usable) > 1:
        words.append("backup-volfile-servers=" + ":".join(_fitting(usable[1:])))
    for key, value in options.items():
        if value is False:
            continue
        word = key if value is True else f"{key}={value}"
        if "," in word or any(c.isspace() for c in word):
            raise SpecError(f"options.{key}", f"{word!r} holds a comma or a blank")
        words.append(word)
    entry = FstabEntry(f"{usable[0]}:/{volume}", at, "glusterfs", ",".join(words))
    if len(entry.line.encode(errors="surrogateescape")) > MOST_LINE:
        raise SpecError("mount", f"its line in fstab would be longer than {MOST_LINE} characters")
    return entry


def _fitting(backups: Sequence[str]) -> list[str]:
    """Return the servers that stand in for the first, as many as a line of fstab has room for."""
    fitting: list[str] = []
    for host in backups:
        if sum(map(len, fitting)) + len(fitting) + len(host) > MOST_BACKUPS:
            break
        fitting.append(host)
    return fitting


def servers_of(entry: FstabEntry | None) -> tuple[str, ...]:
    """Return the hosts of a GlusterFS line of fstab, the first one first; none for another line."""
    if entry is None or entry.fstype != "glusterfs":
        return ()
    first = entry.source.rpartition(":")[0]
    words = (word.partition("=") for word in entry.options.split(","))
    more = (v.split(":") for k, _, v in words if k in _BACKUPS)
    return (first, *(host for hosts in more for host in hosts if host))


def _volume_in(source: str) -> str:
    """Return the volume of ``server:/volume`` or ``server:volume``."""
    return source.rpartition(":")[2].lstrip("/")
