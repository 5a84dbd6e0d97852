"""The package ``consul`` on a real one: what hangs, who leads, what is fenced, what is believed.

What depends on the library runs once more, in an environment of its own, on python-consul 1.1.0; in
`make long` the whole file does.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from consul_world import (
    FENCED_ADDRESS,
    ROOT_TOKEN,
    Candidate,
    agent_with_acl,
    consul_leader,
    inside,
    make_token,
)
from fake_consul import FakeConsul
from needs import needs
from short_timers import short
from waiting import pace, until

from lab import Lab
from salt_gluster.consul import canary, service
from salt_gluster.consul.client import (
    Client,
    Op,
    Reply,
    cas_op,
    check_absent_op,
    check_index_op,
    check_session_op,
    delete_op,
    set_op,
    tree_op,
)
from salt_gluster.consul.codec import MOST_BYTES, MOST_VALUE_BYTES, pack
from salt_gluster.consul.documents import Document
from salt_gluster.consul.heartbeat import heartbeat_op
from salt_gluster.consul.keys import Keys
from salt_gluster.consul.leader_lock import LeaderLock, current_leader
from salt_gluster.consul.service import Member
from salt_gluster.consul.settings import Access, access
from salt_gluster.consul.store import Store
from salt_gluster.consul.transport import library_name
from salt_gluster.consul.trust import ViewState
from salt_gluster.consul.trust_probe import TrustProbe
from salt_gluster.consul.watch import BlockingWatch
from salt_gluster.consul.went_back import IndexGuard
from salt_gluster.errors import ConsulError, Fenced
from salt_gluster.model import LEASE, Hold, Unknown

ROOT = Path(__file__).resolve().parents[2]
#: Set in the second run: the lab that is up, and the library that must be found.
OTHER = os.environ.get("CONSUL_SUITE_LAB", "")
#: What a library for Consul has a part in: transport, documents, watches, registry.
OF_THE_LIBRARY = (
    "test_the_library_under_test_is_the_one_meant",
    "test_a_frozen_agent_costs_the_time_out_and_no_more",
    "test_nobody_at_the_address_is_told_at_once_and_nothing_was_done",
    "test_the_environment_is_read_in_one_place_and_never_overrides_what_was_given",
    "test_every_call_carries_the_token_and_a_missing_right_is_no_lost_race",
    "test_a_transaction_says_which_operation_failed_and_writes_nothing",
    "test_documents_of_any_size_come_back_and_leave_nothing_behind",
    "test_the_consul_of_the_unit_tests_answers_as_this_one_does",
    "test_a_clean_stop_hands_over_at_once",
    "test_a_watch_comes_through_a_restored_snapshot",
    "test_rereading_and_stopping_do_not_wait_for_consul",
    "test_a_node_is_registered_once_with_its_meta_and_keeps_its_states",
)
UUID = "0b2c8a5c-0000-4000-8000-00000000000{}"


@pytest.fixture(scope="module")
def pool() -> Iterator[Lab]:
    if OTHER:
        yield Lab.attach(OTHER)
        return
    with Lab.up("consulroom", nodes=3, salt=False, consul=True) as lab:
        yield lab


@pytest.fixture
def cluster(pool: Lab, request: pytest.FixtureRequest) -> Iterator[str]:
    """A cluster's name of this test's own; its keys and every fault are gone afterwards."""
    name = request.node.name.replace("_", "-")[5:45] + ("-old" if OTHER else "")
    yield name
    pool.heal_all()
    with inside(pool.node("g1")):
        client = Client(Access())
        until(lambda: _writes(client), 60, "Consul again")
        client.kv_delete(f"gluster/{name}/", recurse=True)


def _writes(client: Client) -> bool:
    try:
        return client.kv_put("probe", "1") and client.kv_get("probe") is not None
    except ConsulError:
        return False


@pytest.fixture
def here(pool: Lab) -> Iterator[Client]:
    """A client in g1, and this thread there; not for tests that break the network from outside."""
    with inside(pool.node("g1")):
        client = Client(Access())
        yield client
        client.close()


class Note:
    """The marker, in memory."""

    def __init__(self) -> None:
        self.clusters: set[str] = set()

    def seen(self, cluster: str) -> bool:
        return cluster in self.clusters

    def remember(self, cluster: str) -> None:
        self.clusters.add(cluster)


def test_the_library_under_test_is_the_one_meant() -> None:
    assert library_name() == ("python-consul" if OTHER else "py-consul")


# --- transport -----------------------------------------------------------------------------------


def test_a_frozen_agent_costs_the_time_out_and_no_more(pool: Lab, cluster: str) -> None:
    node = pool.node("g2")
    with inside(node):
        quick, client = Client(Access(), timeout_s=LEASE.renew_timeout_s), Client(Access())
        client.kv_get("probe")
    pool.fault("consul-freeze", "g2")
    times, kinds = [], []
    with inside(node):
        for ask in (
            lambda: quick.kv_get("probe"),
            lambda: quick.session_renew("x"),
            lambda: client.kv_watch("probe", 1_000_000, 1),
        ):
            began = time.monotonic()
            with pytest.raises(ConsulError) as caught:
                ask()
            times.append(time.monotonic() - began)
            kinds.append((caught.value.kind, caught.value.maybe_done))
    assert kinds == [("timeout", False), ("timeout", True), ("timeout", False)]
    least = (LEASE.renew_timeout_s, LEASE.renew_timeout_s, 1 * 17 / 16 + 5)
    assert [t >= s - 0.1 for t, s in zip(times, least, strict=True)] == [True] * 3, times
    pool.heal("consul-freeze", "g2")
    with inside(node):
        until(lambda: _writes(client), 60, "an answer after the thaw")


def test_nobody_at_the_address_is_told_at_once_and_nothing_was_done(here: Client) -> None:
    with pytest.raises(ConsulError) as caught:
        Client(Access("http://127.0.0.1:9")).kv_put("a", "b")
    assert (caught.value.kind, caught.value.maybe_done) == ("unreachable", False)
    assert "systemctl status consul" in str(caught.value)


def test_the_environment_is_read_in_one_place_and_never_overrides_what_was_given(
    here: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "CONSUL_HTTP_ADDR": "http://127.0.0.1:9", "CONSUL_HTTP_TOKEN": "wrong",
        "HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9",
        "CONSUL_HTTP_SSL": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    assert Client(Access("http://127.0.0.1:8500")).kv_put("probe", "2")
    assert access({}, os.environ) == Access("http://127.0.0.1:9", "wrong")
    assert access({"address": "127.0.0.1:8500", "token": "t"}, {}) == Access(
        "http://127.0.0.1:8500", "t"
    )
    assert "wrong" not in repr(access({}, os.environ))


def test_every_call_carries_the_token_and_a_missing_right_is_no_lost_race(pool: Lab) -> None:
    """By themselves the libraries forget it on 17 methods (facts.md#K-1.3)."""
    node = pool.node("g3")
    with agent_with_acl(node), inside(node):
        root = Client(Access(FENCED_ADDRESS, ROOT_TOKEN))
        lib = root.library
        assert lib.agent.members()
        assert lib.agent.self()["Member"]
        assert lib.status.leader()
        assert lib.operator.raft_config()["Servers"]
        assert root.txn([set_op("t/a", b"1")])[0].key == "t/a"
        session = root.session_create("t", ttl_s=10, lock_delay_s=15)
        root.session_renew(session)
        assert lib.session.info(session)[1]["NodeChecks"] == []
        root.session_destroy(session)
        root.service_register({"ID": "x", "Name": "x", "Check": {"CheckID": "x", "TTL": "60s"}})
        root.check_update("x", "passing")
        assert root.catalog_service("x").data
        root.service_deregister("x")

        poor = Client(
            Access(FENCED_ADDRESS, make_token(root, "poor", 'key "t/b" { policy = "read" }'))
        )
        until(lambda: _kind(lambda: poor.kv_get("t/b")) == "", 10, "the new token")
        assert _kind(lambda: poor.kv_get("t/a")) == "forbidden"
        assert _kind(lambda: poor.kv_put("t/b", "1")) == "forbidden"
        assert _kind(lambda: poor.txn([set_op("t/b", b"1")])) == "forbidden"
        assert _kind(lambda: root.txn([cas_op("t/a", b"1", 0)])) == "conflict"
        assert _kind(lambda: poor.kv_tree("t/")) == "forbidden"
        assert poor.catalog_nodes().data == []  # no right looks like an empty cluster
        nobody = Client(Access(FENCED_ADDRESS, "bbbbbbbb-0000-0000-0000-000000000001"))
        assert _kind(lambda: nobody.kv_get("t/a")) == "forbidden"


def _kind(ask: Any) -> str:
    try:
        ask()
    except ConsulError as err:
        return err.kind
    return ""


def test_a_transaction_says_which_operation_failed_and_writes_nothing(
    here: Client, cluster: str
) -> None:
    one, two = f"gluster/{cluster}/one", f"gluster/{cluster}/two"
    here.kv_put(one, "1")
    with pytest.raises(ConsulError) as caught:
        here.txn([set_op(two, b"2"), cas_op(one, b"x", 0)])
    assert [(verb, key) for verb, key, _ in caught.value.failed] == [("cas", one)]
    assert here.kv_get(two) is None
    assert _kind(lambda: here.txn([set_op(two, b"x")] * 65)) == "too_big"


# --- documents -----------------------------------------------------------------------------------


def test_documents_of_any_size_come_back_and_leave_nothing_behind(
    here: Client, cluster: str
) -> None:
    store = Store(here, cluster)
    key = store.keys.members
    small = {"a": [1, 2.5, None, "é"]}
    compressed = {"text": "gluster " * 100_000}
    largest = _noise(300_000)
    assert 320_000 < len(pack(largest)) <= MOST_BYTES
    for document in (small, largest, compressed, largest, small):
        store.write(key, document, seen=True)
        read = store.read(key)
        assert read is not None
        assert read.data == document
    assert here.kv_keys(key) == [key]
    rev = here.kv_get(store.keys.rev)
    assert rev is not None
    assert rev.value == b"5"
    assert _kind(lambda: store.write(key, _noise(400_000))) == "too_big"
    assert store.read(key) == read


def test_a_version_may_be_as_big_as_a_value(here: Client, cluster: str) -> None:
    store, big = Store(here, cluster), _noise(450_000)
    assert MOST_BYTES < len(pack(big, MOST_VALUE_BYTES)) <= MOST_VALUE_BYTES
    assert store.accept(big, by="m1", why="", now=1.0) == 1
    current = store.current()
    assert current is not None
    assert current.data["noise"] == big["noise"]


def _noise(size: int) -> dict[str, list[str]]:
    """A document of so many bytes that no program makes shorter."""
    return {"noise": [os.urandom(50).hex() for _ in range(size // 50)]}


def test_the_consul_of_the_unit_tests_answers_as_this_one_does(here: Client, cluster: str) -> None:
    real = _conversation(here, f"gluster/{cluster}/fake/")
    assert real == _conversation(FakeConsul().client(), f"gluster/{cluster}/fake/")
    assert len(real) > 25


def _conversation(client: Client, root: str) -> list[Any]:
    """Return what a Consul answers to everything that the fake can do, without its numbers."""
    a, b, absent = f"{root}a", f"{root}b", f"{root}absent"
    session = client.session_create("fake", ttl_s=60, lock_delay_s=0)
    indexes: dict[str, int] = {}

    def index(key: str) -> int:
        entry = client.kv_get(key)
        return 0 if entry is None else entry.modify_index

    def moved(key: str) -> bool:
        before, indexes[key] = indexes.get(key, 0), index(key)
        return indexes[key] > before

    def txn(*ops: Op) -> Any:
        try:
            return [(e.key, e.value, bool(e.session)) for e in client.txn(ops)]
        except ConsulError as err:
            return err.kind, [(verb, key) for verb, key, _ in err.failed]

    def entry(key: str) -> Any:
        found = client.kv_get(key)
        return found and (found.key, found.value, bool(found.session))

    return [
        entry(a), client.kv_keys(root), client.kv_tree(root),
        client.kv_put(a, "1", cas=0), moved(a),
        client.kv_put(a, "2", cas=0), moved(a),
        client.kv_put(a, "1"), moved(a),  # the same value keeps its index
        client.kv_put(a, "2", cas=index(a)), moved(a), entry(a),
        client.kv_put(a, "3", cas=1), moved(a),
        txn(set_op(b, b"1"), cas_op(a, b"x", 1), check_absent_op(a)), entry(b),
        txn(set_op(b, b"1"), cas_op(a, b"4", index(a)), check_absent_op(absent)), moved(a),
        txn(check_index_op(absent, 0)), txn(check_index_op(a, index(a))), txn(cas_op(b, b"", 0)),
        txn(tree_op(root), tree_op(absent)), txn(set_op(a, b"4")), moved(a),
        txn(check_session_op(a, session)),
        client.kv_put(a, "mine", acquire=session), moved(a), entry(a),
        client.kv_put(a, "mine", acquire=session), moved(a),
        txn(check_session_op(a, session), set_op(a, b"set")), moved(a), entry(a),
        client.kv_put(a, "free", release=session), moved(a), entry(a),
        client.kv_put(a, "free", release=session),
        client.kv_put(b, "held", acquire=session),
        client.session_destroy(session), entry(b),
        _kind(lambda: client.kv_put(a, "x", acquire=session)),
        _kind(lambda: client.session_renew(session)),
        txn(delete_op(b), delete_op(absent)), client.kv_delete(a, cas=1), entry(a),
        sorted(client.kv_keys(root)), client.kv_delete(root, recurse=True), client.kv_keys(root),
        _kind(lambda: client.kv_put(a, "x" * 600_000)),
        _kind(lambda: client.txn([set_op(a, b"x" * 400_000)])),
    ]  # fmt: skip


def test_many_writers_at_once_lose_no_bump_of_the_counter(
    pool: Lab, here: Client, cluster: str
) -> None:
    others: list[ConsulError] = []

    def write(number: int) -> None:
        with inside(pool.node(f"g{number % 3 + 1}")):
            store = Store(Client(Access()), cluster)
            for turn in range(5):
                while not _proposed(store, f"p{number}-{turn}", others):
                    pass  # others wrote in between: nothing was written, it is tried again

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    store = Store(here, cluster)
    rev = here.kv_get(store.keys.rev)
    assert rev is not None
    assert (int(rev.value), len(store.proposals()), others) == (20, 20, [])


def _proposed(store: Store, name: str, others: list[ConsulError]) -> bool:
    """Write a proposal; False if another writer came first. Another error ends it, and is kept."""
    try:
        store.propose(name, {"n": name})
    except ConsulError as err:
        if err.kind == "conflict":
            return False
        others.append(err)
    return True


def test_whatever_a_person_puts_there_is_a_hold_and_silence_is_not_freedom(
    pool: Lab, here: Client, cluster: str
) -> None:
    store = Store(here, cluster)
    assert isinstance(store.hold(), Unknown)  # no canary: an empty cluster proves nothing
    canary.canary(here, cluster, marker=False, may_create=True)
    assert store.hold() is None
    pool.node("g2").ok(["consul", "kv", "put", store.keys.hold, "moving the rack"])
    assert store.hold() == Hold("moving the rack")
    store.set_hold("disk work", "ann", 5.0)
    assert store.hold() == Hold("disk work", "ann", 5.0)
    assert (store.release(), store.release(), store.hold()) == (True, False, None)
    store.set_maintenance("u1", "ram", "bob", 6.0)
    assert store.maintenance("u1") == Hold("ram", "bob", 6.0)
    assert store.maintenance("u2") is None
    dead = Store(Client(Access("http://127.0.0.1:9")), cluster)
    assert isinstance(dead.hold(), Unknown)


# --- who leads -----------------------------------------------------------------------------------


def test_a_clean_stop_hands_over_at_once(pool: Lab, here: Client, cluster: str) -> None:
    one = LeaderLock(Client(Access(), timeout_s=2), cluster, "m1")
    two = LeaderLock(Client(Access(), timeout_s=2), cluster, "m2")
    assert (one.renew(), two.renew(), current_leader(here, cluster).holder) == (True, False, "m1")
    epoch = one.epoch
    assert epoch > 0
    one.stop()
    assert two.renew()  # at the first try: there is no delay
    assert two.epoch > epoch
    two.stop()
    assert not current_leader(here, cluster).held


def test_the_same_holder_keeps_its_epoch_and_a_stolen_lock_is_noticed(
    here: Client, cluster: str
) -> None:
    lock = LeaderLock(Client(Access(), timeout_s=2), cluster, "m1")
    assert lock.renew()
    epoch = lock.epoch
    assert lock.renew()
    assert lock.epoch == epoch
    here.kv_delete(f"gluster/{cluster}/leader")
    with pytest.raises(Fenced):
        lock.claim("op", b"{}")
    assert not lock.holds()
    assert lock.renew()
    assert lock.epoch > epoch
    lock.stop()


def test_a_claim_is_refused_by_hold_maintenance_and_a_claim_before(
    here: Client, cluster: str
) -> None:
    lock = LeaderLock(Client(Access(), timeout_s=2), cluster, "m1")
    store = Store(here, cluster)
    assert lock.renew()
    lock.claim("op1", b"{}", ["u1"])
    assert _kind(lambda: lock.claim("op1", b"{}", ["u1"])) == "claimed"
    store.set_maintenance("u1", "ram", "bob", 6.0)
    assert _kind(lambda: lock.claim("op2", b"{}", ["u1"])) == "maintenance"
    assert _kind(lambda: lock.claim("op2", b"{}", ["u2"])) == ""
    here.kv_put(store.keys.hold, "x")
    assert _kind(lambda: lock.claim("op3", b"{}", ["u2"])) == "held"
    assert [d.name for d in store.operations() if isinstance(d, Document)] == ["op1", "op2"]
    lock.stop()


def test_a_holder_frozen_between_deciding_and_claiming_is_fenced(
    pool: Lab, here: Client, cluster: str
) -> None:
    """Its clock stands still with it, so that it believes in itself; Consul does not."""
    frozen_at = time.monotonic()
    old = LeaderLock(Client(Access(), timeout_s=2), cluster, "old", clock=lambda: frozen_at)
    assert old.renew()
    new = LeaderLock(Client(Access(), timeout_s=2), cluster, "new")
    began = gone_at = time.monotonic()
    held = here.kv_get(Keys(cluster).leader)
    mine = held.session if held else ""
    while not new.renew():
        assert time.monotonic() - began < 240
        if mine in {s["ID"] for s in here.session_list().data}:
            gone_at = time.monotonic()
        time.sleep(0.5)
    took_s = time.monotonic() - began
    # The session ends at 20 s at most; the lock-delay is 15 s, from its end.
    assert time.monotonic() - gone_at >= 13, (took_s, gone_at - began)
    print(f"FIGURE crash hand-over {took_s:.1f} s")
    assert old.holds()
    with pytest.raises(Fenced):
        old.claim("op", b"{}")
    new.claim("op", b"{}")
    assert not old.holds()
    new.stop()


def test_never_two_holders_while_the_leaders_node_is_silent(pool: Lab, cluster: str) -> None:
    """With a short lease: the rule is the same, and it is over sooner."""
    lease = short().lease
    candidates = [Candidate(node, cluster, lease) for node in pool.nodes]
    most, samples = 0, 0
    try:
        until(lambda: any(c.lock.holds() for c in candidates), 20, "a holder")
        first = next(c for c in candidates if c.lock.holds())
        pool.fault("silence", first.node.name)
        began = time.monotonic()
        gone_at = next_at = 0.0
        while not next_at:
            asked_at = time.monotonic()
            holders = [c for c in candidates if c.lock.holds()]
            now = time.monotonic() - began
            if time.monotonic() - asked_at < 1:  # else they were not asked at the same time
                most, samples = max(most, len(holders)), samples + 1
            gone_at = gone_at or (now if first not in holders else 0.0)
            next_at = now if holders and first not in holders else 0.0
            assert now < 120 * pace(), "nobody took over"
            time.sleep(0.02)
        print(f"FIGURE silent leader: let go after {gone_at:.1f} s, next after {next_at:.1f} s")
        # From the last renewal, which a leader of Consul that is cut off grants a bit longer.
        assert gone_at <= (lease.trust_s + 1) * pace()
        assert next_at > gone_at
        pool.heal("silence", first.node.name)
        before = first.beats
        while first.beats < before + 3:
            most = max(most, sum(c.lock.holds() for c in candidates))
            time.sleep(0.02)
        assert most == 1
        assert samples > 50
        assert first.lock.epoch == 0
    finally:
        for candidate in candidates:
            candidate.end()


# --- may I believe it ----------------------------------------------------------------------------


def test_a_frozen_agent_blinds_within_fifteen_seconds(pool: Lab, cluster: str) -> None:
    node = pool.node("g2")
    note = Note()
    with inside(node):
        client = Client(Access(), timeout_s=LEASE.renew_timeout_s)
        canary.canary(client, cluster, marker=False, may_create=True)
        lock = LeaderLock(client, cluster, "m1")
        probe = TrustProbe(client, cluster, lock, note)
        assert probe.renew().state is ViewState.FRESH
        assert note.seen(cluster)
    pool.fault("consul-freeze", "g2")
    began = time.monotonic()
    with inside(node):
        while probe.verdict.is_fresh:
            assert time.monotonic() - began < 30 * pace()
            probe.renew()
            time.sleep(0.2 if probe.evaluate().is_fresh else 0)
        blind_s = time.monotonic() - began
        print(f"FIGURE frozen agent: blind after {blind_s:.1f} s")
        assert blind_s < 15 * pace()
        assert "did not answer in time" in probe.verdict.why
    pool.heal("consul-freeze", "g2")
    with inside(node):
        until(lambda: probe.renew().is_fresh, 30, "a fresh view")
        assert probe.verdict.state is ViewState.FRESH
        lock.stop()


def test_a_wiped_consul_is_not_a_new_one(here: Client, cluster: str) -> None:
    note = Note()
    client = Client(Access(), timeout_s=LEASE.renew_timeout_s)
    lock = LeaderLock(client, cluster, "m1")
    probe = TrustProbe(client, cluster, lock, note)
    assert probe.renew().state is ViewState.BLIND  # a new one: no canary yet, and no marker
    assert canary.canary(here, cluster, marker=False, may_create=False) == "absent"
    assert canary.canary(here, cluster, marker=False, may_create=True) == "created"
    assert canary.canary(here, cluster, marker=False, may_create=True) == "seen"
    assert probe.renew().state is ViewState.FRESH
    here.kv_delete(f"gluster/{cluster}/", recurse=True)
    assert canary.canary(here, cluster, marker=True, may_create=True) == "wiped"
    assert probe.renew().state is ViewState.WIPED
    assert here.kv_get(f"gluster/{cluster}/canary") is None
    lock.stop()


class Told:
    def __init__(self) -> None:
        self.values: list[bytes | None] = []
        self.regressions = 0
        self.errors = 0

    def changed(self, reply: Reply[Any]) -> None:
        self.values.append(reply.data.value if reply.data else None)

    def regressed(self, before: int, now: int) -> None:
        self.regressions += 1

    def failed(self, error: ConsulError) -> None:
        self.errors += 1


@contextlib.contextmanager
def watching(pool: Lab, name: str, key: str, wait_s: float) -> Iterator[tuple[Told, BlockingWatch]]:
    client, told = Client(Access()), Told()
    watch = BlockingWatch(
        lambda index, wait: client.kv_watch(key, index, wait), wait_s, told, wake=client.wake
    )

    def run() -> None:
        with inside(pool.node(name)):
            watch.run()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield told, watch
    finally:
        watch.stop()
        thread.join(10)
        assert not thread.is_alive()


def test_a_watch_outlives_the_loss_of_consuls_leader(pool: Lab, cluster: str) -> None:
    leader = consul_leader(pool.nodes)
    other = next(n for n in pool.nodes if n.name != leader.name)
    key = f"gluster/{cluster}/rev"
    with inside(other):
        client = Client(Access())
        client.kv_put(key, "1")
    with watching(pool, other.name, key, 10) as (told, watch):
        until(lambda: told.values, 5, "the first value")
        pool.fault("consul-kill", leader.name)
        began = time.monotonic()
        with inside(other):
            until(lambda: _puts(client, key, "2"), 30, "a write")
        print(f"FIGURE Consul's leader killed: writable after {time.monotonic() - began:.1f} s")
        until(lambda: told.values[-1:] == [b"2"], 40, "the write in the watch")
        assert told.values == [b"1", b"2"]
        assert watch.fetches < 60
        pool.heal("consul-kill", leader.name)


def _puts(client: Client, key: str, value: str) -> bool:
    try:
        return client.kv_put(key, value)
    except ConsulError:
        return False


def test_a_watch_comes_through_a_restored_snapshot(pool: Lab, here: Client, cluster: str) -> None:
    key = f"gluster/{cluster}/rev"
    here.kv_put(key, "old")
    pool.node("g1").ok(["consul", "snapshot", "save", "/tmp/room.snap"])
    for number in range(30):
        here.kv_put(f"gluster/{cluster}/filler", str(number))
    here.kv_put(key, "new")
    with watching(pool, "g2", key, 3) as (told, watch):
        until(lambda: told.values, 5, "the first value")
        pool.node("g1").ok(["consul", "snapshot", "restore", "/tmp/room.snap"])
        until(lambda: told.values[-1:] == [b"old"], 60, "the restored value")
        assert told.regressions >= 1
        here.kv_put(key, "newer")
        until(lambda: told.values[-1:] == [b"newer"], 120, "a change afterwards")
        assert watch.fetches < 30


def test_a_restored_snapshot_is_noticed_before_anything_is_written_and_nothing_is_begun(
    pool: Lab, here: Client, cluster: str, tmp_path: Path
) -> None:
    """An old policy is in force then; what was submitted since is submitted again."""
    machine, store = canary.FileMarker(tmp_path), Store(here, cluster)
    guard = IndexGuard(here, cluster, "m1", machine)
    lock = LeaderLock(here, cluster, "m1", before_write=guard.check)
    policy = [{"schema": 1, "policy": {"restart_brick": mode}} for mode in ("act", "observe")]
    try:
        until(lock.renew, 30, "the lock")
        store.submit("u1", policy[0])
        pool.node("g1").ok(["consul", "snapshot", "save", "/tmp/policy.snap"])
        store.submit("u1", policy[1])
        (beat,) = (
            e.modify_index for e in lock.write([heartbeat_op(store.keys, "m1", 1.0)])
            if e.key == store.keys.heartbeat
        )  # fmt: skip
        assert lock.renew() and lock.renew() and store.went_back() is None
        guard.keep()
        pool.node("g1").ok(["consul", "snapshot", "restore", "/tmp/policy.snap"])
        with pytest.raises(ConsulError) as lost:
            lock.claim("op1", b"{}", heartbeat=beat)
        assert lost.value.kind in ("went_back", "fenced")
        # An engine that was restarted since knows it by its machine.
        IndexGuard(here, cluster, "m1", machine).check()
        mark, found = store.went_back(), store.read(store.keys.submitted("u1"))
        assert mark is not None and mark.seen > mark.found
        assert found is not None and found.data["policy"] == {"restart_brick": "act"}
        assert found.index < mark.index and store.submit("u1", policy[1])
        again = store.read(store.keys.submitted("u1"))
        assert again is not None and again.index > mark.index
        assert not store.submit("u1", policy[1])
    finally:
        lock.stop()


def test_rereading_and_stopping_do_not_wait_for_consul(
    pool: Lab, here: Client, cluster: str
) -> None:
    key = f"gluster/{cluster}/rev"
    here.kv_put(key, "1")
    with watching(pool, "g1", key, 600) as (told, watch):
        until(lambda: watch.fetches >= 2, 5, "the first value")
        time.sleep(0.2)
        watch.reread()
        # Long before the ten minutes that the question itself would wait.
        began = time.monotonic()
        until(lambda: len(told.values) == 2, 120, "the same value again")
        assert time.monotonic() - began < 500
        assert told.errors == 0


# --- a node in the registry ----------------------------------------------------------------------


def test_a_node_is_registered_once_with_its_meta_and_keeps_its_states(
    pool: Lab, here: Client, cluster: str
) -> None:
    g1 = pool.node("g1")
    me = Member(UUID.format(1), "g1", "minion1", cluster, "rack1", "10.3", "100000", g1.address)
    try:
        assert "service" in service.register(here, me)
        assert service.register(here, me) == {}
        until(lambda: here.catalog_service("gluster").data, 5, "the catalog")
        assert service.members(here.catalog_service("gluster").data, cluster) == [me]
        assert service.members(here.catalog_service("gluster").data, "another") == []
        states = {c: r["Status"] for c, r in here.agent_checks().items()}
        assert states == {f"gluster:{n}": "passing" for n in ("port", "bricks", "heal", "space")}
        checks = service.Checks(here)
        assert checks.push("bricks", "critical", "1 of 2 down")
        assert not checks.push("bricks", "critical", "2 of 2 down")
        assert here.agent_checks()["gluster:bricks"]["Output"] == "1 of 2 down"
        checks.beat()
        assert here.agent_checks()["gluster:bricks"]["Output"] == "2 of 2 down"
        moved = Member(**{**vars(me), "zone": "rack2"})
        assert service.register(here, moved) == {"zone": {"old": "rack1", "new": "rack2"}}
        assert here.agent_checks()["gluster:bricks"]["Status"] == "critical"
        assert (
            _kind(lambda: service.register(here, Member("", "g1", "m", cluster))) == "no_identity"
        )
    finally:
        assert service.deregister(here)
    assert not service.deregister(here)


# --- once more on the other library --------------------------------------------------------------


@pytest.mark.skipif(bool(OTHER), reason="this is the second run")
def test_all_of_this_holds_on_python_consul(pool: Lab, rounds: int) -> None:
    python = _other_environment()
    this = test_all_of_this_holds_on_python_consul.__name__
    ours = [name for name in globals() if name.startswith("test_") and name != this]
    chosen = OF_THE_LIBRARY if rounds == 1 else ours
    assert set(OF_THE_LIBRARY) <= set(ours)
    env = os.environ | {"CONSUL_SUITE_LAB": pool.name, "PYTHONPATH": str(ROOT)}
    env.pop("PART", None)
    done = subprocess.run(
        [str(python), "-m", "pytest", *(f"{Path(__file__)}::{name}" for name in chosen)],
        cwd=ROOT, env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert done.stdout.splitlines()[-1].startswith(f"{len(chosen)} passed"), done.stdout[-500:]


def _other_environment() -> Path:
    """Find the environment with python-consul, which set-up makes."""
    python = ROOT / ".work" / "venv-python-consul" / "bin" / "python"
    needs("" if python.exists() else "python-consul (`.ci/setup python-consul` installs it)")
    return python
