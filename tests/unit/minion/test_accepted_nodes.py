"""A node that only a glob of `nodes` means: it is told how it is accepted, and changes nothing."""

from __future__ import annotations

import pytest

from salt_gluster.errors import GlusterError, SpecError
from salt_gluster.minion.accepted_nodes import AcceptedNodes
from salt_gluster.minion.context import Minion
from salt_gluster.minion.converge import order
from salt_gluster.model import Plan

VOLUMES = {"data": {"replica": 3}}


def minion(name: str, nodes: object, known: AcceptedNodes) -> Minion:
    """A minion that has asked Consul already."""
    pillar = {"gluster": {"nodes": nodes, "volumes": VOLUMES}}
    return Minion({"id": name}, {}, {"salt_gluster_known": known}, pillar)


def test_an_accepted_node_sees_the_whole_declaration() -> None:
    one = minion("g6", "g*", AcceptedNodes(("g1", "g2", "g6"), note="as of yesterday"))
    assert one.member().nodes == one.candidate().nodes == ("g1", "g2", "g6")
    assert (list(one.declared().volumes), one.waits, one.note) == (["data"], "", "as of yesterday")


@pytest.mark.parametrize("nodes", ["g*", ["g[1-3]", "g*"]])
@pytest.mark.parametrize(
    "known", [AcceptedNodes(), AcceptedNodes(("g2",)), AcceptedNodes(unsure="Consul is silent")]
)
def test_a_node_that_waits_is_told_how_to_be_accepted_and_may_change_nothing(
    nodes: object, known: AcceptedNodes
) -> None:
    one = minion("g6", nodes, known)
    assert one.candidate().nodes[-1] == "g6" and one.declared().volumes == {}
    for act in (one.member, lambda: order(one, lambda obs: Plan("x", ()))):
        with pytest.raises(GlusterError, match=r"approve g6") as caught:
            act()
        assert caught.value.kind == "not_accepted"
        assert (known.unsure or "not accepted") in str(caught.value)


def test_a_named_node_goes_on_without_anybody_accepted_and_not_where_that_is_not_known() -> None:
    assert minion("g1", ["g[1-3]", "g*"], AcceptedNodes()).member().nodes == ("g1", "g2", "g3")
    with pytest.raises(GlusterError, match="lost its memory"):
        minion("g1", ["g[1-3]", "g*"], AcceptedNodes(unsure="it has lost its memory")).member()


def test_who_is_no_node_is_no_candidate_and_too_few_accepted_ones_are_an_error() -> None:
    with pytest.raises(SpecError, match="not one of them"):
        minion("web1", ["g[1-3]", "g*"], AcceptedNodes()).candidate()
    with pytest.raises(SpecError, match=r"as many nodes.*gluster_remediation.proposals"):
        minion("g1", "g*", AcceptedNodes(("g1", "g2")))
