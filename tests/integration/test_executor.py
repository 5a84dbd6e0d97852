"""The executor on a real pool with a real Consul: what it does, refuses, and survives."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from consul_world import Candidate, inside
from executor_process import ask, refresh
from waiting import until

from lab import Lab
from salt_gluster.consul.client import Client
from salt_gluster.consul.codec import pack
from salt_gluster.consul.settings import Access
from salt_gluster.consul.store import Store
from salt_gluster.errors import ConsulError, Fenced
from salt_gluster.minion.automation.remediate import STEPS
from salt_gluster.remediation.operations import Life, Operation

CLUSTER = "main"
PILLAR = {"gluster": {"nodes": ["g1", "g2", "g3"]}}
BRICK = "/srv/gluster/data"
#: The lab's glusterd is young and the tests break one brick again and again.
POLICY = {
    "glusterd_up_s": 0, "restart_cooldown_s": 0, "restart_budget": 1000, "settle_s": 0,
    "refused_pause_s": 0,
}  # fmt: skip
#: Takes away what a person has put there.
FREE = f"consul kv delete gluster/{CLUSTER}/hold; consul kv delete -recurse gluster/{CLUSTER}/maintenance"  # noqa: E501


class World:
    """The pool with its leader, whose operations the tests write as it would."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.g1 = lab, lab.node("g1")
        self.numbers = count(1)
        self.open: list[Operation] = []
        self.lead = Candidate(self.g1, CLUSTER, tells_time=True)
        self.client = Client(Access())
        self.store = Store(self.client, CLUSTER)
        until(self.lead.lock.holds, 40, "a leader")
        with inside(self.g1):
            config = {"schema": 1, "spec": {}, "policy": POLICY}
            self.store.accept(config, by="test", why="test", now=time.time())
        self.uuids = {
            n.name: n.ok(["sed", "-n", "s/UUID=//p", "/var/lib/glusterd/glusterd.info"]).strip()
            for n in lab.nodes
        }
        told = ask(self.g1, "observe")["report"]
        self.volume_id = told["volumes"]["data"]["id"]

    # --- the leader's part -------------------------------------------------------------------

    def acknowledge(self) -> None:
        """A person has seen what was done by hand until now."""
        time.sleep(0.01)
        with inside(self.g1):
            document = {"schema": 1, "what": CLUSTER, "by": "test", "seen_at": time.time()}
            self.store.write(self.store.keys.acknowledged(CLUSTER), document)

    def operation(self, **changed: Any) -> Operation:
        now = time.time()
        op = Operation(
            id=f"op{next(self.numbers)}-{int(now)}", action="brick_restart", rung=1,
            volume="data", volume_id=self.volume_id, brick=f"g1:{BRICK}", node=self.uuids["g1"],
            executor="g1", epoch=self.lead.lock.epoch, state=Life.INTENT, at=now,
            deadline=now + 120, incident=now - 60, attempt=1, changed=now,
            evidence={"skew_s": 0.0},
        )  # fmt: skip
        return replace(op, **changed)

    def claim(self, **changed: Any) -> Operation:
        """Write an intent as the leader does."""
        op = self.operation(**changed)
        with inside(self.g1):
            self.lead.lock.claim(op.id, pack(op.to_data()))
        self.open.append(op)
        return op

    def close(self, state: Life = Life.LOST) -> None:
        """Let the leader judge what is still open."""
        with inside(self.g1):
            for op in self.open:
                ended = replace(op, state=state, changed=time.time() - 1)
                self.store.write(self.store.keys.operation(op.id), ended.to_data())
        self.open = []

    def outcome(self, op: Operation) -> str | None:
        with inside(self.g1):
            told = self.store.outcome(op.node, op.id)
        return None if told is None else str(told.data["state"])

    # --- the pool ----------------------------------------------------------------------------

    def serves(self) -> bool:
        report = ask(self.g1, "observe")["report"]
        brick = report["facts"]["bricks"][BRICK]
        return brick["alive"] is True and isinstance(brick["port"], int)

    def starts(self) -> int:
        """Return how often a start by force was sent, wherever it came from."""
        lines = [n.ok(["cat", "/var/log/glusterfs/cmd_history.log"]) for n in self.lab.nodes]
        return sum(text.count("volume start data force") for text in lines)

    def break_brick(self) -> None:
        self.lab.fault("brick-kill", "g1", "data")
        refresh(self.lab)

    def mend(self) -> None:
        """Be well again, whatever a test has left."""
        self.lab.heal_all()
        self.g1.ok(["rm", "-f", "/var/lib/salt-gluster/hold"])
        until(lambda: self.g1.run(["sh", "-c", FREE]).returncode == 0, 60, "no hold")
        until(self.lead.lock.holds, 60, "a leader")
        until(self._closed, 30, "what is open to be closed")
        self.g1.run(["gluster", "--mode=script", "volume", "start", "data", "force"])
        until(self.serves, 30, "the brick")
        self.acknowledge()

    def _closed(self) -> bool:
        try:
            self.close()
        except ConsulError:  # an agent that was just started has no leader yet
            return False
        return True

    def execute(self, op: Operation | str, *, die: str = "", at: str = "", run: str = "") -> Any:
        name = op if isinstance(op, str) else op.id
        more = [*(["--die", die] if die else []), *(["--at", at, "--run", run] if at else [])]
        return ask(self.g1, "execute", name, *more)


