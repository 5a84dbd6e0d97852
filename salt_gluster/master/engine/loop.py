"""Run the loop of the engine, and carry out one tick's decisions.

What is decided stands in ``remediation``. Order matters here and nothing else: what is published
is stored before it is fired, an intent is stored before anybody is asked, and whoever takes over
finds both.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from salt_gluster.consul.canary import Marker
from salt_gluster.consul.catalog import Catalog, consul_view, hinted, identified
from salt_gluster.consul.client import Client, Op, check_absent_op
from salt_gluster.consul.cluster_state import ClusterState
from salt_gluster.consul.codec import pack
from salt_gluster.consul.heartbeat import heartbeat_op, marks
from salt_gluster.consul.store import Store
from salt_gluster.errors import ConsulError, GlusterError
from salt_gluster.master.engine.asking import AskingThread
from salt_gluster.master.engine.backoff import Backoff
from salt_gluster.master.engine.change_marks import ChangeMarks
from salt_gluster.master.engine.config_history import ConfigHistory
from salt_gluster.master.engine.consul_look import ConsulLook
from salt_gluster.master.engine.declared_config import Accepted, accept
from salt_gluster.master.engine.direct_look import DirectLook
from salt_gluster.master.engine.figures import Figures
from salt_gluster.master.engine.maintenance_expiry import MaintenanceExpiry
from salt_gluster.master.engine.probe import (
    ProbeRequest,
    ProbeRunner,
    probe_request,
    still_so,
)
from salt_gluster.master.engine.pruning import Pruning, present
from salt_gluster.master.engine.publish import Bus, EventPublisher
from salt_gluster.master.engine.status_document import is_news, status
from salt_gluster.master.engine.steady_clock import SAME_S, SteadyClock, is_corrected
from salt_gluster.master.engine.watches import Watches
from salt_gluster.model import (
    ENGINE_TIMES,
    LEASE,
    NOT_ASKED,
    EngineTimes,
    Lease,
    Unknown,
)
from salt_gluster.remediation import (
    Decisions,
    FleetObservation,
    LockView,
    Memory,
    decide,
    remembered,
    salt_events,
)
from salt_gluster.remediation.decide import Asks
from salt_gluster.remediation.membership import Signal
from salt_gluster.remediation.observation import VIEW
from salt_gluster.remediation.operations import Operation
from salt_gluster.status.look_time import LeaderTime
from salt_gluster.status.metrics import EngineFigures

log = logging.getLogger(__name__)

#: What an executor is sent, with the id of the operation.
EXECUTE = "gluster_remediation.execute"


class Engine:
    """One engine of one cluster on one master. ``connect`` makes a client with a time-out."""

    def __init__(
        self, connect: Callable[[float | None], Client], cluster: str, name: str, bus: Bus,
        *, marker: Marker | None = None, journal: Callable[[Mapping[str, Any]], None] | None = None,
        lease: Lease = LEASE, times: EngineTimes = ENGINE_TIMES,
        clock: SteadyClock | None = None,
    ) -> None:  # fmt: skip
        self.cluster, self.name = cluster, name
        self._times = times
        self._clock = clock or SteadyClock()
        self._now = self._clock.now
        self._bus, self._sending = bus, AskingThread("gluster-requests")
        self._probes = ProbeRunner(
            bus, lambda: self.watches.news.set(), self._now, sleep=self._clock.sleep,
            answers=Store(connect(times.records_timeout_s), cluster),
        )  # fmt: skip
        self.watches = Watches(
            connect, cluster, name, marker=marker, lease=lease, clock=self._clock,
            cannot_look=lambda: self._probes.trouble.why,
        )  # fmt: skip
        self._lock = self.watches.lock
        self._state = ClusterState(connect(times.records_timeout_s), cluster, self._time)
        self._publisher = EventPublisher(cluster, name, bus, self._state, self._lock, journal)
        self._backoff, self._marks = Backoff(), ChangeMarks()
        self._direct = DirectLook(self._state, self._probes, self._publisher.publish_unstored)
        self._history = ConfigHistory(self._state, self._lock, times)
        self._expiry = MaintenanceExpiry(bus, self._state, self._lock)
        self._consul = ConsulLook(connect(times.records_timeout_s), self._clock.monotonic)
        self._pruning = Pruning(self._state.store, self._lock.guard, self._clock.monotonic)
        self._accepted, self._figures = Accepted(), Figures()
        self._memory = Memory()
        self._asks = Asks()
        #: The epoch under which the snapshot was read; 0 = it has to be read.
        self._led = 0
        self._rev = -1
        self._collected_at = 0.0
        self._hinted_at = 0.0
        self._heartbeat_at = 0.0
        #: Consul's index of the last heartbeat of ours; 0 = none since we lead.
        self._heartbeat_index = 0
        self._status: Mapping[str, Any] | None = None
        #: Pending admissions, and of which catalog and declaration that was found out.
        self._pending: tuple[Catalog, Accepted, Mapping[str, str]] | None = None
        #: The members as the master admitted them; of which rows and counter that was found out.
        self._catalog = Catalog()
        self._identified: tuple[Catalog, int] | None = None
        self._is_waited_for = False

    def _time(self) -> LeaderTime:
        """Return our time: for a leader it is the one by which the nodes' looks are dated."""
        now = self._now()
        return LeaderTime(self.name, now, now)

    def figures(self) -> EngineFigures:
        """Return what this engine has done, for another thread: ``/metrics``."""
        known, fresh = self._figures, self.watches.probe.verdict.is_fresh
        age_s = self._clock.monotonic() - known.ticked_at
        return EngineFigures(self.name, self._lock.holds(), fresh, age_s, known.ticks,
                             known.failed, dict(known.decisions))  # fmt: skip

    # --- the loop --------------------------------------------------------------------------------

    def run(self) -> None:
        """Watch, decide and act, for ever."""
        self.watches.start()
        while True:
            pause_s = self.run_once()
            self.watches.news.wait(pause_s)

    def run_once(self) -> float:
        """Do one tick; return after how many seconds the next is due without news."""
        self.watches.news.clear()
        try:
            if self.watches.is_reading(self._times.reading_s):
                return self._times.reading_s / 10
            self.tick()
            self._figures.tick(self._clock.monotonic())
        except GlusterError as err:
            log.warning("this tick was given up: %s", err)
            self._led, self._figures.failed = 0, self._figures.failed + 1
            return min(self._times.pause_s, self.watches.view_lost_in_s())
        except Exception:
            log.exception("a tick failed")
            self._led, self._figures.failed = 0, self._figures.failed + 1
            return self._times.pause_s
        return min(self._due_s(), self.watches.view_lost_in_s())

    def _due_s(self) -> float:
        """Return when the next tick is due: soon while something is not healthy."""
        if not self._lock.holds():
            return self._times.collect_s
        if self.watches.hints():
            return self._times.hints_s
        hints = hinted(self._catalog, self.watches.critical)
        waits = hints or self._is_waited_for
        if self._asks or waits or self._publisher.is_behind or self._memory.mode != "open":
            return self._accepted.policy.tick_s
        quiet_s = self._collected_at + self._times.collect_s - self._clock.monotonic()
        return max(1.0, min(quiet_s, self._expiry.due_s(self._now())))

    def _correct_clock(self) -> None:
        """Go by the wall clock again where it was wrong before and the nodes say it is right now.

        Nothing that was seen counts after such a jump: everything is read and waited for anew.
        """
        behind_s = self._clock.behind_s()
        if abs(behind_s) <= SAME_S or not self._lock.holds():
            return
        known = self._probes.skews(self._now()).values()
        skews = [skew for skew in known if not isinstance(skew, Unknown)]
        if not skews:
            minions = {uuid: minion for uuid, _, minion, _ in self._catalog.nodes}
            self._probes.begin(ProbeRequest(minions, ()), self._times.collect_s / 5)
        elif is_corrected(behind_s, skews):
            log.warning("the clock of this machine was corrected by %.0f s", behind_s)
            self._clock.set_anew()
            self._probes.forget()
            self.watches.disturbed()
            self._memory, self._led = Memory(), 0

    def tick(self) -> None:
        """See, decide, carry out."""
        self._correct_clock()
        if self._lock.holds():
            self._resume()
        obs = self._observe()
        done = decide(obs, self._accepted.policy, self._memory)
        if not self._lock.holds():
            self._stand_by(obs, done)
            return
        self._act(obs, done)

    # --- see -------------------------------------------------------------------------------------

    def _resume(self) -> None:
        """Read what a leader has to know, where that is new; ``ConsulError`` gives the tick up."""
        rev = self.watches.rev
        if self._led != self._lock.epoch:
            epoch = self._lock.epoch
            snapshot = self._publisher.resume()
            again = self._memory.epoch == epoch  # ours all the time, only read anew
            self._memory = remembered(snapshot, self._memory, self._now())
            if again:
                self._memory = replace(self._memory, epoch=epoch)
            else:
                # Not where we led all the time: a node's answer may be younger than its report in
                # Consul, and a brick that was started since would be told down a second time.
                self._probes.forget()
                self._state.forget()
                document = self._state.store.read(self._state.keys.status)
                self._consul.resume(None if document is None else document.data)
            self._asks, self._rev, self._collected_at, self._status = Asks(), -1, 0.0, None
            self._heartbeat_index = 0 if not again else self._heartbeat_index
            self._history.forget()
            self._led = epoch
        if self._rev != rev:
            before = self._accepted
            self._accepted = accept(self._state.store, self._lock, self._now())
            self._rev = rev
            self._history.current = self._accepted.current
            if before.number != self._accepted.number or before.number == 0:
                log.info("policy: %s", self._accepted.words)
        if self._clock.monotonic() - self._collected_at >= self._times.collect_s:
            self._state.collect()
            # One that was frozen before this line, and is no leader any more, removes nothing.
            number, most_s = self._accepted.number, 2 * self._times.collect_s
            self._pruning.prune(self._lock.epoch, number, most_s)
            self._collected_at = self._clock.monotonic()

    def _observe(self) -> FleetObservation:
        w, now = self.watches, self._now()
        trust = w.trust()
        critical = w.critical  # a watch may bring the next ones while we look
        leads = trust.fresh and self._lock.holds()
        catalog = self._identify(w.catalog) if leads else self._catalog
        view = consul_view(catalog, critical, trust, w.index)
        epoch: int | Unknown = self._lock.epoch or NOT_ASKED
        lock = LockView(self._lock.holds(), self._lock.believed_s(), epoch)
        has_policy = bool(self._accepted.number)
        obs = FleetObservation(now, self.cluster, view, lock, {}, has_policy=has_policy)
        if not trust.fresh or not lock.held:
            return obs
        return self._with_records(obs, catalog, hinted(catalog, critical))

    def _identify(self, rows: Catalog) -> Catalog:
        """Return who these rows are; asked again when a row, an admission or the spec is another.

        A node is admitted before it has the right to register: its row is never read first.
        """
        before = self._identified
        if before is None or before[0] is not rows or before[1] != self._rev:
            self._catalog = identified(rows, self._state.admitted(), self._accepted.spec)
            self._identified = (rows, self._rev)
        return self._catalog

    def _with_records(
        self, obs: FleetObservation, catalog: Catalog, hints: frozenset[str]
    ) -> FleetObservation:
        state = self._state
        state.refresh()
        answers = self._probes.latest(obs.now)
        for uuid, report in answers.reports.items():
            state.take(uuid, report, asked_at=answers.sent_at)
        # What a node hints at is younger than what it answered when it was asked.
        state.read_sets_of(hints | ((self._asks.facts | _missed(obs)) - set(answers.reports)))
        operations = state.operations()
        pool = state.pool(self._missed_since())
        before = self._pending_nodes(catalog)
        self._pruning.present = present(catalog.names, pool)
        members, strays = self._members(obs, catalog, pool, before)
        return replace(
            obs,
            members=members,
            strays=strays,
            admission=replace(self._accepted.admission, candidates=before, critical=hints),
            pool=pool,
            volume_troubles=state.troubles,
            facts=dict(state.facts),
            ports=still_so(answers, state.facts),
            peers=answers.peers,
            answered=answers.answered,
            unconfirmed=answers.unconfirmed,
            skews=self._probes.skews(obs.now),
            hold=state.hold(),
            went_back=state.went_back(),
            maintenance=state.maintenance(),
            operations=operations,
            proposals=state.proposals(),
            outcomes=state.outcomes(operations),
            acknowledged=state.acknowledged(),
            recorded=state.recorded() if self._asks or hints else NOT_ASKED,
            written=dict(state.written),
            consul_health=self._consul.health(
                catalog, self.watches.sessions, state.reports, answers.says
            ),
        )

    def _missed_since(self) -> dict[str, float]:
        """Return the nodes that a witness misses, as the last tick had it, and since when."""
        states = ("suspect", "down", "gone")
        nodes = ((k, s) for k, s in self._memory.conditions.items() if k.kind == "node")
        return {ref.id: s.since for ref, s in nodes if s.state in states}

    def _pending_nodes(self, catalog: Catalog) -> Mapping[str, str]:
        """Return the nodes that wait to be in the pool; computed when one came or was accepted."""
        known = self._pending
        if known is None or known[0] is not catalog or known[1] is not self._accepted:
            self._pending = known = (catalog, self._accepted, self._accepted.pending(catalog.names))
        return known[2]

    def _members(
        self, obs: FleetObservation, catalog: Catalog, pool: Any, before: Mapping[str, str]
    ) -> tuple[dict[str, str], frozenset[str]]:
        """Return who should be in the pool: gluster's own peers, and whoever has registered.

        Also which of them have not. Of thousands only those that are not well are looked at. Who
        waits to be one of them is none yet.
        """
        peers = () if isinstance(pool, Unknown) or isinstance(pool.peers, Unknown) else pool.peers
        strays = {
            p.uuid: p.names[0] if p.names else p.uuid for p in peers if p.uuid not in catalog.names
        }  # fmt: skip
        odd = {u: obs.consul.registered[u].name for u in obs.consul.odd}
        members = {**catalog.names, **odd, **strays}
        for uuid in before.keys() - {p.uuid for p in peers}:
            members.pop(uuid, None)
        return members, frozenset(strays)

    # --- carry out -------------------------------------------------------------------------------

    def _stand_by(self, obs: FleetObservation, done: Decisions) -> None:
        """Announce only this engine's own view; the rest is the leader's."""
        self._publisher.publish_view(obs, done.notices)
        if obs.consul.trust.fresh:
            self._direct.end()
        else:
            known = self._memory.conditions
            self._direct.look(obs, self._catalog, self._accepted.policy, known)
        self._memory, self._asks, self._is_waited_for = done.memory, Asks(), False
        self.watches.looked_at(self.watches.hints())  # the leader's business

    def _act(self, obs: FleetObservation, done: Decisions) -> None:
        self._publisher.publish_view(obs, done.notices)
        self._direct.end()
        done = self._history.keep(obs, done)
        if not self._publisher.publish(obs, done.memory, done.notices):
            # It may have been stored after all: everything is read again. The view was announced.
            self._led = 0
            own_view = {k: s for k, s in done.memory.conditions.items() if k == VIEW}
            self._memory = replace(self._memory, conditions={**self._memory.conditions, **own_view})
            return
        self._memory, self._asks = done.memory, done.asks
        self._figures.decided(done)
        self._ask(obs, done.asks, done)
        store = self._state.store
        if self._state.unseen:
            self._state.see_acknowledged(obs.now, self._lock.guard)
            self.watches.news.set()
        for op in done.updates:
            store.write(store.keys.operation(op.id), op.to_data(), guard=self._lock.guard)
            self._note(obs.now, op)
        for op in done.proposals:
            index = self._state.proposal_index.get(op.id, 0)
            key = store.keys.proposal(op.id)
            store.write(key, op.to_data(), cas=index, seen=True, guard=self._lock.guard)
            self._note(obs.now, op)
        for op in done.intents:
            self._write_intent(obs, op)
        for uuid, name in done.admission.accept:
            self._admit_node(obs, uuid, name)
        self._is_waited_for = done.admission.is_waiting
        for operation, minion in done.requests:
            if self._lock.holds():
                self._publisher.fire(salt_events.request(self.cluster, operation, minion, obs.now))
                self._send(operation, minion)
        self._write_status(obs, done)
        self._expiry.expire(obs)
        self._write_heartbeat(obs.now)

    def _send(self, operation: str, minion: str) -> None:
        """Let its minion look at an operation: by a job, which nobody but a master can make.

        An event could be forged by any minion. What does not go out is sent again.
        """

        def send() -> None:
            self._bus.send(minion, EXECUTE, [operation])

        if not self._sending.begin(send):
            log.warning("%s was not sent to %s: the last request is under way", operation, minion)

    def _write_intent(self, obs: FleetObservation, op: Operation) -> None:
        """Write the intent in the one transaction; a lost race is decided anew."""
        try:
            self._lock.claim(op.id, pack(op.to_data()), [op.node], self._heartbeat_index)
        except ConsulError as err:
            log.warning("the intent to %s %s was not written: %s", op.action, op.brick, err)
            return
        self._note(obs.now, op)
        self.watches.news.set()  # the request goes out as soon as it is read back
        if op.id in self._state.proposal_index:
            self._state.store.remove(
                self._state.keys.proposal(op.id), seen=True, guard=self._lock.guard
            )

    def _admit_node(self, obs: FleetObservation, uuid: str, name: str) -> None:
        """Accept a node as the policy says, unless an operator decided otherwise meanwhile."""
        store = self._state.store
        keys = store.keys
        stops = (keys.hold, keys.maintenance(uuid), keys.rejected(name))

        def guard() -> list[Op]:
            return [*self._lock.guard(), *(check_absent_op(key) for key in stops)]

        try:
            store.accept_node(name, uuid, f"the policy, {self.name}", obs.now, guard)
        except ConsulError as err:
            log.warning("%s was not accepted: %s", name, err)

    def _ask(self, obs: FleetObservation, asks: Asks, done: Decisions | None = None) -> None:
        """Ask what the decision needs, and at once whoever one of gluster's events hints at.

        The first one, that is: a flood of them makes no more rounds than anything else.
        """
        hints, registered = self.watches.hints(), obs.consul.registered
        known = frozenset(u for u in hints if u in registered and obs.consul.trust.fresh)
        self.watches.looked_at(hints - known)  # gone; or nothing is seen, and all is read later
        asks = replace(asks, facts=asks.facts | known)
        unheard = obs.consul_health.unheard(registered)
        if not asks and self._consul.is_due(unheard):
            asks = Asks(facts=unheard)  # they see what they do not tell
        if not asks:
            return
        tick_s = self._accepted.policy.tick_s
        at_once = bool(known) and obs.now - self._hinted_at >= tick_s
        asked = probe_request(asks, obs.consul, obs.pool, obs.facts)
        every_s = tick_s / 2 if done is None else self._backoff.pause_s(obs, done, tick_s / 2)
        if self._probes.begin(asked, self._times.hints_s if at_once else every_s):
            self._backoff.asked()
            if known:
                self.watches.looked_at(known)
                self._hinted_at = obs.now

    # --- for operators ---------------------------------------------------------------------------

    def _note(self, now: float, op: Operation) -> None:
        """Add a line to the audit in Consul; the journal of this machine has it as an event."""
        line = {"at": now, "by": self.name, "operation": op.id, "state": op.state.value,
                "action": op.action, "brick": op.brick, "why": op.why}  # fmt: skip
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        try:
            self._state.store.audit(stamp, f"{op.id}-{op.state.value}", line)
        except ConsulError as err:
            log.warning("the audit could not be written: %s", err)

    def _write_status(self, obs: FleetObservation, done: Decisions) -> None:
        document = status(obs, done, by=self.name, policy=self._accepted.words)
        if is_news(self._status, document):
            store = self._state.store
            store.write(store.keys.status, document, guard=self._lock.guard)
            self._status = document

    def _write_heartbeat(self, now: float) -> None:
        """Write our time: by it a reader knows how old the nodes' reports are."""
        if self._clock.monotonic() - self._heartbeat_at < self._times.heartbeat_s:
            return
        store = self._state.store
        try:
            known = marks(store.keys, store.trees([store.keys.changed])[store.keys.changed])
            indexes = {uuid: mark.modify_index for uuid, mark in known.items() if uuid}
            ignored = self._marks.saw(indexes, self._clock.monotonic())
            written = self._lock.write([heartbeat_op(store.keys, self.name, now, ignored)])
            self._heartbeat_at = self._clock.monotonic()
            beat = (e.modify_index for e in written if e.key == store.keys.heartbeat)
            self._heartbeat_index = next(beat)
        except ConsulError as err:
            log.info("the heartbeat could not be written: %s", err)


def _missed(obs: FleetObservation) -> frozenset[str]:
    """Return whom Consul misses: what they wrote last, and their sets, is worth a look."""
    nodes = obs.consul.registered
    return frozenset(u for u in obs.consul.odd if nodes[u].serf is Signal.BAD)
