"""Measure what reports cost: one standing failure for an hour, and one changed definition.

Pools of 4 and of 300 nodes with 200 volumes, in one process: the real engine, the real documents, a
Consul in memory, a clock that is turned. Counted are the jobs, the minions that ran one, the bytes
of requests and answers on Salt's bus, and the bytes of values that Consul has to store. Beside each
stands the same with reports that are written whole (*whole*), and, of the failure, what it costs to
ask every node every ten seconds for its whole report (*all*).

A definition change is seen by all nodes at one moment; when they look is the sensor's own rule. For
the pool of 4 it is written to a real Consul server too, whose file of Raft is measured. At last all
reports are read as a screen reads them. The last line is JSON.
"""

from __future__ import annotations

import argparse
import functools
import json
import random
import sys
import tempfile
import time
import tracemalloc
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import engine as servers

sys.path.insert(0, str(servers.ROOT / "tests/support"))

from fake_consul import FakeConsul

from salt_gluster.consul.answers import write_answer
from salt_gluster.consul.canary import FileMarker
from salt_gluster.consul.catalog import catalog, critical_checks
from salt_gluster.consul.client import Client
from salt_gluster.consul.cluster_snapshot import ClusterSnapshot
from salt_gluster.consul.codec import pack
from salt_gluster.consul.heartbeat import watermark
from salt_gluster.consul.report_parts import write_report
from salt_gluster.consul.settings import Access
from salt_gluster.consul.store import Store
from salt_gluster.master.engine import Engine
from salt_gluster.master.engine.steady_clock import SteadyClock
from salt_gluster.minion.automation.sensor import Sensor, share_of
from salt_gluster.model import SENSOR_TIMES, Brick, BrickFacts, NodeFacts, Volume
from salt_gluster.status.facts import facts_data, volumes_data

T0, HOUR_S, TICK_S, PORT = 1_000_000.0, 3600.0, 10.0, 49152
SIZES = (4, 300)
#: The node whose brick is dead.
ILL = 1
Write = Callable[[Store, str, Mapping[str, Any]], object]


def write_whole(store: Store, node: str, report: Mapping[str, Any]) -> None:
    """Write a report as one document, as it was before it had parts."""
    store.write(store.keys.node(node), dict(report))


class Nodes:
    """The nodes of a pool, and what each says of itself."""

    def __init__(self, number: int, volumes: int) -> None:
        chance = random.Random(number)

        def some_uuid() -> str:
            return str(uuid.UUID(int=chance.getrandbits(128)))

        self.names = [f"g{n}.example.net" for n in range(number)]
        self.uuids = [some_uuid() for _ in self.names]
        self.chance = chance
        self.volumes = {}
        for v in range(volumes):
            hosts = [(3 * v + copy) % number for copy in range(3)]
            bricks = tuple(Brick(self.names[n], f"/bricks/b{v}/data", self.uuids[n]) for n in hosts)
            options = {"nfs.disable": "on", "network.ping-timeout": "30", "auth.allow": "10.*"}
            self.volumes[f"v{v:03}"] = Volume(
                f"v{v:03}", some_uuid(), "Started", "replicate", bricks, 1, replica=3,
                options=options,
            )  # fmt: skip
        self._data = volumes_data(self.volumes)
        self.filesystems = {
            (b.host_uuid, b.path): some_uuid() for v in self.volumes.values() for b in v.bricks
        }

    def report(self, n: int, now: float, dead: Collection[int] = ()) -> dict[str, Any]:
        """Return a node's report; what is free on a brick is never the same twice."""
        own = [(v, b) for v in self.volumes.values() for b in v.bricks
               if b.host_uuid == self.uuids[n]]  # fmt: skip
        alive = {b.path: i > 0 or n not in dead for i, (_, b) in enumerate(own)}
        rows: dict[str, list[dict[str, Any]]] = {}
        for volume, brick in own:
            up = alive[brick.path]
            rows.setdefault(volume.name, []).append(
                {"name": brick.name, "online": up, "port": PORT if up else None,
                 "free": self.chance.getrandbits(40), "total": 2**41, "pending": 0}
            )  # fmt: skip
        facts = NodeFacts(
            now, glusterd_started=now - 3600, glusterd_answers=True, version=100000,
            volumes_without_info=(), volumes={},
            connected={u: True for u in self.uuids if u != self.uuids[n]},
            bricks={b.path: self._brick(v, b, alive[b.path]) for v, b in own}, changes=(),
            hold=None,
        )  # fmt: skip
        peers = [
            {"uuid": u, "names": [name], "connected": True, "state": 3,
             "state_text": "Peer in Cluster", "is_self": u == self.uuids[n]}
            for u, name in zip(self.uuids, self.names, strict=True)
        ]  # fmt: skip
        reach = {u: {"accepts": True, "max_op_version": 100000} for u in self.uuids}
        return {
            "schema": 1, "at": now, "node": self.names[n], "names": [self.names[n]],
            "uuid": self.uuids[n], "version": "10.3", "hold": None, "peers": peers,
            "reach": reach, "bricks": rows, "volumes": self._data,
            "facts": {k: v for k, v in facts_data(facts).items() if k != "volumes"},
        }  # fmt: skip

    def _brick(self, volume: Volume, brick: Brick, alive: bool) -> BrickFacts:
        return BrickFacts(
            alive=alive, port=PORT if alive else None, mounted=True, read_only=False,
            filesystem=self.filesystems[brick.host_uuid, brick.path], volume_id=volume.id,
            gluster_root=True, io_errors=0, health_check_ended=False,
        )  # fmt: skip

    def change(self) -> None:
        """Set an option of one volume."""
        volume = self.volumes["v000"]
        options = {**volume.options, "user.value": str(self.chance.getrandbits(32))}
        self.volumes["v000"] = replace(volume, options=options)
        self._data = volumes_data(self.volumes)


