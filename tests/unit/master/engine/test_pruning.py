"""What is taken away in Consul, and what stays."""

from __future__ import annotations

import fleet
import pytest
from fake_consul import FakeConsul

from salt_gluster.consul.client import check_absent_op
from salt_gluster.consul.store import Store
from salt_gluster.errors import ConsulError
from salt_gluster.master.engine import pruning
from salt_gluster.remediation.operations import ExecutionReport, Life


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(pruning, "KEPT", 2)
    return Store(FakeConsul().client(), "main")


def test_an_outcome_never_outlives_its_operation(store: Store) -> None:
    """The same incident gets the same id again, and would be taken for done."""
    op = fleet.operation()
    store.write(store.keys.operation(op.id), op.to_data())
    for name in (op.id, "forgotten"):
        store.write(store.keys.outcome(op.node, name), {"schema": 1})
    pruning.prune(store, 1e9, 0)
    assert store.names(store.keys.outcomes) == [f"{op.node}/{op.id}"]


def outcome(store: Store, node: str, name: str) -> None:
    done = ExecutionReport(name, node, Life.ISSUED, 1.0)
    store.write_outcome(node, name, done.to_data())


def test_an_outcome_below_another_nodes_name_is_no_outcome(store: Store) -> None:
    op = fleet.operation()
    store.write(store.keys.operation(op.id), op.to_data())
    for node in (op.node, fleet.GFN3):
        outcome(store, node, op.id)
    pruning.prune(store, 1e9, 0)
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
    for number in range(500):
        name = f"x{number}" + "y" * length
        store._client.kv_put(f"{store.keys.outcomes}{op.node}/{name}", "{}")
    fake = store._client.transport._consul  # type: ignore[attr-defined]
    fake.requests.clear()
    pruning.prune(store, 1e9, 0)
    assert sorted(store.names(store.keys.outcomes)) == sorted(
        [f"{op.node}/{op.id}", f"{other.node}/{other.id}"]
    )
    kept = store.outcome(op.node, op.id)
    assert kept is not None and kept.data["state"] == "issued"
    assert len(fake.requests) < 30


def test_who_leads_no_more_clears_nothing(store: Store) -> None:
    for number in range(500):
        store._client.kv_put(f"{store.keys.outcomes}u1/x{number}", "{}")
    gone = lambda: [check_absent_op(store.keys.outcome("u1", "x1"))]  # noqa: E731
    with pytest.raises(ConsulError):
        pruning.prune(store, 1e9, 0, gone)
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
    pruning.prune(store, 1e9, 0)
    assert sorted(store.names(store.keys.proposal(""))) == ["p6", "p7", "waits"]
    assert sorted(store.names(store.keys.acknowledged(""))) == ["op3", "op4"]
