"""What a shared pool is like: files, mounts, processes and Consul, and what differs from before.

Read from outside: no program is started in a node, but for the one question to Salt's minions.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import consul_http
import trees
from trees import Entry, Tree

from lab import Lab, Node, record

#: Volatile by nature: what a running daemon keeps there is no part of what a pool is.
SKIP_GLUSTERD = ("geo-replication", "glusterfind", "ss_brick")
SKIP_ETC = ("salt/minion.d/_schedule.conf", "mtab", "ld.so.cache")
HISTORY = "cmd_history.log"
NETNS = "/run/netns"
#: Of a child of Salt's daemons, of which there is another for every job.
JOB = "a child"
_PYTHON = re.compile(r"python[\d.]*$")
#: A FUSE or network mount may hang whoever looks into it.
_LOCAL = ("overlay", "tmpfs", "xfs", "ext4", "btrfs", "proc", "sysfs", "devtmpfs", "mqueue")

Place = tuple[str, str]
"""What it is (``glusterd``, ``mount``, …) and where: a node, or nothing for the whole pool."""


@dataclass(frozen=True)
class Fingerprint:
    """All that tells a pool from a new one; ``trees`` can be put back, ``facts`` are told."""

    trees: Mapping[tuple[str, str], Mapping[str, Entry]]
    facts: Mapping[Place, Mapping[str, str]]


@dataclass(frozen=True, order=True)
class Difference:
    """One thing that is not as it was when the pool was new."""

    kind: str
    what: str
    old: str
    new: str
    node: str = ""

    def text(self) -> str:
        """Say it in words, without the node."""
        if not self.old:
            return f"{self.what} is new" + (f": {self.new}" if self.new != "there" else "")
        if not self.new:
            return f"{self.what} is gone"
        return f"{self.what} is another: {self.new}, before {self.old}"


def take(lab: Lab, new: Fingerprint | None = None, *, ask: bool = True) -> Fingerprint:
    """Take the fingerprint of a pool, whole or beside that of the new pool.

    With ``ask`` every minion is asked for its pillar, which also shows that it answers.
    """
    mounted = {node.name: mounts(node) for node in lab.members}
    found: dict[tuple[str, str], Mapping[str, Entry]] = {}
    for node, tree in all_trees(lab):
        hanging = [at for at, what in mounted.get(node, {}).items() if not what.startswith(_LOCAL)]
        expected = None if new is None else new.trees.get((node, tree.shown), {})
        found[node, tree.shown] = trees.read(tree, expected, hanging)
    facts: dict[Place, Mapping[str, str]] = {}
    pids = _pids(lab)
    for node in lab.members:
        facts["mount", node.name] = mounted[node.name]
        facts["process", node.name] = _processes(node, pids[node.name])
    fresh = record.read(lab.directory)
    facts["fault", ""] = {" ".join(row): "there" for row in fresh.faults}
    facts["version", ""] = dict(fresh.gluster)
    if lab.record.consul:
        facts |= consul_http.facts(lab.members)
    if lab.record.salt and ask:
        facts["pillar", ""] = _pillars(lab)
    return Fingerprint(found, facts)


def all_trees(lab: Lab) -> list[tuple[str, Tree]]:
    """List the folders that are compared and put back, with their nodes."""
    found = [(node.name, tree) for node in lab.members for tree in _trees_of(lab, node)]
    if lab.record.salt:
        for name in ("pillar", "states"):
            found.append(("", Tree("pillar", f"the lab's {name}", lab.record.path(name))))
    return found


def _trees_of(lab: Lab, node: Node) -> list[Tree]:
    home, root = node.home, Path(f"/proc/{node.holder() or 0}/root")
    found = [
        Tree("config", "/etc/systemd/system", home / "systemd"),
        Tree("config", "/var/lib/salt-gluster", home / "salt-gluster"),
        Tree("disk", "/srv", root / "srv"),
        Tree("disk", "/mnt", root / "mnt"),
    ]
    for name, skip in (("etc", SKIP_ETC), ("usr", ()), ("root", ())):
        lower = Path("/", name)
        found.append(Tree("config", f"/{name}", home / "up" / name, skip, lower, root / name))
    if node.name in lab.record.nodes:
        found += [
            Tree("glusterd", "/var/lib/glusterd", home / "glusterd", SKIP_GLUSTERD),
            Tree("history", "/var/log/glusterfs", home / "log/glusterfs", _logs(home)),
        ]
    elif lab.record.salt:
        cache = home / "salt-cache/master/minions"
        found.append(Tree("config", "/var/cache/salt/master/minions", cache, _cached(cache)))
    return found


def _logs(home: Path) -> list[str]:
    """Name all logs but the history of commands, which our guards read."""
    return [path.name for path in (home / "log/glusterfs").glob("*") if path.name != HISTORY]


def _cached(cache: Path) -> list[str]:
    """Name all that the master keeps of its minions but the mine."""
    return [f"{p.parent.name}/{p.name}" for p in cache.glob("*/*") if p.name != "mine.p"]


def mounts(node: Node) -> dict[str, str]:
    """Map mount points of a node to type and whether they are read-only."""
    try:
        rows = Path(f"/proc/{node.holder() or 0}/mountinfo").read_text().splitlines()
    except OSError:
        return {}
    found = {}
    for row in rows:
        left, _, right = row.partition(" - ")
        point, options = left.split()[4:6]
        if not point.startswith(NETNS):  # the machine's, of all labs
            found[point] = f"{right.split()[0]} {options.split(',')[0]}"
    return found


def _pids(lab: Lab) -> dict[str, list[int]]:
    """Map each node to the host's pids of what is in its network, by one look at /proc."""
    found: dict[str, list[int]] = {node.name: [] for node in lab.members}
    names = {}
    for node in lab.members:
        with contextlib.suppress(OSError):
            names[Path(NETNS, lab.record.netns(node.name)).stat().st_ino] = node.name
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if name := names.get((entry / "ns/net").stat().st_ino):
                    found[name].append(int(entry.name))
    return found


