"""What an operator says to automation: yes, no, seen; on a Consul in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import fleet
import pytest
from fake_consul import FakeConsul
from fleet import CLUSTER, GFN2, NOW

from salt_gluster.consul import pool as consul_pool
from salt_gluster.consul.canary import FileMarker
from salt_gluster.consul.pool import PoolClient
from salt_gluster.errors import ConsulError, GlusterError, NotFound
from salt_gluster.master import approvals
from salt_gluster.remediation.operations import REJECTED_BY, Life


class Pool:
    """A pool in Consul, and an operator before it."""

    def __init__(self, folder: Path) -> None:
        self.consul = FakeConsul()
        self.consul.catalog = [dict(row) for row in fleet.catalog_rows()]
        self.client = self.consul.client()
        self.client.kv_put(f"gluster/{CLUSTER}/canary", "1")
        self.folder = folder

    def open(self, **settings: Any) -> PoolClient:
        marker = FileMarker(self.folder)
        return PoolClient({"address": "x", **settings}, now=lambda: NOW, marker=marker)

    def propose(self, name: str = "p1", **changed: Any) -> None:
        data = fleet.operation(id=name, **{"state": Life.WAITING, **changed}).to_data()
        self.open().store.propose(name, data)

    def state(self, name: str = "p1") -> dict[str, Any]:
        document = self.open().store.read(f"gluster/{CLUSTER}/proposals/{name}")
        assert document is not None
        data: dict[str, Any] = document.data
        return data

    def newcomer(self, name: str = "gfn4", uuid: str = "u4") -> None:
        store = self.open().store
        row = {"name": name, "uuid": uuid, "since": 1.0, "until": None, "reasons": []}
        told = {"schema": 1, "at": 1.0, "by": "m1", "mode": "open", "proposed": [row]}
        store.write(store.keys.status, told)

    def at_write(self, what: Callable[[], object]) -> None:
        """Let something happen between the look and the write, both a transaction."""
        transactions = iter(range(2))

        def before(method: str, path: str) -> None:
            if (method, path) == ("PUT", "txn") and next(transactions):
                self.consul.before = lambda method, path: None
                what()

        self.consul.before = before


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pool:
    pool = Pool(tmp_path)
    monkeypatch.setattr(consul_pool, "connect", lambda settings, timeout_s: pool.consul.client())
    return pool


def test_a_yes_is_written_into_this_very_proposal_with_who_and_when(pool: Pool) -> None:
    pool.propose()
    assert approvals.approve(pool.open(), "p1", "ann")["by"] == "ann"
    told = pool.state()
    assert told["state"] == "approved"
    assert (told["evidence"]["approved_by"], told["evidence"]["approved_at"]) == ("ann", NOW)
    assert told["evidence"]["skew_s"] == 0.0, "what was known of it stays"
    assert "ann said so before" in approvals.approve(pool.open(), "p1", "bob")["then"]
    assert pool.state()["evidence"]["approved_by"] == "ann"


@pytest.mark.parametrize("state", [Life.WAITING, Life.APPROVED])
def test_a_no_closes_it_also_after_a_yes(pool: Pool, state: Life) -> None:
    pool.propose(state=state)
    approvals.reject(pool.open(), "p1", "ann", "not now")
    told = pool.state()
    assert (told["state"], told["evidence"][REJECTED_BY]) == ("closed", "ann")
    assert "not now" in told["why"]


SAY: dict[str, Callable[[PoolClient], object]] = {
    "approve": lambda pool: approvals.approve(pool, "p1", "ann"),
    "reject": lambda pool: approvals.reject(pool, "p1", "ann", "no"),
}


@pytest.mark.parametrize("say", SAY)
def test_a_proposal_that_changed_meanwhile_is_not_written_over(pool: Pool, say: str) -> None:
    """The leader closed it, or another operator said no, while this one typed."""
    pool.propose()
    pool.at_write(lambda: pool.propose(state=Life.CLOSED, why="its brick serves"))
    with pytest.raises(ConsulError) as lost:
        SAY[say](pool.open())
    assert lost.value.kind == "conflict"
    assert pool.state()["state"] == "closed"


@pytest.mark.parametrize("say", SAY)
@pytest.mark.parametrize("state", [Life.CLOSED, Life.PLANNED, Life.INTENT, Life.DONE])
def test_what_is_decided_is_decided(pool: Pool, say: str, state: Life) -> None:
    pool.propose(state=state)
    with pytest.raises(GlusterError) as late:
        SAY[say](pool.open())
    assert late.value.kind == "too_late"
    assert pool.state()["state"] == state.value


@pytest.mark.parametrize("say", SAY)
def test_what_is_being_carried_out_is_not_decided_about_any_more(pool: Pool, say: str) -> None:
    pool.propose()
    store = pool.open().store
    store.write(store.keys.operation("p1"), fleet.operation(id="p1").to_data())
    with pytest.raises(GlusterError) as late:
        SAY[say](pool.open())
    assert late.value.kind == "too_late"
    assert pool.state()["state"] == "waiting"


@pytest.mark.parametrize("say", SAY)
def test_a_name_that_nobody_proposed_decides_nothing(pool: Pool, say: str) -> None:
    pool.propose("p2")
    before = dict(pool.consul.keys)
    with pytest.raises(NotFound, match="p1") as none:
        SAY[say](pool.open())
    assert "p2" in none.value.hint
    assert pool.consul.keys == before


# --- nodes that wait -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gfn4", "u4"])
def test_a_node_that_is_proposed_is_in_by_name_or_uuid(pool: Pool, name: str) -> None:
    pool.newcomer()
    assert approvals.approve(pool.open(), name, "ann")["approved"] == "gfn4"
    assert pool.open().store.accepted() == {"gfn4": "ann"}
    assert "ann said so before" in approvals.approve(pool.open(), "gfn4", "bob")["then"]
    assert pool.open().store.accepted() == {"gfn4": "ann"}


def test_a_node_that_nobody_proposed_is_not_let_in(pool: Pool) -> None:
    pool.newcomer()
    with pytest.raises(NotFound):
        approvals.approve(pool.open(), "gfn5", "ann")
    assert pool.open().store.accepted() == {}


def test_a_no_takes_a_yes_back_and_a_yes_a_no(pool: Pool) -> None:
    pool.newcomer()
    approvals.approve(pool.open(), "gfn4", "ann")
    approvals.reject(pool.open(), "gfn4", "bob", "wrong rack")
    store = pool.open().store
    assert (store.accepted(), store.rejected()) == ({}, {"gfn4": "bob"})
    assert approvals.candidates(pool.open().snapshot()) == []
    approvals.approve(pool.open(), "gfn4", "ann")
    assert (store.accepted(), store.rejected()) == ({"gfn4": "ann"}, {})


# --- seen ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "subject"),
    [("", CLUSTER), (CLUSTER, CLUSTER), ("gfn2", GFN2), (GFN2, GFN2), ("op1", "op1")],
)
def test_what_was_looked_at_is_written_under_its_own_name(
    pool: Pool, what: str, subject: str
) -> None:
    store = pool.open().store
    store.write(store.keys.operation("op1"), fleet.operation().to_data())
    approvals.acknowledge(pool.open(), what, "ann")
    (told,) = store.acknowledged()
    assert (told.name, told.data["what"]) == (subject, subject)  # type: ignore[union-attr]
    assert "at" not in told.data, "when that was is the leader's to say"  # type: ignore[union-attr]


def test_an_unknown_name_is_not_acknowledged_as_everything(pool: Pool) -> None:
    with pytest.raises(NotFound):
        approvals.acknowledge(pool.open(), "gfn9", "ann")
    assert pool.open().store.acknowledged() == []


# --- which pool ----------------------------------------------------------------------------------


def test_a_pool_whose_canary_is_gone_is_wiped_and_not_asked(pool: Pool) -> None:
    FileMarker(pool.folder).remember(CLUSTER)
    pool.propose()
    pool.client.kv_delete(f"gluster/{CLUSTER}/canary")
    with pytest.raises(ConsulError) as lost:
        pool.open()
    assert lost.value.kind == "wiped"


def test_the_only_pool_that_there_is_is_meant_unless_another_was_named(pool: Pool) -> None:
    pool.client.kv_delete(f"gluster/{CLUSTER}/canary")
    pool.client.kv_put("gluster/prod/canary", "1")
    assert pool.open().cluster == "prod"
    with pytest.raises(ConsulError) as none:
        pool.open(cluster="main")
    assert none.value.kind == "absent"
    pool.client.kv_put("gluster/test/canary", "1")
    with pytest.raises(ConsulError) as several:
        pool.open()
    assert several.value.kind == "absent", "which of two is not guessed"


# --- whose access --------------------------------------------------------------------------------

MASTER = {"__role": "master", "conf_file": "/etc/salt/master"}
OWN = {"address": "http://10.0.0.9:8500", "token": "mine"}


@pytest.mark.parametrize(
    ("opts", "wanted"),
    [
        (MASTER, {"token": "engine"}),
        ({**MASTER, "__role": "minion"}, {}),
        ({"conf_file": "/etc/salt/minion"}, {}),
        ({"__role": "master"}, {}),
        ({**MASTER, "gluster_consul": OWN}, OWN),
        ({**MASTER, "gluster_consul": {"token": "mine"}}, {"token": "mine"}),
        ({**MASTER, "gluster_consul": {"address": "x"}}, {"address": "x"}),
        ({**MASTER, "gluster_consul": {"cluster": "prod"}}, {"token": "engine", "cluster": "prod"}),
        ({**MASTER, "engines": ["gluster_consul"]}, {"token": "engine"}),
        ({**MASTER, "engines": [{"gluster_consul": {"token": "given"}}]}, {"token": "given"}),
        ({**MASTER, "engines": {"gluster_consul": {"token": "given"}}}, {"token": "given"}),
        ({**MASTER, "gluster_consul": OWN, "engines": [{"gluster_consul": {"token": "given"}}]},
         {**OWN, "token": "given"}),
        ({**MASTER, "gluster_consul": OWN, "engines": [{"gluster_consul": {"token": ""}}]}, OWN),
    ],
)  # fmt: skip
def test_the_engines_token_is_for_a_master_that_was_given_none(
    opts: dict[str, Any], wanted: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minion on the same machine has rights of its own, and no others."""
    monkeypatch.delenv("CONSUL_HTTP_ADDR", raising=False)
    monkeypatch.setattr(approvals, "engine_access", lambda file, cluster: {"token": "engine"})
    assert approvals.settings_of(opts) == wanted
    monkeypatch.setenv("CONSUL_HTTP_ADDR", "http://elsewhere:8500")
    assert approvals.settings_of(opts).get("token") != "engine"
