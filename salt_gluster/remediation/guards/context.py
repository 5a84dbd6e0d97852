"""One target, everything that a guard may look at, and the words that all guards share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from salt_gluster.model import Brick, BrickFacts, NodeFacts, Ref, Refusal, Unknown, Volume, is_known
from salt_gluster.remediation import fleet_mode, health
from salt_gluster.remediation.health import NodeState
from salt_gluster.remediation.membership import Condition, Signal
from salt_gluster.remediation.observation import FleetObservation, key_of
from salt_gluster.remediation.operations import SPENT, Operation
from salt_gluster.remediation.policy import Policy


@dataclass(frozen=True)
class Target:
    """What is to be done to what: one brick of one volume on one node."""

    node: str
    brick: str  # HOST:PATH
    path: str
    volume: str
    volume_id: str
    down_since: float

    @property
    def key(self) -> str:
        """The target as a word, for comparing one decision with the next."""
        return f"{self.node}:{self.path}:{self.down_since}"


@dataclass(frozen=True)
class GuardContext:
    """One target with everything a guard may look at. ``operation`` = the own id, at the executor.

    ``mode_why`` says why the fleet is not open; ``decided_since`` when the engine first decided it.
    """

    obs: FleetObservation
    policy: Policy
    target: Target
    mode: fleet_mode.FleetMode
    mode_why: str = ""
    conditions: Mapping[Ref, Condition] = field(default_factory=dict)
    operation: str = ""
    decided_since: float | None = None

    def facts(self) -> NodeFacts | Unknown:
        """Return the fresh report of the target's own node."""
        return self.obs.fresh_facts(self.target.node, self.policy)

    def volume(self) -> Volume | Unknown | None:
        """Return the volume as the target's node tells it now."""
        facts = self.facts()
        if isinstance(facts, Unknown):
            return facts
        if isinstance(facts.volumes, Unknown):
            return facts.volumes
        return facts.volumes.get(self.target.volume)

    @cached_property
    def down_bricks(self) -> tuple[tuple[Brick, BrickFacts | Unknown], ...]:
        """Every brick of the volume not known to serve: all of them would be started."""
        volume, down = self.volume(), []
        for brick in volume.bricks if isinstance(volume, Volume) else ():
            facts = self.brick_facts(brick)
            serves = is_known(facts) and is_true(facts.alive) and isinstance(facts.port, int)
            if not serves and health.port_signal(self.obs, key_of(brick)) is not Signal.GOOD:
                down.append((brick, facts))
        return tuple(down)

    def starts(self) -> tuple[str, ...] | Unknown:
        """Return the bricks that a forced start would start now, the target's own among them.

        None where it is not the volume that was meant any more.
        """
        volume = self.volume()
        if isinstance(volume, Unknown):
            return volume
        if volume is None or volume.id != self.target.volume_id:
            return ()
        for _, facts in self.down_bricks:
            if isinstance(facts, Unknown):
                return facts
        return tuple(sorted({self.target.brick, *(brick.name for brick, _ in self.down_bricks)}))

    def brick_facts(self, brick: Brick) -> BrickFacts | Unknown:
        """Return what its own node says of a brick."""
        node = self.obs.fresh_facts(brick.host_uuid, self.policy)
        if isinstance(node, Unknown):
            return Unknown(f"{self.obs.name(brick.host_uuid)}: {node.why}")
        return node.bricks.get(brick.path, Unknown("its node does not name it"))

    def state(self, uuid: str) -> str:
        """Return what a node is thought to be."""
        condition = self.conditions.get(Ref("node", uuid))
        return condition.state if condition else NodeState.HEALTHY.value

    def members_there(self) -> tuple[str, ...]:
        """Return the members that are not known to be away: they have to be asked."""
        away = (NodeState.DOWN.value, NodeState.GONE.value)
        return tuple(u for u in self.obs.members if self.state(u) not in away)

    def attempts(self) -> list[Operation] | Unknown:
        """Return the restarts on this node that used up budget since its last acknowledgement."""
        if isinstance(self.obs.operations, Unknown):
            return self.obs.operations
        since = max(
            self.obs.now - self.policy.budget_window_s,
            self.obs.last_acknowledged(self.target.node),
        )
        mine = (o for o in self.obs.operations.values() if o.node == self.target.node)
        spent = [o for o in mine if o.rung == 1 and o.state in SPENT and o.id != self.operation]
        return [o for o in spent if max(o.at, o.applied_at or 0) >= since]


Guard = Callable[[GuardContext], Refusal | None]

ACKNOWLEDGE = "salt-run gluster_remediation.acknowledge"


def is_true(value: bool | Unknown) -> bool:
    """Return whether it is known to be true."""
    return not isinstance(value, Unknown) and value is True


def refuse(name: str, why: str, *ways: str, waits_s: float = 0) -> Refusal:
    """Return a guard's no."""
    return Refusal(name, why, ways, waits_s)


def node_of(context: GuardContext) -> str:
    """Return the name of the target's node."""
    return context.obs.name(context.target.node)
