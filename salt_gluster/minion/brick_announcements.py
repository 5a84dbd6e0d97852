"""Announce through Salt's mine which brick directories of this node fit, and read the others'.

A create names directories of other nodes, and gluster does not look what is in them. So each node
says for its own: for which volume, where, on which file system, and whether it fits. It says so
anew in each run, while it waits for a volume, and takes it back as soon as it is not so. Where a
run has ended and the volume is not made, Salt's scheduler on the minion has it said on: the other
nodes may run one after another (``salt -b 1``), for hours.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

from salt_gluster import node
from salt_gluster.errors import GlusterError
from salt_gluster.model import AnnouncedBrick, BrickPath, Prepared, Unknown, is_known
from salt_gluster.plan import fitness
from salt_gluster.status import announcement

if TYPE_CHECKING:
    from salt_gluster.minion.context import Minion

#: Under this name the mine keeps what a node has announced.
MINE_ALIAS = "salt_gluster_ready"
#: Records of this node: what it announced, what it saw of others, where gluster refused new bricks.
READY, _SEEN, _FAILED = "ready bricks", "announcements seen", "refused bricks"
#: Seconds until a node that waits says it again. The first is short: who read the mine for the
#: first time after the first announcement cannot know how old that is.
RENEW_S = (2.0, 5.0, 10.0, 20.0)

#: After a run it is said so often: less than a run waits for another node.
REPEAT_S = 30
#: And for so long after the last run: 300 nodes one after another, each waiting for a minute.
KEEP_S = 12 * 3600.0
#: The name of that job in the minion's schedule.
JOB = "salt_gluster_announce"

_NO_MASTER = Unknown("this minion has no master, so no node can tell another")


class Mine(Protocol):
    """Salt's mine, or a test's."""

    def read(self) -> Mapping[str, object] | Unknown:
        """Return what each minion announced last; Unknown = there is no mine."""

    def write(self) -> None:
        """Let the mine take over this node's record."""

    def repeat(self, wanted: bool) -> None:
        """Have ``Announcer.say_again`` called from time to time, or not any more."""


class Records(Protocol):
    """Records of this node (``node.LocalState``), or a test's."""

    def get(self, key: str) -> dict[str, Any] | None:
        """Return a record."""

    def put(self, key: str, record: Mapping[str, Any] | None) -> None:
        """Keep a record."""


