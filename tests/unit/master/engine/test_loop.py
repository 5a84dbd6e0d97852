"""The pure parts of the engine on a master: rows to a view, whom to ask, what answers say."""

from __future__ import annotations

from typing import Any

import pytest

from salt_gluster.consul.catalog import catalog, consul_view, critical_checks, hinted
from salt_gluster.master.engine.probe import ProbeRequest, probe_request, probe_results, still_so
from salt_gluster.master.engine.status_document import is_news
from salt_gluster.model import (
    Brick,
    BrickFacts,
    Node,
    NodeFacts,
    Observation,
    Peer,
    Unknown,
    Volume,
)
from salt_gluster.remediation.decide import Asks
from salt_gluster.remediation.membership import ConsulView, Registered, Signal, ViewTrust
from salt_gluster.status.facts import facts_data

# --- Consul's rows -------------------------------------------------------------------------------


def row(uuid: str, node: str, cluster: str = "main", minion: str = "") -> dict[str, Any]:
    return {
        "Node": node, "Address": "198.18.0.1",
        "ServiceMeta": {"cluster": cluster, "peer_uuid": uuid, "minion_id": minion, "zone": "z"},
    }  # fmt: skip


def check(node: str, name: str, service: str = "") -> dict[str, Any]:
    return {"Node": node, "CheckID": name, "ServiceName": service, "Status": "critical"}


def test_only_serf_health_is_a_verdict_and_service_checks_are_hints() -> None:
    who = catalog([row("u1", "n1", minion="g1"), row("u2", "n2"), row("u3", "n3")], "main")
    what = critical_checks(
        [check("n1", "serfHealth"), check("n2", "gluster:bricks", "gluster"),
         {**check("n3", "_node_maintenance"), "Notes": "ram (ann)"}, check("n2", "other", "web")]
    )  # fmt: skip
    view = consul_view(who, what, ViewTrust(True), 7)
    assert [view.signal(u) for u in ("u1", "u2", "u3")] == [Signal.BAD, Signal.GOOD, Signal.GOOD]
    assert (view.registered["u3"].maintenance, view.registered["u3"].held_for) == (
        True,
        "ram (ann)",
    )
    assert (view.registered["u1"].minion, view.registered["u2"].minion) == ("g1", "n2")
    assert hinted(who, what) == {"u2"}


def test_members_of_other_pools_and_rows_without_identity_are_nobody() -> None:
    who = catalog([row("u1", "n1"), row("u2", "n2", "other"), row("", "n3")], "main")
    assert [uuid for uuid, *_ in who.nodes] == ["u1"]


@pytest.mark.parametrize("order", [1, -1])
def test_a_renamed_node_is_alive_by_its_living_name(order: int) -> None:
    rows = [row("u1", "old"), row("u1", "new")][::order]
    view = consul_view(
        catalog(rows, "main"), critical_checks([check("old", "serfHealth")]), ViewTrust(True), 1
    )
    assert view.signal("u1") is Signal.GOOD
    assert view.registered["u1"].name == "new"


@pytest.mark.parametrize("other", ["a-first", "z-last"])
def test_a_second_row_lifts_no_maintenance(other: str) -> None:
    """With its own token a node registered a row with another's uuid; its brick was started."""
    rows = [row("u1", "n1", minion="g1"), row("u1", other, minion="g1")]
    held = {**check("n1", "_service_maintenance:gluster"), "Notes": "ram (ann)"}
    view = consul_view(catalog(rows, "main"), critical_checks([held]), ViewTrust(True), 1)
    assert (view.registered["u1"].maintenance, view.registered["u1"].held_for) == (
        True,
        "ram (ann)",
    )


def test_a_view_that_may_not_be_believed_says_unknown() -> None:
    who = catalog([row("u1", "n1")], "main")
    view = consul_view(
        who, critical_checks([check("n1", "serfHealth")]), ViewTrust(False, "no beat"), 1
    )
    assert view.signal("u1") is Signal.UNKNOWN


# --- asking --------------------------------------------------------------------------------------

NODES = [f"u{n}" for n in range(1, 9)]


def view_of(bad: str = "") -> ConsulView:
    rows = {
        u: Registered(u, u, f"minion-{u}", Signal.BAD if u == bad else Signal.GOOD) for u in NODES
    }
    return ConsulView(ViewTrust(True), rows)


def pool_of() -> Observation:
    bricks = tuple(Brick(f"h-{u}", f"/b/{u}", u) for u in NODES[:6])
    volume = Volume("data", "id-data", "Started", "replicate", bricks, 2, replica=3)
    peers = tuple(Peer(u, (u,), True, 3) for u in NODES)
    return Observation(1.0, Node("m"), peers=peers, volumes={"data": volume})


def facts(port: int | None = 49152) -> NodeFacts:
    return NodeFacts(
        1.0, 0.0, True, 100300, (), {}, {"u2": False},
        {"/b/u1": BrickFacts(port is not None, port)},
    )  # fmt: skip


