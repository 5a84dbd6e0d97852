"""A hint makes the leader ask the nodes it names: at once, no flood of it, and never blindly."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import fleet
import pytest
from engine_world import World
from fake_consul import FakeConsul

from salt_gluster.consul.canary import FileMarker
from salt_gluster.consul.client import Client
from salt_gluster.consul.settings import Access
from salt_gluster.consul.watch import GAP_S
from salt_gluster.master.engine import Engine
from salt_gluster.master.engine.steady_clock import SteadyClock
from salt_gluster.master.engine.watches import REV_GAP_S
from salt_gluster.model import ENGINE_TIMES, EngineTimes, Lease
from salt_gluster.remediation import FleetObservation, LockView
from salt_gluster.remediation.decide import Asks
from salt_gluster.remediation.membership import ConsulView, Registered, Signal, ViewTrust

NOTHING = Asks()
NODES = ("u1", "u2", "u3")


class Bus:
    """Who was asked, round by round."""

    def __init__(self) -> None:
        self.rounds: list[list[str]] = []
        self.asked = threading.Semaphore(0)

    def send(self, minion: str, function: str, arguments: Sequence[Any]) -> None:
        raise AssertionError("nobody is sent anything")

    def fire(self, event: Mapping[str, Any]) -> bool:
        raise AssertionError("a hint tells nobody anything")

    def ask(self, minions: Sequence[str], *more: Any) -> Mapping[str, Any]:
        self.rounds.append(sorted(minions))
        self.asked.release()
        return {}


class Leader:
    """An engine without its loop."""

    def __init__(self, folder: Path) -> None:
        self.bus = Bus()
        self.now = 1000.0
        clock = SteadyClock(lambda: self.now, lambda: self.now)
        self.engine = Engine(
            lambda limit_s: Client(Access()), "main", "m1", self.bus, marker=FileMarker(folder),
            clock=clock,
        )  # fmt: skip
        self.watches = self.engine.watches
        rows = {u: Registered(u, u, f"minion-{u}", Signal.GOOD) for u in NODES}
        view = ConsulView(ViewTrust(True), rows)
        self.obs = FleetObservation(self.now, "main", view, LockView(True, 9.0, 7), {})

    def hint(self, *nodes: str) -> None:
        self.watches.saw("hint", frozenset(nodes), 5)

    def tick(self, later_s: float = 0.0, asks: Asks = NOTHING, **other: Any) -> list[str] | None:
        """Ask, as at the end of a tick; return who was asked, None = nobody."""
        self.now += later_s
        before = len(self.bus.rounds)
        self.engine._ask(replace(self.obs, now=self.now, **other), asks)
        assert self.engine._probes.asking.wait(20)
        return self.bus.rounds[-1] if len(self.bus.rounds) > before else None


@pytest.fixture
def leader(tmp_path: Path) -> Leader:
    return Leader(tmp_path)


def test_whom_a_hint_names_is_asked_once(leader: Leader) -> None:
    assert leader.tick() is None
    leader.hint("u2")
    assert leader.watches.news.is_set()
    assert leader.tick() == ["minion-u2"]
    assert leader.tick(100) is None
    assert leader.watches.hints() == frozenset()


def test_the_first_hint_is_at_once_and_a_flood_keeps_the_rhythm_and_loses_nobody(
    leader: Leader,
) -> None:
    leader.hint("u1")
    assert leader.tick() == ["minion-u1"]
    rounds, named = [], set()
    for second in range(1, 31):
        leader.hint(NODES[second % 3])
        if asked := leader.tick(1):
            rounds.append(second)
            named |= set(asked)
    assert len(rounds) <= 6  # a tick is 10 s
    assert named == {"minion-u1", "minion-u2", "minion-u3"}


def test_while_the_leader_asks_anyway_a_new_hint_does_not_wait_for_its_rhythm(
    leader: Leader,
) -> None:
    ill = Asks(facts=frozenset({"u3"}))
    assert leader.tick(asks=ill) == ["minion-u3"]
    assert leader.tick(ENGINE_TIMES.hints_s, asks=ill) is None
    leader.hint("u1")
    assert leader.tick(0.1, asks=ill) == ["minion-u1", "minion-u3"]


def test_a_stranger_is_forgotten_and_a_blind_leader_asks_nobody(leader: Leader) -> None:
    leader.hint("u9")
    assert leader.tick() is None
    leader.hint("u1")
    blind = replace(leader.obs.consul, trust=ViewTrust(False, "no beat"))
    assert leader.tick(consul=blind) is None
    assert leader.watches.hints() == frozenset()
    assert leader.tick() is None


def test_hints_are_no_part_of_the_view_that_a_leader_needs(leader: Leader) -> None:
    """Who may not read that key, or has a Consul without it, sees no less."""
    for name, value in (("critical", leader.watches.critical), ("catalog", leader.watches.catalog),
                        ("rev", 3)):  # fmt: skip
        leader.watches.saw(name, value, 9)
    assert leader.watches._waits_for == set()


def test_lease_and_times_that_an_engine_is_given_are_those_it_goes_by(tmp_path: Path) -> None:
    limits: list[float | None] = []

    def connect(limit_s: float | None) -> Client:
        limits.append(limit_s)
        return Client(Access())

    lease = Lease(session_ttl_s=5, trust_s=4.0, renew_s=1.5, renew_timeout_s=0.7)
    times = EngineTimes(collect_s=44.0, records_timeout_s=0.9)
    marker = FileMarker(tmp_path)
    engine = Engine(connect, "main", "m1", Bus(), marker=marker, lease=lease, times=times)
    assert {0.7, 0.9} <= set(limits)
    assert engine.watches.lock.lease is lease
    assert engine.watches.view_lost_in_s() == 1.5
    assert engine._due_s() == 44.0


def test_what_nodes_answered_is_kept_by_who_leads_on_and_forgotten_by_who_leads_anew(
    tmp_path: Path,
) -> None:
    """In Consul stands the report from before: it has no brick that was started since."""
    consul = FakeConsul()
    engine = Engine(
        lambda limit_s: consul.client(), "main", "m1", Bus(), marker=FileMarker(tmp_path)
    )
    lock, state = engine.watches.lock, engine._state
    assert lock.renew()
    engine._resume()
    engine._memory = replace(engine._memory, epoch=lock.epoch)  # as the first decision leaves it
    told = fleet.report_data(fleet.GFN1, fleet.facts(fleet.GFN1))
    state.take(fleet.GFN1, {**told, "at": 2000.0})
    state.take(fleet.GFN1, {**told, "at": 1000.0})
    engine._led = 0  # a tick was given up: all is read again
    engine._resume()
    assert {u: r["at"] for u, r in state.reports.items()} == {fleet.GFN1: 2000.0}
    consul.end_session(next(iter(consul.sessions)))
    assert lock.renew()
    engine._resume()
    assert state.reports == {}


def test_only_what_every_node_may_write_is_looked_at_more_seldom_when_it_floods(
    tmp_path: Path,
) -> None:
    watches = World(tmp_path).watches._watches
    gaps = {name: watch._longest_gap_s for name, watch in watches.items()}
    assert gaps.pop("rev") == REV_GAP_S
    assert set(gaps.values()) == {GAP_S}
