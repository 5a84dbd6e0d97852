"""Turn a document into the value of its key, and back. No HTTP and no key names here.

A document is plain data. It stands in its key whole: as JSON that an operator can read, compressed
with LZMA where that is too long for a transaction. Who reads it never finds half of it.

Any node can write the values of its own keys. What is read has limits, before anything is made of
it: 80 bytes may not become gigabytes, and a document that is too deep not end who reads it.
"""

from __future__ import annotations

import json
import lzma
from typing import Any

from salt_gluster.errors import ConsulError

#: A transaction takes no more than about 390 KB raw (facts.md#K-5.1), and a document is written
#: together with what guards it.
MOST_BYTES = 360_000
#: Consul takes no longer value, however it is written (``kv_max_value_size``).
MOST_VALUE_BYTES = 512 * 1024
#: What all nodes write at one moment is compressed where it is longer: 200 definitions take 230 KB
#: as text and 19 KB so.
READABLE_BYTES = 8192
#: What a value may be once it is not compressed any more: 24,000 bricks take 5 MB.
MOST_PLAIN_BYTES = 24 * 1024 * 1024
#: Values in one document: each takes about 70 bytes of memory.
MOST_VALUES = 2_000_000
#: How deep lists and mappings may stand in each other; ours have seven levels.
MOST_DEPTH = 40
#: What unpacking may take: preset 6 wants 9 MB, a value may ask for gigabytes.
_MOST_MEMORY = 32 * 1024 * 1024
#: No JSON begins like this.
_PACKED = b"lzma:"
#: The quick one first: 24,000 bricks take 0.2 s with it, 2.1 s and 94 MB with the thorough one,
#: which saves another fifth.
_PRESETS = (1, 6)


def pack(document: Any, most: int = MOST_BYTES, *, readable: int | None = None) -> bytes:
    """Return a document as a value; ``ConsulError`` of kind ``too_big`` before anything is sent.

    What is longer than ``readable`` is compressed, although ``most`` would take it as it is.
    """
    plain = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    if len(plain) <= (most if readable is None else min(most, readable)):
        return plain
    small = b""
    for preset in _PRESETS:
        small = _PACKED + lzma.compress(plain, preset=preset)
        if len(small) <= most:
            return small
    raise ConsulError(
        f"a document of {len(plain)} bytes ({len(small)} compressed) is too big for Consul;"
        " nothing was written.",
        kind="too_big", hint=f"At most {most} bytes compressed.",
    )  # fmt: skip


def unpack(value: bytes) -> Any:
    """Return the document; ``ConsulError`` of kind ``unreadable`` where it is none, or too big."""
    try:
        plain = _plain(value)
        document = json.loads(plain, parse_constant=_no_number)
        if _may_be_deep(plain) and _is_deep(document):
            raise ValueError(f"lists and mappings stand in each other more than {MOST_DEPTH} deep")
        return document
    except (ValueError, lzma.LZMAError, RecursionError) as problem:
        raise ConsulError(
            f"a document in Consul is broken: {str(problem)[:200]}.", kind="unreadable",
            hint="It may have been written by hand.",
        ) from problem  # fmt: skip


def _plain(value: bytes) -> bytes:
    """Return the JSON of a value, within the limits."""
    if len(value) > MOST_VALUE_BYTES:
        raise ValueError(f"{len(value)} bytes are more than a value of Consul may have")
    if value.startswith(_PACKED):
        unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MOST_MEMORY)
        value = unpacker.decompress(value[len(_PACKED) :], MOST_PLAIN_BYTES + 1)
        if len(value) > MOST_PLAIN_BYTES:
            raise ValueError(f"it is more than {MOST_PLAIN_BYTES} bytes without its compression")
        if not unpacker.eof:
            raise ValueError("its end is missing")
    if sum(map(value.count, (b",", b"[", b"{", b":"))) > MOST_VALUES:
        raise ValueError(f"it has more than {MOST_VALUES} values")
    return value


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number")


_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def _may_be_deep(plain: bytes) -> bool:
    """Whether it may be too deep: quickly, by its brackets; those in a text count as well."""
    left = plain.translate(None, _NOT_BRACKETS)
    for _ in range(MOST_DEPTH):
        left = left.replace(b"[]", b"").replace(b"{}", b"")
        if not left:
            return False
    return True


def _is_deep(document: Any) -> bool:
    level = [document]
    for _ in range(MOST_DEPTH):
        inner = [v for v in level if isinstance(v, dict | list)]
        level = [v for c in inner for v in (c.values() if isinstance(c, dict) else c)]
    return any(isinstance(v, dict | list) for v in level)
