"""Ask Consul, one thin function for each question. What an answer means is not decided
here.

Reads give a ``Reply`` with Consul's index; a missing key is ``None``, everything else that is not
an answer raises a ``ConsulError``. One client per thread that waits (an agent takes 200 connections
per client address, all processes together: facts.md#K-1.5).
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from salt_gluster.consul.settings import Access, access
from salt_gluster.consul.transport import TIMEOUT_S, Transport, library
from salt_gluster.errors import ConsulError, GlusterError

T = TypeVar("T")
Op = dict[str, dict[str, Any]]

#: A transaction takes no more than this (facts.md#K-5.1).
MOST_OPS = 64
#: Words in a transaction's error that mean a missing right, not a lost race (facts.md#K-5.4).
_NO_RIGHT = ("permission denied", "acl not found")


@dataclass(frozen=True)
class Entry:
    """One key. ``modify_index`` is what check-and-set compares."""

    key: str
    value: bytes
    modify_index: int
    create_index: int = 0
    session: str = ""
    flags: int = 0


@dataclass(frozen=True)
class Reply(Generic[T]):
    """What was read, Consul's index for it, and a digest of the body to drop false wakes."""

    data: T
    index: int
    digest: str


class Client:
    """Consul as one process of ours speaks to it. ``library`` is the client library itself."""

    def __init__(
        self, where: Access, *, timeout_s: float = TIMEOUT_S, transport: Transport | None = None
    ) -> None:
        self.where = where
        self.transport = transport or Transport(where, timeout_s=timeout_s)
        self.library = library(self.transport)

    def close(self) -> None:
        """Give the connections back."""
        self.transport.close()

    def wake(self) -> None:
        """Let a thread that waits for an answer get a ``ConsulError`` at once (not with TLS)."""
        self.transport.wake()

    # --- keys ------------------------------------------------------------------------------------

    def kv_get(self, key: str, *, consistent: bool = True) -> Entry | None:
        """Return the entry, from a leader that has made sure of itself unless told otherwise."""
        mode = "consistent" if consistent else "default"
        return self._read(lambda: self.library.kv.get(key, consistency=mode), _entry).data

    def kv_watch(self, key: str, index: int, wait_s: float) -> Reply[Entry | None]:
        """Return the entry when it is not as at ``index`` any more, or after ``wait_s``."""
        wait = _wait(index, wait_s)
        return self._read(lambda: self.library.kv.get(key, index=index, wait=wait), _entry)

    def kv_tree(self, prefix: str, *, consistent: bool = False) -> list[Entry]:
        """Return all entries below a prefix; none is also the answer without any right to list."""
        mode = "consistent" if consistent else "default"
        read = self._read(
            lambda: self.library.kv.get(prefix, recurse=True, consistency=mode),
            lambda rows: [_known_entry(row) for row in rows or ()],
        )
        return read.data

    def kv_keys(self, prefix: str) -> list[str]:
        """Return the names of the keys below a prefix."""
        read = self._read(lambda: self.library.kv.get(prefix, keys=True), lambda rows: rows or [])
        return list(read.data)

    def kv_names(self, prefix: str, most: int, *, separator: str = "") -> list[str]:
        """Return the names below a prefix, with a separator only as far as to the first one.

        ``ConsulError`` of kind ``too_big`` where they take more than ``most`` bytes: a node may
        have written any number, as long as it likes.
        """
        params = [("keys", "1"), *([("separator", separator)] if separator else [])]

        def names(response: Any) -> list[str]:
            return _rows(json.loads(response.body)) if response.code == 200 else []

        get = self.transport.get
        return list(self._do(lambda: get(names, f"/v1/kv/{prefix}", params, most=most)))

    def kv_put(
        self, key: str, value: bytes | str, *, cas: int | None = None, acquire: str = "",
        release: str = "",
    ) -> bool:  # fmt: skip
        """Write; False when the index of ``cas`` (0 = not there yet) or the lock forbids it."""
        put = self.library.kv.put
        more = {"acquire": acquire or None, "release": release or None}
        return bool(self._do(lambda: put(key, value, cas=cas, **more)))

    def kv_delete(self, key: str, *, recurse: bool = False, cas: int | None = None) -> bool:
        """Delete; False when the index of ``cas`` does not fit."""
        delete = self.library.kv.delete
        return bool(self._do(lambda: delete(key, recurse=recurse or None, cas=cas)))

    def txn(self, ops: Sequence[Op], *, consistent: bool = False) -> list[Entry]:
        """Do all or nothing; return the entries that were written or read.

        ``consistent`` is for one that only reads: from a leader that has made sure of itself.
        ``ConsulError`` of kind ``conflict`` (``failed`` says which operation), ``forbidden``, or
        ``too_big`` (nothing was sent).
        """
        if len(ops) > MOST_OPS:
            raise ConsulError(f"a transaction of {len(ops)} operations is too big.", kind="too_big")
        try:
            answer = self._put("/v1/txn", list(ops), [("consistent", "1")] if consistent else ())
        except ConsulError as err:
            if err.kind != "conflict":
                raise
            raise self._why_refused(err, ops) from err
        rows = [r["KV"] for r in (answer or {}).get("Results") or () if "KV" in r]
        return [_known_entry({**r, "Value": base64.b64decode(r.get("Value") or "")}) for r in rows]

    def _why_refused(self, err: ConsulError, ops: Sequence[Op]) -> ConsulError:
        """A 409 is a lost race or a missing right: only ``What`` tells (facts.md#K-1.3)."""
        rows = json.loads(self.transport.last.body).get("Errors") or ()
        failed = []
        for row in rows:
            op = next(iter(ops[int(row.get("OpIndex", 0))].values()), {})
            failed.append((str(op.get("Verb", "")), str(op.get("Key", "")), str(row.get("What"))))
        what = "; ".join(w for _, _, w in failed)
        right = any(word in what.lower() for word in _NO_RIGHT)
        return ConsulError(
            "the transaction was refused: " + ("a right is missing." if right else "a lost race."),
            kind="forbidden" if right else "conflict", text=what, failed=failed,
            hint="Compare the token's policy." if right else "",
        )  # fmt: skip

    # --- sessions --------------------------------------------------------------------------------

    def session_create(self, name: str, *, ttl_s: int, lock_delay_s: int) -> str:
        """Make a session that no health check can end; return its id.

        Made by hand: the default check kills it at 5.5 s, before a holder that trusts its TTL
        stops (facts.md#K-4.3), and the libraries know only the older ``checks``.
        """
        body = {
            "Name": name, "TTL": f"{ttl_s}s", "LockDelay": f"{lock_delay_s}s",
            "Behavior": "release", "NodeChecks": [], "ServiceChecks": [],
        }  # fmt: skip
        return str(self._put("/v1/session/create", body)["ID"])

    def session_renew(self, session: str) -> None:
        """Renew; ``ConsulError`` of kind ``not_found`` when the session is gone."""
        self._do(lambda: self.library.session.renew(session))

    def session_destroy(self, session: str) -> None:
        """End a session; one that is gone is no error."""
        self._do(lambda: self.library.session.destroy(session))

    def session_list(self, index: int = 0, wait_s: float = 0) -> Reply[list[Any]]:
        """Return all sessions: name and node; a renewal changes none of it."""
        wait = _wait(index, wait_s)
        read = self.library.session.list
        return self._read(lambda: read(index=index, wait=wait), _rows)

    # --- catalog and health ----------------------------------------------------------------------

    def health_state(
        self, state: str, index: int = 0, wait_s: float = 0, *, where: str = ""
    ) -> Reply[list[Any]]:
        """Return the checks in a state such as ``critical``; ``where`` is Consul's filter."""
        return self._list(f"/v1/health/state/{state}", index, wait_s, where)

    def health_checks(self, service: str, *, where: str = "") -> Reply[list[Any]]:
        """Return the checks of a service."""
        return self._list(f"/v1/health/checks/{service}", where=where)

    def catalog_service(
        self, service: str, index: int = 0, wait_s: float = 0, *, consistent: bool = False,
        where: str = "", most: int | None = None,
    ) -> Reply[list[Any]]:  # fmt: skip
        """Return the service's instances with their meta; check changes do not wake this.

        An answer of more than ``most`` bytes is not read: ``ConsulError`` of kind ``too_big``.
        """
        path, mode = f"/v1/catalog/service/{service}", [("consistent", "1")] if consistent else []
        return self._list(path, index, wait_s, where, mode, most)

    def _list(
        self, path: str, index: int = 0, wait_s: float = 0, where: str = "",
        mode: Sequence[tuple[str, Any]] = (), most: int | None = None,
    ) -> Reply[list[Any]]:  # fmt: skip
        """Ask by hand: python-consul knows no filter."""
        wait = _wait(index, wait_s)
        params = [*mode, *([("index", index), ("wait", wait)] if index else [])]
        params += [("filter", where)] if where else []
        get = self.transport.get
        return self._read(lambda: get(_json, path, params, most=most), _rows)

    def health_service(self, service: str, *, where: str = "") -> Reply[list[Any]]:
        """Return the service's instances, each with its checks and those of its node."""
        return self._list(f"/v1/health/service/{service}", where=where)

    def catalog_services(self, index: int = 0, wait_s: float = 0) -> Reply[dict[str, Any]]:
        """Return the names of all services with their tags; checks move not even its index."""
        wait = _wait(index, wait_s)
        read = self.library.catalog.services
        return self._read(lambda: read(index=index, wait=wait), dict)

    def catalog_nodes(self) -> Reply[list[Any]]:
        """Return all nodes of the catalog."""
        return self._read(lambda: self.library.catalog.nodes(), _rows)

    def in_catalog(self, node: str) -> bool:
        """Return whether the catalog has a node of that name."""
        return bool(self._do(lambda: self.library.catalog.node(node))[1])

    def leader(self) -> str:
        """Return the address of Consul's leader, "" without one."""
        return str(self._do(lambda: self.library.status.leader()) or "")

    # --- the agent at hand -----------------------------------------------------------------------

    def agent_self(self) -> dict[str, Any]:
        """Return what the agent says of itself."""
        return dict(self._do(lambda: self.library.agent.self()))

    def agent_members(self) -> list[dict[str, Any]]:
        """Return what the agent knows of the others by gossip."""
        return list(self._do(lambda: self.library.agent.members()))

    def agent_checks(self) -> dict[str, Any]:
        """Return the checks of this agent, by id."""
        return dict(self._do(lambda: self.library.agent.checks()))

    def agent_services(self) -> dict[str, Any]:
        """Return the services of this agent, by id."""
        return dict(self._do(lambda: self.library.agent.services()))

    def service_register(self, definition: Mapping[str, Any], *, drop: bool = True) -> None:
        """Register or replace a service (python-consul knows no meta, so made by hand).

        ``drop``: checks of it that the definition does not have are taken away.
        """
        params = [("replace-existing-checks", "true")] if drop else []
        self._put("/v1/agent/service/register", definition, params)

    def service_deregister(self, service: str) -> None:
        """Take a service of this agent away."""
        self._do(lambda: self.library.agent.service.deregister(service))

    def check_update(self, check: str, status: str, output: str = "") -> None:
        """Push the state of a TTL check: ``passing``, ``warning`` or ``critical``."""
        self._put(f"/v1/agent/check/update/{check}", {"Status": status, "Output": output})

    def agent_maintenance(self, reason: str | None, service: str = "") -> None:
        """Put the agent's node, or one service of it, into maintenance; None ends it."""
        path = f"/v1/agent/service/maintenance/{service}" if service else "/v1/agent/maintenance"
        on = reason is not None
        params = [("enable", "true"), ("reason", reason)] if on else [("enable", "false")]
        self._put(path, {}, params)

    # --- one way in ------------------------------------------------------------------------------

    def _put(
        self, path: str, body: Mapping[str, Any] | Sequence[Op],
        params: Sequence[tuple[str, Any]] = (),
    ) -> Any:  # fmt: skip
        def answer(response: Any) -> Any:
            return json.loads(response.body) if response.body.strip() else None

        put = self.library.http.put
        return self._do(lambda: put(answer, path, params=list(params), data=json.dumps(body)))

    def _read(self, ask: Callable[[], Any], shape: Callable[[Any], T]) -> Reply[T]:
        result = self._do(ask)
        answer = self.transport.last
        data = result[1] if isinstance(result, tuple) else result
        try:
            return Reply(shape(data), answer.index, answer.digest)
        except (KeyError, TypeError, ValueError) as problem:
            raise _unreadable(problem) from problem

    def _do(self, ask: Callable[[], Any]) -> Any:
        """Ask; whatever the library makes of an answer that is no JSON becomes ``unreadable``."""
        try:
            return ask()
        except ConsulError:
            raise
        except (AssertionError, KeyError, TypeError, ValueError, AttributeError) as problem:
            raise _unreadable(problem) from problem
        except Exception as problem:
            # The libraries' own class stands at different places (facts.md#K-1.3).
            if type(problem).__module__.split(".")[0] != "consul":
                raise
            raise _unreadable(problem) from problem


