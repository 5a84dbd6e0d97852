"""Consul is an older one than it was: an old policy is in force, and nothing acts on it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import fleet
import pytest
import recorded_pool
from engine_world import NAMES, UUIDS, World
from fake_consul import FakeConsul

from salt_gluster.consul.canary import FileMarker
from salt_gluster.consul.pool import PoolClient
from salt_gluster.consul.store import Store
from salt_gluster.consul.went_back import IndexGuard, went_back_of
from salt_gluster.errors import ConsulError
from salt_gluster.master import approvals
from salt_gluster.model import Unknown
from salt_gluster.remediation.operations import Life
from salt_gluster.remediation.policy import Mode
from salt_gluster.status.facts import facts_from, identity_after


class Restored(World):
    """A world in which the nodes submit, and Consul can be set back to what it was."""

    def record(self) -> None:
        """Let every node write down what its bricks lie on while they are well."""
        for number, uuid in enumerate(UUIDS):
            volume = recorded_pool.replicated(NAMES)
            told = facts_from(recorded_pool.report(number, NAMES, volume, self.node_time()))
            assert not isinstance(told, Unknown)
            data = identity_after(None, told, uuid, NAMES[number])
            self.store.write(self.store.keys.identity(uuid), data)

    @property
    def store(self) -> Store:
        return self.engine._state.store

    def submit(self, mode: str, *nodes: int) -> None:
        for number in nodes or range(len(UUIDS)):
            spec = {"nodes": list(NAMES)}
            said = {"schema": 1, "spec": spec, "policy": {"restart_brick": mode}}
            self.store.submit(UUIDS[number], {**said, "at": 1.0, "by": NAMES[number]})
        self.woken()

    def woken(self) -> None:
        rev = self.client.kv_get("gluster/main/rev")
        self.watches.saw("rev", rev.modify_index if rev else 0, self.consul.index)

    def restore(self, keys: dict[str, Any]) -> None:
        self.consul.keys = copy.deepcopy(keys)
        self.woken()

    @property
    def mode(self) -> Mode:
        return self.engine._accepted.policy.restart_brick

    def mark(self) -> Any:
        return went_back_of(self.client.kv_get("gluster/main/went_back"))


@pytest.fixture
def world(tmp_path: Path) -> Restored:
    """Act was declared when the snapshot was taken; observe is declared since."""
    world = Restored(tmp_path)
    world.record()
    world.submit("act")
    world.passes(90)
    assert world.mode is Mode.ACT
    world.old = copy.deepcopy(world.consul.keys)  # type: ignore[attr-defined]
    world.submit("observe")
    world.passes(12)
    assert world.mode is Mode.OBSERVE
    world.dead = [0]
    world.report()
    world.passes(200)
    assert world.events("would_act") and not world.bus.sent
    return world


def restored(world: Restored, seconds: float = 200) -> Restored:
    world.restore(world.old)  # type: ignore[attr-defined]
    world.report()
    world.passes(seconds)
    return world


def test_an_old_policy_starts_nothing_and_it_is_told(world: Restored) -> None:
    restored(world)
    assert world.mode is Mode.ACT, "it is what stands there"
    assert world.store.names("gluster/main/operations/") == []
    (told,) = [e["data"] for e in world.bus.fired if e["data"]["event"] == "went_back"]
    assert told["severity"] == "critical" and "snapshot" in told["why"]
    assert world.engine._memory.mode == "blind"
    status = world.store.read("gluster/main/status")
    assert status is not None and "acknowledge" in status.data["why"]


def test_it_ends_when_most_nodes_have_submitted_again(world: Restored) -> None:
    restored(world, 30)
    world.submit("observe", 0)
    world.passes(30)
    assert world.mark() is not None, "one of three is no majority"
    world.submit("observe", 1)
    world.passes(100)
    assert (world.mark(), world.mode) == (None, Mode.OBSERVE)
    assert world.events("caught_up") and world.engine._memory.mode == "open"
    world.passes(100)
    assert world.store.names("gluster/main/operations/") == []


def test_the_same_as_before_has_to_be_submitted_again_as_well(world: Restored) -> None:
    restored(world, 30)
    world.submit("act")
    world.passes(300)
    assert world.mark() is None
    assert world.store.names("gluster/main/operations/"), "act is what they declare now"


def test_it_ends_with_an_acknowledgement_of_this_very_mark(world: Restored) -> None:
    """One that came back with the snapshot, or is of an earlier mark, is none."""
    store = world.store
    store.acknowledge("main", "ann")
    world.old = copy.deepcopy(world.consul.keys)  # type: ignore[attr-defined]
    world.passes(60)
    restored(world, 30)
    world.woken()  # so that what stands there is looked at
    world.passes(30)
    assert world.mark() is not None
    pool = PoolClient({"cluster": "main"}, client=world.client, marker=world.marker)
    told = approvals.acknowledge(pool, "", "ann (root@m1)")
    assert "older" in told["acknowledged"]
    world.woken()
    world.passes(60)
    assert world.mark() is None and world.events("caught_up")


def test_what_waits_for_its_claim_while_consul_goes_back_is_not_begun(world: Restored) -> None:
    """Between the restore and the next renewal, by the heartbeat that only a leader writes."""
    world.watches.lock._before_write = lambda: None
    restored(world, 2)
    op = world.engine._heartbeat_index
    assert op
    world.restore(world.old)  # type: ignore[attr-defined]
    with pytest.raises(ConsulError) as lost:
        world.engine._lock.claim("op1", b"{}", [], op)
    assert lost.value.kind == "went_back"


def test_an_approval_that_came_back_is_closed(world: Restored) -> None:
    op = fleet.operation(id="p1", state=Life.APPROVED, node=UUIDS[0])
    world.store.propose("p1", op.to_data())
    world.old = copy.deepcopy(world.consul.keys)  # type: ignore[attr-defined]
    world.passes(4)
    restored(world, 20)
    document = world.store.read("gluster/main/proposals/p1")
    assert document is not None and document.data["state"] == "closed"


# --- what a machine remembers --------------------------------------------------------------------


def guard(consul: FakeConsul, folder: Path, name: str = "m1") -> IndexGuard:
    return IndexGuard(consul.client(), "main", name, FileMarker(folder), now=lambda: 5.0)


def alive(consul: FakeConsul, word: str) -> None:
    consul.client().kv_put("gluster/main/alive", word)


def test_a_machine_remembers_it_across_restarts_of_its_engine(tmp_path: Path) -> None:
    consul = FakeConsul()
    alive(consul, "1")
    old = copy.deepcopy(consul.keys)
    alive(consul, "2")
    first = guard(consul, tmp_path)
    first.check()
    first.keep()
    consul.keys = old
    guard(consul, tmp_path).check()
    mark = went_back_of(consul.client().kv_get("gluster/main/went_back"))
    assert mark is not None and mark.seen > mark.found > 0
    # What is written from here on is higher again: it is noticed once.
    index = mark.index
    alive(consul, "3")
    guard(consul, tmp_path).check()
    again = went_back_of(consul.client().kv_get("gluster/main/went_back"))
    assert again is not None and again.index == index


def test_a_wiped_consul_is_of_the_same_kind(tmp_path: Path) -> None:
    consul = FakeConsul()
    alive(consul, "1")
    guard(consul, tmp_path).check()
    emptied = FakeConsul()
    guard(emptied, tmp_path).check()
    mark = went_back_of(emptied.client().kv_get("gluster/main/went_back"))
    assert mark is not None and mark.found == 0


def test_a_machine_that_remembers_nothing_takes_what_is_there(tmp_path: Path) -> None:
    consul = FakeConsul()
    alive(consul, "1")
    guard(consul, tmp_path).check()
    assert consul.client().kv_get("gluster/main/went_back") is None


def test_a_mark_that_cannot_be_written_is_written_at_the_next_renewal(tmp_path: Path) -> None:
    """Nothing else is written before: the evidence would be gone."""
    world = World(tmp_path)
    world.passes(30)
    world.watches._index_guard.keep()
    row = world.consul.keys["gluster/main/alive"]
    world.consul.keys["gluster/main/alive"] = {**row, "ModifyIndex": 3}
    before = world.consul.keys["gluster/main/alive"]

    def refuse(method: str, path: str) -> None:
        if (method, path) == ("PUT", "kv/gluster/main/went_back"):
            raise ConsulError("no answer", kind="timeout")

    world.consul.before = refuse
    world.watches._renew()
    assert world.consul.keys["gluster/main/alive"] == before
    world.consul.before = lambda method, path: None
    world.watches._renew()
    assert world.client.kv_get("gluster/main/went_back") is not None
