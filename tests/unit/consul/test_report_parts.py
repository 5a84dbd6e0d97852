"""A report is written in parts, and read whole; what does not fit makes one node unknown."""

from __future__ import annotations

import copy
import json
import random
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import fleet
import pytest
from fake_consul import FakeConsul

from salt_gluster.consul import report_parts
from salt_gluster.consul.cluster_snapshot import ClusterSnapshot
from salt_gluster.consul.cluster_state import ClusterState
from salt_gluster.consul.codec import pack
from salt_gluster.consul.report_parts import all_reports, some_reports, write_report
from salt_gluster.consul.store import Store
from salt_gluster.errors import ConsulError
from salt_gluster.model import Unknown

OWN, OTHER = fleet.GFN1, fleet.GFN3


def report(node: str = OWN, volumes: int = 40, **changed: Any) -> dict[str, Any]:
    """Return a report of a pool that has so many volumes, and 60 members more."""
    chance = random.Random(volumes)
    many = {
        f"v{n}": replace(fleet.VOLUME, name=f"v{n}", id=str(uuid.UUID(int=chance.getrandbits(128))))
        for n in range(volumes)
    }
    data = fleet.report_data(node, fleet.facts(node, volumes=many))
    others = [str(uuid.UUID(int=chance.getrandbits(128))) for _ in range(60 if volumes > 3 else 0)]
    data["peers"] += [
        {"uuid": u, "names": [u], "is_self": False, "connected": True, "state": 3} for u in others
    ]
    data["reach"] = {u: {"accepts": True, "max_op_version": 100000} for u in others}
    data["facts"]["connected"] |= dict.fromkeys(others, True)
    del data["facts"]["volumes"]
    plain: dict[str, Any] = json.loads(json.dumps(data | changed))
    return plain


SILENT = {"unknown": "glusterd does not run"}
#: What a node tells whose glusterd does not run.
AWAY = {**report(), "peers": SILENT, "volumes": SILENT, "reach": {}, "uuid": ""}
AWAY["facts"] = {**AWAY["facts"], "connected": SILENT}


