"""Measure the layout of 1,000 nodes with 24 bricks, replica 3, and how its cost grows.

Pure computation, no pool needed. The last line is JSON.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from salt_gluster.plan.layout import BrickSlot, lay_out

NODES = (63, 125, 250, 500, 1000, 2000, 4000)
TARGET = 1000
BRICKS = 24
RUNS = 5
RACK = 25


def places(nodes: int) -> list[BrickSlot]:
    """Return the places of ``nodes`` nodes in racks: zones grow in number with the pool."""
    return [
        BrickSlot(f"h{n}", f"/bricks/d{b}/data", f"rack{n // RACK}")
        for n in range(1, nodes + 1)
        for b in range(BRICKS)
    ]


def seconds(nodes: int) -> float:
    """Return the median time of one layout, with a check that it is a full one."""
    taken = []
    free = places(nodes)
    for _ in range(RUNS):
        start = time.perf_counter()
        layout = lay_out(free, size=3)
        taken.append(time.perf_counter() - start)
        if len(layout.sets) != nodes * BRICKS // 3:
            raise SystemExit(f"{nodes} nodes: only {len(layout.sets)} sets")
    return statistics.median(taken)


def slope(points: dict[int, float]) -> float:
    """Return the least-squares slope of log time over log size."""
    xs, ys = [math.log(n) for n in points], [math.log(t) for t in points.values()]
    return statistics.linear_regression(xs, ys).slope


def main() -> None:
    """Print one line per size, then the result."""
    points: dict[int, float] = {}
    for nodes in NODES:
        points[nodes] = seconds(nodes)
        print(f"{nodes:5} nodes {nodes * BRICKS:6} bricks {points[nodes]:8.3f} s", flush=True)
    result = {
        "bench": "layout",
        "bricks": TARGET * BRICKS,
        "seconds": round(points[TARGET], 3),
        "exponent": round(slope(points), 2),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
