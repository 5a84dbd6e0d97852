"""Who marks a change of the pool without end keeps nobody looking, and nobody asking."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_world import UUIDS, World

from salt_gluster.consul.cluster_snapshot import ClusterSnapshot
from salt_gluster.consul.heartbeat import change_op, mark_change, watermark
from salt_gluster.consul.keys import Keys
from salt_gluster.consul.store import Store
from salt_gluster.master.engine.change_marks import MOST, WITHIN_S, ChangeMarks

KEYS = Keys("main")


def test_a_flood_is_not_believed_and_the_others_are() -> None:
    seen, now = ChangeMarks(), 1000.0
    for look in range(MOST):
        ignored = seen.saw({"flooder": look, "g2": look // 6}, now + 5 * look)
    assert ignored == {"flooder"}
    assert seen.saw({"flooder": 99, "g2": 5}, now + 70) == {"flooder"}
    assert seen.saw({"flooder": 99, "g2": 5}, now + 60 + WITHIN_S) == frozenset()


def test_many_changes_of_one_run_are_believed() -> None:
    seen = ChangeMarks()
    for look in range(MOST - 1):
        assert seen.saw({"g1": look}, 5.0 * look) == frozenset()
    for look in range(200):  # and none since
        assert seen.saw({"g1": MOST - 2}, 60 + 5.0 * look) == frozenset()


def test_what_a_node_changes_now_and_then_is_believed_for_ever() -> None:
    seen = ChangeMarks()
    for hour in range(1000):
        assert seen.saw({"g1": hour}, 3600.0 * hour) == frozenset()


def test_of_a_node_that_is_gone_nothing_is_kept() -> None:
    seen = ChangeMarks()
    for number in range(1000):
        seen.saw({f"u{number}": 1}, 10.0 * number)
    assert len(seen._times) <= WITHIN_S / 10 + 1


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.passes(30)
    return world


def newest(world: World) -> int:
    return ClusterSnapshot.read(world.consul.client(), "main").last_change


def test_a_nodes_change_and_an_operators_are_both_the_pools_last(world: World) -> None:
    before = newest(world)
    mark_change(world.client, KEYS, "g1", 1.0, UUIDS[0])
    first = newest(world)
    world.client.txn([change_op(KEYS, "an operator", 1.0)])
    assert before < first < newest(world)
    assert watermark(Store(world.client, "main"))["changed"] == newest(world)


def test_a_flood_of_marks_keeps_no_screen_asking_and_no_sensor_looking(world: World) -> None:
    mark_change(world.client, KEYS, "g2", 1.0, UUIDS[1])
    good = newest(world)
    for number in range(120):
        mark_change(world.client, KEYS, "g3", float(number), UUIDS[2])
        world.passes(1)
    assert newest(world) == good
    assert watermark(Store(world.client, "main"))["changed"] == good
    mark_change(world.client, KEYS, "g2", 2.0, UUIDS[1])
    assert newest(world) > good, "the others are heard"


def test_a_mark_is_no_longer_than_it_is_and_of_no_other_node(world: World) -> None:
    """Only the key says whose it is, not what stands in it."""
    world.client.kv_put(KEYS.change_of(UUIDS[2]), b"{broken")
    assert newest(world) == world.consul.keys[KEYS.change_of(UUIDS[2])]["ModifyIndex"]
