"""Run the demo's second part: a watched pool, a brick killed and healed by the reactor.

All durations are the defaults of the policy, so that what is seen here is what a site would see.
"""

from __future__ import annotations

import json
import subprocess
import textwrap
import time
from typing import Any

from lab import witness
from lab.command import wait_for
from lab.stage import MOUNT, Demo
from lab.story import WIDTH, expect
from lab.writer import Writer

BROKEN, LOST = "g2", "g3"
#: What a person would write into the master's terminal.
ACKNOWLEDGE = ("salt-run", "gluster_remediation.acknowledge")


class Bus:
    """What is said on Salt's bus, as `salt-run state.event` shows it to a person."""

    def __init__(self, demo: Demo) -> None:
        self._demo = demo
        self._file = demo.lab.directory / "events"
        words = ["salt-run", "state.event", "salt/gluster/*", "pretty=False"]
        with self._file.open("w") as out:
            self._process = demo.lab.master.popen(words, stdout=out, stderr=subprocess.DEVNULL)
        wait_for("the listener on the bus", self._listens, timeout=60, step=0.5)

    def _listens(self) -> bool:
        self._demo.lab.salt_call("g1", "event.send", "salt/gluster/is/anybody/there/yet")
        return self._file.stat().st_size > 0

    def told(self, event: str, subject: str, since: float) -> list[dict[str, Any]]:
        """Return the events of that name since then."""
        found = []
        for line in self._file.read_text(errors="replace").splitlines():
            tag, _, data = line.strip().partition("\t")
            if tag.endswith(f"/{event}") and data.endswith("}"):
                said = json.loads(data)
                if said.get("subject", "remediation") == subject and said["ts"] >= since:
                    found.append(said)
        return found

    def wait(self, event: str, subject: str, since: float, within_s: float) -> dict[str, Any]:
        """Wait for an event; the story ends without it."""
        wait_for(
            f"the event {subject}/{event}", lambda: bool(self.told(event, subject, since)),
            timeout=within_s, step=0.5,
        )  # fmt: skip
        return self.told(event, subject, since)[0]


def folded(text: str) -> str:
    """Fold a long sentence to the width of the story."""
    return textwrap.fill(text, WIDTH)


def watch(demo: Demo) -> Bus:
    """Put the nodes into Consul, give the master its engine, wait until it may act."""
    lab, story = demo.lab, demo.story
    with story.step("Consul on every node (the lab's own), and salt-run gluster.setup") as step:
        lab.start_consul()
        told = lab.setup()
        step.show("\n".join(str(f["new"]) for f in told["changes"].values()), limit=16)
    with story.step("salt '*' state.apply gluster.consul: the nodes tell Consul about themselves"):
        demo.apply(sls="gluster.consul", last="gluster-in-consul")
        bus = Bus(demo)
    with story.step("the engine leads, has looked for a minute, and may act") as step:
        wait_for("an open fleet", lambda: leader(demo).get("mode") == "open", timeout=150, step=1)
        step.show(f"leads: {leader(demo)['by']}; policy: {leader(demo)['policy']}")
    return bus


def leader(demo: Demo) -> dict[str, Any]:
    """Return what the leader has written of its last tick, {} before there is one."""
    done = demo.lab.node("g1").run(["consul", "kv", "get", "gluster/main/status"])
    return dict(json.loads(done.stdout)) if done.returncode == 0 else {}


def brick(demo: Demo, bus: Bus) -> None:
    """Kill a brick: refused because of a person, acknowledged, started again by the reactor."""
    lab, story, began = demo.lab, demo.story, time.time()
    with story.step(f"a program on g4 writes; kill -9 of a brick process on {BROKEN}") as step:
        demo.writer = Writer(lab.node("g4"), f"{MOUNT}/log2")
        wait_for("writes", lambda: demo.written()["writes"] > 5, timeout=20, step=0.2)
        lab.fault("brick-kill", BROKEN, "data")
        down = bus.wait("down", "brick", began, 30)
        step.show(f"event after {down['ts'] - began:.1f} s: brick/down, {down['severity']}")
        step.show(folded(f"{down['name']}: {down['why']}; {down['impact']}"))
    with story.step("it is not started: somebody changed the pool by hand a moment ago") as step:
        refused = bus.wait("refused", "remediation", began, 150)
        expect("no_recent_manual_change" in refused["details"]["refusals"], refused)
        step.show(folded(refused["why"]))
        expect(witness.brickless(lab.node("g1"), "data"), "it was started all the same")
    with story.step("salt-run gluster_remediation.acknowledge: go on, that was me") as step:
        step.show(demo.screen(*ACKNOWLEDGE))
    with story.step("decided twice, asked by the reactor, started on the node, read back") as step:
        for event in ("started", "execute", "done"):
            said = bus.wait(event, "remediation", began, 180)
            step.show(f"{said['ts'] - began:6.1f} s  remediation/{event:8} {said.get('why', '')}")
        serves = lambda: not witness.brickless(lab.node("g1"), "data")  # noqa: E731
        wait_for("the brick", serves, timeout=30, step=0.5)
    with story.step("healed, and verified: three reads of zero, a minute apart") as step:
        demo.heal("data")
        bus.wait("repaired", "remediation", began, 400)
        step.show(demo.screen("salt-run", "gluster_remediation.journal"))
        count = demo.written()
        step.show(f"Writer: {count['writes']} writes, 0 failed")
        quiet(demo)


