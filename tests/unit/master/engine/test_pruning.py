"""What is taken away in Consul, and what stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import fleet
import pytest
from fake_consul import FakeConsul

from salt_gluster.consul.client import check_absent_op
from salt_gluster.consul.keys import Keys
from salt_gluster.consul.led_time import DAY_S, LedTime, read_led_time
from salt_gluster.consul.store import Store
from salt_gluster.errors import ConsulError
from salt_gluster.master.engine import pruning
from salt_gluster.master.engine.pruning import STAYS, TABLE, Pruning
from salt_gluster.model import NOT_ASKED, Unknown
from salt_gluster.remediation.fleet_mode import NODE_HOLDS
from salt_gluster.remediation.operations import REJECTED_BY, ExecutionReport, Life


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    for prefix, kept in TABLE.items():
        if kept.number == 200:
            monkeypatch.setitem(TABLE, prefix, replace(kept, number=2))
    return Store(FakeConsul().client(), "main")


def test_an_outcome_never_outlives_its_operation(store: Store) -> None:
    """The same incident gets the same id again, and would be taken for done."""
    op = fleet.operation()
    store.write(store.keys.operation(op.id), op.to_data())
    for name in (op.id, "forgotten"):
        store.write(store.keys.outcome(op.node, name), {"schema": 1})
    pruning.prune(store, LedTime(), 0)
    assert store.names(store.keys.outcomes) == [f"{op.node}/{op.id}"]


def outcome(store: Store, node: str, name: str) -> None:
    done = ExecutionReport(name, node, Life.ISSUED, 1.0)
    store.write_outcome(node, name, done.to_data())


def test_an_outcome_below_another_nodes_name_is_no_outcome(store: Store) -> None:
    op = fleet.operation()
    store.write(store.keys.operation(op.id), op.to_data())
    for node in (op.node, fleet.GFN3):
        outcome(store, node, op.id)
    pruning.prune(store, LedTime(), 0)
    assert store.names(store.keys.outcomes) == [f"{op.node}/{op.id}"]


@pytest.mark.parametrize("length", [1, 200, 20_000], ids=["short", "long", "endless"])
def test_a_node_that_writes_outcomes_without_end_loses_them_and_no_other_node_does(
    store: Store, length: int
) -> None:
    """At one stroke: 60 in a transaction would keep the leader busy as long as the node likes."""
    op = fleet.operation(state=Life.INTENT)
    other = fleet.operation(id="op-of-another", node=fleet.GFN3, state=Life.DONE)
    for known in (op, other):
        store.write(store.keys.operation(known.id), known.to_data())
        outcome(store, known.node, known.id)
    store._client.kv_put(store.keys.operation("unread"), "{broken")
    for number in range(900):
        name = f"x{number}" + "y" * length
        store._client.kv_put(f"{store.keys.outcomes}{op.node}/{name}", "{}")
    fake = store._client.transport._consul  # type: ignore[attr-defined]
    fake.requests.clear()
    pruning.prune(store, LedTime(), 0)
    assert sorted(store.names(store.keys.outcomes)) == sorted(
        [f"{op.node}/{op.id}", f"{other.node}/{other.id}"]
    )
    kept = store.outcome(op.node, op.id)
    assert kept is not None and kept.data["state"] == "issued"
    assert sum("txn" in request for request in fake.requests) < 8


def test_who_leads_no_more_clears_nothing(store: Store) -> None:
    for number in range(500):
        store._client.kv_put(f"{store.keys.outcomes}u1/x{number}", "{}")
    gone = lambda: [check_absent_op(store.keys.outcome("u1", "x1"))]  # noqa: E731
    with pytest.raises(ConsulError):
        pruning.prune(store, LedTime(), 0, gone)
    assert len(store.names(store.keys.outcomes)) == 500


def test_closed_proposals_and_acknowledgements_are_kept_by_number(store: Store) -> None:
    for number in range(5):
        closed = fleet.operation(id=f"p{number}", state=Life.CLOSED)
        store.propose(closed.id, closed.to_data())
        store.acknowledge(f"op{number}", "ann")
    waiting = fleet.operation(id="waits", state=Life.WAITING)
    store.propose(waiting.id, waiting.to_data())
    for number in range(5, 8):
        closed = fleet.operation(id=f"p{number}", state=Life.CLOSED)
        store.propose(closed.id, closed.to_data())
    pruning.prune(store, LedTime(), 0)
    assert sorted(store.names(store.keys.proposal(""))) == ["p6", "p7", "waits"]
    assert sorted(store.names(store.keys.acknowledged(""))) == ["op3", "op4"]


# --- by age --------------------------------------------------------------------------------------


class Leader:
    """Prunes once a day that it leads; days on which nobody leads leave no trace."""

    def __init__(self, store: Store) -> None:
        self.store, self.now = store, 1000.0
        self.present: frozenset[str] | Unknown = frozenset(fleet.UUIDS.values())
        self.guard: Callable[[], list[object]] = list
        self.pruning = Pruning(store, lambda: self.guard(), lambda: self.now)  # type: ignore[arg-type]
        self.epoch = 1

    def leads(self, days: float, step: float = 1.0) -> None:
        end = self.now + days * DAY_S
        while self.now < end:
            self.now += step * DAY_S
            self.pruning.prune(self.epoch, 0, step * DAY_S)
            self.pruning.present = self.present  # as the tick sees it that follows

    def names(self, prefix: str) -> list[str]:
        return sorted(self.store.names(self.store.keys.root + prefix))


@pytest.fixture
def leader() -> Leader:
    return Leader(Store(FakeConsul().client(), "main"))


def a_week_of(store: Store, week: int) -> None:
    """Write ten of each kind that automation, operators and nodes may write in a week."""
    keys = store.keys
    for number in range(10):
        name, node = f"x{week:04}-{number}", f"u{week:04}-{number}"
        done = fleet.operation(id=name, state=Life.DONE)
        store.write(keys.operation(name), done.to_data())
        outcome(store, done.node, name)
        closed = fleet.operation(id=f"p{name}", state=Life.CLOSED)
        store.propose(closed.id, closed.to_data())
        no = replace(closed, id=f"no{name}", evidence={REJECTED_BY: "ann"})
        store.propose(no.id, no.to_data())
        store.acknowledge(name, "ann")
        store.write(keys.version(10 * week + number + 1), {"schema": 1})
        store.write(f"{keys.members}/{name}", {"schema": 1})
        store.audit("20991231T000000Z", name, {"week": week})
        for key in (keys.node(node), keys.answer(node), keys.identity(node),
                    keys.submitted(node), keys.change_of(node)):  # fmt: skip
            store.write(key, {"schema": 1})
    store.write(keys.members, {"schema": 1, "roster": f"x{week:04}-9"})


#: What may stand there at most: of what stays for 30 days what is written in six weeks.
_WEEKS = 10 * 6
MOST = {
    "operations/": 200, "outcomes/": _WEEKS, "proposals/": 200 + _WEEKS,
    "acknowledged/": 200 + _WEEKS, "config/v/": 50, "members/": 10 * 2, "audit/": 200,
    "nodes/": 2 * _WEEKS, "identity/": _WEEKS, "submitted/": _WEEKS, "changed/": _WEEKS, "led": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def after_two_years() -> Leader:
    led = Leader(Store(FakeConsul().client(), "main"))
    for week in range(105):
        a_week_of(led.store, week)
        led.leads(7, step=7)
    return led


@pytest.mark.parametrize("prefix", [*TABLE, "led"])
def test_after_two_years_no_kind_has_more_keys_than_its_row_says(
    after_two_years: Leader, prefix: str
) -> None:
    names = after_two_years.names(prefix)
    assert 0 < len(names) <= MOST[prefix]
    assert any("0104" in name for name in names) or prefix in ("config/v/", "led")
    value = after_two_years.store._client.kv_get(after_two_years.store.keys.led)
    assert value is not None and len(value.value) < 5000
    assert len(read_led_time(after_two_years.store)[0].seen) == 40


def test_every_prefix_has_a_row() -> None:
    """A new kind of key: it is pruned, or a sentence says why it does not grow."""
    keys = Keys("main")
    single = {"canary", "rev", "leader", "epoch", "alive", "hint", "hold", "went_back", "turn",
              "members", "pillar", "status", "pulse", "changed", "led", "config"}  # fmt: skip
    made = [*vars(keys).values(), keys.maintenance("u"), keys.version(1), keys.identity("u"),
            keys.node("u"), keys.change_of("u"), keys.proposal("u"), keys.operation("u"),
            keys.outcome("u", "o"), keys.submitted("u"), keys.acknowledged("u"), keys.admitted("u"),
            keys.accepted("u"), keys.rejected("u"), keys.moved("u"), keys.audit("u")]  # fmt: skip
    below = {str(key).removeprefix(keys.root) for key in made if str(key).startswith(keys.root)}
    prefixes = {name.rpartition("/")[0] + "/" for name in below if "/" in name}
    known = {*TABLE, *STAYS, "config/"}
    assert {p for p in prefixes if not any(p.startswith(k) for k in known)} == set()
    assert {name for name in below if name and "/" not in name} <= single


def test_a_departed_node_keeps_its_documents_for_thirty_days_that_are_led(leader: Leader) -> None:
    keys = leader.store.keys
    for uuid in ("u-gone", fleet.GFN3):
        for key in (keys.node(uuid), keys.answer(uuid), keys.report_part(uuid, "volumes"),
                    keys.identity(uuid), keys.submitted(uuid), keys.change_of(uuid)):  # fmt: skip
            leader.store.write(key, {"schema": 1})
    leader.leads(29)
    leader.now += 300 * DAY_S  # nobody leads
    leader.epoch += 1
    leader.leads(1)
    assert "u-gone" in leader.names("nodes/")
    leader.leads(3)
    for prefix in ("nodes/", "identity/", "submitted/", "changed/"):
        assert {name.split("/")[0] for name in leader.names(prefix)} == {fleet.GFN3}


def test_a_node_that_was_back_in_between_departs_anew(leader: Leader) -> None:
    leader.store.write(leader.store.keys.identity("u-gone"), {"schema": 1})
    everybody = frozenset(fleet.UUIDS.values())
    for _ in range(6):
        leader.leads(20)
        leader.present = everybody | {"u-gone"}
        leader.leads(1)
        leader.present = everybody
    assert leader.names("identity/") == ["u-gone"]


@pytest.mark.parametrize("why", ["admitted", "in maintenance", "not known", "admission unread"])
def test_who_may_be_one_of_the_pool_keeps_everything(leader: Leader, why: str) -> None:
    store, keys = leader.store, leader.store.keys
    store.write(keys.identity("u-away"), {"schema": 1})
    if why == "admitted":
        store.write(keys.admitted("g9"), {"schema": 1, "uuid": "u-away"})
    elif why == "in maintenance":
        store.set_maintenance("u-away", "disk", "ann", 1.0)
    elif why == "not known":
        leader.present = NOT_ASKED
    else:
        store._client.kv_put(keys.admitted("g9"), "{broken")
    leader.leads(90)
    assert leader.names("identity/") == ["u-away"]


def test_what_an_acknowledgement_released_does_not_hold_again(leader: Leader) -> None:
    """The word about a hold of a node that is away counts for as long as the node has a report."""
    store = leader.store
    store.write(store.keys.node(fleet.GFN3), {"schema": 1})
    standing = fleet.operation(id="frozen", state=Life.FROZEN)
    store.write(store.keys.operation("frozen"), standing.to_data())
    words = ["main", NODE_HOLDS, fleet.GFN3, "frozen"]
    for what in words:
        store.acknowledge(what, "ann")
    for number in range(300):
        store.acknowledge(f"op{number}", "ann")
    leader.leads(90)
    assert leader.names("acknowledged/") == sorted(words)


def test_a_rejection_is_not_pushed_out_by_what_was_closed_since(store: Store) -> None:
    closed = fleet.operation(state=Life.CLOSED)
    store.propose("no", replace(closed, id="no", evidence={REJECTED_BY: "ann"}).to_data())
    for number in range(9):
        store.propose(f"p{number}", replace(closed, id=f"p{number}").to_data())
    pruning.prune(store, LedTime(), 0)
    assert sorted(store.names(store.keys.proposal(""))) == ["no", "p7", "p8"]


def test_an_outcome_of_what_is_not_ended_stays_at_any_age(leader: Leader) -> None:
    op = fleet.operation(state=Life.FROZEN)
    leader.store.write(leader.store.keys.operation(op.id), op.to_data())
    outcome(leader.store, op.node, op.id)
    leader.leads(90)
    assert leader.names("outcomes/") == [f"{op.node}/{op.id}"]


def test_lines_of_the_audit_go_by_consuls_index_not_by_the_clock_in_their_name(
    leader: Leader,
) -> None:
    for number in range(210):
        leader.store.audit("20991231T000000Z", f"old{number:03}", {"at": 1e12})
    leader.leads(12)
    for number in range(100):
        leader.store.audit("19700101T000000Z", f"new{number:03}", {"at": 0.0})
    leader.leads(1)
    lines = leader.names("audit/")
    assert len(lines) == 200
    assert sum("new" in line for line in lines) == 100


def test_a_leader_that_was_frozen_counts_no_time_in_which_it_did_not_lead(leader: Leader) -> None:
    leader.leads(2)
    before, _ = read_led_time(leader.store)
    leader.now += 900 * DAY_S
    leader.pruning.prune(leader.epoch, 0, 600.0)
    assert read_led_time(leader.store)[0].led_s == before.led_s + 600.0
    leader.now += 900 * DAY_S
    leader.pruning.prune(leader.epoch + 1, 0, 600.0)
    assert read_led_time(leader.store)[0].led_s == before.led_s + 600.0


@pytest.mark.parametrize("value", ["{broken", '{"led_s": "x"}', '{"seen": [[1.0]]}', "[]"])
def test_a_count_that_cannot_be_read_begins_anew_and_takes_nothing_away(
    leader: Leader, value: str
) -> None:
    leader.store.write(leader.store.keys.identity("u-gone"), {"schema": 1})
    leader.leads(29)
    leader.store._client.kv_put(leader.store.keys.led, value)
    leader.leads(29)
    assert leader.names("identity/") == ["u-gone"]
    leader.leads(3)
    assert leader.names("identity/") == []


def test_after_an_older_consul_came_back_its_keys_are_as_old_as_it_says(leader: Leader) -> None:
    consul = leader.store._client.transport._consul  # type: ignore[attr-defined]
    leader.leads(2)
    snapshot, index = dict(consul.keys), consul.index
    leader.leads(200)
    consul.keys, consul.index = snapshot, index
    leader.store.acknowledge("op1", "ann")
    leader.leads(20)
    assert leader.names("acknowledged/") == ["op1"]


def test_who_leads_no_more_counts_nothing_and_takes_nothing_of_a_departed_node(
    leader: Leader,
) -> None:
    leader.store.write(leader.store.keys.identity("u-gone"), {"schema": 1})
    leader.leads(30)
    leader.guard = lambda: [check_absent_op(leader.store.keys.identity("u-gone"))]
    with pytest.raises(ConsulError):
        leader.leads(9)
    assert leader.names("identity/") == ["u-gone"]
    assert read_led_time(leader.store)[0].led_s < 30 * DAY_S
