"""What an evaluation and a convergence return. Nouns only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from salt_gluster.errors import GlusterError
from salt_gluster.model import Observation, Plan, Step
from salt_gluster.plan.guards import GuardResult

Planner = Callable[[Observation], Plan]


@dataclass(frozen=True)
class View:
    """One look: what was seen, what is to be done about it, and what the guards said."""

    obs: Observation
    plan: Plan
    guards: tuple[GuardResult, ...] = ()


@dataclass
class Result:
    """How a convergence ended. ``plan`` is what is left; ``first`` what there was to do.

    ``unknown_step`` was cut off at ``unknown_at`` and may have been carried out. ``changes`` is
    what was seen to change, also where the run failed. ``last_answer`` is what gluster said to the
    last step that it refused, None = none since the last success.
    """

    first: Plan
    plan: Plan
    guards: tuple[GuardResult, ...] = ()
    done: list[Step] = field(default_factory=list)
    changes: dict[str, Any] = field(default_factory=dict)
    error: GlusterError | None = None
    last_answer: GlusterError | None = None
    unknown_step: Step | None = None
    unknown_at: float | None = None
    by_others: bool = False
    refused: bool = False
