"""What the pool keeps in Consul: documents, versions, stops, on a Consul in memory."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from fake_consul import FakeConsul

from salt_gluster.consul.client import Client
from salt_gluster.consul.documents import Document
from salt_gluster.consul.store import Store
from salt_gluster.errors import ConsulError, SpecError
from salt_gluster.model import Hold, Unknown

SAID: dict[str, Any] = {"by": "m1", "why": "submitted", "now": 1.0}


@pytest.fixture
def consul() -> FakeConsul:
    return FakeConsul()


@pytest.fixture
def here(consul: FakeConsul) -> Client:
    return consul.client()


@pytest.fixture
def store(here: Client) -> Store:
    return Store(here, "main")


def kind(ask: Callable[[], object]) -> str:
    try:
        ask()
    except ConsulError as err:
        return err.kind
    return ""


def noise(size: int) -> dict[str, list[str]]:
    """A document of so many bytes that no program makes shorter."""
    chance = random.Random(size)
    return {"noise": [chance.randbytes(50).hex() for _ in range(size // 50)]}


def rev(here: Client, store: Store) -> int:
    entry = here.kv_get(store.keys.rev)
    return 0 if entry is None else int(entry.value)


def test_a_document_is_one_key_whatever_its_size(here: Client, store: Store) -> None:
    small, big = {"a": [1, 2.5, None, "é"]}, {"text": "gluster " * 100_000}
    for document in (small, big, small):
        store.write(store.keys.members, document, seen=True)
        read = store.read(store.keys.members)
        assert read is not None and read.data == document
        assert here.kv_keys(store.keys.members) == [store.keys.members]
    assert rev(here, store) == 3


def test_a_write_is_one_transaction_and_one_look_at_the_counter(
    consul: FakeConsul, store: Store
) -> None:
    store.write(store.keys.members, {"a": 1})
    assert consul.requests == ["PUT txn"]
    consul.requests.clear()
    store.write(store.keys.members, {"a": 2}, seen=True)
    assert consul.requests == ["GET kv/gluster/main/rev", "PUT txn"]


def test_what_is_too_big_is_not_written_and_what_stood_there_stays(store: Store) -> None:
    store.write(store.keys.members, {"a": 1})
    assert kind(lambda: store.write(store.keys.members, noise(400_000))) == "too_big"
    read = store.read(store.keys.members)
    assert read is not None and read.data == {"a": 1}


def test_a_document_that_was_written_by_hand_is_unreadable_alone_and_among_others(
    here: Client, store: Store
) -> None:
    here.kv_put(store.keys.node("u"), "{broken")
    assert kind(lambda: store.read(store.keys.node("u"))) == "unreadable"
    (found,) = store.all(store.keys.node(""))
    assert isinstance(found, Unknown)


def test_many_documents_are_read_at_once_and_those_that_are_not_there_are_no_failure(
    consul: FakeConsul, here: Client, store: Store
) -> None:
    big = {"text": "gluster " * 100_000}
    store.write(store.keys.node("u1"), {"n": 1})
    store.write(store.keys.node("u2"), big)
    here.kv_put(store.keys.node("u3"), "{broken")
    uuids = ["u1", "u2", "u3", *(f"absent{i}" for i in range(130))]
    consul.requests.clear()
    first, second, third = store.several([store.keys.node(u) for u in uuids])
    assert isinstance(first, Document) and isinstance(second, Document)
    assert [first.data, second.data] == [{"n": 1}, big]
    assert isinstance(third, Unknown)
    assert len(consul.requests) == 3  # 64 operations each


def test_a_writer_that_loses_the_race_for_the_counter_alone_tries_again(
    consul: FakeConsul, here: Client, store: Store
) -> None:
    other = Store(here, "main")
    lost = iter(range(3))

    def overtake(method: str, path: str) -> None:
        if method == "PUT" and next(lost, None) is not None:
            consul.before = lambda *_: None
            other.write(other.keys.proposal(f"p{consul.index}"), {}, seen=True)
            consul.before = overtake

    consul.before = overtake
    store.propose("mine", {"n": 1})
    assert rev(here, store) == len(store.proposals()) == 4


def test_a_writer_that_loses_the_race_for_the_document_does_not(store: Store) -> None:
    store.write(store.keys.pillar, {"n": 1})
    assert kind(lambda: store.write(store.keys.pillar, {"n": 2}, cas=0, seen=True)) == "conflict"
    assert store.read(store.keys.rev) is None


# --- versions ------------------------------------------------------------------------------------


def test_versions_count_up_and_the_same_content_is_the_same_version(store: Store) -> None:
    assert store.current() is None
    assert [store.accept(c, **SAID) for c in ({"n": 1}, {"n": 1}, {"n": 2})] == [1, 1, 2]
    # A leader died between version and pointer: its number is taken over.
    store.write(store.keys.version(3), {"n": "orphan"})
    assert store.accept({"n": 3}, **SAID) == 3
    now, first = store.current(), store.version(1)
    assert isinstance(now, Document)
    assert isinstance(first, Document)
    assert (now.data["n"], first.data["n"], now.data["why"]) == (3, 1, "submitted")


def test_nothing_points_to_a_version_that_another_leader_has_replaced_meanwhile(
    consul: FakeConsul, here: Client, store: Store
) -> None:
    def replace(method: str, path: str) -> None:
        if (method, path) == ("PUT", "txn"):
            consul.before = lambda *_: None
            here.kv_put(store.keys.version(1), b'{"n": "of another leader"}')

    consul.before = replace
    assert kind(lambda: store.accept({"n": 1}, **SAID)) == "conflict"
    assert store.current() is None


def test_a_version_is_not_written_by_whoever_does_not_lead(
    consul: FakeConsul, store: Store
) -> None:
    def fenced() -> list[Any]:
        raise ConsulError("somebody else leads", kind="fenced")

    assert kind(lambda: store.accept({"n": 1}, guard=fenced, **SAID)) == "fenced"
    assert not [request for request in consul.requests if request.startswith("PUT")]


def test_a_version_may_be_bigger_than_a_transaction(here: Client, store: Store) -> None:
    big = noise(400_000)
    assert kind(lambda: store.write(store.keys.members, big)) == "too_big"
    assert store.accept(big, **SAID) == 1
    current = store.current()
    assert current is not None and current.data["noise"] == big["noise"]
    assert len(here.kv_keys(store.keys.versions)) == 1


def test_of_old_versions_the_newest_and_the_accepted_one_are_kept(
    here: Client, store: Store
) -> None:
    for number in range(1, 6):
        store.accept({"n": number}, by="m1", why="", now=1.0, notes={"before": number - 1})
    assert store.prune_versions(2, also={1}) == 2
    assert store.version_numbers() == [1, 4, 5]
    assert here.kv_keys(store.keys.version(2)) == []
    kept = [d.data["n"] for d in store.versions([1, 2, 5]) if isinstance(d, Document)]
    assert kept == [1, 5]
    assert store.accept({"n": 5}, by="m2", why="", now=2.0, notes={"before": 9}) == 5


def test_an_old_operation_is_pruned_with_its_outcome_and_another_keeps_its_own(
    here: Client, store: Store
) -> None:
    for number in range(70):
        node = "by/hand" if number == 1 else f"u{number % 2}"  # no executor has such a key
        store.write(store.keys.operation(f"op{number}"), {"node": node})
        store.write_outcome(f"u{number % 2}", f"op{number}", {"state": "applied"})
    store.write_outcome("u1", "op0", {"state": "applied"})  # of another node: not op0's outcome
    finished = [d for d in store.operations() if isinstance(d, Document)]
    assert store.prune_operations(finished, 2) == 68
    assert here.kv_keys(store.keys.operation("")) == [
        store.keys.operation("op68"), store.keys.operation("op69")
    ]  # fmt: skip
    assert sorted(here.kv_keys(store.keys.outcomes)) == [
        store.keys.outcome("u0", "op68"), store.keys.outcome("u1", "op0"),
        store.keys.outcome("u1", "op1"), store.keys.outcome("u1", "op69"),
    ]  # fmt: skip
    assert store.prune_operations(finished[-2:], 2) == 0


# --- what operators and highstates write ---------------------------------------------------------


def test_whatever_is_put_there_is_a_hold_and_silence_is_not_freedom(
    here: Client, store: Store
) -> None:
    assert isinstance(store.hold(), Unknown)  # no canary: an empty cluster proves nothing
    here.kv_put(store.keys.canary, "{}")
    assert store.hold() is None
    here.kv_put(store.keys.hold, "moving the rack\n")
    assert store.hold() == Hold("moving the rack")
    store.set_maintenance("u1", "ram", "bob", 6.0)
    assert store.maintenance("u1") == Hold("ram", "bob", 6.0)
    assert store.maintenance("u2") is None


def test_what_a_person_has_seen_is_kept_once_and_wakes_the_watchers(
    here: Client, store: Store
) -> None:
    assert store.acknowledged() == []
    store.acknowledge("main", "ann")
    store.acknowledge("op1", "ann")
    before = rev(here, store)
    store.acknowledge("main", "bob")
    assert rev(here, store) == before + 1
    told = [d.data for d in store.acknowledged() if isinstance(d, Document)]
    assert [(d["what"], d["by"]) for d in told] == [("main", "bob"), ("op1", "ann")]
    assert told[0]["once"] != told[1]["once"], "an equal one would keep the index of the first"
    with pytest.raises(SpecError):
        store.acknowledge("g1/../hold", "ann")


def test_a_submission_is_written_only_when_it_says_something_new(
    here: Client, store: Store
) -> None:
    said = {"schema": 1, "spec": {"nodes": ["g1"]}, "policy": {}}
    assert store.submit("u1", {**said, "at": 1.0, "by": "g1"})
    first = rev(here, store)
    assert not store.submit("u1", {**said, "at": 2.0, "by": "g1"})
    assert rev(here, store) == first
    assert store.submit("u2", {**said, "at": 3.0, "by": "g2"})
    assert store.submit("u1", {**said, "policy": {"restart_brick": "act"}, "at": 4.0, "by": "g1"})
    told = [(d.name, d.data["at"]) for d in store.submitted() if isinstance(d, Document)]
    assert told == [("u1", 4.0), ("u2", 3.0)]
    assert rev(here, store) == first + 2
