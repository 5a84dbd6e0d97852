"""Compare clocks before an authority is made, and tell of one that does not count yet.

An authority made by a clock that is ahead counts for nobody until then: no agent speaks to another,
and all that their logs say is *bad certificate*. Its certificate begins a day before it was made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from salt_gluster.errors import GlusterError
from salt_gluster.master.deploy.secret_store import SecretStore
from salt_gluster.node.certificates import validity
from salt_gluster.node.clock import local_datetime

#: Who is further ahead of most nodes makes no authority.
MOST_AHEAD_S = 3600.0
#: A clock that is further away than this keeps automation from acting there (docs/tables.md).
DIFFERENT_S = 5.0


def compared(
    nodes: Collection[str], ask: Callable[..., Mapping[str, Any]],
    now: Callable[[], float] = time.time,
) -> dict[str, float]:  # fmt: skip
    """Return by how many seconds this clock is ahead of each node's that tells it.

    A node's time lies between question and answers: within that it does not differ.
    """
    asked_at = now()
    returned = ask(sorted(nodes), "status.time", "%s")
    came_at = now()
    ahead = {}
    for name, text in returned.items():
        word = str(text).strip()
        if name in nodes and word.isdigit() and len(word) < 12:
            at = float(word)
            late_s = asked_at - (at + 1)  # the word has no parts of a second
            ahead[name] = late_s if late_s > 0 else min(0.0, came_at - at)
    return ahead


def check_before_making(ahead: Mapping[str, float]) -> str:
    """Raise ``GlusterError`` if this clock is ahead of most; return which nodes' clocks differ."""
    far = [name for name, s in ahead.items() if s > MOST_AHEAD_S]
    if far and 2 * len(far) > len(ahead):
        least = min(ahead[name] for name in far)
        raise GlusterError(
            f"this master's clock is {least / 3600:.1f} h ahead of {', '.join(sorted(far)[:5])}: an"
            " authority made now might not count for as long as that, and no agent would speak to"
            " another.", kind="clock", hint="Set the clock right (timedatectl), then run this"
            " again; nothing was made.",
        )  # fmt: skip
    return differing(ahead)


def differing(ahead: Mapping[str, float]) -> str:
    """Return which nodes' clocks differ from this one, in words; "" = none."""
    rows = [f"{n} by {-s:+.0f} s" for n, s in sorted(ahead.items()) if abs(s) > DIFFERENT_S]
    if not rows:
        return ""
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    return f"The clocks differ from this master's: {', '.join(rows[:5])}{more}. Set them right."


def not_valid_now(kept: SecretStore, now: float) -> str:
    """Say why the pool's authority does not count now, and what to do; "" = it does."""
    if not kept.exists:
        return ""
    try:
        begins, ends = validity(kept.authority().certificate)
    except (OSError, ValueError):
        return ""  # damaged: who reads it says so
    if now < begins:
        return (
            f"The authority of this pool counts only from {local_datetime(begins)} on: it was made"
            " while the clock was ahead, or this clock is back. Set the clock right, wait until"
            " then, or begin anew: docs/consul.md, *To begin anew*."
        )
    if now > ends:
        return (
            f"The authority of this pool has ended, {local_datetime(ends)}: no agent speaks to"
            " another. Begin anew: docs/consul.md, *To begin anew*."
        )
    return ""
