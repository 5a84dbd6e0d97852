"""What a volume's plan says of nodes that are no members: waited for, or refused at once."""

from __future__ import annotations

from typing import Any

import pytest

from salt_gluster.model import Candidate, Facet, Observation, Plan, Volume
from salt_gluster.plan import plan_own_membership, plan_peer, plan_volume, with_membership
from salt_gluster.spec import BrickSpec, PoolSpec, VolumeSpec
from tests.unit.plan.test_peer import NODES, SILENT, asked, bare, in_pool, peer, seen

POOL = PoolSpec(NODES)
#: On every one of the declared nodes.
DATA = VolumeSpec("data", replica=4, bricks=tuple(BrickSpec(n, "/b") for n in NODES))
MEMBERS = (peer("g1"), peer("g3"))


def planned(obs: Observation, **how: Any) -> Plan:
    given = {"spec": DATA, "pool": POOL, "hosts": NODES, **how}
    plan = plan_volume(given["spec"], obs, given["pool"])
    return with_membership(plan, obs, given["pool"], given["hosts"])


def test_a_declared_node_that_is_no_member_yet_is_waited_for() -> None:
    plan = planned(seen("g2", *MEMBERS))
    assert [(w.node, w.what) for w in plan.waits] == [("g4", "is not in the pool yet")]
    assert plan.waits[0].ways == ("invite it      salt g1 state.apply gluster",)
    assert plan.waits[0].shown_by == Facet("candidate", "g4") and not plan.refusals
    bare_one = seen("g2", *MEMBERS, candidates=asked())
    assert not planned(bare_one).refusals, "nothing speaks against it"


@pytest.mark.parametrize(
    ("candidate", "name", "at_once"),
    [
        (in_pool("g4", "stranger"), "foreign_pool", True),
        (bare("g4", volumes=("old",)), "has_volumes", True),
        (bare("g4", uuid="u-g2"), "uuid_clash", True),
        (bare("g4", uuid=SILENT), "candidate_silent", False),
    ],
)
def test_a_volume_does_not_wait_for_a_node_that_is_refused(
    candidate: Candidate, name: str, at_once: bool
) -> None:
    plan = planned(seen("g2", *MEMBERS, candidates=asked(candidate)))
    assert name in [r.name for r in plan.refusals]
    for refusal in plan.refusals:
        assert refusal.everywhere and refusal.why.startswith("g4 is no member, and is not invited")
    assert (min(r.waits_s for r in plan.refusals) == 0) is at_once


def test_a_host_that_no_declaration_names_is_never_a_member() -> None:
    far = VolumeSpec("data", replica=2, bricks=(BrickSpec("g1", "/b"), BrickSpec("g9", "/b")))
    obs = seen("g2", *MEMBERS)
    plan = planned(obs, spec=far, pool=None)
    assert [r.name for r in plan.refusals] == ["not_declared"]
    assert "g9" in plan.refusals[0].why and plan.refusals[0].everywhere
    assert [r.name for r in planned(obs, spec=far, pool=None, hosts=()).refusals] == []
    assert [r.name for r in planned(obs, spec=far, pool=None, hosts=("G1", "G9")).refusals] == []


def test_who_is_alone_waits_for_its_invitation_and_says_why_it_does_not_come() -> None:
    plan = planned(seen("g2"))
    assert [w.node for w in plan.waits] == ["g1"], "the others are not its business"
    assert [(w.why, w.shown_by) for w in plan.waits] == [("", Facet("candidate", "g1"))]
    for candidate, why in (
        (bare("g1", uuid=SILENT), "no answer on port 24007"),
        (bare("g1"), "is in no pool yet"),
        (in_pool("g1", "g3"), "in a pool with g3"),
    ):
        obs = seen("g2", candidates=asked(candidate))
        waits = [*planned(obs).waits, *plan_peer("g3", "g3", obs, nodes=NODES, hosts=NODES).waits]
        assert len(waits) == 2 and all(why in w.why for w in waits), waits
    forecast = Candidate("g1", "new-g1", (), (), is_forecast=True)
    assert planned(seen("g2", candidates={"g1": forecast})).waits[0].why == ""


def test_a_node_with_volumes_of_its_own_does_not_wait_to_be_invited() -> None:
    old = Volume("old", "id", "Started", "distribute", (), 1, 1)
    obs = seen("g2", volumes={"old": old})
    for plan in (planned(obs), plan_own_membership(obs, nodes=NODES, hosts=NODES)):
        assert [(r.name, r.everywhere) for r in plan.refusals] == [("has_volumes", True)]
        assert not plan.waits and "old" in plan.refusals[0].why


def test_what_is_as_declared_is_left_alone() -> None:
    assert with_membership(Plan("data"), seen("g2"), POOL, NODES).is_empty
