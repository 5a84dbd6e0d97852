"""The engine on a real Consul: killed, doubled, blinded, idle. Salt's bus is a file here; the whole
with Salt and gluster is in test_remediation_end_to_end.py.

Timers are short except where they are what is shown.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from engine_process import Process
from fake_catalog import HAND_OVER_S, Consul, leads, named
from short_timers import REAL, Timers, only_news, short
from waiting import pace, until

from lab import Lab


@pytest.fixture(scope="module")
def pool(agents: Lab) -> Lab:
    return agents


@pytest.fixture
def consul(pool: Lab, request: pytest.FixtureRequest) -> Iterator[Consul]:
    cluster = re.sub("[^a-z0-9]+", "-", request.node.name)[5:45]
    there = Consul(pool.node("g1"), cluster)
    yield there
    pool.heal_all()
    until(there.answers, 60, "Consul again")
    there.clear()


def test_killed_at_any_moment_it_loses_no_change_and_tells_none_twice(
    pool: Lab, consul: Consul, tmp_path: Path, rounds: int
) -> None:
    first = consul.register(0)
    engine = Process(pool.node("g4"), consul.cluster, "m1", tmp_path / "m1", timers=short())
    until(lambda: leads(engine, consul), 30, "the engine leads")
    until(lambda: consul.has(consul.keys.members), 10, "it has seen what there is")
    chance, wanted = random.Random(rounds), set()
    for number in range(1, 2 * rounds + 1):
        wanted.add(consul.register(number))
        if number % 2:
            time.sleep(chance.uniform(0, 0.4))
            engine.kill()
            wanted.add(consul.register(100 + number))
            engine.start()
        until(lambda: wanted <= set(named(engine, "joined")), HAND_OVER_S, f"join {number}")
    told = named(engine, "joined")
    engine.kill()
    assert first not in told  # it was there before anybody looked
    assert {name: len(ids) for name, ids in told.items()} == dict.fromkeys(wanted, 1)


def test_of_two_engines_one_tells_and_the_other_takes_over(
    pool: Lab, consul: Consul, tmp_path: Path
) -> None:
    """A clean stop hands over: the session of the first would keep the lock for hours."""
    consul.register(0)
    one = Process(pool.node("g4"), consul.cluster, "m1", tmp_path / "m1", timers=only_news())
    until(lambda: leads(one, consul), 30, "the first leads")
    two = Process(pool.node("g3"), consul.cluster, "m2", tmp_path / "m2", timers=short())
    two.comes_by()
    name = consul.register(1)
    until(lambda: name in named(one, "joined"), 10, "it is told")
    two.comes_by()
    assert two.fired() == []
    one.stop()
    until(lambda: leads(two, consul), 15, "the other leads")
    again = consul.register(2)
    until(lambda: again in named(two, "joined"), 15, "the other tells")
    two.kill()
    assert again not in named(one, "joined")
    # What the first had told may be told again, under the very same id.
    both = named(two, "joined").get(name, set()) | named(one, "joined")[name]
    assert len(both) == 1


@pytest.mark.parametrize(("fault", "timers"), [("consul-freeze", REAL), ("cut", short())])
def test_an_engine_whose_agent_is_frozen_or_cut_off_is_blind_within_15_s(
    pool: Lab, consul: Consul, tmp_path: Path, fault: str, timers: Timers
) -> None:
    consul.register(0)
    engine = Process(pool.node("g4"), consul.cluster, "m1", tmp_path / "m1", timers=timers)
    until(lambda: leads(engine, consul), 30, "the engine leads")
    engine.comes_by(1)
    struck = time.time()
    pool.fault(fault, "g4")
    until(lambda: engine.fired("view_lost"), 20, "it is blind")
    # By its own stamp. What it may take: a lease, and one request that runs into its time-out.
    within_s = timers.lease.trust_s + timers.engine.records_timeout_s
    assert engine.fired("view_lost")[0]["wall"] - struck < within_s * pace()
    pool.heal(fault, "g4")
    until(lambda: engine.fired("view_restored"), 60, "it sees again")
    engine.kill()
    assert len(engine.fired("view_lost")) == 1
    assert not [e for e in engine.fired() if e["data"]["subject"] == "node"]


def test_a_healthy_pool_is_asked_nothing(pool: Lab, consul: Consul, tmp_path: Path) -> None:
    for number in range(4):
        consul.register(number)
    engine = Process(pool.node("g4"), consul.cluster, "m1", tmp_path / "m1", timers=short())
    until(lambda: leads(engine, consul), 30, "the engine leads")
    engine.comes_by(5)
    engine.kill()
    assert engine.asked() == 0
    assert engine.fired() == []


def test_a_lost_node_is_suspect_at_once_and_its_members_are_asked(
    pool: Lab, consul: Consul, tmp_path: Path
) -> None:
    """Consul's news alone do it: this engine would not come by again for hours."""
    names = [consul.register(n) for n in range(4)]
    engine = Process(pool.node("g4"), consul.cluster, "m1", tmp_path / "m1", timers=only_news())
    until(lambda: leads(engine, consul), 30, "the engine leads")
    until(lambda: consul.has(consul.keys.members), 10, "it has seen what there is")
    before, said = time.time(), len(engine.fired())
    consul.serf(names[2], "critical")
    until(lambda: names[2] in named(engine, "suspect"), 15, "it is suspect")
    until(lambda: engine.asked() > 0, 15, "its members are asked")
    engine.kill()
    (suspect, *_) = engine.fired()[said:]
    print(f"FIGURE suspect {suspect['wall'] - before:.2f} s after Consul had it")
    assert suspect["data"]["name"] == names[2]


