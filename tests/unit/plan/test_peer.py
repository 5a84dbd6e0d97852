"""Who is invited into a pool, by whom, and who never is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from salt_gluster.model import (
    Brick,
    Candidate,
    Facet,
    Node,
    Observation,
    Peer,
    Plan,
    Unknown,
    Volume,
)
from salt_gluster.plan import identify, plan_own_membership, plan_peer, plan_peer_absent, undeclared

NODES = ("g1", "g2", "g3", "g4")
SILENT = Unknown("no answer on port 24007")


def peer(name: str, uuid: str = "", **fields: Any) -> Peer:
    made: dict[str, Any] = {"connected": True, "state": 3}
    return Peer(uuid or "u-" + name, (name,), **{**made, **fields})


def seen(own: str, *others: Peer, **more: Any) -> Observation:
    node = Node(own, uuid=f"u-{own}", glusterd_started=0.0, volumes_without_info=(), hold=None)
    made: dict[str, Any] = {"volumes": {}, "peers": (peer(own, is_self=True), *others)}
    return Observation(1e6, node, **{**made, **more})


def bare(name: str, **fields: Any) -> Candidate:
    made: dict[str, Any] = {
        "uuid": "u-" + name, "peers": (peer(name, is_self=True),), "volumes": (),
    }  # fmt: skip
    return Candidate(name, **{**made, **fields})


def asked(*candidates: Candidate) -> dict[str, Candidate]:
    """What every declared node says; those not given are bare."""
    return {**{n: bare(n) for n in NODES}, **{c.name: c for c in candidates}}


def plan(name: str, obs: Observation) -> Plan:
    return plan_peer(name, name, obs, nodes=NODES, hosts=NODES)


def in_pool(name: str, *others: str, **fields: Any) -> Candidate:
    members = (peer(name, is_self=True), *(peer(o) for o in others))
    return bare(name, peers=members, **fields)


# --- beginning a pool ----------------------------------------------------------------------------


def test_only_the_first_of_the_nodes_begins_a_pool() -> None:
    for own in NODES:
        target = "g2" if own == "g1" else "g1"
        said = plan(target, seen(own, candidates=asked()))
        if own == "g1":
            assert [(s.action, s.args["host"]) for s in said.steps] == [("peer_probe", "g2")]
            assert not said.refusals and not said.waits
            assert said.changes == {"g2": {"old": None, "new": "member"}}
        else:
            assert not said.steps and [w.node for w in said.waits] == ["g1"]


def test_the_first_node_is_known_by_its_address_too() -> None:
    obs = seen("minion-1", candidates={})
    obs = replace(obs, node=replace(obs.node, aliases=("G1",)))
    assert plan("g2", obs).steps


def test_a_member_of_a_pool_that_has_begun_may_invite() -> None:
    said = plan("g3", seen("g2", peer("g1"), candidates=asked()))
    assert [s.args["host"] for s in said.steps] == ["g3"] and not said.refusals


def test_nobody_is_invited_before_he_was_asked() -> None:
    said = plan("g2", seen("g1"))
    assert said.needs >= {
        Facet("candidate", "g2"),
        Facet("candidate", "g3"),
        Facet("candidate", "g4"),
    }
    assert [r.name for r in said.refusals] == ["candidate_silent"]


def test_two_halves_never_become_two_pools() -> None:
    """g1 was installed anew under a new name while g3 and g4 are a pool: g2 must not be taken."""
    others = asked(in_pool("g3", "g4"), in_pool("g4", "g3"))
    said = plan("g2", seen("g1", candidates=others))
    assert not said.steps and [w.node for w in said.waits] == ["g3"]


def test_a_first_node_that_comes_last_waits_to_be_invited() -> None:
    said = plan("g2", seen("g1", candidates=asked(in_pool("g2", "g3"))))
    assert not said.steps and not said.refusals and [w.node for w in said.waits] == ["g2"]


# --- who is not invited --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("candidate", "name", "waits"),
    [
        (bare("g2", peers=SILENT, uuid=SILENT, volumes=SILENT), "candidate_silent", True),
        (bare("g2", volumes=SILENT), "candidate_silent", True),
        (bare("g2", volumes=("old",)), "has_volumes", False),
        (in_pool("g2", "stranger"), "foreign_pool", False),
        (bare("g2", uuid="u-g1"), "uuid_clash", False),
        (
            bare("g2", peers=(peer("g2", is_self=True), peer("g1", "u-old"))),
            "reinstalled",
            False,
        ),
    ],
)
def test_a_candidate_with_a_past_is_refused_with_the_reason(
    candidate: Candidate, name: str, waits: bool
) -> None:
    said = plan("g2", seen("g1", candidates=asked(candidate)))
    assert [r.name for r in said.refusals] == [name]
    assert (said.refusals[0].waits_s > 0) is waits
    assert all(r.ways for r in said.refusals)


def test_all_reasons_against_a_candidate_are_told() -> None:
    candidate = in_pool("g2", "stranger", volumes=("old",))
    said = plan("g2", seen("g1", candidates=asked(candidate)))
    assert [r.name for r in said.refusals] == ["foreign_pool", "has_volumes"]


def test_a_peer_detached_while_dead_is_never_probed() -> None:
    """facts.md#G-0.1: gfn3 came back with its old pool and volumes, and a probe took them over."""
    candidate = in_pool("g3", "g1", "g2", volumes=("data", "gone"))
    obs = seen("g1", peer("g2"), candidates=asked(candidate))
    said = plan("g3", obs)
    assert {r.name for r in said.refusals} == {"foreign_pool", "has_volumes"}
    assert min(r.waits_s for r in said.refusals) == 0, "time does not mend it"


