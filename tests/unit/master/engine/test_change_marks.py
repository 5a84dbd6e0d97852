"""Who marks a change of the pool without end keeps nobody looking, and nobody asking."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_world import UUIDS, World

from salt_gluster.consul.cluster_snapshot import ClusterSnapshot
from salt_gluster.consul.heartbeat import change_op, mark_change, watermark
from salt_gluster.consul.keys import Keys
from salt_gluster.consul.store import Store

KEYS = Keys("main")


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
