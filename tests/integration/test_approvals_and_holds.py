"""The people's side of automation on a real Consul, Salt and Gluster: say, ask, hold, submit."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from consul_world import inside
from waiting import until

from lab import Lab, salt
from salt_gluster.consul.canary import FileMarker
from salt_gluster.consul.client import Client
from salt_gluster.consul.documents import Document
from salt_gluster.consul.leader_lock import LeaderLock
from salt_gluster.consul.orders import OperatorOrder
from salt_gluster.consul.pool import PoolClient
from salt_gluster.consul.settings import Access
from salt_gluster.errors import GlusterError
from salt_gluster.master import approvals, journal
from salt_gluster.master.approvals import find
from salt_gluster.model import Hold
from salt_gluster.remediation.operations import ExecutionReport, Life, Operation, operation_from
from salt_gluster.spec import parse_pool

POOL = "pool:\n  gluster.cluster: []\n"
NODES = ["g1", "g2", "g3", "g4"]
PILLAR: dict[str, Any] = {
    "gluster": {
        "cluster": "prod",
        "nodes": NODES,
        "remediation": {"restart_brick": {"mode": "propose"}, "down_after": "90s"},
    }
}
OP = Operation(
    id="4c1e90ab12de34f0", action="start_brick", rung=1, volume="data", volume_id="v",
    brick="g1:/srv/gluster/data/1", node="", executor="g1", epoch=7, state=Life.WAITING,
    at=1000.0, deadline=1120.0, incident=900.0, attempt=1, changed=1000.0, why="a person decides",
)  # fmt: skip


@pytest.fixture(scope="module")
def pool(watched: Lab) -> Lab:
    watched.write_pillar(PILLAR, refresh=True)
    (watched.directory / "states" / "pool.sls").write_text(POOL)
    for node in NODES:
        told = watched.salt_call(node, "state.single", "gluster_consul.registered", "me")
        (row,) = told.values()
        assert row["result"] is True, row
    return watched


@pytest.fixture
def here(pool: Lab) -> Iterator[Client]:
    """A client on the master, and this thread in its network."""
    with inside(pool.master):
        client = Client(Access())
        yield client
        client.close()


@pytest.fixture
def prod(here: Client, tmp_path: Path) -> Iterator[PoolClient]:
    """The pool in Consul, without its name being given; what a test wrote is gone afterwards."""
    with PoolClient({}, marker=FileMarker(tmp_path), now=lambda: 2000.0) as made:
        made.snapshot()  # the one of the opening: every question of a test reads its own
        yield made
        for name in ("operations/", "proposals/", "outcomes/", "acknowledged/", "status", "hold",
                     "audit/"):  # fmt: skip
            made.client.kv_delete(made.store.keys.root + name, recurse=True)


def refusal(do: Callable[[], Any]) -> GlusterError:
    with pytest.raises(GlusterError) as caught:
        do()
    return caught.value


def write_op(prod: PoolClient, op: Operation, *, proposal: bool = False) -> None:
    keys = prod.store.keys
    key = keys.proposal(op.id) if proposal else keys.operation(op.id)
    prod.store.write(key, op.to_data())


def uuid_of(prod: PoolClient, minion: str) -> str:
    return next(m.uuid for m in prod.members() if m.minion == minion)


# --- finding the pool ----------------------------------------------------------------------------


def test_the_only_pool_is_found_without_its_name_and_a_wrong_one_is_named(
    prod: PoolClient, tmp_path: Path
) -> None:
    assert prod.cluster == "prod"
    wrong = refusal(lambda: PoolClient({"cluster": "test"}, marker=FileMarker(tmp_path)))
    assert wrong.kind == "absent" and "It knows prod" in wrong.hint
    FileMarker(tmp_path).remember("test")
    wiped = refusal(lambda: PoolClient({"cluster": "test"}, marker=FileMarker(tmp_path)))
    assert wiped.kind == "wiped"


def test_an_agent_that_is_not_there_is_an_error_only_where_somebody_named_it() -> None:
    named = {"gluster_consul": {"address": "http://127.0.0.1:1"}}
    told = find(named)
    assert isinstance(told, GlusterError) and told.kind == "unreachable"
    assert "systemctl status consul" in str(told)
    assert find({}) is None  # this machine, outside the lab, has no agent
    assert "gluster_consul: {address" in refusal(lambda: PoolClient({})).hint
    given = {"engines": ["reactor", {"gluster_consul": {"address": "http://127.0.0.1:1"}}]}
    for said in (given, {"engines": [{"gluster_consul": {}}]}, {"engines": ["gluster_consul"]}):
        assert isinstance(find(said), GlusterError)


# --- acknowledge ---------------------------------------------------------------------------------


def test_pool_node_and_operation_are_acknowledged_under_what_automation_knows(
    prod: PoolClient,
) -> None:
    write_op(prod, replace(OP, state=Life.FROZEN))
    uuid = uuid_of(prod, "g1")
    for what in ("", "g1", uuid, OP.id):
        assert approvals.acknowledge(prod, what, "ann")["by"] == "ann"
    kept = {d.name: d.data for d in prod.store.acknowledged() if isinstance(d, Document)}
    assert set(kept) == {"prod", uuid, OP.id}
    # Its time is when the leader first saw it, not the word of this machine's clock.
    assert {k: v for k, v in kept["prod"].items() if k != "once"} == {
        "schema": 1, "what": "prod", "by": "ann"
    }  # fmt: skip
    assert "neither a node" in str(refusal(lambda: approvals.acknowledge(prod, "g9", "ann")))


# --- proposals -----------------------------------------------------------------------------------


def test_a_proposal_is_approved_once_by_compare_and_set(prod: PoolClient) -> None:
    write_op(prod, OP, proposal=True)
    (row,) = journal.proposals(prod)["proposals"]
    assert (row["id"], row["state"]) == (OP.id, "waiting")
    before = prod.client.kv_get(prod.store.keys.rev)
    assert "carried out" in approvals.approve(prod, OP.id, "ann")["then"]
    after = prod.client.kv_get(prod.store.keys.rev)
    assert before != after  # the leader is woken
    stored = prod.store.proposals()[0]
    assert isinstance(stored, Document)
    assert (stored.data["state"], stored.data["changed"]) == ("approved", 2000.0)
    assert stored.data["evidence"]["approved_by"] == "ann"
    assert approvals.approve(prod, OP.id, "bob")["then"] == "ann said so before"
    assert "by" not in approvals.approve(prod, OP.id, "bob")


def test_an_unknown_an_ended_and_a_begun_proposal_are_refused_with_what_to_do(
    prod: PoolClient,
) -> None:
    write_op(prod, OP, proposal=True)
    unknown = refusal(lambda: approvals.approve(prod, "nosuch", "ann"))
    assert f"Waiting are: {OP.id}" in str(unknown)
    assert (
        approvals.reject(prod, OP.id, "ann", "the disk is being changed")["then"]
        == "nothing will be done"
    )
    stored = prod.store.proposals()[0]
    assert isinstance(stored, Document)
    assert operation_from(stored.data).is_rejected
    ended = refusal(lambda: approvals.approve(prod, OP.id, "bob"))
    assert "ann said no: the disk is being changed" in str(ended)
    assert journal.proposals(prod)["proposals"] == []
    begun = replace(OP, id="aaaa", state=Life.APPROVED)
    write_op(prod, begun, proposal=True)
    write_op(prod, replace(begun, state=Life.INTENT))
    assert "gluster_remediation.journal" in str(
        refusal(lambda: approvals.reject(prod, "aaaa", "ann", ""))
    )
    assert journal.proposals(prod)["proposals"] == []


def test_a_proposal_that_changes_between_look_and_word_stays_as_it_is(prod: PoolClient) -> None:
    write_op(prod, OP, proposal=True)
    snapshot = prod.snapshot()
    document, op = approvals._waiting(snapshot, OP.id)
    write_op(prod, replace(OP, why="the leader wrote it anew"), proposal=True)
    after = replace(op, state=Life.APPROVED)
    order = OperatorOrder("approve", OP.id, "ann", 1.0)
    conflict = refusal(
        lambda: approvals._write_decision(prod, snapshot, document, after, {}, order)
    )
    assert conflict.kind == "conflict"
    assert journal.journal(prod, 9)["orders"] == [], "what was not done is not told as done"
    (row,) = journal.proposals(prod)["proposals"]
    assert (row["state"], row["why"]) == ("waiting", "the leader wrote it anew")


# --- journal, explain, the line ------------------------------------------------------------------


def test_the_journal_has_the_newest_first_with_outcomes_and_what_cannot_be_read(
    prod: PoolClient,
) -> None:
    for number in range(4):
        write_op(prod, replace(OP, id=f"op{number}", at=float(number), node="u1"))
    prod.store.write_outcome("u1", "op3", ExecutionReport("op3", "u1", Life.APPLIED, 5.0).to_data())
    prod.client.kv_put(prod.store.keys.outcome("u1", "op2"), "broken")
    prod.store.write(prod.store.keys.operation("later"), {"schema": 9})
    told = journal.journal(prod, 2)
    assert told["total"] == 5
    unread, first, second = told["operations"]
    assert "schema 9" in unread["unknown"]
    assert (first["id"], first["outcome"]["state"]) == ("op3", "applied")
    assert second["id"] == "op2" and "unknown" in second["outcome"]
    json.dumps(told)


def status_of(uuid: str) -> dict[str, Any]:
    why = {"name": "not_held", "why": "ann holds the pool", "ways": []}
    return {
        "schema": 1, "at": 1990.0, "by": "m1", "mode": "open", "why": "", "policy": "version 1",
        "nodes": {uuid: {"name": "g1", "state": "suspect", "since": 1900.0, "row": "N2",
                         "why": "a brick is dead", "witnesses": []}},
        "bricks": {f"{of}:/b": {"name": f"{name}:/b", "state": "down", "since": 1.0, "row": "B2",
                                "why": "dead"} for of, name in ((uuid, "g1"), ("u9", "g2"))},
        "refused": [{"brick": "g1:/b", "node": uuid, "reasons": [why]},
                    {"brick": "g2:/b", "node": "u9", "reasons": []}],
        "operations": [],
        "guards": {"g1:/b": [{"name": "not_held", "yes": False, "why": "ann holds the pool"}]},
    }  # fmt: skip


def test_a_node_is_explained_from_what_the_leader_told_and_from_the_catalog(
    prod: PoolClient,
) -> None:
    uuid = uuid_of(prod, "g1")
    prod.store.write(prod.store.keys.status, status_of(uuid))
    prod.store.set_hold("rack", "ann", 1.0)
    write_op(prod, replace(OP, id="open", node=uuid, state=Life.INTENT))
    write_op(prod, replace(OP, id="over", node=uuid, state=Life.DONE))
    write_op(prod, replace(OP, id="else", node="u9", state=Life.INTENT))
    for name in ("g1", uuid):
        told = journal.explain(prod, name)
        assert (told["verdict"]["row"], told["catalog"]["minion"]) == ("N2", "g1")
        assert [b["path"] for b in told["bricks"]] == ["/b"]
        assert [g["name"] for r in told["refused"] for g in r["guards"]] == ["not_held"]
        assert [o["id"] for o in told["operations"]] == ["open"]
        assert (told["hold"]["reason"], told["maintenance"]) == ("rack", None)
        assert told["leader"] is None and told["checks"] == []
    assert "neither" not in str(refusal(lambda: journal.explain(prod, "g9")))
    prod.client.kv_delete(prod.store.keys.status)
    nobody = journal.explain(prod, "g1")
    assert "no leader has told anything" in nobody["verdict"]["unknown"]
    prod.store.write(prod.store.keys.status, {"schema": 2})
    assert "schema 2" in str(refusal(lambda: journal.explain(prod, "g1")))


def test_the_line_names_the_one_who_leads_and_what_it_may(prod: PoolClient) -> None:
    nobody = journal.automation(prod, prod.snapshot())
    assert (nobody["leader"], nobody["restart_brick"], nobody["told_at"]) == (None, None, None)
    lock = LeaderLock(Client(Access(), timeout_s=2), "prod", "m7")
    try:
        until(lock.renew, 30, "the lock")
        prod.store.write(prod.store.keys.status, status_of("u1"))
        config = {"schema": 1, "spec": {}, "policy": {"restart_brick": "propose"}}
        prod.store.accept(config, by="g1", why="a test", now=1.0)
        write_op(prod, replace(OP, id="open", state=Life.VERIFYING))
        write_op(prod, OP, proposal=True)
        told = journal.automation(prod, prod.snapshot())
    finally:
        lock.stop()
        prod.client.kv_delete(prod.store.keys.root + "config/", recurse=True)
    assert (told["leader"], told["restart_brick"], told["mode"]) == ("m7", "propose", "open")
    assert [o["id"] for o in told["operations"]] == ["open"]
    assert [p["id"] for p in told["proposals"]] == [OP.id]


# --- as people type it ---------------------------------------------------------------------------


def test_a_hold_is_written_everywhere_and_says_where_it_is_not(pool: Lab, prod: PoolClient) -> None:
    told = pool.salt_run("gluster.hold", "moving the rack", by="ann")
    assert told == {"held": [*NODES, "Consul (prod)"]}
    assert isinstance(held := prod.store.hold(), Hold) and held.by.startswith("ann (root@")
    assert pool.node("g2").run(["test", "-e", "/var/lib/salt-gluster/hold"]).returncode == 0
    pool.fault("minion-kill", "g2")
    try:
        told = pool.salt_run("gluster.release")
    finally:
        pool.heal("minion-kill", "g2")
    assert told["free"] == ["g1", "g3", "g4", "Consul (prod)"]
    assert "did not answer" in told["perhaps still held"]["g2"] and told["retcode"] == 1
    assert prod.store.hold() is None
    salt.wait(pool.record)
    assert pool.salt_run("gluster.release") == {"free": [*NODES, "Consul (prod)"]}
    assert pool.node("g2").run(["test", "-e", "/var/lib/salt-gluster/hold"]).returncode == 1


def test_the_runners_answer_as_screens_and_as_data(pool: Lab, prod: PoolClient) -> None:
    write_op(prod, replace(OP, node=uuid_of(prod, "g1")), proposal=True)
    screen = pool.program("salt-run", "gluster_remediation.proposals").stdout
    assert f"salt-run gluster_remediation.approve {OP.id}" in screen
    assert max(len(line) for line in screen.splitlines()) <= 80
    assert pool.salt_run("gluster_remediation.approve", OP.id)["approved"] == OP.id
    told = pool.salt_run("gluster_remediation.journal")
    assert told["operations"] == []
    assert [(o["order"], o["by"][:5]) for o in told["orders"] if OP.id in o["what"]] == [
        ("approve", "root@")
    ]
    assert "by root@" in pool.master.ok(["salt-run", "gluster_remediation.journal"], timeout=60)
    assert pool.salt_run("gluster_remediation.acknowledge")["by"]
    explained = pool.program("salt-run", "gluster.explain", "node=g1").stdout
    assert "LEADER" in explained and "nobody leads" in explained
    assert pool.salt_run("gluster.status")["automation"]["leader"] is None
    assert "AUTOMATION  nobody leads" in pool.program("salt-run", "gluster.status").stdout
    failed = pool.program("salt-run", "gluster_remediation.reject", "nosuch")
    assert failed.returncode == 1 and "there is no proposal nosuch" in failed.stdout


# --- submission ----------------------------------------------------------------------------------


def submitted(prod: PoolClient) -> dict[str, Document]:
    return {d.name: d for d in prod.store.submitted() if isinstance(d, Document)}


def applied(pool: Lab, node: str, **kwargs: Any) -> dict[str, Any]:
    (row,) = pool.salt_call(node, "state.apply", "pool", **kwargs).values()
    assert isinstance(row, dict)
    return row


def test_a_highstate_submits_what_is_declared_once_and_never_in_test_mode(
    pool: Lab, prod: PoolClient
) -> None:
    uuid = uuid_of(prod, "g1")
    assert set(submitted(prod)) == {uuid_of(prod, name) for name in NODES}  # by registration
    prod.client.kv_delete(prod.store.keys.submitted(uuid))
    assert applied(pool, "g1", test=True)["result"] is True
    assert uuid not in submitted(prod)
    assert applied(pool, "g1")["comment"] == "3 subjects are as declared"
    first = submitted(prod)[uuid]
    assert (first.data["schema"], first.data["by"]) == (1, "g1")
    assert first.data["policy"] == {"restart_brick": "propose", "down_after_s": 90.0}
    assert parse_pool(first.data["spec"]) == parse_pool(PILLAR["gluster"])
    assert abs(first.data["at"] - time.time()) < 60
    applied(pool, "g1")
    assert submitted(prod)[uuid].index == first.index
    pool.write_pillar({"gluster": {**PILLAR["gluster"], "remediation": {"down_after": 100}}})
    try:
        applied(pool, "g1")
    finally:
        pool.write_pillar(PILLAR)
    assert submitted(prod)[uuid].data["policy"] == {"down_after_s": 100.0}


def test_without_an_agent_the_state_is_as_good_and_says_one_line(pool: Lab) -> None:
    well_ms = applied(pool, "g2")["duration"]
    asked = ["consul", "kv", "get", "gluster/prod/canary"]
    for fault, kind in (("consul-kill", "no Consul agent answers"), ("consul-freeze", "in time")):
        until(lambda: pool.node("g2").run(asked).returncode == 0, 60, "its agent")
        pool.fault(fault, "g2")
        try:
            rows = [applied(pool, "g2") for _ in range(2)]
        finally:
            pool.heal(fault, "g2")
        for row in rows:
            assert row["result"] is True, row
            (note,) = [x for x in row["comment"].splitlines() if "Automation was not told" in x]
            assert kind in note
        # The quicker of two: a busy machine is slow at times, an agent that hangs always.
        took_ms = min(row["duration"] for row in rows)
        assert took_ms < well_ms + 5000, (took_ms, well_ms)


# --- set-up, last: the master that follows is another ---------------------------------------------


def test_setup_puts_engine_and_reactor_into_effect_and_a_forged_request_reaches_no_minion(
    pool: Lab, here: Client
) -> None:
    told = pool.salt_run("gluster.setup", restart=True)
    assert told["then"] == "the master restarts now"
    listed: list[Any] = []

    def answers() -> bool:
        """Salt's runner prints what it waits for before its answer."""
        out = pool.program("salt-run", "--out", "json", "reactor.list").stdout
        listed[:] = [out]
        return "node/*/admit" in out

    until(answers, 180, "the reactor's list")
    assert "formula/reactor/admit.sls" in listed[0]
    assert "execute" not in listed[0]
    began = ["grep", "Starting Engine.*gluster_consul", "/var/log/salt/master"]
    until(lambda: pool.master.run(began).returncode == 0, 180, "the engine")
    assert pool.salt_run("gluster.setup")["changes"] == {}
    salt.wait(pool.record)
    fire = (
        "import salt.config, salt.utils.event as e;"
        " from salt_gluster.remediation.salt_events import request;"
        " o = salt.config.master_config('/etc/salt/master');"
        " r = request('prod', '0123456789012345', 'g1', 1.0);"
        " print(e.get_master_event(o, o['sock_dir'], listen=False).fire_event(r['data'], r['tag']))"
    )
    python = Path(pool.master.ok(["readlink", "-f", "/usr/local/bin/salt"]).strip()).parent
    assert "True" in pool.master.ok([str(python / "python"), "-c", fire])

    assert pool.salt("g1", "test.ping") == {"g1": True}  # the reactor has had its time
    assert pool.salt_run("jobs.list_jobs", search_function="gluster_remediation.execute") == {}
