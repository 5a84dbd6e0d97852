"""Names and TCP ports, each with a limit: a slow name stops a whole glusterd (facts.md#G-0.9)."""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from salt_gluster.model import Unknown


def resolve(name: str, limit_s: float = 2) -> tuple[str, ...] | Unknown:
    """Return the addresses of ``name``, or Unknown when it has none or none came in ``limit_s``.

    The resolver cannot be interrupted, so it runs in a thread that is left behind.
    """
    answer: queue.Queue[tuple[str, ...] | Unknown] = queue.Queue(1)

    def ask() -> None:
        try:
            rows = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as problem:
            answer.put(Unknown(f"{name!r} does not resolve on this node: {problem}"))
        else:
            answer.put(tuple(dict.fromkeys(str(row[4][0]) for row in rows)))

    threading.Thread(target=ask, daemon=True, name="salt-gluster-resolve").start()
    try:
        return answer.get(timeout=limit_s)
    except queue.Empty:
        return Unknown(f"{name!r} did not resolve within {limit_s:g} s on this node")


def resolve_all(names: Sequence[str], limit_s: float = 2) -> dict[str, tuple[str, ...] | Unknown]:
    """Return what each name resolves to, all of them within ``limit_s`` together."""
    end = time.monotonic() + limit_s
    with ThreadPoolExecutor(min(32, len(names) or 1)) as several:
        found = several.map(lambda n: resolve(n, max(0.01, end - time.monotonic())), names)
        return dict(zip(names, found, strict=True))


def strange_address(name: str, limit_s: float = 2) -> str:
    """Return the address that an own name has here and this machine has not, "" where all is well.

    A name that does not resolve is no such case: others may still know it.
    """
    addresses = resolve(name, limit_s)
    if isinstance(addresses, Unknown) or any(map(_is_here, addresses)):
        return ""
    return addresses[0]


def _is_here(address: str) -> bool:
    """Whether this machine has an address: only such a one can be bound."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind((address, 0))
        return True
    return False


def accepts(host: str, port: int = 24007, limit_s: float = 1) -> bool:
    """Return whether ``host`` accepts a TCP connection on ``port``, all within ``limit_s``.

    24007 is glusterd's port. A frozen process still accepts: the kernel does it.
    """
    end = time.monotonic() + limit_s
    addresses = resolve(host, limit_s)
    if isinstance(addresses, Unknown):
        return False
    for address in addresses:
        left = end - time.monotonic()
        if left <= 0:
            return False
        try:
            with socket.create_connection((address, port), timeout=left):
                return True
        except OSError:
            continue
    return False


def reaches_from(host: str, port: int) -> str:
    """Return the own address from which ``host`` is reached, "" when it is not; sends nothing."""
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((host, port))
            return str(probe.getsockname()[0])
    return ""