def quiet(demo: Demo) -> None:
    """Wait until the leader sees nothing that is not healthy."""

    def is_quiet() -> bool:
        told = leader(demo)
        well = all(n["state"] == "healthy" for n in told.get("nodes", {}).values())
        return bool(told.get("mode") == "open" and well)

    wait_for("calm", is_quiet, timeout=500, step=2)


def node(demo: Demo, bus: Bus) -> None:
    """Kill a node: suspect at once, down after two minutes, nothing touched; and back."""
    lab, story, began = demo.lab, demo.story, time.time()
    with story.step(f"{LOST} dies: kill -9 of every process on it") as step:
        lab.fault("node-kill", LOST)
        said = bus.wait("suspect", "node", began, 60)
        step.show(f"event after {said['ts'] - began:.1f} s: node/suspect {said['name']}")
    with story.step("nobody is hasty: it is judged down after two minutes, unbroken") as step:
        said = bus.wait("down", "node", began, 300)
        step.show(f"event after {said['ts'] - began:.0f} s: node/down {said['name']}")
        step.show(folded(said["impact"]))
        expect(not bus.told("execute", "remediation", began), "something was done")
    with story.step(f"salt-run gluster.explain node={LOST}") as step:
        step.show(demo.screen("salt-run", "gluster.explain", f"node={LOST}"), limit=20)
    with story.step("salt-run gluster.status: from what the nodes have told, see SOURCE") as step:
        told = demo.screen("salt-run", "gluster.status")
        step.show(told, limit=40)
        expect("1 DOWN" in told or "1 AWAY" in told, "the status does not say so")
    with story.step(f"{LOST} is switched on again; the all-clear comes when it has stayed") as step:
        lab.heal("node-kill", LOST)
        lab.wait()
        demo.heal("data")
        said = bus.wait("up", "node", began, 700)
        step.show(f"event after {said['ts'] - began:.0f} s: node/up, clears {said['clears'][:2]}")
        quiet(demo)


def blindness(demo: Demo, bus: Bus) -> None:
    """Take Consul away: blind, and states still work; give it back."""
    lab, story, began = demo.lab, demo.story, time.time()
    with story.step("Consul's three servers are stopped") as step:
        for name in ("g1", "g2", "g3"):
            lab.fault("consul-kill", name)
        said = bus.wait("view_lost", "cluster", began, 30)
        step.show(f"event after {said['ts'] - began:.1f} s: cluster/view_lost: {said['why']}")
    with story.step("states still work: an option in the pillar, 25 -> 30, state.apply") as step:
        demo.pillar(demo.sls.replace("network.ping-timeout: 25", "network.ping-timeout: 30"))
        ran = demo.apply()
        bad = {m: s["comment"] for m, s in ran.items() if s["result"] is not True}
        expect(not bad, bad)
        now = witness.volume(lab.node("g1"), "data").options["network.ping-timeout"]
        expect(now == "30", f"network.ping-timeout is {now}")
        step.show(f"gluster volume info data: network.ping-timeout: {now}")
    with story.step("Consul is back: the view is restored") as step:
        for name in ("g1", "g2", "g3"):
            lab.heal("consul-kill", name)
        said = bus.wait("view_restored", "cluster", began, 120)
        step.show(f"event after {said['ts'] - began:.0f} s: cluster/view_restored")


def verify(demo: Demo) -> None:
    """End the writer and compare every byte."""
    with demo.story.step("every checksum once more, through the mount of g1: nothing lost") as step:
        assert demo.writer
        demo.written()
        count = demo.writer.stop()
        demo.writer = None
        demo.sums |= {f"log2/{name}": digest for name, digest in count["files"].items()}
        demo.heal("data")
        demo.verify("g1")
        step.show(f"{len(demo.sums)} files; the writer: {count['writes']} writes, 0 failed")


def tell(demo: Demo) -> None:
    """Tell the second part of the story."""
    bus = watch(demo)
    for chapter in (brick, node, blindness):
        chapter(demo, bus)
    verify(demo)
