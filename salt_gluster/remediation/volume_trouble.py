"""Tell what is wrong in a volume that no dead brick explains. Pure; nothing is done about it."""

from __future__ import annotations

from collections.abc import Mapping

from salt_gluster.model import Ref
from salt_gluster.remediation.membership import Condition
from salt_gluster.remediation.salt_events import Notice
from salt_gluster.status.volume_trouble import ROOM, SPLIT, VolumeTroubles

#: The event that ends each kind.
_OVER = {SPLIT: "split_brain_over", ROOM: "room_back"}
_WORDS = {
    SPLIT: "no file of it is in split-brain any more",
    ROOM: "its fullest set has room again",
}


def announce(
    now: float, conditions: Mapping[Ref, Condition], troubles: VolumeTroubles
) -> tuple[dict[Ref, Condition], tuple[Notice, ...]]:
    """Return the conditions of volumes, and what is to be told: what began, and what is over."""
    before = {k: c for k, c in conditions.items() if k.kind == "volume_trouble"}
    kept: dict[Ref, Condition] = {}
    notices: list[Notice] = []
    for one in troubles.found:
        was = before.get(one.ref)
        same = was is not None and was.state == one.state
        kept[one.ref] = was if was is not None and same else Condition(one.state, now, one.name)
        if not same:
            previous = was.state if was else _OVER[one.kind]
            notices.append(
                Notice("volume", one.volume, one.name, one.state, one.state, previous, now,
                       one.why, suggest=one.ways)
            )  # fmt: skip
    for ref, condition in before.items():
        kind, _, volume = ref.id.partition("@")
        if ref in kept:
            continue
        if ref in troubles.unknown:
            kept[ref] = condition
        else:
            over = _OVER[kind]
            notices.append(
                Notice("volume", volume, condition.name, over, over, condition.state, now,
                       _WORDS[kind])
            )  # fmt: skip
    return kept, tuple(notices)