def connect(
    settings: Mapping[str, Any], *, timeout_s: float = TIMEOUT_S,
    anew: Callable[[], Mapping[str, Any]] | None = None,
) -> Client:  # fmt: skip
    """Return a client for ``address``, ``token`` and ``ca``, else for the environment's.

    Where this node's own file has another token by now, or ``anew`` gives settings with another, it
    takes that one when Consul does not know the one before any more.
    """
    where = access(settings, os.environ)

    def fresh_token() -> str:
        try:
            now = access(anew() if anew else settings, os.environ)
        except (GlusterError, OSError):
            return ""  # no secrets just now: Consul's own word is told
        return now.token if now.address == where.address else ""

    transport = Transport(where, timeout_s=timeout_s, fresh_token=fresh_token)
    return Client(where, transport=transport)


def _unreadable(problem: Exception) -> ConsulError:
    return ConsulError(
        "the answer is not Consul's.", kind="unreadable", text=str(problem)[:300],
        hint="Is this the address of a Consul agent?",
    )  # fmt: skip


def _wait(index: int, wait_s: float) -> str | None:
    """A query with an index and no wait would be held for 5 minutes (facts.md#K-3.2)."""
    if index and wait_s <= 0:
        raise ValueError("a query with an index needs a wait")
    return f"{wait_s:g}s" if index else None


