"""Carry out what many planners want in one run: look once, act phase by phase, read back once.

One look serves all subjects. What can be done now and is of one kind is done one after another (a
phase); the next look reads it back from the members, and is what the rest is planned from. Whoever
is not the actor of a change (``plan/actor.py``) waits by the stamps of glusterd's files, without a
process, and takes over when they stand still.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence

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
from salt_gluster.minion.goal import Goal, Pending, end_in_vain, how_far, key_of, not_done
from salt_gluster.minion.watch import CHEAP, POLL_S, Ended, Watch
from salt_gluster.model import Facet, Observation, Step, known, merge_changes
from salt_gluster.plan.actions import NEW_BRICKS, is_done, seen_changes
from salt_gluster.plan.actor import phase
from salt_gluster.plan.force import as_sent
from salt_gluster.plan.moved import what_moved

log = logging.getLogger(__name__)

#: Seconds without any progress after which a run leaves the rest to the next one.
WAIT_S = 60.0
#: A run ends after so many times that, whatever moves.
MOST_WAITS = 10
#: Rounds in which one and the same step comes up before the executor gives up.
ROUNDS = 3
#: Tries for the lock that are made however short ``wait_s`` is: all losers got through within 4.
TRIES = 5
#: A run that takes longer tells so often how far it is.
TELL_S = 15.0
#: How often a step is put off because another node writes to the same subject.
OVERTAKEN = 20
#: Transient errors: they are tried again.
_TRANSIENT = frozenset(
    {"locked", "brick_parent_missing", "not_a_peer", "peer_unreachable", "brick_in_use"}
)
#: Errors of the node that comes second: what is there now was done by another one.
_LOST_RACE = frozenset({"brick_in_use", "not_started", "already_started"})


class Run:
    """One run over some goals. With ``addressed`` this node acts at once, whoever else may."""

    def __init__(
        self,
        goals: Sequence[Goal],
        driver: Driver,
        hosts: Collection[str],
        *,
        wait_s: float,
        addressed: bool = False,
    ) -> None:
        self.goals, self.driver, self.hosts, self.wait_s = goals, driver, hosts, wait_s
        self.addressed = self.acts_for_all = addressed
        self.moved_at = driver.now()
        self.until = self.moved_at + MOST_WAITS * wait_s
        self.tell_at = self.moved_at + TELL_S
        self.watch = Watch(driver, addressed=addressed)
        self.state: object = None
        self.planned_from: Observation | None = None
        self.copied = False

    def first_look(self) -> None:
        """Look without the lock, from what may be kept; what is as declared ends here."""
        self._observe(fresh=False, is_first=True)
        for goal in self._open():
            if goal.plan.is_empty:
                goal.end()

    def run(self) -> None:
        """Go on until nothing is left or nothing moves; what was done is never lost."""
        try:
            while self._open():  # the lock may have taken minutes: what was seen before it is old
                self._look()
                self._tell()
                if self._open() and not self._act() and not self._wait():
                    end_in_vain(self._open(), self.driver, self.obs)
                    break
        except GlusterError as err:
            for goal in self._open():
                goal.end(err)
        for goal in self._open():
            goal.end()

    def _open(self) -> list[Goal]:
        return [goal for goal in self.goals if not goal.is_over]

    def _tell(self) -> None:
        if self.driver.now() >= self.tell_at and self._open():
            self.tell_at = self.driver.now() + TELL_S
            self.driver.tell(how_far(self.goals))

    # --- looking -----------------------------------------------------------------------------

    def _look(self) -> None:
        """Observe and plan, check the guards of our part, end what has come to its end."""
        obs = self._observe(fresh=True)
        for goal in self._open():
            if goal.pending is None:
                self._judge(goal, obs)

    def _observe(self, *, fresh: bool, is_first: bool = False) -> Observation:
        """Observe, read back what is pending, and plan the rest, with all facets that it needs."""
        goals, began = self._open(), self.driver.now()
        self.watch.stamps = self.driver.stamps()
        obs = self.driver.observe(frozenset(), fresh=fresh)
        self.watch.looked(self.driver.now() - began)
        asked: frozenset[Facet] = frozenset()
        read_back: set[Goal] = set()
        while True:
            self._plan(goals, obs)
            each = (self._wanted(g, read_back, asked, is_first=is_first) for g in goals)
            wanted = frozenset[Facet]().union(*each)
            if wanted <= asked:
                late = [g for g in goals if g.pending and g not in read_back]
                if not late:
                    break
                for goal in late:
                    self._read_back(goal, obs)
                read_back |= set(late)
                continue
            obs = self.driver.observe_more(obs, wanted - asked)
            asked |= wanted
        for goal in goals:
            goal.out.plan = goal.plan
        self.obs = obs
        return obs

    def _plan(self, goals: Sequence[Goal], obs: Observation) -> None:
        """Plan what is not pending, as far as something has moved that it rests on."""
        moved = what_moved(self.planned_from, obs)
        self.planned_from = obs
        for goal in goals:
            goal.note_moved(moved)
            if goal.is_over or goal.pending is not None:
                continue
            try:
                goal.plan_from(obs, self.hosts, acts_for_all=self.acts_for_all)
            except GlusterError as err:
                goal.end(err)

    def _wanted(
        self,
        goal: Goal,
        read_back: Collection[Goal],
        asked: frozenset[Facet],
        *,
        is_first: bool,
    ) -> frozenset[Facet]:
        if goal.is_over:
            return frozenset()
        if goal.pending is not None:
            pending = goal.pending
            done = goal in read_back
            return frozenset() if done else verify.facets(pending.step, agreed=pending.agreed)
        if goal.is_ours and not (is_first and goal.plan.steps):
            return goal.needs() if goal.plan.needs <= asked else goal.plan.needs
        if goal.is_looked_after:
            return goal.plan.needs
        return frozenset(facet for facet in goal.plan.needs if facet.kind in CHEAP)

    def _judge(self, goal: Goal, obs: Observation) -> None:
        """End a goal that has come to its end."""
        if goal.is_ours:
            goal.judge(obs, self.hosts)
        if goal.plan.is_empty:
            if goal.unproven and not self._shows(goal.unproven, goal.unproven_at):
                goal.end(not_done(goal.unproven, _missing(goal.unproven)))
            else:
                goal.end()
        elif goal.against:
            since = goal.refused_since = goal.refused_since or self.driver.now()
            if self.driver.now() - since >= min(r.waits_s for r in goal.against):
                goal.end(refused=True)
        else:
            goal.refused_since = None
            if goal.refused_options and not (goal.left or goal.plan.waits):
                goal.end(goal.refused_options)

    def _shows(self, step: Step, at: float) -> bool:
        """Return whether a step shows after all, for which it has had some time since ``at``."""
        left_s = max(0.0, at + verify.READ_BACK_S - self.driver.now())
        return not verify.read_back(self.driver, step, wait_s=left_s)[1]

    def _read_back(self, goal: Goal, obs: Observation) -> None:
        """Book a pending step that shows, or that had its time."""
        pending = goal.pending
        assert pending is not None
        missing = verify.unmet(obs, pending.step, agreed=pending.agreed)
        pending.agreed |= verify.is_agreed(obs, pending.step)
        if missing and self.driver.now() - pending.at < verify.READ_BACK_S:
            return
        goal.pending = None
        did = goal.book(pending.step, pending.before, obs, is_done=not missing, at=pending.at)
        if not did and pending.step.action == "volume_create":
            what = f"was answered with success, but {verify.READ_BACK_S:.0f} s later is not so"
            goal.end(not_done(pending.step, what))

    # --- acting ------------------------------------------------------------------------------

    def _act(self) -> bool:
        """Carry out one phase of what is ours; return whether anything was sent."""
        ready = [(g, g.step) for g in self._open() if g.step is not None and g.is_ours]
        joining = any(g.pending and g.pending.step.action == "peer_probe" for g in self._open())
        if joining:  # members that are about to join are no time to change a volume
            ready = [(g, s) for g, s in ready if s and phase(s) <= 1]
        if not ready:
            return False
        now = min(phase(step) for _, step in ready if step)
        for goal, step in ready:
            if step is not None and phase(step) == now and not goal.is_over:
                self._carry_out(goal, step)
        return True

    def _carry_out(self, goal: Goal, step: Step) -> None:
        if goal.rounds[key_of(step)] >= ROUNDS:
            goal.end(not_done(step, f"was tried {ROUNDS} times and still is to be done"))
            return
        if not self.copied:
            self.driver.backup()
            self.copied = True
        if step.place == "pool" and self._is_overtaken(goal, step):
            return
        log.info("gluster %s: %s", step.subject, step.text)
        try:
            self.driver.execute(as_sent(self.obs, step))
        except OutcomeUnknown as err:
            self._judge_unknown(goal, step, err)
        except CommandFailed as err:
            self._judge_failure(goal, step, err)
        except GlusterError as err:  # this node's own part of it
            goal.end(err)
        else:
            goal.out.last_answer = None
            goal.tries.clear()
            goal.rounds[key_of(step)] += 1
            self.moved_at = self.driver.now()
            goal.pending = Pending(step, self.obs, self.moved_at)
        self.watch.stamps = {**self.watch.stamps, **_part(self.driver.stamps(), step)}

    def _is_overtaken(self, goal: Goal, step: Step) -> bool:
        """Whether another node has just changed the same: an equal value is not sent again."""
        if _part(self.driver.stamps(), step) == _part(self.watch.stamps, step):
            return False
        self.acts_for_all = self.addressed  # the actor is at work after all
        self.watch.reset()
        goal.overtaken += 1
        return goal.overtaken <= OVERTAKEN

    def _judge_unknown(self, goal: Goal, step: Step, err: OutcomeUnknown) -> None:
        """Read what can be read without a lock, then stop, unless all members say it is done."""
        out = goal.out
        out.error, out.unknown_step, out.unknown_at = err, step, self.driver.now()
        needs = frozenset({Facet("definitions")} if verify.is_on_volume(step) else set())
        after = self.driver.observe(needs, fresh=True)
        done = not verify.unmet(after, step) and all(peer.usable for peer in known(after.peers))
        if verify.is_seen(after, step):
            merge_changes(out.changes, seen_changes(self.obs, after, step))
        if err.kind != "partial" or not done:
            self._stop(goal, step)
            return
        out.error, out.unknown_step, out.unknown_at = None, None, None
        out.done.append(step)
        goal.rounds[key_of(step)] += 1
        goal.unproven, goal.unproven_at = step, self.driver.now()

    def _stop(self, goal: Goal, step: Step) -> None:
        """End the whole run: the lock may live on, and the next change would hang as well."""
        goal.end()
        for other in self._open():
            if other.plan.steps and other.is_ours and other.pending is None:
                why = f"'{step.text}' was cut off, so this was not begun."
                hint = "The next run goes on from here."
                other.end(GlusterError(why, kind="not_begun", hint=hint))
            else:
                other.end()

    def _judge_failure(self, goal: Goal, step: Step, err: CommandFailed) -> None:
        """An error may have been carried out, by us or by another node (facts.md#G-0.7)."""
        goal.out.last_answer = err
        after = self.driver.observe(verify.facets(step), fresh=True)
        theirs = isinstance(err, AlreadyExists | Conflict | NotFound) or err.kind in _LOST_RACE
        if verify.is_seen(after, step) and is_done(after, step):
            goal.rounds[key_of(step)] += 1
            if not theirs:
                goal.book(step, self.obs, after, is_done=False, at=self.driver.now())
            return
        is_there = isinstance(err, AlreadyExists)
        goal.tries[is_there] += 1
        again = err.kind in _TRANSIENT and step.action not in NEW_BRICKS
        transient = isinstance(err, Conflict) or again
        if transient and (goal.tries[is_there] < TRIES or not self._is_late()):
            self.driver.sleep(0.1 + 0.4 * self.driver.jitter())
        elif is_there and goal.tries[is_there] < ROUNDS:
            self.driver.sleep(POLL_S)  # look again: the plan compares and names what differs
        elif step.action == "options_set":
            merge_changes(goal.out.changes, seen_changes(self.obs, after, step))
            goal.refused_options = err
        else:
            goal.end(err)

    # --- waiting -----------------------------------------------------------------------------

    def _is_late(self) -> bool:
        now = self.driver.now()
        return now - self.moved_at >= self.wait_s or now >= self.until

    def _wait(self) -> bool:
        """Wait for others, for time, or for what is pending; return whether to look again."""
        goals = self._open()
        state = [(g.plan.id, g.plan.waits) for g in goals]
        if state != self.state:
            self.state, self.moved_at = state, self.driver.now()
            self.watch.progressed()
        if any(g.pending or g.against for g in goals):  # these have limits of their own
            self.driver.sleep(POLL_S)
            return True
        if self._is_late() and (self.watch.has_watched or all(g.is_ours for g in goals)):
            return False
        ended = self.watch.wait(goals)
        if ended is Ended.MOVED:
            self.watch.let_others_finish()
        elif ended is Ended.UNDONE:
            self.acts_for_all |= self.watch.look_after(goals)
        return True


def _part(stamps: Mapping[str, object], step: Step) -> dict[str, object]:
    """Return the stamps that tell whether what the step changes was changed: "" = the members."""
    names = (step.subject,) if verify.is_on_volume(step) else ("",)
    return {name: stamps.get(name) for name in names}


def _missing(step: Step) -> str:
    if step.place == "node":
        return "left a directory with the id of a volume that is not there: a create failed on it"
    if step.action == "volume_start":
        seen = "not every brick is up with a port on every connected member"
    else:
        seen = "the members do not all tell the same"
    return f"shows in the definition, but {seen}"
