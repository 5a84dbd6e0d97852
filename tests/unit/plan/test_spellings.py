"""Names are not identity: a member is who its uuid says, in whatever spelling it is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from salt_gluster.model import Brick, Candidate, Node, Observation, Peer, Unknown, Volume
from salt_gluster.plan import guards, plan_own_membership, plan_peer, plan_volume, undeclared
from salt_gluster.spec import parse_pool

IPS = {f"g{n}": f"198.18.0.{n}" for n in (1, 2, 3)}
#: As a node finds it: the addresses of each name, and what the pillar says.
SPELLINGS = {**{n: (a,) for n, a in IPS.items()}, **{a: (n,) for n, a in IPS.items()}}


def pool(
    spelled: Mapping[str, str], spellings: Mapping[str, tuple[str, ...]] = SPELLINGS
) -> Observation:
    """Three members with a volume, all of them under these names; seen by g1."""
    peers = tuple(
        Peer(f"u-{name}", ("g1",) if name == "g1" else (word,), True, 3, is_self=name == "g1")
        for name, word in spelled.items()
    )
    bricks = tuple(Brick(word, "/srv/gluster/data/1", f"u-{n}") for n, word in spelled.items())
    volume = Volume("data", "id", "Started", "replicate", bricks, dist_count=1, replica=3)
    node = Node("g1", uuid="u-g1", glusterd_started=0.0, volumes_without_info=(), hold=None)
    return Observation(1e6, node, peers=peers, volumes={"data": volume}, spellings=spellings)


BY_ADDRESS, BY_NAME = pool(IPS), pool({n: n for n in IPS})


@pytest.mark.parametrize("word", ["g2", "G2", "198.18.0.2", "g2.example.com"])
@pytest.mark.parametrize("called", [IPS, {n: n for n in IPS}])
def test_a_member_is_found_by_any_spelling(word: str, called: Mapping[str, str]) -> None:
    obs = pool(called, {**SPELLINGS, "g2.example.com": ("198.18.0.2",)})
    found = obs.peer_named(word)
    assert found is not None and found.uuid == "u-g2"
    assert obs.peer_named("g9") is None


def test_a_name_that_could_be_two_members_is_nobody() -> None:
    both = {**SPELLINGS, "lb": ("198.18.0.2", "198.18.0.3")}
    assert pool(IPS, both).peer_named("lb") is None


@pytest.mark.parametrize("answers", ["itself", "nobody", "another"])
def test_a_wrong_name_is_put_right_or_noted_and_never_invited(answers: str) -> None:
    uuid = {"itself": "u-g2", "nobody": Unknown("no answer"), "another": "strange"}[answers]
    obs = replace(BY_ADDRESS, candidates={"g2": Candidate("g2", uuid, (), ())})
    said = plan_peer("g2", "g2", obs, nodes=list(IPS), hosts=list(IPS))
    steps = [s.text for s in said.steps]
    assert steps == (["give 198.18.0.2 its name g2"] if answers == "itself" else [])
    assert [r.name for r in said.refusals] == (["another_node"] if answers == "another" else [])
    assert any("by another name" in note for note in said.notes) == (answers == "nobody")


@pytest.mark.parametrize(
    ("obs", "addresses"), [(BY_ADDRESS, {}), (BY_ADDRESS, IPS), (BY_NAME, IPS), (BY_NAME, {})]
)
@pytest.mark.parametrize("written", [True, False])
def test_live_bricks_are_the_pool_s_own_in_every_spelling(
    obs: Observation, addresses: Mapping[str, str], written: bool
) -> None:
    bricks = [f"{name}:/srv/gluster/data/1" for name in IPS]
    data = {"replica": 3, **({"bricks": bricks} if written else {})}
    spec = parse_pool({"nodes": list(IPS), "addresses": addresses, "volumes": {"data": data}})
    said = plan_volume(spec.volumes["data"], obs, spec)
    assert (said.steps, said.refusals, said.waits) == ((), (), ())
    hosts = [spec.address(name) for name in spec.nodes]
    assert undeclared(obs, hosts) == ()
    step = plan_volume(parse_pool({"nodes": list(IPS), "addresses": addresses, "volumes": {
        "new": {"replica": 3}}}).volumes["new"], obs, spec).steps[0]  # fmt: skip
    assert guards.right_pool(obs, step, hosts) is None


def test_a_member_that_no_spelling_means_is_undeclared() -> None:
    assert [p.name for p in undeclared(BY_ADDRESS, ["g1", "g2"])] == ["198.18.0.3"]


def test_a_node_whose_own_name_leads_elsewhere_joins_nothing() -> None:
    own = Node("g1", uuid="u-g1", glusterd_started=0.0, volumes_without_info=(), hold=None)
    me = Peer("u-g1", ("g1",), True, 3, is_self=True)
    obs = Observation(1e6, replace(own, strange="10.9.9.9"), (me,), {})
    bare = {n: Candidate(n, f"u-{n}", (), ()) for n in ("g2", "g3")}
    for plan in (
        plan_peer("g2", "g2", replace(obs, candidates=bare), nodes=list(IPS), hosts=list(IPS)),
        plan_own_membership(obs, nodes=list(IPS), hosts=list(IPS)),
    ):
        (refusal,) = [r for r in plan.refusals if r.name == "strange_name"]
        assert "10.9.9.9" in refusal.why and "/etc/hosts of g1" in str(refusal.ways)
        assert "service.restart glusterd" in str(refusal.ways)
    well = replace(obs, node=own, candidates=bare)
    assert plan_peer("g2", "g2", well, nodes=list(IPS), hosts=list(IPS)).refusals == ()
