"""A node prepares bricks only when it knows the pool's volumes and sees all of their hosts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from salt_gluster.model import Brick, BrickPath, Facet, Observation, Volume
from salt_gluster.plan import plan_own_bricks, plan_own_membership
from salt_gluster.spec import PoolSpec, parse_pool
from tests.unit.plan.test_peer import asked, in_pool, peer, seen

POOL = parse_pool(
    {"nodes": "g[1-4]", "volumes": {"data": {"replica": 2, "accept_risk": ["replica2"]}}}
)
DATA = POOL.volumes["data"]
PATH = POOL.brick_paths("data")[0]
READY = {PATH: BrickPath(PATH, True, True, "/srv")}
#: The pool has the volume already, on two nodes.
LIVE = Volume(
    "data", "id", "Started", "replicate",
    (Brick("g1", PATH, "u-g1"), Brick("g2", PATH, "u-g2")), 1, replica=2,
)  # fmt: skip
ALL = tuple(peer(name) for name in ("g1", "g2", "g3", "g4"))


def waits(obs: Observation, pool: PoolSpec = POOL) -> list[tuple[str, str]]:
    return [(w.node, w.what) for w in plan_own_bricks(DATA, obs, pool).waits]


def test_who_is_no_member_waits_and_does_not_know_what_the_pool_has() -> None:
    obs = replace(seen("g4"), paths=READY)
    assert waits(obs) == [("g1", "has to invite this node into the pool")]


def test_the_first_node_waits_for_a_pool_that_is_there_without_it() -> None:
    """It was installed again, and `nodes` names it first."""
    obs = seen("g1", candidates=asked(in_pool("g2", "g3")))
    assert [w for w, _ in waits(obs)] == ["g2"]
    hosts = tuple(POOL.nodes)
    alone = plan_own_membership(seen("g1"), nodes=hosts, hosts=hosts)
    assert Facet("candidate", "g2") in alone.needs and not alone.waits


@pytest.mark.parametrize("away", ["g2", "g3"])
def test_all_hosts_of_the_volume_have_to_be_members_as_seen_here(away: str) -> None:
    """A create is refused by any that does not know another, after the rest were marked."""
    here = tuple(p for p in ALL if p.name not in (away, "g4"))
    assert (away, "is not in the pool yet") in waits(seen("g4", *here))
    joining = tuple(replace(p, state=4) if p.name == away else p for p in ALL if p.name != "g4")
    assert (away, "is not connected as a member") in waits(seen("g4", *joining))


def test_a_volume_that_another_member_has_is_not_prepared_for_before_it_is_here() -> None:
    """Who was just invited is connected before it has all volumes (facts.md#C-J.2)."""
    others = tuple(p for p in ALL if p.name != "g4")
    fresh = seen("g4", *others)
    assert Facet("definitions", "data") in plan_own_bricks(DATA, fresh, POOL).needs
    told = replace(fresh, definitions={"u-g1": {"data": "digest"}, "u-g2": {}})
    assert waits(told) == [("g1", "has data, which is not known here yet")]
    assert waits(replace(fresh, definitions={"u-g1": {"other": "digest"}})) == []
    here = replace(told, volumes={"data": LIVE})
    assert plan_own_bricks(DATA, here, POOL).is_empty, "it has its bricks, none of them here"
    old = replace(fresh, node=replace(fresh.node, volumes_at_start=("x",)))
    assert Facet("definitions", "data") not in plan_own_bricks(DATA, old, POOL).needs
    imported = plan_own_bricks(DATA, replace(fresh, imported=True), POOL)
    assert Facet("definitions", "data") not in imported.needs
