"""The decision core as tables: every pair handled, the printed pages fresh, the events closed."""

from __future__ import annotations

from dataclasses import fields, replace
from enum import Enum
from typing import Any

import printed
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salt_gluster.errors import SpecError, Unreadable
from salt_gluster.model import Ref
from salt_gluster.remediation import membership, salt_events
from salt_gluster.remediation.membership import (
    Condition,
    ConsulView,
    MembershipUpdate,
    Registered,
    Signal,
    Snapshot,
    ViewTrust,
    published,
    snapshot_from,
    update_membership,
)
from salt_gluster.remediation.operations import (
    ENDED,
    LIFE,
    ExecutionReport,
    Happened,
    Life,
    Operation,
    moved,
    operation_from,
    outcome_from,
)
from salt_gluster.remediation.policy import Mode, Policy, policy_from
from salt_gluster.remediation.progress import TELLS
from salt_gluster.remediation.salt_events import EVENTS, Notice, Severity, UnknownEvent
from salt_gluster.remediation.state_machine import MissingRow, Row, Table

ROWS = [(t, r) for t in printed.TABLES for r in t.rows]


# --- tables --------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", printed.TABLES, ids=lambda t: t.name)
def test_every_pair_is_handled_or_ignored_with_why(table: Table[Any, Any, Any]) -> None:
    assert table.holes() == ()
    assert table.doubles() == ()
    assert [i.events for i in table.ignored if len(i.why) < 8] == []
    assert len({r.id for r in table.rows}) == len(table.rows)


class _Always:
    """A context in which exactly one guard of a table holds."""


@pytest.mark.parametrize(("table", "row"), ROWS, ids=[f"{t.name}-{r.id}" for t, r in ROWS])
def test_each_row_is_taken_in_each_of_its_states(
    table: Table[Any, Any, Any], row: Row[Any, Any]
) -> None:
    """With only its own guard holding, the interpreter takes this row and no other."""
    only = replace(table, claims={name: lambda _, n=name: n == row.guard for name in table.claims})
    for state in row.states:
        turn = only.turn(state, row.event, _Always())
        assert (turn.row, turn.action) == (row.id, row.action)
        assert turn.state is (row.next or state)
        assert turn.why == row.why != ""


@pytest.mark.parametrize("table", printed.TABLES, ids=lambda t: t.name)
def test_with_no_guard_holding_every_pair_still_has_an_answer(table: Table[Any, Any, Any]) -> None:
    none = replace(table, claims=dict.fromkeys(table.claims, lambda _: False))
    for state in table.states:
        for event in table.events:
            turn = none.turn(state, event, None)
            assert turn.why
            assert turn.row != "-" or turn.state is state


def test_a_missing_pair_raises() -> None:
    class Light(Enum):
        RED = "red"

    class Button(Enum):
        PUSH = "push"

    table: Table[Light, Button, None] = Table("light", Light, Button, ())
    assert table.holes() == ("red at push",)
    with pytest.raises(MissingRow, match="red at push"):
        table.turn(Light.RED, Button.PUSH, None)


@pytest.mark.parametrize("name", printed.PAGES)
def test_the_printed_page_is_fresh(name: str) -> None:
    stored = (printed.DOCS / name).read_text(encoding="utf-8")
    assert stored == printed.PAGES[name](), "run: python tests/support/printed.py"


# --- events --------------------------------------------------------------------------------------


def test_every_action_of_a_table_and_every_told_state_is_an_event() -> None:
    silent = {"", "restart_clocks", "accept"}
    subject = {"node": "node", "presence": "node", "brick": "brick", "operation": "remediation",
               "candidate": "node"}  # fmt: skip
    for table, row in ROWS:
        if row.action not in silent:
            assert (subject[table.name], row.action) in EVENTS
    for word in TELLS.values():
        assert ("remediation", word) in EVENTS


def test_every_alarm_has_its_all_clear() -> None:
    cleared = {(e.subject, name) for e in EVENTS.values() for name in e.clears}
    alarms = {k for k, e in EVENTS.items() if e.severity is not Severity.INFO and not e.stays}
    assert alarms <= cleared
    assert cleared <= set(EVENTS)


def test_what_is_not_in_the_table_cannot_be_fired() -> None:
    with pytest.raises(UnknownEvent):
        salt_events.payload("main", Notice("node", "u", "g1", "exploded"), 1, 0.0)
    with pytest.raises(UnknownEvent):
        salt_events.tag("main", "disk", "sda", "down")


