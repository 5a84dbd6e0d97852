"""Measure how soon a fault is known: in Consul, and as an event on Salt's bus.

A real pool of four nodes in namespaces, its sensors and the engine on the master, all through the
shipped states and runner. Faults rotate over the nodes; after each one the pool is put right and
has to be calm. ``consul_s``: the first change of any check of that node, or its vanishing, as a
blocking query on the master's own agent brings it. ``event_s``: the first ``node/suspect`` or
``brick/down`` of that node, for a graceful leave ``node/left``, as a listener on the bus hears it.
Nothing is repaired by automation here (mode observe), so that only seeing is measured. The last
line is JSON, all times medians.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lab import Lab  # noqa: E402
from lab.errors import LabError  # noqa: E402

NAME = "detect"
NODES = ("g1", "g2", "g3", "g4")
#: Short where it is waited for calm; what is measured depends on none of them but ``absent``.
PATIENCE = {
    "tick": 4, "quiet_period": 10, "suspect_clear": 15, "down_after": 600, "returning_stable": 15,
    "sight_settle": 15, "calm": 15, "storm_suspects": 20, "flap_window": 1,
    "restart_brick": {"mode": "observe"},
}  # fmt: skip
PILLAR: dict[str, Any] = {
    "gluster": {
        "nodes": "g[1-4]",
        "volumes": {
            "data": {"replica": 3, "only": ["g1", "g2", "g3"]},
            "more": {"replica": 3, "only": ["g4", "g1", "g2"]},
        },
        "remediation": PATIENCE,
    }
}
LATE_S = 120.0


@dataclass(frozen=True)
class Fault:
    """What is done to a node, how it is undone, and which events tell of it."""

    strike: Callable[[Lab, str], None]
    undo: Callable[[Lab, str], None]
    events: tuple[tuple[str, str], ...] = (("node", "suspect"), ("brick", "down"))


def _of_lab(kind: str, *args: str) -> Fault:
    return Fault(lambda lab, n: lab.fault(kind, n, *args), lambda lab, n: lab.heal(kind, n, *args))


def _leave(lab: Lab, node: str) -> None:
    lab.node(node).ok(["consul", "leave"])


FAULTS: dict[str, Fault] = {
    "agent_killed": _of_lab("consul-kill"),
    "node_killed": _of_lab("node-kill"),
    "link_cut": _of_lab("cut"),
    "glusterd_killed": _of_lab("glusterd-kill"),
    "brick_killed": _of_lab("brick-kill"),
    "graceful_leave": Fault(_leave, lambda lab, n: lab.heal("consul-kill", n), (("node", "left"),)),
    "agent_frozen": _of_lab("consul-freeze"),
}


# --- listening -----------------------------------------------------------------------------------


class Lines:
    """The lines that a program on the master prints, each with the time at which it was seen."""

    def __init__(self, lab: Lab, argv: list[str], file: Path) -> None:
        self.seen: list[tuple[float, str]] = []
        self._file = file
        with file.open("w") as out:
            env = {"PYTHONPATH": str(ROOT)}
            self.process = lab.master.popen(argv, stdout=out, stderr=subprocess.DEVNULL, env=env)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with self._file.open() as lines:
            rest = ""
            while True:
                rest += lines.read()
                *whole, rest = rest.split("\n")
                self.seen += [(time.time(), line) for line in whole]
                time.sleep(0.02)

    def end(self) -> None:
        self.process.kill()
        self.process.wait(10)


@dataclass
class Seen:
    """Both witnesses of one fault."""

    consul: Lines
    bus: Lines

    def checks(self) -> dict[str, str]:
        """Return the newest state of every check, by node and check."""
        return dict(json.loads(self.consul.seen[-1][1])) if self.consul.seen else {}

    def consul_changed(self, node: str, began: float, before: dict[str, str]) -> float | None:
        mine = {k: v for k, v in before.items() if k.startswith(f"{node}/")}
        for at, line in list(self.consul.seen):
            now = json.loads(line) if at >= began else before
            if any(now.get(k) != v for k, v in mine.items() if v == "passing"):
                return at - began
        return None

    def told(self, node: str, began: float, events: tuple[tuple[str, str], ...]) -> float | None:
        for at, line in list(self.bus.seen):
            tag, _, data = line.partition("\t")
            parts = tag.strip().split("/")
            if at < began or len(parts) != 6 or not data.startswith("{"):
                continue
            subject, name, event = parts[3:]
            if (subject, event) in events and (name == node or name.startswith(f"{node}:")):
                return at - began
        return None


def watch() -> None:
    """Print the state of every check whenever one changes: runs on the master."""
    from salt_gluster.consul.client import Client
    from salt_gluster.consul.settings import Access
    from salt_gluster.errors import ConsulError

    client, index, before = Client(Access()), 0, ""
    while True:
        with contextlib.suppress(ConsulError):
            reply = client.health_state("any", index, 10.0)
            index = reply.index
            rows = {f"{r['Node']}/{r['CheckID']}": r["Status"] for r in reply.data}
            now = json.dumps(rows, sort_keys=True)
            if now != before:
                print(now, flush=True)
                before = now
            continue
        time.sleep(0.2)


# --- the measurement -----------------------------------------------------------------------------


def until(what: str, check: Callable[[], Any], within_s: float) -> Any:
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if found := check():
            return found
        time.sleep(0.2)
    raise SystemExit(f"not within {within_s:.0f} s: {what}")


def prepare(lab: Lab) -> None:
    """Make the pool and put it under automation, as a user would."""
    lab.write_pillar(PILLAR, refresh=True)
    lab.setup()
    for sls in ("gluster", "gluster.consul"):
        for minion, states in lab.salt("*", "state.apply", sls).items():
            bad = [states] if not isinstance(states, dict) else [
                s["comment"] for s in states.values() if s["result"] is not True
            ]  # fmt: skip
            if bad:
                raise SystemExit(f"{sls} on {minion}: {bad}")


def is_calm(lab: Lab) -> bool:
    try:
        said = json.loads(lab.node("g1").ok(["consul", "kv", "get", "gluster/main/status"]))
    except (LabError, ValueError):
        return False
    well = all(node["state"] == "healthy" for node in said["nodes"].values())
    up = all(brick["state"] == "up" for brick in said["bricks"].values())
    return bool(said["mode"] == "open" and well and up and not said["operations"])


def votes(lab: Lab) -> int:
    """Count the servers of Consul that vote."""
    listed = lab.node("g1").run(["consul", "operator", "raft", "list-peers"]).stdout
    return sum(line.split()[4] == "true" for line in listed.splitlines()[1:])


def one(lab: Lab, seen: Seen, name: str, node: str) -> tuple[float | None, float | None]:
    """Strike once, wait for both witnesses, put it right, wait for calm."""
    fault, before = FAULTS[name], seen.checks()
    began = time.time()
    fault.strike(lab, node)
    end = began + LATE_S
    found: tuple[float | None, float | None] = (None, None)
    while time.time() < end and None in found:
        time.sleep(0.1)
        found = (
            seen.consul_changed(node, began, before), seen.told(node, began, fault.events)
        )  # fmt: skip
    if None in found:
        print(f"{name} on {node}: last heard {seen.bus.seen[-3:]}", flush=True)
        print(f"checks: {[k for k, v in seen.checks().items() if v != 'passing']}", flush=True)
    fault.undo(lab, node)
    until(f"calm after {name} on {node}", lambda: is_calm(lab), 400)
    until("Consul calm", lambda: all(v == "passing" for v in seen.checks().values()), 200)
    # A server that had left votes only 10 s after it is back: one more lost before is no quorum.
    until("three votes", lambda: votes(lab) == 3, 200)
    time.sleep(2)
    print(f"{name:16} {node}  consul {_s(found[0])}  event {_s(found[1])}", flush=True)
    return found


def _s(value: float | None) -> str:
    return "never" if value is None else f"{value:6.2f} s"


def middle(values: list[float | None]) -> float | None:
    known = [v for v in values if v is not None]
    return round(statistics.median(known), 2) if known else None


def measure(lab: Lab, runs: int, names: list[str], folder: Path) -> dict[str, Any]:
    prepare(lab)
    bus = Lines(lab, ["salt-run", "state.event", "salt/gluster/*", "pretty=False"], folder / "bus")
    consul = Lines(
        lab, [sys.executable, str(Path(__file__).resolve()), "--watch"], folder / "consul"
    )
    seen = Seen(consul, bus)
    try:
        until("a calm pool", lambda: is_calm(lab), 300)
        until("Consul's checks", seen.checks, 60)
        found: dict[str, list[tuple[float | None, float | None]]] = {n: [] for n in names}
        for turn in range(runs):
            for shift, name in enumerate(names):
                found[name].append(one(lab, seen, name, NODES[(turn + shift) % len(NODES)]))
    finally:
        bus.end()
        consul.end()
    return {
        name: {
            "n": len(rows), "missed": sum(None in row for row in rows),
            "consul_s": middle([c for c, _ in rows]), "event_s": middle([e for _, e in rows]),
        }
        for name, rows in found.items()
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=10, help="times that each fault is done")
    parser.add_argument("--faults", nargs="*", default=list(FAULTS), choices=list(FAULTS))
    parser.add_argument("--watch", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.watch:
        watch()
    with tempfile.TemporaryDirectory() as folder, Lab.up(NAME, sensor=True) as lab:
        faults = measure(lab, args.runs, args.faults, Path(folder))
    print(json.dumps({"bench": "detect", "faults": faults}))
    return int(any(row["missed"] for row in faults.values()))


if __name__ == "__main__":
    sys.exit(main())
