"""A Consul in memory for unit tests: keys, transactions, sessions, catalog, as a real one answers.

It stands below the client library, where bytes would go out, so everything of ours above it is the
real thing. Compare-and-set, locks and transactions are Consul's own rules; ``requests`` counts what
a caller asked. What it has not is time: sessions end by ``end_session``, blocking queries answer at
once, and nobody lacks a right.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from uuid import uuid4

from salt_gluster.consul.client import Client
from salt_gluster.consul.service import (
    NODE_MAINTENANCE,
    SERF,
    SERVICE_MAINTENANCE,
    is_own_row,
)
from salt_gluster.consul.settings import Access
from salt_gluster.consul.transport import Transport
from salt_gluster.errors import ConsulError

#: As ``kv_max_value_size`` and ``txn_max_req_len`` are by default.
MOST_BYTES = 512 * 1024


@dataclass
class _Answer:
    """What urllib3 would bring."""

    status: int
    data: bytes
    headers: Mapping[str, str]

    def read(self, most: int) -> bytes:
        part, self.data = self.data[:most], self.data[most:]
        return part

    def close(self) -> None:
        """Nothing is open here."""

    release_conn = close


class _Refused(Exception):
    """One operation of a transaction is not so."""


class FakeConsul:
    """One Consul; ``client()`` makes as many clients of it as a test wants."""

    def __init__(self) -> None:
        self.index = 10
        self.keys: dict[str, dict[str, Any]] = {}
        self.sessions: set[str] = set()
        #: session -> its name and node; of one that a test made by hand there is none.
        self.session_rows: dict[str, dict[str, str]] = {}
        #: What ``operator/autopilot/health`` answers: status and body.
        self.autopilot: tuple[int, Any] = (200, {"Healthy": True, "Servers": []})
        #: Rows of ``catalog/service/gluster`` and of ``health/state/any``, as a test puts them.
        self.catalog: list[dict[str, Any]] = []
        self.checks: list[dict[str, Any]] = []
        #: The checks of the agent at hand, by id.
        self.agent_checks: dict[str, dict[str, Any]] = {}
        #: What gossip says: names with Serf's numbers.
        self.members: list[dict[str, Any]] = []
        self.node, self.nodes, self.leader = "m1", {"m1"}, "10.0.0.1:8300"
        #: Method and path of everything that was asked.
        self.requests: list[str] = []
        #: Called before each answer; may raise a ``ConsulError`` or change what is there.
        self.before: Callable[[str, str], None] = lambda method, path: None
        #: False: it has a leader, renews sessions and answers reads, and can store nothing.
        self.takes_writes = True

    def client(self) -> Client:
        """Return a client that speaks to nobody else."""
        return Client(Access(), transport=_Wire(self))

    def end_session(self, session: str) -> None:
        """Let a session end as Consul does: its locks are free, its keys stay."""
        self.sessions.discard(session)
        for key, row in list(self.keys.items()):
            if row["Session"] == session:
                self._set(key, row["Value"], session="")

    # --- keys ------------------------------------------------------------------------------------

    def _set(self, key: str, value: bytes, session: str | None = None) -> dict[str, Any]:
        """Write; the index moves only where value or lock are others than before."""
        old = self.keys.get(key)
        held = (old["Session"] if old else "") if session is None else session
        if old and (old["Value"], old["Session"]) == (value, held):
            return old
        made = old["CreateIndex"] if old else self.index
        self.keys[key] = {"Key": key, "Value": value, "Session": held, "Flags": 0,
                          "CreateIndex": made, "ModifyIndex": self.index}  # fmt: skip
        return self.keys[key]

    def _fits(self, key: str, index: int) -> bool:
        return index == (self.keys[key]["ModifyIndex"] if key in self.keys else 0)

    def _rows(self, prefix: str) -> list[dict[str, Any]]:
        return [self.keys[key] for key in sorted(self.keys) if key.startswith(prefix)]

    def _put(self, key: str, value: bytes, words: Mapping[str, str]) -> bool:
        if "cas" in words and not self._fits(key, int(words["cas"])):
            return False
        holder = self.keys.get(key, {}).get("Session", "")
        session = words.get("acquire") or words.get("release")
        if session and session not in self.sessions:
            raise LookupError("invalid session")
        if "acquire" in words and holder not in ("", session):
            return False
        if "release" in words and holder != session:
            return False
        self._set(key, value, session and ("" if "release" in words else session))
        return True

    def _operation(self, op: Mapping[str, Any]) -> list[dict[str, Any]]:
        verb, key = op["Verb"], op["Key"]
        index, row = op.get("Index", 0), self.keys.get(key)
        value = base64.b64decode(op.get("Value") or "")
        wrong = {
            "cas": not self._fits(key, index),
            "check-index": not row or not self._fits(key, index),
            "check-not-exists": row is not None,
            "check-session": not row or row["Session"] != op.get("Session"),
            "get": row is None,
        }
        if wrong.get(verb):
            raise _Refused(f'failed to do "{verb}" on key "{key}"')
        if verb in ("set", "cas"):
            return [{**self._set(key, value), "Value": b""}]
        if verb == "delete":
            self.keys.pop(key, None)
        if verb == "delete-tree":
            for below in [name for name in self.keys if name.startswith(key)]:
                del self.keys[below]
        if row and verb in ("check-index", "check-session"):
            return [{**row, "Value": b""}]
        return self._rows(key) if verb == "get-tree" else [row] if verb == "get" and row else []

    def _transaction(self, ops: list[Mapping[str, Any]]) -> tuple[int, Any]:
        before, results, errors = dict(self.keys), [], []
        for number, op in enumerate(ops):
            try:
                results += [{"KV": _shown(row)} for row in self._operation(op["KV"])]
            except _Refused as why:
                errors.append({"OpIndex": number, "What": str(why)})
        if errors:
            self.keys = before
            return 409, {"Results": None, "Errors": errors}
        return 200, {"Results": results, "Errors": None}

    # --- HTTP ------------------------------------------------------------------------------------

    def answer(self, method: str, url: str, body: bytes) -> tuple[int, Any]:
        """Return status and body of one request."""
        parts = urlsplit(url)
        path = unquote(parts.path).removeprefix("/v1/")
        words = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.requests.append(f"{method} {path}")
        self.before(method, path)
        if not self.takes_writes and _is_write(method, path, body):
            raise ConsulError("the agent did not answer in time.", kind="timeout", maybe_done=True)
        self.index += method != "GET"
        if len(body) > MOST_BYTES:
            return 413, "Request body too large"
        if path.startswith("kv/"):
            return self._kv(method, path[3:], words, body)
        if path == "txn":
            return self._transaction(json.loads(body))
        return self._other(path, words, body)

    def _kv(
        self, method: str, key: str, words: Mapping[str, str], body: bytes
    ) -> tuple[int, Any]:  # fmt: skip
        if method == "PUT":
            try:
                return 200, self._put(key, body, words)
            except LookupError as why:
                return 500, str(why)
        if method == "DELETE":
            if "cas" in words and not self._fits(key, int(words["cas"])):
                return 200, False
            for row in self._rows(key) if "recurse" in words else [{"Key": key}]:
                self.keys.pop(row["Key"], None)
            return 200, True
        tree = "recurse" in words or "keys" in words
        rows = self._rows(key) if tree else [self.keys[key]] if key in self.keys else []
        if not rows:
            return 404, ""
        if "keys" in words:
            return 200, _names([r["Key"] for r in rows], key, words.get("separator", ""))
        return 200, [_shown(r) for r in rows]

    def _other(self, path: str, words: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        what, _, name = path.rpartition("/")
        if path == "session/list":
            rows = self.session_rows
            return 200, [{"ID": s, **rows[s]} for s in sorted(self.sessions) if s in rows]
        if path == "operator/autopilot/health":
            return self.autopilot
        if what == "session":
            self.sessions.add(made := str(uuid4()))
            name = str(json.loads(body or b"{}").get("Name", ""))
            self.session_rows[made] = {"Name": name, "Node": self.node}
            return 200, {"ID": made}
        if what == "session/renew":
            return (200, [{"ID": name}]) if name in self.sessions else (404, "no such session")
        if what == "session/destroy":
            self.end_session(name)
            return 200, True
        if what == "health/state":
            return 200, [row for row in self.checks if name in ("any", row["Status"])]
        if what == "health/checks":  # asked for what stands where Consul's own checks should stand
            return 200, [row for row in self.checks if _overwrites(row)]
        if what == "catalog/service" and "filter" in words:
            others = "!=" in words["filter"]
            return 200, [row for row in self.catalog if is_own_row(row) != others]
        if path == "agent/checks":
            return 200, self.agent_checks
        if path == "agent/members":
            return 200, self.members
        known = {
            "catalog/service": self.catalog,
            "catalog/node": {"Node": {"Node": name}} if name in self.nodes else None,
            "health/service": [_with_checks(row, self.checks) for row in self.catalog],
            "status": self.leader,
            "agent": {"Config": {"NodeName": self.node}},
        }
        return (200, known[what]) if what in known else (404, f"the fake has no {path}")


def _overwrites(row: Mapping[str, Any]) -> bool:
    own = row["CheckID"] in (SERF, NODE_MAINTENANCE) and bool(row.get("ServiceID"))
    return own or (row["CheckID"] == SERVICE_MAINTENANCE and row["Status"] != "critical")


def _names(keys: list[str], prefix: str, separator: str) -> list[str]:
    """Return the names, as far as to the first separator behind the prefix."""
    if not separator:
        return keys
    short = (k[: k.find(separator, len(prefix)) + 1] or k for k in keys)
    return list(dict.fromkeys(short))


def _is_write(method: str, path: str, body: bytes) -> bool:
    if path == "txn":
        return any(
            op["KV"]["Verb"] in ("set", "cas", "delete", "delete-tree") for op in json.loads(body)
        )
    return method != "GET" and not path.startswith("session/renew")


class _Wire(Transport):
    """The transport, with the fake where the network would be."""

    def __init__(self, consul: FakeConsul) -> None:
        super().__init__(Access())
        self._consul = consul

    def _send(self, method: str, url: str, request: Mapping[str, Any]) -> Any:
        code, body = self._consul.answer(method, url, request["body"] or b"")
        data = body.encode() if isinstance(body, str) and code != 200 else json.dumps(body).encode()
        return _Answer(code, data, {"X-Consul-Index": str(self._consul.index)})


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "Value": base64.b64encode(row["Value"]).decode()}


def _with_checks(row: Mapping[str, Any], checks: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a row of the catalog in the form of ``health/service``."""
    return {
        "Node": {"Node": row["Node"], "Address": row.get("Address", "")},
        "Service": {"Meta": row["ServiceMeta"], "Address": row.get("ServiceAddress", "")},
        "Checks": [c for c in checks if c["Node"] == row["Node"]],
    }
