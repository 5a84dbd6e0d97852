"""A whole engine in one process: Consul in memory, a bus that tests write, a clock that they turn.

What threads would bring (renewals, the watches' answers) is brought by ``passes``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import recorded_pool
from fake_consul import FakeConsul

from salt_gluster.consul.canary import FileMarker
from salt_gluster.consul.catalog import catalog, critical_checks
from salt_gluster.consul.codec import pack
from salt_gluster.errors import ConsulError
from salt_gluster.master.engine import Engine
from salt_gluster.master.engine.steady_clock import SteadyClock

T0 = 1_000_000.0
NAMES = ("g1", "g2", "g3")
UUIDS = [recorded_pool.UUID.format(n) for n in range(len(NAMES))]


class Bus:
    """Salt: what was fired, who was asked; ``broken`` raises, as a client without descriptors."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.fired: list[Mapping[str, Any]] = []
        self.rounds: list[list[str]] = []
        self.sent: list[tuple[Any, ...]] = []
        self.broken, self.late = "", 0

    def fire(self, event: Mapping[str, Any]) -> bool:
        self.fired.append(event)
        return True

    def send(self, minion: str, function: str, arguments: Sequence[Any]) -> None:
        self.sent.append((minion, function, *arguments))

    def ask(
        self, minions: Sequence[str], function: str, arguments: Sequence[Any], is_over: object
    ) -> Mapping[str, Any]:
        self.rounds.append(sorted(minions))
        if self.broken:
            raise OSError(24, self.broken)
        world = self._world
        pool = {"names": NAMES, "dead": world.dead}
        answers = recorded_pool.answers(pool, minions, arguments[0], world.node_time())
        said = {m: a for m, a in answers.items() if m not in world.silent}
        said = {m: {**a, **world.broken_answers.get(m, {})} for m, a in said.items()}
        if self.late:  # they look for longer than somebody needs who only makes it up
            world.later = [(self.late, m, a, arguments[1]) for m, a in said.items()]
            return world.forged
        return {**{m: world.written(m, a, arguments[1]) for m, a in said.items()}, **world.forged}


class World:
    """Three nodes with a replicated volume, as their reports tell it, and the engine on ``m1``."""

    def __init__(self, folder: Path) -> None:
        self.consul = FakeConsul()
        self.now, self.step_s = 5000.0, 0.0
        self.nodes_ahead_s = 0.0
        self.dead: Collection[int] = ()
        self.silent: Collection[str] = ()
        #: What others put on the bus in the name of these minions.
        self.forged: Mapping[str, Any] = {}
        self.broken_answers: Mapping[str, Mapping[str, Any]] = {}
        self.later: list[tuple[int, str, Mapping[str, Any], str]] = []
        self.client, self.marker = self.consul.client(), FileMarker(folder)
        self.bus = Bus(self)
        self.client.kv_put("gluster/main/canary", "1")
        self.client.kv_put("gluster/main/rev", "1")
        self.report()
        self.consul.catalog = [
            {"Node": n, "ServiceMeta": {"cluster": "main", "peer_uuid": u, "minion_id": n}}
            for n, u in zip(NAMES, UUIDS, strict=True)
        ]
        self.clock = SteadyClock(lambda: T0 + self.now + self.step_s, lambda: self.now, self._sleep)
        self.engine = Engine(
            lambda limit_s: self.consul.client(), "main", "m1", self.bus,
            marker=self.marker, clock=self.clock,
        )  # fmt: skip
        self.watches = self.engine.watches

    def _sleep(self, seconds: float) -> None:
        self.now += seconds
        for _, minion, answer, nonce in self.later:
            self.written(minion, answer, nonce)
        self.later = []
        if self.now % 3 < seconds:
            self.watches._renew()

    def written(self, minion: str, answer: Mapping[str, Any], nonce: str) -> Mapping[str, Any]:
        """Write an answer to Consul, as a node does, and return what is left for the bus."""
        uuid = UUIDS[NAMES.index(minion)]
        try:
            self.client.kv_put(f"gluster/main/nodes/{uuid}", pack(answer["report"]))
            said = {"nonce": nonce, "at": answer["at"], "ports": answer["ports"]}
            self.client.kv_put(f"gluster/main/nodes/{uuid}/answer", pack(said))
        except ConsulError:
            return answer
        return {"schema": 1, "at": answer["at"], "confirmed": True}

    def node_time(self) -> float:
        return T0 + self.now + self.nodes_ahead_s

    def report(self, hold: Mapping[int, Mapping[str, Any]] | None = None) -> None:
        """Let every node write its report, and push its checks."""
        self.consul.checks = [
            {"Node": NAMES[n], "CheckID": "gluster:bricks", "ServiceName": "gluster",
             "Status": "critical"} for n in self.dead
        ]  # fmt: skip
        volume = recorded_pool.replicated(NAMES)
        for number, uuid in enumerate(UUIDS):
            told = recorded_pool.report(number, NAMES, volume, self.node_time(), dead=self.dead)
            told["hold"] = told["facts"]["hold"] = (hold or {}).get(number)
            self.client.kv_put(f"gluster/main/nodes/{uuid}", pack(told))

    def passes(self, seconds: float, step_s: float = 1.0) -> None:
        """Let time pass: renewals every 3 s, watches that see, a tick each step."""
        end = self.now + seconds
        while self.now < end:
            self.now += step_s
            if step_s >= 3 or int(self.now) % 3 == 0:
                self.watches._renew()
                self._see()
            self.engine.run_once()
            assert self.engine._probes.asking.wait(20)

    def _see(self) -> None:
        rows, index = self.consul.catalog, self.consul.index
        self.watches.saw("critical", critical_checks(self.consul.checks), index)
        if not self.watches.catalog.nodes or self.watches._waits_for:
            self.watches.saw("catalog", catalog(rows, "main"), index)
            self.watches.saw("rev", 1, index)

    def events(self, *names: str) -> list[tuple[str, str]]:
        """Return what was fired: subject's name and event."""
        told = [(e["data"]["name"], e["data"]["event"]) for e in self.bus.fired]
        return [row for row in told if not names or row[1] in names]
