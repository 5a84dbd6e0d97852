"""What a plan of a volume does not believe: a host nobody knows, a start without bricks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from salt_gluster.model import Candidate, Facet, Peer, Unknown
from salt_gluster.plan import plan_started, plan_volume
from tests.unit.plan.test_volume import observed, spec, volume

SETS = [["g1:/b/1", "g9:/b/1"]]
GONE = Unknown("'g9' does not resolve on this node")
SELF = Peer("u9", ("g9",), True, 3, is_self=True)
LONE = Candidate("g9", "u9", (SELF,), ())
ELSEWHERE = Candidate("g9", "u9", (SELF, Peer("x", ("far",), True, 3)), ())
INVITED = Candidate("g9", "u9", (SELF, Peer("u1", ("g1",), True, 3)), ())


@pytest.mark.parametrize(
    ("candidate", "refused"),
    [
        (Candidate("g9", GONE, GONE, GONE, GONE.why), ["host_unknown"]),
        (ELSEWHERE, ["foreign_pool"]),
        (INVITED, []),  # another member is inviting it just now
        (LONE, []),
    ],
)
def test_a_brick_on_a_host_that_cannot_become_a_member_is_refused(
    candidate: Candidate, refused: list[str]
) -> None:
    wanted = spec(SETS, accept_risk=frozenset({"replica2"}))
    asked = plan_volume(wanted, observed())
    assert Facet("candidate", "g9") in asked.needs
    plan = plan_volume(wanted, observed(candidates={"g9": candidate}))
    assert [r.name for r in plan.refusals] == refused
    assert all("`bricks`" in r.why and "g9" in r.why for r in plan.refusals)
    assert [w.node for w in plan.waits] == ["g9"]


def test_a_started_volume_whose_own_brick_has_no_process_is_not_as_declared() -> None:
    live = volume([["g1:/b/1", "g2:/b/1"]])
    fine = plan_started("data", observed(live, dead={"data": ()}), started=True)
    assert (fine.is_empty, fine.needs) == (True, {Facet("dead", "data")})
    obs = observed(live, dead={"data": ("g1:/b/1",)})
    for plan in (
        plan_started("data", obs, started=True),
        plan_volume(spec([["g1:/b/1", "g2:/b/1"]]), obs),
    ):
        assert [r.name for r in plan.refusals] == ["brick_down"]
        assert "g1:/b/1" in plan.refusals[0].why


def test_a_node_without_a_brick_of_the_volume_does_not_look_for_one() -> None:
    live = volume([["g2:/b/1", "g3:/b/1"]])
    assert plan_started("data", observed(live), started=True).needs == frozenset()
    obs = observed(volume([["g1:/b/1", "g2:/b/1"]]))
    blind = replace(obs, node=replace(obs.node, uuid=Unknown("unreadable")))
    assert plan_started("data", blind, started=True).needs == frozenset()
