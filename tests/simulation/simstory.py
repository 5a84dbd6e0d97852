"""Stories for the simulated world: random ones from a seed, and one for each guard.

`python tests/simulation/simstory.py SEEDS [FIRST]` runs many random ones and prints what went
wrong.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from simengine import Engine
from simparts import CLUSTER, LAYOUT, NODES, T0
from simworld import World

from salt_gluster.model import Hold, Unknown
from salt_gluster.remediation.observation import Acknowledged, Maintenance
from salt_gluster.remediation.operations import ENDED, Life, operation_from
from salt_gluster.remediation.salt_events import EVENTS

#: Virtual seconds in which faults happen, and after which everything has to have come to an end.
FAULTS_S = 1500.0
QUIET_S = 1800.0
#: Every so many stories is a long one, in which what stands for an hour has to page.
LONG = 10


# --- random stories ------------------------------------------------------------------------------


def random_story(seed: int) -> World:
    """Run one random schedule of faults, let all of them end, and check what has to hold then."""
    world = World(seed)
    rng = world.rng
    world.run(rng.uniform(120, 200))
    world.loss, world.double = rng.choice([0, 0.2]), rng.choice([0, 0.3])
    world.lost_answers = rng.choice([0, 0.05])
    world.delay = rng.choice([0.3, 2, 150])
    for _ in range(rng.randint(4, 16)):
        world.at(rng.uniform(0, FAULTS_S), lambda: rng.choice(FAULTS)(world))
    for _ in range(3):  # what it is all about happens in every story
        world.at(rng.uniform(0, FAULTS_S), lambda: kill_a_brick(world))
    step(world, FAULTS_S)
    mend(world)
    step(world, QUIET_S if seed % LONG else 3 * QUIET_S)
    check_the_end(world)
    return world


def step(world: World, seconds: float) -> None:
    """Let time pass and check after every minute what must hold at every moment."""
    for _ in range(int(seconds // 60)):
        world.run(60)
        stored = [operation_from(d) for d in world.consul.operations.values()]
        p = world.policy
        for op in stored:
            limit = op.deadline + p.settle_s + p.stalled_s + 900
            if op.state in (Life.INTENT, Life.ISSUED) and world.now > limit:
                world.breach(f"I8 {op.id} has no outcome")
    check_what_was_told(world)
    for entry in world.log:
        if not entry[2].endswith(" force") or not entry[2].startswith("volume start "):
            world.breach(f"I13 {entry[2]}")
    for event in world.fired:
        subject, _, name = event["tag"].rpartition("/")[0].rpartition("/")
        if (subject.rpartition("/")[2], event["tag"].rpartition("/")[2]) not in EVENTS:
            world.breach(f"an event that is not in the table: {event['tag']} {name}")


def check_what_was_told(world: World) -> None:
    """No change was told under two ids, and no id was given to two changes."""
    ids: dict[tuple[object, ...], set[str]] = {}
    changes: dict[str, set[tuple[object, ...]]] = {}
    for event in world.fired:
        d = event["data"]
        if d["event"] in ("view_lost", "view_restored", "refused"):
            continue  # each engine's own; and a refusal is told again for every new reason
        change = (d["subject"], d["uuid"], d["event"], d["state"], d["since"])
        ids.setdefault(change, set()).add(d["id"])
        changes.setdefault(d["id"], set()).add(change)
    for change, under in ids.items():
        if len(under) > 1:
            world.breach(f"told under {len(under)} ids: {change}")
    for under_id, several in changes.items():
        if len(several) > 1:
            world.breach(f"one id for {len(several)} changes: {under_id}")


def check_membership(world: World) -> None:
    """Everything that was stored as due was fired, and who is in is what was told last."""
    lost = world.due - {event["data"]["id"] for event in world.fired}
    if lost:
        world.breach(f"{len(lost)} changes were stored and never fired")
    for node in world.nodes.values():
        told = [d["event"] for d in world.told("node", name=node.name)]
        told = [e for e in told if e in ("joined", "left")]
        if told != ["left", "joined"] * (len(told) // 2) + ["left"] * (len(told) % 2):
            world.breach(f"{node.name} was told as {told}")
        if node.has_left != (told[-1:] == ["left"]):
            world.breach(f"{node.name} has left: {node.has_left}, and was told as {told}")


def mend(world: World) -> None:
    """Let every fault end but bricks that are dead or ill."""
    world.is_mended = True
    world.loss = world.double = world.lost_answers = 0
    world.delay, world.executor_dies_at = 0.3, -1
    world.consul.hold = None
    world.consul.maintenance.clear()
    if not world.consul.up:
        world.consul_back()
    for volume in list(world.stopped):
        world.start_volume(volume)
    for node in world.nodes.values():
        node.hold, node.skew, node.version, node.importing = None, 0.0, 100, False
        node.consul_maintenance = False
        node.has_left = False
        if not node.there or not node.agent:
            world.bring_back(node.name)
    world.consul.acknowledged.append(Acknowledged(CLUSTER, world.now))
    for op in world.consul.operations:
        world.consul.acknowledged.append(Acknowledged(op, world.now + 2000))


def check_the_end(world: World) -> None:
    """Everything has ended, every dead brick is up again or somebody was paged, nothing is done."""
    check_membership(world)
    down = {k: b for k, b in world.bricks.items() if not world.serves(k)}
    for (node, path), brick in down.items():
        paged = [
            d for d in (*world.told("brick", "failed"), *world.told("remediation", "refused"))
            if d["severity"] == "page"
            and f"{node}:{path}" in (d["name"], d["details"].get("brick"))
        ]  # fmt: skip
        if not paged and world.now - brick.died > 3700:
            world.breach(f"I18 {node}:{path} is down ({brick.fault() or 'fit'}), nobody was paged")
    for op in (operation_from(d) for d in world.consul.operations.values()):
        if op.state not in (*ENDED, Life.FROZEN, Life.VERIFYING):
            world.breach(f"I8 {op.id} is still {op.state.value}")
    if not down:
        before, index = world.applied(), len(world.fired)
        world.run(900)
        if world.applied() != before:
            world.breach("I17 a healthy pool was touched")
        late = [e["tag"] for e in world.fired[index:]]
        if any("/brick/" in tag for tag in late):
            world.breach(f"I17 news of a healthy pool: {late}")


def _node(world: World) -> str:
    return world.rng.choice(NODES)


def _brick(world: World) -> tuple[str, str]:
    volume = world.rng.choice(list(LAYOUT))
    return world.rng.choice(LAYOUT[volume]), volume


def _leader(world: World) -> Engine:
    return world.engines[world.consul.holder or "m1"]


def kill_a_brick(world: World) -> None:
    world.kill_brick(*_brick(world))


def kill_again_and_again(world: World) -> None:
    node, volume = _brick(world)
    for i in range(10):
        world.at(i * 240, lambda: world.is_mended or world.kill_brick(node, volume))


DISKS: tuple[dict[str, object], ...] = (
    {"mounted": False}, {"read_only": True}, {"volume_id": "id-other"}, {"root": False},
    {"io_errors": 3}, {"filesystem": "another"}, {"health_check_ended": True},
)  # fmt: skip


def ill_disk(world: World) -> None:
    node, volume = _brick(world)
    world.harm(node, volume, **world.rng.choice(DISKS))
    world.kill_brick(node, volume)


def node_away(world: World) -> None:
    node, kind = _node(world), world.rng.choice(["dead", "cut", "agent"])
    if world.nodes[node].there:
        world.lose(node, cut=kind == "cut", agent_only=kind == "agent")
        world.at(world.rng.choice([20, 90, 400, 2000]), lambda: world.bring_back(node))


def leave(world: World) -> None:
    """Its agent leaves gracefully: it vanishes from the catalog, and its bricks serve on."""
    node = world.nodes[_node(world)]
    node.has_left = True
    world.at(world.rng.choice([10, 25, 90, 600]), lambda: setattr(node, "has_left", False))


def hold(world: World) -> None:
    world.consul.hold = world.rng.choice([Hold("work", "ops"), Unknown("garbled")])
    world.at(world.rng.uniform(60, 900), lambda: setattr(world.consul, "hold", None))


def hold_by_hand(world: World) -> None:
    node = world.nodes[_node(world)]
    node.hold = Hold("touched by hand")
    world.at(world.rng.uniform(60, 900), lambda: setattr(node, "hold", None))


def maintenance(world: World) -> None:
    node = _node(world)
    world.consul.maintenance[node] = Maintenance("ops", "disks", world.now + 900)
    world.at(900, lambda: world.consul.maintenance.pop(node, None))


def stop_and_start(world: World) -> None:
    volume = world.rng.choice(list(LAYOUT))
    world.stop_volume(volume)
    world.at(world.rng.uniform(60, 600), lambda: world.start_volume(volume))


def work_by_hand(world: World) -> None:
    world.by_hand(_node(world))


def acknowledge(world: World) -> None:
    what = world.rng.choice([CLUSTER, *NODES])
    world.consul.acknowledged.append(Acknowledged(what, world.now))


def no_leader(world: World) -> None:
    if world.consul.up:
        world.consul_down()
        world.at(world.rng.choice([5, 30, 300]), world.consul_back)


def agent_cut_off(world: World) -> None:
    engine = _leader(world)
    engine.agent = False
    world.at(world.rng.choice([5, 60, 300]), lambda: setattr(engine, "agent", True))


def engine_crash(world: World) -> None:
    _leader(world).crash()


def engine_freeze(world: World) -> None:
    _leader(world).freeze(world.rng.choice([5, 40, 120]))


def executor_crash(world: World) -> None:
    world.executor_dies_at = world.executor_steps + world.rng.randint(1, 7)


def forged(world: World) -> None:
    known = list(world.consul.operations) or ["nothing"]
    world.send(_node(world), world.rng.choice([*known, "forged"]))


def glusterd_restart(world: World) -> None:
    node = world.nodes[_node(world)]
    node.glusterd_started, node.importing = world.now, True
    world.at(world.rng.uniform(2, 90), lambda: setattr(node, "importing", False))


def upgrade(world: World) -> None:
    node = world.nodes[_node(world)]
    node.version, node.version_since = 110, world.now
    world.at(600, lambda: vars(node).update(version=100, version_since=world.now))


def clock_skew(world: World) -> None:
    world.nodes[_node(world)].skew = world.rng.choice([-30.0, 30.0])


FAULTS: tuple[Callable[[World], None], ...] = (
    kill_a_brick, kill_a_brick, kill_a_brick, kill_again_and_again, ill_disk, node_away, leave,
    hold, hold_by_hand, maintenance, stop_and_start, work_by_hand, acknowledge, no_leader,
    agent_cut_off, engine_crash, engine_freeze, executor_crash, forged, glusterd_restart, upgrade,
    clock_skew,
)  # fmt: skip


def settled_world(seed: int = 1) -> World:
    """Return a healthy pool whose engine has been open for a while."""
    return World(seed).run(200)


def run_until(world: World, done: Callable[[], bool], limit_s: float = 2000) -> World:
    """Go on a tenth of a second at a time until ``done``."""
    end = world.now + limit_s
    while not done():
        assert world.now < end, "it never happened"
        world.run(0.1)
    return world


def main(seeds: int, first: int) -> int:
    """Run many random stories; return the number of bad ones."""
    began, bad, actions, hours = time.monotonic(), 0, 0, 0.0
    for seed in range(first, first + seeds):
        world = random_story(seed)
        actions += world.applied()
        hours += (world.now - T0) / 3600
        if world.wrong:
            bad += 1
            print(f"seed {seed}: {world.wrong[:5]}", flush=True)
    took = time.monotonic() - began
    print(f"{seeds} seeds, {bad} bad, {actions} actions, {hours:.0f} virtual hours, {took:.0f} s")
    return bad


if __name__ == "__main__":
    arguments = [int(a) for a in sys.argv[1:]]
    sys.exit(min(1, main(arguments[0], arguments[1] if len(arguments) > 1 else 0)))
