"""Receive GlusterFS's own events on a master, and wake the leader by them.

A small HTTP server on one address: whoever has the token may post an event, and may ask whether an
event that it sent to try the way has arrived. Everybody else hears 401, whatever was asked. What an
event means stands in ``gluster/events.py``; what goes on from here is one key in Consul.
"""

from __future__ import annotations

import contextlib
import hmac
import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from salt_gluster.consul.client import Client
from salt_gluster.consul.keys import Keys
from salt_gluster.errors import ConsulError, SpecError, Unreadable
from salt_gluster.gluster.events import (
    PATH,
    PORT,
    Debouncer,
    Deduplicator,
    GlusterEvent,
    encode_wakeup,
    event_from,
)

log = logging.getLogger(__name__)

#: VOLUME_CREATE of some hundred bricks has 20 KB.
MOST_BYTES = 256 * 1024
MOST_DRAINED = 16 * 1024
#: A token that can be guessed is none.
SHORTEST_TOKEN = 16
#: Every node has one connection at a time and one more for its proof.
MOST_CONNECTIONS = 256
#: For one read; and for a whole request, however slowly it drips.
READ_S, REQUEST_S = 5.0, 10.0
#: Of a port or an address that is not free yet, and of a Consul that does not answer.
PAUSES_S = (1.0, 10.0)
CONSUL_S = 3.0
_EVERYWHERE = ("", "0.0.0.0", "::", "*")


@dataclass(frozen=True)
class ReceiverSettings:
    """Where to listen, and the token that the nodes have."""

    address: str
    token: str
    port: int = PORT
    cluster: str = "main"


def settings(given: Mapping[str, Any]) -> ReceiverSettings:
    """Return checked settings; ``SpecError`` names the argument of the engine that is wrong."""
    address, token = str(given.get("address") or ""), str(given.get("token") or "")
    if address in _EVERYWHERE:
        raise SpecError(
            "gluster_events:address", "the events of the pool are taken at one address only.",
            hint="Name the address of this master that the nodes reach.",
        )  # fmt: skip
    if len(token) < SHORTEST_TOKEN or not token.isascii() or not token.isprintable():
        raise SpecError(
            "gluster_events:token", f"a token of at least {SHORTEST_TOKEN} characters is needed.",
            hint="One way to make one: openssl rand -hex 24.",
        )  # fmt: skip
    try:
        port = int(given.get("port") or PORT)
    except (TypeError, ValueError):
        raise SpecError("gluster_events:port", "this is no number.") from None
    return ReceiverSettings(address, token, port, str(given.get("cluster") or "main"))


# --- the server ----------------------------------------------------------------------------------


