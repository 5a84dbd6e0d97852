"""The executor: brakes, one step, read back, observe and plan again. There is no other.

What it touches is handed in as a ``World``: the real one is ``driver.Site``, a test brings a
simulated pool with a virtual clock.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Protocol

from salt_gluster.errors import (
    AlreadyExists,
    CommandFailed,
    Conflict,
    GlusterError,
    NotFound,
    OutcomeUnknown,
)
from salt_gluster.model.pool import (
    Observation,
    Refusal,
    Step,
    digest_of,
    is_known,
    known,
    merge_changes,
)
from salt_gluster.plan import guards
from salt_gluster.plan.actions import ACTIONS, is_done, seen_changes
from salt_gluster.plan.outcome import Outcome, Planner, View

log = logging.getLogger(__name__)


#: Seconds a state waits for other nodes before it leaves the rest to the next run.
WAIT_S = 60.0
#: Rounds in which one and the same step comes up before the executor gives up.
ROUNDS = 3
#: Tries for the lock that are made however short ``wait_s`` is: all losers got through within 4.
TRIES = 5
#: Seconds to wait for a step's post-condition: a brick is up 0.1-16 s after its start
#: (facts.md#C-B.3).
READ_BACK_S = 20.0
_POLL_S = 0.5
#: Gluster's answers that another node's turn, or a moment, will mend.
_PASSING = frozenset(
    {"locked", "brick_parent_missing", "not_a_peer", "peer_unreachable", "brick_in_use"}
)
#: Answers to who comes second: what is there now was done by another node, not by this one.
_LOST_RACE = frozenset({"brick_in_use", "not_started", "already_started"})

_OTHER_PLAN = Refusal(
    "other_plan",
    "the pool has changed, so what is to be done is no longer the plan that was accepted",
    ("look again     salt-run gluster.plan",),
)


class World(Protocol):
    """The I/O of the executor."""

    def now(self) -> float:
        """Return the time in seconds."""

    def sleep(self, seconds: float) -> None:
        """Let time pass."""

    def look(self, needs: frozenset[str], *, fresh: bool = False) -> Observation:
        """Observe the pool with these facets; ``fresh`` = nothing from a cache."""

    def stamp(self) -> object:
        """Return what changes when anybody changes the pool; cheap, asks gluster nothing."""

    def jitter(self) -> float:
        """Return a number in [0, 1)."""

    def one_job(self) -> AbstractContextManager[None]:
        """Hold this node's lock for changing jobs."""

    def keep_copy(self) -> None:
        """Copy glusterd's files before the first change."""

    def perform(self, step: Step) -> None:
        """Carry out one step, or raise a ``GlusterError``."""


def survey(
    planner: Planner, world: World, hosts: Collection[str] = (), *, fresh: bool = False
) -> View:
    """Look, plan, look for what the plan needs to be sure, and ask the brakes. Changes nothing."""
    asked: frozenset[str] = frozenset()
    while True:
        obs = world.look(asked, fresh=fresh and not asked)
        plan = planner(obs)
        wanted = plan.needs | guards.needs(plan.steps)
        if wanted <= asked:
            break
        asked |= wanted
    answers = guards.answers(obs, plan.steps, hosts)
    refused = tuple(a.refusal for a in answers if a.refusal is not None)
    return View(obs, replace(plan, refusals=plan.refusals + refused), answers)


def forecast(planner: Planner, world: World, hosts: Collection[str] = ()) -> Outcome:
    """Return what a run would do now: test mode."""
    view = survey(planner, world, hosts)
    return Outcome(view.plan, view.plan, view.answers, refused=bool(view.plan.refusals))


def converge(
    planner: Planner,
    world: World,
    hosts: Collection[str] = (),
    *,
    accept: Collection[str] = (),
    wait_s: float = WAIT_S,
    expect_id: str = "",
) -> Outcome:
    """Bring the pool to where ``planner`` has nothing left to do, or say why not.

    ``hosts`` are the declared host names, ``accept`` the refusals a person accepted for the plan
    ``expect_id`` (when given, another plan is not carried out). Accepted refusals hold for that
    plan and what is left of it, and for no other.
    """
    view = survey(planner, world, hosts)
    if view.plan.is_empty:
        return Outcome(view.plan, view.plan)
    with world.one_job():
        run = _Run(planner, world, hosts, frozenset(accept), wait_s, expect_id)
        return run.go(Outcome(view.plan, view.plan, view.answers))


