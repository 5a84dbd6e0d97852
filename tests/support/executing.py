"""The executor's node gfn2 and its Consul: one in memory; gluster's answers are recorded."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fleet
import pytest
from fake_consul import FakeConsul
from fleet import CLUSTER, DEAD, GFN1, GFN3, NOW, PATH, SEAT, VOLUME

from salt_gluster import node
from salt_gluster.consul import canary
from salt_gluster.consul.service import Member
from salt_gluster.consul.store import Store
from salt_gluster.errors import CommandFailed
from salt_gluster.minion import report
from salt_gluster.minion.automation import registration, remediate
from salt_gluster.minion.automation.remediate import carry_out
from salt_gluster.model import BrickFacts, Node, Observation, Peer, Reach, Step
from salt_gluster.remediation.operations import ExecutionReport, Life, Operation

#: The port of gfn2's brick in the recorded rows.
PORT = next(r.port for r in fleet.GOOD_ROWS.bricks if r.host_uuid == SEAT)


class Place:
    """The node gfn2: its clock, what its glusterd shows, what is sent to it."""

    def __init__(self) -> None:
        self.clock = NOW
        self.volumes: Any = {"rep3": VOLUME}
        self.rows, self.good = fleet.DEAD_ROWS, fleet.GOOD_ROWS
        self.dead = [SEAT]
        self.told: Any = {uuid: {"rep3": VOLUME.digest()} for uuid in (GFN1, GFN3)}
        #: What it says of its own brick, where that is neither well nor plainly dead.
        self.brick: BrickFacts | None = None
        self.looks = 0
        self.copies = 0
        self.sent: list[Step] = []
        self.listens = {PORT}
        #: What the command does, and after how many seconds its brick is up.
        self.answer: Exception | None = None
        self.helps_after_s: float | None = 0.0
        self.then: Callable[[], object] = list
        self.copy_fails = False
        self._up_at: float | None = None

    def now(self) -> float:
        return self.clock

    def sleep(self, seconds: float) -> None:
        self.clock += seconds

    def tell(self, text: str) -> None:
        pass

    def jitter(self) -> float:
        return 0.5

    def stamps(self) -> dict[str, object]:
        return {}

    def observe_more(self, obs: Observation, needs: frozenset[str]) -> Observation:
        return self.observe(needs)

    def observe(self, needs: frozenset[str] = frozenset(), *, fresh: bool = False) -> Observation:
        self.looks += 1
        if self._up_at is not None and self.clock >= self._up_at:
            self.come_up()
        peers = tuple(Peer(u, (n,), True, 3, is_self=u == SEAT) for n, u in fleet.UUIDS.items())
        own = Node(
            "gfn2", uuid=SEAT, glusterd_started=NOW - 9999, volumes_without_info=(),
            volumes_at_start=("rep3",), hold=None,
        )  # fmt: skip
        return Observation(
            self.clock, own, peers, self.volumes, status={"rep3": self.rows},
            reach={u: Reach(True, fleet.OP_VERSION) for u in fleet.UUIDS.values()},
            definitions=self.told,
        )  # fmt: skip

    def come_up(self) -> None:
        self.rows, self.dead = self.good, []

    def backup(self) -> None:
        if self.copy_fails:
            raise CommandFailed("no space left on device", kind="other")
        self.copies += 1

    def execute(self, step: Step) -> None:
        self.sent.append(step)
        self.then()
        if self.helps_after_s is not None:
            self._up_at = self.clock + self.helps_after_s
        if self.answer is not None:
            raise self.answer

    def report(self) -> dict[str, Any]:
        self.looks += 1
        brick = self.brick or (DEAD if SEAT in self.dead else fleet.WELL)
        told = fleet.facts(SEAT, brick, at=self.clock, volumes=self.volumes)
        return fleet.report_data(SEAT, told)


class Pool:
    """Consul with an intent for gfn2, and gfn2."""

    def __init__(self) -> None:
        self.consul = FakeConsul()
        self.consul.node, self.consul.nodes = "gfn2", {"gfn2"}
        self.consul.catalog = [dict(row) for row in fleet.catalog_rows()]
        self.client = self.consul.client()
        self.store = Store(self.client, CLUSTER)
        self.place = Place()
        keys = self.store.keys
        session = self.client.session_create("engine", ttl_s=10, lock_delay_s=0)
        self.client.kv_put(keys.leader, '{"holder": "m1"}', acquire=session)
        self.client.kv_put(keys.canary, "1")
        self.accept({})
        pulse = {"schema": 1, "by": "m1", "at": NOW}
        self.client.kv_put(keys.heartbeat, json.dumps(pulse))
        self.epoch()
        for uuid, told in fleet.reports().items():
            self.store.write(keys.node(uuid), fleet.report_data(uuid, told))
            well = {PATH: {"filesystem": "fs", "volume_id": VOLUME.id}}
            name = next(n for n, u in fleet.UUIDS.items() if u == uuid)
            self.store.write(keys.identity(uuid), {"bricks": well, "name": name})

    def accept(self, policy: dict[str, Any], spec: dict[str, Any] | None = None) -> None:
        """Let a policy be in force."""
        config = {"schema": 1, "spec": spec or {}, "policy": policy}
        self.store.accept(config, by="ann", why="a test", now=NOW)

    def epoch(self) -> int:
        """Let somebody begin to lead; return his epoch."""
        self.client.kv_put(self.store.keys.epoch, f"epoch {self.consul.index}")
        entry = self.client.kv_get(self.store.keys.epoch)
        assert entry is not None
        return entry.modify_index

    def intend(self, **changed: Any) -> Operation:
        entry = self.client.kv_get(self.store.keys.epoch)
        assert entry is not None
        op = fleet.operation(**{"epoch": entry.modify_index, **changed})
        self.store.write(self.store.keys.operation(op.id), op.to_data())
        return op

    def execute(self, at: str = "", what: Callable[[], object] = list, op: str = "op1") -> Any:
        """Carry it out; ``what`` happens at the end of the step ``at``."""

        def after(step: str) -> None:
            if step == at:
                what()

        return carry_out(op, self.place, {}, after=after)  # type: ignore[arg-type]

    def outcome(self, op: str = "op1") -> str | None:
        told = self.store.outcome(SEAT, op)
        return None if told is None else str(told.data["state"])

    def say(self, state: Life, op: str = "op1") -> None:
        """Write what this node said of it before, or what its other process says."""
        self.store.write_outcome(SEAT, op, ExecutionReport(op, SEAT, state, NOW).to_data())

    def hold(self) -> None:
        self.client.kv_put(self.store.keys.hold, "the rack is being moved")


def names(told: Any) -> set[str]:
    return {reason["name"] for reason in told["reasons"]}


def refused(pool: Pool, told: Any, reason: str) -> None:
    assert (told["did"], reason in names(told)) == ("refuse", True), told
    assert pool.place.sent == []
    assert pool.outcome() == "refused"


def ignored(pool: Pool, told: Any, reason: str) -> None:
    assert (told["did"], names(told)) == ("ignore", {reason})
    assert pool.place.sent == []
    assert pool.outcome() is None


def pool_in(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Pool:
    """Return the pool, with what the executor asks of this machine answered by it."""
    pool = Pool()
    me = Member(SEAT, "gfn2", "gfn2", CLUSTER)
    monkeypatch.setattr(canary, "FOLDER", folder)
    monkeypatch.setattr(registration, "load_registration", lambda: me)
    monkeypatch.setattr(remediate, "connect", lambda settings, timeout_s: pool.consul.client())
    monkeypatch.setattr(report, "collect_report", lambda site: pool.place.report())
    monkeypatch.setattr(node, "one_job", lambda wait_s: contextlib.nullcontext())
    monkeypatch.setattr(node, "one_executor", contextlib.nullcontext)
    monkeypatch.setattr(node, "accepts", lambda host, port, limit: port in pool.place.listens)
    monkeypatch.setattr(node.LocalState, "get", lambda self, key: None)
    monkeypatch.setattr(node.LocalState, "put", lambda self, key, record: None)
    return pool
