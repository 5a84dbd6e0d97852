"""What the bricks of this node have to heal in others, and whom they accuse of what.

A brick's own index tells it without a lock and without gluster (facts.md#G-8.1). Each copy of a
file has, for every other brick of its set, how many changes that one missed.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from salt_gluster.model import HealIndex, Unknown
from salt_gluster.node.glusterd import LocalBrick, local_bricks
from salt_gluster.node.timeouts import call_with_timeout

#: A hundred thousand entries take less than a second.
_LIMIT_S = 10.0
#: So many files of a brick are looked at for whom they accuse: each may cost a disk a seek.
MOST_LOOKED_AT = 64
_PENDING = "trusted.afr."
#: Where a directory's own handle leads: to its name in the handle of its parent.
_OF_DIRECTORY = re.compile(r"\.\./\.\./[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f-]{36}/")


def heal_indexes(root: str | Path = "/") -> dict[str, HealIndex | Unknown]:
    """Return the index of each brick of this node, by path. A disk that hangs is not waited for."""
    return {
        brick.path: call_with_timeout(
            _LIMIT_S, f"the index of {brick.path}", partial(_index, brick)
        )
        for brick in local_bricks(root)
    }


def _index(brick: LocalBrick) -> HealIndex | Unknown:
    folder = Path(brick.path) / ".glusterfs/indices/xattrop"
    try:
        with os.scandir(folder) as entries:
            gfids = [e.name for e in entries if not e.name.startswith("xattrop-")]
    except OSError as problem:
        return Unknown(f"{folder}: {problem.strerror}")
    looked_at = sorted(gfids)[:MOST_LOOKED_AT]
    accused = {gfid: dict(_accused(brick.path, gfid)) for gfid in looked_at}
    return HealIndex(
        len(gfids), brick.client, len(looked_at), {g: who for g, who in accused.items() if who}
    )


def _accused(path: str, gfid: str) -> Iterator[tuple[str, str]]:
    """Give (brick, what it misses: d for data, m for metadata) as the copy of a file has it."""
    handle = Path(path) / ".glusterfs" / gfid[:2] / gfid[2:4] / gfid
    try:
        is_directory = handle.is_symlink() and _OF_DIRECTORY.match(str(handle.readlink()))
        follow = bool(is_directory)
        for name in islice(os.listxattr(handle, follow_symlinks=follow), 100):
            if name.startswith(_PENDING) and name != f"{_PENDING}dirty":
                value = os.getxattr(handle, name, follow_symlinks=follow)
                if len(value) == 12:
                    data, metadata, _ = struct.unpack(">3I", value)
                    what = ("d" if data else "") + ("m" if metadata else "")
                    if what:
                        yield name.removeprefix(_PENDING), what
    except OSError:  # healed, or removed, while we look
        return
