"""Read this node's identity and the state of glusterd's own files. Nothing is written here."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from salt_gluster.model import Node, Unknown
from salt_gluster.node.hold import HOLD_FILE, read_hold

GLUSTERD_DIR = "var/lib/glusterd"


def observe_node(name: str, root: str | Path = "/", aliases: Sequence[str] = ()) -> Node:
    """Return what this node knows of itself without asking gluster. Never raises."""
    return _observe(name, Path(root), tuple(aliases))[0]


class OwnNode:
    """This node during one run: observed whole once, then only what can have changed.

    A walk through ``/proc`` and every brick's file takes 50 ms with 200 volumes. They are the same
    while that process is glusterd, and ``glusterd.info`` and ``vols/`` are untouched. The hold is
    read every time; what is unknown, down or half imported is never kept.
    """

    def __init__(self, name: str, aliases: Sequence[str] = (), root: str | Path = "/") -> None:
        self._name, self._aliases, self._base = name, tuple(aliases), Path(root)
        self._kept: tuple[Node, int, _Mark] | None = None

    def observe(self, *, fresh: bool = False) -> Node:
        """Return ``observe_node``; ``fresh`` = nothing from before. Never raises."""
        kept = None if fresh else self._kept
        if kept is not None and _mark(self._base, kept[1]) == kept[2]:
            return replace(kept[0], hold=read_hold(self._base / HOLD_FILE.lstrip("/")))
        self._kept = None
        before = _files(self._base)
        seen, pid = _observe(self._name, self._base, self._aliases)
        mark = _mark(self._base, pid) if pid is not None and _is_whole(seen) else None
        if pid is not None and mark is not None and mark[1:] == before:  # else it changed meanwhile
            self._kept = (seen, pid, mark)
        return seen


def _is_whole(seen: Node) -> bool:
    known = (seen.uuid, seen.glusterd_started, seen.volumes_at_start, seen.volumes_without_info)
    unsure = any(value is None or isinstance(value, Unknown) for value in known)
    return not unsure and not seen.volumes_without_info


_Mark = tuple[object, ...]


def _mark(base: Path, pid: int) -> _Mark | None:
    """Return what stays while this node is what it was: three looks; None = it cannot be told."""
    try:
        ticks = _start_ticks(Path("/proc", str(pid)))
    except OSError:
        return None
    return (ticks, *_files(base))


def _files(base: Path) -> _Mark:
    root = base / GLUSTERD_DIR
    return (_stat(root / "glusterd.info"), _stat(root / "vols", whole=False))


def _observe(name: str, base: Path, aliases: tuple[str, ...]) -> tuple[Node, int | None]:
    """Return what this node knows of itself, and the pid of its glusterd."""
    started: float | Unknown | None
    try:
        process = _glusterd(base)
        started = _boot_time() + process.ticks / os.sysconf("SC_CLK_TCK") if process else None
    except OSError as problem:
        process, started = None, Unknown(f"glusterd's process cannot be looked at: {problem}")
    seen = Node(
        name=name,
        aliases=aliases,
        uuid=_own_uuid(base),
        glusterd_started=started,
        volumes_at_start=_volumes_at_start(base, started),
        volumes_without_info=_volumes_without_info(base),
        hold=read_hold(base / HOLD_FILE.lstrip("/")),
    )
    return seen, process.pid if process else None


def _own_uuid(base: Path) -> str | Unknown | None:
    """Return the uuid of ``glusterd.info``; None = glusterd has given itself none.

    A fresh glusterd runs without one until a first command (``pool list`` is enough) needs it.
    """
    file = base / GLUSTERD_DIR / "glusterd.info"
    try:
        pairs = _pairs(file)
    except FileNotFoundError:
        return None
    except OSError as problem:
        return Unknown(f"{file} cannot be read: {problem}")
    return pairs.get("UUID") or Unknown(f"{file} has no line UUID=")


def _volumes_without_info(base: Path) -> tuple[str, ...] | Unknown:
    """Return the volumes glusterd is still importing: facts.md#C-B.3."""
    vols = base / GLUSTERD_DIR / "vols"
    try:
        names = sorted(entry.name for entry in os.scandir(vols) if entry.is_dir())
        return tuple(name for name in names if not (vols / name / "info").exists())
    except FileNotFoundError:
        return ()
    except OSError as problem:
        return Unknown(f"{vols} cannot be read: {problem}")


