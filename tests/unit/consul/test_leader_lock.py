"""The leader's lock on a Consul in memory: who leads, for how long, and what a claim refuses."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest
from fake_consul import FakeConsul

from salt_gluster.consul.client import set_op
from salt_gluster.consul.leader_lock import LeaderLock, current_leader
from salt_gluster.errors import ConsulError, Fenced
from salt_gluster.model import LEASE, Lease

INTENT = b'{"op": 1}'


class Watched:
    """A Consul, a clock, and locks of several engines on it."""

    def __init__(self) -> None:
        self.consul = FakeConsul()
        self.now = 1000.0
        self.client = self.consul.client()

    def lock(self, name: str = "m1") -> LeaderLock:
        return LeaderLock(self.consul.client(), "main", name, clock=lambda: self.now)

    def led(self, name: str = "m1") -> LeaderLock:
        lock = self.lock(name)
        assert lock.renew()
        return lock

    def written(self) -> set[str]:
        return {k.removeprefix("gluster/main/") for k in self.consul.keys}

    def put(self, key: str, value: str = "x") -> None:
        self.client.kv_put(f"gluster/main/{key}", value)

    def at(self, path: str, what: Callable[[], object]) -> None:
        """Let something happen while the agent thinks about a request to ``path``."""
        self.consul.before = lambda method, asked: what() if asked.startswith(path) else None


@pytest.fixture
def here() -> Watched:
    return Watched()


def kind(claim: Callable[[], object]) -> str:
    with pytest.raises(ConsulError) as refused:
        claim()
    return refused.value.kind


def passing(here: Watched, seconds: float) -> Callable[[], None]:
    def passes() -> None:
        here.now += seconds

    return passes


# --- for how long --------------------------------------------------------------------------------


def test_trust_runs_from_the_sending_of_the_renewal_and_not_from_its_answer(here: Watched) -> None:
    """Consul counts from when it got it: an answer that took 1.9 s must not lengthen our word."""
    lock = here.led()
    here.at("session/renew", passing(here, 1.9))
    assert lock.renew()
    here.consul.before = lambda method, path: None
    assert lock.renewed_at == 1000.0
    here.now = 1000.0 + LEASE.trust_s - 0.01
    assert lock.holds()
    here.now = 1000.0 + LEASE.trust_s
    assert not lock.holds()
    assert lock.epoch == 0


def test_session_and_trust_are_those_of_its_lease(
    here: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease = Lease(session_ttl_s=5, trust_s=4.0, renew_s=1.0, lock_delay_s=3)
    client, made = here.consul.client(), []
    create = client.session_create

    def session_create(name: str, **times: int) -> str:
        made.append(times)
        return create(name, **times)

    monkeypatch.setattr(client, "session_create", session_create)
    lock = LeaderLock(client, "main", "m1", lease=lease, clock=lambda: here.now)
    assert lock.renew()
    assert made == [{"ttl_s": 5, "lock_delay_s": 3}]
    here.now += 3.9
    assert lock.holds()
    assert lock.believed_s() == pytest.approx(0.1)
    here.now += 0.1
    assert not lock.holds()


def test_a_session_that_is_made_is_trusted_from_before_it_was_asked_for(here: Watched) -> None:
    here.at("session/create", passing(here, 1.9))
    lock = here.led()
    assert lock.renewed_at == 1000.0


def test_no_answer_is_no_renewal_and_ten_seconds_of_it_are_the_end(here: Watched) -> None:
    lock = here.led()

    def silence() -> None:
        raise ConsulError("no agent answers", kind="timeout")

    here.at("session/renew", silence)
    here.now += 9.0
    assert lock.renew(), "nobody else can have it yet"
    assert lock.error
    here.now += 1.0
    assert not lock.renew()
    assert lock.renewed_at == 1000.0


def test_a_session_that_consul_has_ended_leads_no_more_even_within_its_time(here: Watched) -> None:
    lock = here.led()
    epoch = lock.epoch
    here.consul.end_session(next(iter(here.consul.sessions)))
    second = here.led("m2")
    assert not lock.renew()
    assert (lock.epoch, second.holds(), second.epoch > epoch) == (0, True, True)


def test_a_session_that_has_ended_is_enough_even_if_the_lock_cannot_be_read(here: Watched) -> None:
    """Its new session is a heartbeat, and no lock: what cannot be read is not still ours."""
    lock = here.led()
    here.consul.end_session(next(iter(here.consul.sessions)))

    def silence() -> None:
        raise ConsulError("no agent answers", kind="timeout")

    here.at("kv/gluster/main/leader", silence)
    assert not lock.renew()
    assert lock.epoch == 0


def test_a_session_that_is_renewed_while_nothing_can_be_written_is_no_heartbeat(
    here: Watched,
) -> None:
    """Consul renews it without a write, also while its servers have no place for one."""
    lock = here.led()
    here.consul.takes_writes = False
    here.now += 5
    assert lock.renew(), "believed for as long as the last write"
    assert (lock.renewed_at, bool(lock.error)) == (1000.0, True)
    here.now += 5
    assert not lock.renew()


def test_a_heartbeat_is_a_write_whoever_leads(here: Watched) -> None:
    here.led("m1")
    here.consul.requests.clear()
    assert not here.lock("m2").renew()
    assert "PUT kv/gluster/main/alive" in here.consul.requests


# --- who -----------------------------------------------------------------------------------------


def test_one_leads_and_a_standby_gets_it_when_the_lock_is_free(here: Watched) -> None:
    first, second = here.led("m1"), here.lock("m2")
    assert not second.renew()
    assert (second.epoch, second.error) == (0, "")
    assert (
        current_leader(here.client, "main").holder,
        current_leader(here.client, "main").held,
    ) == ("m1", True)
    first.stop()
    assert not first.holds()
    assert len(here.consul.sessions) == 1, "its session would keep the lock from the next one"
    assert current_leader(here.client, "main").held is False
    assert second.renew()
    assert current_leader(here.client, "main").holder == "m2"


def test_who_takes_the_same_name_again_gets_another_epoch(here: Watched) -> None:
    """Consul keeps the index of a value that stays as it is."""
    first = here.led("m1")
    before = first.epoch
    first.stop()
    assert here.led("m1").epoch != before


def test_who_keeps_it_keeps_its_epoch_and_the_fence_is_the_keys_own_index(here: Watched) -> None:
    lock = here.led()
    before = lock.epoch
    here.put("rev")
    assert lock.renew()
    assert lock.epoch == before == current_leader(here.client, "main").epoch


def test_who_may_not_lead_gives_it_back_and_takes_none(here: Watched) -> None:
    blind = here.lock("m1")
    assert not blind.renew(lead=False)
    assert "leader" not in here.written()
    assert blind.renew(lead=True)
    assert not blind.renew(lead=False)
    assert blind.renewed_at is not None, "its session is its heartbeat all the same"
    assert here.lock("m2").renew()


def test_a_lock_that_was_taken_away_is_noticed_at_the_next_beat(here: Watched) -> None:
    lock = here.led()
    here.consul.keys["gluster/main/leader"]["Session"] = "somebody else's"
    assert not lock.renew()
    del here.consul.keys["gluster/main/leader"]
    assert lock.renew(), "it is free: taken anew"


def test_a_lost_race_for_the_epoch_is_no_leadership(here: Watched) -> None:
    lock = here.lock()

    def stolen() -> None:
        if "gluster/main/leader" in here.consul.keys:
            here.consul.keys["gluster/main/leader"]["Session"] = "somebody else's"

    here.at("txn", stolen)
    assert not lock.renew()
    assert "epoch" not in here.written()


def test_before_anybody_has_led_nobody_is_named(here: Watched) -> None:
    lead = current_leader(here.client, "main")
    assert (lead.holder, lead.epoch, lead.held) == ("", 0, False)
    here.put("leader", json.dumps({"holder": "m1"}))
    assert current_leader(here.client, "main").holder == "", "words without a session hold nothing"


def test_a_lock_whose_key_was_deleted_is_taken_anew_with_an_epoch_of_its_own(here: Watched) -> None:
    lock = here.led()
    before = lock.epoch
    del here.consul.keys["gluster/main/leader"]
    assert lock.renew()
    assert lock.epoch > before


def test_who_cannot_release_the_lock_renews_its_session_no_more_and_tries_again(
    here: Watched,
) -> None:
    """It would keep the lock for ever, and nobody would lead."""
    lock = here.led()

    def silence() -> None:
        raise ConsulError("no agent answers", kind="timeout")

    here.at("kv/gluster/main/leader", silence)
    here.consul.requests.clear()
    for _ in range(3):
        assert not lock.renew(lead=False)
    assert not [path for path in here.consul.requests if "session" in path]
    assert lock.error
    here.consul.before = lambda method, path: None
    assert not lock.renew(lead=False)
    assert here.led("m2").holds()


def test_a_lock_whose_taking_was_not_answered_is_released_all_the_same(here: Watched) -> None:
    lock = here.lock()

    def cut() -> None:
        raise ConsulError("cut", kind="timeout", maybe_done=True)

    here.at("txn", cut)
    assert not lock.renew()
    assert here.consul.keys["gluster/main/leader"]["Session"]
    here.consul.before = lambda method, path: None
    assert not lock.renew(lead=False)
    assert not here.consul.keys["gluster/main/leader"]["Session"]


def test_a_stop_beside_a_renewal_leaves_no_lock_and_writes_none_without_a_session(
    here: Watched,
) -> None:
    lock, began, go_on = here.lock(), threading.Event(), threading.Event()

    def pauses() -> None:
        began.set()
        go_on.wait(10)

    here.at("kv/gluster/main/alive", pauses)
    renewal = threading.Thread(target=lock.renew)
    renewal.start()
    assert began.wait(10)
    stop = threading.Thread(target=lock.stop)
    stop.start()
    stop.join(0.2)
    here.consul.before = lambda method, path: None
    go_on.set()
    renewal.join(10)
    stop.join(10)
    assert not here.consul.sessions
    assert not here.consul.keys["gluster/main/leader"]["Session"]
    puts = [path for path in here.consul.requests if path == "PUT kv/gluster/main/leader"]
    assert not lock.renew(), "a lock that was stopped is over"
    assert puts == [path for path in here.consul.requests if path == "PUT kv/gluster/main/leader"]


# --- claiming ------------------------------------------------------------------------------------


def test_a_claim_is_written_once_for_ever(here: Watched) -> None:
    lock = here.led()
    lock.claim("op1", INTENT, ["u1"])
    assert here.consul.keys["gluster/main/operations/op1"]["Value"] == INTENT
    assert kind(lambda: lock.claim("op1", b"another", ["u1"])) == "claimed"
    assert here.consul.keys["gluster/main/operations/op1"]["Value"] == INTENT
    assert lock.holds(), "that it was written before says nothing about the lock"


@pytest.mark.parametrize(
    ("key", "why"),
    [("hold", "held"), ("maintenance/u1", "maintenance"), ("maintenance/u2", "maintenance")],
)
def test_a_word_of_a_person_that_comes_in_the_last_moment_forbids_the_claim(
    here: Watched, key: str, why: str
) -> None:
    """It is asked in the transaction itself: what was read before is a moment old."""
    lock = here.led()
    here.put(key)
    assert kind(lambda: lock.claim("op1", INTENT, ["u1", "u2"])) == why
    assert "operations/op1" not in here.written()
    assert lock.holds()


def test_the_maintenance_of_another_node_forbids_nothing(here: Watched) -> None:
    lock = here.led()
    here.put("maintenance/u9")
    lock.claim("op1", INTENT, ["u1"])
    assert "operations/op1" in here.written()


FENCES: dict[str, Callable[[Watched], object]] = {
    "its session has ended": lambda h: h.consul.end_session(next(iter(h.consul.sessions))),
    "another holds the lock": lambda h: h.consul.keys["gluster/main/leader"].update(Session="x"),
    "the lock was deleted": lambda h: h.consul.keys.pop("gluster/main/leader"),
    "another epoch began": lambda h: h.put("epoch", "another"),
    "the epoch was deleted": lambda h: h.consul.keys.pop("gluster/main/epoch"),
}


@pytest.mark.parametrize("name", FENCES)
@pytest.mark.parametrize("how", ["claim", "write"])
def test_who_leads_no_more_without_knowing_it_writes_nothing(
    here: Watched, name: str, how: str
) -> None:
    lock = here.led()
    FENCES[name](here)
    write = set_op("gluster/main/operations/op1", INTENT)
    with pytest.raises(Fenced):
        lock.claim("op1", INTENT) if how == "claim" else lock.write([write])
    assert "operations/op1" not in here.written()
    assert not lock.holds(), "and knows it from now on"


@pytest.mark.parametrize("ever", [True, False])
def test_who_does_not_believe_it_himself_does_not_even_ask(here: Watched, ever: bool) -> None:
    lock = here.led() if ever else here.lock()
    here.now += LEASE.trust_s
    asked = len(here.consul.requests)
    with pytest.raises(Fenced):
        lock.claim("op1", INTENT)
    with pytest.raises(Fenced):
        lock.guard()
    assert len(here.consul.requests) == asked


def test_a_claim_whose_answer_is_lost_says_that_it_may_have_been_done(here: Watched) -> None:
    lock = here.led()

    def cut() -> None:
        raise ConsulError("cut", kind="timeout", maybe_done=True)

    here.at("txn", cut)
    with pytest.raises(ConsulError) as lost:
        lock.claim("op1", INTENT)
    assert (lost.value.kind, lost.value.maybe_done) == ("timeout", True)
    assert lock.holds()
