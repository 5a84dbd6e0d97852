"""A repair that somebody sets back every time is refused, and nothing else is."""

from __future__ import annotations

import re

from salt_gluster.model import Plan, Step
from salt_gluster.plan import with_repeats
from salt_gluster.plan.drift import MOST, REFUSAL, WITHIN_S

NOW = 1_000_000.0


def _plan(action: str = "options_set", value: str = "20") -> Plan:
    args = {"options": {"network.ping-timeout": value}}
    return Plan("data", (Step(action, "data", args, "set it"),))


def _refused(plan: Plan, times: list[float]) -> bool:
    seen = with_repeats(plan, {_plan().id: times}, NOW)
    return [r.name for r in seen.refusals] == [REFUSAL]


def test_the_fourth_equal_repair_of_a_day_is_refused() -> None:
    assert not _refused(_plan(), [NOW - 10] * (MOST - 1))
    assert _refused(_plan(), [NOW - 10] * MOST)


def test_repairs_of_other_days_and_other_changes_do_not_count() -> None:
    assert not _refused(_plan(), [NOW - WITHIN_S - 1] * MOST)
    assert not _refused(_plan(value="30"), [NOW - 10] * MOST)


def test_making_a_volume_again_is_no_repair() -> None:
    create = _plan("volume_create")
    seen = with_repeats(create, {create.id: [NOW - 1] * MOST}, NOW)
    assert seen.refusals == ()


def test_an_id_is_never_all_digits_for_salt_would_read_a_number() -> None:
    plans = [Plan(str(number)) for number in range(400)]
    assert not [plan.id for plan in plans if plan.id.isdecimal()]
    assert len({plan.id for plan in plans}) == len(plans)
    assert all(re.fullmatch("[0-9a-j][0-9a-f]{7}", plan.id) for plan in plans)
