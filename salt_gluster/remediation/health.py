"""The tables of nodes and bricks: their states, from what the witnesses say.

Exactly one event and one row for each at every tick. The witnesses: W1 Consul,
W2 the bricks' ports from other members, W3 other members' peer lists, W4 the node itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from salt_gluster.model import Brick, BrickFacts, NodeFacts, Unknown, Volume
from salt_gluster.remediation.membership import Signal
from salt_gluster.remediation.observation import BrickKey, FleetObservation, key_of
from salt_gluster.remediation.policy import Policy
from salt_gluster.remediation.state_machine import Ignored, Row, Table

GOOD, BAD, UNKNOWN = Signal.GOOD, Signal.BAD, Signal.UNKNOWN


class NodeState(str, Enum):
    """What a node is. ``ailing`` = only a brick of it is bad: that is the brick's matter."""

    HEALTHY = "healthy"
    AILING = "ailing"
    SUSPECT = "suspect"
    DOWN = "down"
    GONE = "gone"
    RETURNING = "returning"
    MAINTENANCE = "maintenance"


class NodeEvent(str, Enum):
    """What the witnesses say of a node, together."""

    GOOD = "good"
    BRICK = "brick"
    GLUSTERD_DEAD = "glusterd_dead"
    CONSUL_ONLY = "consul_only"
    GLUSTER_ONLY = "gluster_only"
    BAD = "bad"
    CONTRADICTED = "contradicted"
    HALF = "half"
    UNKNOWN = "unknown"
    LEFT = "left"
    MAINTENANCE = "maintenance"


@dataclass(frozen=True)
class ConditionContext:
    """The context of a node's turn: how long this event has lasted unbroken, and what it needs."""

    event_s: float
    clear_s: float
    stable_s: float
    is_healed: bool
    policy: Policy


_S, _E = NodeState, NodeEvent
_WELL = (_S.HEALTHY, _S.AILING)
_ALL = tuple(NodeState)
_NOT_HELD = tuple(s for s in _ALL if s is not _S.MAINTENANCE)
_STEADY = (_S.SUSPECT, _S.DOWN, _S.GONE)
#: One of these makes a node suspect.
MINUS = (_E.BAD, _E.CONSUL_ONLY, _E.GLUSTER_ONLY, _E.GLUSTERD_DEAD, _E.CONTRADICTED, _E.HALF)


def _each(row: str, states: tuple[NodeState, ...], events: Iterable[NodeEvent], action: str,
          to: NodeState, why: str) -> tuple[Row[NodeState, NodeEvent], ...]:  # fmt: skip
    return tuple(Row(f"{row}.{e.value}", states, e, "", action, to, why) for e in events)