class Receiver(ThreadingHTTPServer):
    """The server. ``take`` gets every event and may raise ``Unreadable``; it must not wait.

    A daemon of GlusterFS posts without a time limit and one after the other: who keeps it waiting
    keeps all the events of that node.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self,
        where: ReceiverSettings,
        take: Callable[[bytes], None],
        has_arrived: Callable[[str], bool],
    ) -> None:
        self.take, self.has_arrived = take, has_arrived
        self._token = where.token.encode()
        self._open: dict[socket.socket, float] = {}
        self._guard = threading.Lock()
        self.address_family = socket.AF_INET6 if ":" in where.address else socket.AF_INET
        super().__init__((where.address, where.port), _Handler)

    def is_allowed(self, header: str) -> bool:
        """Whether the header carries the token, in a time that does not tell how much was right."""
        given = header.encode("latin-1", "replace")
        return hmac.compare_digest(given, b"Bearer " + self._token)

    # --- limits ----------------------------------------------------------------------------------

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Refuse, without a word, more connections than the nodes of a pool need."""
        with self._guard:
            if len(self._open) >= MOST_CONNECTIONS:
                return False
            self._open[request] = time.monotonic() + REQUEST_S
        return True

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """End what takes too long; called twice a second."""
        now = time.monotonic()
        with self._guard:
            late = [connection for connection, until in self._open.items() if until < now]
        for connection in late:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a request of %s was given up", client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    """One request. No answer has a body, and none says why."""

    timeout = READ_S
    server: Receiver

    def do_POST(self) -> None:
        length = self._length()
        if length is None:
            self._answer(411)
        elif length > MOST_BYTES:
            self._answer(413)
        elif length and not self._taken(self.rfile.read(length), length):
            self._answer(400)
        else:
            self._answer(200)

    def do_GET(self) -> None:
        """Say whether an event with this sign has arrived."""
        sign = self.path.removeprefix(PATH + "/")
        self._answer(200 if self.server.has_arrived(sign) else 404)

    def parse_request(self) -> bool:
        """Know who asks before anything else is looked at."""
        if not super().parse_request():
            return False
        if not self.server.is_allowed(self.headers.get("Authorization", "")):
            return self._refused(401)
        if self.path != PATH and not self.path.startswith(PATH + "/"):
            return self._refused(404)
        return True

    def _refused(self, code: int) -> bool:
        """Read what was sent, within reason, or the answer is lost in a reset."""
        self.rfile.read(min(self._length() or 0, MOST_DRAINED))
        self._answer(code)
        return False

    def _length(self) -> int | None:
        lengths = self.headers.get_all("Content-Length") or []
        if len(lengths) != 1 or not (
            lengths[0].isascii() and lengths[0].isdigit() and len(lengths[0]) < 16
        ):
            return None
        return None if "Transfer-Encoding" in self.headers else int(lengths[0])

    def _taken(self, body: bytes, length: int) -> bool:
        if len(body) < length:
            return False
        try:
            self.server.take(body)
        except Unreadable:
            return False
        return True

    def _answer(self, code: int) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.wfile.write(f"HTTP/1.0 {code} \r\nContent-Length: 0\r\n\r\n".encode())

    def send_error(self, code: int, *texts: Any, **more: Any) -> None:
        """Answer what the library finds wrong; a method that we do not have among it.

        Whoever has not shown the token hears the same as everybody without one.
        """
        shown = getattr(self, "headers", None)
        known = shown is not None and self.server.is_allowed(shown.get("Authorization", ""))
        self._answer(int(code) if known else 401)

    def log_message(self, *texts: Any) -> None:
        """Keep quiet: a scan must not fill the log, and no header belongs in it."""


# --- what becomes of an event --------------------------------------------------------------------


class WakeupPublisher:
    """Drops duplicates and debounces in the server's threads, writes to Consul in its own.

    ``put`` may raise.
    """

    def __init__(
        self, put: Callable[[bytes], object], name: str, *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._put, self._name, self._clock = put, name, clock
        self._duplicates, self._debouncer = Deduplicator(), Debouncer()
        self._probes: deque[str] = deque(maxlen=1000)
        self._guard = threading.Lock()
        self._news = threading.Event()
        self._pause_s = 0.0

    def take(self, body: bytes) -> None:
        """Take one post."""
        post = event_from(body)
        with self._guard:
            if post.probe:
                self._probes.append(post.probe)
            elif self._duplicates.is_news(post, self._clock()):
                self._hear(post)

    def _hear(self, post: GlusterEvent) -> None:
        log.info("%s %s %r, told by %s", post.event, post.kind.subject, post.name, post.node)
        if post.kind.wakes:
            self._debouncer.add(post.nodes)
            self._news.set()

    def has_arrived(self, sign: str) -> bool:
        """Whether a post with this sign was taken."""
        with self._guard:
            return sign in self._probes

    def run(self) -> None:
        """Tell, for ever."""
        while True:
            pause_s = self.step()
            if pause_s is None:
                self._news.wait()
            else:
                time.sleep(pause_s)  # news do not shorten it

    def step(self) -> float | None:
        """Tell what is due; return after how many seconds to come again, None = with the news."""
        self._news.clear()
        now = self._clock()
        with self._guard:
            nodes = self._debouncer.take(now)
            due_s = self._debouncer.due_s(now)
        if not nodes:
            return due_s
        try:
            self._put(encode_wakeup(nodes, self._name, time.time()))
            self._pause_s = 0.0
        except ConsulError as err:
            if not self._pause_s:
                log.warning("a hint could not be told yet: %s", err)
            with self._guard:
                self._debouncer.add(nodes)
            self._pause_s = min(PAUSES_S[1], max(PAUSES_S[0], 2 * self._pause_s))
            return self._pause_s
        return None


def run(
    where: ReceiverSettings, name: str, connect: Callable[[float], Client],
    *, ready: Callable[[Receiver], None] = lambda _: None,
) -> None:  # fmt: skip
    """Receive, for ever. ``connect`` makes a client of Consul with a time-out."""
    keys = Keys(where.cluster)
    client = connect(CONSUL_S)
    hints = WakeupPublisher(lambda wakeup: client.kv_put(keys.hint, wakeup), name)
    pause_s = PAUSES_S[0]
    while True:
        try:
            server = Receiver(where, hints.take, hints.has_arrived)
            break
        except OSError as err:
            log.warning("%s port %d cannot be listened on: %s", where.address, where.port, err)
            time.sleep(pause_s)
            pause_s = min(PAUSES_S[1], 2 * pause_s)
    log.info("events of GlusterFS are taken at %s port %d", where.address, where.port)
    threading.Thread(target=server.serve_forever, name="gluster-events", daemon=True).start()
    ready(server)
    hints.run()
