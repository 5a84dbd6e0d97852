"""What an operator asks of a pool in Consul and writes there, and in how many requests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_consul import FakeConsul

from salt_gluster.consul.canary import FileMarker
from salt_gluster.consul.pool import PoolClient
from salt_gluster.errors import ConsulError, GlusterError, NotFound
from salt_gluster.master import (
    approvals,
    config_history,
    declaration,
    hold,
    journal,
    maintenance,
    status,
)
from salt_gluster.remediation.fleet_mode import NODE_HOLDS
from salt_gluster.remediation.operations import ExecutionReport, Life, Operation, operation_from
from salt_gluster.render import render_explained

OP = Operation(
    id="4c1e90ab12de34f0", action="start_brick", rung=1, volume="data", volume_id="v",
    brick="g1:/b", node="u1", executor="g1", epoch=7, state=Life.WAITING, at=1000.0,
    deadline=1120.0, incident=900.0, attempt=1, changed=1000.0, why="an operator decides",
)  # fmt: skip
#: What the leader proposes: a node that a glob means.
G6 = {"name": "g6", "uuid": "u6", "since": 1900.0, "until": None, "reasons": []}
SPEC = {"nodes": ["g1", "g2", "g3"]}
G1 = {"name": "g1", "state": "healthy", "since": None, "row": "-", "why": ""}


class World:
    """A pool in a Consul in memory, with a leader, a version, reports, and one proposal."""

    def __init__(self, folder: Path) -> None:
        self.consul, self.folder = FakeConsul(), folder
        client = self.consul.client()
        session = client.session_create("engine", ttl_s=10, lock_delay_s=0)
        client.kv_put("gluster/main/canary", "1")
        client.kv_put("gluster/main/leader", '{"holder": "m1"}', acquire=session)
        client.kv_put("gluster/main/epoch", "once")
        client.kv_put("gluster/main/rev", "7")
        self.consul.catalog = [
            {"Node": f"g{n}", "Address": f"10.0.0.{n}",
             "ServiceMeta": {"cluster": "main", "peer_uuid": f"u{n}", "minion_id": f"g{n}"}}
            for n in (1, 2, 3)
        ]  # fmt: skip
        self.consul.checks = [
            {"Node": "g1", "CheckID": "gluster:bricks", "Status": "critical", "Output": "1 down"},
            {"Node": "g1", "CheckID": "serfHealth", "Status": "passing", "Output": "alive"},
            {"Node": "g2", "CheckID": "gluster:heal", "Status": "warning", "Output": "9 to heal"},
        ]
        pool = self.pool()
        store, keys = pool.store, pool.store.keys
        for number in (1, 2, 3):
            config = {"schema": 1, "spec": SPEC, "policy": {"tick_s": 4.0 + number}}
            store.accept(config, by="g1", why="a test", now=1.0)
        store.write(keys.status, {"schema": 1, "at": 1990.0, "by": "m1", "mode": "open",
                                  "nodes": {"u1": G1}, "proposed": [G6]})  # fmt: skip
        store.write(keys.proposal(OP.id), OP.to_data())
        for number in range(20):
            op = replace(OP, id=f"op{number}", state=Life.DONE, at=float(number))
            store.write(keys.operation(op.id), op.to_data())
            store.write_outcome(
                "u1", op.id, ExecutionReport(op.id, "u1", Life.APPLIED, 5.0).to_data()
            )
        self.consul.requests.clear()

    def pool(self, **more: Any) -> PoolClient:
        """Open the pool, as every call of a runner does."""
        marker = FileMarker(self.folder)
        return PoolClient(
            {}, marker=marker, client=self.consul.client(), now=lambda: 2000.0, **more
        )

    def requests(self, do: Callable[[PoolClient], object], **more: Any) -> int:
        self.consul.requests.clear()
        do(self.pool(**more))
        return len(self.consul.requests)

    def rev(self) -> int:
        return int(self.consul.keys["gluster/main/rev"]["Value"])


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def nobody(target: Any, function: str, *arguments: Any, **named: Any) -> Mapping[str, Any]:
    """Minions that answer, but tell nothing of a pool."""
    return {"g1": True}


def reports(target: Any, function: str, *arguments: Any) -> Mapping[str, Any]:
    peers = [{"uuid": "u1", "names": ["g1"], "connected": True, "state": 3,
              "state_text": "Peer in Cluster", "is_self": True}]  # fmt: skip
    return {"g1": {"schema": 1, "at": 1.0, "node": "g1", "names": ["g1"], "uuid": "u1",
                   "version": "11.1", "hold": None, "peers": peers, "volumes": {}, "reach": {},
                   "bricks": {}}}  # fmt: skip


READS: dict[str, Callable[[PoolClient], object]] = {
    "gluster_remediation.journal": lambda p: journal.journal(p, 20),
    "gluster_remediation.proposals": journal.proposals,
    "gluster.explain": lambda p: journal.explain(p, "g1"),
    "gluster.export": lambda p: declaration.export(p, None, actual=True),
    "gluster.export 2": lambda p: declaration.export(p, 2, actual=False),
    "gluster.status": lambda p: status.status(reports, "*", p, reader="m1", as_data=True),
}
#: These read the names of the versions as well, which no transaction gives.
VERSIONS: dict[str, Callable[[PoolClient], object]] = {
    "gluster.history": lambda p: config_history.history(p, 20),
    "gluster.diff": lambda p: config_history.diff(p, None, None),
    "gluster.diff 1 3": lambda p: config_history.diff(p, 1, 3),
}
WRITES: dict[str, tuple[Callable[[PoolClient], object], int]] = {
    "approve": (lambda p: approvals.approve(p, OP.id, "ann"), 2),
    "approve a node": (lambda p: approvals.approve(p, "g6", "ann"), 2),
    "reject": (lambda p: approvals.reject(p, OP.id, "ann", "no"), 2),
    "reject a node": (lambda p: approvals.reject(p, "g6", "ann", "no"), 2),
    "acknowledge": (lambda p: approvals.acknowledge(p, "", "ann"), 2),
    # The catalog as well: it says which node a name is.
    "acknowledge a node": (lambda p: approvals.acknowledge(p, "g2", "ann"), 3),
    # And who of the pool did not answer.
    "hold": (lambda p: hold.hold(nobody, "*", "rack", "ann", p), 3),
    "release": (lambda p: hold.release(nobody, "*", "ann", p), 3),
    "hold some": (lambda p: hold.hold(nobody, "g1", "rack", "ann", p), 2),
}


@pytest.mark.parametrize("name", READS)
def test_what_only_looks_asks_consul_at_most_twice(world: World, name: str) -> None:
    """The journal three times: the audit is long, and outcomes are read by their names."""
    more = {"reports": True} if name == "gluster.status" else {}
    most = 3 if name == "gluster_remediation.journal" else 2
    assert world.requests(READS[name], **more) <= most, world.consul.requests


@pytest.mark.parametrize("name", VERSIONS)
def test_what_compares_versions_asks_three_times_however_many_there_are(
    world: World, name: str
) -> None:
    assert world.requests(VERSIONS[name]) == 3, world.consul.requests


@pytest.mark.parametrize("name", WRITES)
def test_what_writes_looks_once_and_writes_once(world: World, name: str) -> None:
    do, most = WRITES[name]
    before = world.rev()
    assert world.requests(do) == most, world.consul.requests
    assert [r for r in world.consul.requests if r.startswith("PUT")][1:] == ["PUT txn"]
    assert world.rev() == before + 1, "the leader is woken"


def test_what_is_shown_together_is_of_one_moment(world: World) -> None:
    """With a request for each part one screen could show two leaders."""
    told = world.pool()
    snapshot = told.snapshot()

    def another_leads(method: str, path: str) -> None:
        world.consul.before = lambda *_: None
        client = world.consul.client()
        world.consul.end_session(world.consul.keys["gluster/main/leader"]["Session"])
        session = client.session_create("engine", ttl_s=10, lock_delay_s=0)
        client.kv_put("gluster/main/leader", '{"holder": "m2"}', acquire=session)

    world.consul.before = another_leads
    shown = journal.automation(told, snapshot)
    assert (shown["leader"], shown["told_by"]) == ("m1", "m1")


def test_every_question_after_the_first_reads_anew(world: World) -> None:
    pool = world.pool()
    assert len(journal.proposals(pool)["proposals"]) == 2
    approvals.reject(pool, OP.id, "ann", "")
    assert len(journal.proposals(pool)["proposals"]) == 1


def test_a_counter_that_moved_between_look_and_write_is_read_again(world: World) -> None:
    pool, before = world.pool(), world.rev()
    world.pool().store.set_maintenance("u1", "ram", "bob", 1.0)
    approvals.approve(pool, OP.id, "ann")
    assert world.rev() == before + 2
    stored = pool.store.read(pool.store.keys.proposal(OP.id))
    assert stored is not None and operation_from(stored.data).state is Life.APPROVED


def test_a_proposal_that_changed_between_look_and_write_stays_as_it_is(world: World) -> None:
    pool = world.pool()
    anew = replace(OP, why="the leader wrote it anew").to_data()
    world.pool().store.write(pool.store.keys.proposal(OP.id), anew)
    with pytest.raises(ConsulError) as caught:
        approvals.approve(pool, OP.id, "ann")
    assert caught.value.kind == "conflict"
    (row,) = [p for p in journal.proposals(pool)["proposals"] if p["id"] == OP.id]
    assert (row["state"], row["why"]) == ("waiting", "the leader wrote it anew")


def test_a_node_is_accepted_and_rejected_in_one_step_each(world: World) -> None:
    assert approvals.approve(world.pool(), "g6", "ann")["node"] == "u6"
    assert world.pool().snapshot().accepted() == {"g6": "ann"}
    assert approvals.approve(world.pool(), "g6", "bob")["then"] == "ann said so before"
    approvals.reject(world.pool(), "g6", "bob", "not ours")
    snapshot = world.pool().snapshot()
    assert (snapshot.accepted(), snapshot.rejected()) == ({}, {"g6": "bob"})
    approvals.approve(world.pool(), "g6", "ann")
    snapshot = world.pool().snapshot()
    assert (snapshot.accepted(), snapshot.rejected()) == ({"g6": "ann"}, {})


def test_of_a_node_its_own_checks_and_those_of_gluster_are_shown(world: World) -> None:
    told = journal.explain(world.pool(), "g1")
    assert told["checks"] == [{"check": "gluster:bricks", "status": "critical", "says": "1 down"}]
    assert told["catalog"]["minion"] == "g1"
    assert told["leader"] == "m1"


def test_a_node_that_is_well_is_explained_as_healthy_and_only_while_somebody_looks(
    world: World,
) -> None:
    store = world.pool().store
    told = {"schema": 1, "at": 1.0, "by": "m1", "mode": "open", "why": "all is open"}
    store.write(store.keys.status, told)
    assert "its own checks" in journal.explain(world.pool(), "g1")["verdict"]["unknown"]
    world.consul.checks = []
    explained = journal.explain(world.pool(), "g1")
    assert explained["verdict"]["state"] == "healthy"
    assert "VERDICT" in render_explained(explained)
    store.write(store.keys.status, {**told, "mode": "blind", "why": "no heartbeat"})
    blind = journal.explain(world.pool(), "g1")["verdict"]
    assert blind == {"unknown": "the leader sees nothing now: no heartbeat"}
    store.write(store.keys.status, told)
    world.consul.end_session(world.consul.keys["gluster/main/leader"]["Session"])
    assert "nobody leads" in journal.explain(world.pool(), "g1")["verdict"]["unknown"]


def test_a_release_says_what_a_node_that_is_away_means_and_ends_what_it_told(world: World) -> None:
    told = hold.release(nobody, "*", "ann", world.pool())
    assert all("counts again once it is back" in why for why in told["perhaps still held"].values())
    assert told["retcode"] == 1
    (seen,) = world.pool().store.acknowledged()
    assert seen.name == NODE_HOLDS  # type: ignore[union-attr]


def test_a_node_that_has_left_the_catalog_can_be_acknowledged_while_its_report_is_left(
    world: World,
) -> None:
    store = world.pool().store
    store.write(store.keys.node("u-gone"), {"node": "g77", "at": 1.0})
    for name in ("g77", "u-gone"):
        assert (
            "not in Consul's catalog"
            in approvals.acknowledge(world.pool(), name, "ann")["acknowledged"]
        )
    with pytest.raises(NotFound):
        approvals.acknowledge(world.pool(), "g78", "ann")


def test_the_journal_has_the_outcome_of_each_operation(world: World) -> None:
    rows = journal.journal(world.pool(), 3)["operations"]
    assert [row["id"] for row in rows] == ["op19", "op18", "op17"]
    assert {row["outcome"]["state"] for row in rows} == {"applied"}


def test_an_outcome_that_is_none_or_too_long_is_unknown_and_whatever_stands_beside_is_not_read(
    world: World,
) -> None:
    """A node may write any number of keys below ``outcomes/`` and its own name."""
    root = "gluster/main/outcomes/u1/"
    world.consul.keys[root + "op19"]["Value"] = b'{"id": "' + b"x" * 300_000 + b'"}'
    world.consul.keys[root + "op18"]["Value"] = b"{broken"
    del world.consul.keys[root + "op17"]
    for key in (f"{root}op16{number}" for number in range(300)):
        row = world.consul.keys[root + "op16"]
        world.consul.keys[key] = {**row, "Key": key, "Value": b"0" * 400_000}
    answers: list[int] = []
    answer = world.consul.answer

    def sized(method: str, url: str, body: bytes) -> tuple[int, Any]:
        told = answer(method, url, body)
        answers.append(len(str(told)))
        return told

    world.consul.answer = sized  # type: ignore[method-assign]
    rows = {r["id"]: r["outcome"] for r in journal.journal(world.pool(), 5)["operations"]}
    assert "no outcome" in rows["op19"]["unknown"]
    assert "broken" in rows["op18"]["unknown"]
    assert rows["op17"] is None
    assert rows["op16"]["state"] == rows["op15"]["state"] == "applied"
    status.status(reports, "*", world.pool(reports=True), reader="m1", as_data=True)
    assert max(answers) < 1_000_000


def test_without_the_canary_there_is_no_pool_and_with_a_marker_it_was_wiped(
    world: World, tmp_path: Path
) -> None:
    del world.consul.keys["gluster/main/canary"]
    with pytest.raises(ConsulError) as caught:
        world.pool()
    assert caught.value.kind == "absent"
    FileMarker(tmp_path).remember("main")
    with pytest.raises(ConsulError) as caught:
        world.pool()
    assert caught.value.kind == "wiped"


def test_the_only_pool_is_found_without_its_name(world: World) -> None:
    world.consul.keys = {
        key.replace("/main/", "/prod/"): {**row, "Key": key.replace("/main/", "/prod/")}
        for key, row in world.consul.keys.items()
    }
    assert world.pool().cluster == "prod"


def test_a_maintenance_is_written_once_where_it_is_not_so_yet(world: World) -> None:
    said = maintenance.MaintenanceRequest("ram", "ann")
    told = maintenance.put(nobody, "g1", world.pool(), said)
    assert list(told["changes"]) == ["gluster/main/maintenance/u1"]
    assert maintenance.put(nobody, "g1", world.pool(), said)["changes"] == {}
    with pytest.raises(GlusterError):
        maintenance.put(nobody, "g9", world.pool(), said)


@pytest.mark.parametrize("name", ["u-gone", "g77"])
def test_the_maintenance_of_a_node_that_has_left_is_ended_by_its_uuid_or_its_name(
    world: World, name: str
) -> None:
    """Its minion is gone, too: what its agent held it holds no more."""
    store = world.pool().store
    store.set_maintenance("u-gone", "disk", "ann", 1.0)
    store.write(store.keys.node("u-gone"), {"node": "g77", "at": 1.0})
    begin = maintenance.MaintenanceRequest("again", "ann")
    with pytest.raises(NotFound):
        maintenance.put(nobody, name, world.pool(), begin)
    end = maintenance.MaintenanceRequest("", "ann", remove=True)
    looked = maintenance.put(nobody, name, world.pool(), replace(end, test=True))
    assert list(looked["changes"]) == ["gluster/main/maintenance/u-gone"]
    told = maintenance.put(nobody, name, world.pool(), end)
    assert told == {
        "node": "g77", "changes": looked["changes"], "test": False,
        "free": ["gluster/main/maintenance/u-gone"],
    }  # fmt: skip
    assert store.maintenance("u-gone") is None
    assert "the maintenance of g77" in str(journal.journal(world.pool(), 3)["orders"])


def test_of_two_reports_with_one_name_neither_says_whose_maintenance_is_ended(
    world: World,
) -> None:
    store = world.pool().store
    for uuid in ("u-gone", "u-liar"):
        store.set_maintenance(uuid, "disk", "ann", 1.0)
        store.write(store.keys.node(uuid), {"node": "g77", "at": 1.0})
    end = maintenance.MaintenanceRequest("", "ann", remove=True)
    with pytest.raises(NotFound):
        maintenance.put(nobody, "g77", world.pool(), end)
    store._client.kv_put(store.keys.node("u-liar"), "{broken")
    assert maintenance.put(nobody, "u-liar", world.pool(), end)["free"]
    assert maintenance.put(nobody, "g77", world.pool(), end)["free"]
