"""Turn a document into the value of its key, and back. No HTTP and no key names here.

A document is plain data. It stands in its key whole: as JSON that an operator can read, compressed
with LZMA where that is too long for a transaction. Who reads it never finds half of it.
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
#: No JSON begins like this.
_PACKED = b"lzma:"
#: The quick one first: 24,000 bricks take 0.2 s with it, 2.1 s and 94 MB with the thorough one,
#: which saves another fifth.
_PRESETS = (1, 6)


def pack(document: Any, most: int = MOST_BYTES) -> bytes:
    """Return a document as a value; ``ConsulError`` of kind ``too_big`` before anything is sent."""
    plain = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    if len(plain) <= most:
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
    """Return the document; ``ConsulError`` of kind ``unreadable`` where it is none."""
    try:
        if value.startswith(_PACKED):
            value = lzma.decompress(value[len(_PACKED) :])
        return json.loads(value)
    except (ValueError, lzma.LZMAError) as problem:
        raise ConsulError(
            f"a document in Consul is broken: {str(problem)[:200]}.", kind="unreadable",
            hint="It may have been written by hand.",
        ) from problem  # fmt: skip
