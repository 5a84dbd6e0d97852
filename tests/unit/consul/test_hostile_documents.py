"""One bad document is one unknown node: whatever a node writes, the leader, an executor and a
status read the rest as before. Every kind of document that a node may write is tried.
"""

from __future__ import annotations

import lzma
import tracemalloc
from collections.abc import Callable
from typing import Any

import fleet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from spoilt import newer, raw, spoilt

from salt_gluster.consul.client import Entry
from salt_gluster.consul.cluster_snapshot import ClusterSnapshot
from salt_gluster.consul.cluster_state import ClusterState
from salt_gluster.consul.codec import unpack
from salt_gluster.consul.documents import Document, documents, hold_of
from salt_gluster.consul.heartbeat import heartbeat
from salt_gluster.consul.keys import Keys
from salt_gluster.errors import ConsulError, GlusterError
from salt_gluster.model import Unknown, utc_clock
from salt_gluster.remediation.operations import operation_from, outcome_from
from salt_gluster.remediation.policy import policy_from
from salt_gluster.status import pool
from salt_gluster.status.config_versions import consensus, reported_config
from salt_gluster.status.freshness import PoolCopy, StoredPool, copy_of
from salt_gluster.status.look_time import LeaderTime

GOOD, HOSTILE, THIRD = fleet.UUIDS.values()
KEYS = Keys("main")


def report(uuid: str) -> dict[str, Any]:
    data = fleet.report_data(uuid, fleet.facts(uuid))
    del data["facts"]["volumes"]  # as a node writes it: once
    row = {"name": f"{data['node']}:{fleet.PATH}", "online": True, "port": 49152, "free": 1,
           "total": 2, "pending": {"unknown": "its index was not read"}}  # fmt: skip
    reach = {u: {"accepts": True, "max_op_version": 100000} for u in fleet.UUIDS.values()}
    return {**data, "bricks": {"rep3": [row]}, "reach": reach, "hold": {"reason": "x", "by": "y"},
            "after": {"by": "m1", "at": fleet.NOW - 5, "changed": 0}}  # fmt: skip


def entry(key: str, value: bytes, index: int = 7) -> Entry:
    return Entry(key, value, index)


# --- a value -------------------------------------------------------------------------------------

BOMB = b"lzma:" + lzma.compress(b"[" + b"0," * 30_000_000 + b"0]", preset=0)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"[" * 400_000, "broken"),
        (b'{"a":' * 60 + b"1" + b"}" * 60, "deep"),
        (b"parts:20000000:" + b"0" * 64, "broken"),
        (b"lzma:" + lzma.compress(b'"' + b" " * 30_000_000 + b'"'), "without its compression"),
        (BOMB, "without its compression"),
        (b"lzma:" + lzma.compress(b"[" + b"0," * 3_000_000 + b"0]"), "values"),
        (b" " * 600_000, "bytes"),
        (b'{"at": NaN}', "NaN"),
        (b'{"at": ' + b"9" * 5000 + b"}", "broken"),
    ],
    ids=["nested", "deep", "parts", "bomb of a text", "bomb", "many", "long", "nan", "number"],
)
def test_a_value_that_costs_its_reader_is_unreadable_and_cheap(value: bytes, why: str) -> None:
    tracemalloc.start()
    with pytest.raises(ConsulError, match=why) as caught:
        unpack(value)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert caught.value.kind == "unreadable"
    assert most < 120e6


def test_brackets_in_texts_are_no_depth() -> None:
    text = {"commands": ["[" * 100, "{" * 100, "]" * 50]}
    assert unpack(raw(text)) == text


# --- every kind of document, spoilt at random ----------------------------------------------------


class OneAnswer:
    """A Consul that has these entries, whatever is asked."""

    def __init__(self, *entries: Entry) -> None:
        self.entries = entries

    def kv_tree(self, prefix: str, **_: Any) -> list[Entry]:
        return [e for e in self.entries if e.key.startswith(prefix)]

    def txn(self, ops: Any, **_: Any) -> list[Entry]:
        keys = [op["KV"]["Key"] for op in ops]
        return [e for e in self.entries if any(e.key.startswith(key) for key in keys)]

    def kv_get(self, key: str) -> Entry | None:
        return next((e for e in self.entries if e.key == key), None)


