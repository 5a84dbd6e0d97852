"""The executor of one node: it looks, begins once, judges again, acts once, and reads back.

Consul is one in memory, gluster's answers are recorded ones, the node is this file's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import fleet
import pytest
from executing import Pool, ignored, names, refused
from fleet import BRICK, CLUSTER, DEAD, GFN1, GFN3, NOW, PATH, SEAT, VOLUME

from salt_gluster import node
from salt_gluster.consul.admitted import record
from salt_gluster.errors import Conflict, ConsulError
from salt_gluster.minion.automation import registration, remediate
from salt_gluster.minion.automation.remediate import carry_out
from salt_gluster.model import Unknown
from salt_gluster.remediation.operations import Life
from salt_gluster.remediation.policy import policy_from

# --- what it does --------------------------------------------------------------------------------


def test_a_dead_brick_is_started_once_with_a_copy_before_and_told(pool: Pool) -> None:
    pool.intend()
    told = pool.execute()
    assert (told["did"], told["outcome"], told["reasons"]) == ("perform", "applied", [])
    (step,) = pool.place.sent
    assert (step.action, step.subject, step.args["brick"]) == ("brick_restart", "rep3", BRICK)
    assert (pool.place.copies, pool.outcome()) == (1, "applied")
    again = pool.execute()
    assert (again["did"], names(again)) == ("ignore", {"not_done_before"})
    assert len(pool.place.sent) == 1


@pytest.mark.parametrize("check", ["_node_maintenance", "_service_maintenance:gluster"])
def test_what_its_own_agent_holds_counts_though_the_catalog_lost_it(pool: Pool, check: str) -> None:
    """Any node can take another's maintenance out of the catalog for a minute."""
    pool.intend()
    pool.consul.agent_checks = {check: {"CheckID": check, "Notes": "ram (ann)"}}
    refused(pool, pool.execute(), "not_in_maintenance")


def test_a_row_that_another_one_rewrote_is_still_its_own_by_the_admission(pool: Pool) -> None:
    record(pool.client, CLUSTER, fleet.UUIDS)
    pool.consul.catalog[1]["ServiceMeta"] = {**pool.consul.catalog[1]["ServiceMeta"],
                                             "peer_uuid": GFN1, "minion_id": "gfn1"}  # fmt: skip
    pool.intend()
    assert pool.execute()["did"] == "perform"


