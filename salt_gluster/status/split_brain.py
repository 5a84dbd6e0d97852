"""Files in split-brain, from what the copies say of each other. Pure.

A copy that no other accuses is a source to heal from. Where each copy that holds data is accused by
another, nobody can choose but a person, and reads of the file fail. A name that stands for two
different files on two bricks is not seen here: ``gluster volume heal V info split-brain`` tells it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from salt_gluster.model import HealIndex, Unknown, is_known


@dataclass(frozen=True)
class Copy:
    """One brick of a set: its host, its index, and whether it holds no data."""

    host: str
    index: HealIndex | Unknown
    is_arbiter: bool = False


def in_split_brain(copies: Sequence[Copy]) -> int | Unknown:
    """Return how many files of a replica set are, at least; Unknown where that is not told."""
    silent = [copy.host for copy in copies if isinstance(copy.index, Unknown)]
    if silent:
        return Unknown(f"not told by {', '.join(sorted(set(silent)))}")
    told = [(copy, copy.index) for copy in copies if is_known(copy.index)]
    everyone = {index.client for _, index in told}
    with_data = {index.client for copy, index in told if not copy.is_arbiter}
    if "" in everyone and any(index.entries for _, index in told):
        return Unknown("an earlier version of ours on a node tells no names of bricks")
    files = {gfid for _, index in told for gfid in index.accused}
    found = 0
    for gfid in files:
        data, metadata = (
            {
                who
                for _, index in told
                for who, misses in index.accused.get(gfid, {}).items()
                if letter in misses and who != index.client
            }
            for letter in "dm"
        )
        found += with_data <= data or everyone <= metadata
    entries = max(index.entries for _, index in told)
    looked_at = min((index.looked_at for _, index in told if index.entries), default=0)
    if not found and looked_at < entries:
        return Unknown(f"{looked_at} of {entries} entries were looked at, none is")
    return found
