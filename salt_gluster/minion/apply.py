"""Apply a plan: check the guards, execute one step, read back, observe and plan again.

There is no other executor. What it touches is handed in as a ``Driver``: the real one is
``GlusterDriver``, a test brings a simulated pool with a virtual clock.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection
from dataclasses import replace

from salt_gluster.errors import (
    AlreadyExists,
    CommandFailed,
    Conflict,
    GlusterError,
    NotFound,
    OutcomeUnknown,
)
from salt_gluster.minion import verify
from salt_gluster.minion.driver import Driver
from salt_gluster.model import Facet, Observation, Refusal, Step, digest_of, known, merge_changes
from salt_gluster.plan import guards
from salt_gluster.plan.actions import is_done, seen_changes
from salt_gluster.plan.outcome import Planner, Result, View

log = logging.getLogger(__name__)


#: Seconds a state waits for other nodes before it leaves the rest to the next run.
WAIT_S = 60.0
#: Rounds in which one and the same step comes up before the executor gives up.
ROUNDS = 3
#: Tries for the lock that are made however short ``wait_s`` is: all losers got through within 4.
TRIES = 5
_POLL_S = 0.5
#: Transient errors: they are tried again.
_TRANSIENT = frozenset(
    {"locked", "brick_parent_missing", "not_a_peer", "peer_unreachable", "brick_in_use"}
)
#: Errors of the node that comes second: what is there now was done by another one.
_LOST_RACE = frozenset({"brick_in_use", "not_started", "already_started"})

_OTHER_PLAN = Refusal(
    "other_plan",
    "the pool has changed, so what is to be done is no longer the plan that was accepted",
    ("look again     salt-run gluster.plan",),
)


def evaluate(
    planner: Planner, driver: Driver, hosts: Collection[str] = (), *, fresh: bool = False
) -> View:
    """Observe, plan, observe what the plan needs to be sure, check the guards. Changes nothing."""
    asked: frozenset[Facet] = frozenset()
    while True:
        obs = driver.observe(asked, fresh=fresh and not asked)
        plan = planner(obs)
        wanted = plan.needs | guards.facets(plan.steps)
        if wanted <= asked:
            break
        asked |= wanted
    results = guards.check(obs, plan.steps, hosts)
    refused = tuple(r.refusal for r in results if r.refusal is not None)
    return View(obs, replace(plan, refusals=plan.refusals + refused), results)


def dry_run(planner: Planner, driver: Driver, hosts: Collection[str] = ()) -> Result:
    """Return what a run would do now: test mode."""
    view = evaluate(planner, driver, hosts)
    return Result(view.plan, view.plan, view.guards, refused=bool(view.plan.refusals))


def converge(
    planner: Planner,
    driver: Driver,
    hosts: Collection[str] = (),
    *,
    accept: Collection[str] = (),
    wait_s: float = WAIT_S,
    expect_id: str = "",
) -> Result:
    """Bring the pool to where ``planner`` has nothing left to do, or say why not.

    ``hosts`` are the declared host names, ``accept`` the refusals an operator accepted for the plan
    ``expect_id`` (when given, another plan is not carried out). Accepted refusals hold for that
    plan and what is left of it, and for no other.
    """
    view = evaluate(planner, driver, hosts)
    if view.plan.is_empty:
        return Result(view.plan, view.plan)
    with driver.node_lock():
        run = _Convergence(planner, driver, hosts, frozenset(accept), wait_s, expect_id)
        return run.run(Result(view.plan, view.plan, view.guards))


def run_once(planner: Planner, driver: Driver, hosts: Collection[str] = ()) -> Result:
    """Carry out the one step of a plan once: for what no observation shows, such as a rotated log.

    The guards are checked as ever. There is nothing to read back, so nothing is repeated, and
    ``Plan.changes`` is what gluster said it did.
    """
    view = evaluate(planner, driver, hosts)
    if view.plan.is_empty:
        return Result(view.plan, view.plan)
    with driver.node_lock():
        view = evaluate(planner, driver, hosts, fresh=True)
        out = Result(view.plan, view.plan, view.guards, refused=bool(view.plan.refusals))
        if out.refused or not view.plan.steps:
            return out
        (step,) = view.plan.steps
        log.info("gluster %s: %s", step.subject, step.text)
        try:
            driver.execute(step)
        except GlusterError as err:
            out.error = err
            if isinstance(err, OutcomeUnknown):
                out.unknown_step, out.unknown_at = step, driver.now()
            return out
        out.done.append(step)
        merge_changes(out.changes, view.plan.changes)
        out.plan = replace(view.plan, steps=(), changes={})
        return out


class _Convergence:
    """One convergence under way."""

    def __init__(
        self,
        planner: Planner,
        driver: Driver,
        hosts: Collection[str],
        accept: frozenset[str],
        wait_s: float,
        expect_id: str,
    ) -> None:
        self.planner, self.driver, self.hosts, self.accept = planner, driver, hosts, accept
        self.expect_id = expect_id
        self.deadline = driver.now() + wait_s
        self.accepted: list[str] | None = None
        self.refused_since: float | None = None
        self.rounds: Counter[str] = Counter()
        self.tries = 0
        self.my_turn = False
        self.wrote = False
        self.fingerprint: object = None
        self.copied = False
        self.unproven: Step | None = None

    def run(self, out: Result) -> Result:
        """Go on until nothing is left or something forbids it; what was done is never lost."""
        try:
            while True:  # the lock may have taken minutes: never act on what was seen before it
                view = self._observe()
                out.plan, out.guards = view.plan, view.guards
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

    def _observe(self) -> View:
        """Look and plan; what was accepted for one plan is not carried over to another."""
        before, self.fingerprint = self.fingerprint, self.driver.fingerprint()
        if not self.wrote and self.fingerprint != before and self.driver.now() < self.deadline:
            self.my_turn = False  # another node is writing: wait anew
        self.wrote = False
        view = evaluate(self.planner, self.driver, self.hosts, fresh=True)
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

    def _advance(self, view: View, out: Result) -> bool:
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

    def _wait_for_refusals(self, limit_s: float, out: Result) -> bool:
        now = self.driver.now()
        if self.refused_since is None:
            self.refused_since = now
        if now - self.refused_since >= limit_s:
            out.refused = True
            return False
        self.driver.sleep(_POLL_S)
        return True

    def _pause(self) -> bool:
        if self.driver.now() >= self.deadline:
            return False
        self.driver.sleep(_POLL_S)
        return True

    def _await_turn(self, position: int) -> bool:
        """Wait for this node's turn, then look again: compare right before.

        When the pool was changed meanwhile the wait starts anew, until the time is up.
        """
        until = self.driver.now() + min(position, 3) * 3 + 3 * self.driver.jitter()
        while self.driver.now() < until:
            self.driver.sleep(0.25)
            if self.driver.fingerprint() != self.fingerprint:
                return self.driver.now() < self.deadline
        self.my_turn = True
        return True

    def _carry_out(self, step: Step, view: View, out: Result) -> bool:
        if self.rounds[_key(step)] >= ROUNDS:
            out.error = _not_done(step, f"was tried {ROUNDS} times and still is to be done")
            return False
        if not self.copied:
            self.driver.backup()
            self.copied = True
        if self.driver.fingerprint() != self.fingerprint and self.driver.now() < self.deadline:
            return True  # another node was faster: an equal value must not be sent again
        self.wrote = True
        log.info("gluster %s: %s", step.subject, step.text)
        try:
            self.driver.execute(step)
        except OutcomeUnknown as err:
            return self._judge_unknown(err, step, view, out)
        except CommandFailed as err:
            return self._judge_failure(err, step, view, out)
        self.tries = 0
        self.rounds[_key(step)] += 1
        after, missing = verify.read_back(self.driver, step)
        if self._book(step, view, after, out, done=not missing) or step.action != "volume_create":
            return True
        out.error = _not_done(
            step, f"was answered with success, but {verify.READ_BACK_S:.0f} s later is not so"
        )
        return False

    def _book(self, step: Step, view: View, after: Observation, out: Result, *, done: bool) -> bool:
        """Record what a step was seen to change; return whether it did anything."""
        changes = seen_changes(view.obs, after, step) if verify.is_seen(after, step) else {}
        merge_changes(out.changes, changes)
        if done or changes:
            out.done.append(step)
        if not done:
            self.unproven = step
        elif self.unproven and _key(self.unproven) == _key(step):
            self.unproven = None
        return done or bool(changes)

    def _judge_unknown(self, err: OutcomeUnknown, step: Step, view: View, out: Result) -> bool:
        """Read what can be read without a lock, then stop, unless all members say it is done."""
        out.error, out.unknown_step, out.unknown_at = err, step, self.driver.now()
        needs = frozenset({Facet("definitions")} if verify.is_on_volume(step) else set())
        after = self.driver.observe(needs, fresh=True)
        done = not verify.unmet(after, step) and all(peer.usable for peer in known(after.peers))
        if verify.is_seen(after, step):
            merge_changes(out.changes, seen_changes(view.obs, after, step))
        if err.kind != "partial" or not done:
            return False
        out.error, out.unknown_step, out.unknown_at = None, None, None
        out.done.append(step)
        self.rounds[_key(step)] += 1
        self.unproven = step
        return True

    def _judge_failure(self, err: CommandFailed, step: Step, view: View, out: Result) -> bool:
        """An error may have been carried out, by us or by another node (facts.md#G-0.7)."""
        after = self.driver.observe(verify.facets(step), fresh=True)
        theirs = isinstance(err, AlreadyExists | Conflict | NotFound) or err.kind in _LOST_RACE
        if theirs:
            self.my_turn = False
        if verify.is_seen(after, step) and is_done(after, step):
            self.rounds[_key(step)] += 1
            if not theirs:
                self._book(step, view, after, out, done=False)
            return True
        self.tries += 1
        transient = isinstance(err, Conflict) or err.kind in _TRANSIENT
        if transient and (self.tries < TRIES or self.driver.now() < self.deadline):
            self.driver.sleep(0.1 + 0.4 * self.driver.jitter())
            return True
        if isinstance(err, AlreadyExists) and self.tries < ROUNDS:
            self.driver.sleep(_POLL_S)  # look again: the plan compares and names what differs
            return True
        out.error = err
        return False

    def _prove(self, step: Step, out: Result) -> None:
        """Nothing is planned any more, but one step's post-condition was not met: is it now?"""
        if verify.read_back(self.driver, step)[1]:
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