@pytest.fixture(scope="module")
def pool() -> Iterator[World]:
    with Lab.up("executor", nodes=3, salt=False) as lab:
        lab.join()
        first = lab.node("g1")
        bricks = [f"{n.name}:{BRICK}" for n in lab.nodes]
        gluster = ["gluster", "--mode=script", "volume"]
        first.ok([*gluster, "create", "data", "replica", "3", *bricks])
        first.ok([*gluster, "start", "data"])
        time.sleep(2)
        for node in lab.nodes:
            ask(node, "register", "--pillar", json.dumps(PILLAR))
        world = World(lab)
        world.acknowledge()
        refresh(lab)
        yield world
        world.lead.end()


@pytest.fixture
def world(pool: World) -> Iterator[World]:
    yield pool
    pool.mend()


def names(told: Any) -> set[str]:
    return {reason["name"] for reason in told["reasons"]}


def test_a_dead_brick_is_started_once_and_told(world: World) -> None:
    world.break_brick()
    before = world.starts()
    op = world.claim()
    began = time.monotonic()
    told = world.execute(op)
    print(f"asked to told: {time.monotonic() - began:.1f} s")
    assert (told["did"], told["outcome"], told["reasons"]) == ("perform", "applied", [])
    assert world.serves()
    assert world.starts() == before + 1
    assert world.outcome(op) == "applied"
    again = world.execute(op)  # doubled
    assert (again["did"], names(again)) == ("ignore", {"not_done_before"})
    assert world.starts() == before + 1
    # What we sent is known as ours: a restart is no person at work.
    facts = ask(world.g1, "observe")["report"]["facts"]
    last = facts["changes"][-1]
    assert (last["command"], last["ours"]) == ("volume start data force", True)


@pytest.mark.parametrize("step", [*STEPS, "while_sent"])
def test_killed_at_any_step_it_ends_the_same_and_acts_once(world: World, step: str) -> None:
    world.break_brick()
    before = world.starts()
    op = world.claim()
    assert world.execute(op, die=step) is None, "it did not die there"
    if step == "while_sent":  # gluster's history has a command only when it has ended
        until(lambda: world.starts() > before, 60, "the end of the command")
    told = world.execute(op)
    if world.starts() == before and world.outcome(op) == "issued":
        # Begun, and never sent: it is never begun again. The leader forgets it (R10), and decides
        # anew with another id.
        assert told["did"] == "look_back"
        world.close(Life.LOST)
        refresh(world.lab)
        op = world.claim(attempt=2)
        world.execute(op)
    until(lambda: world.execute(op) and world.outcome(op) == "applied", 30, "applied")
    assert world.serves()
    assert world.starts() == before + 1


def test_two_at_once_act_once(world: World) -> None:
    world.break_brick()
    before = world.starts()
    op = world.claim()
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(3) as threads:
        told = list(threads.map(lambda _: world.execute(op), range(3)))
    assert sorted(t["did"] for t in told) == ["ignore", "ignore", "perform"]
    assert world.starts() == before + 1
    assert world.outcome(op) == "applied"


def refused(
    world: World, op: Operation | str, *reasons: str, did: str = "refuse", **more: str
) -> None:
    before = world.starts()
    told = world.execute(op, **more)
    assert told["did"] == did, told
    assert set(reasons) <= names(told), told
    assert world.starts() == before
    assert not world.serves()