@given(st.text(max_size=20), st.sampled_from(sorted(EVENTS)))
def test_a_tag_has_six_parts_whatever_the_name(name: str, key: tuple[str, str]) -> None:
    parts = salt_events.tag("ma/in", key[0], name, key[1]).split("/")
    assert len(parts) == 6
    assert parts[:2] == ["salt", "gluster"]
    assert all(parts)


def test_a_request_carries_nothing_to_obey() -> None:
    data = salt_events.request("main", "op1", "g1.example", 5.0)["data"]
    assert set(data) == {"schema", "id", "class", "cluster", "ts", "operation", "minion"}


def test_an_id_depends_on_the_snapshot_and_on_nothing_that_a_crash_changes() -> None:
    notice = Notice("node", "u1", "g1", "down")
    first = salt_events.payload("main", notice, 7, 100.0, origin="m1")["data"]
    again = salt_events.payload("main", notice, 7, 163.0, origin="m2")["data"]
    later = salt_events.payload("main", notice, 8, 100.0, origin="m1")["data"]
    assert first["id"] == again["id"] != later["id"]


# --- snapshots and membership --------------------------------------------------------------------

T0 = 1_000.0


def view(*uuids: str, fresh: bool = True, since: float = 0.0) -> ConsulView:
    nodes = {u: Registered(u, f"n{u}", f"m{u}", Signal.GOOD) for u in uuids}
    return ConsulView(ViewTrust(fresh, "", since), nodes)


def called(
    before: MembershipUpdate, seen: ConsulView, now: float, crowd: int = 2
) -> MembershipUpdate:
    return update_membership(before.conditions, before.roster, seen, now, settle_s=30, crowd=crowd)


NOBODY = MembershipUpdate({}, {})


def test_nobody_joins_at_the_first_look_and_a_newcomer_does() -> None:
    first = called(NOBODY, view("a", "b"), T0)
    assert (first.roster, first.notices) == ({"a": "na", "b": "nb"}, ())
    after = called(first, view("a", "b", "c"), T0 + 5)
    assert [(n.uuid, n.event) for n in after.notices] == [("c", "joined")]
    assert called(after, view("a", "b", "c"), T0 + 6).roster is after.roster


def test_a_node_that_leaves_is_told_once_after_settling_and_not_after_a_restart() -> None:
    first = called(NOBODY, view("a", "b", "c"), T0)
    gone = called(first, view("a", "b"), T0 + 1)
    assert (gone.notices, set(gone.roster)) == ((), {"a", "b"})
    back = called(gone, view("a", "b", "c"), T0 + 18)
    assert (back.notices, back.roster, back.conditions) == ((), first.roster, {})
    gone = called(back, view("a", "b"), T0 + 20)
    gone = called(gone, view("a", "b"), T0 + 49)
    assert gone.notices == ()
    gone = called(gone, view("a", "b"), T0 + 50)
    assert [(n.uuid, n.name, n.event) for n in gone.notices] == [("c", "nc", "left")]
    assert called(gone, view("a", "b"), T0 + 99).notices == ()
    again = called(gone, view("a", "b", "c"), T0 + 100)
    assert [(n.uuid, n.event) for n in again.notices] == [("c", "joined")]


def test_a_view_that_cannot_be_believed_and_a_crowd_make_nobody_leave() -> None:
    first = called(NOBODY, view("a", "b", "c", "d"), T0)
    blind = called(first, view(fresh=False), T0 + 500)
    assert (blind.roster, blind.notices) == (first.roster, ())
    wiped = called(first, view(), T0 + 1)
    assert called(wiped, view(), T0 + 500).notices == ()


def test_absence_counts_only_while_it_was_seen_without_a_break() -> None:
    gone = called(called(NOBODY, view("a", "b"), T0), view("a"), T0 + 1)
    assert called(gone, view("a", since=T0 + 100), T0 + 110).notices == ()
    assert len(called(gone, view("a", since=T0 + 100), T0 + 130).notices) == 1


def test_a_snapshot_survives_its_store_and_keeps_what_was_due() -> None:
    conditions = {
        Ref("node", "u"): Condition("suspect", 5.0, "g1", (1.0, 2.0), frozenset({"hung"}))
    }
    notice = Notice("node", "u", "g1", "suspect")
    after = published(Snapshot(3), conditions, [notice], "main", 5.0, roster={"u": "g1"})
    assert after.version == 4
    assert snapshot_from(after.to_data(), after.roster_data()) == after
    again = published(Snapshot(3), conditions, [notice], "main", 99.0)
    assert again.outbox[0]["data"]["id"] == after.outbox[0]["data"]["id"]


