"""What of the copy in Consul is shown as the pool of now, and how old it is said to be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salt_gluster.status.freshness import (
    LIMIT_S,
    LIVE_S,
    PoolCopy,
    StoredPool,
    copy_of,
    dead_bricks,
)

NOW = 1_700_000_000.0
NODES = ("u1", "u2", "u3")


def report(uuid: str, after: Any, peers: tuple[str, ...] = NODES) -> dict[str, Any]:
    rows = [{"uuid": u, "names": [f"host-{u}"]} for u in peers]
    return {"schema": 1, "at": 7.0, "node": f"g{uuid[1:]}", "uuid": uuid, "peers": rows,
            "after": after}  # fmt: skip


def seen(age: float, changed: int = 5, by: str = "m1") -> dict[str, Any]:
    return {"by": by, "at": NOW - age, "changed": changed}


def kept(**more: Any) -> StoredPool:
    told = {
        "now": NOW, "reader": "m1", "leader": "m1", "heartbeat": {"by": "m1", "at": NOW - 4},
        "changed": 5, "status": {"by": "m1", "mode": "open", "nodes": {}},
        "reports": {u: report(u, seen(10.0 * n)) for n, u in enumerate(NODES, 1)},
    }  # fmt: skip
    return StoredPool(**{**told, **more})


def missed(state: str, consul: str = "-") -> dict[str, Any]:
    row = {"name": "g3", "state": state, "since": NOW - 600, "why": "it is silent",
           "witnesses": [{"source": "consul", "says": consul}]}  # fmt: skip
    return {"by": "m1", "mode": "open", "nodes": {"u3": row}}


def copy(**more: Any) -> PoolCopy:
    found = copy_of(kept(**more))
    assert isinstance(found, PoolCopy), found
    return found


def test_the_youngest_report_comes_first_and_each_has_its_age() -> None:
    found = copy()
    assert [r["uuid"] for r in found.reports] == ["u1", "u2", "u3"]
    assert found.ages == {"u1": 10, "u2": 20, "u3": 30}
    assert found.names == {"u1": "g1", "u2": "g2", "u3": "g3"}
    assert (found.silent, found.verdicts) == ({}, {})


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"leader": ""}, "nobody leads"),
        ({"heartbeat": {}}, "m1 leads and has given no sign of life"),
        ({"heartbeat": {"by": "m2", "at": NOW}}, "m1 leads and has given no sign of life"),
        ({"heartbeat": {"by": "m1", "at": NOW - LIVE_S - 5}}, "sign of life of m1 is 35 s off"),
        ({"status": None}, "has told nothing yet"),
        ({"status": {"by": "m2", "mode": "open", "nodes": {}}}, "has told nothing yet"),
        ({"status": {"by": "m1", "mode": "blind", "why": "no heartbeat", "nodes": {}}},
         "m1 leads and is blind: no heartbeat"),
        ({"reports": {}}, "no node's report is younger than 6 min"),
        ({"changed": 6}, "the pool was changed, and g1 has not looked since"),
    ],
)  # fmt: skip
def test_the_nodes_are_asked_where_nobody_keeps_the_copy_or_it_is_from_before_a_change(
    more: dict[str, Any], why: str
) -> None:
    found = copy_of(kept(**more))
    assert isinstance(found, str) and why in found


@pytest.mark.parametrize(
    ("after", "why"),
    [
        (None, "nobody led when it looked"),
        ({"changed": 5}, "nobody led when it looked"),
        (seen(10, by="m2"), "g2 looked when m2 led"),
        (seen(-30), "a clock went back"),
    ],
)
def test_a_report_whose_age_nobody_can_tell_is_not_shown(after: Any, why: str) -> None:
    reports = {**kept().reports, "u2": report("u2", after)}
    found = copy_of(kept(reports=reports))
    assert isinstance(found, str) and why in found


def test_a_member_without_a_report_is_asked() -> None:
    found = copy_of(kept(reports={u: r for u, r in kept().reports.items() if u != "u3"}))
    assert found == "host-u3 has told Consul nothing"


def test_what_is_too_old_or_saw_nothing_is_unknown_and_no_reason_to_ask() -> None:
    deaf = {**report("u2", seen(3)), "peers": {"unknown": "glusterd does not answer"}}
    reports = {**kept().reports, "u2": deaf, "u3": report("u3", seen(LIMIT_S + 500, changed=1))}
    found = copy(reports=reports)
    assert found.ages == {"u1": 10}
    assert found.silent == {"u2": "glusterd does not answer",
                            "u3": "it told last 14 min ago, and should every 5 min"}  # fmt: skip


@pytest.mark.parametrize("state", ["suspect", "down", "gone"])
def test_a_node_that_consul_misses_is_what_the_leader_says_and_nobody_waits_for_it(
    state: str,
) -> None:
    old = {**kept().reports, "u3": report("u3", seen(20, changed=1))}
    for reports in (old, {u: r for u, r in old.items() if u != "u3"}):
        found = copy(status=missed(state), reports=reports)
        assert set(found.ages) == {"u1", "u2"}
        assert found.silent == {"u3": f"{state} for 10 min, says m1: it is silent"}
        assert found.verdicts["u3"] == (state, found.silent["u3"])


def test_on_another_master_the_age_is_counted_by_the_leaders_clock_and_a_little_more() -> None:
    found = copy(reader="m2", now=NOW - 25)
    assert found.ages == {"u1": LIVE_S + 6, "u2": LIVE_S + 16, "u3": LIVE_S + 26}
    assert isinstance(copy_of(kept(reader="m2", now=NOW - 3600)), str)


def test_a_suspect_that_consul_sees_still_tells_how_it_is() -> None:
    found = copy(status=missed("suspect", consul="+"))
    assert set(found.ages) == set(NODES)
    assert found.verdicts["u3"][0] == "suspect"


def test_who_was_taken_out_of_the_pool_does_not_make_a_pool_of_its_own() -> None:
    alone = report("u9", seen(1), peers=("u9",))
    stale = report("u8", None)
    found = copy(reports={**kept().reports, "u9": alone, "u8": stale})
    assert set(found.names) == set(found.ages) == set(NODES)


# --- whatever the clocks say ---------------------------------------------------------------------

AGES = st.integers(0, 2000)


@given(
    looked=st.lists(AGES, min_size=1, max_size=6),
    pulses=st.lists(AGES, min_size=1, max_size=30),
    skew=st.floats(-1e6, 1e6),
    last=st.integers(0, int(LIVE_S)),
    own=st.booleans(),
    node_clock=st.floats(-1e9, 1e9),
)
def test_no_report_is_older_than_it_is_said_to_be_and_none_too_old_counts(
    looked: list[int], pulses: list[int], skew: float, last: int, own: bool,
    node_clock: float,
) -> None:  # fmt: skip
    """Nodes look at any time and have any clock; another master's clock is any as well."""
    written = [*pulses, 2001]  # seconds ago, by the leader's clock
    uuids = tuple(f"u{n}" for n in range(len(looked)))
    reports = {}
    for uuid, ago in zip(uuids, looked, strict=True):
        before = min(p for p in written if p >= ago)  # the last heartbeat before the look
        reports[uuid] = {**report(uuid, seen(before), uuids), "at": node_clock}
    reader = {"reader": "m1", "now": NOW} if own else {"reader": "m2", "now": NOW + skew}
    found = copy_of(kept(reports=reports, heartbeat={"by": "m1", "at": NOW - last}, **reader))
    if isinstance(found, str):
        return
    for uuid, ago in zip(uuids, looked, strict=True):
        assert (uuid in found.ages) != (uuid in found.silent)
        if uuid in found.ages:
            assert ago <= found.ages[uuid] <= LIMIT_S


