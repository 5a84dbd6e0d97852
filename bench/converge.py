"""Measure changes of a pool beside a script of the plain gluster commands, in the same run.

Rows: one node invites all others; new volumes with one option each, all nodes at once; one option
on all volumes, all nodes at once and each node alone; one option ordered from each node, beside
``test.ping``; the whole formula on bare nodes, and how long each runner takes beside a ping. For
each: seconds of the script and of ours, processor seconds of the whole machine, gluster processes
started in the pool, connections that the master accepted. With several sizes, the exponent with
which processor time grows from the first to the last. The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench import highstate  # noqa: E402
from lab import Lab, Node  # noqa: E402

GLUSTER = ("gluster", "--mode=script")
OPTION = "network.ping-timeout"
TICK = os.sysconf("SC_CLK_TCK")
#: Asked again and again, beside a ping of all minions.
RUNNERS: dict[str, dict[str, str]] = {
    "gluster.status": {},
    "gluster.plan": {},
    "gluster.impact": {"node": "g1"},
    "gluster.explain": {"node": "g1"},
}
MEMBER = "State: Peer in Cluster (Connected)"


def busy_s() -> float:
    """Return the processor seconds that this machine has spent."""
    user, nice, system = map(int, Path("/proc/stat").read_text().split()[1:4])
    return (user + nice + system) / TICK


def started(lab: Lab) -> int | None:
    """Return how many gluster processes were started in the pool, and count anew.

    None where nobody counts them: on bare nodes there is no gluster command yet.
    """
    count, watched = 0, False
    for node in lab.nodes:
        seen = node.run(["cat", "/run/gluster-started"])
        watched |= seen.returncode == 0
        count += len(seen.stdout.splitlines())
        node.ok(["sh", "-c", ": > /run/gluster-started"])
    return count if watched else None


def accepted(lab: Lab) -> int:
    """Return how many connections the master has accepted: a request to it is one."""
    head, row = (line.split() for line in lab.master.ok(["cat", "/proc/net/snmp"]).splitlines()
                 if line.startswith("Tcp:"))  # fmt: skip
    return int(row[head.index("PassiveOpens")])


def measured(lab: Lab, act: Callable[[], object]) -> dict[str, Any]:
    """Return seconds, processor seconds, gluster processes and connections of something."""
    started(lab)
    connections, began, cpu = accepted(lab), time.monotonic(), busy_s()
    act()
    row = {"s": round(time.monotonic() - began, 1), "cpu_s": round(busy_s() - cpu, 1)}
    return {**row, "processes": started(lab), "connections": accepted(lab) - connections}


def script(node: Node, lines: Sequence[Sequence[str]]) -> None:
    for words in lines:
        node.ok([*GLUSTER, *words])


def pillar(lab: Lab, volumes: int, value: int, prefix: str) -> dict[str, Any]:
    names = [node.name for node in lab.nodes]
    declared = {
        f"{prefix}{n:03d}": {
            "replica": 3,
            "bricks": [f"{h}:/srv/gluster/{prefix}{n:03d}" for h in _three(names, n)],
            "options": {OPTION: value},
        }
        for n in range(volumes)
    }
    return {"gluster": {"nodes": names, "volumes": declared}}


def _three(names: Sequence[str], first: int) -> list[str]:
    return [names[(first + at) % len(names)] for at in range(3)]


def apply(lab: Lab, target: str = "*") -> None:
    """Apply the pool's part of the formula; every minion must be content."""
    for minion, states in lab.salt(target, "state.apply", "gluster.pool").items():
        if not isinstance(states, dict):
            raise SystemExit(f"{minion}: {states}")
        bad = [s["comment"] for s in states.values() if s["result"] is not True]
        if bad:
            raise SystemExit(f"{minion} is red: {bad[0]}")


def invite(count: int) -> dict[str, Any]:
    """Let one node invite all others: by a script, and by a run of its own in another lab."""

    def all_know_all(lab: Lab) -> None:
        others = count - 1
        while any(n.run([*GLUSTER, "peer", "status"]).stdout.count(MEMBER) < others
                  for n in lab.nodes):  # fmt: skip
            time.sleep(0.2)

    def by_script(lab: Lab) -> None:
        script(lab.node("g1"), [["peer", "probe", n.name] for n in lab.nodes[1:]])
        all_know_all(lab)

    def by_state(lab: Lab) -> None:
        apply(lab, "g1")
        all_know_all(lab)

    found: dict[str, Any] = {}
    for what, act in (("script", by_script), ("ours", by_state)):
        with Lab.up(f"invite-{what}", nodes=count, consul=False) as lab:
            lab.write_pillar({"gluster": {"nodes": [n.name for n in lab.nodes]}})
            found[what] = measured(lab, lambda act=act, lab=lab: act(lab))
    return {"invite": found}