def test_the_roster_is_written_when_a_node_comes_or_goes_and_else_only_named() -> None:
    first = published(Snapshot(), {}, [], "main", 1.0, roster={"a": "anna"})
    news = [Notice("node", "u", "nu", "suspect")]
    told = published(first, {}, news, "main", 2.0, roster=first.roster)
    assert "anna" not in str(told.to_data())
    assert (told.version, told.roster_digest) == (2, first.roster_digest)
    more = published(told, {}, [], "main", 3.0, roster={"a": "anna", "b": "nb"})
    assert (more.version, more.roster_digest == told.roster_digest) == (3, False)
    lost = snapshot_from(more.to_data())
    assert (lost.version, lost.roster, lost.roster_digest) == (3, {}, "")


def test_nothing_new_writes_nothing() -> None:
    snapshot = Snapshot(3, {Ref("node", "u"): Condition("down", 1.0)})
    assert published(snapshot, dict(snapshot.conditions), [], "main", 9.0) is snapshot


@pytest.mark.parametrize("data", [{}, {"schema": 99}, {"schema": 1, "version": 1}, {"schema": 1}])
def test_a_snapshot_that_cannot_be_read_is_no_empty_one(data: dict[str, Any]) -> None:
    with pytest.raises(Unreadable):
        snapshot_from(data)
    assert membership.snapshot_from(None).version == 0


# --- operations ----------------------------------------------------------------------------------

OP = Operation(
    "i1", "brick_restart", 1, "data", "vid", "g1:/b", "u1", "g1",
    epoch=7, state=Life.INTENT, at=10.0, deadline=130.0, incident=1.0, attempt=1,
)  # fmt: skip


def test_an_operation_and_an_outcome_survive_their_store() -> None:
    told = ExecutionReport("i1", "u1", Life.REFUSED, 3.0, ("not_held: x",))
    assert operation_from(OP.to_data()) == OP
    assert outcome_from(told.to_data()) == told
    with pytest.raises(Unreadable):
        operation_from({**OP.to_data(), "schema": 9})
    with pytest.raises(Unreadable):
        outcome_from({"schema": 1, "id": "i1"})


@given(st.lists(st.sampled_from(Happened), max_size=12))
def test_no_story_leads_from_the_intent_back_or_out_of_an_end(story: list[Happened]) -> None:
    op, ended = OP, None
    order = [Life.INTENT, Life.ISSUED, Life.APPLIED, Life.VERIFYING]
    for event in story:
        before, op = op, moved(op, event, 20.0).operation
        if ended:
            assert op.state is ended
        if before.state in order and op.state in order:
            assert order.index(op.state) >= order.index(before.state)
        ended = op.state if op.state in ENDED else None


def test_what_was_applied_keeps_when_it_was_seen() -> None:
    applied = moved(OP, Happened.TOLD_APPLIED, 50.0).operation
    verifying = moved(applied, Happened.TICK, 60.0).operation
    assert (verifying.state, verifying.applied_at) == (Life.VERIFYING, 50.0)
    assert set(LIFE.states) == set(Life)


# --- policy --------------------------------------------------------------------------------------


def test_every_setting_has_a_unit_and_a_reason() -> None:
    assert [f.name for f in fields(Policy) if not (f.metadata["unit"] and f.metadata["why"])] == []


def test_a_policy_names_the_key_that_is_wrong() -> None:
    assert policy_from({"restart_brick": "observe"}).restart_brick is Mode.OBSERVE
    for bad in ({"restart_brick": "yes"}, {"down_after_s": -1}, {"down_after_s": "soon"},
                {"restart_after_s": []}):  # fmt: skip
        with pytest.raises(SpecError, match=next(iter(bad))):
            policy_from(bad)


def test_a_setting_of_a_newer_version_is_left_out() -> None:
    assert policy_from({"added_later": 1, "zeros": 2}) == Policy(zeros=2)


def test_a_small_pool_may_have_one_node_that_is_not_healthy() -> None:
    assert [Policy().max_unhealthy(n) for n in (1, 3, 4, 8, 300)] == [1, 1, 1, 2, 75]
