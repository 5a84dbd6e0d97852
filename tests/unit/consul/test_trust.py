"""The trust gate: facts and the time in, a verdict out."""

from __future__ import annotations

import ast
from dataclasses import replace

import pytest

from salt_gluster.consul.trust import (
    ANSWERS,
    HEARTBEAT_S,
    SETTLE_S,
    Canary,
    Facts,
    Gate,
    Sight,
    judge,
)
from tests.meta.test_architecture import FORBIDDEN_IN_PURE, LIB, _reads_clock_or_file

GOOD = Facts(
    heartbeat_at=1000.0, canary=Canary.SEEN, marker=True, own_agent=True, leader="10.0.0.1:8300"
)


def beating(facts: Facts, now: float) -> Facts:
    return replace(facts, heartbeat_at=now)


def settled(now: float = 1000.0) -> Gate:
    """A gate that has been open for a while."""
    gate = judge(beating(GOOD, now), Gate(), now)
    now += SETTLE_S
    gate = judge(beating(GOOD, now), gate, now)
    assert gate.sight is Sight.FRESH
    return gate


def test_sight_begins_with_settling_and_a_full_read() -> None:
    first = judge(GOOD, Gate(), 1000.0)
    assert (first.sight, first.reread, first.until) == (Sight.SETTLING, True, 1000.0 + SETTLE_S)
    assert first.may_notice
    assert not first.may_act
    again = judge(beating(GOOD, 1030.0), first, 1030.0)
    assert (again.sight, again.reread, again.until) == (Sight.SETTLING, False, first.until)
    assert not judge(beating(GOOD, 1059.9), again, 1059.9).may_act
    assert judge(beating(GOOD, 1060.0), again, 1060.0).may_act


def test_ten_seconds_without_a_heartbeat_blind_and_regaining_settles_anew() -> None:
    gate = settled()
    t = 1060.0
    still = judge(beating(GOOD, t), gate, t + HEARTBEAT_S - 0.01)
    assert still.sight is Sight.FRESH
    blind = judge(replace(beating(GOOD, t), heartbeat_error="timed out"), still, t + HEARTBEAT_S)
    assert (blind.sight, blind.may_notice, blind.may_act) == (Sight.BLIND, False, False)
    assert "10 s ago" in blind.why
    assert "timed out" in blind.why
    back = judge(beating(GOOD, t + 20), blind, t + 20)
    assert (back.sight, back.reread) == (Sight.SETTLING, True)
    assert not judge(beating(GOOD, t + 79), back, t + 79).may_act
    assert judge(beating(GOOD, t + 80), back, t + 80).may_act


@pytest.mark.parametrize(
    ("facts", "sight"),
    [
        (replace(GOOD, heartbeat_at=None), Sight.BLIND),
        (replace(GOOD, canary=Canary.UNREAD), Sight.BLIND),
        (replace(GOOD, canary=Canary.ABSENT), Sight.WIPED),
        (replace(GOOD, canary=Canary.ABSENT, marker=False), Sight.BLIND),
        (replace(GOOD, own_agent=False), Sight.BLIND),
        (replace(GOOD, own_agent=None), Sight.BLIND),
        (replace(GOOD, leader="10.0.0.2:8300"), Sight.SETTLING),
        (replace(GOOD, regressions=1), Sight.SETTLING),
        (replace(GOOD, leader=""), Sight.FRESH),
        (GOOD, Sight.FRESH),
    ],
)
def test_one_fact_is_enough_to_close_the_gate(facts: Facts, sight: Sight) -> None:
    now = 1060.0
    facts = beating(facts, now) if facts.heartbeat_at is not None else facts
    gate = judge(facts, settled(), now)
    assert gate.sight is sight
    assert gate.may_act is (sight is Sight.FRESH)
    assert bool(gate.why) is (sight is not Sight.FRESH)
    assert gate.reread is (sight is Sight.SETTLING)


def test_a_dead_heartbeat_is_told_before_a_missing_canary() -> None:
    """An answer from before the agent froze must not make a wipe of it."""
    stale = replace(GOOD, heartbeat_at=1000.0, canary=Canary.ABSENT)
    assert judge(stale, settled(), 1100.0).sight is Sight.BLIND


def test_a_leader_change_while_settling_begins_the_minute_again() -> None:
    first = judge(GOOD, Gate(), 1000.0)
    moved = replace(beating(GOOD, 1050.0), leader="10.0.0.3:8300")
    again = judge(moved, first, 1050.0)
    assert (again.reread, again.until, again.since) == (True, 1050.0 + SETTLE_S, 1000.0)
    same = judge(replace(moved, heartbeat_at=1051.0), again, 1051.0)
    assert not same.reread


def test_a_leader_change_during_blindness_is_not_settled_twice() -> None:
    """The minute after sight is regained covers it; a second one would only delay."""
    lost = judge(replace(GOOD, leader=""), settled(), 1200.0)
    assert lost.sight is Sight.BLIND
    back = judge(replace(GOOD, heartbeat_at=1201.0, leader="10.0.0.9:8300"), lost, 1201.0)
    later = judge(replace(GOOD, heartbeat_at=1203.0, leader="10.0.0.9:8300"), back, 1203.0)
    assert (back.reread, later.reread, later.until) == (True, False, back.until)


def test_a_new_leader_after_a_moment_without_one_is_a_change_too() -> None:
    between = judge(replace(GOOD, leader=""), settled(), 1005.0)
    assert between.sight is Sight.FRESH
    assert judge(replace(GOOD, leader="10.0.0.2:8300"), between, 1006.0).reread


def test_since_tells_when_the_present_verdict_began() -> None:
    gate = judge(GOOD, settled(), 1200.0)
    assert judge(GOOD, gate, 1230.0).since == 1200.0


def test_every_way_to_have_no_answer_has_its_words() -> None:
    """A kind that the transport raises without a row would be shown as its bare message."""
    (source,) = [s for s in LIB if s.name.endswith("consul/transport.py")]
    raised = {
        node.value
        for call in ast.walk(source.tree)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "ConsulError"
        for word in call.keywords
        if word.arg == "kind" and isinstance(node := word.value, ast.Constant)
    }
    assert {"unreachable", "stale", "conflict"} <= raised
    computed = {"timeout", "cut_off", "server_error", "session_gone", "forbidden", "not_found"}
    assert raised | computed | {"no_leader", "too_big", "refused"} <= set(ANSWERS)


def test_the_gate_knows_no_clock() -> None:
    (source,) = [s for s in LIB if s.name.endswith("consul/trust.py")]
    used = {name.split(".")[0] for _, name in source.imports()}
    assert not used & FORBIDDEN_IN_PURE
    calls = [n.func for n in ast.walk(source.tree) if isinstance(n, ast.Call)]
    assert not any(map(_reads_clock_or_file, calls))
