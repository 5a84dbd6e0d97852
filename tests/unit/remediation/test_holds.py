"""Holds of nodes: which count, how they end where the node cannot end them, and who is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fleet import GFN2, NOW, UUIDS, facts, observation

from salt_gluster.model import Hold
from salt_gluster.remediation import Memory, Policy, decide
from salt_gluster.remediation.fleet_mode import NODE_HOLDS, hold_of, holds
from salt_gluster.remediation.membership import ConsulView, Registered, Signal, ViewTrust
from salt_gluster.remediation.observation import Acknowledged, FleetObservation

HOLD = Hold("moving the rack", "ann")
STRANGER = "00000000-0000-4000-8000-000000000009"


def seen(uuid: str, told_at: float, serf: Signal, *acknowledged: Acknowledged) -> FleetObservation:
    """Return a pool in which this node has told a hold, and is as Consul says."""
    registered = {u: Registered(u, n, n, serf if u == uuid else Signal.GOOD)
                  for n, u in UUIDS.items()}  # fmt: skip
    reports = {u: facts(u) for u in UUIDS.values()}
    reports[uuid] = replace(facts(uuid), at=told_at, hold=HOLD)
    view = ConsulView(ViewTrust(True), registered)
    return observation(consul=view, facts=reports, acknowledged=acknowledged)


def released(at: float = NOW) -> Acknowledged:
    return Acknowledged(NODE_HOLDS, at)


@pytest.mark.parametrize("serf", list(Signal))
def test_a_hold_that_a_node_has_told_holds_whatever_became_of_the_node(serf: Signal) -> None:
    obs = seen(GFN2, NOW - 60, serf)
    assert "on gfn2" in hold_of(obs)
    assert "by ann: moving the rack" in hold_of(obs)
    assert ("away" in hold_of(obs)) == (serf is not Signal.GOOD)


@pytest.mark.parametrize("told_at", [NOW - 60, NOW + 3600])
@pytest.mark.parametrize("serf", [Signal.BAD, Signal.UNKNOWN])
def test_a_release_ends_the_hold_of_a_node_that_is_away_at_once(
    serf: Signal, told_at: float
) -> None:
    """Also where its clock was ahead when it told it."""
    assert hold_of(seen(GFN2, told_at, serf, released())) == ""


def test_a_release_ends_the_hold_of_a_node_that_is_no_member_any_more() -> None:
    reports = {**{u: facts(u) for u in UUIDS.values()},
               STRANGER: replace(facts(STRANGER), at=NOW - 60, hold=HOLD)}  # fmt: skip
    assert "no member" in hold_of(observation(facts=reports))
    assert hold_of(observation(facts=reports, acknowledged=(released(),))) == ""


def test_a_node_that_is_there_takes_its_own_hold_off_and_nobody_else_does() -> None:
    assert hold_of(seen(GFN2, NOW - 60, Signal.GOOD, released()))


def test_a_node_that_is_back_with_its_hold_file_holds_again() -> None:
    assert hold_of(seen(GFN2, NOW - 5, Signal.GOOD, released(NOW - 60)))
    assert hold_of(seen(GFN2, NOW - 5, Signal.BAD, released(NOW - 60)))


def test_an_acknowledged_node_holds_no_longer_by_what_it_told_before() -> None:
    """For one that is well for Consul, and whose minion answers nobody."""
    assert hold_of(seen(GFN2, NOW - 60, Signal.GOOD, Acknowledged(GFN2, NOW - 10))) == ""
    assert hold_of(seen(GFN2, NOW - 5, Signal.GOOD, Acknowledged(GFN2, NOW - 10)))
    assert hold_of(seen(GFN2, NOW - 60, Signal.GOOD, Acknowledged("another", NOW - 10)))


def test_every_hold_is_named_and_the_mode_says_the_first() -> None:
    obs = replace(seen(GFN2, NOW - 60, Signal.GOOD), hold=Hold("audit", "bob"))
    assert [where for where, _ in holds(obs)] == ["Consul", "gfn2"]
    memory: Any = Memory(epoch=7)
    done = decide(obs, Policy(), memory)
    assert (done.mode.value, done.mode_why) == ("held", "a hold is set by bob: audit")