NODE: Table[NodeState, NodeEvent, ConditionContext] = Table(
    "node",
    NodeState,
    NodeEvent,
    (
        *_each("N2", _WELL, MINUS, "suspect", _S.SUSPECT,
               "a witness does not see it; the quiet period begins"),
        Row("N2b", (_S.HEALTHY,), _E.BRICK, "", "", _S.AILING,
            "a brick of it is bad: that is the brick's matter"),
        Row("N4a", (_S.AILING,), _E.GOOD, "clear", "", _S.HEALTHY, "all its bricks serve again"),
        Row("N4", (_S.SUSPECT,), _E.GOOD, "clear", "up", _S.HEALTHY,
            "both witnesses have seen it for long enough"),
        Row("N4b", (_S.SUSPECT,), _E.BRICK, "clear", "up", _S.AILING,
            "the node is back; a brick of it is bad"),
        Row("N5", (_S.SUSPECT,), _E.CONSUL_ONLY, "down_after", "consul_only", None,
            "gluster serves: Consul's agent there is ill; no action ever"),
        Row("N7", (_S.SUSPECT,), _E.GLUSTERD_DEAD, "hung_after", "hung", None,
            "glusterd is dead or hangs, its bricks serve; an operator has to restart it"),
        Row("N8", (_S.SUSPECT,), _E.GLUSTER_ONLY, "contradicted_after", "partitioned", None,
            "Consul sees it, gluster does not, nothing is dead: some ports are cut off"),
        Row("N10", (_S.SUSPECT,), _E.BAD, "down_after", "down", _S.DOWN,
            "Consul and at least two members agree, unbroken, and it is silent"),
        Row("N11", (_S.SUSPECT,), _E.CONTRADICTED, "contradicted_after", "partitioned", None,
            "no witness sees it, and it answers: a double cut; no action"),
        Row("N12", (_S.DOWN, _S.GONE), _E.LEFT, "", "", _S.SUSPECT,
            "it was taken out of the catalog on purpose"),
        *_each("N13", (_S.DOWN,), (_E.CONSUL_ONLY, _E.GLUSTER_ONLY, _E.BRICK, _E.GLUSTERD_DEAD,
                                   _E.CONTRADICTED), "", _S.SUSPECT,
               "a witness sees it again: its clock starts anew"),
        *_each("N14", (_S.DOWN, _S.GONE), (_E.GOOD,), "returning", _S.RETURNING,
               "both witnesses see it again"),
        Row("N15", (_S.DOWN,), _E.BAD, "gone_after", "gone", _S.GONE,
            "down for so long that it may not come back; an operator has to replace it"),
        *_each("N18", (_S.GONE,), (_E.CONSUL_ONLY, _E.GLUSTER_ONLY, _E.BRICK, _E.GLUSTERD_DEAD,
                                   _E.CONTRADICTED), "returning", _S.RETURNING,
               "a witness sees it again"),
        Row("N22", (_S.RETURNING,), _E.GOOD, "stable", "up", _S.HEALTHY,
            "it has stayed, and nothing is left to heal"),
        *_each("N23", (_S.RETURNING,), MINUS, "suspect", _S.SUSPECT,
               "it went away again; it will have to stay longer"),
        Row("N25", _NOT_HELD, _E.MAINTENANCE, "", "maintenance", _S.MAINTENANCE,
            "an operator has it in maintenance"),
        *_each("N27", (_S.MAINTENANCE,), (_E.GOOD, _E.BRICK), "returning", _S.RETURNING,
               "the maintenance is over"),
        *_each("N28", (_S.MAINTENANCE,), MINUS, "suspect", _S.SUSPECT,
               "the maintenance is over and it is not there; its clocks start now"),
    ),
    (
        Ignored((_S.HEALTHY,), (_E.GOOD,), "N1: all is well"),
        Ignored((_S.AILING,), (_E.GOOD, _E.BRICK), "the brick's matter"),
        Ignored((_S.SUSPECT,), (_E.GOOD, _E.BRICK), "it has to stay good first"),
        Ignored((_S.SUSPECT,), (_E.CONSUL_ONLY, _E.GLUSTER_ONLY, _E.BAD, _E.CONTRADICTED,
                                _E.GLUSTERD_DEAD), "not for long enough"),
        Ignored((_S.DOWN,), (_E.BAD,), "it is down"),
        Ignored((_S.GONE,), (_E.BAD,), "N16: it is gone; an operator replaces it"),
        Ignored((_S.RETURNING,), (_E.GOOD, _E.BRICK), "it has to stay good, and to heal, first"),
        Ignored(_NOT_HELD, (_E.UNKNOWN,), "N3: unknown is no verdict; its clock stops"),
        Ignored(_STEADY, (_E.HALF,), "N3: half unknown is no verdict; its clock stops"),
        Ignored((_S.HEALTHY, _S.AILING, _S.SUSPECT, _S.RETURNING), (_E.LEFT,),
                "that it left was told; without a witness there is no verdict"),
        Ignored((_S.MAINTENANCE,), (_E.MAINTENANCE,), "N26: an operator has it in maintenance"),
        Ignored((_S.MAINTENANCE,), (_E.UNKNOWN, _E.LEFT), "it is not known to be back"),
    ),
    {
        "clear": lambda c: c.event_s >= c.clear_s,
        "stable": lambda c: c.event_s >= c.stable_s and c.is_healed,
        "down_after": lambda c: c.event_s >= c.policy.down_after_s,
        "gone_after": lambda c: c.event_s >= c.policy.down_after_s + c.policy.gone_after_s,
        "hung_after": lambda c: c.event_s >= c.policy.glusterd_hung_s,
        "contradicted_after": lambda c: c.event_s >= c.policy.contradicted_s,
    },
)  # fmt: skip


class BrickState(str, Enum):
    """What a brick is. ``off`` = its volume is not started."""

    UP = "up"
    DOWN = "down"
    FAILED = "failed"
    OFF = "off"


class BrickEvent(str, Enum):
    """What is seen of a brick."""

    SERVES = "serves"
    DEAD = "dead"
    DISK = "disk"
    EXHAUSTED = "exhausted"
    UNKNOWN = "unknown"
    OFF = "off"


