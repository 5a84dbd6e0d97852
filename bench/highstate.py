"""Measure a state run that changes nothing, on many volumes, beside Salt's own states.

A real pool of three nodes in namespaces, its volumes made once and not started. On one of its
minions ``salt-call --local state.apply`` is run in turn with one ``gluster_volume.present`` per
volume, with one ``glusterfs.volume_present`` per volume (Salt's own), and with ``gluster.cluster``
over all of them in the pillar. Processes are counted in runs of their own, so that counting costs
no time in those that are measured. Every run must find everything as declared. The last line is
JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lab import Lab, Node  # noqa: E402

OPTIONS = {"network.ping-timeout": "20", "performance.cache-size": "64MB"}
HOSTS = ("g1", "g2", "g3")
#: A member that was just probed refuses for up to 5 s; the lock may be another node's.
TRIES = 5

OURS = """\
{{% for n in range({first}, {last}) %}}
{{% set v = "v%03d" | format(n) %}}
{{{{ v }}}}:
  gluster_volume.present:
    - replica: 3
    - bricks:
      - g1:/srv/gluster/{{{{ v }}}}
      - g2:/srv/gluster/{{{{ v }}}}
      - g3:/srv/gluster/{{{{ v }}}}
    - options: {{network.ping-timeout: 20, performance.cache-size: 64MB}}
    - started: false
{{% endfor %}}
"""
BUILTIN = """\
{{% for n in range({first}, {last}) %}}
{{% set v = "v%03d" | format(n) %}}
{{{{ v }}}}:
  glusterfs.volume_present:
    - replica: 3
    - bricks:
      - g1:/srv/gluster/{{{{ v }}}}
      - g2:/srv/gluster/{{{{ v }}}}
      - g3:/srv/gluster/{{{{ v }}}}
{{% endfor %}}
"""
CLUSTER = "pool:\n  gluster.cluster: []\n"
NOTHING = "nothing:\n  test.nop: []\n"

# Before the real program in every place a state could find it; one line per start, with the
# kernel's line about who started it (proc(5), stat).
COUNTER = """\
#!/bin/sh
read -r parent < "/proc/$PPID/stat"
echo "$parent $*" >> /run/gluster-started
exec /usr/local/libexec/gluster "$@"
"""


@dataclass
class Run:
    """One state run: seconds from start to end, and its states' dicts."""

    seconds: float
    states: list[dict[str, Any]]


def name(number: int) -> str:
    """Return the name of a volume."""
    return f"v{number:03d}"


def make_volumes(lab: Lab, numbers: Iterable[int]) -> None:
    """Create these volumes and set their options; each node makes a part, in one process."""
    todo = list(numbers)
    for _ in range(TRIES):
        share = [(node, todo[i :: len(lab.nodes)]) for i, node in enumerate(lab.nodes)]
        with ThreadPoolExecutor() as threads:
            list(threads.map(lambda s: _make(*s), share))
        info = lab.node("g1").ok(["gluster", "--mode=script"], input="volume info\n")
        told = info.split("\nVolume Name: ")[1:]
        done = {text.split()[0] for text in told if all(key in text for key in OPTIONS)}
        todo = [n for n in todo if name(n) not in done]
        if not todo:
            return
        time.sleep(2)
    raise SystemExit(f"{len(todo)} volumes were not made, {name(todo[0])} for one")


def _make(node: Node, numbers: Iterable[int]) -> None:
    lines = []
    for volume in map(name, numbers):
        bricks = " ".join(f"{host}:/srv/gluster/{volume}" for host in HOSTS)
        words = " ".join(f"{key} {value}" for key, value in OPTIONS.items())
        lines += [f"volume create {volume} replica 3 {bricks}", f"volume set {volume} {words}"]
    # What a line came to is not asked here: the volumes are, above.
    node.run(["gluster", "--mode=script"], input="\n".join(lines) + "\n", timeout=900)


def declare(lab: Lab, numbers: range) -> None:
    """Write the states, and the pillar for ``gluster.cluster``, of these volumes."""
    states = lab.directory / "states"
    bounds = {"first": numbers.start, "last": numbers.stop}
    (states / "ours.sls").write_text(OURS.format(**bounds))
    (states / "builtin.sls").write_text(BUILTIN.format(**bounds))
    (states / "cluster.sls").write_text(CLUSTER)
    (states / "nothing.sls").write_text(NOTHING)
    volumes = {
        name(n): {
            "replica": 3,
            "bricks": [f"{host}:/srv/gluster/{name(n)}" for host in HOSTS],
            "options": OPTIONS,
            "started": False,
        }
        for n in numbers
    }
    lab.write_pillar({"gluster": {"nodes": list(HOSTS), "volumes": volumes}})


