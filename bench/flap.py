"""Measure the engine while 50 of 5,000 nodes flap, and what one change costs it at two sizes.

The world is that of ``engine.py``: a real Consul server with the nodes in its catalog, and a real
salt-master with the engine. Each flapping node is critical for some seconds and well for some, over
and over, at chance of a fixed seed. Everything that comes to the master's bus is counted. A false
alarm is an alarm of a node that did not flap, and any ``down``, ``gone`` or ``left``: no node was
away for longer than a few seconds.

The same changes are made with fewer nodes first: what one of them costs must not grow with the
number of the healthy ones. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import queue
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import engine as world

from salt_gluster.consul.canary import FOLDER
from salt_gluster.consul.keys import Keys

SEED = 5
#: How long a flapping node stays as it is: nobody is down after that.
STAYS_S = (2.0, 8.0)
#: Consul's leader takes out of the catalog, once a minute, who is critical and not in its gossip:
#: that would be a change of the catalog, and no flapping.
MOST_S = 50.0
#: Alarms that are false whoever they are about, and those that only a flapping node may give.
NEVER = frozenset({"down", "gone", "left", "joined", "failed", "view_lost", "partitioned"})
OF_NODES = frozenset({"suspect", "flapping", "consul_only"})


@dataclass(frozen=True)
class Flapped:
    """What one size gave."""

    changes: int
    cpu_ms: float
    cpu_percent: float
    rss_mib: float
    events: Counter[str]
    false: list[str]


class Flapping:
    """Nodes that come and go, each by its own clock."""

    def __init__(self, catalog: world.Catalog, names: list[str]) -> None:
        self._catalog, self._chance = catalog, random.Random(SEED)
        begin = time.monotonic()
        self._due = {name: begin + self._chance.uniform(0, STAYS_S[1]) for name in names}
        self._bad: set[str] = set()
        self.changes = 0

    def turn(self, name: str) -> None:
        """Let one node go, or come back."""
        self._catalog.serf(name, "passing" if name in self._bad else "critical")
        self._bad ^= {name}
        self.changes += 1

    def run(self, seconds: float) -> None:
        """Let them flap for so long, then let all be well."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            name = min(self._due, key=lambda n: self._due[n])
            time.sleep(max(0.0, self._due[name] - time.monotonic()))
            self.turn(name)
            self._due[name] = time.monotonic() + self._chance.uniform(*STAYS_S)
        for name in sorted(self._bad):
            self.turn(name)


def flapped(nodes: int, flapping: int, seconds: float, folder: Path) -> Flapped:
    """Hold a pool of so many nodes, let some flap, and say what it cost."""
    with world.held(nodes, folder) as (client, catalog, listener, engine):
        world.until("the first look", lambda: client.kv_get(Keys(world.CLUSTER).members), 120)
        time.sleep(3)
        names = catalog.names[:: max(1, nodes // flapping)][:flapping]
        catalog.swept()
        flaps = Flapping(catalog, names)
        began, cpu_before = time.monotonic(), engine.cpu_s()
        flaps.run(min(seconds, MOST_S))
        cpu_s, took_s = engine.cpu_s() - cpu_before, time.monotonic() - began
        time.sleep(3)
        events, false = heard(listener, set(names))
        return Flapped(
            flaps.changes, cpu_s * 1000 / flaps.changes, 100 * cpu_s / took_s, engine.rss_mib(),
            events, false,
        )  # fmt: skip


def heard(listener: world.Listener, flapping: set[str]) -> tuple[Counter[str], list[str]]:
    """Return how often which event came, and the false alarms."""
    events: Counter[str] = Counter()
    false = []
    while True:
        try:
            _, tag, _ = listener.heard.get_nowait()
        except queue.Empty:
            return events, false
        subject, name, event = tag.split("/")[3:6]
        events[f"{subject}/{event}"] += 1
        if event in NEVER or (event in OF_NODES and name not in flapping):
            false.append(tag)


def measure(nodes: int, args: argparse.Namespace) -> Flapped:
    """Measure one size in a folder of its own; say what happened."""
    marker = Path(FOLDER) / f"canary-{world.CLUSTER}"
    marker.unlink(missing_ok=True)
    # Salt's sockets want a short path.
    with tempfile.TemporaryDirectory(prefix="sgf", ignore_cleanup_errors=True) as name:
        try:
            found = flapped(nodes, args.flapping, args.seconds, Path(name))
        except SystemExit:
            world.show_logs(Path(name))
            raise
        finally:
            marker.unlink(missing_ok=True)
    print(
        f"{nodes} nodes: {found.changes} changes, {found.cpu_ms:.1f} ms of CPU each,"
        f" {found.cpu_percent:.1f} %, {found.rss_mib:.0f} MiB; {dict(found.events)}",
        flush=True,
    )
    for tag in found.false[:10]:
        print(f"FALSE {tag}", flush=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nodes", type=int, default=5000)
    parser.add_argument("--fewer", type=int, default=500, help="the other size")
    parser.add_argument("--flapping", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=MOST_S)
    args = parser.parse_args()
    few, many = measure(args.fewer, args), measure(args.nodes, args)
    told: dict[str, Any] = {
        "bench": "flap", "nodes": args.nodes, "flapping": args.flapping,
        "cpu_percent": round(many.cpu_percent, 1), "rss_mib": round(many.rss_mib, 1),
        "events": sum(many.events.values()), "false_alarms": len(few.false) + len(many.false),
        "changes": many.changes,
        "cpu_ms_per_change": {
            str(args.fewer): round(few.cpu_ms, 1), str(args.nodes): round(many.cpu_ms, 1)
        },
        "ratio": round(many.cpu_ms / few.cpu_ms, 2),
    }  # fmt: skip
    print(json.dumps(told))
    return int(bool(told["false_alarms"]))


if __name__ == "__main__":
    sys.exit(main())
