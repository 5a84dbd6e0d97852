"""A node with any clock, hours ahead or back, changes nothing but itself: in what the leader reads,
in what it decides, and in what an executor sees.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fleet import CLUSTER, DEAD, GFN1, GFN3, NOW, SEAT, UUIDS, WELL, facts, observation, report_data
from hypothesis import given
from hypothesis import strategies as st

from salt_gluster.consul.cluster_state import ClusterState
from salt_gluster.model import Change, NodeFacts, Unknown
from salt_gluster.remediation.decide import decide
from salt_gluster.remediation.observation import Memory
from salt_gluster.remediation.policy import Policy
from salt_gluster.status.config_versions import commands_since, consensus, reported_config
from salt_gluster.status.look_time import AHEAD_S, NEVER, LeaderTime

POLICY = Policy()
OTHERS = (GFN1, GFN3)
#: Hours ahead or back, and what is just beyond a clock that is right.
CLOCKS = st.one_of(st.floats(-1e6, 1e6), st.sampled_from([3600.0, -3600.0, 6.0, -11.0]))
#: How long ago a node looked, and how long before that the leader's last heartbeat was.
AGES, GAPS = st.floats(0.5, 45.0), st.floats(0.0, 10.0)


def told(uuid: str, age: float, gap: float, skew: float, *, by: str = "m1") -> dict[str, Any]:
    """Return what a node wrote that looked so long ago, with a clock that is wrong by ``skew``."""
    looked = NOW - age + skew
    own = replace(
        facts(uuid, DEAD if uuid == SEAT else WELL), at=looked, glusterd_started=looked - 5000,
        changes=(Change(looked - 900, "volume set rep3 user.x 1", False),),
    )  # fmt: skip
    after = {"by": by, "at": NOW - age - gap, "changed": 0}
    return {**report_data(uuid, own), "at": looked, "after": after}


def read(reports: dict[str, dict[str, Any]], time: LeaderTime | None = None) -> ClusterState:
    state = ClusterState(None, CLUSTER, lambda: time or LeaderTime("m1", NOW, NOW))  # type: ignore[arg-type]
    for index, (uuid, report) in enumerate(reports.items(), 1):
        state.take(uuid, report, index)
    return state


def seen(state: ClusterState) -> Any:
    return observation(facts=state.facts, pool=state.pool(), written=state.written)


@given(skew=CLOCKS, age=AGES, gap=GAPS, wrong=st.sampled_from(OTHERS))
def test_what_is_decided_is_the_same_whatever_the_clock_of_another_node(
    skew: float, age: float, gap: float, wrong: str
) -> None:
    right = {u: told(u, age, gap, 0.0) for u in UUIDS.values()}
    lying = {**right, wrong: told(wrong, age, gap, skew)}
    before, after = (decide(seen(read(r)), POLICY, Memory(epoch=7, mode="open"))
                     for r in (right, lying))  # fmt: skip
    assert [n.event for n in after.notices] == [n.event for n in before.notices]
    assert after.rows == before.rows
    reasons = [[[(r.name) for r in x.reasons] for x in d.refused] for d in (before, after)]
    assert reasons[0] == reasons[1]
    assert (after.asks, after.intents, after.mode) == (before.asks, before.intents, before.mode)


@given(skew=CLOCKS, age=st.floats(0.5, 3000.0), gap=GAPS, asked=st.booleans())
def test_a_report_is_never_younger_than_it_is_and_at_most_a_heartbeat_older(
    skew: float, age: float, gap: float, asked: bool
) -> None:
    report = told(GFN1, age, gap, skew)
    state = read({})
    question = NOW - age - gap / 2 if asked else NEVER
    state.take(GFN1, report, 0 if asked else 1, question)
    looked = state.facts[GFN1].at  # type: ignore[union-attr]
    slack = AHEAD_S if abs(skew) <= age + gap + AHEAD_S else 0.0  # a clock that may be right
    assert looked <= NOW - age + max(slack, age if -gap <= skew <= age + AHEAD_S else 0.0)
    assert looked >= NOW - age - gap - 1e-3


@given(skew=CLOCKS, age=AGES, gap=GAPS)
def test_all_times_of_a_report_move_together(skew: float, age: float, gap: float) -> None:
    state = read({GFN1: told(GFN1, age, gap, skew)})
    own = state.facts[GFN1]
    assert isinstance(own, NodeFacts) and isinstance(own.changes, tuple)
    assert own.at - own.changes[0].at == pytest.approx(900, abs=1e-3)
    assert own.at - own.glusterd_started == pytest.approx(5000, abs=1e-3)  # type: ignore[operator]


@given(skew=CLOCKS, age=AGES, gap=GAPS)
def test_the_configuration_is_what_most_tell_whoever_is_the_youngest(
    skew: float, age: float, gap: float
) -> None:
    right = {u: told(u, age, gap, 0.0) for u in UUIDS.values()}
    lying = {**right, GFN3: told(GFN3, age, gap, skew)}
    found, commands = [], []
    for reports in (right, lying):
        state = read(reports)
        looks = {u: c for u, r in state.reports.items()
                 if (c := reported_config(r, state.facts[u])) is not None}  # fmt: skip
        agreed = consensus(looks, NOW)
        assert not isinstance(agreed, Unknown)
        found.append((agreed.digest, agreed.nodes))
        since = {u: c.own_at - 901 for u, c in looks.items()}  # a moment before the command
        commands.append([g.node for g in commands_since(looks.values(), since, NOW)])
        later = {u: c.own_at - 899 for u, c in looks.items()}
        assert commands_since(looks.values(), later, NOW) == ()
    assert found[0] == found[1]
    assert sorted(commands[0]) == sorted(commands[1]) == sorted(UUIDS.values())


def test_what_looked_under_another_leader_has_no_known_age() -> None:
    """Its clock may be behind by just as much as it is old: an old report would be fresh."""
    state = read({GFN1: told(GFN1, 3600.0, 1.0, 3570.0, by="m0")})
    fresh = seen(state).fresh_facts(GFN1, POLICY)
    assert isinstance(fresh, Unknown) and "how old its report is is not known" in fresh.why


@given(skew=CLOCKS, age=AGES)
def test_an_executor_dates_the_others_by_the_leaders_heartbeat(skew: float, age: float) -> None:
    """Its own clock may be two seconds from the leader's, and another node's any."""
    own_now = NOW + 2
    state = read({GFN1: told(GFN1, age, 0.0, skew)}, LeaderTime("m1", own_now, NOW))
    looked = state.facts[GFN1].at  # type: ignore[union-attr]
    right = 0 <= skew - 2 <= age + AHEAD_S  # within what may be so
    assert looked == pytest.approx(own_now - age, abs=1e-3) or right


def test_a_time_that_fits_is_believed_however_late_the_heartbeat_is() -> None:
    """A change of half a minute ago was dated 8 s later: after its acknowledgement."""
    heartbeat_at = NOW - 8
    for skew, believed in ((0.0, True), (-12.0, True), (-30.0, False), (3600.0, False)):
        state = read(
            {GFN1: told(GFN1, 30.0, 1.0, skew)}, LeaderTime("m1", NOW, heartbeat_at, late_s=20.0)
        )
        looked = state.facts[GFN1].at  # type: ignore[union-attr]
        assert (looked == NOW - 30 + skew) is believed, (skew, looked)


def test_an_answer_is_as_young_as_its_question_whatever_the_clock_was_before() -> None:
    """Set back by an hour: what it answers counts, and is looked at once."""
    state = read({GFN1: told(GFN1, 30.0, 1.0, 3600.0)})
    answer = told(GFN1, 2.0, 1.0, 0.0)
    state.take(GFN1, answer, asked_at=NOW - 3)
    assert state.reports[GFN1] is answer
    assert state.facts[GFN1].at == NOW - 2  # type: ignore[union-attr]
    state.take(GFN1, told(GFN1, 1.0, 0.5, 0.0), 9)
    state.take(GFN1, answer, asked_at=NOW - 3)
    assert state.facts[GFN1].at == NOW - 1  # type: ignore[union-attr]