def test_an_executor_takes_zones_from_the_declaration_too(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looks itself for a storm, and a whole zone is one."""
    pool.accept({}, {"nodes": [*fleet.UUIDS], "zones": {"north": ["gfn1", "gfn2"]}})
    pool.consul.catalog[2]["ServiceMeta"]["zone"] = "north"
    seen: list[Any] = []
    view_of = remediate.consul_view
    monkeypatch.setattr(
        remediate, "consul_view", lambda known, *rest: seen.append(known.zones)
        or view_of(known, *rest),
    )  # fmt: skip
    pool.intend()
    pool.execute()
    assert seen and all(zones == {"north": {GFN1, SEAT}, "gfn3": {GFN3}} for zones in seen)


def test_who_was_not_admitted_carries_nothing_out(pool: Pool) -> None:
    record(pool.client, CLUSTER, {n: u for n, u in fleet.UUIDS.items() if u != SEAT})
    pool.intend()
    refused(pool, pool.execute(), "in_catalog")


def test_all_bricks_that_the_command_starts_too_are_named_in_the_step(pool: Pool) -> None:
    """The brake for bricks without a port must not stop what is there to give them one."""
    told = fleet.facts(GFN3, DEAD)
    pool.store.write(pool.store.keys.node(GFN3), fleet.report_data(GFN3, replace(told, at=NOW + 1)))
    others = (replace(r, online=False, port=None) if r.host == "gfn3" else r
              for r in fleet.DEAD_ROWS.bricks)  # fmt: skip
    pool.place.rows = replace(fleet.DEAD_ROWS, bricks=tuple(others))
    pool.intend()
    assert pool.execute()["did"] == "perform"
    (step,) = pool.place.sent
    assert set(step.args["starts"]) == {BRICK, f"gfn3:{PATH}"}


# --- what is no matter of this node --------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"executor": "gfn3"}, "named_here"),
        ({"node": GFN3}, "named_here"),
        ({"state": Life.DONE}, "is_open"),
        ({"state": Life.CLOSED}, "is_open"),
    ],
)
def test_what_is_not_for_this_node_costs_no_look_and_says_nothing(
    pool: Pool, changed: dict[str, Any], reason: str
) -> None:
    pool.intend(**changed)
    ignored(pool, pool.execute(), reason)
    assert pool.place.looks == 0


@pytest.mark.parametrize("forged", ["0123456789abcdef", "../hold", ""])
def test_an_id_that_consul_does_not_know_is_no_order(pool: Pool, forged: str) -> None:
    pool.intend()
    ignored(pool, pool.execute(op=forged), "operation_known")


@pytest.mark.parametrize("written", [b"start it", b"{}", b'{"schema": 99}'])
def test_an_operation_that_cannot_be_read_is_no_order(pool: Pool, written: bytes) -> None:
    pool.client.kv_put(pool.store.keys.operation("op1"), written)
    ignored(pool, pool.execute(), "operation_known")


def test_a_node_that_never_registered_does_nothing(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool.intend()
    monkeypatch.setattr(registration, "load_registration", lambda: None)
    ignored(pool, pool.execute(), "registered")


def test_another_job_of_this_node_is_not_disturbed(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(wait_s: float) -> Any:
        raise Conflict("a highstate is running", kind="node_busy")

    pool.intend()
    monkeypatch.setattr(node, "one_job", busy)
    ignored(pool, pool.execute(), "node_free")


def test_an_outcome_of_before_that_cannot_be_read_counts_as_one(pool: Pool) -> None:
    pool.intend()
    pool.client.kv_put(pool.store.keys.outcome(SEAT, "op1"), b"half a wor")
    told = pool.execute()
    assert (told["did"], names(told)) == ("ignore", {"outcome_known"})
    assert pool.place.sent == []


# --- what is seen from here ----------------------------------------------------------------------


def canary_away_for_a_moment(pool: Pool) -> None:
    """Let the canary be gone when it is asked for alone: somebody restores a snapshot just now."""
    canary = pool.store.keys.canary
    kept = pool.consul.keys[canary]

    def before(method: str, path: str) -> None:
        if path == f"kv/{canary}":
            pool.consul.keys.pop(canary, None)
        else:
            pool.consul.keys[canary] = kept

    pool.consul.before = before


def stranger_to_consul(pool: Pool) -> None:
    """Let gfn3 be a peer that Consul's catalog does not have, and run another version."""
    pool.consul.catalog.pop(2)
    told = replace(fleet.facts(GFN3), at=NOW + 1, version=110000)
    pool.store.write(pool.store.keys.node(GFN3), fleet.report_data(GFN3, told))


FROM_HERE: dict[str, tuple[Callable[[Pool], object], str]] = {
    "the canary is deleted": (
        lambda p: p.client.kv_delete(p.store.keys.canary), "not_held",
    ),
    "the canary was away when it was asked for": (canary_away_for_a_moment, "fleet_open"),
    "the own agent is not in the catalog": (lambda p: p.consul.nodes.clear(), "fleet_open"),
    "nobody leads": (
        lambda p: p.consul.end_session(next(iter(p.consul.sessions))), "lock_valid",
    ),
    "somebody else began to lead": (lambda p: p.epoch(), "epoch_current"),
    "there is no epoch": (lambda p: p.client.kv_delete(p.store.keys.epoch), "epoch_current"),
    "a hold in Consul": (lambda p: p.hold(), "not_held"),
    "a maintenance in Consul": (
        lambda p: p.client.kv_put(p.store.keys.maintenance(SEAT), "ann has it"),
        "not_in_maintenance",
    ),
    "this node is not in the catalog": (
        lambda p: p.consul.catalog.pop(1), "in_catalog",
    ),
    "its disk was never recorded": (
        lambda p: p.client.kv_delete(p.store.keys.identity(SEAT)), "same_filesystem",
    ),
    "another operation is under way": (
        lambda p: p.store.write(
            p.store.keys.operation("op0"), fleet.operation(id="op0", node=GFN1).to_data()
        ),
        "nothing_in_flight",
    ),
    "one operation is broken": (
        lambda p: p.client.kv_put(p.store.keys.operation("op0"), b"?"), "nothing_in_flight",
    ),
    "a neighbour is silent": (
        lambda p: p.client.kv_delete(p.store.keys.node(GFN3)), "bricks_known",
    ),
    "a peer that is not in the catalog runs another version": (
        stranger_to_consul, "single_version",
    ),
    "the volume was stopped": (
        lambda p: setattr(p.place, "volumes", {"rep3": replace(VOLUME, status="Stopped")}),
        "volume_started",
    ),
    "it serves again by itself": (lambda p: p.place.come_up(), "still_down"),
}  # fmt: skip


@pytest.mark.parametrize("name", FROM_HERE)
def test_one_thing_seen_from_here_is_enough_to_refuse(pool: Pool, name: str) -> None:
    change, reason = FROM_HERE[name]
    pool.intend()
    change(pool)
    refused(pool, pool.execute(), reason)


@pytest.mark.parametrize("skew", [None, True, "0", 6.0])
def test_a_clock_that_was_not_measured_or_differs_refuses(pool: Pool, skew: Any) -> None:
    pool.intend(evidence={"skew_s": skew})
    refused(pool, pool.execute(), "clocks_agree")


def test_the_budget_is_that_of_the_accepted_configuration(pool: Pool) -> None:
    pool.accept({"restart_budget": 0})
    pool.intend()
    refused(pool, pool.execute(), "budget_left")


@pytest.mark.parametrize("mode", ["observe", "propose"])
def test_a_policy_that_does_not_allow_it_any_more_refuses(pool: Pool, mode: str) -> None:
    pool.intend()
    pool.accept({"restart_brick": mode})
    refused(pool, pool.execute(), "allowed")


def test_without_an_accepted_policy_nothing_is_carried_out(pool: Pool) -> None:
    pool.intend()
    pool.client.kv_delete(pool.store.keys.current)
    refused(pool, pool.execute(), "allowed")


def test_while_consul_is_an_older_one_nothing_is_carried_out(pool: Pool) -> None:
    pool.intend()
    pool.store.write(pool.store.keys.went_back, {"schema": 1})
    refused(pool, pool.execute(), "fleet_open")


@pytest.mark.parametrize("found", ["gone", "older"])
def test_a_nodes_own_memory_of_what_it_submitted_counts_as_well(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, found: str
) -> None:
    """No engine may have noticed that Consul went back: the master may be a new machine."""
    kept: dict[str, Any] = {"uuid": SEAT, "index": 1, "document": {}}
    monkeypatch.setattr(remediate, "kept_submission", lambda: kept)
    if found == "older":
        pool.store.submit(SEAT, {"schema": 1})
    kept["index"] = pool.consul.index + 1
    pool.intend()
    told = pool.execute()
    refused(pool, told, "fleet_open")
    assert "older" in str(told)


ANN = {"skew_s": 0.0, "approved_by": "ann (root@m1)"}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [({"starts": ("gfn9:/other",)}, "as_approved"), ({"policy": "another"}, "allowed"), ({}, "")],
)
def test_an_approval_is_of_its_own_policy_and_of_the_bricks_that_it_was_shown_with(
    pool: Pool, changed: dict[str, Any], reason: str
) -> None:
    policy = {"restart_brick": "propose"}
    pool.accept(policy)
    mine = {"evidence": ANN, "policy": policy_from(policy).digest, "starts": (BRICK,)}
    pool.intend(**{**mine, **changed})
    told = pool.execute()
    if reason:
        refused(pool, told, reason)
    assert told["did"] == ("refuse" if reason else "perform"), told