def _processes(node: Node, pids: Sequence[int]) -> dict[str, str]:
    """Map each program with its unit to how many of it run, and how many of them are stopped."""
    states: dict[str, list[str]] = defaultdict(list)
    for pid in pids:
        name, state = program(pid), _state(pid)
        counts = bool(name) and (JOB not in name or state == "T")
        if counts and state not in ("", "Z", "X") and not node.holds(pid):
            states[name].append(state)
    found = {}
    for name, all_states in states.items():
        stopped = all_states.count("T")
        found[name] = str(len(all_states)) + (f", {stopped} of them stopped" if stopped else "")
    return found


def program(pid: int) -> str:
    """Say which program a process is and which unit it belongs to; "" for one that has gone."""
    try:
        argv = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
        environ = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    except OSError:
        return ""
    words = argv.replace("\0", " ").split()
    names = [Path(word).name for word in words[:2]]
    if not names:
        return ""
    name = names[-1] if _PYTHON.match(names[0]) else names[0]
    unit = re.search(r"(?:^|\0)LAB_UNIT=([^\0]*)", environ)
    if unit is None:
        return name
    # Salt's children write their title over the name, as far as it goes: salt-minio.
    is_child = name.startswith("salt-") and unit[1] != f"{name}.service"
    return f"{JOB if is_child else name} of {unit[1]}"


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def _pillars(lab: Lab) -> dict[str, str]:
    answers = lab.salt("*", "pillar.raw")
    return {f"answer of minion {name}": _short(answers.get(name)) for name in lab.record.nodes}


def _short(value: Any) -> str:
    if isinstance(value, dict):  # an empty schedule is what Salt adds at a refresh
        value = {key: row for key, row in value.items() if key != "schedule" or row}
    text = json.dumps(value, sort_keys=True, default=str)
    return text if len(text) < 60 else hashlib.sha256(text.encode()).hexdigest()[:12]


def differences(new: Fingerprint, now: Fingerprint) -> list[Difference]:
    """List what is not as it was, in order; what only one of them has asked for is not compared."""
    found = []
    for place in new.facts.keys() & now.facts.keys():
        kind, node = place
        old_rows, new_rows = new.facts[place], now.facts[place]
        for what in old_rows.keys() | new_rows.keys():
            pair = old_rows.get(what, ""), new_rows.get(what, "")
            if pair[0] != pair[1]:
                label = what if kind in ("pillar", "consul") else f"{kind} {what}"
                found.append(Difference(kind, label, *pair, node))
    for (node, shown), old in new.trees.items():
        entries = now.trees.get((node, shown), {})
        for name in old.keys() | entries.keys():
            if old.get(name) != entries.get(name):
                kind = _kind_of(shown)
                pair = _digest(old.get(name)), _digest(entries.get(name))
                found.append(Difference(kind, _label(shown, name), *pair, node))
    return sorted(found)


def _kind_of(shown: str) -> str:
    kinds = {"/var/lib/glusterd": "glusterd", "/var/log/glusterfs": "history"}
    kinds |= {"/srv": "disk", "/mnt": "disk"}
    return kinds.get(shown, "pillar" if shown.startswith("the lab") else "config")


def _label(shown: str, name: str) -> str:
    if shown == "/var/lib/glusterd" and name.startswith("vols/"):
        return f"volume {name.split('/')[1]}"
    return f"{shown}/{name}"


def _digest(entry: Entry | None) -> str:
    if entry is None:
        return ""
    if entry.kind == "file":
        return hashlib.sha256(entry.content + str(entry.mode).encode()).hexdigest()[:8]
    return {"folder": "there"}.get(entry.kind, entry.kind)


def lines(rows: list[Difference]) -> list[str]:
    """Write differences as people read them: one line each, that of several nodes together."""
    nodes: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        if row.kind != "history":  # a log, and no dirt
            nodes[_told(row)].add(row.node)
    return [f"{', '.join(sorted(where - {''})) or 'pool'}: {text}" for text, where in nodes.items()]


def _told(row: Difference) -> str:
    """A digest tells nobody anything, and would make one line of two nodes' two."""
    digests = ("the lab's", "Consul's key", "Consul's session")
    if row.kind in ("glusterd", "disk", "config") or row.what.startswith(digests):
        return f"{row.what} is {'new' if not row.old else 'another' if row.new else 'gone'}"
    return row.text()