class Written:
    """What goes to Consul's servers to be stored, in bytes."""

    def __init__(self) -> None:
        self.consul = FakeConsul()
        self.store = Store(self.consul.client(), "main")

    def bytes_of(self, node: str, told: Mapping[str, Any]) -> int:
        """Write a report; return how much of it was sent as values."""
        sent = 0
        commit = self.store.commit

        def counted(ops: Any, **more: Any) -> None:
            nonlocal sent
            sent += sum(len(op["KV"].get("Value") or "") * 3 // 4 for op in ops)
            commit(ops, **more)

        self.store.commit = counted  # type: ignore[method-assign]
        try:
            write_report(self.store, node, told)
        finally:
            self.store.commit = commit  # type: ignore[method-assign]
        return sent

    def read(self, node: str = OWN) -> Any:
        """Return a node's report as every reader has it."""
        found, again = all_reports(self.store)[node], some_reports(self.store, [node])[node]
        assert repr(found) == repr(again)
        snapshot = ClusterSnapshot.read(self.consul.client(), "main", reports=True)
        state = ClusterState(self.consul.client(), "main")
        state.collect()
        if isinstance(found, Unknown):
            assert isinstance(snapshot.reports[node], Unknown)
            assert isinstance(state.facts[node], Unknown)
            return found
        assert snapshot.reports[node] == state.reports[node] == found.data
        return found.data


@pytest.fixture
def here() -> Written:
    return Written()


def test_a_report_is_read_as_it_was_written(here: Written) -> None:
    for told in (report(), report(volumes=1), AWAY):
        before = copy.deepcopy(told)
        write_report(here.store, OWN, told)
        assert here.read() == before == told


def test_a_small_pools_report_is_one_document_that_an_operator_can_read(here: Written) -> None:
    write_report(here.store, OWN, report(volumes=1))
    assert [k for k in here.consul.keys if "/nodes/" in k] == [here.store.keys.node(OWN)]
    assert json.loads(here.consul.keys[here.store.keys.node(OWN)]["Value"]) == report(volumes=1)


def test_what_is_long_is_written_once_and_what_a_look_brings_costs_little(here: Written) -> None:
    first = here.bytes_of(OWN, report())
    again = here.bytes_of(OWN, report(at=fleet.NOW + 3, bricks={}, version="10.4"))
    whole = len(pack(report()))
    assert first < whole / 2
    assert again < whole / 20
    assert here.read()["version"] == "10.4"


def test_a_glusterd_that_ends_and_comes_back_writes_no_definition_anew(here: Written) -> None:
    here.bytes_of(OWN, report())
    told = here.bytes_of(OWN, AWAY)
    assert here.read() == AWAY
    back = here.bytes_of(OWN, report())
    assert max(told, back) < len(pack(report())) / 20


def test_a_changed_definition_is_written_and_the_members_are_not(here: Written) -> None:
    here.bytes_of(OWN, report())
    told = report()
    told["volumes"]["v0"]["status"] = "Stopped"
    before = here.consul.keys[here.store.keys.report_part(OWN, "members")]["ModifyIndex"]
    write_report(here.store, OWN, told)
    assert here.read()["volumes"]["v0"]["status"] == "Stopped"
    row = here.consul.keys[here.store.keys.report_part(OWN, "members")]
    assert row["ModifyIndex"] == before


def test_a_consul_that_lost_a_part_gets_it_again(here: Written) -> None:
    write_report(here.store, OWN, report())
    here.store.remove(here.store.keys.report_part(OWN, "volumes"))
    assert isinstance(here.read(), Unknown)
    write_report(here.store, OWN, report())
    assert here.read() == report()


def test_a_second_process_of_the_node_never_mixes_its_parts_with_ours(here: Written) -> None:
    """Between our look at the stored part and our write it writes another one."""
    write_report(here.store, OWN, report())
    other = report(volumes=41)
    trees, times = here.store.trees, iter([other, None])

    def meanwhile(prefixes: Any) -> Any:
        read = trees(prefixes)
        if (told := next(times)) is not None:
            here.store.trees = trees  # type: ignore[method-assign]
            write_report(here.store, OWN, told)
            here.store.trees = meanwhile  # type: ignore[method-assign]
        return read

    here.store.trees = meanwhile  # type: ignore[method-assign]
    write_report(here.store, OWN, report())
    here.store.trees = trees  # type: ignore[method-assign]
    assert here.read() == report()


def test_parts_that_are_too_long_for_one_transaction_go_before_the_report(
    here: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_parts, "MOST_BYTES", 1000)
    write_report(here.store, OWN, report())
    assert here.read() == report()


@pytest.mark.parametrize("part", ["volumes", "members"])
@pytest.mark.parametrize("value", [b"", b"{broken", b"[1]", b"lzma:x", b"5", None])
def test_a_part_that_is_not_what_the_report_names_makes_that_node_alone_unknown(
    here: Written, part: str, value: bytes | None
) -> None:
    for node in (OWN, OTHER):
        write_report(here.store, node, report(node))
    key = here.store.keys.report_part(OWN, part)
    if value is None:
        del here.consul.keys[key]
    else:
        here.consul.keys[key]["Value"] = value
        named = here.consul.keys[here.store.keys.node(OWN)]
        own = here.store.read(here.store.keys.node(OWN))
        assert own is not None
        for checksum in ("0" * 64, 5, report_parts.checksum(value)):
            own.data["parts"][part] = checksum
            named["Value"] = pack(own.data)
            assert isinstance(here.read(), Unknown)
    assert isinstance(here.read(), Unknown)
    assert here.read(OTHER) == report(OTHER)


def test_a_good_part_that_another_report_named_is_none_of_this_one(here: Written) -> None:
    write_report(here.store, OWN, report(volumes=41))
    key = here.store.keys.report_part(OWN, "volumes")
    other = here.consul.keys[key]["Value"]
    write_report(here.store, OWN, report())
    assert here.read() == report()
    here.consul.keys[key]["Value"] = other
    assert isinstance(here.read(), Unknown)


def test_equal_definitions_are_one_object_for_all_nodes(here: Written) -> None:
    """So 300 reports of 200 volumes take the memory of one."""
    for node in (OWN, OTHER):
        write_report(here.store, node, report(node))
    first, second = (r.data for r in all_reports(here.store).values())  # type: ignore[union-attr]
    assert first["volumes"] is second["volumes"]


def test_what_consul_does_not_take_is_an_error(here: Written) -> None:
    def full(method: str, path: str) -> None:
        if method == "PUT":
            raise ConsulError("no", kind="server_error")

    here.consul.before = full
    with pytest.raises(ConsulError):
        write_report(here.store, OWN, report())