def engine_of(*entries: Entry) -> ClusterState:
    consul: Any = OneAnswer(*entries)
    return ClusterState(consul, "main", lambda: LeaderTime("m1", fleet.NOW, fleet.NOW))


def with_reports(hostile: bytes) -> list[Entry]:
    sound = [entry(KEYS.node(u), raw(report(u))) for u in (GOOD, THIRD)]
    return [*sound, entry(KEYS.node(HOSTILE), hostile)]


@given(spoilt(report(HOSTILE)))
def test_the_leader_reads_the_others_whatever_one_node_reports(data: Any) -> None:
    state = engine_of(*with_reports(raw(data)))
    state.collect()
    assert {GOOD, THIRD} <= state.reports.keys()
    assert not isinstance(state.facts[GOOD], Unknown)
    found = state.pool()
    assert not isinstance(found, Unknown)
    state.read_sets_of({HOSTILE})
    looks = {u: reported_config(r, state.facts[u]) for u, r in state.reports.items()}
    consensus({u: c for u, c in looks.items() if c is not None}, fleet.NOW)


@given(spoilt(report(HOSTILE)))
def test_a_status_is_shown_whatever_one_node_reports(data: Any) -> None:
    entries = {e.key: e for e in with_reports(raw(data))}
    reports = ClusterSnapshot(KEYS, entries, True).reports
    assert not isinstance(reports[GOOD], Unknown)
    kept = StoredPool(
        fleet.NOW, "m1", "m1", {"by": "m1", "at": fleet.NOW - 1}, 0,
        {"by": "m1", "mode": "open", "nodes": {}}, reports,
    )  # fmt: skip
    copied = copy_of(kept)
    if isinstance(copied, PoolCopy):
        pool.pool_status(copied.reports, clock=utc_clock, now=copied.now)


@given(spoilt({"schema": 1, "uuid": HOSTILE, "name": "gfn2", "at": 1.0,
               "bricks": {"/b": {"filesystem": "fs", "volume_id": "id"}}}))  # fmt: skip
def test_what_one_node_recorded_of_its_bricks_is_that_nodes_matter(data: Any) -> None:
    sound = {"bricks": {"/b": {"filesystem": "fs", "volume_id": "id"}}}
    state = engine_of(entry(KEYS.identity(GOOD), raw(sound)),
                      entry(KEYS.identity(HOSTILE), raw(data)))  # fmt: skip
    found = state.recorded()
    assert not isinstance(found, Unknown)
    assert (GOOD, "/b") in found


@given(spoilt({"id": "op1", "node": fleet.SEAT, "state": "applied", "at": 1.0, "reasons": [],
               "schema": 1}))  # fmt: skip
def test_an_outcome_that_cannot_be_read_is_none_and_blinds_nobody(data: Any) -> None:
    op = fleet.operation()
    state = engine_of(entry(KEYS.outcome(op.node, op.id), raw(data)))
    found = state.outcomes({op.id: op})
    assert not isinstance(found, Unknown)


READERS: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    "operation": (fleet.operation().to_data(), operation_from),
    "outcome": ({"id": "op1", "node": "u", "state": "applied", "at": 1.0, "reasons": ["x"],
                 "schema": 1}, outcome_from),
    "policy": ({"tick_s": 5.0, "restart_brick": "act", "unhealthy_divisor": 4,
                "restart_after_s": [1.0, 2.0], "accept_node": "propose"}, policy_from),
    "hold": ({"reason": "r", "by": "ann", "since": 1.0, "until": 2.0},
             lambda data: hold_of(raw(data))),
    "heartbeat": ({"by": "m1", "at": 1.0}, lambda data: heartbeat(entry("k", raw(data)))),
    "document": ({"a": {"b": 1}}, lambda data: documents("p/", [entry("p/a", raw(data))])),
}  # fmt: skip


@pytest.mark.parametrize("kind", READERS)
@given(data=st.data())
def test_every_kind_is_read_or_refused_with_a_reason(kind: str, data: st.DataObject) -> None:
    document, read = READERS[kind]
    try:
        read(data.draw(spoilt(document)))
    except GlusterError as err:
        assert err.message


