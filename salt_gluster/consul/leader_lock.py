"""Hold the leader's lock and its epoch.

Every engine renews its session every few seconds (``Lease``) and writes a key: Consul renews a
session without a write, also while its servers can store nothing (facts.md#K-4.6). That is at once
the heartbeat of the trust gate, the holder's right to believe in itself, and a standby's try to
take over. An act is claimed in one transaction that Consul itself fences; nothing here decides what
to do.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import uuid4

from salt_gluster.consul.client import (
    Client,
    Entry,
    Op,
    cas_op,
    check_absent_op,
    check_index_op,
    check_session_op,
    set_op,
    tree_op,
)
from salt_gluster.consul.keys import Keys
from salt_gluster.errors import ConsulError, Fenced, NoLeader
from salt_gluster.model import LEASE, Lease


@dataclass(frozen=True)
class Lead:
    """Who holds the lock, by its own words in the lock's value. ``epoch`` 0 = nobody ever did."""

    holder: str
    epoch: int
    held: bool


class LeaderLock:
    """The leader's lock of a cluster. One thread renews; ``holds`` and ``claim`` from any.

    ``client`` should be one of its own with a time-out of ``lease.renew_timeout_s``.
    """

    def __init__(
        self,
        client: Client,
        cluster: str,
        name: str,
        *,
        lease: Lease = LEASE,
        clock: Callable[[], float] = time.monotonic,
        before_write: Callable[[], None] = lambda: None,
    ) -> None:
        self._client = client
        #: Looks at Consul before each renewal writes; a ``ConsulError`` ends that renewal.
        self._before_write = before_write
        self.lease = lease
        self._keys = Keys(cluster)
        self._name = name
        self._clock = clock
        self._session = ""
        self._epoch = 0
        #: Whether the lock may be ours in Consul: until the answer to its release.
        self._may_hold = False
        #: One renewal or one stop at a time: a session that a stop has ended writes nothing more.
        self._busy = threading.Lock()
        self._is_stopped = False
        #: When the last good renewal was sent, by the clock: the heartbeat of the trust gate.
        self.renewed_at: float | None = None
        #: Why the last renewal failed, "" when it did not.
        self.error = ""

    @property
    def epoch(self) -> int:
        """The fencing token: 0 when we do not lead."""
        return self._epoch if self.holds() else 0

    def holds(self) -> bool:
        """Whether we lead: by our own clock, from *before* the last good renewal."""
        return bool(self._epoch) and self.believed_s() > 0

    def believed_s(self) -> float:
        """Return for how long yet the last good renewal is believed; not above 0: no more."""
        renewed_at = self.renewed_at
        return 0.0 if renewed_at is None else renewed_at + self.lease.trust_s - self._clock()

    def renew(self, *, lead: bool = True) -> bool:
        """Renew, and take the lock where it is free unless ``lead`` is false; whether we lead.

        Never raises a ``ConsulError``: it stands in ``error``, and the next renewal is tried.
        """
        with self._busy:
            if self._is_stopped:
                return False
            try:
                if not lead:
                    self._resign()  # first: a lock that cannot be released has to end by itself
                self._renew()
                if lead and (not self._epoch or not self._holds_key()):
                    self._epoch = 0
                    self._acquire()
                self.error = ""
            except ConsulError as err:
                self.error = str(err)
        return self.holds()

    def _renew(self) -> None:
        sent_at = self._clock()
        if self._session:
            try:
                self._client.session_renew(self._session)
            except ConsulError as err:
                if err.kind != "not_found":
                    raise
                self._forget_session()  # ended: whoever leads now, it is not us
                sent_at = self._clock()
        if not self._session:
            self._session = self._client.session_create(
                f"salt-gluster {self._name}",
                ttl_s=self.lease.session_ttl_s,
                lock_delay_s=self.lease.lock_delay_s,
            )
        self._before_write()
        # Never the same words twice: the index of a value that stays does not grow.
        once = json.dumps({"by": self._name, "once": uuid4().hex})
        self._client.kv_put(self._keys.alive, once)
        self.renewed_at = sent_at

    def _forget_session(self) -> None:
        self._session, self._epoch, self._may_hold = "", 0, False

    def _holds_key(self) -> bool:
        entry = self._client.kv_get(self._keys.leader)
        return entry is not None and entry.session == self._session

    def _acquire(self) -> None:
        """Take the lock and make an epoch of our own; both or neither count."""
        words = json.dumps({"holder": self._name})
        self._may_hold = True
        try:
            if not self._client.kv_put(self._keys.leader, words, acquire=self._session):
                self._may_hold = False
                return
        except ConsulError as err:
            if err.kind == "session_gone":
                self._forget_session()
            raise
        mine = check_session_op(self._keys.leader, self._session)
        # Never the same words twice: Consul keeps the index of a value that stays as it is, and a
        # holder of the same name would get the epoch of the one before (facts.md#K-4.5).
        once = json.dumps({"holder": self._name, "once": uuid4().hex})
        done = self._client.txn([mine, set_op(self._keys.epoch, once.encode())])
        self._epoch = next(e.modify_index for e in done if e.key == self._keys.epoch)

    def _resign(self) -> None:
        """Release the lock; an error leaves it to be tried again, and the session unrenewed."""
        self._epoch = 0
        if not self._may_hold:
            return
        words = json.dumps({"holder": ""})
        try:
            self._client.kv_put(self._keys.leader, words, release=self._session)
        except ConsulError as err:
            if err.kind != "session_gone":
                raise
            self._forget_session()
        self._may_hold = False

    def stop(self) -> None:
        """Hand over: release first, then end the session, or the lock-delay holds.

        A renewal under way is waited for; one that does not end leaves the session to its TTL.
        """
        self._is_stopped = True
        if not self._busy.acquire(timeout=2 * self.lease.renew_timeout_s):
            return
        try:
            with contextlib.suppress(ConsulError):
                self._resign()
                if self._session:
                    self._client.session_destroy(self._session)
            self._forget_session()
            self.renewed_at = None
        finally:
            self._busy.release()

    # --- writing as the leader -------------------------------------------------------------------

    def guard(self) -> list[Op]:
        """Return the operations that make a transaction fail unless we still lead.

        ``Fenced`` without asking Consul when we do not believe it ourselves.
        """
        session, epoch = self._session, self._epoch  # a stop may end both meanwhile
        if not (self.holds() and session and epoch):
            raise Fenced(f"{self._name} does not lead.", hint="Only the leader writes this.")
        return [
            check_session_op(self._keys.leader, session),
            check_index_op(self._keys.epoch, epoch),
        ]

    def write(self, ops: Sequence[Op]) -> list[Entry]:
        """Do all or nothing as the leader, return what was; ``Fenced`` when we no longer are."""
        try:
            return self._client.txn([*self.guard(), *ops])
        except ConsulError as err:
            raise self._fenced(err) from err

    def claim(
        self, operation: str, intent: bytes, nodes: Sequence[str] = (), heartbeat: int = 0
    ) -> None:
        """Write an operation's intent, once for ever (facts.md#K-4.4).

        ``nodes`` are the uuids whose maintenance forbids it, ``heartbeat`` is the index of the
        leader's last one (only a leader writes it; 0 = none): where it is another, Consul went back
        a moment ago. ``Fenced`` when we do not lead; ``ConsulError`` of kind ``held``,
        ``went_back``, ``maintenance`` or ``claimed`` when that is why not, and any other kind with
        ``maybe_done`` as it is: read the operation back then.
        """
        keys = self._keys
        ops = [
            check_absent_op(keys.hold),
            check_absent_op(keys.went_back),
            *([check_index_op(keys.heartbeat, heartbeat)] if heartbeat else []),
            *(check_absent_op(keys.maintenance(node)) for node in nodes),
            cas_op(keys.operation(operation), intent, 0),
        ]
        self.write(ops)

    def _fenced(self, err: ConsulError) -> ConsulError:
        if err.kind != "conflict" or isinstance(err, (NoLeader, Fenced)):
            return err
        stumbled = {key for _, key, _ in err.failed}
        if stumbled & {self._keys.leader, self._keys.epoch}:
            self._epoch = 0
            return Fenced("somebody else leads now; nothing was written.", text=err.text)
        kind, why = "claimed", "this was written before"
        if stumbled & {self._keys.went_back, self._keys.heartbeat}:
            kind, why = "went_back", "Consul is an older one than it was"
        elif self._keys.hold in stumbled:
            kind, why = "held", "the pool is held"
        elif any(key.startswith(self._keys.maintenance("")) for key in stumbled):
            kind, why = "maintenance", "the node is in maintenance"
        return ConsulError(f"{why}; nothing was written.", kind=kind, text=err.text,
                           failed=err.failed)  # fmt: skip


def current_leader(client: Client, cluster: str) -> Lead:
    """Return who leads, as Consul's leader knows it: lock and epoch of one moment."""
    keys = Keys(cluster)
    read = client.txn([tree_op(keys.leader), tree_op(keys.epoch)], consistent=True)
    entries = {entry.key: entry for entry in read}
    return lead_of(entries.get(keys.leader), entries.get(keys.epoch))


def lead_of(lock: Entry | None, epoch: Entry | None) -> Lead:
    """Return who leads by what stands in the two keys."""
    held = lock is not None and bool(lock.session)
    value = lock.value if lock is not None else b""
    try:
        holder = str(json.loads(value).get("holder", "")) if held else ""
    except (ValueError, AttributeError):
        holder = value.decode(errors="replace")
    return Lead(holder, epoch.modify_index if epoch is not None else 0, held)
