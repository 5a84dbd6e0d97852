"""What a node needs back that has lost everything, and what has to be so before it gets it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from salt_gluster.errors import NotFound, SpecError
from salt_gluster.model import Brick, NodeFacts, Volume
from salt_gluster.plan.restore import GlusterdIdentity, Lost, bricks_of, find, lost
from salt_gluster.render import render_restore
from salt_gluster.status.config_versions import reported_config
from salt_gluster.status.facts import facts_data, facts_from, volumes_data

UUID = "6798fc47-c029-463f-8655-d0fffcc2f018"
NAMES = {"u1": "g1", "u2": "g2", "u3": "g3"}
BRICKS = tuple(Brick(name, "/b", uuid) for uuid, name in NAMES.items())
DATA = Volume("data", "id-1", "Started", "replicate", BRICKS, 1, replica=3)
WELL = {"u1": 100000, "u2": 100000}


def report(uuid: str, volume: Volume = DATA, **rows: dict[str, Any]) -> dict[str, Any]:
    """Return what a member tells; ``rows`` change what it says of another."""
    peers = [
        {"uuid": u, "names": ["localhost"] if u == uuid else [name], "connected": u != "u3",
         "state": 3, "is_self": u == uuid, **rows.get(u, {})}
        for u, name in NAMES.items()
    ]  # fmt: skip
    facts = NodeFacts(1.0, volumes_without_info=(), volumes={"data": volume}, connected={},
                      changes=())  # fmt: skip
    return {"uuid": uuid, "node": NAMES[uuid], "names": [NAMES[uuid]], "peers": peers,
            "volumes": volumes_data({"data": volume}), "facts": facts_data(facts)}  # fmt: skip


def stored() -> dict[str, Any]:
    told = report("u1")
    one = reported_config(told, facts_from(told))
    assert one is not None
    return {
        "version": 7, "actual_digest": one.digest, "identities": {"u3": {"/b": "fs-3"}},
        "actual": {"volumes": told["volumes"], "peers": {u: [n] for u, n in NAMES.items()}},
    }  # fmt: skip


def judged(*reports: dict[str, Any], numbers: dict[str, int] = WELL) -> Lost:
    return lost(stored(), "u3", "g3", {r["uuid"]: r for r in reports}, numbers)


def no(found: Lost) -> set[str]:
    return {check.name for check in found.checks if not check.yes}


def test_the_files_are_those_that_glusterd_takes() -> None:
    found = judged(report("u1"), report("u2"))
    assert no(found) == set()
    assert found.identity is not None
    assert found.identity.files() == {
        "/var/lib/glusterd/glusterd.info": "UUID=u3\noperating-version=100000\n",
        "/var/lib/glusterd/peers/u1": "uuid=u1\nstate=3\nhostname1=g1\n",
        "/var/lib/glusterd/peers/u2": "uuid=u2\nstate=3\nhostname1=g2\n",
    }


def test_a_peer_has_the_name_that_the_pool_knows_it_by() -> None:
    found = judged(report("u1", u2={"names": ["10.0.0.2", "g2"]}), report("u2"))
    assert found.identity is not None
    assert found.identity.peers == {"u1": "g1", "u2": "10.0.0.2"}


OTHER = Volume("data", "id-1", "Stopped", "replicate", BRICKS, 1, replica=3)


@pytest.mark.parametrize(
    ("reports", "numbers", "against"),
    [
        ([report("u1")], WELL, {"members_answer"}),
        ([report("u1", u2={"connected": False}), report("u2")], WELL, {"members_are_whole"}),
        ([report("u1", u2={"state": 6}), report("u2")], WELL, {"members_are_whole"}),
        ([report("u1"), report("u2", u3={"uuid": "new"})], WELL,
         {"members_expect_it", "members_are_the_same", "members_are_whole",
          "definitions_are_stored"}),
        ([report("u1"), report("u2", OTHER)], WELL, {"definitions_are_stored"}),
        ([report("u1"), report("u2")], {"u1": 100000, "u2": 110000}, {"one_op_version"}),
        ([report("u1"), report("u2")], {}, {"one_op_version"}),
    ],
)  # fmt: skip
def test_what_speaks_against_it_is_named(
    reports: list[dict[str, Any]], numbers: dict[str, int], against: set[str]
) -> None:
    found = judged(*reports, numbers=numbers)
    assert no(found) == against
    if "one_op_version" in against:  # a wrong one was never tried: no files without it
        assert found.identity is None


def test_what_was_never_proven_is_not_done() -> None:
    version = copy.deepcopy(stored())
    version["actual"]["volumes"]["data"]["options"]["features.quota"] = "on"
    found = lost(version, "u3", "g3", {u: report(u) for u in ("u1", "u2")}, WELL)
    assert no(found) == {"plain_volumes"}


@pytest.mark.parametrize("name", ["g3", "u3", "minion-3"])
def test_it_is_found_by_each_of_its_names(name: str) -> None:
    assert find(stored(), name, {"minion-3": "u3"}) == ("u3", "g3")


def test_a_node_that_the_store_does_not_know_is_said_with_those_it_knows() -> None:
    with pytest.raises(NotFound, match="g9") as problem:
        find(stored(), "g9", {"g9": "u9"})
    assert "g1, g2, g3" in str(problem.value)


def plan(**more: Any) -> dict[str, Any]:
    found = judged(report("u1"), report("u2"))
    assert found.identity is not None
    return {
        "pool": "prod", "node": "g3", "minion": "g3", "uuid": "u3", "version": 7,
        "version_at": 0.0, "ready": True, "restored": False, "files": found.identity.files(),
        "checks": [{"name": c.name, "yes": c.yes, "why": c.why} for c in found.checks],
        "bricks": bricks_of(stored(), "u3"),
        "then": ["gluster volume reset-brick data g3:/b start"], **more,
    }  # fmt: skip


def test_the_screen_has_the_files_the_answers_and_what_to_type() -> None:
    text = render_restore(plan())
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "    operating-version=100000" in text.splitlines()
    assert "salt-run gluster_operation.restore_config g3 confirm=u3" in text
    assert "g3:/b of data, lay on file system fs-3" in text


def test_a_plan_that_is_not_ready_does_not_show_how_to_do_it() -> None:
    checks = [{"name": "members_answer", "yes": None, "why": "silent: g2"}]
    text = render_restore(plan(ready=False, checks=checks))
    assert "confirm=" not in text
    assert "unknown members_answer" in text
    assert "cannot be: members_answer" in text


@pytest.mark.parametrize(
    ("uuid", "name"),
    [("../../x", "g1"), (UUID + "\n", "g1"), ("u3", "g1"), (UUID, "g1\nstate=6"), (UUID, "")],
)
def test_nothing_but_a_uuid_and_a_name_becomes_a_file(uuid: str, name: str) -> None:
    GlusterdIdentity(UUID, "g3", 1, {UUID: "g1"}).check()
    for identity in (
        GlusterdIdentity(uuid, "g3", 1, {UUID: name}),
        GlusterdIdentity(UUID, "g3", 1, {uuid: name}),
    ):
        with pytest.raises(SpecError):
            identity.check()