def once(planner: Planner, world: World, hosts: Collection[str] = ()) -> Outcome:
    """Carry out the one step of a plan once: for what no observation shows, such as a rotated log.

    The brakes are asked as ever. There is nothing to read back, so nothing is repeated, and
    ``Plan.changes`` is what gluster said it did.
    """
    view = survey(planner, world, hosts)
    if view.plan.is_empty:
        return Outcome(view.plan, view.plan)
    with world.one_job():
        view = survey(planner, world, hosts, fresh=True)
        out = Outcome(view.plan, view.plan, view.answers, refused=bool(view.plan.refusals))
        if out.refused or not view.plan.steps:
            return out
        (step,) = view.plan.steps
        log.info("gluster %s: %s", step.subject, step.text)
        try:
            world.perform(step)
        except GlusterError as err:
            out.error = err
            if isinstance(err, OutcomeUnknown):
                out.unknown_step, out.unknown_at = step, world.now()
            return out
        out.done.append(step)
        merge_changes(out.changes, view.plan.changes)
        out.plan = replace(view.plan, steps=(), changes={})
        return out


class _Run:
    """One convergence under way."""

    def __init__(
        self,
        planner: Planner,
        world: World,
        hosts: Collection[str],
        accept: frozenset[str],
        wait_s: float,
        expect_id: str,
    ) -> None:
        self.planner, self.world, self.hosts, self.accept = planner, world, hosts, accept
        self.expect_id = expect_id
        self.deadline = world.now() + wait_s
        self.accepted: list[str] | None = None
        self.refused_since: float | None = None
        self.rounds: Counter[str] = Counter()
        self.tries = 0
        self.my_turn = False
        self.wrote = False
        self.stamp: object = None
        self.copied = False
        self.unproven: Step | None = None

    def go(self, out: Outcome) -> Outcome:
        """Go on until nothing is left or something forbids it; what was done is never lost."""
        try:
            while True:  # the lock may have taken minutes: never act on what was seen before it
                view = self._look()
                out.plan, out.answers = view.plan, view.answers
                if view.plan.is_empty or not self._advance(view, out):
                    break
            if view.plan.is_empty and self.unproven:
                self._prove(self.unproven, out)
        except GlusterError as err:
            out.error = err
        own = {(s.action, s.subject) for s in out.done}
        asked = {(s.action, s.subject) for s in out.first.steps if s.place == "pool"}
        out.by_others = out.plan.is_empty and not out.error and bool(asked - own)
        return out

    def _look(self) -> View:
        """Look and plan; what was accepted for one plan is not carried over to another."""
        before, self.stamp = self.stamp, self.world.stamp()
        if not self.wrote and self.stamp != before and self.world.now() < self.deadline:
            self.my_turn = False  # somebody else is writing: wait anew
        self.wrote = False
        view = survey(self.planner, self.world, self.hosts, fresh=True)
        if view.plan.is_empty or not (self.accept or self.expect_id):
            return view
        steps = [_key(step) for step in view.plan.steps]
        if self.accepted is None and self.expect_id in ("", view.plan.id):
            self.accepted = steps
        if (
            self.accepted is not None
            and steps == self.accepted[-len(steps) or len(self.accepted) :]
        ):
            return view
        refusals = (*view.plan.refusals, _OTHER_PLAN)
        return replace(view, plan=replace(view.plan, refusals=refusals))

    def _advance(self, view: View, out: Outcome) -> bool:
        """Do one thing about the plan; return whether to look again."""
        against = [r for r in view.plan.refusals if r.name not in self.accept]
        if against:
            return self._wait_for_refusals(min(r.waits_s for r in against), out)
        self.refused_since = None
        if view.plan.waits:
            return self._pause()
        step = view.plan.steps[0]
        if step.place == "pool" and not self.my_turn:
            position = rank(view.obs)
            if position:
                return self._await_turn(position)
            self.my_turn = True
        return self._carry_out(step, view, out)

    def _wait_for_refusals(self, limit_s: float, out: Outcome) -> bool:
        now = self.world.now()
        if self.refused_since is None:
            self.refused_since = now
        if now - self.refused_since >= limit_s:
            out.refused = True
            return False
        self.world.sleep(_POLL_S)
        return True

    def _pause(self) -> bool:
        if self.world.now() >= self.deadline:
            return False
        self.world.sleep(_POLL_S)
        return True

    def _await_turn(self, position: int) -> bool:
        """Wait for this node's turn, then look again: compare right before.

        When somebody changed the pool meanwhile the wait starts anew, until the time is up.
        """
        until = self.world.now() + min(position, 3) * 3 + 3 * self.world.jitter()
        while self.world.now() < until:
            self.world.sleep(0.25)
            if self.world.stamp() != self.stamp:
                return self.world.now() < self.deadline
        self.my_turn = True
        return True

    def _carry_out(self, step: Step, view: View, out: Outcome) -> bool:
        if self.rounds[_key(step)] >= ROUNDS:
            out.error = _not_done(step, f"was tried {ROUNDS} times and still is to be done")
            return False
        if not self.copied:
            self.world.keep_copy()
            self.copied = True
        if self.world.stamp() != self.stamp and self.world.now() < self.deadline:
            return True  # somebody was faster: an equal value must not be sent again
        self.wrote = True
        log.info("gluster %s: %s", step.subject, step.text)
        try:
            self.world.perform(step)
        except OutcomeUnknown as err:
            return self._judge_unknown(err, step, view, out)
        except CommandFailed as err:
            return self._judge_failure(err, step, view, out)
        self.tries = 0
        self.rounds[_key(step)] += 1
        after, done = self._read_back(step)
        if self._book(step, view, after, out, done=done) or step.action != "volume_create":
            return True
        out.error = _not_done(
            step, f"was answered with success, but {READ_BACK_S:.0f} s later is not so"
        )
        return False

    def _book(
        self, step: Step, view: View, after: Observation, out: Outcome, *, done: bool
    ) -> bool:
        """Record what a step was seen to change; return whether it did anything."""
        changes = seen_changes(view.obs, after, step) if _is_seen(after, step) else {}
        merge_changes(out.changes, changes)
        if done or changes:
            out.done.append(step)
        if not done:
            self.unproven = step
        elif self.unproven and _key(self.unproven) == _key(step):
            self.unproven = None
        return done or bool(changes)

    def _judge_unknown(self, err: OutcomeUnknown, step: Step, view: View, out: Outcome) -> bool:
        """Read what can be read without a lock, then stop, unless all members say it is done."""
        out.error, out.unknown_step, out.unknown_at = err, step, self.world.now()
        needs = frozenset({"definitions"} if _on_volume(step) else set())
        after = self.world.look(needs, fresh=True)
        done = _holds(after, step) and all(peer.usable for peer in known(after.peers))
        if _is_seen(after, step):
            merge_changes(out.changes, seen_changes(view.obs, after, step))
        if err.kind != "partial" or not done:
            return False
        out.error, out.unknown_step, out.unknown_at = None, None, None
        out.done.append(step)
        self.rounds[_key(step)] += 1
        self.unproven = step
        return True

    def _judge_failure(self, err: CommandFailed, step: Step, view: View, out: Outcome) -> bool:
        """An error may have been carried out, by us or by another node (facts.md#G-0.7)."""
        after = self.world.look(_read_back_needs(step), fresh=True)
        theirs = isinstance(err, AlreadyExists | Conflict | NotFound) or err.kind in _LOST_RACE
        if theirs:
            self.my_turn = False
        if _is_seen(after, step) and is_done(after, step):
            self.rounds[_key(step)] += 1
            if not theirs:
                self._book(step, view, after, out, done=False)
            return True
        self.tries += 1
        passing = isinstance(err, Conflict) or err.kind in _PASSING
        if passing and (self.tries < TRIES or self.world.now() < self.deadline):
            self.world.sleep(0.1 + 0.4 * self.world.jitter())
            return True
        if isinstance(err, AlreadyExists) and self.tries < ROUNDS:
            self.world.sleep(_POLL_S)  # look again: the plan compares and names what differs
            return True
        out.error = err
        return False

    def _read_back(self, step: Step) -> tuple[Observation, bool]:
        """Return the last look, and whether the step is done in it, on every member."""
        until = self.world.now() + READ_BACK_S
        while True:
            obs = self.world.look(_read_back_needs(step), fresh=True)
            done = _holds(obs, step)
            if done or self.world.now() >= until:
                return obs, done
            self.world.sleep(_POLL_S)

    def _prove(self, step: Step, out: Outcome) -> None:
        """Nothing is planned any more, but one step's post-condition was not met: is it now?"""
        if not self._read_back(step)[1]:
            out.error = _not_done(step, f"shows in the definition, but {_missing(step)}")