def changes(volumes: int) -> dict[str, Any]:
    """Make volumes and change them, in one pool of four."""
    with Lab.up("converge", nodes=4, consul=False) as lab:
        lab.join()
        for node in lab.nodes:
            highstate.watch(node)
        g1, names = lab.node("g1"), [node.name for node in lab.nodes]
        lines = []
        for n in range(volumes):
            bricks = [f"{h}:/srv/gluster/s{n:03d}" for h in _three(names, n)]
            lines += [["volume", "create", f"s{n:03d}", "replica", "3", *bricks],
                      ["volume", "set", f"s{n:03d}", OPTION, "20"],
                      ["volume", "start", f"s{n:03d}"]]  # fmt: skip
        found: dict[str, Any] = {"new": {"script": measured(lab, lambda: script(g1, lines))}}
        lab.write_pillar(pillar(lab, volumes, 20, "v"))
        found["new"]["ours"] = measured(lab, lambda: apply(lab))
        found["no change"] = {"ours": measured(lab, lambda: apply(lab))}
        sets = [["volume", "set", f"s{n:03d}", OPTION, "21"] for n in range(volumes)]
        found["option"] = {"script": measured(lab, lambda: script(g1, sets))}
        lab.write_pillar(pillar(lab, volumes, 21, "v"))
        found["option"]["ours"] = measured(lab, lambda: apply(lab))
        for at, name in enumerate(names):
            lab.write_pillar(pillar(lab, volumes, 22 + at, "v"))
            found[f"option, {name} alone"] = {
                "ours": measured(lab, lambda name=name: apply(lab, name))
            }
        found["order"] = orders(lab)
    return found


def orders(lab: Lab) -> dict[str, Any]:
    """Set one option from each node, beside a ping of it."""
    found = {}
    for at, node in enumerate(lab.nodes):
        ping = measured(lab, lambda node=node: lab.salt(node.name, "test.ping"))
        words = {OPTION: 40 + at}
        row = measured(
            lab,
            lambda node=node, words=words: lab.salt(
                node.name, "gluster_option.set", "v000", options=words
            ),
        )
        found[node.name] = {"ping": ping, "ours": row}
    return found


def bare(count: int, rounds: int) -> dict[str, Any]:
    """Apply the whole formula on bare nodes at once, then ask for the status again and again."""
    with Lab.up("bare", nodes=count, bare=True, consul=False) as lab:
        names = [node.name for node in lab.nodes]
        bricks = [f"{h}:/srv/gluster/data" for h in _three(names, 0)]
        volume = {"replica": 3, "bricks": bricks, "mount": {"at": "/srv/data", "nodes": names[:1]}}
        lab.write_pillar({"gluster": {"nodes": names, "volumes": {"data": volume}}})
        red: list[str] = []
        found = {"bare nodes": {"ours": measured(lab, lambda: red.extend(_apply_all(lab)))}}
        found["bare nodes"]["ours"]["red"] = len(red)
        again = measured(lab, lambda: apply(lab))
        found["bare nodes"]["again"] = again
        asked: dict[str, list[float]] = {}
        for _ in range(rounds):
            for what in ("test.ping", *RUNNERS):
                began = time.monotonic()
                if what in RUNNERS:
                    lab.salt_run(what, **RUNNERS[what])
                else:
                    lab.salt("*", what)
                asked.setdefault(what, []).append(time.monotonic() - began)
        for what, times in asked.items():
            times.sort()
            row = {"n": rounds, "median": times[len(times) // 2], "max": times[-1]}
            found[what] = {key: round(value, 2) for key, value in row.items()}
        return found


def _apply_all(lab: Lab) -> list[str]:
    """Apply the formula on every node; return who is red and why."""
    answers = lab.salt("*", "state.apply", "gluster", timeout=600)
    return [
        f"{minion}: {states if not isinstance(states, dict) else bad[0]}"
        for minion, states in answers.items()
        if not isinstance(states, dict)
        or (bad := [s["comment"] for s in states.values() if s["result"] is not True])
    ]


def main() -> None:
    """Measure, print each row, then all as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    many = {"type": int, "nargs": "+"}
    parser.add_argument("--nodes", default=[4, 8], **many, help="of the pool that is joined")
    parser.add_argument("--volumes", default=[10, 30], **many, help="of a pool of four")
    parser.add_argument("--rounds", type=int, default=20, help="of asking the runners")
    parser.add_argument("--only", choices=("invite", "changes", "bare"), help="one part of it")
    asked = parser.parse_args()
    parts: dict[str, tuple[Sequence[int], Callable[[int], dict[str, Any]]]] = {
        "invite": (asked.nodes, invite),
        "changes": (asked.volumes, changes),
        "bare": (asked.nodes, lambda count: bare(count, asked.rounds)),
    }
    rows: dict[str, dict[str, Any]] = {}
    for part in [asked.only] if asked.only else parts:
        sizes, measure = parts[part]
        by_size = {size: measure(size) for size in sizes}
        for size, found in by_size.items():
            unit = "volumes" if part == "changes" else "nodes"
            rows |= {f"{name}, {size} {unit}": row for name, row in found.items()}
            for name, row in found.items():
                print(f"{name + f', {size} {unit}':34} {json.dumps(row)}", flush=True)
        rows |= exponents(by_size)
    print(json.dumps({"bench": "converge", "rows": rows}))


def exponents(by_size: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """Return with which power of the size the processor time of each row of ours grows."""
    first, last = min(by_size), max(by_size)
    if first == last:
        return {}
    found = {}
    for name, row in by_size[last].items():
        before = by_size[first].get(name, {}).get("ours", {}).get("cpu_s")
        if before and row.get("ours", {}).get("cpu_s"):
            power = math.log(row["ours"]["cpu_s"] / before) / math.log(last / first)
            found[f"{name}, exponent of CPU from {first} to {last}"] = {"exponent": round(power, 2)}
            print(f"{name}: CPU grows with the power {power:.2f} from {first} to {last}")
    return found


if __name__ == "__main__":
    main()
