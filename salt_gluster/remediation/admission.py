"""Evaluate candidate nodes: registered, meant by a glob of ``nodes``, and not accepted yet.

A candidate is announced once. It waits for an operator to approve it, or for the policy to accept
it once it has been well for long enough. Being accepted gives it no bricks and probes no peer: that
is the next highstate's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from salt_gluster.model import Ref, natural_key
from salt_gluster.remediation.fleet_mode import FleetMode
from salt_gluster.remediation.membership import Condition, Signal
from salt_gluster.remediation.observation import FleetObservation, Memory
from salt_gluster.remediation.policy import Mode, Policy
from salt_gluster.remediation.salt_events import Notice
from salt_gluster.remediation.state_machine import Ignored, Row, Table

_APPROVE = "salt-run gluster_remediation.approve {}"


class CandidateState(str, Enum):
    """What was announced of it."""

    UNKNOWN = "unknown"
    PROPOSED = "proposed"


class CandidateEvent(str, Enum):
    """What one tick observes of it."""

    THERE = "there"
    AWAY = "away"
    LEFT = "left"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True)
class CandidateContext:
    """The context of a turn: for how long it has been well, and what speaks against it."""

    well_s: float
    reasons: tuple[tuple[str, str], ...]
    policy: Policy


_S, _E = CandidateState, CandidateEvent

CANDIDATE: Table[CandidateState, CandidateEvent, CandidateContext] = Table(
    "candidate",
    CandidateState,
    CandidateEvent,
    (
        Row("J1", (_S.UNKNOWN,), _E.THERE, "", "proposed", _S.PROPOSED,
            "it has registered, and a glob of `nodes` means it"),
        Row("J2", (_S.PROPOSED,), _E.THERE, "may_accept", "accept", _S.PROPOSED,
            "it has been well for long enough, and the policy says act"),
        Row("J3", (_S.PROPOSED,), _E.ACCEPTED, "", "accepted", _S.UNKNOWN,
            "it may be in the pool; its next state.apply takes it in"),
        Row("J4", (_S.PROPOSED,), _E.REJECTED, "", "rejected", _S.UNKNOWN,
            "an operator said no"),
        Row("J5", (_S.PROPOSED,), _E.LEFT, "", "", _S.UNKNOWN,
            "it is not in the catalog any more, or no glob means it"),
    ),
    (
        Ignored((_S.PROPOSED,), (_E.THERE,), "it waits for approval"),
        Ignored((_S.PROPOSED,), (_E.AWAY,), "it may be a restart; its clock starts again"),
        Ignored((_S.UNKNOWN,), (_E.AWAY, _E.LEFT, _E.ACCEPTED, _E.REJECTED),
                "it was not announced"),
    ),
    {
        "may_accept": lambda w: (
            w.policy.accept_node is Mode.ACT
            and not w.reasons and w.well_s >= w.policy.accept_after_s
        ),
    },
)  # fmt: skip


@dataclass(frozen=True)
class AdmissionDecisions:
    """The decisions of this tick; ``accept`` are uuid and name of the nodes to be admitted."""

    conditions: Mapping[Ref, Condition] = field(default_factory=dict)
    clocks: Mapping[tuple[Ref, str], float] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()
    accept: tuple[tuple[str, str], ...] = ()
    proposed: tuple[Mapping[str, object], ...] = ()

    @property
    def is_waiting(self) -> bool:
        """Whether a clock runs that something hangs on."""
        return any(row["until"] is not None for row in self.proposed)


def evaluate_candidates(
    obs: FleetObservation, policy: Policy, memory: Memory, mode: FleetMode
) -> AdmissionDecisions:
    """Return the candidates, what is to be told of them, and which are to be accepted."""
    admission = obs.admission
    before = {k: s for k, s in memory.conditions.items() if k.kind == "candidate"}
    out, clocks = dict[Ref, Condition](), dict[tuple[Ref, str], float]()
    notices = list[Notice]()
    accept, proposed = list[tuple[str, str]](), list[Mapping[str, object]]()
    for key in sorted({*before, *(Ref("candidate", uuid) for uuid in admission.candidates)}):
        uuid, clock = key.id, (key, "well")
        was = before.get(key, Condition(CandidateState.UNKNOWN.value, obs.now))
        name = admission.candidates.get(uuid, was.name)
        reasons = _reasons(obs, policy, uuid, mode)
        if not reasons:
            clocks[clock] = memory.clocks.get(clock, obs.now)
        wait = CandidateContext(obs.now - clocks.get(clock, obs.now), reasons, policy)
        turn = CANDIDATE.turn(CandidateState(was.state), _event(obs, uuid, name, memory), wait)
        now = was if turn.state is turn.before else Condition(turn.state.value, obs.now, name)
        if turn.state is CandidateState.PROPOSED:
            out[key] = replace(now, name=name)
            proposed.append(_row(uuid, out[key], wait, clocks.get(clock)))
        if turn.action == "accept":
            accept.append((uuid, name))
        elif turn.action:
            notices.append(_notice(obs, uuid, name, turn.action, was, turn.why))
    proposed.sort(key=lambda row: natural_key(str(row["name"])))
    return AdmissionDecisions(out, clocks, tuple(notices), tuple(accept), tuple(proposed))


def _event(obs: FleetObservation, uuid: str, name: str, memory: Memory) -> CandidateEvent:
    admission = obs.admission
    if uuid in admission.candidates:
        return CandidateEvent.THERE
    if name in admission.nodes:
        return CandidateEvent.ACCEPTED
    if name in admission.rejected:
        return CandidateEvent.REJECTED
    member = memory.conditions.get(Ref("member", uuid))
    return (
        CandidateEvent.AWAY
        if member is not None and member.state == "missing"
        else CandidateEvent.LEFT
    )


def _reasons(
    obs: FleetObservation, policy: Policy, uuid: str, mode: FleetMode
) -> tuple[tuple[str, str], ...]:
    """Return what speaks against it now, (name, why); an operator may accept it all the same."""
    held = obs.in_maintenance(uuid)
    acts = policy.accept_node is Mode.ACT
    answers = (
        ("seen", obs.consul.signal(uuid) is Signal.GOOD, "Consul does not see it well"),
        ("checks_pass", uuid not in obs.admission.critical, "a check of its own is critical"),
        ("fleet_open", mode is FleetMode.OPEN or not acts, f"automation is {mode.value}"),
        ("not_in_maintenance", not held, held),
    )
    return tuple((name, why) for name, yes, why in answers if not yes)


def _row(
    uuid: str, now: Condition, wait: CandidateContext, well_since: float | None
) -> dict[str, object]:
    """Return the row that is shown: it is the same from tick to tick while nothing happens."""
    acts = wait.policy.accept_node is Mode.ACT
    runs = acts and well_since is not None
    until = well_since + wait.policy.accept_after_s if runs and well_since is not None else None
    return {"uuid": uuid, "name": now.name, "since": now.since, "until": until,
            "reasons": [{"name": name, "why": why} for name, why in wait.reasons]}  # fmt: skip


def _notice(
    obs: FleetObservation, uuid: str, name: str, event: str, was: Condition, why: str
) -> Notice:
    by = {"accepted": obs.admission.accepted, "rejected": obs.admission.rejected}.get(
        event, {}
    ).get(name, "")
    text = f"{why} ({by})" if by else why
    ways = (_APPROVE.format(name),) if event == "proposed" else ()
    return Notice("node", uuid, name, event, event, was.state, obs.now, text, suggest=ways)
