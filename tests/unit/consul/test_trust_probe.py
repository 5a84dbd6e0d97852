"""What the trust gate is fed with at every beat, on a Consul in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fake_consul import FakeConsul

from salt_gluster.consul.canary import FileMarker
from salt_gluster.consul.leader_lock import LeaderLock
from salt_gluster.consul.trust import ViewState
from salt_gluster.consul.trust_probe import TrustProbe
from salt_gluster.errors import ConsulError
from salt_gluster.model import LEASE, Lease


class World:
    """An engine before its Consul."""

    def __init__(self, folder: Path, lease: Lease = LEASE) -> None:
        self.consul, self.now = FakeConsul(), 1000.0
        client = self.consul.client()
        self.lock = LeaderLock(client, "main", "m1", lease=lease, clock=lambda: self.now)
        marker = FileMarker(folder)
        self.probe = TrustProbe(
            client, "main", self.lock, marker, lease=lease, clock=lambda: self.now
        )
        client.kv_put("gluster/main/canary", "1")

    def beats(self, seconds: float) -> ViewState:
        end = self.now + seconds
        while self.now < end:
            self.now += 3
            self.probe.renew()
        return self.probe.verdict.state

    def fails(self, path: str, kind: str = "timeout") -> None:
        def before(method: str, asked: str) -> None:
            if asked.startswith(path):
                raise ConsulError("no", kind=kind)

        self.consul.before = before


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    assert world.beats(6) is ViewState.FRESH
    assert world.lock.holds()
    return world


def test_a_view_that_is_new_is_read_anew_and_leads_nothing_before_it_has_begun(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    first = world.probe.renew()
    assert (first.state, first.reread) == (ViewState.FRESH, True)
    assert not world.lock.holds(), "blind until this very beat: it must not take the lock"
    world.now += 3
    world.probe.renew()
    assert world.lock.holds()


LOST: dict[str, tuple[Callable[[World], object], ViewState]] = {
    "the canary was deleted": (
        lambda w: w.consul.keys.pop("gluster/main/canary"), ViewState.WIPED,
    ),
    "the canary cannot be read": (
        lambda w: w.fails("kv/gluster/main/canary", "forbidden"), ViewState.BLIND,
    ),
    "our agent is not in the catalog": (lambda w: w.consul.nodes.clear(), ViewState.BLIND),
    "the catalog cannot be asked": (lambda w: w.fails("catalog/node"), ViewState.BLIND),
    "the leader cannot be asked": (lambda w: w.fails("status/leader"), ViewState.BLIND),
    "an index went back": (lambda w: w.probe.regressed(), ViewState.FRESH),
    "Consul has another leader": (
        lambda w: setattr(w.consul, "leader", "10.0.0.2:8300"), ViewState.FRESH,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LOST)
def test_one_thing_that_is_not_so_ends_the_view_or_has_it_read_anew_at_the_next_beat(
    world: World, name: str
) -> None:
    change, state = LOST[name]
    change(world)
    world.now += 3
    verdict = world.probe.renew()
    assert (verdict.state, verdict.reread) == (state, state is ViewState.FRESH)


def test_who_is_blind_gives_the_lock_back(world: World) -> None:
    world.consul.nodes.clear()
    assert world.beats(6) is ViewState.BLIND
    assert not world.lock.holds()
    assert world.consul.keys["gluster/main/leader"]["Session"] == ""


def test_a_renewal_that_does_not_go_through_blinds_by_time_alone(world: World) -> None:
    world.fails("session/renew")
    world.now += LEASE.trust_s - 1
    assert world.probe.renew().state is ViewState.FRESH
    world.now += 1
    assert world.probe.evaluate().state is ViewState.BLIND, "no beat was needed for that"


def test_a_shorter_lease_blinds_sooner(tmp_path: Path) -> None:
    world = World(tmp_path, Lease(session_ttl_s=5, trust_s=4.0, renew_s=1.0))
    assert world.beats(6) is ViewState.FRESH
    world.now += 3.9
    assert world.probe.evaluate().state is ViewState.FRESH
    world.now += 0.1
    assert world.probe.evaluate().state is ViewState.BLIND


def test_what_was_read_before_is_not_read_again_without_a_renewal(world: World) -> None:
    """A renewal that fails says nothing about the canary: it is not a wipe."""
    world.fails("session/renew")
    world.consul.keys.pop("gluster/main/canary")
    world.now += LEASE.trust_s + 1
    assert world.probe.renew().state is ViewState.BLIND


def test_a_wipe_is_remembered_by_this_machine_and_not_by_this_process(
    world: World, tmp_path: Path
) -> None:
    world.consul.keys.clear()
    world.now += 3
    lock, clock = world.lock, lambda: world.now
    again = TrustProbe(world.consul.client(), "main", lock, FileMarker(tmp_path), clock=clock)
    assert again.renew().state is ViewState.WIPED
    other = FileMarker(tmp_path / "other")
    never = TrustProbe(world.consul.client(), "main", lock, other, clock=clock)
    world.now += 3
    assert never.renew().state is ViewState.BLIND
