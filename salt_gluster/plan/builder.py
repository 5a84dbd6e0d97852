"""Build a plan: each step is simulated, so that later steps see earlier ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from salt_gluster.model import (
    Facet,
    Hazard,
    Observation,
    Plan,
    Refusal,
    Step,
    Unknown,
    Wait,
    merge_changes,
)
from salt_gluster.plan.actions import seen_changes, simulate


@dataclass
class Draft:
    """Collects what a planner decides about one subject. ``state`` is the pool after the steps."""

    subject: str
    state: Observation
    steps: list[Step] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    changes: dict[str, Any] = field(default_factory=dict)
    needs: set[Facet] = field(default_factory=set)

    def do(self, step: Step) -> None:
        """Add a step and go on from the pool as it will be then."""
        before, self.state = self.state, simulate(self.state, step)
        merge_changes(self.changes, seen_changes(before, self.state, step))
        self.steps.append(step)

    def refuse(
        self, name: str, why: str, *ways: str, waits_s: float = 0, everywhere: bool = False
    ) -> None:
        """Add one reason against the plan."""
        self.refusals.append(Refusal(name, why, ways, waits_s, everywhere))

    def finish(self) -> Plan:
        """Return the plan; a step with a hazard refuses it until an operator accepts that."""
        for step in self.steps:
            if step.hazard is not Hazard.NONE:
                self.refuse(step.hazard.value, f"{step.text}: {step.hazard_why}")
        return Plan(
            self.subject,
            tuple(self.steps),
            tuple(self.waits),
            tuple(self.refusals),
            tuple(self.notes),
            self.changes,
            frozenset(self.needs),
        )


def refuse_unknown_pool(subject: str, obs: Observation) -> Plan | None:
    """Return the refusal for a pool that could not be looked at, or None."""
    for facet in (obs.peers, obs.volumes):
        if isinstance(facet, Unknown):
            refusal = Refusal(
                "pool_unknown",
                f"this node's glusterd cannot be asked: {facet.why}",
                ("start it       systemctl start glusterd",),
                waits_s=5,
            )
            return Plan(subject, refusals=(refusal,))
    return None
