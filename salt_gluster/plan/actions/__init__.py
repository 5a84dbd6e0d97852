"""The table of all that can be done to a pool, in the operator's terms; one file per noun.

Each row names the guards it needs, the gluster command it is made of, what it does to an
observation (``simulate``: a plan can be looked at before it is run), what counts as done when read
back (``done``, because a clean reply proves nothing: facts.md#G-0.6, #G-0.7, #G-0.10), which part
of the pool it may report as changed, its hazard, and what happens when it is sent again. What is in
no row cannot happen. Nothing is run here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from salt_gluster.model import Observation, Step
from salt_gluster.plan.actions import brick, heal, log, option, peer, profile, volume
from salt_gluster.plan.actions.definition import bricks_down, set_shape, shape, volume_diff
from salt_gluster.plan.actions.profile import SET_BY_PROFILE, is_profiled
from salt_gluster.plan.actions.row import Action, Args
from salt_gluster.plan.actions.volume import SET_BY_CREATE, SET_BY_CREATE_REPLICATE

__all__ = [
    "ACTIONS",
    "NEW_BRICKS",
    "SET_BY_CREATE",
    "SET_BY_CREATE_REPLICATE",
    "SET_BY_PROFILE",
    "Action",
    "Args",
    "bricks_down",
    "is_done",
    "is_profiled",
    "seen_changes",
    "set_shape",
    "shape",
    "simulate",
    "volume_diff",
]

ACTIONS: Mapping[str, Action] = {
    row.name: row for noun in (peer, brick, volume, option, profile, heal, log) for row in noun.ROWS
}

#: They put directories into a volume. One that fails on a node has marked the directories of all
#: others (facts.md#C-J.2), so it is not tried again as it is.
NEW_BRICKS = frozenset({"volume_create", "bricks_add"})


def simulate(obs: Observation, step: Step) -> Observation:
    """Return the observation as it should be after ``step``."""
    return ACTIONS[step.action].simulate(obs, step.subject, step.args)


def is_done(obs: Observation, step: Step) -> bool:
    """Return whether the step's post-condition holds."""
    return ACTIONS[step.action].done(obs, step.subject, step.args)


def seen_changes(before: Observation, after: Observation, step: Step) -> dict[str, Any]:
    """Return what changed between two observations, of the things this step may change."""
    return ACTIONS[step.action].seen(before, after, step.subject, step.args)
