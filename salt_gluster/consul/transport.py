"""Send requests to Consul: our HTTP under the client library's own API.

The library is py-consul >= 1.8 or python-consul 1.1.0; both import as ``consul``. Neither is fit by
itself: no time-outs or one for all, methods without the token, an environment that overrides what
was given (facts.md#K-1.3). Nothing here knows what a key or a service means.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import urllib3
import urllib3.connection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ReadTimeoutError,
)

from salt_gluster.consul.settings import Access
from salt_gluster.errors import ConsulError, NoLeader

CONNECT_S = 2.0
#: Longer than the 7 s an agent holds a call during an election (facts.md#K-2.4): a write then gets
#: its real answer, not "it may have happened".
TIMEOUT_S = 10.0
#: What an answer may take beyond its wait and the server's jitter of wait/16 (facts.md#K-3.2).
GRACE_S = 5.0
#: An answer older than this is not believed (facts.md#K-3.2).
OLDEST_S = 10.0

#: How an agent reports a connection to a server that has ended without its knowing.
_LOST_SERVER = (b"stream closed", b"session shutdown", b"EOF", b"connection reset by peer")

_FORBIDDEN = 403

Params = Sequence[tuple[str, Any]] | None


@dataclass(frozen=True)
class HttpResponse:
    """One HTTP answer; the client libraries want ``code``, ``headers`` and ``body`` of it."""

    code: int
    headers: Mapping[str, str]
    body: Any
    index: int
    digest: str


class Transport:
    """What both libraries call an HTTP client. Safe to share between threads."""

    def __init__(
        self, where: Access, *, timeout_s: float = TIMEOUT_S, connections: int = 2,
        fresh_token: Callable[[], str] | None = None,
    ) -> None:  # fmt: skip
        self._where = where
        self._fresh_token = fresh_token or (lambda: where.token)
        self._timeout_s = timeout_s
        self._here = threading.local()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._pool = self._make_pool(connections)

    def _make_pool(self, connections: int) -> urllib3.HTTPConnectionPool:
        sockets, where = self._sockets, self._where
        parts = urlsplit(where.address)
        common: dict[str, Any] = {"maxsize": connections, "block": False, "retries": False}
        if parts.scheme == "https":
            more: dict[str, Any] = {"ca_certs": where.ca} if where.ca else {}
            return urllib3.HTTPSConnectionPool(
                parts.hostname or "",
                parts.port or 8501,
                cert_reqs="CERT_REQUIRED",
                **more,
                **common,
            )

        class Connection(urllib3.connection.HTTPConnection):
            """Remember the socket, so that a thread that waits in it can be woken."""

            def _new_conn(self) -> socket.socket:
                sock = _unix(parts.path) if parts.scheme == "unix" else super()._new_conn()
                sockets.add(sock)
                return sock

        pool = urllib3.HTTPConnectionPool(
            parts.hostname or "localhost", parts.port or 8500, **common
        )
        pool.ConnectionCls = Connection
        return pool

    @property
    def last(self) -> HttpResponse:
        """The last answer that this thread got."""
        answer: HttpResponse = self._here.answer
        return answer

    # --- the API of both libraries' HTTP client: py-consul's has headers, python-consul's not ---

    def get(self, callback: Any, path: str, params: Params = None, **more: Any) -> Any:
        """GET; ``callback`` is the library's and gets the answer.

        ``most``: an answer of more bytes is not read, but a ``ConsulError`` of kind ``too_big``.
        """
        raw, most = bool(more.get("raw")), more.get("most")
        return callback(self._ask("GET", path, params, raw=raw, most=most))

    def put(
        self, callback: Any, path: str, params: Params = None, data: Any = "", **more: Any
    ) -> Any:
        """PUT."""
        return callback(self._ask("PUT", path, params, data))

    def delete(
        self, callback: Any, path: str, params: Params = None, data: Any = "", **more: Any
    ) -> Any:
        """DELETE."""
        return callback(self._ask("DELETE", path, params, data))

    def post(
        self, callback: Any, path: str, params: Params = None, data: Any = "", **more: Any
    ) -> Any:
        """POST."""
        return callback(self._ask("POST", path, params, data))

    def close(self) -> None:
        """Give the connections back."""
        self._pool.close()

    def wake(self) -> None:
        """Cut the connections: a thread that waits for an answer gets a ``ConsulError`` at once."""
        for sock in list(self._sockets):
            with contextlib.suppress(OSError):  # closed already
                sock.shutdown(socket.SHUT_RDWR)

    # --- one request -----------------------------------------------------------------------------

    def _ask(
        self, method: str, path: str, params: Params, data: Any = "", *, raw: bool = False,
        most: int | None = None,
    ) -> HttpResponse:  # fmt: skip
        pairs = [(k, v) for k, v in params or () if k != "token"]  # never into a log of URLs
        url = quote(path, safe="/:") + (f"?{urlencode(pairs)}" if pairs else "")
        headers = {"X-Consul-Token": self._where.token} if self._where.token else {}
        if isinstance(data, str):
            data = data.encode()
        timeout = urllib3.Timeout(connect=CONNECT_S, read=self._read_s(dict(pairs)))
        request: dict[str, Any] = {"body": data or None, "headers": headers, "timeout": timeout}
        if most is not None:
            request["preload_content"] = False
        answer = self._send(method, url, request)
        if method == "GET" and _lost_its_server(answer):
            answer = self._send(method, url, request)
        sent = headers.get("X-Consul-Token", "")
        if _knows_no_token(answer) and self._took_fresh_token(sent):
            request["headers"] = {"X-Consul-Token": self._where.token}
            answer = self._send(method, url, request)
        body = answer.data if most is None or answer.status != 200 else _at_most(answer, most)
        head = {name.title(): value for name, value in answer.headers.items()}
        response = HttpResponse(
            answer.status,
            {**head, "X-Consul-Index": head.get("X-Consul-Index", "0")},
            body if raw else body.decode("utf-8", "replace"),
            _number(head.get("X-Consul-Index")),
            hashlib.sha256(body).hexdigest(),
        )
        self._check(method, path, response)
        self._here.answer = response
        return response

    def _took_fresh_token(self, sent: str) -> bool:
        """Take the token that is where the sent one came from, if it is another: exchanged.

        Another thread may have taken it since: what counts is which one this request was sent with.
        """
        if (token := self._fresh_token()) in ("", sent):
            return False
        self._where = replace(self._where, token=token)
        return True

    def _send(self, method: str, url: str, request: Mapping[str, Any]) -> Any:
        try:
            return self._pool.urlopen(method, url, redirect=False, retries=False, **request)
        except (HTTPError, OSError) as problem:
            raise self._unanswered(method, problem) from problem

    def _read_s(self, params: Mapping[str, Any]) -> float:
        wait = str(params.get("wait", ""))
        return float(wait[:-1]) * 17 / 16 + GRACE_S if wait.endswith("s") else self._timeout_s

    def _unanswered(self, method: str, problem: Exception) -> ConsulError:
        where = self._where.address
        if isinstance(problem, (NewConnectionError, ConnectTimeoutError)):
            return ConsulError(
                f"no Consul agent answers at {where}.", kind="unreachable", text=str(problem),
                hint="Is it running? systemctl status consul",
            )  # fmt: skip
        kind = "timeout" if isinstance(problem, (ReadTimeoutError, TimeoutError)) else "cut_off"
        what = "did not answer in time" if kind == "timeout" else "cut the connection"
        return ConsulError(
            f"the Consul agent at {where} {what}.", kind=kind, text=str(problem),
            maybe_done=method != "GET",
        )  # fmt: skip

    def _check(self, method: str, path: str, response: HttpResponse) -> None:
        """Raise unless this is an answer that may be believed; the library sees only those."""
        text = str(response.body)[:500].strip()
        no_key = response.code == 404 and method == "GET" and path.startswith("/v1/kv/")
        if response.code == 200 or no_key:
            self._check_age(response)
        elif response.code >= 500:
            writes = method != "GET"
            if (
                "No cluster leader" in text
                or response.headers.get("X-Consul-Knownleader") == "false"
            ):
                raise NoLeader("Consul has no leader.", text=text, maybe_done=writes)
            kind = "session_gone" if "invalid session" in text.lower() else "server_error"
            raise ConsulError("Consul failed.", kind=kind, text=text,
                              maybe_done=writes and kind == "server_error")  # fmt: skip
        elif response.code == 409 and path == "/v1/txn":
            self._here.answer = (
                response  # a lost race or a missing right: client.py tells them apart
            )
            raise ConsulError("the transaction was refused.", kind="conflict", text=text)
        else:
            self._here.answer = response  # autopilot's word on servers that are not well: 429
            kind = {403: "forbidden", 404: "not_found", 413: "too_big"}.get(
                response.code, "refused"
            )
            raise ConsulError(
                f"Consul refused {method} {path} ({response.code}).", kind=kind, text=text,
                hint="The token lacks a right." if kind == "forbidden" else "",
            )  # fmt: skip

    def _check_age(self, response: HttpResponse) -> None:
        if response.headers.get("X-Consul-Knownleader") == "false":
            raise NoLeader("Consul has no leader; what it tells may be old.")
        age_s = _number(response.headers.get("X-Consul-Lastcontact")) / 1000
        if age_s > OLDEST_S:
            raise ConsulError(f"Consul's answer is {age_s:.0f} s old.", kind="stale")


def _at_most(answer: Any, most: int) -> bytes:
    """Read an answer that may be of any size; ``ConsulError`` of kind ``too_big`` beyond."""
    body = b""
    try:
        while len(body) <= most and (part := answer.read(most + 1 - len(body))):
            body += part
    except (HTTPError, OSError) as problem:
        answer.close()
        raise ConsulError("the Consul agent cut the connection.", kind="cut_off",
                          text=str(problem)) from problem  # fmt: skip
    if len(body) > most:
        answer.close()  # the rest is not read: this connection is of no use any more
        raise ConsulError(f"Consul's answer has more than {most} bytes.", kind="too_big")
    answer.release_conn()
    return body


def _knows_no_token(answer: Any) -> bool:
    """Return whether Consul does not know the token at all: then nothing was done."""
    return bool(answer.status == _FORBIDDEN and b"ACL not found" in answer.data)


def _lost_its_server(answer: Any) -> bool:
    """Return whether the agent used a connection to a server that has restarted since.

    The agent keeps such connections and finds them dead only by using them: the first question
    fails, the next one opens a new connection.
    """
    return answer.status == 500 and any(sign in answer.data for sign in _LOST_SERVER)


def _number(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0


def _unix(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(CONNECT_S)
    try:
        sock.connect(path)
    except OSError as problem:
        sock.close()
        raise ConsulError(
            f"no Consul agent answers at {path}.", kind="unreachable", text=str(problem),
            hint="Is it running? systemctl status consul",
        ) from problem  # fmt: skip
    return sock


def answers(where: Access) -> bool:
    """Return whether an agent answers there at all: also "forbidden" and "no leader" are answers.

    Costs no library: a highstate of a node without Consul asks this.
    """
    transport = Transport(where, timeout_s=CONNECT_S)
    try:
        transport.get(lambda answer: answer, "/v1/status/leader")
    except ConsulError as err:
        return err.kind not in ("unreachable", "timeout", "cut_off")
    finally:
        transport.close()
    return True


# --- the library on top --------------------------------------------------------------------------


def library(transport: Transport) -> Any:
    """Return the installed client library's ``Consul`` object, speaking through our transport.

    Only py-consul has ``consul.exceptions`` (facts.md#K-1.2).
    """
    try:
        import consul
        import consul.base
    except ImportError as problem:
        raise ConsulError(
            "no client library for Consul is installed.", kind="no_library", text=str(problem),
            hint="Install it: pip install py-consul",
        ) from problem  # fmt: skip

    def connect(*_: Any, **__: Any) -> Transport:
        return transport

    base: Any = consul.base.Consul
    if library_name() == "py-consul":
        kind: Any = type("Library", (base,), {"http_connect": connect})
        made: Any = kind("here", 0, scheme="http", verify=True)
    else:
        # Not constructed: it would read CONSUL_HTTP_ADDR first, and raises on one with a scheme.
        made = object.__new__(base)
        made.http, made.scheme, made.dc, made.consistency = transport, "http", None, "default"
        for name in ("kv", "txn", "agent", "catalog", "health", "session", "status", "operator"):
            part = name.upper() if name == "kv" else name.capitalize()
            setattr(made, name, getattr(base, part)(made))
    made.token = None  # the transport has it: the library forgets it on 17 methods (facts.md#K-1.3)
    return made


def library_name() -> str:
    """Return which client library is installed here."""
    import consul

    return "py-consul" if hasattr(consul, "exceptions") else "python-consul"