def test_a_node_that_another_member_invites_this_moment_is_worth_waiting_for() -> None:
    """g2 looked at the peers, g1 probed g3, then g2 asked g3: it knows the pool, we not yet it."""
    candidate = in_pool("g3", "g1", "g2")
    said = plan("g3", seen("g2", peer("g1"), candidates=asked(candidate)))
    assert all(r.waits_s >= 5 for r in said.refusals) and said.refusals
    joining = plan("g3", seen("g2", peer("g1", state=4), candidates=asked(
        in_pool("g3", "g1", "g2", "g4", volumes=("data",)))))  # fmt: skip
    assert all(r.waits_s >= 5 for r in joining.refusals) and joining.refusals
    stranger = in_pool("g3", "g1", "g2", "stranger")
    said = plan("g3", seen("g2", peer("g1"), candidates=asked(stranger)))
    assert all(r.waits_s == 0 for r in said.refusals) and said.refusals


# --- members -------------------------------------------------------------------------------------


def test_a_member_is_left_alone_whatever_its_name_is_spelled_like() -> None:
    assert plan("G2", seen("g1", peer("g2"))).is_empty
    assert plan("g1", seen("g1")).is_empty


def test_a_rejected_peer_is_refused_and_never_probed() -> None:
    """A probe answers 'already in peer list' and mends nothing (facts.md#G-0.8)."""
    said = plan("g2", seen("g1", peer("g2", state=6), candidates=asked()))
    assert [r.name for r in said.refusals] == ["rejected"] and not said.steps


@pytest.mark.parametrize(
    ("fields", "waits", "notes"),
    [
        ({"connected": False}, 0, 1),
        ({"state": 4}, 1, 0),
        ({"state": 1, "connected": False}, 1, 0),
    ],
)
def test_a_member_that_is_away_is_told_and_one_that_joins_is_waited_for(
    fields: dict[str, Any], waits: int, notes: int
) -> None:
    said = plan("g2", seen("g1", peer("g2", **fields)))
    assert (len(said.waits), len(said.notes), said.steps, said.refusals) == (waits, notes, (), ())


def test_a_member_under_another_name_is_given_this_one() -> None:
    known = peer("198.18.0.2", "u-g2")
    said = plan("g2", seen("g1", known, candidates=asked()))
    assert [s.text for s in said.steps] == ["give 198.18.0.2 its name g2"]
    assert not said.refusals


def test_who_is_not_in_the_pool_waits_for_the_first_node() -> None:
    def waits(obs: Observation) -> list[str]:
        return [w.node for w in plan_own_membership(obs, nodes=NODES, hosts=NODES).waits]

    assert waits(seen("g2")) == ["g1"]
    assert waits(seen("g1")) == [] and waits(seen("g2", peer("g1"))) == []


def test_members_that_are_not_declared_are_told_and_not_detached() -> None:
    assert [p.name for p in undeclared(seen("g1", peer("G2"), peer("x")), NODES)] == ["x"]


@pytest.mark.parametrize(
    ("who", "names"),
    [
        (peer("g2"), []),
        (peer("g2", connected=False), ["peer_away"]),
        (peer("g2", state=6), ["peer_away"]),
    ],
)
def test_a_peer_is_detached_only_while_it_is_there_to_hear_it(who: Peer, names: list[str]) -> None:
    said = plan_peer_absent("g2", seen("g1", who))
    assert [s.action for s in said.steps] == ["peer_detach"]
    assert [r.name for r in said.refusals] == names


@pytest.mark.parametrize(("holder", "names"), [("g2", ["holds_bricks"]), ("g3", [])])
def test_a_node_that_holds_a_brick_is_not_detached(holder: str, names: list[str]) -> None:
    bricks = (Brick("g1", "/b", "u-g1"), Brick(holder, "/b", f"u-{holder}"))
    volume = Volume("data", "id-1", "Stopped", "replicate", bricks, 1, replica=2)
    said = plan_peer_absent("g2", seen("g1", peer("g2"), peer("g3"), volumes={"data": volume}))
    assert [r.name for r in said.refusals] == names


def test_a_node_does_not_detach_itself() -> None:
    assert [r.name for r in plan_peer_absent("g1", seen("g1")).refusals] == ["own_node"]


# --- is this node the one the pool knows? --------------------------------------------------------


@pytest.mark.parametrize(
    ("uuid", "others", "own_peers", "word"),
    [
        (None, {}, (), "fresh"),
        (None, {"g2": bare("g2")}, (), "fresh"),
        ("u-g1", {"g2": in_pool("g2", "g1")}, (), "same"),
        ("u-g1", {}, (peer("g2"),), "same"),
        # Installed again: no uuid yet, or one that glusterd made up when Debian started it.
        (None, {"g2": in_pool("g2", "g1")}, (), "refused"),
        ("u-new", {"g2": in_pool("g2", "g1")}, (), "refused"),
        ("u-new", {"g2": in_pool("g2", "g1")}, (peer("g2"),), "refused"),
        # One voice against it is enough, whoever is asked first.
        (
            "u-g1",
            {"g2": in_pool("g2", "g1"), "g3": bare("g3", peers=(peer("g1", "u-other"),))},
            (),
            "refused",
        ),
        ("u-new", {"g2": bare("g2", peers=SILENT)}, (), "fresh"),
    ],
)
def test_a_node_is_fresh_the_same_or_refused(
    uuid: str | None, others: dict[str, Candidate], own_peers: tuple[Peer, ...], word: str
) -> None:
    said = identify(["G1", "198.18.0.1"], uuid, others, own_peers)
    assert said.word == word
    assert (said.refusal is not None) is (word == "refused")
    assert said.asked == tuple(sorted(h for h, c in others.items() if c.peers is not SILENT))
