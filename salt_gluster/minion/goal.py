"""One subject of a run: what is to become of it, how far it is, how it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

from salt_gluster.errors import GlusterError
from salt_gluster.minion import verify
from salt_gluster.minion.driver import Driver
from salt_gluster.model import Facet, Observation, Plan, Refusal, Step, digest_of, merge_changes
from salt_gluster.plan import guards
from salt_gluster.plan.actions import seen_changes
from salt_gluster.plan.actor import is_actor
from salt_gluster.plan.moved import Movement, rests_on
from salt_gluster.plan.outcome import Planner, Result

_OTHER_PLAN = Refusal(
    "other_plan",
    "the pool has changed, so what is to be done is no longer the plan that was accepted",
    ("look again     salt-run gluster.plan",),
)


#: The first words of the other nodes about their bricks come within this time.
SHORT_S = 2.0


def key_of(step: Step) -> str:
    """Return what makes a step the same step, whatever its text."""
    return digest_of([step.action, step.subject, step.args])


def not_done(step: Step, what: str) -> GlusterError:
    """Return the error for a step that shows no effect."""
    on_pool = f"salt-run gluster.status; gluster volume status {step.subject}"
    look = on_pool if step.place == "pool" else f"salt MINION gluster_brick.info {step.subject}"
    return GlusterError(f"'{step.text}' {what}.", kind="not_done", hint=f"Look: {look}")


def how_far(goals: Sequence[Goal]) -> str:
    """Say how far a run is, and for whom it waits."""
    done = sum(len(goal.out.done) for goal in goals)
    going_on = [goal for goal in goals if not goal.is_over]
    left = sum(len(goal.plan.steps) for goal in going_on)
    text = f"{done} steps done, {left} left, {len(going_on)} of {len(goals)} subjects open"
    waits = dict.fromkeys(w for goal in going_on for w in goal.plan.waits)
    others = f" and for {len(waits) - 1} more" if len(waits) > 1 else ""
    first = next(iter(waits), None)
    return f"{text}; waits for {first.node or 'time'}: {first.what}{others}" if first else text


@dataclass
class Pending:
    """A step that gluster has answered, until it is read back: what was seen before, and since.

    ``agreed``: the members tell the same of it, only its bricks are not up yet.
    """

    step: Step
    before: Observation
    at: float
    agreed: bool = False


@dataclass(eq=False)
class Goal:
    """One subject. ``on_end`` gets the result at once, before the rest of the run goes on.

    ``accept`` are the refusals an operator accepted for the plan ``expect_id`` (when given, another
    plan is not carried out). They hold for that plan and what is left of it, and for no other.
    """

    planner: Planner
    accept: Collection[str] = ()
    expect_id: str = ""
    #: The volume whose plan this is, which may be kept while nothing of it moves. "" = plan anew.
    volume: str = ""
    on_end: Callable[[Result], None] = lambda _: None
    #: The state of the run, from here on.
    plan: Plan = field(default_factory=lambda: Plan(""))
    pending: Pending | None = None
    #: A step that was carried out and did not show, and when that was.
    unproven: Step | None = None
    unproven_at: float = 0.0
    is_ours: bool = False
    #: What the planner returned last, with no guard's refusal, and whether it is out of date.
    planned: Plan | None = None
    is_stale: bool = True
    is_actor: bool = False
    is_over: bool = False
    was_allowed: bool = False
    waits_since: float | None = None
    waited_s: float = 0.0
    #: Not ours, but nobody does it: we look at all that its actor would.
    is_looked_after: bool = False
    refused_since: float | None = None
    #: Why options are not set: the goal ends with it, after everything else was done.
    refused_options: GlusterError | None = None
    rounds: Counter[str] = field(default_factory=Counter)
    #: Refused by another's lock, and answered "already exists" (True), since the last success.
    tries: Counter[bool] = field(default_factory=Counter)
    overtaken: int = 0
    _accepted: list[str] | None = None
    _out: Result | None = None

    @property
    def out(self) -> Result:
        """The result as far as it is known; the first plan is that of the first look."""
        if self._out is None:
            self._out = Result(self.plan, self.plan)
        return self._out

    @property
    def step(self) -> Step | None:
        """The step that may be carried out now, or None."""
        is_free = self.pending is None and not (self.against or self.plan.waits)
        return self.left[0] if is_free and self.left else None

    @property
    def left(self) -> list[Step]:
        """The steps of the plan without options that gluster refused: a volume starts anyway."""
        kept = self.refused_options is not None
        return [s for s in self.plan.steps if not (kept and s.action == "options_set")]

    @property
    def against(self) -> list[Refusal]:
        """The refusals that no operator accepted; of another node's part what counts everywhere."""
        return [
            r
            for r in self.plan.refusals
            if (self.is_ours or r.everywhere) and (r.final or r.name not in self.accept)
        ]

    def note_moved(self, moved: Movement) -> None:
        """Take note of what has moved since the observation before."""
        if not self.is_stale:
            kept = self.planned if self.volume else None
            self.is_stale = kept is None or rests_on(kept, self.volume, moved)

    def plan_from(self, obs: Observation, hosts: Collection[str], *, acts_for_all: bool) -> None:
        """Plan, or keep the plan that rests on nothing that has moved."""
        if self.is_stale or self.planned is None:
            self.planned = self.planner(obs)
            first = self.planned.steps[:1]
            self.is_actor = not first or is_actor(obs, first[0], hosts)
            self.is_stale = False
        self.plan = self.planned
        if not self.plan.waits:
            self.waits_since = None
        elif self.waits_since is None:
            self.waits_since = obs.now
        self.waited_s = 0.0 if self.waits_since is None else obs.now - self.waits_since
        self.is_ours = acts_for_all or self.is_actor

    def needs(self) -> frozenset[Facet]:
        """Return the facets without which the plan is not final.

        Who waits has the guards checked once, and again when nothing is waited for: they ask every
        member. A short wait has them checked at its end only.
        """
        if self.is_free_to_wait:
            return self.plan.needs
        return self.plan.needs | guards.facets(self.plan.steps)

    @property
    def is_free_to_wait(self) -> bool:
        """Whether only others hold it up: the guards had nothing against it, or may come later."""
        return bool(self.plan.waits) and (self.was_allowed or self.waited_s < SHORT_S)

    def judge(self, obs: Observation, hosts: Collection[str]) -> None:
        """Check the guards of the plan, and whether it is still the one that was accepted."""
        if self.is_free_to_wait:
            return
        results = guards.check(obs, self.plan.steps, hosts)
        refused = tuple(r.refusal for r in results if r.refusal is not None)
        self.was_allowed = not refused
        self.plan = self._kept_to(replace(self.plan, refusals=self.plan.refusals + refused))
        self.out.guards = results

    def _kept_to(self, plan: Plan) -> Plan:
        if plan.is_empty or not (self.accept or self.expect_id):
            return plan
        steps = [key_of(step) for step in plan.steps]
        if self._accepted is None and self.expect_id in ("", plan.id):
            self._accepted = steps
        if (
            self._accepted is not None
            and steps == self._accepted[-len(steps) or len(self._accepted) :]
        ):
            return plan
        return replace(plan, refusals=(*plan.refusals, _OTHER_PLAN))

    def book(
        self, step: Step, before: Observation, after: Observation, *, is_done: bool, at: float
    ) -> bool:
        """Record what a step, sent ``at``, was seen to change; return whether it did anything."""
        changes = seen_changes(before, after, step) if verify.is_seen(after, step) else {}
        merge_changes(self.out.changes, changes)
        if is_done or changes:
            self.out.done.append(step)
        if not is_done:
            self.unproven, self.unproven_at = step, at
        elif self.unproven and key_of(self.unproven) == key_of(step):
            self.unproven = None
        return is_done or bool(changes)

    def end(self, error: GlusterError | None = None, *, refused: bool = False) -> None:
        """End it; what was done stays."""
        out, self.is_over = self.out, True
        out.plan = self.plan
        out.error, out.refused = out.error or error, refused
        own = {(s.action, s.subject) for s in out.done}
        asked = {(s.action, s.subject) for s in out.first.steps if s.place == "pool"}
        out.by_others = out.plan.is_empty and not out.error and bool(asked - own)
        self.on_end(out)


def end_in_vain(goals: Collection[Goal], driver: Driver, obs: Observation) -> None:
    """Look once at those who are waited for, and end what they will never do as refused.

    Why the others do not do it stands in the plan of their goal then, which is not ended here.
    """
    waits = [wait for goal in goals for wait in goal.plan.waits]
    shown_by = frozenset(wait.shown_by for wait in waits if wait.shown_by is not None)
    if not shown_by:
        return
    obs = driver.observe_more(obs, shown_by)
    for goal in goals:
        if goal.plan.waits:
            goal.plan = goal.planner(obs)
            if any(refusal.everywhere for refusal in goal.plan.refusals):
                goal.end(refused=True)
