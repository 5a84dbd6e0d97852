"""A node that writes others' rows, seen by a whole engine: it decides nothing for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from engine_world import NAMES, UUIDS, World

from salt_gluster.consul.admitted import record
from salt_gluster.consul.catalog import catalog

MADE_UP = "99999999-9999-4999-8999-999999999999"


def row(node: str, uuid: str, minion: str) -> dict[str, Any]:
    return {"Node": node, "ServiceMeta": {"cluster": "main", "peer_uuid": uuid,
                                          "minion_id": minion}}  # fmt: skip


def sees(world: World) -> None:
    index = world.consul.index
    world.watches.saw("catalog", catalog(world.consul.catalog, "main"), index)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    record(world.client, "main", dict(zip(NAMES, UUIDS, strict=True)))
    store, now = world.engine._state.store, world.engine._now()
    policy = {"accept_node": "act", "accept_after_s": 10}
    spec = {"nodes": [*NAMES, "x*"]}
    store.accept({"schema": 1, "spec": spec, "policy": policy}, by="g1", why="t", now=now)
    world.passes(90)
    assert world.engine._memory.mode == "open"
    return world


def test_a_made_up_row_is_not_proposed_and_not_accepted_and_is_told(world: World) -> None:
    """On its own node, as a minion that a glob means; ``accept_node: act`` took it in."""
    world.consul.catalog.append(row("x1", MADE_UP, "x1"))
    sees(world)
    world.passes(120)
    assert world.engine._state.store.accepted() == {}
    assert world.events("proposed", "joined", "accepted") == []
    assert world.events("contradicted") == [("x1", "contradicted")]
    world.consul.catalog.pop()
    sees(world)
    world.passes(20)
    assert world.events("identified") == [("x1", "identified")]


def test_a_node_that_the_master_admits_is_proposed(world: World) -> None:
    """The record is there before the row: no alarm in between."""
    record(world.client, "main", {"x1": MADE_UP})
    world.consul.catalog.append(row("x1", MADE_UP, "x1"))
    sees(world)
    world.passes(60)
    assert world.events("proposed", "contradicted") == [("x1", "proposed")]
    assert set(world.engine._state.store.accepted()) == {"x1"}


def test_a_row_that_another_one_rewrote_takes_its_node_nothing(world: World) -> None:
    world.consul.catalog[1] = row("g2", UUIDS[0], "g1")
    sees(world)
    world.passes(120)
    assert world.events("contradicted", "left", "suspect") == [("g2", "contradicted")]
    obs = world.engine._observe()
    assert dict(obs.members) == dict(zip(UUIDS, NAMES, strict=True))
    assert {u: n.minion for u, n in obs.consul.registered.items()} == obs.members


def test_an_admission_that_is_taken_back_counts_at_once(world: World) -> None:
    record(world.client, "main", {"g3": MADE_UP})
    world.watches.saw("rev", 9, world.consul.index)
    world.passes(10)
    assert world.events("contradicted") == [("g3", "contradicted")]
    assert MADE_UP in world.engine._observe().consul.registered


def test_without_admissions_the_rows_are_what_they_say(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.passes(90)
    assert set(world.engine._observe().members) == set(UUIDS)
    assert world.events("contradicted") == []


def test_no_row_moves_its_node_into_another_zone_than_the_declared_one(world: World) -> None:
    store, now = world.engine._state.store, world.engine._now()
    spec = {"nodes": [*NAMES], "zones": {"north": ["g1", "g2"], "south": ["g3"]}}
    store.accept({"schema": 1, "spec": spec, "policy": {}}, by="g1", why="t", now=now)
    world.consul.catalog[2]["ServiceMeta"]["zone"] = "north"
    world.watches.saw("rev", 2, world.consul.index)
    sees(world)
    world.passes(20)
    assert world.engine._catalog.zones == {"north": set(UUIDS[:2]), "south": {UUIDS[2]}}
