"""The ladder: which action mends what, on which guards, and what follows when it does not help.

Rungs 2 to 4 are not built: what they would mend is left to an operator (rung 5).
"""

from __future__ import annotations

from dataclasses import dataclass

from salt_gluster.remediation.guards import RESTART_BRICK
from salt_gluster.remediation.guards.context import Guard
from salt_gluster.remediation.policy import Mode, Policy


@dataclass(frozen=True)
class Rung:
    """One step. ``action`` is what an operation is called; "" = nothing is done."""

    number: int
    name: str
    action: str
    guards: tuple[Guard, ...]
    post: str
    then: str


RUNGS: tuple[Rung, ...] = (
    Rung(0, "wait", "", (), "-", "systemd starts glusterd again after 60 s; then rung 1"),
    Rung(1, "restart brick", "brick_restart", RESTART_BRICK,
         "its row has a pid and a numeric port; another member connects; nothing is left to heal",
         "after three within a day: page"),
    Rung(2, "restart glusterd", "", (), "-", "not built: node/hung pages"),
    Rung(3, "heal", "", (), "-", "not built: a stalled operation pages"),
    Rung(4, "replace brick", "", (), "-", "not built: node/gone and brick/failed page"),
    Rung(5, "an operator", "", (), "acknowledge", "-"),
)  # fmt: skip

BRICK_RESTART = RUNGS[1]


def mode_of(rung: Rung, policy: Policy) -> Mode:
    """Return how far a rung may go by itself."""
    return policy.restart_brick if rung is BRICK_RESTART else Mode.PROPOSE