@pytest.mark.parametrize(
    "policy",
    [
        [1], {"tick_s": 0}, {"tick_s": 1e300}, {"tick_s": 10**400}, {"unhealthy_divisor": 0},
        {"unhealthy_divisor": 0.5}, {"restart_after_s": []}, {"restart_after_s": [-1]},
        {"accept_node": "observe"}, {"restart_brick": "act, propose"}, {"restart_brick": ["act"]},
        {"zeros": 0}, {"restart_budget": 10**9},
    ],
)  # fmt: skip
def test_a_policy_has_the_ranges_of_the_pillar_wherever_it_comes_from(policy: Any) -> None:
    with pytest.raises(GlusterError):
        policy_from(policy)


# --- another version of ours ---------------------------------------------------------------------


def test_a_field_more_is_no_trouble_for_engine_executor_and_status() -> None:
    data = newer(report(HOSTILE))
    state = engine_of(*with_reports(raw(data)))
    state.collect()
    assert state.facts[HOSTILE] == fleet.facts(HOSTILE)
    assert set(state.reports) == {GOOD, HOSTILE, THIRD}
    assert operation_from(newer(fleet.operation().to_data())) == fleet.operation()
    reports = ClusterSnapshot(KEYS, {e.key: e for e in with_reports(raw(data))}, True).reports
    assert not any(isinstance(r, Unknown) for r in reports.values())
    assert policy_from({"tick_s": 5.0, "added_later": "x"}).tick_s == 5.0


def test_a_higher_schema_is_one_unknown_node_and_says_so() -> None:
    state = engine_of(*with_reports(raw({**report(HOSTILE), "schema": 2})))
    state.collect()
    why = state.facts[HOSTILE]
    assert isinstance(why, Unknown)
    assert why.why == "its report has schema 2, we know 1"
    assert set(state.reports) == {GOOD, THIRD}


def test_what_a_node_told_before_it_wrote_something_broken_is_not_known_any_more() -> None:
    state = engine_of()
    state.take(HOSTILE, report(HOSTILE), 5)
    assert HOSTILE in state.reports
    state.take(HOSTILE, {**report(HOSTILE), "peers": 5}, 6)
    assert HOSTILE not in state.reports and isinstance(state.facts[HOSTILE], Unknown)


def test_who_writes_as_another_node_writes_nothing() -> None:
    state = engine_of(*with_reports(raw(report(GOOD))))
    state.collect()
    why = state.facts[HOSTILE]
    assert isinstance(why, Unknown)
    assert "says that it is" in why.why


def test_a_document_is_a_mapping() -> None:
    (found,) = documents("p/", [entry("p/a", b"[1]")])
    assert not isinstance(found, Document)


# --- whose word counts ---------------------------------------------------------------------------


def test_a_report_an_hour_ahead_without_volumes_hides_nothing() -> None:
    ahead = {**report(HOSTILE), "at": fleet.NOW + 3600, "volumes": {}}
    state = engine_of(*with_reports(raw(ahead)))
    state.collect()
    found = state.pool()
    assert not isinstance(found, Unknown)
    assert not isinstance(found.volumes, Unknown)
    assert set(found.volumes) == {"rep3"}


def test_a_report_tells_its_definitions_once() -> None:
    """Counted by those of its facts and shown by its others it would hide volumes."""
    two = {**report(HOSTILE), "volumes": {}}
    two["facts"] = {**two["facts"], "volumes": report(HOSTILE)["volumes"]}
    state = engine_of(*with_reports(raw(two)))
    state.collect()
    assert set(state.reports) == {GOOD, THIRD}


def test_what_a_node_wrote_last_counts_also_when_its_clock_was_set_back() -> None:
    state = engine_of()
    state.take(GOOD, {**report(GOOD), "at": fleet.NOW + 3600}, 10)
    state.take(GOOD, {**report(GOOD), "at": fleet.NOW - 4}, 11)
    assert state.reports[GOOD]["at"] == fleet.NOW - 4
    state.take(GOOD, {**report(GOOD), "at": fleet.NOW - 1}, asked_at=fleet.NOW - 2)  # an answer
    state.take(GOOD, {**report(GOOD), "at": fleet.NOW - 3}, 12)  # written before it
    assert state.reports[GOOD]["at"] == fleet.NOW - 1
