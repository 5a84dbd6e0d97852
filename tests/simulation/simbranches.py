"""A story for the branch of each guard that refuses what is unknown: the truth is bad and unread.

With the branch its story is harmless. A guard that took what is unknown for fine sees the healthy
value of ``FINE`` there, lets the action pass, and the story goes wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from simguards import Story, _with_dead_brick
from simstory import settled_world
from simworld import World

from salt_gluster.model import BrickFacts, Hold, NodeFacts, Refusal, Unknown
from salt_gluster.remediation.guards.context import Guard, GuardContext
from salt_gluster.remediation.observation import FleetObservation, Recorded

#: Field of a report -> what a guard would see that takes unknown for fine.
FINE: dict[str, Any] = {
    "alive": False, "mounted": True, "read_only": False, "filesystem": "fs", "volume_id": "id-data",
    "gluster_root": True, "io_errors": 0, "health_check_ended": False, "version": 100,
    "volumes_without_info": (), "changes": (), "hold": None, "connected": {"g8": False},
}  # fmt: skip


def _bricks(field: str, **truth: object) -> Story:
    return lambda: _with_dead_brick(
        lambda w: w.harm("g1", "data", unreadable=frozenset({field}), **truth)
    )


def _node(name: str, field: str, change: Callable[[World], object]) -> Story:
    def prepare(world: World) -> None:
        world.nodes[name].unreadable = frozenset({field})
        change(world)

    return lambda: _with_dead_brick(prepare)


def _process_runs() -> World:
    world = settled_world()
    world.harm("g1", "data", port_known=False, unreadable=frozenset({"alive"}))
    return world.run(400)


def _agent_gone(world: World) -> None:
    world.lose("g8", agent_only=True)
    world.run(60)


#: Guard -> the story that its branch for unknown stands against.
UNKNOWN: dict[str, Story] = {
    "process_dead": _process_runs,
    "mounted": _bricks("mounted", mounted=False),
    "writable": _bricks("read_only", read_only=True),
    "same_filesystem": _bricks("filesystem", filesystem="another"),
    "volume_id_right": _bricks("volume_id", volume_id="id-other"),
    "gluster_root_there": _bricks("gluster_root", root=False),
    "no_io_errors": _bricks("io_errors", io_errors=2),
    "health_check_quiet": _bricks("health_check_ended", health_check_ended=True),
    "settled": _node(
        "g1", "volumes_without_info", lambda w: setattr(w.nodes["g1"], "importing", True)
    ),
    "single_version": _node("g6", "version", lambda w: setattr(w.nodes["g6"], "version", 110)),
    "no_recent_manual_change": _node("g7", "changes", lambda w: w.by_hand("g7")),
    "not_held": _node("g1", "hold", lambda w: setattr(w.nodes["g1"], "hold", Hold("mine"))),
    "suspects_disconnected": _node("g1", "connected", _agent_gone),
}  # fmt: skip


def never_recorded() -> World:
    """A brick that was never recorded while it was well lies on another file system now."""
    return _with_dead_brick(lambda w: w.harm("g1", "data", recorded=False, filesystem="another"))


def takes_unknown_for_fine(guard: Guard) -> Guard:
    """Return the guard without its branch for unknown."""

    def branchless(context: GuardContext) -> Refusal | None:
        facts = {u: f if isinstance(f, Unknown) else _fine(f) for u, f in context.obs.facts.items()}
        return guard(replace(context, obs=replace(context.obs, facts=facts)))

    branchless.__name__ = guard.__name__
    return branchless


def takes_never_recorded_for_fine(guard: Guard) -> Guard:
    """Return the guard without its branch for a brick that was never recorded."""

    def branchless(context: GuardContext) -> Refusal | None:
        return guard(replace(context, obs=_all_recorded(context.obs)))

    branchless.__name__ = guard.__name__
    return branchless


def _fine(facts: NodeFacts) -> NodeFacts:
    bricks = {path: replace(b, **_known(b)) for path, b in facts.bricks.items()}
    return replace(facts, bricks=bricks, **_known(facts))


def _known(facts: NodeFacts | BrickFacts) -> dict[str, Any]:
    return {k: v for k, v in FINE.items() if isinstance(getattr(facts, k, None), Unknown)}


def _all_recorded(obs: FleetObservation) -> FleetObservation:
    """Return the observation as if each brick had always lain where it lies now."""
    assert not isinstance(obs.recorded, Unknown)
    found = {
        (uuid, path): Recorded(str(brick.filesystem), str(brick.volume_id))
        for uuid, facts in obs.facts.items() if isinstance(facts, NodeFacts)
        for path, brick in facts.bricks.items()
    }  # fmt: skip
    return replace(obs, recorded={**found, **obs.recorded})