class CountedConsul(FakeConsul):
    """A Consul in memory that counts the bytes it has to store."""

    def __init__(self) -> None:
        super().__init__()
        self.stored = 0

    def answer(self, method: str, url: str, body: bytes) -> tuple[int, Any]:
        if method == "PUT" and "/v1/kv/" in url:
            self.stored += len(body)
        elif method == "PUT" and "/v1/txn" in url:
            values = (op["KV"].get("Value") or "" for op in json.loads(body))
            self.stored += sum(len(value) for value in values) * 3 // 4
        return super().answer(method, url, body)


# --- one failure that stands ---------------------------------------------------------------------


class Hour:
    """The engine, and all nodes; it is Salt's bus as well."""

    def __init__(self, nodes: Nodes, folder: Path) -> None:
        self.nodes = nodes
        self.consul = CountedConsul()
        self.now, self.dead = 5000.0, [ILL]
        self.jobs = self.ran = self.bus = 0
        #: What the reports took in Consul, and what they would have taken in one piece.
        self.parts = self.whole = 0
        self.client = self.consul.client()
        self.store = Store(self.client, servers.CLUSTER)
        keys = self.store.keys
        self.client.kv_put(keys.canary, "1")
        self.client.kv_put(keys.rev, "1")
        self.consul.catalog = [
            {"Node": n, "ServiceMeta": {"cluster": servers.CLUSTER, "peer_uuid": u, "minion_id": n}}
            for n, u in zip(nodes.names, nodes.uuids, strict=True)
        ]
        clock = SteadyClock(lambda: T0 + self.now, lambda: self.now, self._sleep)
        self.engine = Engine(
            lambda limit_s: self.consul.client(), servers.CLUSTER, "m1", self,  # type: ignore[arg-type]
            marker=FileMarker(folder), clock=clock,
        )  # fmt: skip
        self.watches = self.engine.watches

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    # --- Salt's bus

    def fire(self, event: Mapping[str, Any]) -> bool:
        self.bus += len(json.dumps(event))
        return True

    def send(self, minion: str, function: str, arguments: Sequence[Any]) -> None:
        self.jobs, self.ran = self.jobs + 1, self.ran + 1

    def ask(
        self, minions: Sequence[str], function: str, arguments: Sequence[Any], is_over: object
    ) -> Mapping[str, Any]:
        self.jobs, self.ran = self.jobs + 1, self.ran + len(minions)
        said = {"schema": 1, "at": self.now, "confirmed": True}
        job = [function, list(arguments), list(minions)]
        self.bus += len(json.dumps(job)) + len(minions) * len(json.dumps(said))
        for minion in minions:
            n = self.nodes.names.index(minion)
            self.report(n)
            ports = [[u, path, n != ILL] for u, path, *_ in arguments[0]]
            write_answer(
                self.store, self.nodes.uuids[n], arguments[1], at=T0 + self.now, ports=ports
            )
        return dict.fromkeys(minions, said)

    # --- the nodes

    def report(self, n: int) -> None:
        told = self.nodes.report(n, T0 + self.now, self.dead)
        told["after"] = watermark(self.store)
        before = self.consul.stored
        write_report(self.store, self.nodes.uuids[n], told)
        self.parts += self.consul.stored - before
        self.whole += len(pack(told))

    def _sensors(self) -> None:
        """Who is well looks every 300 s, who is not every 30 s."""
        for n in range(len(self.nodes.names)):
            every_s = SENSOR_TIMES.unwell_s if n in self.dead else SENSOR_TIMES.collect_s
            if (self.now + TICK_S * n) % every_s < TICK_S:
                self.report(n)

    # --- time

    def begin(self) -> None:
        """Let all report, and the engine see and settle."""
        for n in range(len(self.nodes.names)):
            self.report(n)
        self.consul.checks = [
            {"Node": self.nodes.names[ILL], "CheckID": "gluster:bricks", "ServiceName": "gluster",
             "Status": "critical"}
        ]  # fmt: skip
        self.run(300)
        spec = {"nodes": list(self.nodes.names)}
        accepted = {"schema": 1, "spec": spec, "policy": {}}
        self.store.accept(accepted, by="g0", why="bench", now=T0 + self.now)
        self.watches.saw("rev", 2, self.consul.index)
        self.run(300)
        self.consul.stored = self.jobs = self.ran = self.bus = self.parts = self.whole = 0

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += TICK_S
            self._sensors()
            self.watches._renew()
            self._see()
            self.engine.run_once()
            if not self.engine._probes.asking.wait(60):
                raise SystemExit("a round of questions did not end")

    def _see(self) -> None:
        index = self.consul.index
        self.watches.saw("critical", critical_checks(self.consul.checks), index)
        if not self.watches.catalog.nodes or self.watches._waits_for:
            self.watches.saw("catalog", catalog(self.consul.catalog, servers.CLUSTER), index)
            self.watches.saw("rev", 1, index)


