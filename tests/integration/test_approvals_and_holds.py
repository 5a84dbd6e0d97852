"""The people's side of automation on a real Consul, Salt and Gluster: say, ask, hold, submit."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from consul_world import inside, until

from lab import Lab, salt
from salt_gluster.consul.canary import FileMarker
from salt_gluster.consul.client import Client
from salt_gluster.consul.leader_lock import Lock
from salt_gluster.consul.settings import Access
from salt_gluster.consul.store import Document
from salt_gluster.errors import GlusterError
from salt_gluster.master import journal
from salt_gluster.master.approvals import Desk, find
from salt_gluster.model import Hold
from salt_gluster.remediation.operations import Life, Operation, Outcome, operation_from
from salt_gluster.spec import parse_pool

POOL = "pool:\n  gluster.cluster: []\n"
PILLAR: dict[str, Any] = {
    "gluster": {
        "cluster": "prod",
        "nodes": ["g1", "g2"],
        "remediation": {"restart_brick": {"mode": "propose"}, "down_after": "90s"},
    }
}
OP = Operation(
    id="4c1e90ab12de34f0", action="start_brick", rung=1, volume="data", volume_id="v",
    brick="g1:/srv/gluster/data/1", node="", executor="g1", epoch=7, state=Life.WAITING,
    at=1000.0, deadline=1120.0, incident=900.0, attempt=1, changed=1000.0, why="a person decides",
)  # fmt: skip


@pytest.fixture(scope="module")
def pool() -> Iterator[Lab]:
    with Lab.up("people", nodes=2) as lab:
        lab.join()
        lab.write_pillar(PILLAR, refresh=True)
        (lab.directory / "states" / "pool.sls").write_text(POOL)
        for node in ("g1", "g2"):
            (row,) = lab.salt_call(node, "state.single", "gluster_consul.registered", "me").values()
            assert row["result"] is True, row
        yield lab


@pytest.fixture
def here(pool: Lab) -> Iterator[Client]:
    """A client on the master, and this thread in its network."""
    with inside(pool.master):
        client = Client(Access())
        yield client
        client.close()


@pytest.fixture
def desk(here: Client, tmp_path: Path) -> Iterator[Desk]:
    """The desk of the pool, whose name nobody told it; what a test wrote is gone afterwards."""
    with Desk({}, marker=FileMarker(tmp_path), now=lambda: 2000.0) as made:
        yield made
        for name in ("operations/", "proposals/", "outcomes/", "acknowledged/", "status", "hold"):
            made.client.kv_delete(made.store.keys.root + name, recurse=True)


def refusal(do: Callable[[], Any]) -> GlusterError:
    with pytest.raises(GlusterError) as caught:
        do()
    return caught.value


def write_op(desk: Desk, op: Operation, *, proposal: bool = False) -> None:
    keys = desk.store.keys
    key = keys.proposal(op.id) if proposal else keys.operation(op.id)
    desk.store.write(key, op.to_data())


def uuid_of(desk: Desk, minion: str) -> str:
    return next(m.uuid for m in desk.members() if m.minion == minion)


# --- finding the pool ----------------------------------------------------------------------------


def test_the_only_pool_is_found_without_its_name_and_a_wrong_one_is_named(
    desk: Desk, tmp_path: Path
) -> None:
    assert desk.cluster == "prod"
    wrong = refusal(lambda: Desk({"cluster": "test"}, marker=FileMarker(tmp_path)))
    assert wrong.kind == "absent" and "It knows prod" in wrong.hint
    FileMarker(tmp_path).remember("test")
    wiped = refusal(lambda: Desk({"cluster": "test"}, marker=FileMarker(tmp_path)))
    assert wiped.kind == "wiped"


def test_an_agent_that_is_not_there_is_an_error_only_where_somebody_named_it() -> None:
    named = {"gluster_consul": {"address": "http://127.0.0.1:1"}}
    told = find(named)
    assert isinstance(told, GlusterError) and told.kind == "unreachable"
    assert "systemctl status consul" in str(told)
    assert find({}) is None  # this machine, outside the lab, has no agent
    assert "gluster_consul: {address" in refusal(lambda: Desk({})).hint
    given = {"engines": ["reactor", {"gluster_consul": {"address": "http://127.0.0.1:1"}}]}
    for said in (given, {"engines": [{"gluster_consul": {}}]}, {"engines": ["gluster_consul"]}):
        assert isinstance(find(said), GlusterError)


# --- acknowledge ---------------------------------------------------------------------------------


def test_pool_node_and_operation_are_acknowledged_under_what_automation_knows(desk: Desk) -> None:
    write_op(desk, replace(OP, state=Life.FROZEN))
    uuid = uuid_of(desk, "g1")
    for what in ("", "g1", uuid, OP.id):
        assert desk.acknowledge(what, "ann")["by"] == "ann"
    kept = {d.name: d.data for d in desk.store.acknowledged() if isinstance(d, Document)}
    assert set(kept) == {"prod", uuid, OP.id}
    assert kept["prod"] == {"schema": 1, "what": "prod", "at": 2000.0, "by": "ann"}
    assert "neither a node" in str(refusal(lambda: desk.acknowledge("g9", "ann")))


# --- proposals -----------------------------------------------------------------------------------


def test_a_proposal_is_approved_once_by_compare_and_set(desk: Desk) -> None:
    write_op(desk, OP, proposal=True)
    (row,) = journal.proposals(desk)["proposals"]
    assert (row["id"], row["state"]) == (OP.id, "waiting")
    before = desk.client.kv_get(desk.store.keys.rev)
    assert "carried out" in desk.approve(OP.id, "ann")["then"]
    after = desk.client.kv_get(desk.store.keys.rev)
    assert before != after  # the leader is woken
    stored = desk.store.proposals()[0]
    assert isinstance(stored, Document)
    assert (stored.data["state"], stored.data["changed"]) == ("approved", 2000.0)
    assert stored.data["evidence"]["approved_by"] == "ann"
    assert desk.approve(OP.id, "bob")["then"] == "ann said so before"
    assert "by" not in desk.approve(OP.id, "bob")


def test_an_unknown_an_ended_and_a_begun_proposal_are_refused_with_what_to_do(desk: Desk) -> None:
    write_op(desk, OP, proposal=True)
    unknown = refusal(lambda: desk.approve("nosuch", "ann"))
    assert f"Waiting are: {OP.id}" in str(unknown)
    assert desk.reject(OP.id, "ann", "the disk is being changed")["then"] == "nothing will be done"
    stored = desk.store.proposals()[0]
    assert isinstance(stored, Document)
    assert operation_from(stored.data).is_rejected
    ended = refusal(lambda: desk.approve(OP.id, "bob"))
    assert "ann said no: the disk is being changed" in str(ended)
    assert journal.proposals(desk)["proposals"] == []
    begun = replace(OP, id="aaaa", state=Life.APPROVED)
    write_op(desk, begun, proposal=True)
    write_op(desk, replace(begun, state=Life.INTENT))
    assert "gluster_remediation.journal" in str(refusal(lambda: desk.reject("aaaa", "ann", "")))
    assert journal.proposals(desk)["proposals"] == []


def test_a_proposal_that_changes_between_look_and_word_stays_as_it_is(desk: Desk) -> None:
    write_op(desk, OP, proposal=True)
    document, op = desk._waiting(OP.id)
    write_op(desk, replace(OP, why="the leader wrote it anew"), proposal=True)
    conflict = refusal(lambda: desk._decided(document, replace(op, state=Life.APPROVED), {}))
    assert conflict.kind == "conflict"
    (row,) = journal.proposals(desk)["proposals"]
    assert (row["state"], row["why"]) == ("waiting", "the leader wrote it anew")


# --- journal, explain, the line ------------------------------------------------------------------


def test_the_journal_has_the_newest_first_with_outcomes_and_what_cannot_be_read(desk: Desk) -> None:
    for number in range(4):
        write_op(desk, replace(OP, id=f"op{number}", at=float(number), node="u1"))
    desk.store.write_outcome("u1", "op3", Outcome("op3", "u1", Life.APPLIED, 5.0).to_data())
    desk.client.kv_put(desk.store.keys.outcome("u1", "op2"), "broken")
    desk.store.write(desk.store.keys.operation("later"), {"schema": 9})
    told = journal.journal(desk, 2)
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
        "bricks": {f"{uuid}:/b": {"name": "g1:/b", "state": "down", "since": 1.0, "row": "B2",
                                  "why": "dead"}, "u9:/b": {}},
        "refused": [{"brick": "g1:/b", "node": uuid, "reasons": [why]},
                    {"brick": "g2:/b", "node": "u9", "reasons": []}],
        "operations": [],
        "guards": {"g1:/b": [{"name": "not_held", "yes": False, "why": "ann holds the pool"}]},
    }  # fmt: skip


def test_a_node_is_explained_from_what_the_leader_told_and_from_the_catalog(desk: Desk) -> None:
    uuid = uuid_of(desk, "g1")
    desk.store.write(desk.store.keys.status, status_of(uuid))
    desk.store.set_hold("rack", "ann", 1.0)
    write_op(desk, replace(OP, id="open", node=uuid, state=Life.INTENT))
    write_op(desk, replace(OP, id="over", node=uuid, state=Life.DONE))
    write_op(desk, replace(OP, id="else", node="u9", state=Life.INTENT))
    for name in ("g1", uuid):
        told = journal.explain(desk, name)
        assert (told["verdict"]["row"], told["catalog"]["minion"]) == ("N2", "g1")
        assert [b["path"] for b in told["bricks"]] == ["/b"]
        assert [g["name"] for r in told["refused"] for g in r["guards"]] == ["not_held"]
        assert [o["id"] for o in told["operations"]] == ["open"]
        assert (told["hold"]["reason"], told["maintenance"]) == ("rack", None)
        assert told["leader"] is None and told["checks"] == []
    assert "neither" not in str(refusal(lambda: journal.explain(desk, "g9")))
    desk.client.kv_delete(desk.store.keys.status)
    nobody = journal.explain(desk, "g1")
    assert "no leader has told anything" in nobody["verdict"]["unknown"]
    desk.store.write(desk.store.keys.status, {"schema": 2})
    assert "schema 2" in str(refusal(lambda: journal.explain(desk, "g1")))


def test_the_line_names_the_one_who_leads_and_what_it_may(desk: Desk) -> None:
    nobody = journal.automation(desk)
    assert (nobody["leader"], nobody["restart_brick"], nobody["told_at"]) == (None, None, None)
    lock = Lock(Client(Access(), timeout_s=2), "prod", "m7")
    try:
        until("the lock", lock.beat, 30)
        desk.store.write(desk.store.keys.status, status_of("u1"))
        config = {"schema": 1, "spec": {}, "policy": {"restart_brick": "propose"}}
        desk.store.accept(config, by="g1", why="a test", now=1.0)
        write_op(desk, replace(OP, id="open", state=Life.VERIFYING))
        write_op(desk, OP, proposal=True)
        told = journal.automation(desk)
    finally:
        lock.stop()
        desk.client.kv_delete(desk.store.keys.root + "config/", recurse=True)
    assert (told["leader"], told["restart_brick"], told["mode"]) == ("m7", "propose", "open")
    assert [o["id"] for o in told["operations"]] == ["open"]
    assert [p["id"] for p in told["proposals"]] == [OP.id]


# --- as people type it ---------------------------------------------------------------------------


def test_a_hold_is_written_everywhere_and_says_where_it_is_not(pool: Lab, desk: Desk) -> None:
    told = pool.salt_run("gluster.hold", "moving the rack", by="ann")
    assert told == {"held": ["g1", "g2", "Consul (prod)"]}
    assert isinstance(held := desk.store.hold(), Hold) and held.by == "ann"
    assert pool.node("g2").run(["test", "-e", "/var/lib/salt-gluster/hold"]).returncode == 0
    pool.fault("minion-kill", "g2")
    try:
        told = pool.salt_run("gluster.release")
    finally:
        pool.heal("minion-kill", "g2")
    assert told["free"] == ["g1", "Consul (prod)"]
    assert "did not answer" in told["perhaps still held"]["g2"] and told["retcode"] == 1
    assert desk.store.hold() is None
    salt.wait(pool.record)
    assert pool.salt_run("gluster.release") == {"free": ["g1", "g2", "Consul (prod)"]}
    assert pool.node("g2").run(["test", "-e", "/var/lib/salt-gluster/hold"]).returncode == 1


def test_the_runners_answer_as_screens_and_as_data(pool: Lab, desk: Desk) -> None:
    write_op(desk, replace(OP, node=uuid_of(desk, "g1")), proposal=True)
    screen = pool.master.ok(["salt-run", "gluster_remediation.proposals"], timeout=60)
    assert f"salt-run gluster_remediation.approve {OP.id}" in screen
    assert max(len(line) for line in screen.splitlines()) <= 80
    assert pool.salt_run("gluster_remediation.approve", OP.id)["approved"] == OP.id
    assert pool.salt_run("gluster_remediation.journal")["operations"] == []
    assert pool.salt_run("gluster_remediation.acknowledge")["by"]
    explained = pool.master.ok(["salt-run", "gluster.explain", "node=g1"], timeout=60)
    assert "LEADER" in explained and "nobody leads" in explained
    assert pool.salt_run("gluster.status")["automation"]["leader"] is None
    assert "AUTOMATION  nobody leads" in pool.master.ok(["salt-run", "gluster.status"], timeout=60)
    failed = pool.master.run(["salt-run", "gluster_remediation.reject", "nosuch"], timeout=60)
    assert failed.returncode == 1 and "there is no proposal nosuch" in failed.stdout


# --- submission ----------------------------------------------------------------------------------


def submitted(desk: Desk) -> dict[str, Document]:
    return {d.name: d for d in desk.store.submitted() if isinstance(d, Document)}


def applied(pool: Lab, node: str, **kwargs: Any) -> dict[str, Any]:
    (row,) = pool.salt_call(node, "state.apply", "pool", **kwargs).values()
    assert isinstance(row, dict)
    return row


def test_a_highstate_submits_what_is_declared_once_and_never_in_test_mode(
    pool: Lab, desk: Desk
) -> None:
    uuid = uuid_of(desk, "g1")
    assert set(submitted(desk)) == {uuid, uuid_of(desk, "g2")}  # by their registration
    desk.client.kv_delete(desk.store.keys.submitted(uuid))
    assert applied(pool, "g1", test=True)["result"] is True
    assert uuid not in submitted(desk)
    assert applied(pool, "g1")["comment"] == "1 subjects are as declared"
    first = submitted(desk)[uuid]
    assert (first.data["schema"], first.data["by"]) == (1, "g1")
    assert first.data["policy"] == {"restart_brick": "propose", "down_after_s": 90.0}
    assert parse_pool(first.data["spec"]) == parse_pool(PILLAR["gluster"])
    assert abs(first.data["at"] - time.time()) < 60
    applied(pool, "g1")
    assert submitted(desk)[uuid].index == first.index
    pool.write_pillar({"gluster": {**PILLAR["gluster"], "remediation": {"down_after": 100}}})
    try:
        applied(pool, "g1")
    finally:
        pool.write_pillar(PILLAR)
    assert submitted(desk)[uuid].data["policy"] == {"down_after_s": 100.0}


def test_without_an_agent_the_state_is_as_good_and_says_one_line(pool: Lab) -> None:
    well_ms = applied(pool, "g2")["duration"]
    asked = ["consul", "kv", "get", "gluster/prod/canary"]
    for fault, kind in (("consul-kill", "no Consul agent answers"), ("consul-freeze", "in time")):
        until("its agent", lambda: pool.node("g2").run(asked).returncode == 0, 60)
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


def test_setup_puts_engine_and_reactor_into_effect_and_an_event_reaches_the_minion(
    pool: Lab, here: Client
) -> None:
    told = pool.salt_run("gluster.setup", restart=True)
    assert told["then"] == "the master restarts now"
    listed: list[Any] = []

    def answers() -> bool:
        """Salt's runner prints what it waits for before its answer."""
        out = pool.master.run(["salt-run", "--out", "json", "reactor.list"], timeout=60).stdout
        listed[:] = [out]
        return "remediation/*/execute" in out

    until("the reactor's list", answers, 180)
    assert "formula/reactor/execute.sls" in listed[0]
    began = ["grep", "Starting Engine.*gluster_consul", "/var/log/salt/master"]
    until("the engine", lambda: pool.master.run(began).returncode == 0, 180)
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

    def job() -> dict[str, Any]:
        jobs = pool.salt_run("jobs.list_jobs", search_function="gluster_remediation.execute")
        return next(iter(jobs.values()), {})

    until("the job of the reactor", lambda: bool(job()), 120)
    found = job()
    assert (found["Target"], found["Target-type"]) == (["g1"], "list")
    assert found["Arguments"] == [{"__kwarg__": True, "operation": "0123456789012345"}] or found[
        "Arguments"
    ] == [{"operation": "0123456789012345", "__kwarg__": True}]
