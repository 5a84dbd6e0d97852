"""Parse the pillar's ``remediation:`` into the fields of a policy.

What the fields mean and their defaults stand in ``remediation/policy.py``; a test compares the
names. Durations are seconds, or text such as 90s, 30m, 1h, 2d; the ``_s`` of a name may be left
out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from salt_gluster.errors import SpecError
from salt_gluster.spec import values

MODES = ("act", "propose", "observe")
#: What may be done by itself, and how far each may go: a node that waits is always told.
RUNGS = {"restart_brick": MODES, "accept_node": MODES[:2]}
#: Rungs of the ladder that are designed but not built.
RUNGS_LATER = ("restart_glusterd", "heal", "replace_brick")
DURATIONS = (
    "accept_after_s", "tick_s", "quiet_period_s", "suspect_clear_s", "clear_max_s", "flap_window_s",
    "down_after_s", "gone_after_s", "returning_stable_s", "glusterd_hung_s", "disk_failed_s",
    "contradicted_s", "absent_s", "budget_window_s", "restart_cooldown_s", "refused_pause_s",
    "decide_twice_s", "intent_s", "settle_s", "ask_again_s", "lock_left_s", "clock_skew_s",
    "evidence_s", "sight_settle_s", "glusterd_up_s", "person_at_work_s", "storm_window_s", "calm_s",
    "zeros_apart_s", "stalled_s", "verified_s", "refused_page_s", "proposal_ends_s",
    "approval_ends_s", "maintenance_max_s",
)  # fmt: skip
#: Lists of durations.
STEPS = ("restart_after_s",)
#: Counts, and the least that makes sense of each.
COUNTS = {
    "flapping_after": 1, "restart_budget": 0, "unhealthy_divisor": 1, "storm_suspects": 1,
    "zeros": 1,
}  # fmt: skip
_LEAST_S = {"tick_s": 1.0}
#: No duration is longer, no count larger: no clock of a process takes any number of seconds.
_MOST_S, _MOST = 10 * 366 * 86400.0, 1_000_000
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?) ?([smhd])")
_ONLY = "Only restart_brick and accept_node are built; nothing else is done by itself."
_SHORT = {name.removesuffix("_s"): name for name in (*DURATIONS, *STEPS, *COUNTS)}
_OFFERED = (*RUNGS, *RUNGS_LATER, *_SHORT)
_MORE = "Known are restart_brick, accept_node and settings such as down_after, restart_budget."


def parse_remediation(value: Any, key: str) -> dict[str, Any]:
    """Return the fields that are written, flat and plain, as ``policy_from`` takes them."""
    known = {*RUNGS, *_SHORT, *_SHORT.values()}
    settings: dict[str, Any] = {}
    for name, given in values.mapping({} if value is None else value, key).items():
        at, field = f"{key}:{name}", _SHORT.get(name, name)
        if name in RUNGS_LATER:
            raise SpecError(at, "this rung is known but not built yet.", hint=_ONLY)
        if name not in known:
            raise SpecError(at, "no such key.", hint=values.nearest(name, _OFFERED) or _MORE)
        if field in settings:
            raise SpecError(at, f"{field} is written twice.", hint="Take one of them out.")
        settings[field] = _field(field, given, at)
    return settings


def checked_setting(field: str, value: Any, key: str) -> Any:
    """Return one field as ``parse_remediation`` gives it, checked in the same way.

    What stands in Consul was written by a node: it is no better than what a pillar says.
    """
    if field in RUNGS:
        return _word(value, key, RUNGS[field])
    return _field(field, value, key)


def _field(field: str, value: Any, key: str) -> Any:
    if field in RUNGS:
        return _mode(value, key, RUNGS[field])
    if field in COUNTS:
        count = values.number(value, key)
        if count < COUNTS[field]:
            raise SpecError(key, f"at least {COUNTS[field]} is expected, this is {count}.")
        if count > _MOST:
            raise SpecError(key, f"at most {_MOST} is expected.")
        return count
    if field in STEPS:
        steps = value if isinstance(value, (list, tuple)) else [value]
        if not steps:
            raise SpecError(key, "at least one duration is expected.", hint="Such as [60s, 5m].")
        return [_duration(step, f"{key}:{i}") for i, step in enumerate(steps)]
    return _duration(value, key, _LEAST_S.get(field, 0.0))


def _mode(value: Any, key: str, modes: tuple[str, ...]) -> str:
    hint = f"Such as {key.rsplit(':', 1)[-1]}: {{mode: propose}}."
    if not isinstance(value, Mapping):
        raise SpecError(
            key, f"a mapping is expected, this is {values.described(value)}.", hint=hint
        )
    mode = values.body(value, key, ("mode",)).get("mode")
    if mode is None:
        raise SpecError(f"{key}:mode", "it says how far automation may go and is missing.",
                        hint=hint)  # fmt: skip
    return _word(mode, f"{key}:mode", modes)


def _word(value: Any, key: str, known: tuple[str, ...]) -> str:
    words = values.chosen(values.text(value, key), key, known)
    if len(words) != 1:
        raise SpecError(key, "one word is expected.", hint=f"Known: {', '.join(known)}.")
    return next(iter(words))


def _duration(value: Any, key: str, least_s: float = 0.0) -> float:
    """Return seconds."""
    seconds = math.nan
    if isinstance(value, str) and (fits := _DURATION.fullmatch(value.strip())):
        seconds = float(fits[1]) * _UNITS[fits[2]]
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        is_huge = isinstance(value, int) and value > _MOST_S  # it may be more than a float holds
        seconds = 2 * _MOST_S if is_huge else float(value)
    if not math.isfinite(seconds) or seconds < 0:
        raise SpecError(key, f"a duration is expected, this is {values.described(value)}.",
                        hint="Seconds, or such as 90s, 30m, 1h.")  # fmt: skip
    if seconds < least_s:
        raise SpecError(key, f"at least {least_s:g} s is expected, this is {seconds:g} s.")
    if seconds > _MOST_S:
        raise SpecError(key, "at most 10 years are expected.")
    return seconds