def standing(number: int, volumes: int, minutes: float) -> dict[str, Any]:
    """Return what one dead brick costs in an hour that nobody may start."""
    nodes = Nodes(number, volumes)
    with tempfile.TemporaryDirectory(prefix="sgr") as folder:
        hour = Hour(nodes, Path(folder))
        hour.begin()
        hour.run(minutes * 60)
    hours = minutes / 60
    rounds = HOUR_S / TICK_S * hours
    everybody = rounds * number * len(pack(nodes.report(0, T0)))
    stored, whole = hour.consul.stored, hour.consul.stored - hour.parts + hour.whole
    told = {
        "jobs": round(hour.jobs / hours), "minions_asked": round(hour.ran / hours),
        "bus_kb": round(hour.bus / hours / 1000), "consul_kb": round(stored / hours / 1000),
        "consul_of_whole": _ratio(stored, whole),
        "jobs_of_all": _ratio(hour.jobs, rounds), "asked_of_all": _ratio(hour.ran, rounds * number),
        "bus_of_all": _ratio(hour.bus, everybody), "consul_of_all": _ratio(stored, everybody),
    }  # fmt: skip
    print(f"{number} nodes, an hour of one standing failure: {told}", flush=True)
    return told


# --- one change that all nodes see ---------------------------------------------------------------


def looks(nodes: Nodes, seconds: float) -> list[tuple[float, int]]:
    """Return when which node looks after a change, by the sensor's own rule."""
    now, number, seen = 0.0, len(nodes.names), []
    sensors = []
    for n in range(number):
        sensor = Sensor({}, nodes.names[n], clock=lambda: now)
        sensor._eyes.aim = lambda: None  # type: ignore[method-assign]
        sensor._share, sensor._members = share_of(nodes.uuids[n]), number
        sensor._looked_at, sensor._due = -100.0, [SENSOR_TIMES.collect_s - 100]
        sensor._changed()
        sensors.append(sensor)
    while now < seconds:
        for n, sensor in enumerate(sensors):
            if min(sensor._due) <= now:
                seen.append((now, n))
                sensor._looked(now, well=True)
        now += 0.25
    return seen


def changed(number: int, volumes: int, client: Client | None = None) -> dict[str, Any]:
    """Return what one option costs that is set on one volume."""
    told: dict[str, Any] = {}
    stored: dict[str, int] = {}
    for name, write in (("parts", write_report), ("whole", write_whole)):
        nodes, consul = Nodes(number, volumes), CountedConsul()
        store = Store(client or consul.client(), servers.CLUSTER)
        for n, node in enumerate(nodes.uuids):
            write(store, node, nodes.report(n, T0))
        nodes.change()
        consul.stored, per_second = 0, Counter[int]()
        at_once = [(s, n) for s in (0.0, *SENSOR_TIMES.again_s) for n in range(number)]
        for at, n in looks(nodes, 60) if name == "parts" else at_once:
            before = consul.stored
            write(store, nodes.uuids[n], nodes.report(n, T0 + at))
            per_second[int(at)] += consul.stored - before
        stored[name] = consul.stored
        told[name] = {"kb": round(consul.stored / 1000),
                      "busiest_second_kb": round(max(per_second.values()) / 1000)}  # fmt: skip
    told["of_whole"] = _ratio(stored["parts"], stored["whole"])
    if client is None:
        print(f"{number} nodes, one definition changed: {told}", flush=True)
    return told