def _volumes_at_start(base: Path, started: float | Unknown | None) -> tuple[str, ...] | Unknown:
    """Return the volumes that are older than glusterd's start (guard ``settled``, facts.md#C-B.3).

    A file of the volume that is older, or a brick here that was first started before: an import
    writes every file below ``vols/V`` anew, and the brick's own root entry stays. A volume without
    a brick on this node that was just imported looks new; its missing ``info`` is the other sign.
    """
    if isinstance(started, Unknown):
        return started
    vols = base / GLUSTERD_DIR / "vols"
    if started is None or not vols.is_dir():
        return ()
    bricks: dict[str, list[str]] = {}
    for brick in local_bricks(base):
        bricks.setdefault(brick.volume, []).append(brick.path)
    try:
        names = sorted(entry.name for entry in os.scandir(vols) if entry.is_dir())
    except OSError as problem:
        return Unknown(f"{vols} cannot be read: {problem}")
    return tuple(n for n in names if _is_older(vols / n, bricks.get(n, []), started))


#: The entry of a brick's root directory in its own index, made when the brick first starts.
_ROOT_ENTRY = ".glusterfs/00/00/00000000-0000-0000-0000-000000000001"


def _is_older(folder: Path, bricks: Sequence[str], than: float) -> bool:
    files = [folder / name for name in ("snapd.info", "node_state.info", "cksum", "info")]
    for file in (*files, *(Path(brick, _ROOT_ENTRY) for brick in bricks)):
        try:
            if file.lstat().st_mtime < than:
                return True
        except OSError:
            continue
    return False


# --- the process ---------------------------------------------------------------------------------


_boot: list[float] = []


def _boot_time() -> float:
    """Return when this machine booted: the same number in one process until the clock is set.

    Callers compare glusterd's start for equality, and two reads of two clocks differ a little.
    """
    boot = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    if not _boot or abs(boot - _boot[0]) > 1:
        _boot[:] = [boot]
    return _boot[0]


class _Process(NamedTuple):
    """A process: when it started, in clock ticks since boot, and its pid."""

    ticks: int
    pid: int


def glusterd_pid(root: str | Path = "/") -> int | None:
    """Return the pid of this node's glusterd; None = does not run. Raises ``OSError``."""
    process = _glusterd(Path(root))
    return process.pid if process else None


def _glusterd(base: Path) -> _Process | None:
    """Return this node's glusterd; None = does not run.

    Several namespaces may share a machine. Ours is the glusterd that is in our network namespace
    and works on the same ``/var/lib/glusterd`` as we see: the mount namespace itself may differ
    where a service is hardened. While it daemonises, or runs a hook, there are two: the oldest.
    """
    try:
        ours = (base / GLUSTERD_DIR).stat()
    except FileNotFoundError:
        return None
    network = os.readlink("/proc/self/ns/net")  # noqa: PTH115  (not a path)
    started = []
    for proc in _processes("glusterd"):
        try:
            if os.readlink(proc / "ns/net") != network:  # noqa: PTH115
                continue
            theirs = (proc / "root" / GLUSTERD_DIR).stat()
            ticks = _start_ticks(proc)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if ticks is not None and (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino):
            started.append(_Process(ticks, int(proc.name)))
    return min(started, default=None)