_B, _BE = BrickState, BrickEvent

BRICK: Table[BrickState, BrickEvent, ConditionContext] = Table(
    "brick",
    BrickState,
    BrickEvent,
    (
        *(Row(f"B1.{e.value}", (_B.UP, _B.OFF), e, "", "down", _B.DOWN, "it does not serve")
          for e in (_BE.DEAD, _BE.DISK, _BE.EXHAUSTED)),
        Row("B2", (_B.DOWN, _B.FAILED, _B.OFF), _BE.SERVES, "", "up", _B.UP, "it serves again"),
        Row("B3", (_B.DOWN,), _BE.DISK, "disk_failed", "failed", _B.FAILED,
            "N9: its disk is missing, read-only, foreign or ill; it is never started"),
        Row("B4", (_B.DOWN,), _BE.EXHAUSTED, "", "failed", _B.FAILED,
            "it was started as often as allowed and died again: a fault to be found"),
        Row("B6", (_B.FAILED,), _BE.DEAD, "", "", _B.DOWN,
            "its disk fits again, or an operator has acknowledged it: it may be started again"),
        Row("B5", (_B.UP, _B.DOWN, _B.FAILED), _BE.OFF, "", "", _B.OFF,
            "its volume is not started: it need not serve"),
    ),
    (
        Ignored((_B.UP,), (_BE.SERVES,), "all is well"),
        Ignored((_B.DOWN,), (_BE.DEAD,), "the ladder looks after it"),
        Ignored((_B.DOWN,), (_BE.DISK,), "a mount may be on its way"),
        Ignored((_B.FAILED,), (_BE.DISK, _BE.EXHAUSTED), "it was announced"),
        Ignored((_B.OFF,), (_BE.OFF,), "it need not serve"),
        Ignored(tuple(_B), (_BE.UNKNOWN,), "unknown is no verdict"),
    ),
    {"disk_failed": lambda c: c.event_s >= c.policy.disk_failed_s},
)  # fmt: skip


# --- the witnesses -------------------------------------------------------------------------------


def port_signal(obs: FleetObservation, brick: BrickKey) -> Signal:
    """Return W2 of one brick: a connect from anywhere proves life, refusals need two members."""
    answers = [a for asker, a in obs.ports.get(brick, {}).items() if asker != brick[0]]
    known = [a for a in answers if not isinstance(a, Unknown)]
    if any(known):
        return GOOD
    return BAD if len(known) >= 2 else UNKNOWN


def peer_signal(obs: FleetObservation, uuid: str) -> Signal:
    """Return W3 of a node: bad, or unknown; ``Connected`` is no evidence of life."""
    lists = [
        p[uuid] for asker, p in obs.peers.items()
        if asker != uuid and not isinstance(p, Unknown) and uuid in p
    ]  # fmt: skip
    return BAD if len(lists) >= 2 and not any(lists) else UNKNOWN


@dataclass(frozen=True)
class Witnesses:
    """What the four witnesses say of one node; ``explained`` = it names its dead bricks itself."""

    consul: Signal
    gluster: Signal | None  # None = some of its bricks are bad, not all
    answers: bool
    explained: bool
    glusterd_dead: bool


def witnesses(
    obs: FleetObservation, uuid: str, bricks: Iterable[tuple[Volume, Brick]], policy: Policy,
    *, quiet_over: bool, bad_since: float | None,
) -> Witnesses:  # fmt: skip
    """Return the witnesses on one node; ``bad_since`` is since when it is not healthy."""
    facts = obs.fresh_facts(uuid, policy)
    report = None if isinstance(facts, Unknown) else facts
    keys = [key_of(b) for _, b in bricks]
    own = {} if report is None else report.bricks
    dead = [k for k in keys if k[1] in own and _is(own[k[1]].alive, False)]
    glusterd_dead = report is not None and (
        report.glusterd_started is None or _is(report.glusterd_answers, False)
    )
    peers = peer_signal(obs, uuid)
    # Nobody can connect to a port that nobody knows: the peer lists speak for such a brick, or a
    # node that dies just after a volume was started would never be down.
    askable = [k for k in keys if k in obs.ports] if peers is BAD else keys
    signals = [port_signal(obs, k) for k in askable]
    bad = [k for k, s in zip(askable, signals, strict=True) if s is BAD]
    # What it reported before it was missed proves nothing.
    answers = report is not None and (bad_since is None or report.at > bad_since)
    explained = answers and bool(dead) and set(bad) <= set(dead)
    gluster: Signal | None = UNKNOWN
    if not keys:
        alive = answers and not glusterd_dead
        gluster = GOOD if alive else peers
    elif not askable:
        gluster = peers
    elif all(s is GOOD for s in signals):
        gluster = GOOD
    elif len(bad) == len(askable):
        gluster = BAD if peers is BAD or quiet_over else UNKNOWN
    elif bad or (dead and any(s is GOOD for s in signals)):
        gluster = None
    # An answer that anybody may have given is enough for doing nothing, and for nothing else.
    heard = answers or uuid in obs.unconfirmed
    return Witnesses(obs.consul.signal(uuid), gluster, heard, explained, glusterd_dead)