def apply(lab: Lab, sls: str, node: str = "g1", *, count: int = 0) -> Run:
    """Apply an SLS on a node; all must be as declared, in ``count`` states if given."""
    folders = [f"--file-root={lab.directory}/states", f"--pillar-root={lab.directory}/pillar"]
    argv = ["salt-call", "--local", *folders, "--out=json", "--log-level=error", "state.apply", sls]
    start = time.monotonic()
    done = lab.node(node).run(argv, timeout=900)
    seconds = time.monotonic() - start
    try:
        states = list(json.loads(done.stdout)["local"].values())
        bad = [s for s in states if s["result"] is not True or s["changes"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SystemExit(f"{sls} on {node}: {done.stdout[:2000]}{done.stderr[-2000:]}") from None
    if bad or (count and len(states) != count):
        raise SystemExit(f"{sls} on {node}: {len(states)} states, {len(bad)} not clean: {bad[:1]}")
    return Run(seconds, states)


def watch(node: Node) -> None:
    """Put the counter in the place of the gluster command of a node."""
    node.ok(["mkdir", "-p", "/usr/local/libexec"])
    node.ok(["cp", "-a", "/usr/sbin/gluster", "/usr/local/libexec/gluster"])
    node.ok(["sh", "-c", "cat > /run/counter && chmod 755 /run/counter"], input=COUNTER)
    node.ok(["mount", "--bind", "/run/counter", "/usr/sbin/gluster"])


def unwatch(node: Node) -> None:
    """Give the node its own gluster command back."""
    node.ok(["umount", "-l", "/usr/sbin/gluster"])


def processes(lab: Lab, sls: str, node: str = "g1", *, count: int = 0) -> int:
    """Return how many gluster processes one run of an SLS starts on a watched node."""
    lab.node(node).ok(["sh", "-c", ": > /run/gluster-started"])
    apply(lab, sls, node, count=count)
    return len(lab.node(node).ok(["cat", "/run/gluster-started"]).splitlines())


def measure(lab: Lab, volumes: int, rounds: int) -> dict[str, Any]:
    """Print what each kind of run takes and starts, and return the result."""
    expected = {"nothing": 1, "ours": volumes, "builtin": volumes, "cluster": 1}
    watch(lab.node("g1"))
    started = {sls: processes(lab, sls, count=n) for sls, n in expected.items()}
    unwatch(lab.node("g1"))
    taken: dict[str, list[float]] = {sls: [] for sls in expected}
    for turn in range(rounds):
        order = list(expected) if turn % 2 == 0 else list(reversed(expected))
        for sls in order:
            taken[sls].append(apply(lab, sls, count=expected[sls]).seconds)
        told = ", ".join(f"{sls} {taken[sls][-1]:.2f} s" for sls in expected)
        print(f"round {turn + 1}: {told}; load {os.getloadavg()[0]:.1f}", flush=True)
    median = {sls: statistics.median(times) for sls, times in taken.items()}
    print(f"salt-call with one test.nop: {median['nothing']:.2f} s")
    print(
        f"gluster.cluster, {volumes} volumes in the pillar: {median['cluster']:.2f} s, "
        f"{started['cluster']} gluster processes"
    )
    return {
        "bench": "highstate",
        "salt": lab.node("g1").ok(["salt-call", "--version"]).split()[1],
        "volumes": volumes,
        "ours_s": round(median["ours"], 2),
        "builtin_s": round(median["builtin"], 2),
        "ratio": round(median["builtin"] / median["ours"], 1),
        "processes_ours": started["ours"],
        "processes_builtin": started["builtin"],
    }


def main() -> None:
    """Make the pool, measure, take it down."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--volumes", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    numbers = range(1, asked.volumes + 1)
    with Lab.up("bench", nodes=len(HOSTS), consul=False, salt_venv=_venv()) as lab:
        lab.join()
        start = time.monotonic()
        make_volumes(lab, numbers)
        print(f"{asked.volumes} volumes made in {time.monotonic() - start:.0f} s", flush=True)
        declare(lab, numbers)
        result = measure(lab, asked.volumes, asked.rounds)
    print(json.dumps(result))


def _venv() -> Path | None:
    """Return the virtualenv with Salt 3007, which still has the states to compare with."""
    made = ROOT / ".work/venv-3007"
    return made if (made / "bin/salt-minion").exists() else None


if __name__ == "__main__":
    main()