class Announcer:
    """What this node says of its own brick directories during one run, and what it has read.

    ``look`` returns what is at a path now, ``addresses`` are the declared host names by minion.
    """

    def __init__(
        self,
        hosts: Collection[str],
        mine: Mine,
        records: Records,
        *,
        look: Callable[[str], BrickPath],
        addresses: Mapping[str, str],
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._hosts, self._mine, self._records = sorted(hosts), mine, records
        self._look, self._addresses = look, addresses
        self._now, self._sleep = now, sleep
        self._wanted: dict[tuple[str, str], frozenset[str]] = {}
        self._volumes: set[str] = set()
        self._is_due = False
        self._sent_at: float | None = None
        self._renewals = 0
        self._is_unfit = False

    # --- reading -----------------------------------------------------------------------------

    def prepared(self) -> Prepared:
        """Return what the other nodes have announced, with its age, and what failed here."""
        self.flush()
        rows = self._records.get(_FAILED) or {}
        failed = {str(v): float(at) for v, at in rows.items() if isinstance(at, int | float)}
        return Prepared(self._read(), failed)

    def _read(self) -> Mapping[str, Any] | Unknown:
        now = self._now()
        entries = self._mine.read()
        if not is_known(entries):
            return entries
        said = {str(minion): announcement.parse(entry) for minion, entry in entries.items()}
        record = announcement.sightings(self._records.get(_SEEN), said, now)
        self._records.put(_SEEN, record)
        return announcement.by_host(said, record, self._addresses)

    def note_refused(self, volume: str) -> None:
        """Record that gluster refused new bricks of a volume: the others' word from before is void.

        Each node has to say anew that its brick fits before they are sent again. Who finds the mark
        of a failed create on its own brick knows it, too. "" = of any volume.
        """
        at = self._now()
        self._read()  # what is there now was there before
        rows = self._records.get(_FAILED) or {}
        self._records.put(_FAILED, {**rows, volume: at})

    def note_added(self, volume: str) -> None:
        """Forget that new bricks of a volume were refused."""
        rows = self._records.get(_FAILED) or {}
        if volume in rows:
            self._records.put(_FAILED, {v: at for v, at in rows.items() if v != volume})

    def note_meant(self, path: str) -> None:
        """Record that a directory is to be a brick: a mark on it is one of our own creates."""
        record = self._record()
        self._records.put(READY, {**record, "meant": sorted({*record.get("meant", ()), path})})

    # --- announcing --------------------------------------------------------------------------

    def add(self, volume: str, paths: Iterable[str], accepted: Collection[str]) -> None:
        """Have these directories announced, fit or not; () = this volume needs none here."""
        self._volumes.add(volume)
        for path in paths:
            self._wanted[volume, path] = frozenset(accepted)
            self._is_due = True

    def say(self, volume: str, path: str, accepted: Collection[str]) -> None:
        """Announce one directory that was prepared by an order.

        Raises ``GlusterError`` of kind ``refused`` where it does not fit.
        """
        self._wanted[volume, path] = frozenset(accepted)
        self._say()
        told = self._judged(volume, path, accepted, meant_paths(self._record()))
        mark = f"{path} carries the mark of a create that failed" if told.marked else ""
        if why := told.unfit or mark:
            hint = "A mark is taken off by the state gluster.cluster or gluster_brick.present."
            raise GlusterError(f"{why}.", kind="refused", hint=hint if mark else "")

    def flush(self) -> None:
        """Announce what was added since."""
        if self._is_due:
            self._say()

    def while_waiting(self) -> None:
        """Say it again where it is time: the age of what a node has said counts."""
        self.flush()
        if self._sent_at is None:
            return
        pause_s = RENEW_S[min(self._renewals, len(RENEW_S) - 1)]
        if self._now() - self._sent_at >= pause_s:
            self._renewals += 1
            self._say()

    def finish(self) -> None:
        """Take back what was announced for the volumes of this run and is no longer wanted.

        What does not fit is said twice: the run of this node is over at once, and who read the
        first time would wait for a minute, for it cannot know how old that is.
        """
        kept = announcement.without_volumes(self._record().get("bricks"), ())
        wanted = {key for key in self._wanted if key[0] in self._volumes}
        if self._is_due or any(
            b.volume in self._volumes and (b.volume, b.path) not in wanted for b in kept
        ):
            self._say()
        if self._is_unfit and self._renewals == 0 and self._sent_at is not None:
            self._renewals += 1
            self._sleep(max(0.0, self._sent_at + RENEW_S[0] - self._now()))
            self._say()
        self._repeat(self._now() + KEEP_S)

    def say_again(self) -> None:
        """Say once more, between two runs, how what was announced is now; at the end no more.

        The word of a node counts for minutes; who runs hours later can still go by it.
        """
        self.review()
        self._repeat(float(self._record().get("until") or 0.0))

    def _repeat(self, until: float) -> None:
        """Have it said on while anything announced is no brick yet, at the longest until then."""
        record = self._record()
        kept = announcement.without_volumes(record.get("bricks"), ())
        is_open = any(not self._is_over(brick.path) for brick in kept)
        left_s = until - self._now()  # more than that: the clock was set back
        wanted = is_open and 0 < left_s < KEEP_S + REPEAT_S
        if wanted or record.get("until"):
            self._records.put(READY, {**record, "until": until if wanted else 0.0})
            self._mine.repeat(wanted)

    def review(self) -> None:
        """Look again at all that was announced, and take back what is no longer so."""
        if self._record().get("bricks") or self._is_due:
            self._say()

    def _say(self) -> None:
        """Judge the directories as they are now; put it on record and into the mine."""
        record = self._record()
        ours = meant_paths(record)
        kept = announcement.without_volumes(record.get("bricks"), self._volumes)
        bricks = [self._judged(*key, risks, ours) for key, risks in self._wanted.items()]
        for brick in kept:  # of other volumes, or prepared by an order
            risks = {"root_disk"} if brick.on_root and not brick.unfit else ()
            again = self._judged(brick.volume, brick.path, risks, ours)
            if (brick.volume, brick.path) not in self._wanted and not self._is_over(brick.path):
                bricks.append(again)
        meant = {b.path for b in bricks}
        meant |= {p for p in record.get("meant", ()) if p not in meant and not self._is_over(p)}
        if self._sent_at is None and self._wanted:
            self._read()  # what is there before ours is told from what comes after
        entry = {
            "hosts": self._hosts,
            "epoch": record.get("epoch") or uuid.uuid4().hex,
            "count": int(record.get("count") or 0) + 1,
            "meant": sorted(meant),
            "paths": sorted({b.path for b in bricks if not (b.unfit or b.marked)}),
            "bricks": announcement.written(bricks),
            "until": record.get("until", 0.0),
        }
        self._records.put(READY, entry)
        self._mine.write()
        self._is_due, self._sent_at = False, self._now()
        self._is_unfit = any(b.unfit for b in bricks if (b.volume, b.path) in self._wanted)

    def _is_over(self, path: str) -> bool:
        """Whether it has become a brick that serves, or is gone: nothing is left to be said."""
        try:
            here = self._look(path)
        except GlusterError:
            return False
        return not here.exists or (here.volume_id is not None and here.holds_data)

    def _record(self) -> dict[str, Any]:
        return self._records.get(READY) or {}

    def _judged(
        self, volume: str, path: str, accepted: Collection[str], ours: Collection[str]
    ) -> AnnouncedBrick:
        try:
            here = with_own_record(self._look(path), ours, path)
        except GlusterError as err:  # a dead disk
            return AnnouncedBrick(volume, path, "unknown", unfit=str(err))
        found = [reason.why for reason in fitness.reasons(here, accepted)]
        if not here.exists:
            found.append(f"{path} is not there")
        return AnnouncedBrick(
            volume,
            path,
            here.identity or "unknown",
            here.filesystem == "/",
            "; ".join(found),
            fitness.is_our_mark(here),
        )


# --- Salt's mine ----------------------------------------------------------------------------------


class SaltMine:
    """The mine of the minion's master."""

    def __init__(self, minion: Minion) -> None:
        self._minion = minion

    def read(self) -> Mapping[str, object] | Unknown:
        """Return what each minion announced last."""
        if not (self._minion.has_master and self._minion.can("mine.get")):
            return _NO_MASTER
        entries = self._minion.call("mine.get", "*", MINE_ALIAS)
        return entries if isinstance(entries, Mapping) else {}

    def write(self) -> None:
        """Let the mine ask ``gluster_brick.ready``."""
        if self._minion.has_master and self._minion.can("mine.send"):
            self._minion.call("mine.send", MINE_ALIAS, mine_function="gluster_brick.ready")

    def repeat(self, wanted: bool) -> None:
        """Put the job into the schedule of the running minion, or take it out; no file is written.

        It is gone when the minion starts anew: the next run puts it there again.
        """
        if not (self._minion.is_daemon and self._minion.has_master):
            return
        if wanted and self._minion.can("schedule.add"):
            self._minion.call(
                "schedule.add", JOB, function="gluster_brick.announce", seconds=REPEAT_S,
                persist=False, return_job=False, maxrunning=1,
            )  # fmt: skip
        elif not wanted and self._minion.can("schedule.delete"):
            self._minion.call("schedule.delete", JOB, persist=False)


def announcer(minion: Minion) -> Announcer:
    """Return the announcer of one minion."""
    pool = minion.pool
    addresses = {n: pool.address(n) for n in pool.nodes} if pool else {}
    return Announcer(
        {minion.name, minion.address},
        SaltMine(minion),
        node.LocalState(),
        look=node.brick_path,
        addresses=addresses,
    )


def meant_paths(record: Mapping[str, Any] | None = None) -> frozenset[str]:
    """Return the paths that this node has meant for bricks, by its own record."""
    kept = record if record is not None else node.LocalState().get(READY) or {}
    # ``paths`` is what versions without ``meant`` have written.
    return frozenset({*kept.get("meant", ()), *kept.get("paths", ())})


def with_own_record(here: BrickPath, ours: Collection[str], path: str = "") -> BrickPath:
    """Return what is at a path, and whether this node has meant it for a brick."""
    return replace(here, is_announced=here.is_announced or bool({path, here.path} & set(ours)))


def ready_bricks() -> dict[str, Any]:
    """Return what this node has announced, as the mine keeps it."""
    record = node.LocalState().get(READY) or {}
    return {
        "hosts": list(record.get("hosts", ())),
        "paths": list(record.get("paths", ())),
        "epoch": str(record.get("epoch", "")),
        "count": int(record.get("count", 0)),
        "bricks": [dict(brick) for brick in record.get("bricks", ())],
    }