@given(
    order=st.lists(st.sampled_from(["look", "change"]), min_size=1, max_size=12),
    who=st.lists(st.sampled_from(NODES), min_size=12, max_size=12),
)
def test_who_looked_before_the_last_change_is_never_shown(order: list[str], who: list[str]) -> None:
    index, saw = 0, dict.fromkeys(NODES, 0)
    current: set[str] = set(NODES)
    for event, uuid in zip(order, who, strict=False):
        if event == "change":
            index, current = index + 1, set()
        else:
            saw[uuid] = index
            current.add(uuid)
    reports = {u: report(u, seen(10, changed=saw[u])) for u in NODES}
    found = copy_of(kept(reports=reports, changed=index))
    assert isinstance(found, PoolCopy) == (current == set(NODES))


# --- what the leader knows -----------------------------------------------------------------------


def test_the_bricks_that_the_leader_knows_to_be_dead_are_of_the_copy() -> None:
    rows = {
        "u2:/b": {"state": "down", "why": "it does not serve"},
        "u3:/b:c": {"state": "failed", "why": "its disk is ill"},
        "u1:/b": {"state": "up", "why": ""},
        "u1:/off": {"state": "off", "why": "its volume is not started"},
    }
    told = {"by": "m1", "mode": "open", "nodes": {}, "bricks": rows}
    words = {
        ("u2", "/b"): "down, says m1: it does not serve",
        ("u3", "/b:c"): "failed, says m1: its disk is ill",
    }
    assert copy(status=told).dead == dead_bricks(kept(status=told)) == words
    old = kept(status=told, heartbeat={"by": "m1", "at": NOW - 900})
    assert dead_bricks(old) == {}


def test_the_members_are_what_most_of_the_nodes_tell_and_not_who_tells_most() -> None:
    """One node that tells of 40 others made the nodes be asked for ever."""
    many = report("u1", seen(1), peers=(*NODES, *(f"x{n}" for n in range(40))))
    found = copy(reports={**kept().reports, "u1": many})
    assert set(found.names) == set(NODES)