def rank(obs: Observation) -> int:
    """Return this node's place among the members that can write now, by uuid."""
    able = sorted(p.uuid for p in known(obs.peers) if p.usable)
    own = [p.uuid for p in known(obs.peers) if p.is_self]
    return able.index(own[0]) if own else 0


def _not_done(step: Step, what: str) -> GlusterError:
    return GlusterError(
        f"'{step.text}' {what}.",
        kind="not_done",
        hint=f"Look: salt-run gluster.status; gluster volume status {step.subject}",
    )


def _missing(step: Step) -> str:
    if step.action == "volume_start":
        return "not every brick is up with a port on every connected member"
    return "the members do not all tell the same"


def _key(step: Step) -> str:
    return digest_of([step.action, step.subject, step.args])


def _on_volume(step: Step) -> bool:
    return ACTIONS[step.action].command.startswith("volume_")


def _is_seen(obs: Observation, step: Step) -> bool:
    return step.place == "node" or (is_known(obs.peers) and is_known(obs.volumes))


def _holds(obs: Observation, step: Step) -> bool:
    """Whether the step's post-condition is met, and the members agree on it."""
    if not _is_seen(obs, step) or not is_done(obs, step):
        return False
    return not _on_volume(step) or guards.definitions_equal(obs, step, ()) is None


def _read_back_needs(step: Step) -> frozenset[str]:
    needs = {"definitions"} if _on_volume(step) else set()
    if step.action == "volume_start":
        needs.add(f"status:{step.subject}")
    if step.place == "node":
        needs.add(f"path:{step.subject}")
    return frozenset(needs)