def node_event(
    obs: FleetObservation, uuid: str, seen: Witnesses, state: NodeState, *, is_out: bool
) -> NodeEvent:
    """Return what the witnesses say of a node, together."""
    if not isinstance(obs.maintenance, Unknown) and obs.in_maintenance(uuid):
        return NodeEvent.MAINTENANCE
    if isinstance(obs.maintenance, Unknown) and state is NodeState.MAINTENANCE:
        return NodeEvent.UNKNOWN
    if is_out and obs.consul.trust.fresh:
        return NodeEvent.LEFT
    consul, gluster = seen.consul, seen.gluster
    if consul is GOOD:
        return _seen_by_consul(seen)
    if consul is UNKNOWN:
        return NodeEvent.HALF if gluster is BAD else NodeEvent.UNKNOWN
    if gluster is UNKNOWN:
        return NodeEvent.HALF
    if gluster is not BAD:
        return NodeEvent.CONSUL_ONLY
    return NodeEvent.CONTRADICTED if seen.answers else NodeEvent.BAD


def _seen_by_consul(seen: Witnesses) -> NodeEvent:
    if seen.explained or seen.gluster is None:
        return NodeEvent.BRICK
    if seen.glusterd_dead and seen.answers:
        return NodeEvent.GLUSTERD_DEAD
    if seen.gluster is GOOD:
        return NodeEvent.GOOD
    return NodeEvent.GLUSTER_ONLY if seen.gluster is BAD else NodeEvent.UNKNOWN


def brick_event(
    obs: FleetObservation, volume: Volume, brick: Brick, node: NodeEvent, policy: Policy
) -> BrickEvent:
    """Return what is seen of one brick; while its node is missed, the node speaks for it."""
    if not volume.is_started:
        return BrickEvent.OFF
    key = key_of(brick)
    port, facts = port_signal(obs, key), obs.fresh_facts(key[0], policy)
    own = None if isinstance(facts, Unknown) else facts.bricks.get(key[1])
    if port is GOOD:
        return BrickEvent.SERVES
    if own is not None and _is(own.alive, False):
        return BrickEvent.DISK if disk_fault(own, volume.id) else BrickEvent.DEAD
    if port is BAD:
        missed = node not in (NodeEvent.GOOD, NodeEvent.BRICK)
        return BrickEvent.UNKNOWN if missed else BrickEvent.DEAD
    if own is not None and _is(own.alive, True) and isinstance(own.port, int):
        return BrickEvent.SERVES
    return BrickEvent.UNKNOWN


def disk_fault(facts: BrickFacts, volume_id: str) -> str:
    """Say what is known to be wrong with a brick's disk, or ""."""
    if _is(facts.mounted, False):
        return "its file system is not mounted"
    if _is(facts.read_only, True):
        return "its file system is read-only"
    if not isinstance(facts.io_errors, Unknown) and facts.io_errors:
        return f"the kernel has reported {facts.io_errors} I/O errors since boot"
    if not isinstance(facts.volume_id, Unknown) and facts.volume_id != volume_id:
        return f"it is marked as a brick of volume {facts.volume_id}"
    if _is(facts.gluster_root, False):
        return "gluster's own root is not in it"
    if _is(facts.health_check_ended, True):
        return "gluster's own health check ended it"
    return ""


def _is(value: bool | Unknown, wanted: bool) -> bool:
    return not isinstance(value, Unknown) and value is wanted


def glusterd_up(facts: NodeFacts) -> bool:
    """Return whether the node's own report says that its glusterd runs and answers."""
    return _is(facts.glusterd_answers, True) and isinstance(facts.glusterd_started, int | float)
