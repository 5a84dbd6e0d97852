"""Observe a pool through gluster, facet by facet, with a cache that files vouch for.

Peers and volumes come from one process without any lock. What was read is used again while
glusterd's own files are untouched, and what was changed since is read from them (facts.md#S-5.3);
Unknown, heal counts and bricks' status are never kept. Nothing is decided here, and no error leaves
this file: it becomes Unknown with the reason, and stays at ``last_error``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
from salt_gluster.node import Stamp, read_definitions, stamp, with_thin_arbiters

T = TypeVar("T")
K = TypeVar("K")

#: Nodes that are asked at the same time.
THREADS = 8
#: Seconds after which peers and volumes are read again in any case: no file says "disconnected".
MAX_AGE_S = 30.0
#: A fresh look asks gluster again after that, for who is connected.
JUST_NOW_S = 1.0
#: So much later where all were connected and the files tell the definitions: a cut is not seen for
#: a minute and more by glusterd itself (facts.md#C-M.3), and a change is preceded by a try of each
#: member's port.
FILES_S = 10.0
#: How old that may be before a change is sent.
CONNECTED_S = 2.0
#: Seconds after which a node that did not answer ``--remote-host`` is left as unknown.
_REMOTE_S = 15.0
#: What a member has told is not asked again for so long while our own files stand still: glusterd
#: writes a change on every member. Nothing is kept that was told before our own change.
_TOLD_S = 2.0

Pool = tuple["tuple[Peer, ...] | Unknown", "Mapping[str, Volume] | Unknown"]


@dataclass(frozen=True)
class _Kept:
    """What gluster told at ``asked_at``, and the definitions as of ``stamp``.

    ``files_tell``: glusterd's files were read beside gluster's answer and told the same; None =
    they were not read yet. ``followed``: some of the definitions are from files.
    """

    stamp: Stamp
    asked_at: float
    peers: tuple[Peer, ...]
    volumes: Mapping[str, Volume]
    files_tell: bool | None = None
    followed: bool = False


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
        self._kept: _Kept | None = None
        self._told: dict[str, tuple[float, Stamp | None, Mapping[str, str]]] = {}

    def drop(self) -> None:
        """Forget all that was read."""
        self._kept, self._told = None, {}

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Change something of the pool: forget what members told; after an error, everything.

        Glusterd's files tell what was changed with success. An error may have left anything.
        """
        self._told = {}
        try:
            yield
        except BaseException:
            self.drop()
            raise

    def peers(self) -> tuple[Peer, ...] | Unknown:
        """Return the members, the own row named "localhost"."""
        return self.pool()[0]

    def volumes(self) -> Mapping[str, Volume] | Unknown:
        """Return every volume's definition as this node's glusterd has it."""
        return self.pool()[1]

    def pool(
        self,
        about: Collection[str] | None = None,
        *,
        fresh: bool = False,
        connected_s: float = FILES_S,
    ) -> Pool:
        """Return peers and volumes, from the cache, from files, or from a process without a lock.

        ``about`` names the volumes whose files have to vouch for the cache, None = all: a state
        costs two stats, and the full walk is made when gluster is asked (facts.md#S-5.2). With
        ``fresh`` the definitions are those of this moment, and who is connected was told within
        ``connected_s``.
        """
        kept = self._kept
        age = self._clock() - kept.asked_at if kept else -1.0
        is_young = 0 <= age < (JUST_NOW_S if fresh else MAX_AGE_S)
        if kept and is_young and self._vouched(kept.stamp, about):
            if fresh and kept.files_tell is None:  # once: the run goes on, and will change it
                self._kept = replace(kept, files_tell=self._same_in_files(kept))
            return kept.peers, kept.volumes
        if kept and 0 <= age < connected_s and (now := self._followed(kept)):
            self._kept = now
            return now.peers, now.volumes
        return self._ask_pool(fresh=fresh)

    def _ask_pool(self, *, fresh: bool) -> Pool:
        seen, asked_at = self.stamp(), self._clock()
        peers, volumes = self._ask_many(
            [("pool_list", {}), ("volume_info", {})], (parse_pool_list, parse_volume_info)
        )
        if is_known(volumes):
            volumes = with_thin_arbiters(self._dir, volumes)
        self._kept = None
        # What was stored while gluster answered has moved since ``seen``, and is read again.
        if is_known(peers) and is_known(volumes) and seen:
            kept = _Kept(seen, asked_at, peers, volumes)
            tell = self._same_in_files(kept) if fresh else None
            self._kept = replace(kept, files_tell=tell)
        return peers, volumes

    def _same_in_files(self, kept: _Kept) -> bool | None:
        """Return whether the files tell what gluster does: else a hand or a version is at work.

        None = there are volumes, and none of them has stood still since gluster was asked.
        """
        now = self.stamp()
        rows = now.volumes.items() if now else ()
        still = [name for name, row in rows if kept.stamp.volumes.get(name) == row]
        if kept.volumes and not still:
            return None
        read = read_definitions(self._dir, still)
        return read is not None and all(kept.volumes.get(n) == v for n, v in read.items())

    def _followed(self, kept: _Kept) -> _Kept | None:
        """Return what is kept with the definitions of now, or None where gluster has to tell.

        Files do not tell who is connected again, and not what glusterd has read of them.
        """
        now = self.stamp()
        if not kept.files_tell or now is None or now.members != kept.stamp.members:
            return None
        if not all(peer.usable for peer in kept.peers):
            return None
        moved = [n for n, row in now.volumes.items() if kept.stamp.volumes.get(n) != row]
        read = read_definitions(self._dir, moved)
        if read is None or self.stamp() != now:
            return None
        volumes = {n: v for n, v in kept.volumes.items() if n in now.volumes} | read
        return replace(kept, stamp=now, volumes=volumes, followed=kept.followed or bool(moved))

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

    def definitions(
        self, peers: Iterable[Peer], about: Collection[str] = ()
    ) -> dict[str, Mapping[str, str] | Unknown]:
        """Return, for each member's UUID, ``{volume: digest}`` as that member's glusterd has it.

        Each is asked directly (``--remote-host``), eight at a time, this node too; but not who has
        told it a moment ago, while nothing was changed. ``about`` are the volumes concerned.
        """
        now, seen, peers = self._clock(), self.stamp(), list(peers)
        for uuid, (at, then, _) in list(self._told.items()):
            if not 0 <= now - at < _TOLD_S or then is None or then != seen:
                del self._told[uuid]
        answers = _parallel(
            {peer.uuid: peer for peer in peers if peer.uuid not in self._told},
            self._definition,
            lambda peer: Unknown(f"{peer.name} did not answer in {_REMOTE_S:.0f} s"),
            _REMOTE_S,
        )
        told = {uuid: row for uuid, row in answers.items() if is_known(row)}
        self._doubt_files(told.values(), about)
        self._told.update((uuid, (now, seen, row)) for uuid, row in told.items())
        return {
            p.uuid: answers[p.uuid] if p.uuid in answers else self._told[p.uuid][2] for p in peers
        }

    def _doubt_files(self, told: Iterable[Mapping[str, str]], about: Collection[str]) -> None:
        """Have gluster tell the definitions next time, where a member tells another than files."""
        kept = self._kept
        if kept and kept.followed:
            own = {n: v.digest() for n, v in kept.volumes.items() if n in about}
            if any(row.get(name) != digest for row in told for name, digest in own.items()):
                self._kept = None

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