def test_a_consul_that_stops_answering_is_no_reason_to_act(pool: Pool) -> None:
    pool.intend()

    def silence() -> None:
        def before(method: str, path: str) -> None:
            raise ConsulError("no agent", kind="unreachable")

        pool.consul.before = before

    told = pool.execute("read", silence)
    assert told["did"] == "ignore"
    assert pool.place.sent == []


# --- it begins once ------------------------------------------------------------------------------


@pytest.mark.parametrize("serves", [True, False])
def test_who_comes_second_looks_back_and_sends_nothing(pool: Pool, serves: bool) -> None:
    """Another process of this node wrote *issued* after our look and before our own word."""
    pool.intend()

    def other() -> None:
        pool.say(Life.ISSUED)
        pool.place.sleep(1)
        if serves:
            pool.place.come_up()

    told = pool.execute("judged", other)
    assert told["did"] == "look_back"
    assert pool.place.sent == []
    assert pool.outcome() == ("applied" if serves else "issued")


def test_what_was_begun_by_a_process_that_died_is_never_begun_again(pool: Pool) -> None:
    pool.intend()
    pool.say(Life.ISSUED)
    told = pool.execute()
    assert (told["did"], told["outcome"], pool.outcome()) == ("look_back", None, "issued")
    pool.place.come_up()
    assert (pool.execute()["did"], pool.outcome()) == ("look_back", "applied")
    assert pool.place.sent == []


