"""Evaluate the conditions of nodes, bricks and volumes in one tick, and what is announced of them.

Only what is not plainly healthy is looked at, so that a large healthy pool costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from salt_gluster.model import Brick, Observation, Ref, Unknown, Volume, is_known
from salt_gluster.remediation import fleet_mode, health, progress
from salt_gluster.remediation.fleet_mode import FleetMode
from salt_gluster.remediation.guards.context import GuardContext, Target
from salt_gluster.remediation.health import (
    BRICK,
    NODE,
    BrickEvent,
    BrickState,
    ConditionContext,
    NodeEvent,
    NodeState,
)
from salt_gluster.remediation.membership import Condition
from salt_gluster.remediation.observation import FleetObservation, Memory, key_of
from salt_gluster.remediation.policy import Policy
from salt_gluster.remediation.salt_events import Notice
from salt_gluster.remediation.state_machine import Turn
from salt_gluster.status import impact

#: Told once while the state lasts.
_ONCE = frozenset({"consul_only", "partitioned", "hung"})
_COUNTS_AS_FLAP = frozenset({"N4", "N4b"})
#: Clocks towards health run whenever there is a view; the others in OPEN only.
_TOWARDS_HEALTH = (NodeEvent.GOOD, NodeEvent.BRICK)


@dataclass
class Evaluation:
    """What was found out in this tick."""

    conditions: dict[Ref, Condition] = field(default_factory=dict)
    clocks: dict[tuple[Ref, str], float] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)
    rows: dict[Ref, Turn[Any]] = field(default_factory=dict)
    nodes: dict[str, NodeEvent] = field(default_factory=dict)
    bricks: dict[Ref, BrickEvent] = field(default_factory=dict)
    targets: list[Target] = field(default_factory=list)


def evaluate(obs: FleetObservation, policy: Policy, memory: Memory, mode: FleetMode) -> Evaluation:
    """Return the verdicts on everything that is not plainly healthy."""
    work = _Work(obs, policy, memory, mode)
    for uuid in work.concerned():
        work.node(uuid)
    if is_known(obs.volumes()):
        for uuid in work.concerned():
            for volume, brick in work.bricks.get(uuid, ()):
                work.brick(uuid, volume, brick)
        if work.out.nodes or any(k.kind == "volume" for k in memory.conditions):
            work.volumes()
    return work.out


class _Work:
    def __init__(
        self, obs: FleetObservation, policy: Policy, memory: Memory, mode: FleetMode
    ) -> None:
        self.obs, self.policy, self.memory, self.mode = obs, policy, memory, mode
        self.out = Evaluation(dict(memory.conditions))
        self._concerned: tuple[str, ...] | None = None
        self.bricks: dict[str, list[tuple[Volume, Brick]]] = {}
        volumes = obs.volumes()
        if self.concerned() and not isinstance(volumes, Unknown):
            for volume in volumes.values():
                for brick in volume.bricks:
                    self.bricks.setdefault(brick.host_uuid, []).append((volume, brick))

    def concerned(self) -> tuple[str, ...]:
        """Return the members that are not plainly healthy, or were not."""
        if self._concerned is None:
            wanted = {k.id for k in self.memory.conditions if k.kind in ("node", "brick")}
            wanted |= {b[0] for b in self.obs.ports}
            wanted |= {op.node for op in self._operations() if op.is_open}
            wanted |= self._odd()
            self._concerned = tuple(u for u in sorted(wanted) if u in self.obs.members)
        return self._concerned

    def _operations(self) -> Any:
        operations = self.obs.operations
        return () if isinstance(operations, Unknown) else operations.values()

    def _odd(self) -> frozenset[str]:
        """Return the nodes that are not plainly well: thousands of others cost next to nothing."""
        obs = self.obs
        odd = obs.consul.odd.union(obs.not_in_catalog())
        if not isinstance(obs.maintenance, Unknown):
            odd = odd.union(obs.maintenance)
        facts = obs.facts.items()
        return odd | {u for u, f in facts if not isinstance(f, Unknown) and f.is_odd}

    def _clock(self, key: Ref, event: str, *, runs: bool) -> float:
        """Return for how long this event has lasted unbroken; a clock that may not run is at 0."""
        name = (key, event)
        if not runs:
            return 0.0
        since = self.out.clocks[name] = self.memory.clocks.get(name, self.obs.now)
        return self.obs.now - since

    # --- nodes -------------------------------------------------------------------------------

    def node(self, uuid: str) -> None:
        key, obs = Ref("node", uuid), self.obs
        was = self.out.conditions.get(key) or Condition(NodeState.HEALTHY.value, obs.now)
        was = replace(was, flaps=self._lately(was.flaps))
        state = NodeState(was.state)
        well = state is NodeState.HEALTHY
        quiet_over = not well and obs.now - was.since >= self.policy.quiet_period_s
        started = [(v, b) for v, b in self.bricks.get(uuid, ()) if v.is_started]
        seen = health.witnesses(obs, uuid, started, self.policy, quiet_over=quiet_over,
                               bad_since=None if well else was.since)  # fmt: skip
        member = obs.consul.registered.get(uuid)
        condition = self.out.conditions.get(Ref("member", uuid))
        is_out = member is None and condition is not None and condition.state == "out"
        event = health.node_event(obs, uuid, seen, state, is_out=is_out)
        if (
            state is NodeState.SUSPECT
            and event in health.MINUS
            and (key, "good") in self.memory.clocks
        ):
            was = replace(was, flaps=(*was.flaps, obs.now))  # it had come back and went again
        turn = NODE.turn(state, event, self._lasting(uuid, key, event, was))
        self.out.nodes[uuid], self.out.rows[key] = event, turn
        self._stand(uuid, key, was, turn)

    def _lasting(self, uuid: str, key: Ref, event: NodeEvent, was: Condition) -> ConditionContext:
        sees = self.mode is not FleetMode.BLIND
        runs = self.mode is FleetMode.OPEN or (sees and event in _TOWARDS_HEALTH)
        unclear = event in (NodeEvent.UNKNOWN, NodeEvent.HALF)
        lasted = self._clock(key, event.value, runs=runs and not unclear)
        doubled = 2 ** min(len(was.flaps), 10)
        stable = min(self.policy.returning_stable_s * doubled, self.policy.clear_max_s)
        clear = min(self.policy.suspect_clear_s * doubled, self.policy.clear_max_s)
        return ConditionContext(lasted, clear, stable, self._healed(uuid), self.policy)

    def _lately(self, flaps: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(f for f in flaps if self.obs.now - f < self.policy.flap_window_s)

    def _healed(self, uuid: str) -> bool:
        for volume, brick in self.bricks.get(uuid, ()):
            left = progress.left_to_heal(self.obs.pool, volume.name, key_of(brick))
            if volume.is_started and (isinstance(left, Unknown) or left):
                return False
        return is_known(self.obs.volumes())

    def _stand(self, uuid: str, key: Ref, was: Condition, turn: Turn[NodeState]) -> None:
        name, now = self.obs.name(uuid), self.obs.now
        announced, flaps = was.announced, was.flaps
        action = turn.action if not (turn.action in _ONCE and turn.action in announced) else ""
        if turn.row in _COUNTS_AS_FLAP or turn.row.startswith("N23"):
            flaps = (*flaps, now)
        if turn.state is not turn.before:
            since, announced = now, announced & {"flapping"}
        else:
            since = was.since
        if action in _ONCE:
            announced |= {action}
        if action:
            self._tell_node(uuid, name, turn, action, since)
        if len(flaps) >= self.policy.flapping_after and "flapping" not in announced and not action:
            announced |= {"flapping"}
            self._tell_node(uuid, name, turn, "flapping", since)
        if turn.state is NodeState.HEALTHY and not flaps:
            self.out.conditions.pop(key, None)
        else:
            self.out.conditions[key] = Condition(turn.state.value, since, name, flaps, announced)

    def _tell_node(
        self, uuid: str, name: str, turn: Turn[NodeState], action: str, since: float
    ) -> None:
        bad = turn.state not in (NodeState.HEALTHY, NodeState.AILING, NodeState.RETURNING)
        text = impact_text(self.obs.pool, [uuid]) if bad else ""
        consul = self.obs.consul.signal(uuid).value
        peers = health.peer_signal(self.obs, uuid).value
        seen = tuple({"source": s, "says": w, "at": self.obs.now}
                     for s, w in (("consul", consul), ("peers", peers)))  # fmt: skip
        self.out.notices.append(
            Notice("node", uuid, name, action, turn.state.value, turn.before.value, since,
                   turn.why, text, (f"salt-run gluster.explain node={name}",), seen)
        )  # fmt: skip

    # --- bricks ------------------------------------------------------------------------------

    def brick(self, uuid: str, volume: Volume, brick: Brick) -> None:
        key, obs = Ref("brick", uuid, brick.path), self.obs
        was = self.out.conditions.get(key) or Condition(BrickState.UP.value, obs.now)
        event = health.brick_event(obs, volume, brick, self.out.nodes[uuid], self.policy)
        target = Target(uuid, brick.name, brick.path, volume.name, volume.id, was.since)
        if event is BrickEvent.DEAD and self._is_exhausted(target):
            event = BrickEvent.EXHAUSTED
        lasted = self._clock(key, event.value, runs=self.mode is FleetMode.OPEN)
        turn = BRICK.turn(
            BrickState(was.state), event, ConditionContext(lasted, 0, 0, False, self.policy)
        )
        self.out.bricks[key], self.out.rows[key] = event, turn
        since = was.since if turn.state is turn.before else obs.now
        announced = was.announced if turn.state is turn.before else frozenset()
        if turn.action:
            self._tell_brick(volume, brick, turn, since)
        if turn.state is BrickState.UP:
            self.out.conditions.pop(key, None)
            return
        self.out.conditions[key] = Condition(turn.state.value, since, brick.name, (), announced)
        if event in (BrickEvent.DEAD, BrickEvent.DISK, BrickEvent.EXHAUSTED):
            self.out.targets.append(replace(target, down_since=since))

    def _is_exhausted(self, target: Target) -> bool:
        spent = GuardContext(self.obs, self.policy, target, self.mode).attempts()
        if isinstance(spent, Unknown):
            return False
        return len(spent) >= self.policy.restart_budget and not any(o.is_open for o in spent)

    def _tell_brick(
        self, volume: Volume, brick: Brick, turn: Turn[BrickState], since: float
    ) -> None:
        facts = self.obs.fresh_facts(brick.host_uuid, self.policy)
        own = None if isinstance(facts, Unknown) else facts.bricks.get(brick.path)
        fault = health.disk_fault(own, volume.id) if own else ""
        why = turn.why + (f": {fault}" if fault and turn.state is not BrickState.UP else "")
        text = impact_text(self.obs.pool, []) if turn.state is not BrickState.UP else ""
        self.out.notices.append(
            Notice("brick", f"{brick.host_uuid}:{brick.path}", brick.name, turn.action,
                   turn.state.value, turn.before.value, since, why, text,
                   (f"salt-run gluster.explain node={self.obs.name(brick.host_uuid)}",))
        )  # fmt: skip

    # --- volumes -----------------------------------------------------------------------------

    def volumes(self) -> None:
        """Announce volumes with another health word; unknown changes nothing."""
        pool, out = self.obs.pool, self.out
        if isinstance(pool, Unknown) or isinstance(pool.volumes, Unknown):
            return
        lost = [u for u in out.nodes if self._is_lost(u)]
        for volume_health in _impact(pool, lost):
            volume = pool.volumes[volume_health.volume]
            key = Ref("volume", volume.id)
            was = out.conditions.get(key) or Condition("ok", self.obs.now, volume.name)
            if not volume.is_started or volume_health.word in ("unknown", was.state):
                continue
            event = {"ok": "up", "data_at_risk": "partial"}.get(
                volume_health.word, volume_health.word
            )
            out.notices.append(
                Notice("volume", volume.id, volume.name, event, volume_health.word, was.state,
                       self.obs.now, volume_health.why, page=volume_health.word == "data_at_risk")
            )  # fmt: skip
            out.conditions.pop(key, None)
            if volume_health.word != "ok":
                out.conditions[key] = Condition(volume_health.word, self.obs.now, volume.name)

    def _is_lost(self, uuid: str) -> bool:
        condition = self.out.conditions.get(Ref("node", uuid))
        return condition is not None and condition.state in ("down", "gone")


def _impact(pool: Observation, nodes: list[str]) -> tuple[impact.VolumeHealth, ...]:
    peers = () if isinstance(pool.peers, Unknown) else pool.peers
    members = {p.uuid for p in peers}
    return impact.impact(pool, nodes=[n for n in nodes if n in members])


def impact_text(pool: Observation | Unknown, nodes: list[str]) -> str:
    """Return in words what these losses mean for the volumes that are not whole with them."""
    if isinstance(pool, Unknown) or isinstance(pool.volumes, Unknown):
        return f"not known: {pool.why}" if isinstance(pool, Unknown) else "not known"
    hurt = [v for v in _impact(pool, nodes) if v.word != "ok" and pool.volumes[v.volume].is_started]
    return "; ".join(f"{v.volume} {v.word}: {v.why}" for v in hurt) or "no volume is hurt"


def mode_why(obs: FleetObservation, memory: Memory, policy: Policy) -> str:
    """Return why the fleet is not open."""
    return fleet_mode.event_of(obs, memory, policy)[1] or "it has to stay so for a while first"
