"""What is known of a pool as samples for Prometheus. Pure.

What is not known has no sample: no zero stands for it. The numbers are those of the status screen,
and of each brick what its own node told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from salt_gluster.model import brick_at, is_unknown

#: What a volume and a member can be: each has all of its states, one of them is 1.
VOLUME_STATES = ("ok", "degraded", "data_at_risk", "partial", "incomplete", "down", "unknown")
NODE_STATES = ("up", "away", "unresponsive", "not_joined", "suspect", "down", "gone")


@dataclass(frozen=True)
class Sample:
    """One number. The labels are in the order of ``metric_table.py``."""

    name: str
    value: float
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class EngineFigures:
    """What an engine has done since it began. ``decisions`` counts them by kind."""

    name: str
    leads: bool
    is_fresh: bool
    tick_age_s: float
    ticks: int = 0
    failed: int = 0
    decisions: Mapping[str, int] = field(default_factory=dict)


def pool_samples(data: Mapping[str, Any], reports: Iterable[Mapping[str, Any]]) -> Iterator[Sample]:
    """Yield what the status screen shows (``data``) and what each node told of its bricks."""
    yield Sample("gluster_status_code", data["exit"])
    yield Sample("gluster_held", bool(data.get("holds") or data["hold"]))
    if isinstance(equal := data["versions"].get("equal"), bool):
        yield Sample("gluster_versions_equal", equal)
    for what, number in _unknown(data["unknown"]).items():
        yield Sample("gluster_unknown", number, (what,))
    if not is_unknown(data["nodes"]):
        yield Sample("gluster_nodes", data["nodes"]["total"])
        yield from _nodes(data["nodes"]["members"])
    for node, age in data.get("ages_s", {}).items():
        yield from _known("gluster_report_age_seconds", age, node)
    if not is_unknown(data["volumes"]):
        yield Sample("gluster_volumes", len(data["volumes"]))
        yield from _volumes(data["volumes"])
    for name in data["not_made"]:
        yield Sample("gluster_volume_not_made", 1, (name,))
    for task in [] if is_unknown(data["running"]) else data["running"]:
        yield Sample("gluster_volume_task_running", 1, (task["volume"], str(task["kind"]).lower()))
    dead = set(data.get("leader_knows", ()))
    for report in reports:
        yield from brick_samples(report, dead)


def _unknown(rows: Iterable[Mapping[str, Any]]) -> Counter[str]:
    numbers = Counter[str]()
    for row in rows:
        numbers[str(row["what"])] += len(row["subjects"])
    return numbers


def _nodes(members: Mapping[str, Mapping[str, Any]]) -> Iterator[Sample]:
    for name, member in members.items():
        yield Sample("gluster_node_up", member["state"] == "up", (name,))
        yield from _states("gluster_node_state", name, str(member["state"]), NODE_STATES)
        if not is_unknown(member["bricks"]):
            yield Sample("gluster_node_bricks", sum(member["bricks"].values()), (name,))


def _volumes(volumes: Mapping[str, Mapping[str, Any]]) -> Iterator[Sample]:
    for name, row in volumes.items():
        yield Sample("gluster_volume_info", 1, (name, str(row["type"]), str(row["id"])))
        yield Sample("gluster_volume_started", row["status"] == "Started", (name,))
        yield from _states("gluster_volume_state", name, str(row["word"]), VOLUME_STATES)
        yield Sample("gluster_volume_bricks", row["bricks"]["total"], (name,))
        yield from _known("gluster_volume_bricks_up", row["bricks"].get("up"), name)
        yield from _known("gluster_volume_heal_pending_entries", row["to_heal"], name)
        yield from _known("gluster_volume_split_brain_entries", row["split_brain"], name)
        if not is_unknown(row["free"]):
            yield Sample("gluster_volume_size_bytes", row["free"]["total"], (name,))
            yield Sample("gluster_volume_free_bytes", row["free"]["bytes"], (name,))


def brick_samples(report: Mapping[str, Any], dead: Iterable[str] = ()) -> Iterator[Sample]:
    """Yield what a node tells of its own bricks. ``dead``: those that the leader knows to be so."""
    bricks, node = report["bricks"], str(report["node"])
    for volume, rows in {} if is_unknown(bricks) else bricks.items():
        for row in rows:
            labels = (str(volume), node, brick_at(str(row["name"]))[1])
            up = bool(row["online"]) and row["name"] not in dead
            yield Sample("gluster_brick_up", up, labels)
            yield from _known("gluster_brick_size_bytes", row["total"], *labels)
            yield from _known("gluster_brick_free_bytes", row["free"], *labels)
            yield from _known("gluster_brick_heal_pending_entries", row["pending"], *labels)


def node_samples(report: Mapping[str, Any]) -> Iterator[Sample]:
    """Yield what a node knows by itself, for the textfile of its node_exporter."""
    node = str(report["node"])
    if not is_unknown(report["hold"] or {}):
        yield Sample("gluster_held", bool(report["hold"]))
    if not is_unknown(report["peers"]):
        others = [p for p in report["peers"] if not p["is_self"]]
        yield Sample("gluster_peers", len(others), (node,))
        connected = sum(bool(p["connected"]) and p["state"] == 3 for p in others)
        yield Sample("gluster_peers_connected", connected, (node,))
    yield from brick_samples(report)


def automation_samples(status: Mapping[str, Any] | None) -> Iterator[Sample]:
    """Yield what the leader told of its last tick."""
    if status is None:
        return
    yield Sample("gluster_automation_mode", 1, (str(status.get("mode")),))
    states = Counter(str(op["state"]) for op in status.get("operations", ()))
    for state, number in states.items():
        yield Sample("gluster_operations", number, (state,))
    yield Sample("gluster_refused", len(status.get("refused", ())))
    for kind, number in Counter(str(t["kind"]) for t in status.get("trouble", ())).items():
        yield Sample("gluster_trouble", number, (kind,))


def engine_samples(engine: EngineFigures) -> Iterator[Sample]:
    """Yield what an engine tells of itself."""
    own = (engine.name,)
    yield Sample("gluster_engine_leader", engine.leads, own)
    yield Sample("gluster_engine_view_fresh", engine.is_fresh, own)
    yield Sample("gluster_engine_view_age_seconds", engine.tick_age_s, own)
    yield Sample("gluster_engine_ticks_total", engine.ticks, own)
    yield Sample("gluster_engine_failed_ticks_total", engine.failed, own)
    for kind, number in engine.decisions.items():
        yield Sample("gluster_engine_decisions_total", number, (engine.name, kind))


def _states(metric: str, name: str, now: str, states: Iterable[str]) -> Iterator[Sample]:
    for state in dict.fromkeys((*states, now)):
        yield Sample(metric, state == now, (name, state))


def _known(metric: str, value: Any, *labels: str) -> Iterator[Sample]:
    if isinstance(value, int | float):
        yield Sample(metric, value, labels)