def test_what_is_forged_late_old_or_not_for_here_does_nothing(world: World) -> None:
    world.break_brick()
    now = time.time()
    refused(world, "0123456789abcdef", "operation_known", did="ignore")
    refused(world, "../hold", "operation_known", did="ignore")
    refused(world, world.claim(executor="g2"), "named_here", did="ignore")
    world.close()
    refused(world, world.claim(node=world.uuids["g2"]), "named_here", did="ignore")
    world.close()
    refused(world, world.claim(state=Life.DONE), "is_open", did="ignore")
    world.close()
    for why, changed in {
        "in_time": {"at": now - 200, "deadline": now - 80},
        "epoch_current": {"epoch": world.lead.lock.epoch - 1},
        "clocks_agree": {"evidence": {}},
        "action_known": {"action": "brick_replace"},
    }.items():
        op = world.claim(**changed)
        refused(world, op, why)
        assert world.outcome(op) == "refused"
        world.close(Life.REFUSED)


def test_a_hold_stops_it_however_it_is_put_there(world: World) -> None:
    world.break_brick()
    op = world.claim()
    world.g1.ok(["consul", "kv", "put", f"gluster/{CLUSTER}/hold", "the rack is being moved"])
    refused(world, op, "not_held")
    world.g1.ok(["consul", "kv", "delete", f"gluster/{CLUSTER}/hold"])
    world.close(Life.REFUSED)
    world.g1.ok(["touch", "/var/lib/salt-gluster/hold"])
    refused(world, world.claim(), "not_held")
    world.g1.ok(["rm", "/var/lib/salt-gluster/hold"])
    world.close(Life.REFUSED)
    key = f"gluster/{CLUSTER}/maintenance/{world.uuids['g1']}"
    op = world.claim()
    world.g1.ok(["consul", "kv", "put", key, "ann has it"])
    refused(world, op, "not_in_maintenance")
    world.g1.ok(["consul", "kv", "delete", key])


def test_a_volume_that_a_person_has_stopped_stays_stopped(world: World) -> None:
    world.break_brick()
    op = world.claim()
    world.g1.ok(["gluster", "--mode=script", "volume", "stop", "data"])
    refused(world, op, "volume_started", "no_recent_manual_change")
    world.acknowledge()
    world.close(Life.REFUSED)
    refresh(world.lab)
    refused(world, world.claim(), "volume_started")
    assert "Status: Stopped" in world.g1.ok(["gluster", "volume", "info", "data"])


@pytest.mark.parametrize("step", ["begun", "judged_again"])
def test_a_stop_in_the_last_moment_is_a_persons_word_too(world: World, step: str) -> None:
    """It was begun already; the second look, and the look of the command itself, see the stop."""
    world.break_brick()
    op = world.claim()
    stop = "gluster --mode=script volume stop data"
    refused(world, op, "volume_started", at=step, run=stop)
    assert world.outcome(op) == "refused"
    assert "Status: Stopped" in world.g1.ok(["gluster", "volume", "info", "data"])


def test_what_changes_between_the_two_looks_refuses(world: World) -> None:
    world.break_brick()
    hold = "touch /var/lib/salt-gluster/hold"
    refused(world, world.claim(), "not_held", at="begun", run=hold)
    world.g1.ok(["rm", "/var/lib/salt-gluster/hold"])
    world.close(Life.REFUSED)
    refused(world, world.claim(), "not_held", at="judged_again", run=hold)  # the guard's own look
    world.g1.ok(["rm", "/var/lib/salt-gluster/hold"])
    world.close(Life.REFUSED)
    epoch = f"consul kv put gluster/{CLUSTER}/epoch another"
    refused(world, world.claim(), "epoch_current", at="begun", run=epoch)
    world.close(Life.REFUSED)
    until(world.lead.lock.holds, 40, "a leader, under an epoch of its own")
    with world.lead.renewing:
        world.g1.ok(["sh", "-c", epoch])
        with pytest.raises(Fenced):  # so the leader learns that it is none, before it renews
            world.claim()


def test_a_brick_that_comes_back_by_itself_is_left_alone(world: World) -> None:
    world.break_brick()
    op = world.claim()
    before = world.starts()
    world.g1.ok(["gluster", "--mode=script", "volume", "start", "data", "force"])
    until(world.serves, 20, "up")
    told = world.execute(op)
    assert (told["did"], "still_down" in names(told)) == ("refuse", True)
    assert world.starts() == before + 1


