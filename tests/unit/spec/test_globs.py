"""Globs in `nodes`: they stand for the nodes that were accepted, and never take anybody out."""

from __future__ import annotations

from typing import Any

import pytest

from salt_gluster.errors import SpecError
from salt_gluster.master.deploy.credentials import first_of, pool_of, voters
from salt_gluster.spec import PoolSpec, parse_nodes, parse_pool
from salt_gluster.spec.names import matches

KNOWN = ("g10", "g2", "g1", "h1", "arb1")


def pool(nodes: Any, known: tuple[str, ...] = KNOWN, **more: Any) -> PoolSpec:
    return parse_pool({"nodes": nodes, **more}, known=known)


@pytest.mark.parametrize(
    ("nodes", "meant"),
    [
        ("g*", ["g1", "g2", "g10"]),
        ("g?", ["g1", "g2"]),
        (["g[3-4]", "g*"], ["g3", "g4", "g1", "g2", "g10"]),
        (["g*", "g1"], ["g1", "g2", "g10"]),  # written out, and matched as well
        ("[g,h]*", None),
        ("?[1-2]", ["g1", "h1", "g2"]),
        (["g1", "x*"], ["g1"]),
    ],
)
def test_a_glob_stands_for_the_accepted_names_in_their_natural_order(
    nodes: Any, meant: list[str] | None
) -> None:
    if meant is None:
        with pytest.raises(SpecError, match="no range"):
            pool(nodes)
        return
    assert list(pool(nodes).nodes) == meant


def test_names_that_are_written_are_nodes_whoever_was_accepted() -> None:
    assert pool(["g1", "g*"], known=()).nodes == ("g1",)
    assert pool("g[1-2]", known=KNOWN).nodes == ("g1", "g2")


def test_a_glob_does_not_match_more_than_it_says() -> None:
    assert matches("g*.lan", "g1.lan") and not matches("g*.lan", "g1xlan")
    assert not matches("g?", "G1") and not matches("g", "g1")


def test_a_pool_of_globs_alone_with_nobody_accepted_says_what_to_do() -> None:
    with pytest.raises(SpecError, match="no node of that name is accepted yet") as caught:
        pool(["g*", "h*"], known=("x1",))
    assert "gluster_remediation.proposals" in caught.value.hint


def test_zones_addresses_and_volumes_may_name_nodes_that_are_not_accepted_yet() -> None:
    spec = pool(
        "g*",
        known=("g1", "g2"),
        zones={"r1": "g[1,3]", "r2": "g*2"},
        addresses={"g3": "10.0.0.3", "g2": "10.0.0.2"},
        volumes={"v": {"only": ["g1", "g9"], "except": "g7*"}, "w": {"only": "r*"}},
    )
    assert dict(spec.zones) == {"g1": "r1", "g2": "r2"}
    assert dict(spec.addresses) == {"g2": "10.0.0.2"}
    assert (spec.volumes["v"].only, spec.volumes["v"].except_) == (("g1",), ())
    assert spec.volumes["w"].only == ("g1", "g2")
    with pytest.raises(SpecError, match="not one of"):
        pool("g*", addresses={"x3": "10.0.0.3"})


@pytest.mark.parametrize(
    "more",
    [
        {"arbiters": "arb*"},
        {"volumes": {"v": {"only": "s*"}}},
        {"volumes": {"v": {"mount": {"at": "/v", "nodes": "s*"}}}},
        {"volumes": {"v": {"replica": 3}}},
    ],
)
def test_what_would_mean_everybody_or_too_few_is_an_error_until_somebody_is_accepted(
    more: dict[str, Any],
) -> None:
    with pytest.raises(SpecError) as caught:
        pool(["g*", "arb*"], known=("g1", "g2"), **more)
    assert "gluster_remediation.proposals" in caught.value.hint


def test_who_is_in_is_known_before_there_are_enough_for_the_volumes() -> None:
    said = {"nodes": "g*", "cluster": "p", "volumes": {"v": {"replica": 3}}, "brick_root": 7}
    who = parse_nodes(said, known=("g1",))
    assert (who.nodes, who.cluster, who.volumes) == (("g1",), "p", {})
    assert who.awaits("g2") and not who.awaits("g1") and not who.awaits("x2")
    assert parse_pool({"nodes": "g1"}).digest() == parse_pool({"nodes": ["g1", "x*"]}).digest()


# --- on the master -------------------------------------------------------------------------------


def told(nodes: Any) -> PoolSpec:
    found = pool_of({"gluster": {"nodes": nodes}}, lambda: ["web1", "g3", "g1", "g_9", "g2"])
    assert found is not None
    return found


def test_on_the_master_a_glob_means_every_minion_whose_key_is_accepted() -> None:
    assert told("g*").nodes == ("g1", "g2", "g3")
    assert told(["g2", "g*"]).nodes == ("g2", "g1", "g3")


def test_servers_are_named_or_accepted_nodes_and_at_first_whoever_is_there() -> None:
    assert voters(told("g*")).nodes == ("g1", "g2", "g3")
    assert voters(told("g*"), ["g3", "x9"]).nodes == ("g3",)
    assert voters(told(["g2", "g*"])).nodes == ("g2",)
    assert voters(told(["g2", "g*"]), ["g3"]).nodes == ("g2", "g3")


def test_a_named_node_opens_the_pool_in_consul_else_the_first_minion() -> None:
    assert (first_of(told(["g*", "g2"])), first_of(told("g*"))) == ("g2", "g1")