def test_a_clock_that_is_set_keeps_the_engine_from_nothing_and_makes_nobody_late(
    pool: Lab, consul: Consul, tmp_path: Path
) -> None:
    names = [consul.register(n) for n in range(4)]
    engine = Process(pool.node("g4"), consul.cluster, "m1", tmp_path / "m1", timers=short())
    until(lambda: leads(engine, consul), 30, "the engine leads")
    for hours, name in ((-1, names[1]), (1, names[2])):
        engine.set_clock(hours * 3600)
        engine.comes_by()
        consul.serf(name, "critical")
        until(lambda lost=name: lost in named(engine, "suspect"), 15, f"{hours} h: it is suspect")
        assert leads(engine, consul)
    engine.kill()
    assert {e["data"]["event"] for e in engine.fired()} == {"suspect"}


def test_a_version_of_the_configuration_is_told_once_wherever_the_engine_ends(
    pool: Lab, consul: Consul, tmp_path: Path, rounds: int
) -> None:
    for number in range(4):
        consul.register(number)
    consul.tell(4, 0)
    timers = short()
    engine = Process(pool.node("g4"), consul.cluster, "m1", tmp_path / "m1", timers=timers)
    until(lambda: consul.version() == 1, 40, "the first look is stored")
    chance = random.Random(rounds)
    for value in range(1, rounds + 1):
        consul.tell(4, value)
        time.sleep(chance.uniform(0, timers.engine.glance_s))
        engine.stop()  # hands the lock over and ends at once, wherever its loop is
        engine.start()
        until(lambda v=value: consul.version() == v + 1, 60, f"change {value} is stored")
    wanted = set(range(2, rounds + 2))

    def told() -> dict[int, set[str]]:
        ids: dict[int, set[str]] = {}
        for event in engine.fired("config_changed"):
            ids.setdefault(event["data"]["details"]["version"], set()).add(event["data"]["id"])
        return ids

    until(lambda: wanted <= set(told()), 30, "all are told")
    engine.kill()
    assert {version: len(ids) for version, ids in told().items()} == dict.fromkeys(wanted, 1)
    assert all("user.value" in e["data"]["why"] for e in engine.fired("config_changed"))
    assert engine.fired("overwritten") == []