def _processes(name: str, script: str = "") -> Iterator[Path]:
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        proc = Path(entry.path)
        try:
            argv = (proc / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        # A zombie has an empty command line. glusterd is a link to glusterfsd: only argv tells.
        called = [os.path.basename(word) for word in argv[:2]]  # noqa: PTH119  (bytes)
        if called[0] == name.encode() and (not script or called[1:] == [script.encode()]):
            yield proc


def glusterfsd_processes() -> Iterator[tuple[int, list[str]]]:
    """Yield pid and words of every brick process in our network namespace."""
    network = os.readlink("/proc/self/ns/net")  # noqa: PTH115  (not a path)
    for proc in _processes("glusterfsd"):
        try:
            if os.readlink(proc / "ns/net") != network:  # noqa: PTH115
                continue
            argv = (proc / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        yield int(proc.name), argv


def started_scripts(script: str, root: str | Path = "/") -> list[float]:
    """Return when each process of this node's Python program was started. Raises ``OSError``."""
    network = os.readlink("/proc/self/ns/net")  # noqa: PTH115  (not a path)
    ours = (Path(root) / GLUSTERD_DIR).stat()
    starts = []
    for proc in _processes("python3", script):
        try:
            theirs = (proc / "root" / GLUSTERD_DIR).stat()
            is_here = os.readlink(proc / "ns/net") == network  # noqa: PTH115
            ticks = _start_ticks(proc)
        except (FileNotFoundError, ProcessLookupError):
            continue
        if is_here and os.path.samestat(theirs, ours) and ticks is not None:
            starts.append(_boot_time() + ticks / os.sysconf("SC_CLK_TCK"))
    return starts


def _start_ticks(proc: Path) -> int | None:
    """Return field 22 of ``stat``; the name in brackets may hold blanks. None for a zombie."""
    fields = (proc / "stat").read_text(errors="replace").rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


# --- stamps --------------------------------------------------------------------------------------


def glusterd_stamps(root: str | Path = "/") -> dict[str, tuple[object, ...]]:
    """Return what changes when a volume's definition changes, by its name, or the members, as "".

    That of a volume is two stats, of its ``info`` and ``cksum``; that of the members those of
    ``peers/``, and glusterd's start. Compare them with ``==``. The files are not opened: ``info``
    holds the volume's password (facts.md#S-5.2). A missing file is None, so that an import shows.
    """
    base = Path(root) / GLUSTERD_DIR
    vols = base / "vols"
    try:
        names = sorted(entry.name for entry in os.scandir(vols))
    except OSError:
        names = []
    try:
        process = _glusterd(Path(root))
        started: object = process.ticks if process else None
    except OSError as problem:
        started = f"unknown: {problem}"
    members = (started, _stat(base / "peers", whole=False))
    return {"": members, **{name: _volume_stamp(vols / name) for name in names}}


def _volume_stamp(folder: Path) -> tuple[object, ...]:
    return (_stat(folder / "info"), _stat(folder / "cksum"))


def _stat(path: Path, whole: bool = True) -> tuple[int, ...] | None:
    try:
        seen = path.stat()
    except OSError:
        return None
    return (seen.st_ino, seen.st_mtime_ns, seen.st_size) if whole else (seen.st_mtime_ns,)


# --- own bricks ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class LocalBrick:
    """A brick that glusterd's files give to this node. ``port`` 0 = not known there.

    ``client`` is its name in the xattrs of the other bricks.
    """

    volume: str
    host: str
    path: str
    port: int
    client: str = ""


def local_bricks(root: str | Path = "/") -> tuple[LocalBrick, ...]:
    """Return the bricks of this node from ``vols/*/bricks/*``, by uuid and not by host name.

    These files hold no secret (``info`` beside them does). Empty where glusterd never ran.
    """
    base = Path(root)
    own = _own_uuid(base)
    if isinstance(own, Unknown) or own is None:
        return ()
    bricks = []
    for file in sorted((base / GLUSTERD_DIR / "vols").glob("*/bricks/*")):
        try:
            pairs = _pairs(file)
        except OSError:  # removed under us
            continue
        if pairs.get("uuid") == own and "path" in pairs:
            port = pairs.get("listen-port", "0")
            number = int(port) if port.isdigit() else 0
            volume = file.parent.parent.name
            host, client = pairs.get("hostname", ""), pairs.get("brick-id", "")
            bricks.append(LocalBrick(volume, host, pairs["path"], number, client))
    return tuple(bricks)


def defined_bricks(root: str | Path = "/") -> frozenset[tuple[str, str, str]]:
    """Return every brick of the pool that glusterd's files here define: uuid, path, host."""
    bricks = set()
    for file in (Path(root) / GLUSTERD_DIR / "vols").glob("*/bricks/*"):
        try:
            pairs = _pairs(file)
        except OSError:  # removed under us
            continue
        bricks.add((pairs.get("uuid", ""), pairs.get("path", ""), pairs.get("hostname", "")))
    return frozenset(bricks)


def brick_runs(volume: str, host: str, path: str, root: str | Path = "/") -> bool:
    """Return whether the process runs that glusterd started for a brick of this node.

    Its pid file is asked, which is there for each brick of a multiplexed process too.
    """
    pid = brick_pid(volume, host, path, root)
    try:
        program = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
    except OSError:
        return False
    return program.rpartition(b"/")[2] == b"glusterfsd"


def brick_pid(volume: str, host: str, path: str, root: str | Path = "/") -> int | None:
    """Return what the pid file of a brick says; its process may be long gone, or another's."""
    name = f"{host}{path.replace('/', '-')}.pid"
    try:
        return int((Path(root) / "run/gluster/vols" / volume / name).read_text().strip())
    except (OSError, ValueError):
        return None


def _pairs(file: Path) -> dict[str, str]:
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    return {k.strip(): v.strip() for k, sep, v in (line.partition("=") for line in lines) if sep}
