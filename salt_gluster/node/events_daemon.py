"""GlusterFS's events daemon on this node: its webhooks, since when it runs, an event to try it.

The file is written here and not by ``gluster-eventsapi webhook-add``: that fails on the whole pool
while one node is away or lacks the directory, shows the token in its arguments, and leaves the file
readable by every user; its ``status`` and ``reload`` believe a pid file that the daemon removes as
soon as it listens, so they say "down" and do nothing (facts.md#C-D.2).
"""

from __future__ import annotations

import contextlib
import fcntl
import http.client
import json
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from salt_gluster.errors import GlusterError, Unreadable
from salt_gluster.node.files import open_lock, write_atomically
from salt_gluster.node.glusterd import GLUSTERD_DIR, started_scripts

FOLDER = GLUSTERD_DIR + "/events"
WEBHOOKS = FOLDER + "/webhooks.json"
CONFIG = FOLDER + "/config.json"
#: What the package was built with: glusterd sends to this port, whatever ``CONFIG`` says.
DEFAULTS = "etc/glusterfs/eventsconfig.json"
PORT = 55555
#: CLIENT_CONNECT: the commonest of all, so that other webhooks are not alarmed by it.
_HARMLESS = 97
_LOCK_S = 10.0


@dataclass(frozen=True)
class Eventsd:
    """What is so. ``webhooks`` as they stand in the file: url -> its entry."""

    webhooks: Mapping[str, Any]
    #: The mode of the directory; None = it is not there.
    mode: int | None
    #: When the process that posts was started; None = it does not run.
    since: float | None
    changed_at: float | None
    listens: int
    port: int

    @property
    def is_current(self) -> bool:
        """Whether the daemon has read the file as it is: it does so only when it starts."""
        return self.since is not None and (self.changed_at is None or self.changed_at <= self.since)


def eventsd(root: str | Path = "/") -> Eventsd:
    """Return what is so; ``Unreadable`` for a file that is not as GlusterFS writes it."""
    base = Path(root)
    folder, file = base / FOLDER, base / WEBHOOKS
    mode = folder.stat().st_mode & 0o7777 if folder.is_dir() else None
    changed_at = file.stat().st_mtime if file.exists() else None
    port = int(_read(base / DEFAULTS).get("port", PORT))
    listens = int(_read(base / CONFIG).get("port", port))
    started = started_scripts("glustereventsd", base) if (base / GLUSTERD_DIR).is_dir() else ()
    return Eventsd(_read(file), mode, max(started, default=None), changed_at, listens, port)


def _read(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
        webhooks = json.loads(text) if text.strip() else {}
    except FileNotFoundError:
        return {}
    except ValueError:
        webhooks = None
    if not isinstance(webhooks, dict):
        raise Unreadable(
            f"{file} is not as GlusterFS writes it; nothing was changed.",
            hint="Mend it, or remove it and add your own webhooks again.",
        )
    return webhooks


def close_events_folder(root: str | Path = "/") -> None:
    """Make the directory, which no package brings, and close it to other users.

    ``gluster-eventsapi`` writes the file, with every token in it, readable by all.
    """
    folder = Path(root) / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)


def write_webhooks(
    change: Callable[[dict[str, Any]], dict[str, Any]], root: str | Path = "/"
) -> None:
    """Change the file under the lock that ``gluster-eventsapi`` takes; others' entries stay."""
    file = Path(root) / WEBHOOKS
    with _locked(file):
        text = json.dumps(change(_read(file)))
        write_atomically(file, text, 0o600)


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Hold the lock of the file that has this name: its holder before may have replaced it."""
    end = time.monotonic() + _LOCK_S
    while True:
        handle = open_lock(file)
        try:
            if _is_ours(handle, file):
                yield
                return
        finally:
            os.close(handle)
        if time.monotonic() > end:
            raise GlusterError(f"{file} is locked by another program.", kind="node_busy",
                               hint="See which: fuser -v " + str(file))  # fmt: skip
        time.sleep(0.05)


def _is_ours(handle: int, file: Path) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(handle), file.stat())
    except (BlockingIOError, FileNotFoundError):
        return False


# --- trying it -----------------------------------------------------------------------------------


def send_event(port: int, key: str, sign: str) -> None:
    """Hand the daemon an event as glusterd does; whether it took it is not reported."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        datagram = f"{int(time.time())} {_HARMLESS} {key}={sign}".encode()
        with contextlib.suppress(OSError):  # no listener: refused, told by the second one
            sender.sendto(datagram, ("127.0.0.1", port))


def arrived(url: str, token: str, sign: str, limit_s: float) -> bool | str:
    """Return whether the receiver has that event, or why it cannot be asked."""
    parts = urlsplit(url)
    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    try:
        connection = kinds[parts.scheme](parts.hostname or "", parts.port, timeout=limit_s)
        with contextlib.closing(connection):
            path = f"{parts.path.rstrip('/')}/{sign}"
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
            code = connection.getresponse().status
    except (OSError, ValueError, KeyError, http.client.HTTPException) as err:
        return f"it does not answer ({err or type(err).__name__})"
    if code in (401, 403):
        return "it refuses the token"
    return code == 200 if code in (200, 404) else f"it answers {code}"
