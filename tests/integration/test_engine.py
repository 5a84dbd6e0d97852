"""The engine on a real Consul: killed, doubled, blinded, idle. Salt's bus is a file here; the whole
with Salt and gluster is in test_closed_loop.py.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from consul_world import until
from engine_process import Process
from fake_catalog import HAND_OVER_S, Consul, leads, named

from lab import Lab


@pytest.fixture(scope="module")
def pool() -> Iterator[Lab]:
    with Lab.up("engineroom", nodes=4, salt=False, consul=True) as lab:
        yield lab


@pytest.fixture
def consul(pool: Lab, request: pytest.FixtureRequest) -> Iterator[Consul]:
    cluster = re.sub("[^a-z0-9]+", "-", request.node.name)[5:45]
    there = Consul(pool.node("g1"), cluster)
    yield there
    pool.heal_all()
    until("Consul again", there.answers, 60)
    there.clear()


@pytest.mark.timeout(900)
def test_killed_at_any_moment_it_loses_no_change_and_tells_none_twice(
    pool: Lab, consul: Consul, tmp_path: Path, rounds: int
) -> None:
    first = consul.register(0)
    engine = Process(pool.node("g4"), consul.cluster, "m1", tmp_path / "m1")
    until("the engine leads", lambda: leads(engine, consul), 30)
    until("it has seen what there is", lambda: consul.has(consul.keys.members), 10)
    chance, wanted = random.Random(rounds), set()
    for number in range(1, 2 * rounds + 1):
        wanted.add(consul.register(number))
        if number % 2:
            time.sleep(chance.uniform(0, 0.4))
            engine.kill()
            wanted.add(consul.register(100 + number))
            engine.start()
        until(f"join {number}", lambda: wanted <= set(named(engine, "joined")), HAND_OVER_S)
    told = named(engine, "joined")
    engine.kill()
    assert first not in told  # it was there before anybody looked
    assert {name: len(ids) for name, ids in told.items()} == dict.fromkeys(wanted, 1)


@pytest.mark.timeout(300)
def test_of_two_engines_one_tells_and_the_other_takes_over(
    pool: Lab, consul: Consul, tmp_path: Path
) -> None:
    consul.register(0)
    one = Process(pool.node("g4"), consul.cluster, "m1", tmp_path / "m1")
    until("the first leads", lambda: leads(one, consul), 30)
    two = Process(pool.node("g3"), consul.cluster, "m2", tmp_path / "m2")
    time.sleep(5)
    name = consul.register(1)
    until("it is told", lambda: name in named(one, "joined"), 10)
    time.sleep(3)
    assert two.fired() == []
    one.stop()  # a clean stop hands over at once
    handed = until("the other leads", lambda: leads(two, consul), 15)
    again = consul.register(2)
    until("the other tells", lambda: again in named(two, "joined"), 15)
    two.kill()
    assert handed < 8
    assert again not in named(one, "joined")
    # What the first had told may be told again, under the very same id.
    both = named(two, "joined").get(name, set()) | named(one, "joined")[name]
    assert len(both) == 1


@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", ["consul-freeze", "cut"])
def test_an_engine_whose_agent_is_frozen_or_cut_off_is_blind_within_15_s(
    pool: Lab, consul: Consul, tmp_path: Path, fault: str
) -> None:
    consul.register(0)
    engine = Process(pool.node("g4"), consul.cluster, "m1", tmp_path / "m1")
    until("the engine leads", lambda: leads(engine, consul), 30)
    time.sleep(4)
    struck = time.time()
    pool.fault(fault, "g4")
    until("it is blind", lambda: engine.fired("view_lost"), 20)
    assert engine.fired("view_lost")[0]["wall"] - struck < 15
    pool.heal(fault, "g4")
    until("it sees again", lambda: engine.fired("view_restored"), 60)
    engine.kill()
    assert len(engine.fired("view_lost")) == 1
    assert not [e for e in engine.fired() if e["data"]["subject"] == "node"]


def test_a_lost_node_is_suspect_at_once_and_a_healthy_pool_is_asked_nothing(
    pool: Lab, consul: Consul, tmp_path: Path
) -> None:
    names = [consul.register(n) for n in range(4)]
    engine = Process(pool.node("g4"), consul.cluster, "m1", tmp_path / "m1")
    until("the engine leads", lambda: leads(engine, consul), 30)
    time.sleep(30)
    assert engine.asked() == 0
    before = time.time()
    consul.serf(names[2], "critical")
    until("it is suspect", lambda: names[2] in named(engine, "suspect"), 15)
    until("its members are asked", lambda: engine.asked() > 0, 15)
    engine.kill()
    assert engine.fired("suspect")[0]["wall"] - before < 2


@pytest.mark.timeout(600)
def test_a_version_of_the_configuration_is_told_once_wherever_the_engine_ends(
    pool: Lab, consul: Consul, tmp_path: Path, rounds: int
) -> None:
    for number in range(4):
        consul.register(number)
    consul.tell(4, 0)
    engine = Process(pool.node("g4"), consul.cluster, "m1", tmp_path / "m1")
    until("the first look is stored", lambda: consul.version() == 1, 40)
    chance = random.Random(rounds)
    for value in range(1, rounds + 1):
        consul.tell(4, value)
        time.sleep(chance.uniform(0, 15))
        engine.stop()  # hands the lock over and ends at once, wherever its loop is
        engine.start()
        until(f"change {value} is stored", lambda v=value: consul.version() == v + 1, 60)
    wanted = set(range(2, rounds + 2))

    def told() -> dict[int, set[str]]:
        ids: dict[int, set[str]] = {}
        for event in engine.fired("config_changed"):
            ids.setdefault(event["data"]["details"]["version"], set()).add(event["data"]["id"])
        return ids

    until("all are told", lambda: wanted <= set(told()), 30)
    engine.kill()
    assert {version: len(ids) for version, ids in told().items()} == dict.fromkeys(wanted, 1)
    assert all("user.value" in e["data"]["why"] for e in engine.fired("config_changed"))
    assert engine.fired("overwritten") == []