def _json(response: Any) -> Any:
    return json.loads(response.body)


def _rows(rows: Any) -> list[Any]:
    if not isinstance(rows, list):
        raise TypeError(f"a list was expected, not {type(rows).__name__}")
    return rows


def _entry(row: Any) -> Entry | None:
    return None if row is None else _known_entry(row)


def _known_entry(row: Mapping[str, Any]) -> Entry:
    return Entry(
        str(row["Key"]), row.get("Value") or b"", int(row["ModifyIndex"]),
        int(row.get("CreateIndex", 0)), str(row.get("Session") or ""), int(row.get("Flags", 0)),
    )  # fmt: skip


# --- operations of a transaction -----------------------------------------------------------------


def set_op(key: str, value: bytes) -> Op:
    """Write."""
    return {"KV": {"Verb": "set", "Key": key, "Value": base64.b64encode(value).decode()}}


def cas_op(key: str, value: bytes, index: int) -> Op:
    """Write if the key is as at ``index``; 0 = if it is not there."""
    encoded = base64.b64encode(value).decode()
    return {"KV": {"Verb": "cas", "Key": key, "Value": encoded, "Index": index}}


def get_op(key: str) -> Op:
    """Read one key; fail where it is not there."""
    return {"KV": {"Verb": "get", "Key": key}}


def tree_op(prefix: str) -> Op:
    """Read everything below; where there is nothing, that is no failure."""
    return {"KV": {"Verb": "get-tree", "Key": prefix}}


def delete_op(key: str) -> Op:
    """Delete."""
    return {"KV": {"Verb": "delete", "Key": key}}


def delete_tree_op(prefix: str) -> Op:
    """Delete everything below, however much that is."""
    return {"KV": {"Verb": "delete-tree", "Key": prefix}}


def check_session_op(key: str, session: str) -> Op:
    """Fail unless the session holds the lock."""
    return {"KV": {"Verb": "check-session", "Key": key, "Session": session}}


def check_index_op(key: str, index: int) -> Op:
    """Fail unless the key is as at ``index``."""
    return {"KV": {"Verb": "check-index", "Key": key, "Index": index}}


def check_absent_op(key: str) -> Op:
    """Fail if the key is there."""
    return {"KV": {"Verb": "check-not-exists", "Key": key}}