def raft(volumes: int, changes: int) -> dict[str, Any]:
    """Return how much a real server's file of Raft grows by so many changes in a pool of 4."""
    grown = {}
    for name, write in (("parts", write_report), ("whole", write_whole)):
        with tempfile.TemporaryDirectory(prefix="sgr", ignore_cleanup_errors=True) as path:
            folder = Path(path)
            settings, address = servers.consul_settings(folder)
            config = folder / "consul.json"
            config.write_text(json.dumps(settings))
            argv = [str(servers.packages.consul()), "agent", "-config-file", str(config)]
            with servers.running(argv, folder / "consul.log"):
                client = Client(Access(address))
                servers.until("Consul", functools.partial(client.kv_put, "ready", "1"), 60)
                grown[name] = _growth(
                    Store(client, servers.CLUSTER), write, volumes, changes, folder
                )
                client.close()
    told = {f"{name}_kb": round(size / 1000) for name, size in grown.items()}
    told |= {"changes": changes, "of_whole": _ratio(grown["parts"], grown["whole"])}
    print(f"4 nodes, Raft's file of a real Consul: {told}", flush=True)
    return told


def _growth(store: Store, write: Write, volumes: int, changes: int, folder: Path) -> int:
    nodes = Nodes(4, volumes)
    for n, node in enumerate(nodes.uuids):
        write(store, node, nodes.report(n, T0))
    file = folder / "consul/raft/raft.db"
    before = file.stat().st_blocks * 512
    for _ in range(changes):
        nodes.change()
        for _ in (0.0, *SENSOR_TIMES.again_s):
            for n, node in enumerate(nodes.uuids):
                write(store, node, nodes.report(n, T0))
    return file.stat().st_blocks * 512 - before


# --- reading -------------------------------------------------------------------------------------


def screen(number: int, volumes: int) -> dict[str, Any]:
    """Return what reading all reports costs, as a screen reads them."""
    told: dict[str, Any] = {}
    for name, write in (("parts", write_report), ("whole", write_whole)):
        nodes, consul = Nodes(number, volumes), FakeConsul()
        store = Store(consul.client(), servers.CLUSTER)
        for n, node in enumerate(nodes.uuids):
            write(store, node, nodes.report(n, T0))
        began = time.process_time()
        reports = ClusterSnapshot.read(consul.client(), servers.CLUSTER, reports=True).reports
        cpu_s = time.process_time() - began
        assert len(reports) == number and all(isinstance(r, Mapping) for r in reports.values())
        del reports
        tracemalloc.start()
        kept = ClusterSnapshot.read(consul.client(), servers.CLUSTER, reports=True).reports
        told[name] = {
            "cpu_ms": round(cpu_s * 1000),
            "mib": tracemalloc.get_traced_memory()[0] >> 20,
        }
        tracemalloc.stop()
        del kept
    told["cpu_of_whole"] = _ratio(told["parts"]["cpu_ms"], told["whole"]["cpu_ms"])
    told["memory_of_whole"] = _ratio(told["parts"]["mib"], told["whole"]["mib"])
    print(f"{number} nodes, all reports read: {told}", flush=True)
    return told


def _ratio(part: float, whole: float) -> float:
    return float(f"{part / max(1, whole):.2g}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--volumes", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=20, help="of the hour that is told")
    parser.add_argument("--changes", type=int, default=10, help="with a real Consul")
    parser.add_argument("--only", choices=["standing", "changed", "raft", "screen"])
    args = parser.parse_args()
    parts: dict[str, Callable[[], Any]] = {
        "standing": lambda: {str(n): standing(n, args.volumes, args.minutes) for n in SIZES},
        "changed": lambda: {str(n): changed(n, args.volumes) for n in SIZES},
        "raft": lambda: raft(args.volumes, args.changes),
        "screen": lambda: screen(SIZES[-1], args.volumes),
    }
    told = {name: part() for name, part in parts.items() if args.only in (None, name)}
    print(json.dumps({"bench": "reports", "volumes": args.volumes, **told}))


if __name__ == "__main__":
    main()
