"""Trouble of sensors and of Consul's servers, from a whole engine: told within a minute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from engine_world import NAMES, UUIDS, World

from salt_gluster.consul.codec import unpack
from salt_gluster.master.engine import Engine


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.watches.saw("sessions", frozenset(NAMES), 1)
    world.passes(90)
    assert world.watches.lock.holds()
    return world


def told(world: World) -> list[dict[str, Any]]:
    return list(unpack(world.consul.keys["gluster/main/status"]["Value"])["trouble"])


def test_a_sensor_that_ends_is_told_and_its_node_is_asked_once_a_minute(world: World) -> None:
    assert (world.events("unwatched"), told(world)) == ([], [])
    rounds = len(world.bus.rounds)
    world.watches.saw("sessions", frozenset(NAMES[1:]), 1)
    world.passes(10)
    assert world.events("unwatched") == [("g1", "unwatched")]
    assert [row["about"] for row in told(world)] == ["g1"]
    world.passes(290)
    assert 4 <= len(world.bus.rounds) - rounds <= 6
    assert world.events("unwatched", "watched") == [("g1", "unwatched")]
    world.watches.saw("sessions", frozenset(NAMES), 1)
    world.passes(10)
    assert world.events("unwatched", "watched")[1:] == [("g1", "watched")]
    assert told(world) == []


def test_what_it_says_of_its_trouble_is_told(world: World) -> None:
    words = "Consul refused it: ACL not found"
    world.consul.before = _refuses_the_node(world)
    world.broken_answers = {"g1": {"trouble": words}}
    world.watches.saw("sessions", frozenset(NAMES[1:]), 1)
    world.passes(30)
    (row,) = told(world)
    assert f"g1 says: {words}" in row["why"]


def _refuses_the_node(world: World) -> Any:
    from salt_gluster.errors import ConsulError

    def before(method: str, path: str) -> None:
        if method == "PUT" and path.startswith(f"kv/gluster/main/nodes/{UUIDS[0]}"):
            raise ConsulError("ACL not found", kind="forbidden")

    return before


def test_the_next_leader_misses_whom_the_last_one_heard(world: World, tmp_path: Path) -> None:
    world.watches.stop()
    world.engine = Engine(lambda limit_s: world.consul.client(), "main", "m2", world.bus,
                          marker=world.marker, clock=world.clock)  # fmt: skip
    world.watches = world.engine.watches
    world.watches.saw("sessions", frozenset(NAMES[1:]), 1)
    world.passes(60)
    assert world.watches.lock.holds()
    assert world.events("unwatched") == [("g1", "unwatched")]


def test_a_server_that_stores_nothing_is_told_within_a_minute_and_its_return(world: World) -> None:
    def rows(first: int, last: int) -> tuple[int, Any]:
        servers = [(n, i) for n, i in (("g1", first), ("g2", first), ("g3", last))]
        return 200, {"Healthy": True, "Servers": [
            {"Name": n, "SerfStatus": "alive", "Healthy": True, "LastIndex": i} for n, i in servers
        ]}  # fmt: skip

    world.consul.autopilot = rows(100, 100)
    world.passes(30)
    for step in range(1, 7):
        world.consul.autopilot = rows(100 + 20 * step, 100)
        world.passes(10)
    assert world.events("consul_degraded") == [("main", "consul_degraded")]
    assert "g3: it stores nothing" in told(world)[0]["why"]
    world.consul.autopilot = rows(300, 300)
    world.passes(40)
    assert world.events("consul_whole") == [("main", "consul_whole")]
