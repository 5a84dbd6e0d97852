"""How many bricks of a set have to answer before a client writes: client quorum.

The type and the count of it are two options, and neither means anything alone: a count serves only
``fixed``, and ``fixed`` without a count is no quorum at all (``fix_quorum_options`` of the
translator ``cluster/replicate``). What is set is therefore judged together.
"""

from __future__ import annotations

from collections.abc import Mapping

TYPE, COUNT = "cluster.quorum-type", "cluster.quorum-count"


def default_type(replica: int) -> str:
    """Return the type of a volume that has none set; an arbiter counts as a copy.

    Sample ``volume-get-rep3-cluster.quorum-type.xml``; ``volume set help`` tells ``none`` for all.
    """
    return "auto" if replica > 2 else "none"


def bricks_needed(options: Mapping[str, str], replica: int) -> float:
    """Return how many bricks of a set have to answer; half a brick more is "with the first"."""
    kind = options.get(TYPE, default_type(replica))
    if kind == "fixed":
        count = options.get(COUNT, "")
        return int(count) if count.isdecimal() else 0
    return (replica + 1) // 2 + (0 if replica % 2 else 0.5) if kind == "auto" else 0


def weakens(before: Mapping[str, str], after: Mapping[str, str], replica: int) -> bool:
    """Return whether fewer bricks have to answer afterwards, and fewer than a majority of them.

    What keeps a majority lets no two halves write, and is no hazard.
    """
    now, then = bricks_needed(before, replica), bricks_needed(after, replica)
    return then < now and then < replica / 2 + 0.5
