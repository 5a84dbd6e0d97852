"""The engine's edge in the simulated world: lock, heartbeat, observe, decide, carry out.

What decides is the real code; what a real edge does with Consul and the bus is done here with the
world's. It may be killed or frozen wherever it yields.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import simtruth
from simparts import CLUSTER, T0

from salt_gluster.master.engine.steady_clock import SteadyClock
from salt_gluster.remediation import FleetObservation, LockView, Memory, decide, remembered
from salt_gluster.remediation.decide import Asks
from salt_gluster.remediation.fleet_mode import CALM, SEEN
from salt_gluster.remediation.membership import (
    ConsulView,
    Snapshot,
    ViewTrust,
    published,
    snapshot_from,
)
from salt_gluster.remediation.observation import VIEW
from salt_gluster.remediation.operations import UNDER_WAY, Life, Operation, operation_from

if TYPE_CHECKING:
    from simworld import Steps, World


class Process:
    """A generator under way, on one machine."""

    def __init__(self, steps: Steps, owner: str) -> None:
        self.steps, self.owner, self.dead, self.frozen_until = steps, owner, False, 0.0


class Engine:
    """The engine's edge on one master: lock, heartbeat, observe, decide, carry out."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.clock_set_s = 0.0  # by how much its machine's clock was set
        self.up, self.frozen_until, self.agent = True, 0.0, True
        self.canary = True  # False: the gate says no, and yet Consul takes what is written
        self.forgets = True  # what was thought before the lock was taken
        self.reset()

    def reset(self) -> None:
        """What a restart forgets."""
        self.snapshot = Snapshot()
        self.memory = Memory()
        self.asks = Asks()
        self.last_ok = T0 - 9999
        self.clock = SteadyClock(lambda: self.time_of_day(), lambda: self.true_time())
        self.fresh_since = self.world.now if hasattr(self.world, "now") else T0
        self.process: Process | None = None
        self.holds = self.unsure = False
        self.epoch = 0
        self.view_lost_at = self.crowd_at = self.held_at = T0 - 9999

    def true_time(self) -> float:
        return self.world.now if hasattr(self.world, "now") else T0

    def time_of_day(self) -> float:
        return self.true_time() + self.clock_set_s

    @property
    def is_frozen(self) -> bool:
        return self.world.now < self.frozen_until

    def crash(self) -> None:
        if self.process:
            self.process.dead = True
        self.up = False
        self.world.at(10, self._restart)

    def _restart(self) -> None:
        self.reset()
        self.up = True

    def freeze(self, seconds: float) -> None:
        self.frozen_until = self.world.now + seconds
        if self.process:
            self.process.frozen_until = self.frozen_until

    # --- Consul ------------------------------------------------------------------------------

    def heartbeat(self) -> None:
        w, c = self.world, self.world.consul
        w.at(3, self.heartbeat)
        if c.up and c.holder and w.now >= c.session_until:  # only a leader ends sessions
            c.holder, c.free_at = "", w.now
        if not self.up or self.is_frozen or not (c.up and self.agent):
            return
        if w.now - self.last_ok >= 10:
            self.fresh_since = w.now
        self.last_ok = w.now
        if c.holder == self.name and self.holds:
            c.session_until = w.now + 20
        elif not c.holder and w.now >= c.free_at + 15 and not c.wiped:
            self._acquire()
        elif c.holder != self.name:
            self.holds = False

    def _acquire(self) -> None:
        w, c = self.world, self.world.consul
        c.holder, c.session_until, c.index = self.name, w.now + 20, c.index + 1
        c.epoch = self.epoch = c.index
        self.holds = True
        self.snapshot = snapshot_from(c.members, c.roster)
        if self.forgets:
            self.memory = remembered(self.snapshot, self.memory)
        self.view_lost_at = w.now
        self.unsure = False
        for event in self.snapshot.outbox:
            w.fired.append(dict(event))

    def _read_anew(self) -> None:
        """Nobody knows whether the last write was done: what is stored counts."""
        c = self.world.consul
        self.snapshot, self.unsure = snapshot_from(c.members, c.roster), False
        self.memory = replace(remembered(self.snapshot, self.memory), epoch=self.memory.epoch)
        self.world.fired += [dict(event) for event in self.snapshot.outbox]

    def fenced(self) -> bool:
        c = self.world.consul
        return c.up and self.agent and c.holder == self.name and c.epoch == self.epoch

    # --- one tick ----------------------------------------------------------------------------

    def start_tick(self) -> None:
        w = self.world
        w.at(10, self.start_tick)
        if not self.up or self.is_frozen or (self.process and not self.process.dead):
            return
        self.process = Process(self.tick(), self.name)
        w.go(self.process)

    def look(self) -> FleetObservation:
        w = self.world
        fresh = w.now - self.last_ok < 10 and not w.consul.wiped and self.canary
        if not fresh:
            self.view_lost_at = w.now
        since = max(self.fresh_since, w.consul.leader_since)
        held = self.holds and w.now - self.last_ok < 10
        lock = LockView(held, self.last_ok + 10 - w.now, self.epoch)
        trust = ViewTrust(fresh, "" if fresh else "no answer for 10 s", since)
        if not self.holds:
            view = ConsulView(trust, w.registered(), w.consul.index)
            return FleetObservation(self.clock.now(), CLUSTER, view, lock, {})
        w.refresh(self.asks.facts)
        return replace(w.observe(trust, lock, self.asks), now=self.clock.now())

    def _has_no_news(self) -> bool:
        """As the real edge: with a view, nothing to ask and no node in trouble there is no tick."""
        m = self.memory
        sees = self.holds and self.canary and self.world.now - self.last_ok < 9
        sees = sees and not self.unsure
        quiet = not (self.asks or m.clocks.keys() - {SEEN, CALM} or m.candidate)
        told = all(k.kind in ("operation", "cluster") for k in m.conditions)
        return sees and quiet and told and m.mode == "open" and self.world.is_plain()

    def tick(self) -> Steps:
        w, c = self.world, self.world.consul
        if self._has_no_news():
            return
        if self.unsure and self.fenced():
            self._read_anew()
        obs = self.look()
        done = decide(obs, w.policy, self.memory)
        if not self.holds:  # standing by: only the own view is announced
            self._tell_own_view(
                published(self.snapshot, done.memory.conditions, done.notices, CLUSTER, w.now)
            )
            self.memory = done.memory
            return
        self._note(done.mode.value)
        if w.rng.random() < 0.02 and decide(obs, w.policy, self.memory) != done:
            w.breach("I19 not deterministic")
        new = published(
            self.snapshot, done.memory.conditions, done.notices, CLUSTER, w.now,
            roster=done.memory.roster,
        )  # fmt: skip
        yield w.rng.uniform(0, 0.2)
        if new is not self.snapshot:
            if self.fenced():
                self._store(new)
                if w.rng.random() < w.lost_answers:  # it was stored all the same
                    self.unsure = True
                    return
                yield w.rng.uniform(0, 0.2)
                for event in new.outbox:
                    w.fired.append(dict(event))
                    yield 0
            else:
                self._tell_own_view(new)
                self.unsure = True
                own_view = {k: s for k, s in done.memory.conditions.items() if k == VIEW}
                self.memory = replace(
                    self.memory, conditions={**self.memory.conditions, **own_view}
                )  # fmt: skip
                return
        self.memory, self.asks = done.memory, done.asks
        for op in done.updates:
            if self.fenced():
                c.operations[op.id] = op.to_data()
            yield w.rng.uniform(0, 0.1)
        for op in done.proposals:
            if self.fenced():
                c.proposals[op.id] = op.to_data()
        for op in done.intents:
            yield w.rng.uniform(0, 0.3)
            self._claim(op)
        for op_id, minion in done.requests:
            yield w.rng.uniform(0, 0.3)
            w.send(minion, op_id)

    def _store(self, new: Snapshot) -> None:
        """Write the snapshot; what it says is due has to be fired, whoever does it."""
        w, c = self.world, self.world.consul
        if new.version != 1 + (c.members or {}).get("version", 0):
            w.breach(f"two engines wrote the version {new.version}")
        c.members, c.roster, self.snapshot = new.to_data(), new.roster_data(), new
        w.due |= {event["data"]["id"] for event in new.outbox}

    def _note(self, mode: str) -> None:
        """Remember, from the truth, since when it may have been right to act."""
        w = self.world
        if mode in ("blind", "held"):
            self.crowd_at = T0 - 9999
        elif mode == "storm" and simtruth.unhealthy(w, 25) > w.policy.max_unhealthy(len(w.nodes)):
            self.crowd_at = w.now
        if w.consul.hold is not None:
            self.held_at = w.now

    def _tell_own_view(self, new: Snapshot) -> None:
        """The view is announced by each engine on its own bus, also when nothing can be stored."""
        for event in new.outbox:
            if event["data"]["event"] in ("view_lost", "view_restored"):
                self.world.fired.append(dict(event))

    def _claim(self, op: Operation) -> None:
        """The one transaction of an intent."""
        w, c = self.world, self.world.consul
        free = c.hold is None and op.node not in c.maintenance
        if not (self.fenced() and op.epoch == c.epoch and free and op.id not in c.operations):
            return
        c.operations[op.id] = op.to_data()
        skew_s = op.evidence["skew_s"]
        if skew_s is None or abs(skew_s) > w.policy.clock_skew_s:
            w.breach("an intent for a node whose clock is not ours")
        stored = [operation_from(d) for d in c.operations.values()]
        if sum(o.state in UNDER_WAY for o in stored) > 1:
            w.breach("I5 two operations under way")
        p = w.policy
        if op.at - self.view_lost_at < p.sight_settle_s + p.decide_twice_s - 11:
            w.breach("I22 acted on evidence from before the view came back")
        if op.at - c.leader_since < p.sight_settle_s:
            w.breach("I22 acted while Consul's new leader settles")
        if not self.canary:
            w.breach("I9 decided without a view")
        if op.at - self.crowd_at < p.calm_s - 30:
            w.breach("I9 acted right after a storm")
        if op.at - self.held_at < p.sight_settle_s:
            w.breach("I22 acted on evidence from before a hold was released")
        for other in stored:
            lately = op.at - other.changed < p.refused_pause_s
            if other.state is Life.REFUSED and other.brick == op.brick and lately:
                w.breach("impolite: asked again right after a refusal")
