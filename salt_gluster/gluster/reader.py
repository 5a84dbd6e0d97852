"""Observe a pool through gluster, facet by facet, with a cache that files vouch for.

Peers and volumes come from one process without any lock. What was read is used again while
glusterd's own files are untouched (facts.md#S-5.2); Unknown, heal counts and bricks' status are
never kept. Nothing is decided here, and no error leaves this file: it becomes Unknown with the
reason, and stays at ``last_error``.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from salt_gluster import node
from salt_gluster.errors import GlusterError
from salt_gluster.gluster import handshake
from salt_gluster.gluster.cli import Call, GlusterCli
from salt_gluster.gluster.parse.answer import CliAnswer
from salt_gluster.gluster.parse.heal import parse_heal_summary
from salt_gluster.gluster.parse.peer import parse_pool_list, parse_uuid
from salt_gluster.gluster.parse.volume import parse_volume_info, parse_volume_status
from salt_gluster.model import (
    Candidate,
    Heal,
    Peer,
    Reach,
    Unknown,
    Volume,
    VolumeStatus,
    is_known,
)

T = TypeVar("T")
K = TypeVar("K")

#: Nodes that are asked at the same time.
THREADS = 8
#: Seconds after which peers and volumes are read again in any case: no file says "disconnected".
MAX_AGE_S = 30.0
#: Seconds after which a node that did not answer ``--remote-host`` is left as unknown.
_REMOTE_S = 15.0
#: What a member has just told is not asked again: less than the pause between two looks of a wait.
_TOLD_S = 0.4

Stat = tuple[int, int, int] | None
Pool = tuple["tuple[Peer, ...] | Unknown", "Mapping[str, Volume] | Unknown"]


@dataclass(frozen=True)
class Stamp:
    """What changes when glusterd stores anything: compare with ``==``.

    ``whole`` is when glusterd started and the mtimes of ``vols/`` and ``peers/``; ``volumes`` is
    inode, mtime and size of each volume's ``info`` and ``cksum``, None for a file that is missing.
    """

    whole: tuple[object, ...]
    volumes: Mapping[str, tuple[Stat, Stat]]

    def among(self, names: Iterable[str]) -> Stamp:
        """Return the part of it that tells of these volumes."""
        return Stamp(self.whole, {n: self.volumes[n] for n in names if n in self.volumes})


def stamp(
    glusterd_dir: str | Path,
    glusterd_started: float | Unknown | None = None,
    volumes: Iterable[str] | None = None,
) -> Stamp | None:
    """Return the stamp of all volumes or of these; None when it cannot be looked at."""
    if isinstance(glusterd_started, Unknown):
        return None
    vols, peers = Path(glusterd_dir, "vols"), Path(glusterd_dir, "peers")
    try:
        names = sorted(entry.name for entry in os.scandir(vols)) if volumes is None else volumes
        whole = (glusterd_started, vols.stat().st_mtime_ns, peers.stat().st_mtime_ns)
    except OSError:
        return None
    return Stamp(
        whole,
        {n: (_file(f"{vols}/{n}/info"), _file(f"{vols}/{n}/cksum")) for n in names},
    )


def _accepts(host: str) -> bool:
    """Return whether a glusterd accepts there; a name has as long as ``node.resolve`` gives it."""
    return node.accepts(host, handshake.PORT, 2.0)


class Reader:
    """Reads the facets of one node's view of the pool.

    ``started`` is when glusterd started, which the caller reads from the process table and sets
    anew when it changes. ``last_error`` is the last error that became an Unknown.
    """

    def __init__(
        self,
        gluster: GlusterCli,
        clock: Callable[[], float] = time.time,
        glusterd_dir: str | Path = "/var/lib/glusterd",
        *,
        started: float | Unknown | None = None,
        reach: Callable[[str, str], Reach] = handshake.reach,
        accepts: Callable[[str], bool] = _accepts,
        resolve: Callable[[str], tuple[str, ...] | Unknown] = node.resolve,
    ) -> None:
        self.gluster = gluster
        self.started = started
        self.last_error: GlusterError | None = None
        self._clock, self._dir = clock, glusterd_dir
        self._reach, self._accepts, self._resolve = reach, accepts, resolve
        self._kept: tuple[Stamp, float, Pool] | None = None
        self._told: dict[str, tuple[float, Mapping[str, str]]] = {}

    def drop(self, older_than_s: float = 0.0) -> None:
        """Forget what is older than that: all of it before an action, not after.

        What is kept is vouched for by glusterd's files; they do not tell who is connected.
        """
        if self._kept and not 0 <= self._clock() - self._kept[1] < older_than_s:
            self._kept = None
        if not older_than_s:
            self._told = {}

    def peers(self) -> tuple[Peer, ...] | Unknown:
        """Return the members, the own row named "localhost"."""
        return self.pool()[0]

    def volumes(self) -> Mapping[str, Volume] | Unknown:
        """Return every volume's definition as this node's glusterd has it."""
        return self.pool()[1]

    def pool(self, about: Collection[str] | None = None) -> Pool:
        """Return peers and volumes, from the cache or from one process without a lock.

        ``about`` names the volumes whose files have to vouch for the cache, None = all: a state
        costs two stats, and the full walk is made when gluster is asked (facts.md#S-5.2).
        """
        kept = self._kept
        if kept and 0 <= self._clock() - kept[1] < MAX_AGE_S and self._vouched(kept[0], about):
            return kept[2]
        seen = self.stamp()
        read_at = self._clock()
        peers, volumes = self._ask_many(
            [("pool_list", {}), ("volume_info", {})], (parse_pool_list, parse_volume_info)
        )
        # Kept only if nothing was stored while we read.
        whole = is_known(peers) and is_known(volumes) and seen is not None
        self._kept = (
            (seen, read_at, (peers, volumes)) if whole and seen and self.stamp() == seen else None
        )
        return peers, volumes

    def stamp(self) -> Stamp | None:
        """Return the stamp of this node's glusterd directory."""
        return stamp(self._dir, self.started)

    def _vouched(self, kept: Stamp, about: Collection[str] | None) -> bool:
        if about is None:
            return self.stamp() == kept
        now = stamp(self._dir, self.started, [n for n in about if n in kept.volumes])
        return now == kept.among(about)

    def status(self, volume: str) -> VolumeStatus | Unknown:
        """Return the rows of ``volume status``; takes the volume's lock, so read back only."""
        return self._ask(
            "volume_status", lambda answer: parse_volume_status(answer, volume), volume=volume
        )

    def heal(self, volume: str) -> tuple[Heal, ...] | Unknown:
        """Return the heal counts per brick; 5 ms per entry, never kept."""
        return self._ask("heal_summary", parse_heal_summary, volume=volume)

    def definitions(self, peers: Iterable[Peer]) -> dict[str, Mapping[str, str] | Unknown]:
        """Return, for each member's UUID, ``{volume: digest}`` as that member's glusterd has it.

        Each is asked directly (``--remote-host``), eight at a time, this node too; but not who has
        just answered, unless ``drop`` was called.
        """
        now = self._clock()
        self._told = {u: row for u, row in self._told.items() if 0 <= now - row[0] < _TOLD_S}
        peers = list(peers)
        answers = _parallel(
            {peer.uuid: peer for peer in peers if peer.uuid not in self._told},
            self._definition,
            lambda peer: Unknown(f"{peer.name} did not answer in {_REMOTE_S:.0f} s"),
            _REMOTE_S,
        )
        self._told.update((uuid, (now, row)) for uuid, row in answers.items() if is_known(row))
        return {
            p.uuid: answers[p.uuid] if p.uuid in answers else self._told[p.uuid][1] for p in peers
        }

    def candidates(self, names: Iterable[str]) -> dict[str, Candidate]:
        """Return what each node says of itself: its UUID, its pool list, its volumes' names.

        ``peers`` has the node's own row; a node in no pool has no other.
        """

        def late(name: str) -> Candidate:
            why = Unknown(f"{name} did not answer in {_REMOTE_S:.0f} s")
            return Candidate(name, why, why, why)

        return _parallel({name: name for name in names}, self._candidate, late, _REMOTE_S)

    def reach(self, peers: Sequence[Peer]) -> dict[str, Reach]:
        """Return, for each member's UUID, whether its glusterd accepts and what it can run.

        A glusterd knows its peers but not itself: our own is asked in the name of another member.
        """
        own = next((peer.uuid for peer in peers if peer.is_self), "")
        other = next((peer.uuid for peer in peers if not peer.is_self), "")

        def ask(peer: Peer) -> Reach:
            return self._reach(peer.name, other if peer.is_self else own)

        def late(peer: Peer) -> Reach:
            return Reach(False, Unknown(f"the name {peer.name} was not resolved in time"))

        return _parallel({peer.uuid: peer for peer in peers}, ask, late, handshake.LIMIT_S + 1)

    def _definition(self, peer: Peer) -> Mapping[str, str] | Unknown:
        if peer.is_self:
            volumes = self._ask("volume_info", parse_volume_info)
        elif not self._accepts(peer.name):
            return Unknown(f"{peer.name} does not accept on port {handshake.PORT}")
        else:
            volumes = self._ask("remote_volume_info", parse_volume_info, host=peer.name)
        if isinstance(volumes, Unknown):
            return volumes
        return {name: volume.digest() for name, volume in volumes.items()}

    def _candidate(self, name: str) -> Candidate:
        addresses = self._resolve(name)
        if isinstance(addresses, Unknown):
            return Candidate(name, addresses, addresses, addresses, addresses.why)
        if not self._accepts(name):
            why = Unknown(f"{name} does not accept on port {handshake.PORT}")
            return Candidate(name, why, why, why)
        host = {"host": name}
        uuid, peers, volumes = self._ask_many(
            [("remote_uuid", host), ("remote_pool_list", host), ("remote_volume_info", host)],
            (parse_uuid, parse_pool_list, parse_volume_info),
        )
        names = tuple(sorted(volumes)) if is_known(volumes) else volumes
        return Candidate(name, uuid, peers, names)

    def _ask(self, command: str, parse: Callable[[CliAnswer], T], **arguments: Any) -> T | Unknown:
        try:
            return parse(self.gluster.ask(command, **arguments))
        except GlusterError as exc:
            return self._unknown(exc)

    def _ask_many(
        self, calls: Sequence[Call], parsers: Sequence[Callable[[CliAnswer], Any]]
    ) -> list[Any]:
        try:
            answers = self.gluster.ask_many(calls)
        except GlusterError as exc:
            return [self._unknown(exc) for _ in calls]
        return [self._parsed(a, parse) for a, parse in zip(answers, parsers, strict=True)]

    def _parsed(
        self, answer: CliAnswer | GlusterError, parse: Callable[[CliAnswer], T]
    ) -> T | Unknown:
        if isinstance(answer, GlusterError):
            return self._unknown(answer)
        try:
            return parse(answer)
        except GlusterError as exc:
            return self._unknown(exc)

    def _unknown(self, error: GlusterError) -> Unknown:
        self.last_error = error
        return Unknown(str(error), self._clock())


def _file(path: str) -> Stat:
    try:
        status = os.stat(path)  # noqa: PTH116 - a Path costs more than the stat, and there are many
    except OSError:
        return None
    return (status.st_ino, status.st_mtime_ns, status.st_size)


def _parallel(
    what: Mapping[str, K], ask: Callable[[K], T], late: Callable[[K], T], limit_s: float
) -> dict[str, T]:
    """Ask for every item, ``THREADS`` at a time; what has no result in time is ``late``.

    The threads are daemons: a name that does not resolve holds one for half a minute, and must not
    hold the process (facts.md#G-0.9).
    """
    todo: SimpleQueue[tuple[str, K]] = SimpleQueue()
    for item in what.items():
        todo.put(item)
    results: dict[str, T] = {}
    ended: list[BaseException] = []

    def work() -> None:
        try:
            while True:
                key, item = todo.get_nowait()
                results[key] = ask(item)
        except Empty:
            return
        except BaseException as exc:  # handed to the caller below
            ended.append(exc)

    threads = [threading.Thread(target=work, daemon=True) for _ in what][:THREADS]
    for thread in threads:
        thread.start()
    rounds = -(-len(what) // THREADS)
    until = time.monotonic() + limit_s * rounds
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    if ended:
        raise ended[0]
    return {key: results[key] if key in results else late(item) for key, item in what.items()}
