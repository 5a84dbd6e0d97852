"""How a document becomes the value of a key, and back. No HTTP and no key names here.

A document is plain data. It stands in its key as JSON that a person can read; when that is too long
for a transaction it is compressed, and when that is too long as well it is cut into parts that lie
below the key, with a digest over the whole, so that a half-written one is never believed.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import dataclass
from typing import Any

from salt_gluster.errors import ConsulError

#: A value may have 512 KiB, but a whole transaction no more than about 390 KB raw (facts.md#K-5.1),
#: and every document is written together with something.
MOST_BYTES = 360_000
MOST_PARTS = 32
#: No JSON begins like this.
_PACKED = b"zlib:"
_PARTS = b"parts:"


@dataclass(frozen=True)
class Packed:
    """The value of the key itself, and the parts by their name below it; mostly none."""

    head: bytes
    parts: tuple[tuple[str, bytes], ...] = ()


def pack(document: Any) -> Packed:
    """Return how to write a document; ``ConsulError`` of kind ``too_big`` before anything is."""
    plain = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    if len(plain) <= MOST_BYTES:
        return Packed(plain)
    digest = hashlib.sha256(plain).hexdigest()
    small = zlib.compress(plain, 6)
    head = _PACKED + digest.encode() + b":"
    if len(head) + len(small) <= MOST_BYTES:
        return Packed(head + small)
    pieces = [small[i : i + MOST_BYTES] for i in range(0, len(small), MOST_BYTES)]
    if len(pieces) > MOST_PARTS:
        raise ConsulError(
            f"a document of {len(plain)} bytes ({len(small)} compressed) is too big for Consul;"
            " nothing was written.",
            kind="too_big", hint=f"At most {MOST_PARTS * MOST_BYTES} bytes compressed.",
        )  # fmt: skip
    parts = tuple((f"{digest[:16]}/{i:03}", piece) for i, piece in enumerate(pieces))
    return Packed(_PARTS + f"{len(pieces)}:{digest}".encode(), parts)


def part_names(head: bytes) -> tuple[str, ...]:
    """Return the names of the parts that a head speaks of; none for a whole document."""
    if not head.startswith(_PARTS):
        return ()
    try:
        count, digest = head[len(_PARTS) :].decode().split(":")
        return tuple(f"{digest[:16]}/{i:03}" for i in range(int(count)))
    except ValueError as problem:
        raise _broken("its head cannot be read") from problem


def unpack(head: bytes, parts: tuple[bytes, ...] = ()) -> Any:
    """Return the document; ``ConsulError`` of kind ``unreadable`` when it is not whole."""
    try:
        if head.startswith(_PARTS):
            digest = head.rsplit(b":", 1)[1].decode()
            return json.loads(_checked(zlib.decompress(b"".join(parts)), digest))
        if head.startswith(_PACKED):
            _, digest_bytes, small = head.split(b":", 2)
            return json.loads(_checked(zlib.decompress(small), digest_bytes.decode()))
        return json.loads(head)
    except (ValueError, zlib.error) as problem:
        raise _broken(str(problem)[:200]) from problem


def _checked(plain: bytes, digest: str) -> bytes:
    if hashlib.sha256(plain).hexdigest() != digest:
        raise ValueError("its digest does not fit")
    return plain


def _broken(why: str) -> ConsulError:
    return ConsulError(
        f"a document in Consul is broken: {why}.", kind="unreadable",
        hint="It may be half-written, or written by hand.",
    )  # fmt: skip
