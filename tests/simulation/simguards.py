"""A story for every guard, precondition and rule of the fleet: harmless with it, wrong without.

Each is told in a world where nothing else stands in the way, so that the one rule is what counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from simstory import run_until, settled_world
from simworld import World

from salt_gluster.model import Hold
from salt_gluster.remediation.observation import WentBack
from salt_gluster.remediation.operations import Life
from salt_gluster.remediation.policy import Mode

Story = Callable[[], World]
#: After the quiet period, and before the reports of who has died are too old.
QUIET_S = 57.0


# --- the guards of rung 1 ------------------------------------------------------------------------


def _with_dead_brick(prepare: Callable[[World], object], seconds: float = 500) -> World:
    world = settled_world()
    prepare(world)
    world.kill_brick("g1", "data")
    return world.run(seconds)


def _sick(**disk: object) -> Callable[[], World]:
    return lambda: _with_dead_brick(lambda w: w.harm("g1", "data", **disk))


def _storm(world: World) -> None:
    for node, volume in (("g5", "vm"), ("g7", "logs"), ("g8", "logs")):
        world.harm(node, volume, mounted=False)
        world.kill_brick(node, volume)
    world.run(100)


def _neighbour_left(world: World) -> None:
    world.nodes["g2"].has_left = True
    world.kill_brick("g2", "data")


def _on_purpose(world: World) -> None:
    world.nodes["g2"].consul_maintenance = True
    world.kill_brick("g2", "data")


def _leader_dies_while_the_request_is_on_its_way() -> World:
    world = settled_world()
    world.delay = 1e-9
    world.kill_brick("g1", "data")
    world.engines["m2"].up = False  # nobody takes over
    run_until(world, lambda: bool(world.consul.operations))
    (op,) = world.consul.operations
    world.loss = 1
    world.engines["m1"].crash()
    world.engines["m1"].up = False
    world.queue = [e for e in world.queue if e[2].__name__ != "_restart"]
    run_until(world, lambda: not world.consul.holder)
    world.deliver("g1", op)
    return world.run(60)


def _between(prepare: Callable[[World], object], seconds: float) -> World:
    """Let something happen between intent and execute, then deliver the request."""
    world = settled_world()
    world.loss = 1
    world.kill_brick("g1", "data")
    run_until(world, lambda: bool(world.consul.operations))
    (op,) = world.consul.operations
    prepare(world)
    world.run(seconds)
    world.deliver("g1", op)
    return world.run(30)


def _stopped_between_intent_and_execute() -> World:
    world = settled_world()
    world.delay = 30
    world.kill_brick("g1", "data")
    run_until(world, lambda: bool(world.consul.operations))
    world.stopped.add("data")
    return world.run(100)


def _node_dies_a_moment_before() -> World:
    world = settled_world()
    world.kill_brick("g1", "data")
    world.run(65)
    world.lose("g8")
    return world.run(60)


def _agent_gone(world: World) -> None:
    world.lose("g8", agent_only=True)
    world.run(60)


def _two_die_and_one_request_is_lost() -> World:
    world = settled_world()
    world.loss = 1
    world.kill_brick("g1", "data")
    world.kill_brick("g4", "vm")
    return world.run(300)


def _again_and_again(every_s: float) -> Callable[[], World]:
    def story() -> World:
        world = settled_world()
        world.policy = replace(world.policy, restart_cooldown_s=min(600.0, every_s))
        for i in range(10):
            world.at(i * every_s, lambda: world.kill_brick("g1", "data"))
        return world.run(10 * every_s + 600)

    return story


def _dies_right_after_its_restart() -> World:
    world = settled_world()
    world.kill_brick("g1", "data")
    run_until(world, lambda: world.serves(("g1", "/b/data")))
    world.run(40)
    world.kill_brick("g1", "data")
    return world.run(590)


def _refusing_executor() -> World:
    """Every request is so late that its executor refuses it."""
    return _with_dead_brick(lambda w: vars(w).update(least=130, delay=131), 400)


def _new_leader() -> World:
    world = settled_world()
    world.kill_brick("g1", "data")
    world.run(40)
    world.engines["m1"].crash()
    return world.run(300)


GUARDS: dict[str, Story] = {
    "fleet_open": lambda: _between(_storm, 5),
    "lock_valid": _leader_dies_while_the_request_is_on_its_way,
    "not_held": lambda: _between(lambda w: setattr(w.nodes["g1"], "hold", Hold("mine")), 5),
    "not_in_maintenance": lambda: _with_dead_brick(
        lambda w: setattr(w.nodes["g1"], "consul_maintenance", True)
    ),
    "in_catalog": lambda: _with_dead_brick(_neighbour_left),
    "no_brick_in_maintenance": lambda: _with_dead_brick(_on_purpose),
    "glusterd_up": lambda: _with_dead_brick(
        lambda w: w.at(85, lambda: setattr(w.nodes["g1"], "glusterd_started", w.now)), 130
    ),
    "settled": lambda: _with_dead_brick(lambda w: setattr(w.nodes["g1"], "importing", True)),
    "volume_started": _stopped_between_intent_and_execute,
    "clocks_agree": lambda: _with_dead_brick(lambda w: setattr(w.nodes["g1"], "skew", -20.0)),
    "single_version": lambda: _with_dead_brick(lambda w: setattr(w.nodes["g6"], "version", 110)),
    "no_recent_manual_change": lambda: _with_dead_brick(lambda w: w.by_hand("g7")),
    "quiet_over": _node_dies_a_moment_before,
    "suspects_disconnected": lambda: _with_dead_brick(_agent_gone),
    "bricks_known": lambda: _with_dead_brick(
        lambda w: (w.harm("g2", "data", told=False), w.kill_brick("g2", "data"))
    ),
    "process_dead": lambda: (w := settled_world(), w.harm("g1", "data", port_known=False),
                             w.run(400))[0],
    "mounted": _sick(mounted=False),
    "writable": _sick(read_only=True),
    "same_filesystem": _sick(filesystem="another"),
    "volume_id_right": _sick(volume_id="id-other"),
    "gluster_root_there": _sick(root=False),
    "no_io_errors": _sick(io_errors=2),
    "health_check_quiet": _sick(health_check_ended=True),
    "nothing_in_flight": _two_die_and_one_request_is_lost,
    "budget_left": _again_and_again(960),
    "cooldown_over": _dies_right_after_its_restart,
    "waited": lambda: _with_dead_brick(lambda w: None, 200),
    "not_refused_lately": _refusing_executor,
    "same_twice": _new_leader,
}  # fmt: skip


# --- the preconditions of the executor -----------------------------------------------------------


def _intended(seed: int = 1) -> tuple[World, str]:
    """Return a world with an intent whose request was lost, and its id."""
    world = settled_world(seed)
    world.loss = 1
    world.kill_brick("g1", "data")
    run_until(world, lambda: bool(world.consul.operations))
    (op,) = world.consul.operations
    return world, op


def _asked_late(change: Callable[[World, dict[str, Any]], object], after_s: float) -> Story:
    """Let something happen to a stored intent, and deliver its request after a while."""

    def story() -> World:
        world, op = _intended()
        change(world, world.consul.operations[op])
        world.run(after_s)
        world.deliver("g1", op)
        return world.run(30)

    return story


def _asked_again(prepare: Callable[[World, str], object]) -> Story:
    """Let it be done, the brick die at once again, and the same request come a second time."""

    def story() -> World:
        world, op = _intended()
        world.deliver("g1", op)
        run_until(world, lambda: _said(world, op) is Life.APPLIED)
        prepare(world, op)
        world.kill_brick("g1", "data")
        world.deliver("g1", op)
        return world.run(30)

    return story


def _said(world: World, op: str) -> Life | None:
    outcome = world.consul.outcomes.get(("g1", op))
    return outcome.state if outcome else None


def _unchecked(world: World, _: str) -> None:
    world.consul.cas = False


def _unreadable(world: World, _: str) -> None:
    world.consul.cas = world.nodes["g1"].outcomes_readable = False


def _outcome_deleted_by_hand(world: World, op: str) -> None:
    run_until(world, lambda: bool(world.consul.operations[op]["state"] == "applied"))
    del world.consul.outcomes["g1", op]


def _delivered_to_a_neighbour() -> World:
    world, op = _intended()
    world.deliver("g2", op)
    return world.run(30)


def _serves_again(world: World, _: dict[str, Any]) -> None:
    world.bricks["g1", "/b/data"].revive(world.now)


def _approved() -> tuple[World, str]:
    """Return a world with the intent of an approved proposal, whose request was lost."""
    world = settled_world()
    world.loss = 1
    world.policy = replace(world.policy, restart_brick=Mode.PROPOSE)
    world.kill_brick("g1", "data")
    run_until(world, lambda: bool(world.consul.proposals))
    world.approve()
    run_until(world, lambda: bool(world.consul.operations))
    (op,) = world.consul.operations
    return world, op


def _another_brick_dies() -> World:
    world, op = _approved()
    world.kill_brick("g2", "data")
    world.run(75)
    world.deliver("g1", op)
    return world.run(20)


def _only_watches(world: World, _: dict[str, Any]) -> None:
    world.policy = replace(world.policy, restart_brick=Mode.OBSERVE)


PRECONDITIONS: dict[str, Story] = {
    "named_here": _delivered_to_a_neighbour,
    "outcome_known": _asked_again(_unreadable),
    "not_done_before": _asked_again(_unchecked),
    "is_open": _asked_late(lambda w, op: w.run(360), 1),
    "action_known": _asked_late(lambda w, op: op.update(action="brick_replace"), 1),
    "may_change": _asked_late(lambda w, op: setattr(w.nodes["g1"], "only_tells", True), 1),
    "allowed": _asked_late(_only_watches, 1),
    "as_approved": _another_brick_dies,
    "epoch_current": _asked_late(lambda w, op: w.engines["m1"].crash(), 60),
    "in_intent": _asked_again(_outcome_deleted_by_hand),
    "in_time": _asked_late(lambda w, op: None, 130),
    "clocks_agree": _asked_late(lambda w, op: op["evidence"].update(skew_s=None), 1),
    "still_down": _asked_late(_serves_again, 1),
}


# --- the fleet -----------------------------------------------------------------------------------


def _canary_lost() -> World:
    world = settled_world()
    world.engines["m1"].canary = False
    world.kill_brick("g1", "data")
    return world.run(400)


def _consul_elects() -> World:
    world = settled_world()
    world.kill_brick("g1", "data")
    world.run(70)
    world.consul.leader_since = world.now
    return world.run(200)


def _view_returns() -> World:
    world = settled_world()
    world.kill_brick("g1", "data")
    world.run(30)
    world.engines["m2"].up = False
    world.engines["m1"].agent = False
    world.run(100)
    world.engines["m1"].agent = True
    return world.run(300)


def _lost_and_taken_again_between_two_ticks() -> World:
    """Its edge forgets to forget what it thought before: the table does."""
    world = settled_world()
    engine = world.engines["m1"]
    engine.forgets = False
    world.kill_brick("g1", "data")
    world.run(75)
    engine._acquire()
    return world.run(300)


def _went_back() -> World:
    world = settled_world()
    world.kill_brick("g1", "data")
    world.run(50)
    world.consul.went_back = WentBack(90, world.now, "m1", 80, 40)
    return world.run(300)


def _most_are_silent() -> World:
    world = settled_world()
    for node in ("g1", "g2", "g3", "g4", "g5"):
        world.lose(node, cut=True)
        world.nodes[node].missed_since += 1000  # gossip lives
    world.kill_brick("g8", "logs")
    world.run(100)
    if not world.told("cluster", "view_lost"):
        world.breach("F2 most are silent, and it did not think of itself")
    return world


def _held_for_a_minute() -> World:
    world = settled_world()
    world.kill_brick("g1", "data")
    world.run(20)
    world.consul.hold = Hold("look")
    world.run(90)
    world.consul.hold = None
    return world.run(300)


def _nodes_die(*names: str, **policy: Any) -> Story:
    def story() -> World:
        world, op = _intended()
        world.policy = replace(world.policy, **policy)
        for name in names:
            world.lose(name)
        world.run(QUIET_S)
        world.deliver("g1", op)
        return world.run(10)

    return story


def _zone_dies() -> World:
    world, op = _intended()
    for name, node in world.nodes.items():
        node.zone = "b" if name in ("g5", "g6") else "a"
    world.policy = replace(world.policy, unhealthy_divisor=2)
    for name in ("g5", "g6"):
        world.lose(name)
    world.run(QUIET_S)
    world.deliver("g1", op)
    return world.run(10)


def _storm_passes() -> World:
    world = settled_world()
    for name in ("g4", "g5", "g7"):
        world.lose(name)
    world.run(100)
    for name in ("g4", "g5", "g7"):
        world.bring_back(name)
    world.kill_brick("g1", "data")
    return world.run(1000)


#: What is switched off in ``fleet`` -> its story. A claim of the table has the table's own name.
FLEET: dict[str, Story] = {
    "view_lost": _canary_lost,
    "settling": _consul_elects,
    "went_back": _went_back,
    "view_settled_and_complete": _view_returns,
    "acquired": _lost_and_taken_again_between_two_ticks,
    "minority": _most_are_silent,
    "hold_of": _held_for_a_minute,
    "F6": _held_for_a_minute,
    "too_many": lambda: _between(_storm, 5),
    "too_fast": _nodes_die("g4", "g5", "g6", unhealthy_divisor=2),
    "whole_zone": _zone_dies,
    "calm_long": _storm_passes,
}
