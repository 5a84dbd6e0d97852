"""Count what an engine does, for whoever wants to watch it from outside."""

from __future__ import annotations

from collections import Counter

from salt_gluster.remediation import Decisions


class Figures:
    """Since this process began. The last tick is dated by the engine's monotonic clock."""

    def __init__(self) -> None:
        self.ticks = self.failed = 0
        self.ticked_at = 0.0
        self.decisions: Counter[str] = Counter()

    def tick(self, at: float) -> None:
        """Note a tick that went through."""
        self.ticks, self.ticked_at = self.ticks + 1, at

    def decided(self, done: Decisions) -> None:
        """Count what a leader's tick carries out."""
        kinds = {"intent": done.intents, "proposal": done.proposals, "request": done.requests,
                 "update": done.updates, "notice": done.notices}  # fmt: skip
        for kind, what in kinds.items():
            self.decisions[kind] += len(what)
