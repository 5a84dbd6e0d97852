"""Who ordered what: Salt's user and the machine, on every line of the journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import fleet
import pytest
from fake_consul import FakeConsul
from fleet import CLUSTER, GFN2, NOW

from salt_gluster.consul.canary import FileMarker
from salt_gluster.consul.pool import PoolClient
from salt_gluster.errors import SpecError
from salt_gluster.master import approvals, config_history, hold, journal, maintenance, plans
from salt_gluster.master.operator import operator_name
from salt_gluster.minion.automation import witness
from salt_gluster.remediation.operations import Life
from salt_gluster.render import render_journal

ANN = "ann (root@m1)"


def test_a_name_that_is_given_hides_neither_user_nor_machine() -> None:
    assert operator_name("root", "", "m1") == "root@m1"
    assert operator_name("root", "ann", "m1") == ANN
    assert operator_name("root", "root@m1", "m1") == "root@m1"


class World:
    def __init__(self, folder: Path) -> None:
        self.consul = FakeConsul()
        self.consul.catalog = [dict(row) for row in fleet.catalog_rows()]
        self.consul.client().kv_put(f"gluster/{CLUSTER}/canary", "1")
        self.folder = folder

    def pool(self) -> PoolClient:
        marker = FileMarker(self.folder)
        return PoolClient({}, now=lambda: NOW, marker=marker, client=self.consul.client())

    def propose(self) -> None:
        store = self.pool().store
        store.propose("p1", fleet.operation(id="p1", state=Life.WAITING).to_data())
        row = {"name": "gfn4", "uuid": "u4", "since": 1.0, "until": None, "reasons": []}
        told = {"schema": 1, "at": 1.0, "by": "m1", "mode": "open", "proposed": [row]}
        store.write(store.keys.status, told)

    def journal(self) -> dict[str, Any]:
        return journal.journal(self.pool(), 20)


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.propose()
    return world


def answers(target: Any, function: str, *arguments: Any, **named: Any) -> Mapping[str, Any]:
    return {"gfn2": {"held": function == "gluster.hold", "changes": {}}}


def _maintenance(world: World, *, remove: bool) -> object:
    request = maintenance.MaintenanceRequest("" if remove else "disk", ANN, remove)
    return maintenance.put(answers, GFN2, world.pool(), request)


def _accept_a_risk(world: World) -> None:
    def ask(target: Any, function: str, *arguments: Any) -> Mapping[str, Any]:
        return {"gfn2": [{"id": "abc"}] if function == "gluster.plan" else True}

    def note() -> None:
        approvals.note_accepted_risk(world.pool(), "abc", "pool_whole", ANN, "rebuilt")

    plans.apply_plan(ask, "*", "abc", "pool_whole", "g3 is rebuilt", note)


ORDERS: dict[str, tuple[Callable[[World], object], str, str]] = {
    "approve": (lambda w: approvals.approve(w.pool(), "p1", ANN), "approve", "p1"),
    "approve a node": (lambda w: approvals.approve(w.pool(), "gfn4", ANN), "approve", "gfn4"),
    "reject": (lambda w: approvals.reject(w.pool(), "p1", ANN, "no"), "reject", "p1"),
    "reject a node": (lambda w: approvals.reject(w.pool(), "gfn4", ANN, "no"), "reject", "gfn4"),
    "acknowledge": (lambda w: approvals.acknowledge(w.pool(), "", ANN), "acknowledge", "pool"),
    "hold": (lambda w: hold.hold(answers, "*", "rack", ANN, w.pool()), "hold", CLUSTER),
    "release": (lambda w: hold.release(answers, "*", ANN, w.pool()), "release", CLUSTER),
    "maintenance": (lambda w: _maintenance(w, remove=False), "begin", "gfn2"),
    "its end": (
        lambda w: (_maintenance(w, remove=False), _maintenance(w, remove=True)), "end", "gfn2",
    ),
    "a risk": (_accept_a_risk, "accept", "pool_whole"),
}  # fmt: skip


@pytest.mark.parametrize("name", ORDERS)
def test_every_order_is_a_line_of_the_journal_with_who_gave_it(world: World, name: str) -> None:
    give, order, what = ORDERS[name]
    give(world)
    rows = [row for row in world.journal()["orders"] if row["order"] == order]
    assert [row["by"] for row in rows] == [ANN]
    assert what in rows[0]["what"]
    assert ANN in " ".join(render_journal(world.journal()).split())


def test_an_order_that_lost_its_race_is_no_line(world: World) -> None:
    pool = world.pool()
    pool.snapshot()
    approvals.reject(world.pool(), "p1", "bob (root@m2)", "no")
    with pytest.raises(Exception, match="closed"):
        approvals.approve(pool, "p1", ANN)
    assert [row["by"] for row in world.journal()["orders"]] == ["bob (root@m2)"]


def test_an_operation_names_who_approved_it_or_the_policy(world: World) -> None:
    store = world.pool().store
    for name, evidence in (("op1", {"approved_by": ANN}), ("op2", {})):
        op = fleet.operation(id=name, evidence=evidence)
        store.write(store.keys.operation(name), op.to_data())
    rows = {row["id"]: row["by"] for row in world.journal()["operations"]}
    assert rows == {"op1": ANN, "op2": "the policy"}
    screen = " ".join(render_journal(world.journal()).split())
    assert f"by {ANN}" in screen and "by the policy" in screen


# --- who does not answer, without Consul ----------------------------------------------------------


def _reports(target: Any, function: str, *arguments: Any) -> Mapping[str, Any]:
    if function != "gluster.report":
        return {"gfn2": {"held": function == "gluster.hold"}}
    peers = [{"uuid": u, "names": [n], "connected": u == "u2", "state": 3, "is_self": u == "u2",
              "state_text": ""} for u, n in (("u2", "gfn2"), ("u3", "gfn3"))]  # fmt: skip
    return {"gfn2": {"uuid": "u2", "peers": peers}}


def test_a_member_that_does_not_answer_is_named_by_the_reports_of_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No Consul: Salt's answer has no line for who is away."""
    monkeypatch.setattr(
        hold, "reports", lambda ask, target: [_reports("*", "gluster.report")["gfn2"]]
    )
    held = hold.hold(_reports, "*", "rack", ANN)
    assert held == {"held": ["gfn2"], "not held": {"gfn3": "it did not answer"}, "retcode": 1}
    free = hold.release(_reports, "*", ANN)
    assert free["retcode"] == 1 and list(free["perhaps still held"]) == ["gfn3"]
    assert hold.hold(_reports, "gfn2", "rack", ANN) == {"held": ["gfn2"]}, "no other was meant"


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_hold_without_a_reason_is_refused(reason: str) -> None:
    with pytest.raises(SpecError, match="reason"):
        hold.hold(_reports, "*", reason, ANN)


def test_a_limit_that_is_no_number_is_named(world: World) -> None:
    for ask in (journal.journal, config_history.history):
        with pytest.raises(SpecError, match="limit"):
            ask(world.pool(), "x")


@pytest.mark.parametrize("ports", ["x", ["x"], [["u", "/b"]], 5])
def test_ports_that_are_none_are_named(ports: Any) -> None:
    with pytest.raises(SpecError, match="ports"):
        witness.observe(None, {}, ports)  # type: ignore[arg-type]
