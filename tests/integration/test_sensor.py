"""The sensor on a real pool with a real Consul: what it tells, by what it notices, what it costs.

Its times are short but in the last test, where Salt runs it as a user has it.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sensor_process
from consul_world import inside
from executor_process import ask
from short_timers import Timers, short
from waiting import until

from lab import Lab, Node
from salt_gluster.consul.client import Client
from salt_gluster.consul.settings import Access
from salt_gluster.consul.store import Store

BRICK = "/srv/gluster/data"
CALLS = "/run/gluster-calls"
#: Counts every start of the gluster program in a node, and then runs it.
COUNTING = f"""#!/bin/sh
echo "$*" >> {CALLS}
exec /usr/sbin/gluster.real "$@"
"""
#: It looks at nothing by itself for hours: what it tells then it was woken for.
ONLY_WOKEN = replace(
    short(),
    sensor=replace(short().sensor, glance_s=7200.0, again_s=(), unwell_s=7200.0, beat_s=7200.0),
)


class World:
    """A pool whose first node has its sensor."""

    def __init__(self, lab: Lab, folder: Path) -> None:
        self.lab, self.g1, self.folder = lab, lab.node("g1"), folder
        self.uuid = self.g1.ok(["sed", "-n", "s/UUID=//p", "/var/lib/glusterd/glusterd.info"])
        self.uuid = self.uuid.strip()
        self.client = Client(Access())
        self.store = Store(self.client, "main")
        self.start(short())

    def start(self, timers: Timers) -> None:
        self.process = sensor_process.start(self.g1, self.folder, timers)

    def stop(self) -> None:
        """End it as Salt does."""
        os.kill(self.process.pid, signal.SIGTERM)
        self.process.wait(120)

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def count(self, what: str) -> int:
        """Return how many `looks` or `turns` there were."""
        file = self.folder / what
        return file.stat().st_size if file.exists() else 0

    def comes_by(self, times: int, what: str = "looks") -> None:
        """Wait until it has looked at files and mounts so often."""
        wanted = self.count(what) + times
        end = lambda: self.log()[-2000:]  # noqa: E731
        until(lambda: self.count(what) >= wanted, 0, f"{times} {what}", more=end)

    def checks(self) -> dict[str, str]:
        with inside(self.g1):
            rows = self.client.agent_checks()
        return {name: row["Status"] for name, row in rows.items() if name.startswith("gluster:")}

    def report(self) -> dict[str, Any]:
        with inside(self.g1):
            told = self.store.read(self.store.keys.node(self.uuid))
        return told.data if told is not None else {}

    def brick(self) -> dict[str, Any]:
        facts = self.report().get("facts", {})
        return dict(facts.get("bricks", {}).get(BRICK, {}))

    def calls(self) -> int:
        done = self.g1.run(["cat", CALLS])
        return len(done.stdout.splitlines())

    def is_well(self) -> bool:
        """Whether Consul has been told that all is well."""
        well = self.checks().get("gluster:bricks") == self.checks().get("gluster:heal") == "passing"
        return well and self.brick().get("alive") is True and bool(self.brick().get("port"))

    def settle(self) -> None:
        """Wait until all is well, and until it has begun no gluster for longer than the last look
        after a change comes after it.
        """
        until(self.is_well, 60, "well")
        times = short().sensor
        calls = -1
        while self.calls() != calls:
            calls = self.calls()
            self.comes_by(round(max(times.again_s) / times.glance_s) + 4)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with Lab.up("sensor", nodes=3, salt=False) as lab:
        lab.join()
        g1 = lab.node("g1")
        gluster = ["gluster", "--mode=script", "volume"]
        bricks = [f"{n.name}:{BRICK}" for n in lab.nodes]
        g1.ok([*gluster, "create", "data", "replica", "3", *bricks])
        g1.ok([*gluster, "start", "data"])
        g1.ok(["cp", "/usr/sbin/gluster", "/usr/sbin/gluster.real"])
        g1.ok(["sh", "-c", "cat > /usr/sbin/gluster.new"], input=COUNTING)
        g1.ok(["sh", "-c", "chmod 755 /usr/sbin/gluster.new; mv /usr/sbin/gluster.new /usr/sbin/gluster"])  # fmt: skip  # noqa: E501
        world = World(lab, tmp_path_factory.mktemp("sensor"))
        try:
            yield world
        finally:
            print(world.log()[-6000:])
            world.process.kill()


def test_it_waits_until_the_node_is_registered_and_then_tells(world: World) -> None:
    world.comes_by(4, "turns")
    assert world.process.poll() is None
    assert world.checks() == {}
    assert world.calls() == 0
    ask(world.g1, "register", "--pillar", json.dumps({"gluster": {"nodes": ["g1", "g2", "g3"]}}))
    before = world.report()["at"]
    until(lambda: world.report()["at"] > before, 60, "its own report")
    until(world.is_well, 60, "well")
    assert world.checks()["gluster:space"] == "passing"
    with inside(world.g1):
        identity = world.store.read(world.store.keys.identity(world.uuid))
    assert identity is not None
    row = identity.data["bricks"][BRICK]
    assert set(row) == {"filesystem", "volume_id"}
    assert row["volume_id"] == world.brick()["volume_id"]


def test_a_brick_that_ends_is_told_at_once(world: World) -> None:
    """The end of its process wakes the sensor: by itself this one would not look for hours."""
    world.settle()
    world.stop()
    first = world.report()["at"]
    world.start(ONLY_WOKEN)
    try:
        until(lambda: world.report()["at"] > first and world.is_well(), 60, "its own report")
        calls, looks = world.calls(), world.count("looks")
        began = time.monotonic()
        world.lab.fault("brick-kill", "g1", "data")
        until(lambda: world.checks()["gluster:bricks"] == "critical", 10, "critical")
        until(lambda: world.brick()["alive"] is False, 10, "told")
        print(f"FIGURE a brick that ended was told after {time.monotonic() - began:.2f} s at most")
        assert world.calls() > calls
        assert world.count("looks") == looks
        assert f"ended: {BRICK}" in world.log()
    finally:
        world.stop()
        world.start(short())
        world.lab.heal("brick-kill", "g1", "data")
    until(world.is_well, 60, "well again")


def test_a_quiet_pool_has_no_gluster_started(world: World) -> None:
    """For as many looks as a minute has, with the checks pushed and the service looked for."""
    world.settle()
    before, at = world.calls(), world.report()["at"]
    ticks, looks = _cpu(world.process.pid), world.count("looks")
    world.comes_by(30)
    assert world.calls() == before
    assert world.report()["at"] == at
    used_ms = (_cpu(world.process.pid) - ticks) * 1000
    each_ms = used_ms / (world.count("looks") - looks)
    print(f"FIGURE processor time of a quiet sensor: {each_ms:.0f} ms for each look")
    assert each_ms < 50


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_hold_mount_and_glusterd_are_noticed(world: World) -> None:
    world.settle()
    world.g1.ok(["touch", "/var/lib/salt-gluster/hold"])
    until(lambda: world.report()["facts"]["hold"] is not None, 8, "the hold told")
    world.g1.ok(["rm", "/var/lib/salt-gluster/hold"])
    until(lambda: world.report()["facts"]["hold"] is None, 8, "its release told")
    world.lab.fault("glusterd-kill", "g1")
    until(lambda: world.report()["facts"]["glusterd_started"] is None, 5, "glusterd told")
    assert world.report()["facts"]["glusterd_answers"] is False
    assert world.brick()["alive"] is True  # the brick goes on, at the port it was told
    assert isinstance(world.brick()["port"], int)
    world.lab.heal("glusterd-kill", "g1")
    until(world.is_well, 60, "well again")


def test_an_agent_that_was_restarted_has_the_service_back(world: World) -> None:
    until(world.is_well, 60, "well")
    world.lab.fault("consul-kill", "g1")
    world.g1.ok(["sh", "-c", "rm -rf /var/lib/consul/services /var/lib/consul/checks"])
    until(lambda: "Consul cannot be told" in world.log(), 60, "it misses Consul")
    world.lab.heal("consul-kill", "g1")
    until(lambda: _quietly(world), 60, "the service")
    until(world.is_well, 60, "well")
    assert world.process.poll() is None


def _quietly(world: World) -> bool:
    try:
        return len(world.checks()) == 4
    except Exception:  # the agent is not there yet
        return False


def test_sigterm_ends_it_at_once(world: World) -> None:
    """Also when nothing is due for hours: it waits for that in small parts."""
    until(world.is_well, 60, "well")
    world.stop()
    assert world.process.returncode == 0
    first = world.report()["at"]
    world.start(ONLY_WOKEN)
    until(lambda: world.report()["at"] > first, 60, "its own report")
    world.stop()
    assert world.process.returncode == 0


def test_the_engine_of_a_minion_is_the_sensor_of_its_node() -> None:
    """As a user has it: one line in the minion's configuration; here with a pool of one node."""
    with Lab.up("sensed", nodes=1, sensor=True) as lab:
        g1 = lab.node("g1")
        g1.ok(["gluster", "--mode=script", "volume", "create", "data", f"g1:{BRICK}"])
        g1.ok(["gluster", "--mode=script", "volume", "start", "data"])
        lab.write_pillar({"gluster": {"nodes": ["g1"]}}, refresh=True)
        lab.salt_call("g1", "gluster_consul.register")
        uuid = g1.ok(["sed", "-n", "s/UUID=//p", "/var/lib/glusterd/glusterd.info"]).strip()
        key = f"gluster/main/nodes/{uuid}"

        def brick() -> dict[str, Any]:
            done = g1.run(["consul", "kv", "get", key])
            facts = json.loads(done.stdout)["facts"] if done.returncode == 0 else {"bricks": {}}
            return dict(facts["bricks"].get(BRICK, {}))

        until(lambda: brick().get("alive") is True, 90, "its report")
        lab.fault("brick-kill", "g1", "data")
        until(lambda: brick().get("alive") is False, 10, "the dead brick told")
        report = json.loads(g1.ok(["consul", "kv", "get", key]))
        assert isinstance(report["facts"]["version"], int)  # known also where nobody else is asked
        found: list[int] = []

        def is_one() -> bool:
            """It lets go of what it watches for a moment whenever it looks anew."""
            found[:] = _sensors(g1)
            return len(found) == 1

        until(is_one, 20, "the one sensor")
        (pid,) = found
        began = time.monotonic()
        os.kill(pid, signal.SIGTERM)
        until(lambda: _has_ended(pid), 20, "its end")
        print(f"FIGURE the sensor ended after {time.monotonic() - began:.2f} s")
        until(lambda: len(_sensors(g1)) == 1, 60, "Salt to start it again")


def _has_ended(pid: int) -> bool:
    """Whether it runs no more; its parent, Salt's minion, asks for its end once a second."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def _sensors(node: Node) -> list[int]:
    """Return the minion's processes that watch others by a pidfd."""

    def watches(pid: int) -> bool:
        try:
            fds = list(Path(f"/proc/{pid}/fd").iterdir())
            return any(str(fd.readlink()) == "anon_inode:[pidfd]" for fd in fds)
        except OSError:
            return False

    return [pid for pid in node.unit_pids("salt-minion") if watches(pid)]
