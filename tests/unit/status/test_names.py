"""A node that calls itself like another one takes no row of it, on no screen."""

from __future__ import annotations

from salt_gluster.model import Node, Observation, Peer, Reach, Unknown
from salt_gluster.status.freshness import PoolCopy, copy_of
from salt_gluster.status.names import distinct
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