def test_the_set_of_a_hurt_node_is_asked_and_two_of_it_are_witnesses() -> None:
    one = frozenset({"u1"})
    asked = probe_request(Asks(one, one, one), view_of("u1"), pool_of(), {"u1": facts()})
    assert set(asked.minions) >= {"u1", "u2", "u3"}
    assert len(asked.minions) <= 5
    assert asked.minions["u2"] == "minion-u2"
    assert asked.ports == (("u1", "/b/u1", "h-u1", 49152),)


def test_whom_consul_misses_is_waited_for_only_a_moment() -> None:
    one = frozenset({"u1"})
    asked = probe_request(Asks(one, one, one), view_of("u1"), pool_of(), {"u1": facts()})
    others = set(asked.minions.values()) - {"minion-u1"}
    assert asked.is_over(asked.minions.values(), 0.1)
    assert not asked.is_over(others, 2.0)
    assert asked.is_over(others, 3.0)
    assert not asked.is_over(others - {"minion-u2"}, 14.0)
    assert asked.is_over((), 15.0)


def test_a_node_without_bricks_still_has_witnesses_and_an_unknown_port_is_not_asked() -> None:
    asks = Asks(frozenset({"u8"}), frozenset({"u8"}), frozenset())
    asked = probe_request(asks, view_of("u8"), pool_of(), {})
    assert len(set(asked.minions) - {"u8"}) >= 2
    assert asked.ports == ()


def test_silence_an_error_text_and_an_old_version_are_not_answers() -> None:
    asked = ProbeRequest({"u1": "m1", "u2": "m2", "u3": "m3", "u4": "m4"}, (("u1", "/b", "h", 1),))
    good = {"report": {"facts": facts_data(facts())}, "ports": [["u1", "/b", True]], "at": 100.5}
    told = {"m1": good, "m2": "'gluster_remediation' is not available.", "m3": {"at": 1.0}}
    said = probe_results(asked, told, 100.0, 101.0)
    assert said.answered == {"u1": True, "u2": False, "u3": False, "u4": False}
    assert said.ports == {("u1", "/b"): {"u1": True}}
    assert said.peers == {"u1": {"u2": False}}
    assert set(said.reports) == {"u1"}


@pytest.mark.parametrize(("at", "skew"), [(100.5, 0.0), (130.0, 29.0), (90.0, -10.0)])
def test_a_clock_is_measured_beyond_the_round_trip_only(at: float, skew: float) -> None:
    asked = ProbeRequest({"u1": "m1"}, ())
    said = probe_results(asked, {"m1": {"report": {}, "at": at}}, 100.0, 101.0)
    assert said.skews == {"u1": skew}


def test_a_node_that_tells_no_time_has_an_unknown_clock() -> None:
    said = probe_results(ProbeRequest({"u1": "m1"}, ()), {"m1": {"report": {}}}, 100.0, 101.0)
    assert isinstance(said.skews["u1"], Unknown)


def test_a_brick_that_has_another_port_by_now_is_not_judged_by_the_old_one() -> None:
    asked = ProbeRequest({"u2": "m2"}, (("u1", "/b/u1", "h", 49152),))
    told = {"m2": {"report": {}, "ports": [["u1", "/b/u1", False]]}}
    said = probe_results(asked, told, 1.0, 2.0)
    dead, same, moved = facts(None), facts(49152), facts(49160)
    assert still_so(said, {"u1": dead}) == still_so(said, {"u1": same}) == said.ports
    assert still_so(said, {}) == said.ports
    assert still_so(said, {"u1": moved}) == {}


def test_a_brick_that_accepted_and_whose_process_has_ended_since_is_not_seen_alive() -> None:
    asked = ProbeRequest({"u2": "m2"}, (("u1", "/b/u1", "h", 49152),))
    told = {"m2": {"report": {}, "ports": [["u1", "/b/u1", True]]}}
    said = probe_results(asked, told, 1.0, 2.0)
    bricks = {"/b/u1": BrickFacts(alive=False, port=None)}
    # Asked at 1 and answered at 2: it may have accepted before the node wrote at 1.1 that it ended.
    assert still_so(said, {"u1": NodeFacts(1.1, bricks=bricks)}) == {}
    assert still_so(said, {"u1": NodeFacts(0.9, bricks=bricks)}) == said.ports
    told["m2"]["ports"] = [["u1", "/b/u1", False]]
    refused = probe_results(asked, told, 1.0, 2.0)
    assert still_so(refused, {"u1": NodeFacts(2.1, bricks=bricks)}) == refused.ports


def test_a_port_that_nobody_could_ask_is_unknown() -> None:
    asked = ProbeRequest({"u1": "m1"}, (("u2", "/b", "h", 1),))
    said = probe_results(asked, {"m1": {"report": {}, "ports": [["u2", "/b", None]]}}, 1.0, 2.0)
    assert isinstance(said.ports["u2", "/b"]["u1"], Unknown)


# --- what is told --------------------------------------------------------------------------------


def test_time_alone_is_no_news() -> None:
    assert is_news(None, {"at": 1.0})
    assert not is_news({"at": 1.0, "mode": "open"}, {"at": 2.0, "mode": "open"})
    assert is_news({"at": 1.0, "mode": "open"}, {"at": 1.0, "mode": "held"})
