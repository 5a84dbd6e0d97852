"""Refuse a repair that is set back again and again.

A drift is repaired without a refusal. When this node has made the very same change three times in
a day, another declaration or an operator sets it back, and one of the two has to give way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from salt_gluster.model import Plan, Refusal

#: Repairs of one kind within the time below, after which the next one is refused.
MOST = 3
WITHIN_S = 24 * 3600.0

REFUSAL = "changed_by_another_hand"

#: Plan id -> when this node carried that plan out.
Repairs = Mapping[str, Sequence[float]]


def with_repeats(plan: Plan, repairs: Repairs, now: float) -> Plan:
    """Return the plan, refused if this node has carried it out too often."""
    times = lately(repairs.get(plan.id, ()), now) if repairs and is_repair(plan) else ()
    if len(times) < MOST:
        return plan
    why = (
        f"this node has made this very change {len(times)} times within a day, and each time it "
        "was set back by something else: another pillar, or an operator"
    )
    ways = (
        "find who        /var/log/glusterfs/cmd_history.log on every member",
        "give way        change the declaration to what is there",
    )
    return replace(plan, refusals=(*plan.refusals, Refusal(REFUSAL, why, ways)))


def lately(times: Sequence[float], now: float) -> list[float]:
    """Return the times that still count."""
    return [t for t in times if 0 <= now - t < WITHIN_S]


def is_repair(plan: Plan) -> bool:
    """Whether the plan changes something that was there; making a volume anew is none."""
    steps = [s for s in plan.steps if s.place == "pool"]
    return bool(steps) and all(s.action != "volume_create" for s in steps)
