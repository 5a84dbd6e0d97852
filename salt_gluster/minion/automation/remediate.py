"""Carry out one operation on this node, as Consul names it.

The edge of ``remediation/authorize.py``, in its order. The request brings an id and nothing else.
Wherever this process is killed and asked again, the command is not sent a second time: *issued* is
stored before it, once for ever, and who finds it there only looks back.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from salt_gluster import node
from salt_gluster.consul import canary, queries, service
from salt_gluster.consul.catalog import catalog, consul_view, critical_checks
from salt_gluster.consul.client import Client, connect
from salt_gluster.consul.cluster_state import ClusterState
from salt_gluster.consul.leader_lock import current_leader
from salt_gluster.consul.service import Member
from salt_gluster.consul.trust_probe import TrustProbe
from salt_gluster.errors import Conflict, ConsulError, GlusterError, OutcomeUnknown
from salt_gluster.minion import apply, verify
from salt_gluster.minion.automation import publish, registration
from salt_gluster.minion.driver import GlusterDriver
from salt_gluster.minion.submit import is_older, kept_submission
from salt_gluster.model import Observation, Plan, Ref, Refusal, Step, Unknown, is_known
from salt_gluster.plan.actions import is_done
from salt_gluster.remediation import FleetObservation, LockView, Policy, authorize
from salt_gluster.remediation.authorize import Authorization, Decision
from salt_gluster.remediation.fleet_mode import FleetMode
from salt_gluster.remediation.guards.context import GuardContext
from salt_gluster.remediation.membership import Condition, ConsulView, ViewTrust
from salt_gluster.remediation.observation import WentBack
from salt_gluster.remediation.operations import (
    ExecutionReport,
    Life,
    Operation,
    operation_from,
    outcome_from,
)
from salt_gluster.remediation.policy import policy_from
from salt_gluster.remediation.proposals import target_of
from salt_gluster.status.look_time import LeaderTime

log = logging.getLogger(__name__)

#: How long another job of this node is waited for; the leader asks again anyway.
JOB_WAIT_S = 30.0
CONSUL_S = 5.0
#: How long a brick may need for its row and port after the command (facts.md#C-B.3: up to 16 s).
READ_BACK_S = 25.0
#: Where an executor may be killed: a test enumerates them.
STEPS = ("locked", "read", "looked", "judged", "begun", "looked_again", "judged_again", "copied",
         "sent", "answered", "read_back", "told")  # fmt: skip
After = Callable[[str], None]


def carry_out(
    operation: str,
    driver: GlusterDriver,
    settings: Mapping[str, Any],
    *,
    only_tells: bool = False,
    after: After = lambda step: None,
) -> dict[str, Any]:
    """Do what this operation wants, if it is right as seen from here; return what was done.

    ``only_tells``: this minion is configured to change nothing, which is a refusal.
    ``after`` is called at the end of each of ``STEPS``. Never raises for Consul or gluster.
    """
    me = registration.load_registration()
    if me is None:
        return _answer(operation, _ignored("registered", "this node is not registered in Consul"))
    try:
        with _client(settings) as client:
            execution = _Execution(operation, driver, me, client, after, only_tells)
            # What is forged, done or not for us takes no lock, and nobody waits behind another one:
            # a flood of requests must not keep this node from its own work.
            if (known := execution.is_ours()).do is Decision.IGNORE:
                return _answer(operation, known)
            with node.one_executor(), node.one_job(JOB_WAIT_S):
                after("locked")
                return execution.go()
    except Conflict as busy:
        return _answer(operation, _ignored("node_free", str(busy)))
    except GlusterError as problem:
        log.warning("operation %s: %s", operation, problem)
        return _answer(operation, _ignored("seen", f"what is so cannot be read: {problem}"))


@contextlib.contextmanager
def _client(settings: Mapping[str, Any]) -> Iterator[Client]:
    client = connect(settings, timeout_s=CONSUL_S)
    try:
        yield client
    finally:
        client.close()


def _ignored(name: str, why: str) -> Authorization:
    return Authorization(Decision.IGNORE, (Refusal(name, why),))


def _answer(operation: str, done: Authorization) -> dict[str, Any]:
    return {
        "operation": operation,
        "did": done.do.value,
        "reasons": [{"name": r.name, "why": r.why} for r in done.reasons],
        "outcome": done.outcome.state.value if done.outcome else None,
    }


#: The leader writes its time every 7-10 s, and one of them may fail.
HEARTBEAT_LATE_S = 20.0


class _Execution:
    """One request being followed."""

    def __init__(
        self, operation: str, driver: GlusterDriver, me: Member, client: Client, after: After,
        only_tells: bool,
    ):  # fmt: skip
        self.only_tells = only_tells
        self.id, self.driver, self.me, self.after = operation, driver, me, after
        self.client = client
        self.state = ClusterState(client, me.cluster)
        self.store = self.state.store
        self.policy, self.has_policy = Policy(), False
        self.spec: Any = None

    def is_ours(self) -> Authorization:
        """Judge only whether it concerns this node and is open; nothing here is looked at."""
        return self._verdict(*self._read(), self._unseen(), conditions={})

    def go(self) -> dict[str, Any]:
        """Judge, begin, judge again, act once, read back, tell."""
        operation, outcome = self._read()
        self.after("read")
        # What is forged, done or not for us costs no look at gluster.
        first = self._verdict(operation, outcome, self._unseen())
        if first.do is Decision.IGNORE:
            return _answer(self.id, first)
        obs = self._observe()
        self.after("looked")
        answer = self._verdict(operation, outcome, obs)
        self.after("judged")
        if answer.do is not Decision.PERFORM:
            return self._publish(answer)
        if not self._begin(answer):
            return self._publish(
                authorize.reconcile_outcome(_known(operation), self._observe(), self.policy)
            )
        self.after("begun")
        return self._publish(self._perform())

    # --- reading -----------------------------------------------------------------------------

    def _read(self) -> tuple[Operation | Unknown | None, ExecutionReport | Unknown | None]:
        """Read what Consul has of this operation, our own word on it, and the policy."""
        current = self.store.current()
        given = current.data.get("policy") if current else None
        self.spec = current.data.get("spec") if current else None
        self.has_policy = given is not None
        self.policy = policy_from(given) if given is not None else Policy()
        try:
            document = self.store.operation(self.id)
            operation = None if document is None else operation_from(document.data)
        except ConsulError as err:
            if err.kind != "unreadable":
                raise
            return Unknown(f"the operation cannot be read: {err}"), None
        except GlusterError as err:  # an id that is no key, or an operation of another version
            return Unknown(f"the operation cannot be read: {err}"), None
        return operation, self._outcome()

    def _outcome(self) -> ExecutionReport | Unknown | None:
        try:
            document = self.store.outcome(self.me.uuid, self.id)
            return None if document is None else outcome_from(document.data)
        except GlusterError as err:
            return Unknown(f"what this node said of it before cannot be read: {err}")

    def _unseen(self) -> FleetObservation:
        """Return an observation in which nothing was looked at."""
        view = ConsulView(ViewTrust(False, "not asked"))
        lock = LockView(False, epoch=Unknown("not asked"))
        return FleetObservation(
            self.driver.now(), self.me.cluster, view, lock, {}, executor_node=self.me.uuid
        )  # fmt: skip

    def _verdict(
        self, operation: Operation | Unknown | None, outcome: ExecutionReport | Unknown | None,
        obs: FleetObservation, *, begun: bool = False,
        conditions: Mapping[Ref, Condition] | None = None,
    ) -> Authorization:  # fmt: skip
        skew: Any = None
        if isinstance(operation, Operation):
            skew = operation.evidence.get("skew_s")
        is_number = isinstance(skew, int | float) and not isinstance(skew, bool)
        return authorize.authorize(
            operation, outcome, obs, self.policy,
            minion=self.me.minion,
            skew_s=float(skew) if is_number else Unknown("it was not measured"),
            conditions=self.state.snapshot().conditions if conditions is None else conditions,
            begun=begun,
            only_tells=self.only_tells,
        )  # fmt: skip

    def _observe(self) -> FleetObservation:
        """Look at everything afresh from this node; writing the own report is the heartbeat."""
        own = publish.collect(self.driver, self.store, best_effort=True)
        trust = self._trust(own)
        records = self.state
        records.refresh()
        self._go_by(own)
        records.collect()
        rows = queries.registered(self.client, consistent=True)
        registered = catalog(rows.data, self.me.cluster, records.admitted(), self.spec)
        checks = critical_checks(queries.critical_now(self.client))
        view = self._with_own_stop(consul_view(registered, checks, trust, rows.index))
        lead = current_leader(self.client, self.me.cluster)
        epoch = lead.epoch or Unknown("nobody has ever led")
        members = (
            {p["uuid"]: (p["names"] or [p["uuid"]])[0] for p in own["peers"]}
            if _is_list(own)
            else {}
        )
        members |= {uuid: r.name for uuid, r in view.registered.items()}
        return FleetObservation(
            now=self.driver.now(),
            cluster=self.me.cluster,
            consul=view,
            lock=LockView(lead.held, epoch=epoch),
            members=members,
            facts=dict(records.facts),
            hold=records.hold(),
            went_back=self._went_back(),
            maintenance=records.maintenance(),
            operations=records.operations(),
            acknowledged=records.acknowledged(),
            recorded=records.recorded(),
            has_policy=self.has_policy,
            written=dict(records.written),
            executor_node=self.me.uuid,
        )

    def _with_own_stop(self, view: ConsulView) -> ConsulView:
        """Return it with what this node's own agent holds.

        In the catalog any node of the pool can take another's maintenance away for a minute, until
        its agent writes it again (facts.md#K-5.5).
        """
        reason = next(iter(service.maintenance(self.client).values()), "")
        me = view.registered.get(self.me.uuid)
        if not reason or me is None:
            return view
        held = replace(me, maintenance=True, held_for=reason)
        critical = (view.critical or frozenset()) | {self.me.uuid}
        return replace(view, registered={**view.registered, self.me.uuid: held}, critical=critical)

    def _go_by(self, own: Mapping[str, Any]) -> None:
        """Date the others' looks by the leader's heartbeat, as it stood before our own look.

        That may have been written up to two of them before: a node whose own time fits then is
        believed. Else an operator's acknowledgement would be older than what it was for.
        """
        after = own.get("after") or {}
        if isinstance(after.get("at"), int | float):
            at, now = float(after["at"]), self.driver.now()
            self.state.time = lambda: LeaderTime(str(after.get("by")), now, at, HEARTBEAT_LATE_S)

    def _went_back(self) -> WentBack | Unknown | None:
        """Return the mark that Consul is an older one; this node's own memory counts as well."""
        mark, kept = self.state.went_back(), kept_submission()
        if mark is not None or kept is None:
            return mark
        document = self.store.read(self.store.keys.submitted(self.me.uuid))
        found = 0 if document is None else document.index
        if not is_older(document, kept):
            return None
        return WentBack(0, seen=int(kept["index"]), found=found)

    def _trust(self, own: Mapping[str, Any]) -> ViewTrust:
        """Return whether Consul can be believed here; the write that proves it is the report's."""
        now = self.driver.now()
        heartbeat = _Heartbeat(lambda: publish.publish_report(self.store, self.me, own))
        marker = canary.FileMarker(canary.FOLDER)
        view = TrustProbe(self.client, self.me.cluster, heartbeat, marker).renew()
        return ViewTrust(view.is_fresh, "" if view.is_fresh else view.why, now)

    # --- acting ------------------------------------------------------------------------------

    def _begin(self, answer: Authorization) -> bool:
        """Store *issued*, once for ever; False when a run had begun it, or may have."""
        assert answer.outcome is not None
        try:
            self.store.write_outcome(self.me.uuid, self.id, answer.outcome.to_data(), cas=0)
        except ConsulError as err:
            if err.kind == "conflict" or err.maybe_done:
                return False
            raise
        return True

    def _perform(self) -> Authorization:
        """Look once more, judge again, and act; from here on *issued* stands whatever happens."""
        operation, _ = self._read()
        obs = self._observe()
        self.after("looked_again")
        answer = self._verdict(operation, None, obs, begun=True)
        self.after("judged_again")
        if answer.do is Decision.IGNORE and isinstance(operation, Operation):
            return Authorization(
                Decision.REFUSE, answer.reasons, self._outcome_of(Life.REFUSED, answer)
            )
        if answer.do is not Decision.PERFORM:
            return answer
        return self._act(_known(operation), obs)

    def _act(self, op: Operation, obs: FleetObservation) -> Authorization:
        step = restart_step(op, obs, self.policy)
        one_step = _OneStep(self.driver, self.after)
        done = apply.run_once(_planner(op, step), one_step)
        refused = done.plan.refusals if done.refused else ()
        if not one_step.sent and (refused or done.error):
            why = refused or (Refusal("nothing_sent", str(done.error)),)
            return Authorization(
                Decision.REFUSE,
                why,
                self._outcome_of(Life.REFUSED, Authorization(Decision.REFUSE, why)),
            )
        _, missing = verify.read_back(self.driver, step, wait_s=READ_BACK_S)
        self.after("read_back")
        if not missing:
            return Authorization(Decision.PERFORM, (), self._outcome_of(Life.APPLIED))
        error = done.error
        if isinstance(error, OutcomeUnknown):
            # It may still happen: the engine judges it when it is due, and it is not begun again.
            return Authorization(Decision.PERFORM, (Refusal("outcome_known", str(error)), *missing))
        reasons = (*((Refusal("command", str(error)),) if error else ()), *missing)
        outcome = self._outcome_of(Life.FAILED, Authorization(Decision.PERFORM, reasons))
        return Authorization(Decision.PERFORM, reasons, outcome)

    def _outcome_of(self, state: Life, why: Authorization | None = None) -> ExecutionReport:
        reasons = tuple(f"{r.name}: {r.why}" for r in why.reasons) if why else ()
        return ExecutionReport(self.id, self.me.uuid, state, self.driver.now(), reasons)

    # --- telling -----------------------------------------------------------------------------

    def _publish(self, answer: Authorization) -> dict[str, Any]:
        """Store the outcome. What cannot be stored is found again by looking back."""
        if answer.outcome is None:
            return _answer(self.id, answer)
        first = answer.do is Decision.REFUSE and self._outcome() is None
        try:
            data = answer.outcome.to_data()
            self.store.write_outcome(self.me.uuid, self.id, data, cas=0 if first else None)
            self.after("told")
            publish.collect_and_publish(self.driver, self.store, self.me)
        except ConsulError as err:
            log.warning("the outcome of %s could not be told: %s", self.id, err)
        return _answer(self.id, answer)


class _Heartbeat:
    """A write that the trust probe may count on, by a node that holds no session."""

    def __init__(self, write: Callable[[], None]) -> None:
        self._write = write
        self.renewed_at: float | None = None
        self.error = ""

    def renew(self, *, lead: bool = True) -> bool:
        """Write, and note when that was sent; False where it did not go through."""
        sent_at = time.monotonic()
        try:
            self._write()
        except GlusterError as err:
            self.error = str(err)
            return False
        self.renewed_at = sent_at
        return True


class _OneStep:
    """This node's driver, for one step under the lock that is held already (``driver.Driver``)."""

    def __init__(self, driver: GlusterDriver, after: After) -> None:
        self._driver, self._after = driver, after
        self.now, self.sleep, self.jitter = driver.now, driver.sleep, driver.jitter
        self.observe, self.backup = driver.observe, driver.backup
        self.observe_more = driver.observe_more
        self.stamps, self.tell = driver.stamps, driver.tell
        self.sent = False

    def node_lock(self) -> AbstractContextManager[None]:
        return contextlib.nullcontext()

    def execute(self, step: Step) -> None:
        """Keep a copy of glusterd's files, then send the command."""
        self._driver.backup()
        self._after("copied")
        self.sent = True
        self._after("sent")
        self._driver.execute(step)
        self._after("answered")


def restart_step(op: Operation, obs: FleetObservation, policy: Policy) -> Step:
    """Return the step; ``starts`` are all bricks that the command will start with it."""
    path = op.path
    down = GuardContext(obs, policy, target_of(op), FleetMode.OPEN, "").down_bricks
    args = {
        "brick": op.brick, "path": path, "node": op.node,
        "starts": tuple(sorted({op.brick, *(brick.name for brick, _ in down)})),
    }  # fmt: skip
    return Step(op.action, op.volume, args, f"start the process of brick {op.brick} again")


def _planner(op: Operation, step: Step) -> Callable[[Observation], Plan]:
    """Return a planner of that one step: the volume's last look is its own, right before it."""

    def planner(obs: Observation) -> Plan:
        volume = obs.volume(op.volume) if is_known(obs.volumes) else None
        why = ""
        if volume is None or volume.id != op.volume_id:
            why = f"volume {op.volume} is not the one that was meant, or is not known"
        elif not volume.is_started:
            why = f"an operator has stopped {op.volume}: it is {volume.status}"
        if why:
            return Plan(op.volume, (), refusals=(Refusal("volume_started", why),))
        if is_done(obs, step):
            return Plan(op.volume)
        return Plan(op.volume, (step,), changes={op.brick: {"old": "down", "new": "up"}})

    return planner


def _known(operation: Operation | Unknown | None) -> Operation:
    if not isinstance(operation, Operation):
        raise GlusterError("the operation is gone from Consul", kind="operation_gone")
    return operation


def _is_list(own: Mapping[str, Any]) -> bool:
    return isinstance(own.get("peers"), list)
