"""What is taken away in Consul, and what stays."""

from __future__ import annotations

import fleet
import pytest
from fake_consul import FakeConsul

from salt_gluster.consul.store import Store
from salt_gluster.master.engine import pruning
from salt_gluster.remediation.operations import Life


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
