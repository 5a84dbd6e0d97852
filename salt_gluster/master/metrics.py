"""Serve ``/metrics`` from the copy of the pool in Consul: no node is asked, no gluster is started.

However many scrape, Consul is read every ``PAUSE_S`` at most, and not at all while nobody does.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from salt_gluster.consul.known_reports import KnownReports
from salt_gluster.consul.pool import PoolClient
from salt_gluster.errors import GlusterError, SpecError
from salt_gluster.master import status
from salt_gluster.render.exposition import client_library, exposition
from salt_gluster.status.freshness import PoolCopy, copy_of
from salt_gluster.status.metrics import (
    EngineFigures,
    Sample,
    automation_samples,
    engine_samples,
    pool_samples,
)

log = logging.getLogger(__name__)

#: Who may ask, unless it is configured: this machine.
ADDRESS, PORT = "127.0.0.1", 9713
#: Between two reads of the pool; more where one takes long.
PAUSE_S = 5.0
#: The first scrape waits so long for the pool: Prometheus itself waits for 10 s.
FIRST_S = 5.0
#: Nobody reads any longer when nobody has scraped for so long.
IDLE_S = 300.0
_NO_COPY = Sample("gluster_copy_usable", 0)
_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Exporter:
    """The samples of one engine. ``connect`` opens the pool in Consul, ``figures`` are its own.

    The pool is read by a thread of its own, for as long as somebody scrapes; a scrape waits for it
    only the first time.
    """

    def __init__(
        self, connect: Callable[[], PoolClient], figures: Callable[[], EngineFigures], name: str,
        *, clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._connect, self._figures, self._name, self._clock = connect, figures, name, clock
        self._guard, self._known = threading.Lock(), KnownReports()
        self._thread: threading.Thread | None = None
        self._wanted_at = clock()
        #: What was read last, and when.
        self._kept: tuple[str, float] | None = None
        self._is_read = threading.Event()

    def text(self) -> str:
        """Return what is scraped: the pool as of a moment ago, the engine as of now."""
        with self._guard:
            self._wanted_at = self._clock()
            if self._thread is None:
                self._is_read.clear()
                self._thread = threading.Thread(
                    target=self._read_on, name="gluster-metrics-reader", daemon=True
                )
                self._thread.start()
        self._is_read.wait(FIRST_S)
        own = engine_samples(self._figures())
        if self._kept is None:
            return exposition(own)
        text, read_at = self._kept
        age = Sample("gluster_copy_read_age_seconds", self._clock() - read_at)
        return exposition([*own, age]) + text

    def read(self) -> float:
        """Read the pool; return how many seconds it took."""
        began = self._clock()
        try:
            self._kept = exposition(list(self._of_pool())), began
        except Exception:
            log.exception("the pool could not be read for /metrics")
            self._kept = exposition([_NO_COPY]), began
        return self._clock() - began

    def _read_on(self) -> None:
        """Read again and again, a tenth of the time at most; end when nobody has scraped long."""
        while True:
            took_s = self.read()
            self._is_read.set()
            time.sleep(max(PAUSE_S, 9 * took_s))
            with self._guard:
                if self._clock() - self._wanted_at > IDLE_S:
                    self._thread = None
                    return

    def _of_pool(self) -> Iterator[Sample]:
        """Yield what the copy tells; of one that cannot be shown only that."""
        try:
            with self._connect() as pool:
                snapshot = pool.snapshot(reports=True)
                yield from automation_samples(snapshot.status)
                kept = status.stored(snapshot, self._name, pool.now(), self._known)
                copy = kept if isinstance(kept, str) else copy_of(kept)
        except GlusterError as err:
            copy = str(err)
        if not isinstance(copy, PoolCopy):
            log.info("no metrics of the pool: %s", copy)
            yield _NO_COPY
            return
        yield Sample("gluster_copy_usable", 1)
        yield from pool_samples(status.of_copy(copy), copy.reports)


def begin(exporter: Exporter, wanted: Any) -> ThreadingHTTPServer | None:
    """Serve it unless that is turned off, or not asked for and not to be had. Never raises."""
    if wanted is False:
        return None
    try:
        return serve(exporter, True if wanted is None else wanted)
    except GlusterError as err:
        log.log(logging.INFO if wanted is None else logging.ERROR, "%s", err)
        return None


def serve(exporter: Exporter, wanted: Any) -> ThreadingHTTPServer:
    """Serve it in a thread; ``wanted``, of the engine, is true or ``{address, port}``."""
    client_library()
    where = _where(wanted)
    try:
        server = ThreadingHTTPServer(where, _handler(exporter))
    except OSError as err:
        place = ":".join(map(str, where))
        raise GlusterError(f"metrics cannot be served on {place}: {err.strerror}.",
                           kind="no_metrics") from err  # fmt: skip
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="gluster-metrics", daemon=True).start()
    return server


def _where(wanted: Any) -> tuple[str, int]:
    options = {} if wanted is True else wanted
    if not isinstance(options, Mapping) or set(options) - {"address", "port"}:
        raise SpecError("metrics", f"{wanted!r} is neither true nor address and port.",
                        hint="metrics: {address: 127.0.0.1, port: 9713}")  # fmt: skip
    port = options.get("port", PORT)
    if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port < 65536:
        raise SpecError("metrics:port", f"{port!r} is no port.")
    return str(options.get("address", ADDRESS)), port


def _handler(exporter: Exporter) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answer ``/metrics``, and nothing else."""

        timeout = 10

        def do_GET(self) -> None:
            """Answer one scrape."""
            if self.path.partition("?")[0] != "/metrics":
                self._answer(404, "See /metrics.\n")
                return
            try:
                self._answer(200, exporter.text())
            except Exception:
                log.exception("a scrape failed")
                self._answer(500, "The scrape failed; see the log of the Salt master.\n")

        def _answer(self, code: int, text: str) -> None:
            body = text.encode()
            self.send_response(code)
            self.send_header("Content-Type", _TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing of each scrape."""

    return Handler