def test_a_person_at_work_is_not_surprised(world: World) -> None:
    world.break_brick()
    world.lab.node("g2").ok(
        ["gluster", "--mode=script", "volume", "set", "data", "user.note", str(time.time())]
    )
    refresh(world.lab)
    refused(world, world.claim(), "no_recent_manual_change")
    world.close(Life.REFUSED)
    world.acknowledge()
    assert world.execute(world.claim())["outcome"] == "applied"


def test_old_news_of_another_node_and_a_blind_consul_refuse(world: World) -> None:
    world.break_brick()
    with inside(world.g1):
        key = world.store.keys.node(world.uuids["g2"])
        there = world.store.read(key)
        assert there is not None
        after = {**there.data["after"], "at": time.time() - 90}
        world.store.write(key, {**there.data, "after": after, "at": time.time() - 90})
    refused(world, world.claim(), "single_version", "no_recent_manual_change", "bricks_known")
    world.close(Life.REFUSED)
    refresh(world.lab)
    op = world.claim()
    world.lab.fault("consul-kill", "g1")
    refused(world, op, "seen", did="ignore")


#: The nastiest of all: the right marks, on a disk that is not the one.
COPIED = """
set -e
mountpoint -q /run/copy && umount /run/copy
truncate -s 400M /var/tmp/copy.img
mkfs.xfs -q -f /var/tmp/copy.img
mkdir -p /run/copy
mount -o loop /var/tmp/copy.img /run/copy
cp -a /srv/gluster/data /run/copy/
umount /srv/gluster
mount --move /run/copy /srv/gluster || { umount /run/copy; mount -o loop /var/tmp/copy.img /srv/gluster; }
"""  # noqa: E501
RAW_ID = "trusted.glusterfs.volume-id"
DISKS = {
    "unmounted": ("mounted", "umount /srv/gluster"),
    "read_only": ("writable", "mount -o remount,ro /srv/gluster"),
    "other_id": ("volume_id_right", f"setfattr -n {RAW_ID} -v 0x{'ab' * 16} {BRICK}"),
    "empty": ("gluster_root_there", f"mv {BRICK}/.glusterfs /srv/gluster/away"),
    "copied": ("same_filesystem", COPIED),
}


@pytest.mark.parametrize("fault", DISKS)
def test_a_brick_whose_disk_is_not_its_own_or_ill_is_never_started(
    world: World, fault: str
) -> None:
    """The disk is judged by what it is, not by what gluster would do about it."""
    reason, script = DISKS[fault]
    device = world.g1.ok(["findmnt", "-n", "-o", "SOURCE", "/srv/gluster"]).strip()
    world.break_brick()
    # The self-heal daemon may hold the mount for a moment.
    until(lambda: world.g1.run(["sh", "-c", script]).returncode == 0, 60, script)
    try:
        refused(world, world.claim(), reason)
    finally:
        _undo(world, fault, device)


def _undo(world: World, fault: str, device: str) -> None:
    raw = "0x" + world.volume_id.replace("-", "")
    mount = f"mount -o noatime {device} /srv/gluster"
    undo = {
        "unmounted": mount,
        "read_only": "mount -o remount,rw /srv/gluster",
        "other_id": f"setfattr -n {RAW_ID} -v {raw} {BRICK}",
        "empty": f"mv /srv/gluster/away {BRICK}/.glusterfs",
        "copied": f"umount /srv/gluster; {mount}",
    }
    world.g1.ok(["sh", "-c", undo[fault]])


def test_a_disk_that_has_given_errors_is_a_persons_matter_until_the_next_boot(
    world: World,
) -> None:
    """Last in this file: the kernel's word about the disk stays."""
    world.g1.ok(["sync", "-f", "/srv/gluster"])  # what was not written yet dies with it
    world.lab.fault("disk-die", "g1")
    world.break_brick()
    refused(world, world.claim(), "no_io_errors", "gluster_root_there")
    world.close(Life.REFUSED)
    world.lab.heal("disk-die", "g1")
    world.lab.heal("brick-kill", "g1", "data")  # as a person does
    until(world.serves, 30, "the brick")
    world.acknowledge()
    world.break_brick()
    refused(world, world.claim(), "no_io_errors")
