"""Read and write what the pool keeps in Consul: one document per subject.

Writes that the watchers must see bump ``rev`` in the same transaction. Who may write what is the
token's business; that only the leader writes is the caller's: it hands in ``lock.guard()``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import uuid4

from salt_gluster.consul.client import (
    MOST_OPS,
    Client,
    Entry,
    Op,
    cas_op,
    check_index_op,
    delete_op,
    get_op,
    set_op,
    tree_op,
)
from salt_gluster.consul.codec import MOST_VALUE_BYTES, READABLE_BYTES, pack
from salt_gluster.consul.documents import (
    Document,
    authors,
    document_of,
    documents,
    documents_of,
    outcome_in,
    stop_of,
    version_document,
    version_in,
)
from salt_gluster.consul.keys import Keys
from salt_gluster.consul.went_back import went_back_of
from salt_gluster.errors import ConsulError, SpecError
from salt_gluster.model import Hold, Unknown, digest_of
from salt_gluster.remediation.observation import WentBack

#: How often two writers of ``rev`` may meet before one of them gives up.
_TRIES = 8


class Store:
    """The documents of one cluster."""

    def __init__(self, client: Client, cluster: str) -> None:
        self._client = client
        self.keys = Keys(cluster)

    # --- documents -------------------------------------------------------------------------------

    def read(self, key: str) -> Document | None:
        """Return a document as Consul's leader knows it, or None where there is none.

        ``ConsulError`` of kind ``unreadable`` when it is there and none.
        """
        entry = self._client.kv_get(key)
        return None if entry is None else document_of(entry)

    def all(self, prefix: str) -> list[Document | Unknown]:
        """Return all documents right below a prefix; one that is broken is an ``Unknown``."""
        return documents(prefix, self._client.kv_tree(prefix, consistent=True))

    def tree(self, prefix: str) -> list[Entry]:
        """Return everything below a prefix."""
        return self._client.kv_tree(prefix, consistent=True)

    def several_by_key(self, keys: Sequence[str]) -> dict[str, Document | Unknown]:
        """Return those of these documents that are there, by key."""
        below = {e.key: e for e in self.below(keys)}
        found = {key: below[key] for key in keys if key in below}
        return dict(zip(found, documents_of(found, found), strict=True))

    def names(self, prefix: str) -> list[str]:
        """Return the names of all keys below a prefix, without the prefix."""
        return [key[len(prefix) :] for key in self._client.kv_keys(prefix)]

    def trees(self, prefixes: Sequence[str]) -> dict[str, list[Entry]]:
        """Return everything below each of these prefixes, as of one moment: one question."""
        ops = [tree_op(prefix) for prefix in prefixes]
        entries = self._client.txn(ops, consistent=True)
        return {prefix: [e for e in entries if e.key.startswith(prefix)] for prefix in prefixes}

    def several(self, keys: Sequence[str]) -> list[Document | Unknown]:
        """Return those of these documents that are there, many in one question."""
        return list(self.several_by_key(keys).values())

    def below(self, keys: Sequence[str]) -> list[Entry]:
        """Return what these keys hold, and what is below them, many in one question."""
        entries = []
        for begin in range(0, len(keys), MOST_OPS):
            ops = [tree_op(key) for key in keys[begin : begin + MOST_OPS]]
            entries += self._client.txn(ops)
        return entries

    def write(
        self, key: str, data: Any, *, cas: int | None = None, seen: bool = False,
        rev: Entry | None = None, guard: Callable[[], Sequence[Op]] = list,
        readable: int | None = None,
    ) -> None:  # fmt: skip
        """Write a document, all or nothing; compressed if it is longer than ``readable``.

        ``cas`` is the index it must have (0 = not there yet); ``seen`` bumps ``rev``; ``guard``
        gives operations that must hold, such as ``lock.guard``. ``ConsulError`` of kind
        ``conflict`` when one of them does not.
        """
        value = pack(data, readable=readable)
        write = set_op(key, value) if cas is None else cas_op(key, value, cas)
        self.commit([write], seen=seen, rev=rev, guard=guard)

    def remove(
        self, key: str, *, seen: bool = False, guard: Callable[[], Sequence[Op]] = list
    ) -> None:
        """Take a document away; one that is not there is no error."""
        self.commit([delete_op(key)], seen=seen, guard=guard)

    def commit(
        self, ops: Sequence[Op], *, seen: bool = True, rev: Entry | None = None,
        guard: Callable[[], Sequence[Op]] = list,
    ) -> None:  # fmt: skip
        """Do all of these or nothing. ``rev`` is the counter as it was just read, if it was."""
        for tried in range(1, _TRIES + 1):
            bump = self._bump(rev if tried == 1 else None) if seen else []
            try:
                self._client.txn([*guard(), *ops, *bump])
                return
            except ConsulError as err:
                lost = {key for _, key, _ in err.failed} == {self.keys.rev}
                if err.kind != "conflict" or not lost or tried == _TRIES:
                    raise

    def _bump(self, known: Entry | None = None) -> list[Op]:
        entry = known or self._client.kv_get(self.keys.rev)
        if entry is None:
            return [cas_op(self.keys.rev, b"1", 0)]
        plain = entry.value.isdigit() and len(entry.value) < 18  # any node may write it
        number = int(entry.value) if plain else 0
        return [cas_op(self.keys.rev, str(number + 1).encode(), entry.modify_index)]

    # --- an operator's stop ----------------------------------------------------------------------

    def hold(self) -> Hold | Unknown | None:
        """Return the pool's hold; what cannot be read is unknown, and unknown means held.

        Whatever was put there is a hold, a bare word included. Without the canary "no such
        key" proves nothing.
        """
        return self._stop(self.keys.hold)

    def maintenance(self, uuid: str) -> Hold | Unknown | None:
        """Return a node's maintenance, read in the same way."""
        return self._stop(self.keys.maintenance(uuid))

    def _stop(self, key: str) -> Hold | Unknown | None:
        try:
            entry = self._client.kv_get(key)
            canary = entry is not None or self._client.kv_get(self.keys.canary) is not None
        except ConsulError as err:
            return Unknown(f"{key} cannot be read in Consul: {err}")
        return stop_of(key, entry, canary)

    def set_hold(self, reason: str, by: str, now: float) -> None:
        """Hold the pool; an earlier hold is replaced."""
        document = {"reason": reason, "by": by, "since": now}
        self.write(self.keys.hold, document, seen=True)

    def release(self) -> bool:
        """Take the hold off; return whether there was one."""
        existed = self._client.kv_get(self.keys.hold) is not None
        if existed:
            self.remove(self.keys.hold, seen=True)
        return existed

    def set_maintenance(
        self, uuid: str, reason: str, by: str, now: float, until: float | None = None
    ) -> None:
        """Stop everything for one node."""
        document = {"reason": reason, "by": by, "since": now, "until": until}
        self.write(self.keys.maintenance(uuid), document, seen=True)

    def end_maintenance(self, uuid: str) -> None:
        """End a node's maintenance."""
        self.remove(self.keys.maintenance(uuid), seen=True)

    # --- what operators and highstates write -----------------------------------------------------

    def acknowledge(self, what: str, by: str) -> None:
        """Write that an operator has seen the cluster (its name), a node (uuid) or an operation.

        The newest counts; an earlier one is replaced. When it was is the leader's to say.
        """
        self.write(self.keys.acknowledged(what), acknowledgement(what, by), seen=True)

    def acknowledged(self) -> list[Document | Unknown]:
        """Return all of them."""
        return self.all(self.keys.acknowledged(""))

    def went_back(self) -> WentBack | None:
        """Return the mark that Consul is an older one than it was."""
        return went_back_of(self._client.kv_get(self.keys.went_back))

    def submit(self, uuid: str, submission: Mapping[str, Any]) -> bool:
        """Write spec and policy as this node's highstate saw them; whether they had changed.

        When and by whom it was said is no change: a highstate an hour wakes no watch. After Consul
        went back the same is written once more: what stands there may be of then. Every node
        writes the same when the pillar changes, so it is compressed.
        """
        key = self.keys.submitted(uuid)
        before, mark = self.read(key), self.went_back()
        is_of_now = before is not None and (mark is None or before.index > mark.index)
        said = None if before is None else _content_digest(before.data)
        if is_of_now and said == _content_digest(submission):
            return False
        said_once = {**submission, "once": uuid4().hex}
        self.write(key, said_once, seen=True, readable=READABLE_BYTES)
        return True

    def submitted(self) -> list[Document | Unknown]:
        """Return what every node has submitted."""
        return self.all(self.keys.submitted(""))

    # --- who may be in ---------------------------------------------------------------------------

    def accepted(self) -> dict[str, str]:
        """Return the accepted nodes, and who accepted them: also one that was put there by hand."""
        return self._authors(self.keys.accepted(""))

    def rejected(self) -> dict[str, str]:
        """Return the rejected nodes, and who rejected them."""
        return self._authors(self.keys.rejected(""))

    def _authors(self, prefix: str) -> dict[str, str]:
        return authors(prefix, self._client.kv_tree(prefix, consistent=True))

    def accept_node(
        self, minion: str, uuid: str, by: str, now: float,
        guard: Callable[[], Sequence[Op]] = list,
    ) -> None:  # fmt: skip
        """Let a node be in; ``ConsulError`` of kind ``conflict`` where it is already."""
        document = {"schema": 1, "at": now, "by": by, "uuid": uuid}
        self.write(self.keys.accepted(minion), document, cas=0, seen=True, guard=guard)

    def reject_node(self, minion: str, uuid: str, by: str, now: float, why: str) -> None:
        """Reject a node; an acceptance is taken back."""
        document = {"schema": 1, "at": now, "by": by, "uuid": uuid, "why": why}
        self.write(self.keys.rejected(minion), document, seen=True)
        self.remove(self.keys.accepted(minion), seen=True)

    # --- versions of the configuration -----------------------------------------------------------

    def current(self) -> Document | None:
        """Return the current version: spec, policy, what glusterd said, who, when, why."""
        pointer = self.read(self.keys.current)
        return None if pointer is None else self.version(version_in(pointer))

    def version(self, number: int) -> Document | None:
        """Return one version; ``ConsulError`` of kind ``unreadable`` where it is none."""
        for document in self.versions([number]):
            if isinstance(document, Unknown):
                raise ConsulError(f"{document.why}.", kind="unreadable")
            return document
        return None

    def accept(
        self, config: Mapping[str, Any], *, by: str, why: str, now: float,
        notes: Mapping[str, Any] | None = None, guard: Callable[[], Sequence[Op]] = list,
    ) -> int:  # fmt: skip
        """Make this the current version and return its number; the present one if it is equal.

        ``notes`` are kept with it and make no version by themselves. ``ConsulError`` of kind
        ``conflict`` when another one was accepted meanwhile.
        """
        pointer = self.read(self.keys.current)
        digest = digest_of(config)
        if pointer is not None and pointer.data.get("digest") == digest:
            return version_in(pointer)
        number = 1 if pointer is None else version_in(pointer) + 1
        whole = {**config, **(notes or {}), "version": number, "digest": digest, "by": by,
                 "why": why, "at": now}  # fmt: skip
        key = self.keys.version(number)
        guard()  # a large value takes seconds to compress and to send
        same = check_index_op(key, self._write_version(key, whole))
        value = json.dumps({"version": number, "digest": digest}).encode()
        point = cas_op(self.keys.current, value, pointer.index if pointer is not None else 0)
        self.commit([same, point], guard=guard)
        return number

    def _write_version(self, key: str, version: Mapping[str, Any]) -> int:
        """Write a version that nothing points to yet, and return its index.

        Alone, because a transaction takes less than a value may have: the pointer is written only
        if this still is what stands there. One that is there was left by a leader that died between
        the two writes.
        """
        value = pack(version, MOST_VALUE_BYTES)
        left = self._client.kv_get(key)
        written = self._client.kv_put(key, value, cas=0 if left is None else left.modify_index)
        entry = self._client.kv_get(key) if written else None
        if entry is None or entry.value != value:
            raise ConsulError(f"another leader has just written {key}.", kind="conflict")
        return entry.modify_index

    def version_numbers(self) -> list[int]:
        """Return the numbers of the versions that are kept, oldest first."""
        prefix = self.keys.versions
        names = (key[len(prefix) :] for key in self._client.kv_keys(prefix))
        return sorted(int(name) for name in names if name.isdigit())

    def versions(self, numbers: Sequence[int]) -> list[Document | Unknown]:
        """Return these versions, as far as they are there; one that is none is an ``Unknown``."""
        return list(map(version_document, self.several([self.keys.version(n) for n in numbers])))

    def prune_versions(
        self, keep: int, also: Collection[int] = (), guard: Callable[[], Sequence[Op]] = list
    ) -> int:
        """Take away all but the newest ``keep`` versions, and never one of ``also``; how many."""
        old = [n for n in self.version_numbers()[: -max(1, keep)] if n not in also]
        for number in old:
            self.remove(self.keys.version(number), guard=guard)
        return len(old)

    # --- proposals, operations, outcomes, audit --------------------------------------------------

    def propose(self, name: str, proposal: Mapping[str, Any], *,
                guard: Callable[[], Sequence[Op]] = list) -> None:  # fmt: skip
        """Write what is planned, waiting or approved."""
        self.write(self.keys.proposal(name), proposal, seen=True, guard=guard)

    def proposals(self) -> list[Document | Unknown]:
        """Return all proposals."""
        return self.all(self.keys.proposal(""))

    def operation(self, name: str) -> Document | None:
        """Return an operation; its first write is ``Lock.claim``."""
        return self.read(self.keys.operation(name))

    def operations(self) -> list[Document | Unknown]:
        """Return all operations."""
        return self.all(self.keys.operation(""))

    def outcome(self, uuid: str, name: str) -> Document | None:
        """Return what a node did about an operation.

        ``ConsulError`` of kind ``unreadable`` where what stands there is none, or too long for one.
        """
        entry = self._client.kv_get(self.keys.outcome(uuid, name))
        return None if entry is None else outcome_in(entry)

    def exact(self, keys: Sequence[str]) -> list[Entry]:
        """Return those of these keys that are there, and nothing that only begins like them."""
        entries = []
        for begin in range(0, len(keys), MOST_OPS):
            left = list(keys[begin : begin + MOST_OPS])
            for _ in range(_TRIES):
                try:
                    entries += self._client.txn([get_op(key) for key in left]) if left else []
                    break
                except ConsulError as err:
                    missing = {key for _, key, _ in err.failed}
                    if err.kind != "conflict" or not missing:
                        raise
                    left = [key for key in left if key not in missing]
        return entries

    def names_within(self, prefix: str, most: int, *, separator: str = "") -> list[str]:
        """Return the names below a prefix, with a separator only as far as to the first one.

        ``ConsulError`` of kind ``too_big`` where they take more bytes than ``most``.
        """
        names = self._client.kv_names(prefix, most, separator=separator)
        return [name[len(prefix) :].removesuffix(separator) for name in names]

    def write_outcome(self, uuid: str, name: str, outcome: Mapping[str, Any], *,
                      cas: int | None = None) -> None:  # fmt: skip
        """Write what this node did, with ``cas=0`` so that a second executor finds the first."""
        self.write(self.keys.outcome(uuid, name), outcome, cas=cas)

    def audit(self, stamp: str, name: str, entry: Mapping[str, Any]) -> None:
        """Add one line; ``stamp`` sorts by time, such as 20261122T031409Z."""
        self.write(self.keys.audit(f"{stamp}-{name}"), entry, cas=0)

    def prune_operations(
        self, finished: Iterable[Document], keep: int, guard: Callable[[], Sequence[Op]] = list
    ) -> int:
        """Take away all but the newest ``keep`` of these, each with its outcome; how many.

        The caller knows that they are finished.
        """
        ordered = sorted(finished, key=lambda d: d.index)
        old = ordered[: max(0, len(ordered) - max(1, keep))]
        keys = [*filter(None, map(self._outcome_of, old)), *(d.key for d in old)]
        self.take_away(keys, guard)
        return len(old)

    def _outcome_of(self, operation: Document) -> str:
        """Return the key of its outcome; "" where its node's name cannot be part of one."""
        try:
            return self.keys.outcome(str(operation.data.get("node")), operation.name)
        except SpecError:
            return ""

    def take_away(
        self, keys: Sequence[str], guard: Callable[[], Sequence[Op]] = list
    ) -> int:  # fmt: skip
        """Take these keys away; how many."""
        for begin in range(0, len(keys), 60):
            self._client.txn([*guard(), *(delete_op(key) for key in keys[begin : begin + 60])])
        return len(keys)


def acknowledgement(what: str, by: str) -> dict[str, Any]:
    """Return its document, never the same twice: an equal one would keep the index of the first."""
    return {"schema": 1, "what": what, "by": by, "once": uuid4().hex}


def _content_digest(data: Any) -> str:
    fields = data if isinstance(data, Mapping) else {}
    return digest_of({k: v for k, v in fields.items() if k not in ("at", "by", "once")})
