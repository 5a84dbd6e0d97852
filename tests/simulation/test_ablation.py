"""Each guard, precondition and rule of the fleet switched off once: its story goes wrong then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from simguards import FLEET, GUARDS, PRECONDITIONS, Story

from salt_gluster.remediation import authorize, fleet_mode, guards, ladder

ALL: Mapping[str, Story] = {
    f"{kind}-{name}": story
    for kind, stories in (("guard", GUARDS), ("precondition", PRECONDITIONS), ("fleet", FLEET))
    for name, story in stories.items()
}


def without(kind: str, name: str, patch: pytest.MonkeyPatch) -> None:
    """Switch one rule off, in the very table or function that decides."""
    if kind == "guard":
        left = tuple(g for g in guards.RESTART_BRICK if g.__name__ != name)
        patch.setattr(ladder, "BRICK_RESTART", replace(ladder.BRICK_RESTART, guards=left))
    elif kind == "precondition":
        for table in ("ADDRESSED", "PRECONDITIONS"):
            left_ = tuple(f for f in getattr(authorize, table) if f.__name__ != name)
            patch.setattr(authorize, table, left_)
    elif name in fleet_mode.FLEET.claims:
        claims = {**fleet_mode.FLEET.claims, name: lambda _: True}
        patch.setattr(fleet_mode, "FLEET", replace(fleet_mode.FLEET, claims=claims))
        if name.startswith("view_settled"):  # the same wait stands in two places
            patch.setattr(fleet_mode, "settling", lambda *_: "")
    elif name[0] == "F":
        rows = tuple(r for r in fleet_mode.FLEET.rows if r.id != name)
        lost = [r for r in fleet_mode.FLEET.rows if r.id == name]
        ignored = tuple(fleet_mode.Ignored(r.states, (r.event,), "off") for r in lost)
        table_ = replace(fleet_mode.FLEET, rows=rows, ignored=(*fleet_mode.FLEET.ignored, *ignored))
        patch.setattr(fleet_mode, "FLEET", table_)
    else:
        assert callable(getattr(fleet_mode, name))
        patch.setattr(fleet_mode, name, lambda *_: "")


def test_there_is_a_story_for_every_guard_and_every_precondition() -> None:
    assert set(GUARDS) == {g.__name__ for g in guards.RESTART_BRICK}
    assert set(PRECONDITIONS) == {
        f.__name__ for f in (*authorize.ADDRESSED, *authorize.PRECONDITIONS)
    }


def test_there_is_a_story_for_every_event_and_every_claim_of_the_fleet() -> None:
    rules = {"acquired", "hold_of", "view_lost", "minority", "settling", "went_back", "F6"}
    crowds = {"too_many", "too_fast", "whole_zone"}
    # view_settled is the wait of view_settled_and_complete, for a view that shows a crowd.
    claims = set(fleet_mode.FLEET.claims) - {"view_settled"}
    assert set(FLEET) == rules | crowds | claims


@pytest.mark.parametrize("name", ALL)
def test_with_every_rule_its_story_is_harmless(name: str) -> None:
    assert ALL[name]().wrong == []


@pytest.mark.parametrize("name", ALL)
def test_without_the_rule_the_same_story_goes_wrong(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, _, rule = name.partition("-")
    without(kind, rule, monkeypatch)
    found: Any = ALL[name]().wrong
    assert found != []
