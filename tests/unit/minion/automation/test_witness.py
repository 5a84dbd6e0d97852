"""What a node answers the leader: in Consul under its own right, hardly anything on the bus."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from fake_consul import FakeConsul
from fleet import GFN2, facts, report_data

from salt_gluster.consul.answers import confirmed_answers
from salt_gluster.consul.service import Member
from salt_gluster.consul.store import Store
from salt_gluster.errors import ConsulError
from salt_gluster.minion.automation import publish, registration, witness

#: What glusterd's files here define.
DEFINED = frozenset({("u1", "/b", "127.0.0.1")})
OWN = {"uuid": GFN2, "at": 5.0}
DRIVER: Any = SimpleNamespace(now=lambda: 7.0)


@pytest.fixture
def consul(monkeypatch: pytest.MonkeyPatch) -> FakeConsul:
    consul = FakeConsul()
    me = Member(GFN2, "gfn2", "gfn2", "main")
    monkeypatch.setattr(witness.node, "defined_bricks", lambda: DEFINED)
    monkeypatch.setattr(registration, "load_registration", lambda: me)
    monkeypatch.setattr(witness, "_client", lambda settings: consul.client())
    monkeypatch.setattr(publish.report, "collect_report", lambda driver: dict(OWN))
    return consul


def test_an_answer_to_the_leader_stands_in_consul_and_the_bus_has_only_that_it_does(
    consul: FakeConsul,
) -> None:
    said = witness.observe(DRIVER, {}, [["u1", "/b", "127.0.0.1", 1024]], "n1")
    assert said == {"schema": 1, "at": 7.0, "confirmed": True}
    store = Store(consul.client(), "main")
    (answer,) = confirmed_answers(store, [GFN2, "u-other"], "n1").values()
    assert (answer["at"], answer["ports"]) == (7.0, [["u1", "/b", False]])
    assert (answer["report"]["uuid"], answer["report"]["at"]) == (GFN2, 5.0)
    assert confirmed_answers(store, [GFN2], "another question") == {}


def test_what_consul_does_not_take_is_answered_by_the_bus(consul: FakeConsul) -> None:
    consul.takes_writes = False
    said = witness.observe(DRIVER, {}, [], "n1")
    assert "confirmed" not in said
    assert said["report"]["at"] == 5.0


def test_an_operator_who_asks_gets_the_whole_answer(consul: FakeConsul) -> None:
    said = witness.observe(DRIVER, {}, [])
    assert (said["report"]["uuid"], said["ports"]) == (GFN2, [])
    assert f"gluster/main/nodes/{GFN2}" in consul.keys


def test_who_cannot_write_says_why_so_that_the_leader_can_tell_it(consul: FakeConsul) -> None:
    def before(method: str, path: str) -> None:
        raise ConsulError("Consul refused it.", kind="forbidden", text="ACL not found")

    consul.before = before
    said = witness.observe(DRIVER, {}, [], "n1")
    assert "Consul refused it" in said["trouble"]
    assert "trouble" not in said["report"]


@pytest.mark.parametrize(
    ("uuid", "path", "host", "port", "dialled"),
    [
        ("u1", "/b", "127.0.0.1", 49152, True),
        ("u1", "/b", "127.0.0.2", 49152, False),
        ("u1", "/other", "127.0.0.1", 49152, False),
        ("u2", "/b", "127.0.0.1", 49152, False),
        ("u1", "/b", "127.0.0.1", 22, False),
        ("u1", "/b", "127.0.0.1", 0, False),
        ("u1", "/b", "127.0.0.1", 70000, False),
        ("u1", "/b", "127.0.0.1", "49152", False),
    ],
)
def test_only_a_brick_that_is_defined_here_is_connected_to(
    consul: FakeConsul, monkeypatch: pytest.MonkeyPatch,
    uuid: str, path: str, host: str, port: Any, dialled: bool,
) -> None:  # fmt: skip
    """Host and port are another node's word: they open no connection to anything else."""
    asked: list[tuple[str, int]] = []

    def accepts(host: str, port: int, limit_s: float) -> bool:
        asked.append((host, port))
        return True

    monkeypatch.setattr(witness.node, "accepts", accepts)
    said = witness.observe(DRIVER, {}, [[uuid, path, host, port]])
    assert said["ports"] == [[uuid, path, True if dialled else None]]
    assert asked == ([(host, port)] if dialled else [])


@pytest.mark.parametrize("broken", [{"bricks": 5}, {"bricks": {"/b": 5}}])
def test_a_record_of_its_own_bricks_that_cannot_be_read_stays_and_ends_no_report(
    consul: FakeConsul, broken: dict[str, Any]
) -> None:
    """What stands there is an operator's matter: the guards say so."""
    store, me = Store(consul.client(), "main"), Member(GFN2, "gfn2", "gfn2", "main")
    store.write(store.keys.identity(GFN2), broken, cas=0)
    publish.publish_report(store, me, report_data(GFN2, facts(GFN2)))
    kept = store.read(store.keys.identity(GFN2))
    assert kept is not None and kept.data == broken
