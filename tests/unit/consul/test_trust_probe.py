"""What the trust gate is fed with at every beat, on a Consul in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fake_consul import FakeConsul

from salt_gluster.consul.canary import FileMarker
from salt_gluster.consul.leader_lock import Lock
from salt_gluster.consul.trust import HEARTBEAT_S, SETTLE_S, Sight
from salt_gluster.consul.trust_probe import Eye
from salt_gluster.errors import ConsulError


class World:
    """An engine before its Consul."""

    def __init__(self, folder: Path) -> None:
        self.consul, self.now = FakeConsul(), 1000.0
        client = self.consul.client()
        self.lock = Lock(client, "main", "m1", clock=lambda: self.now)
        self.eye = Eye(client, "main", self.lock, FileMarker(folder), clock=lambda: self.now)
        client.kv_put("gluster/main/canary", "1")

    def beats(self, seconds: float) -> Sight:
        end = self.now + seconds
        while self.now < end:
            self.now += 3
            self.eye.beat()
        return self.eye.gate.sight

    def fails(self, path: str, kind: str = "timeout") -> None:
        def before(method: str, asked: str) -> None:
            if asked.startswith(path):
                raise ConsulError("no", kind=kind)

        self.consul.before = before


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    assert world.beats(SETTLE_S + 6) is Sight.FRESH
    assert world.lock.holds()
    return world


def test_a_sight_that_is_new_settles_and_leads_nothing_before_it_has_begun(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert world.eye.beat().sight is Sight.SETTLING
    assert not world.lock.holds(), "blind until this very beat: it must not take the lock"
    world.now += 3
    world.eye.beat()
    assert world.lock.holds()


LOST: dict[str, tuple[Callable[[World], object], Sight]] = {
    "the canary was deleted": (
        lambda w: w.consul.keys.pop("gluster/main/canary"), Sight.WIPED,
    ),
    "the canary cannot be read": (
        lambda w: w.fails("kv/gluster/main/canary", "forbidden"), Sight.BLIND,
    ),
    "our agent is not in the catalog": (lambda w: w.consul.nodes.clear(), Sight.BLIND),
    "the catalog cannot be asked": (lambda w: w.fails("catalog/node"), Sight.BLIND),
    "the leader cannot be asked": (lambda w: w.fails("status/leader"), Sight.BLIND),
    "an index went back": (lambda w: w.eye.regressed(), Sight.SETTLING),
    "Consul has another leader": (
        lambda w: setattr(w.consul, "leader", "10.0.0.2:8300"), Sight.SETTLING,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LOST)
def test_one_thing_that_is_not_so_ends_the_sight_at_the_next_beat(world: World, name: str) -> None:
    change, sight = LOST[name]
    change(world)
    world.now += 3
    assert world.eye.beat().sight is sight
    assert not world.eye.gate.may_act


def test_who_is_blind_gives_the_lock_back(world: World) -> None:
    world.consul.nodes.clear()
    assert world.beats(6) is Sight.BLIND
    assert not world.lock.holds()
    assert world.consul.keys["gluster/main/leader"]["Session"] == ""


def test_a_renewal_that_does_not_go_through_blinds_by_time_alone(world: World) -> None:
    world.fails("session/renew")
    world.now += HEARTBEAT_S - 1
    assert world.eye.beat().sight is Sight.FRESH
    world.now += 1
    assert world.eye.look().sight is Sight.BLIND, "no beat was needed for that"


def test_what_was_read_before_is_not_read_again_without_a_renewal(world: World) -> None:
    """A renewal that fails says nothing about the canary: it is not a wipe."""
    world.fails("session/renew")
    world.consul.keys.pop("gluster/main/canary")
    world.now += HEARTBEAT_S + 1
    assert world.eye.beat().sight is Sight.BLIND


def test_a_wipe_is_remembered_by_this_machine_and_not_by_this_process(
    world: World, tmp_path: Path
) -> None:
    world.consul.keys.clear()
    world.now += 3
    again = Eye(world.consul.client(), "main", world.lock, FileMarker(tmp_path),
                clock=lambda: world.now)  # fmt: skip
    assert again.beat().sight is Sight.WIPED
    never = Eye(world.consul.client(), "main", world.lock, FileMarker(tmp_path / "other"),
                clock=lambda: world.now)  # fmt: skip
    world.now += 3
    assert never.beat().sight is Sight.BLIND
