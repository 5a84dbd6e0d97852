"""A node that calls itself like another one takes no row of it, on no screen."""

from __future__ import annotations

import pytest

from salt_gluster.errors import SpecError
from salt_gluster.model import Node, NodeFacts, Observation, Peer, Reach, Unknown, known
from salt_gluster.status.freshness import PoolCopy, copy_of
from salt_gluster.status.names import distinct
from salt_gluster.status.quorum import PoolView
from salt_gluster.status.report import observation, own_report
from salt_gluster.status.summary import status_data
from tests.unit.status.test_freshness import kept, report, seen


def test_only_names_that_several_have_get_their_uuid() -> None:
    assert distinct({"u1": "g1", "u2": "g2"}) == {"u1": "g1", "u2": "g2"}
    assert distinct({"u1": "g1", "u2": "g2", "u3": "g2"}) == {
        "u1": "g1", "u2": "g2 (u2)", "u3": "g2 (u3)",
    }  # fmt: skip


def test_each_peer_has_its_row_and_a_dead_one_is_counted() -> None:
    peers = (
        Peer("u1", ("g1",), True, 3, is_self=True),
        Peer("u2", ("g2",), False, 3),
        Peer("u3", ("g2",), True, 3),
    )
    reach = {"u1": Reach(True, 100), "u2": Reach(False, Unknown("x")), "u3": Reach(True, 100)}
    data = status_data(Observation(1.0, Node("g1"), peers, {}, reach=reach))
    rows = {name: row["state"] for name, row in data["nodes"]["members"].items()}
    assert rows == {"g1": "up", "g2 (u2)": "away", "g2 (u3)": "up"}
    assert (data["nodes"]["total"], data["nodes"]["up"], data["exit"]) == (3, 2, 1)
    assert list(data["versions"]["silent"]) == ["g2 (u2)"]


def test_the_copy_has_an_age_for_each() -> None:
    reports = {u: report(u, seen(10.0 * n)) for n, u in enumerate(("u1", "u2", "u3"), 1)}
    reports["u3"]["node"] = "g2"
    found = copy_of(kept(reports=reports))
    assert isinstance(found, PoolCopy)
    assert set(found.names.values()) == {"g1", "g2 (u2)", "g2 (u3)"}


def told_by(uuid: str, name: str, called: dict[str, str]) -> dict[str, object]:
    """What a node reports that calls itself so, and the others by these names."""
    peers = tuple(
        Peer(u, ("localhost" if u == uuid else n,), True, 3, is_self=u == uuid)
        for u, n in called.items()
    )
    obs = Observation(1.0, Node(name, uuid=uuid, hold=None), peers, {})
    return own_report(obs, NONE, {}, "11.1", NodeFacts(1.0))


ADDRESSES = {"u1": "10.0.0.1", "u2": "10.0.0.2", "u3": "10.0.0.3"}
NONE = Unknown("not asked")


def test_each_member_is_called_as_it_calls_itself_and_found_by_both() -> None:
    told = [told_by(f"u{n}", f"g{n}", ADDRESSES) for n in (1, 2)]
    obs = observation(told)
    names = {p.uuid: p.names for p in known(obs.peers)}
    assert names == {"u1": ("g1",), "u2": ("g2", "10.0.0.2"), "u3": ("10.0.0.3",)}
    assert PoolView(obs).member("g2") == PoolView(obs).member("10.0.0.2") == "u2"


def test_the_name_of_another_member_is_nobody_s_to_take() -> None:
    called = {"u1": "g1", "u2": "g2", "u3": "g3"}
    obs = observation([told_by("u1", "g1", called), told_by("u3", "g2", called)])
    assert PoolView(obs).member("g2") == "u2"
    assert {p.uuid: p.name for p in known(obs.peers)}["u3"] == "g3"


def test_a_new_name_that_two_take_is_nobody_s() -> None:
    obs = observation([told_by(f"u{n}", "x" if n > 1 else "g1", ADDRESSES) for n in (1, 2, 3)])
    with pytest.raises(SpecError, match="x is not a member"):
        PoolView(obs).member("x")
