"""The trust gate: facts and the time in, a verdict out."""

from __future__ import annotations

import ast
from dataclasses import replace

import pytest

from salt_gluster.consul.trust import (
    ANSWERS,
    Canary,
    ProbeFacts,
    ViewState,
    ViewVerdict,
    evaluate,
)
from salt_gluster.model import LEASE
from tests.meta.test_architecture import FORBIDDEN_IN_PURE, LIB, _reads_clock_or_file

GOOD = ProbeFacts(
    heartbeat_at=1000.0, canary=Canary.SEEN, marker=True, own_agent=True, leader="10.0.0.1:8300"
)


def beating(facts: ProbeFacts, now: float) -> ProbeFacts:
    return replace(facts, heartbeat_at=now)


def fresh(now: float = 1000.0) -> ViewVerdict:
    """A view that has been fresh for a while."""
    verdict = evaluate(beating(GOOD, now), evaluate(beating(GOOD, now), ViewVerdict(), now), now)
    assert (verdict.state, verdict.reread, verdict.why) == (ViewState.FRESH, False, "")
    return verdict


def test_a_view_begins_with_a_full_read() -> None:
    first = evaluate(GOOD, ViewVerdict(), 1000.0)
    assert (first.state, first.reread, first.is_fresh) == (ViewState.FRESH, True, True)
    assert "not been asked yet" in first.why
    again = evaluate(beating(GOOD, 1003.0), first, 1003.0)
    assert (again.state, again.reread, again.since) == (ViewState.FRESH, False, 1000.0)


def test_ten_seconds_without_a_heartbeat_blind_and_what_comes_back_is_read_anew() -> None:
    still = evaluate(GOOD, fresh(), 1000.0 + LEASE.trust_s - 0.01)
    assert still.state is ViewState.FRESH
    blind = evaluate(replace(GOOD, heartbeat_error="timed out"), still, 1000.0 + LEASE.trust_s)
    assert (blind.state, blind.is_fresh) == (ViewState.BLIND, False)
    assert "10 s ago" in blind.why
    assert "timed out" in blind.why
    back = evaluate(beating(GOOD, 1020.0), blind, 1020.0)
    assert (back.state, back.reread, back.since) == (ViewState.FRESH, True, 1020.0)


@pytest.mark.parametrize(
    ("facts", "state", "reread"),
    [
        (replace(GOOD, heartbeat_at=None), ViewState.BLIND, False),
        (replace(GOOD, canary=Canary.UNREAD), ViewState.BLIND, False),
        (replace(GOOD, canary=Canary.ABSENT), ViewState.WIPED, False),
        (replace(GOOD, canary=Canary.ABSENT, marker=False), ViewState.BLIND, False),
        (replace(GOOD, own_agent=False), ViewState.BLIND, False),
        (replace(GOOD, own_agent=None), ViewState.BLIND, False),
        (replace(GOOD, leader="10.0.0.2:8300"), ViewState.FRESH, True),
        (replace(GOOD, regressions=1), ViewState.FRESH, True),
        (replace(GOOD, leader=""), ViewState.FRESH, False),
        (GOOD, ViewState.FRESH, False),
    ],
)
def test_one_fact_is_enough_to_lose_the_view_or_to_read_it_anew(
    facts: ProbeFacts, state: ViewState, reread: bool
) -> None:
    now = 1060.0
    facts = beating(facts, now) if facts.heartbeat_at is not None else facts
    verdict = evaluate(facts, fresh(now), now)
    assert (verdict.state, verdict.reread) == (state, reread)
    assert verdict.is_fresh is (state is ViewState.FRESH)
    assert bool(verdict.why) is (reread or state is not ViewState.FRESH)


def test_a_dead_heartbeat_is_told_before_a_missing_canary() -> None:
    """An answer from before the agent froze must not make a wipe of it."""
    stale = replace(GOOD, heartbeat_at=1000.0, canary=Canary.ABSENT)
    assert evaluate(stale, fresh(), 1100.0).state is ViewState.BLIND


def test_every_change_of_the_leader_is_read_anew_once() -> None:
    moved = replace(beating(GOOD, 1003.0), leader="10.0.0.3:8300")
    first = evaluate(moved, fresh(), 1003.0)
    assert (first.reread, first.since) == (True, 1000.0)
    same = evaluate(replace(moved, heartbeat_at=1004.0), first, 1004.0)
    assert not same.reread
    back = evaluate(beating(GOOD, 1005.0), same, 1005.0)
    assert back.reread


def test_a_leader_change_during_blindness_is_not_read_twice() -> None:
    lost = evaluate(replace(GOOD, leader=""), fresh(), 1200.0)
    assert lost.state is ViewState.BLIND
    back = evaluate(replace(GOOD, heartbeat_at=1201.0, leader="10.0.0.9:8300"), lost, 1201.0)
    later = evaluate(replace(GOOD, heartbeat_at=1203.0, leader="10.0.0.9:8300"), back, 1203.0)
    assert (back.reread, later.reread) == (True, False)


def test_a_new_leader_after_a_moment_without_one_is_a_change_too() -> None:
    between = evaluate(replace(GOOD, leader=""), fresh(), 1005.0)
    assert between.state is ViewState.FRESH
    assert evaluate(replace(GOOD, leader="10.0.0.2:8300"), between, 1006.0).reread


def test_since_tells_when_the_present_verdict_began() -> None:
    verdict = evaluate(GOOD, fresh(), 1200.0)
    assert evaluate(GOOD, verdict, 1230.0).since == 1200.0


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
