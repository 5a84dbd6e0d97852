"""Ask ever less often while a refusal stands. Pure.

A dead disk stays dead for days: what is asked of the nodes about it every 10 s is the same each
time, and costs a job and a look at gluster there. What changes by itself the sensors write.
"""

from __future__ import annotations

from collections.abc import Hashable

from salt_gluster.model import Unknown
from salt_gluster.remediation import Decisions, FleetObservation

#: So many rounds go at the usual pace: what is decided is decided twice.
EAGER = 6
LONGEST_S = 120.0
#: A guard that only waits may be over before the next round.
SOON_S = 60.0


class Backoff:
    """The pause before the next round of questions, of one leader."""

    def __init__(self) -> None:
        self._of: Hashable = None
        self._rounds = 0

    def pause_s(self, obs: FleetObservation, done: Decisions, first_s: float) -> float:
        """Return it; ``first_s`` unless nothing but refusals has stood for a while."""
        of = standing(obs, done)
        if of is None or of != self._of:
            self._of, self._rounds = of, 0
        doubled = max(0, self._rounds - EAGER)
        return float(first_s if not doubled else min(LONGEST_S, first_s * 2 ** min(doubled, 10)))

    def asked(self) -> None:
        """Note that a round was begun."""
        self._rounds += 1


def standing(obs: FleetObservation, done: Decisions) -> Hashable:
    """Return what stands, None while anything may change by itself or by us."""
    if not done.refused or done.intents or done.requests or done.memory.candidate is not None:
        return None
    operations = {} if isinstance(obs.operations, Unknown) else obs.operations
    if isinstance(obs.operations, Unknown) or any(op.is_open for op in operations.values()):
        return None
    conditions = done.memory.conditions
    if any(k.kind == "node" and c.state not in ("ailing", "healthy", "gone")
           for k, c in conditions.items()):  # fmt: skip
        return None
    reasons = (reason for r in done.refused for reason in r.reasons if reason.name != "same_twice")
    if any(0 < reason.waits_s <= SOON_S for reason in reasons):
        return None
    bricks = frozenset((k.id, k.path, c.state) for k, c in conditions.items() if k.kind == "brick")
    return bricks, frozenset(r.target.brick for r in done.refused)
