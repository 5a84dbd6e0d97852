"""The branch of each guard for what is unknown, or was never recorded, left out once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from simbranches import (
    UNKNOWN,
    never_recorded,
    takes_never_recorded_for_fine,
    takes_unknown_for_fine,
)
from simguards import Story

from salt_gluster.remediation import guards, ladder
from salt_gluster.remediation.guards.context import Guard

Change = Callable[[Guard], Guard]
#: Name of the branch -> its guard, the story against which it stands, and how it is left out.
BRANCHES: dict[str, tuple[str, Story, Change]] = {
    **{f"{name}-unknown": (name, story, takes_unknown_for_fine) for name, story in UNKNOWN.items()},
    "same_filesystem-never_recorded": (
        "same_filesystem", never_recorded, takes_never_recorded_for_fine,
    ),
}  # fmt: skip


@pytest.mark.parametrize("branch", BRANCHES)
def test_with_the_branch_its_story_is_harmless(branch: str) -> None:
    assert BRANCHES[branch][1]().wrong == []


@pytest.mark.parametrize("branch", BRANCHES)
def test_without_the_branch_the_same_story_goes_wrong(
    branch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, story, change = BRANCHES[branch]
    left = tuple(change(g) if g.__name__ == name else g for g in guards.RESTART_BRICK)
    monkeypatch.setattr(ladder, "BRICK_RESTART", replace(ladder.BRICK_RESTART, guards=left))
    assert story().wrong != []