@pytest.mark.parametrize(
    "changed",
    [{"port": None}, {"port": Unknown("?")}, {"alive": Unknown("?")}, {"alive": False}],
    ids=str,
)
def test_looking_back_calls_nothing_applied_that_may_not_serve(
    pool: Pool, changed: dict[str, Any]
) -> None:
    pool.intend()
    pool.say(Life.ISSUED)
    pool.place.brick = replace(fleet.WELL, **changed)
    pool.place.sleep(1)
    assert (pool.execute()["did"], pool.outcome()) == ("look_back", "issued")


@pytest.mark.parametrize(("kind", "did"), [("timeout", "look_back"), ("forbidden", "ignore")])
def test_a_begin_that_nobody_answered_is_taken_for_begun(pool: Pool, kind: str, did: str) -> None:
    pool.intend()

    def cut() -> None:
        def before(method: str, path: str) -> None:
            if path == "txn" and method == "PUT" and not pool.place.sent:
                pool.consul.before = lambda method, path: None
                raise ConsulError("cut", kind=kind, maybe_done=kind == "timeout")

        pool.consul.before = before

    assert pool.execute("judged", cut)["did"] == did
    assert pool.place.sent == []


def test_what_is_forged_or_done_takes_no_lock_and_nobody_queues_behind_another(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """150 events left a node without an answer for 98 s."""

    def busy(*wait_s: float) -> Any:
        raise Conflict("another change is running here", kind="node_busy")

    monkeypatch.setattr(node, "one_job", busy)
    assert names(pool.execute(op="forged")) == {"operation_known"}
    pool.intend(executor="gfn3")
    assert names(pool.execute()) == {"named_here"}
    pool.intend()
    monkeypatch.setattr(node, "one_job", lambda wait_s: pytest.fail("it waits for the lock"))
    monkeypatch.setattr(node, "one_executor", busy)
    assert names(pool.execute()) == {"node_free"}
    assert pool.place.looks == 0, "none of it looks at gluster"


def test_a_flood_in_any_names_costs_a_few_reads_each_no_lock_and_no_look(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who asks is not looked at, so no name goes round a limit: what is asked for decides."""
    for lock in ("one_job", "one_executor"):
        monkeypatch.setattr(node, lock, lambda *wait_s: pytest.fail("it takes a lock"))
    pool.intend(executor="gfn3")
    pool.store.write(pool.store.keys.operation("op2"), fleet.operation(id="op2", state=Life.DONE)
                     .to_data())  # fmt: skip
    pool.consul.requests.clear()
    written = dict(pool.consul.keys)
    for number in range(150):
        for operation in (f"forged{number}", "op1", "op2", f"../{number}", "x" * 5000):
            assert pool.execute(op=operation)["did"] == "ignore"
    assert pool.place.looks == 0
    assert pool.consul.keys == written, "nobody is told anything"
    assert len(pool.consul.requests) <= 5 * 5 * 150


def test_a_minion_that_is_configured_to_change_nothing_refuses_by_name(pool: Pool) -> None:
    pool.intend()
    told = carry_out("op1", pool.place, {}, only_tells=True)  # type: ignore[arg-type]
    refused(pool, told, "may_change")
