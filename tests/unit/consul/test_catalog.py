"""Whose a row is, and what a check says: the master's admission decides, not the row's own words.

What a hostile node can write is tried in tests/integration/test_consul_acl_and_tls.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from salt_gluster.consul import queries
from salt_gluster.consul.admitted import read, record, withdraw
from salt_gluster.consul.catalog import (
    Catalog,
    believe,
    catalog,
    consul_view,
    critical_checks,
    identified,
)
from salt_gluster.consul.codec import pack
from salt_gluster.consul.keys import Keys
from salt_gluster.consul.service import members
from salt_gluster.errors import ConsulError
from salt_gluster.remediation.membership import ConsulView, Signal, ViewTrust

ADMITTED = {"g1": "u1", "g2": "u2", "g4": "u4"}
FRESH = ViewTrust(True)


def row(node: str, uuid: str, minion: str = "", cluster: str = "main", **more: Any) -> Any:
    meta = {"cluster": cluster, "peer_uuid": uuid, "minion_id": minion or node}
    return {"Node": node, "ServiceID": "gluster", "ServiceMeta": meta, **more}


TRUE = [row("g1", "u1"), row("g2", "u2"), row("g4", "u4")]


def critical(node: str, check: str, *, of_service: bool = False, **more: Any) -> dict[str, Any]:
    service = {"ServiceID": "gluster", "ServiceName": "gluster"} if of_service else {}
    return {"Node": node, "CheckID": check, "Status": "critical", **service, **more}


def view(rows: list[Any], *checks: Any, admitted: Any = ADMITTED) -> ConsulView:
    return consul_view(catalog(rows, "main", admitted), critical_checks(checks), FRESH, 1)


def who(seen: ConsulView) -> dict[str, str]:
    return {uuid: node.minion for uuid, node in seen.registered.items()}


def test_in_which_zone_a_node_is_says_the_declaration_not_its_row() -> None:
    """A whole zone that is not well stops automation: a hostile node counts itself in, or out."""
    rows = [row("g1", "u1"), row("g2", "u2"), row("g4", "u4"), row("g7", "u7")]
    for found, zone in zip(rows, ("north", "north", "north", "south"), strict=True):
        found["ServiceMeta"]["zone"] = zone
    admitted = {**ADMITTED, "g7": "u7"}
    spec = {"nodes": ["g[1-2]", "g4"], "zones": {"north": ["g[1-2]"]}}
    known = catalog(rows, "main", admitted, spec)
    assert known.zones == {"north": {"u1", "u2"}, "g4": {"u4"}, "south": {"u7"}}
    for none in (None, [1], {"nodes": 3}, "x"):
        assert identified(known, admitted, none).zones["north"] == {"u1", "u2", "u4"}


MEANT = {"u1": "g1", "u2": "g2", "u4": "g4"}


def test_rows_that_say_what_the_master_admitted_contradict_nothing() -> None:
    seen = view(TRUE)
    assert (who(seen), dict(seen.contradicted)) == (MEANT, {})


@pytest.mark.parametrize(
    ("forged", "told"),
    [
        (row("g4", "u2", "g2"), "g4"),
        (row("g4", "u9", "g9"), "g4"),
        (row("g4", "u4", "g2"), "g4"),
        (row("g4", "u4", cluster="other"), "g4"),
        (row("g4", ""), "g4"),
    ],
    ids=["as another", "as nobody", "another's minion", "another pool", "without a uuid"],
)
def test_a_row_is_its_node_s_whatever_it_says(forged: Any, told: str) -> None:
    """Rewritten by itself or by another one: neither is another one by it, nor is it away."""
    seen = view([*TRUE[:2], forged])
    assert who(seen) == MEANT
    assert list(seen.contradicted) == [told]
    assert "the master has admitted it with u4" in seen.contradicted["g4"]


def test_a_row_of_a_node_that_was_not_admitted_is_nobody_s() -> None:
    seen = view([*TRUE, row("g9", "u9"), row("x1", "u2", "g2"), row("web", "u", cluster="other")])
    assert who(seen) == MEANT
    assert set(seen.contradicted) == {"g9", "x1"}


def test_a_second_row_of_a_node_is_nobody_s_and_is_told() -> None:
    """With its token a node registers any number of them, on any node."""
    second = row("g4", "u2", "g2", ServiceID="gluster-2")
    seen = view([second, *TRUE])
    assert who(seen) == MEANT
    assert list(seen.contradicted) == ["g4"]
    assert list(view([*TRUE, {"ServiceID": "?", queries.TOO_MANY: True}]).contradicted) == ["?"]


def test_no_second_row_puts_another_node_into_maintenance_or_lifts_it() -> None:
    rows = [*TRUE[:2], row("g4", "u2", "g2")]
    own = critical("g4", "_service_maintenance:gluster", of_service=True, Notes="mine")
    seen = view(rows, own)
    assert [u for u, n in seen.registered.items() if n.maintenance] == ["u4"]
    seen = view(rows, critical("g2", "_node_maintenance", Notes="ram (ann)"))
    assert [(u, n.held_for) for u, n in seen.registered.items() if n.maintenance] == [
        ("u2", "ram (ann)")
    ]


def test_a_renamed_or_replaced_node_is_who_it_was_admitted_as() -> None:
    """Its old row, and one with its old uuid, stand there until they are gone."""
    renamed = view([row("old", "u1"), row("g1", "u1")], critical("old", "serfHealth"))
    assert (who(renamed), renamed.signal("u1")) == ({"u1": "g1"}, Signal.GOOD)
    replaced = view([row("g1", "the-one-before")])
    assert (who(replaced), list(replaced.contradicted)) == ({"u1": "g1"}, ["g1"])


# --- where no master admits ----------------------------------------------------------------------


def test_without_an_admission_rows_are_what_they_say() -> None:
    seen = view([*TRUE, row("web", "u", cluster="other"), row("g9", "")], admitted={})
    assert (who(seen), dict(seen.contradicted)) == (MEANT, {})


def test_without_an_admission_two_that_are_alive_as_one_are_none() -> None:
    """Which of them it is nobody knows: nothing is decided, and it is told."""
    seen = view([*TRUE, row("g9", "u2", "g2")], admitted={})
    assert seen.signal("u2") is Signal.UNKNOWN
    assert set(seen.contradicted) == {"g2", "g9"}
    assert "u2" in seen.odd
    renamed = view([*TRUE, row("g9", "u2")], critical("g9", "serfHealth"), admitted={})
    assert (renamed.signal("u2"), dict(renamed.contradicted)) == (Signal.GOOD, {})
    dead = [critical(n, "serfHealth") for n in ("g2", "g9")]
    assert view([*TRUE, row("g9", "u2")], *dead, admitted={}).signal("u2") is Signal.BAD


def test_an_admission_that_comes_later_makes_other_members_of_the_same_rows() -> None:
    raw = catalog([*TRUE[:2], row("g4", "u2", "g2"), row("g9", "u9")], "main")
    assert set(raw.names) == {"u1", "u2", "u9"}
    assert dict(identified(raw, ADMITTED).names) == MEANT
    assert identified(identified(raw, ADMITTED), {}).names == raw.names


# --- checks --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gossip", "signal"), [(1, Signal.GOOD), (4, Signal.BAD), (3, Signal.UNKNOWN), (0, None)]
)
@pytest.mark.parametrize("status", ["critical", "passing"])
def test_a_check_over_consul_s_own_is_no_word_on_whether_a_node_lives(
    status: str, gossip: int, signal: Signal | None
) -> None:
    """Whoever may write the service writes it, for any node, critical or passing."""
    forged = critical("g2", "serfHealth", of_service=True, Status=status, Gossip=gossip)
    seen = view(TRUE, forged)
    assert seen.signal("u2") is (signal or Signal.UNKNOWN)
    assert list(seen.contradicted) == ["g2"]
    assert "u2" in seen.odd or signal is Signal.GOOD


@pytest.mark.parametrize("status", ["critical", "passing"])
def test_a_maintenance_that_was_overwritten_counts(status: str) -> None:
    over = critical("g2", "_node_maintenance", of_service=True, Status=status)
    seen = view(TRUE, over)
    assert seen.registered["u2"].maintenance
    assert list(seen.contradicted) == ["g2"]
    service = critical("g2", "_service_maintenance:gluster", of_service=True, Status="passing")
    assert view(TRUE, service).registered["u2"].maintenance


def test_both_of_consul_s_own_maintenances_count() -> None:
    for check, of_service in (("_node_maintenance", False), ("_service_maintenance:gluster", True)):
        seen = view(TRUE, critical("g2", check, of_service=of_service, Notes="ram (ann)"))
        assert seen.registered["u2"].held_for == "ram (ann)"
        assert dict(seen.contradicted) == {}


# --- the records ---------------------------------------------------------------------------------


class Keeps:
    """A Consul that keeps keys; a transaction takes 64 operations."""

    def __init__(self) -> None:
        from fake_consul import FakeConsul

        self.fake = FakeConsul()
        self.client = self.fake.client()


def test_a_master_writes_its_own_records_and_takes_only_its_own_away() -> None:
    client = Keeps().client
    assert record(client, "main", {"g1": "u1", "g2": ""}) == ["g1"]
    rev = client.kv_get(Keys("main").rev)
    assert rev is not None and rev.value == b"1", "the engine is woken"
    assert record(client, "main", {"g1": "u1"}) == []
    assert record(client, "main", {"g1": "new", "g3": "u3"}) == ["g1", "g3"]  # a second master
    withdraw(client, "main", "g1")
    withdraw(client, "main", "g1")
    assert read(client, "main") == {"g3": "u3"}


def test_as_many_nodes_as_there_are_fit_in() -> None:
    client = Keeps().client
    nodes = {f"g{n}": f"u{n}" for n in range(200)}
    assert len(record(client, "main", nodes)) == 200
    assert read(client, "main") == nodes


@pytest.mark.parametrize("value", [b"", b"x", b"[1]", b"[[[[", pack({"uuid": None})])
def test_a_record_that_cannot_be_read_admits_nobody_and_is_one(value: bytes) -> None:
    client = Keeps().client
    client.kv_put(Keys("main").admitted("g1"), value)
    (uuid,) = read(client, "main").values()
    believed, contradicted = believe(members([row("g1", "u1")]), "main", {"g1": uuid})
    assert believed[0].uuid == uuid != "u1"
    assert list(contradicted) == ["g1"]


# --- what is asked for ---------------------------------------------------------------------------


def test_more_rows_than_nodes_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Keeps().fake
    fake.catalog = [*TRUE, *(row("g4", "u2", ServiceID=f"s{n}") for n in range(5000))]
    client = fake.client()
    monkeypatch.setattr(
        type(client), "catalog_services", lambda self, index, wait: queries.Reply({}, 7, "d")
    )
    before = queries.roster(client)(0, 0)
    rows = before.data
    assert len(rows) == len(TRUE) + 1
    assert list(catalog(rows, "main", ADMITTED).contradicted) == ["?"]
    fake.catalog = fake.catalog[:5]
    after = queries.roster(client)(0, 0)
    assert len(after.data) == 5
    assert after.digest != before.digest, "else a watch tells it to nobody"
    with pytest.raises(ConsulError, match="more than 100 bytes"):
        client.catalog_service("gluster", where='ServiceID != "gluster"', most=100)


def test_what_overwrites_consul_s_own_is_looked_for_at_most_every_ten_seconds() -> None:
    fake, now = Keeps().fake, 100.0
    fake.checks = [critical("g2", "serfHealth", of_service=True, Status="passing")]
    fake.members = [{"Name": "g2", "Status": 4}]
    ask = queries.critical(fake.client(), lambda: now)
    first = ask(0, 0)
    assert [r["Gossip"] for r in first.data] == [4]
    fake.members = [{"Name": "g2", "Status": 1}]
    assert ask(5, 10).digest == first.digest
    now += 10
    other = ask(5, 10)
    assert ([r["Gossip"] for r in other.data], other.digest != first.digest) == ([1], True)
    asked = [path for path in fake.requests if "checks" in path]
    assert len(asked) == 2


def test_an_empty_catalog_is_one() -> None:
    assert Catalog().names == {}
    assert catalog([], "main", ADMITTED).nodes == ()
