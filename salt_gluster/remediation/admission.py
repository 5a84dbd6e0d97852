"""A node that has registered, that a glob of ``nodes`` means, and that nobody has accepted yet.

It is told once, and waits for a person's yes, or for the policy's once it has been well for long
enough. Being accepted gives it no bricks and probes nobody: that is the next highstate's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

from salt_gluster.model import natural_key
from salt_gluster.remediation.fleet_mode import FleetMode
from salt_gluster.remediation.membership import Sight, Standing
from salt_gluster.remediation.observation import FleetObservation, Memory
from salt_gluster.remediation.policy import Mode, Policy
from salt_gluster.remediation.salt_events import Notice
from salt_gluster.remediation.state_machine import Ignored, Row, Table

PREFIX = "newcomer:"
_APPROVE = "salt-run gluster_remediation.approve {}"


class Newcomer(str, Enum):
    """What people were told of it."""

    NOBODY = "nobody"
    PROPOSED = "proposed"


class Knock(str, Enum):
    """What one tick sees of it."""

    THERE = "there"
    AWAY = "away"
    LEFT = "left"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True)
class Waiting:
    """The context of a turn: for how long it has been well, and what speaks against it."""

    well_s: float
    reasons: tuple[tuple[str, str], ...]
    policy: Policy


NEWCOMER: Table[Newcomer, Knock, Waiting] = Table(
    "newcomer",
    Newcomer,
    Knock,
    (
        Row("J1", (Newcomer.NOBODY,), Knock.THERE, "", "proposed", Newcomer.PROPOSED,
            "it has registered, and a glob of `nodes` means it"),
        Row("J2", (Newcomer.PROPOSED,), Knock.THERE, "may_accept", "accept", Newcomer.PROPOSED,
            "it has been well for long enough, and the policy says act"),
        Row("J3", (Newcomer.PROPOSED,), Knock.ACCEPTED, "", "accepted", Newcomer.NOBODY,
            "it may be in the pool; its next state.apply takes it in"),
        Row("J4", (Newcomer.PROPOSED,), Knock.REJECTED, "", "rejected", Newcomer.NOBODY,
            "a person said no"),
        Row("J5", (Newcomer.PROPOSED,), Knock.LEFT, "", "", Newcomer.NOBODY,
            "it is not in the catalog any more, or no glob means it"),
    ),
    (
        Ignored((Newcomer.PROPOSED,), (Knock.THERE,), "it waits for a yes"),
        Ignored((Newcomer.PROPOSED,), (Knock.AWAY,), "it may be a restart; its clock starts again"),
        Ignored((Newcomer.NOBODY,), (Knock.AWAY, Knock.LEFT, Knock.ACCEPTED, Knock.REJECTED),
                "nobody was told of it"),
    ),
    {
        "may_accept": lambda w: (
            w.policy.accept_node is Mode.ACT
            and not w.reasons and w.well_s >= w.policy.accept_after_s
        ),
    },
)  # fmt: skip


@dataclass(frozen=True)
class Met:
    """What was found out in this tick; ``accept`` are uuid and name of those to be let in."""

    standings: Mapping[str, Standing] = field(default_factory=dict)
    clocks: Mapping[str, float] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()
    accept: tuple[tuple[str, str], ...] = ()
    proposed: tuple[Mapping[str, object], ...] = ()

    @property
    def is_waiting(self) -> bool:
        """Whether a clock runs that something hangs on."""
        return any(row["until"] is not None for row in self.proposed)


def met(obs: FleetObservation, policy: Policy, memory: Memory, mode: FleetMode) -> Met:
    """Return who stands before the door, what is to be told of it, and who may come in."""
    door = obs.door
    before = {k: s for k, s in memory.standings.items() if k.startswith(PREFIX)}
    out, clocks, told = dict[str, Standing](), dict[str, float](), list[Notice]()
    accept, proposed = list[tuple[str, str]](), list[Mapping[str, object]]()
    for key in sorted({*before, *(PREFIX + uuid for uuid in door.before)}):
        uuid = key.removeprefix(PREFIX)
        was = before.get(key, Standing(Newcomer.NOBODY.value, obs.now))
        name = door.before.get(uuid, was.name)
        reasons = _reasons(obs, policy, uuid, mode)
        if not reasons:
            clocks[key] = memory.clocks.get(key, obs.now)
        wait = Waiting(obs.now - clocks.get(key, obs.now), reasons, policy)
        turn = NEWCOMER.turn(Newcomer(was.state), _knock(obs, uuid, name, memory), wait)
        now = was if turn.state is turn.before else Standing(turn.state.value, obs.now, name)
        if turn.state is Newcomer.PROPOSED:
            out[key] = replace(now, name=name)
            proposed.append(_row(uuid, out[key], wait, clocks.get(key)))
        if turn.action == "accept":
            accept.append((uuid, name))
        elif turn.action:
            told.append(_notice(obs, uuid, name, turn.action, was, turn.why))
    proposed.sort(key=lambda row: natural_key(str(row["name"])))
    return Met(out, clocks, tuple(told), tuple(accept), tuple(proposed))


def _knock(obs: FleetObservation, uuid: str, name: str, memory: Memory) -> Knock:
    door = obs.door
    if uuid in door.before:
        return Knock.THERE
    if name in door.nodes:
        return Knock.ACCEPTED
    if name in door.rejected:
        return Knock.REJECTED
    member = memory.standings.get(f"member:{uuid}")
    return Knock.AWAY if member is not None and member.state == "missing" else Knock.LEFT


def _reasons(
    obs: FleetObservation, policy: Policy, uuid: str, mode: FleetMode
) -> tuple[tuple[str, str], ...]:
    """Return what speaks against it now, (name, why); a person may let it in all the same."""
    held = obs.in_maintenance(uuid)
    acts = policy.accept_node is Mode.ACT
    answers = (
        ("seen", obs.consul.sight(uuid) is Sight.GOOD, "Consul does not see it well"),
        ("checks_pass", uuid not in obs.door.ill, "a check of its own is critical"),
        ("fleet_open", mode is FleetMode.OPEN or not acts, f"automation is {mode.value}"),
        ("not_in_maintenance", not held, held),
    )
    return tuple((name, why) for name, yes, why in answers if not yes)


def _row(uuid: str, now: Standing, wait: Waiting, well_since: float | None) -> dict[str, object]:
    """Return what people are shown: it is the same from tick to tick while nothing happens."""
    acts = wait.policy.accept_node is Mode.ACT
    runs = acts and well_since is not None
    until = well_since + wait.policy.accept_after_s if runs and well_since is not None else None
    return {"uuid": uuid, "name": now.name, "since": now.since, "until": until,
            "reasons": [{"name": name, "why": why} for name, why in wait.reasons]}  # fmt: skip


def _notice(
    obs: FleetObservation, uuid: str, name: str, event: str, was: Standing, why: str
) -> Notice:
    by = {"accepted": obs.door.accepted, "rejected": obs.door.rejected}.get(event, {}).get(name, "")
    said = f"{why} ({by})" if by else why
    ways = (_APPROVE.format(name),) if event == "proposed" else ()
    return Notice("node", uuid, name, event, event, was.state, obs.now, said, suggest=ways)
