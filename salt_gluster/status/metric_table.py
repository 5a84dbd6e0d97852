"""Every metric that we export: name, meaning, kind, labels. Pure.

Names and units are Prometheus' conventions: base units in the name, ``_total`` for what only grows.
The alert rules, the dashboard and the docs are checked against this table.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """One metric. ``kind`` is ``gauge`` or ``counter``."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    kind: str = "gauge"


_NODE, _VOLUME, _BRICK = ("node",), ("volume",), ("volume", "node", "path")

METRICS = (
    # the pool
    Metric("gluster_copy_usable", "1 where the copy in Consul can be shown; else no pool is told"),
    Metric("gluster_copy_read_age_seconds", "Since the copy was read for these metrics, ago"),
    Metric("gluster_status_code", "0 ok, 1 degraded, 2 down or data at risk, 3 unknown"),
    Metric("gluster_nodes", "Members of the pool"),
    Metric("gluster_volumes", "Volumes of the pool"),
    Metric("gluster_held", "1 while a hold stops every change"),
    Metric("gluster_versions_equal", "1 where all members run the same GlusterFS"),
    Metric("gluster_unknown", "Subjects of which something is not known", ("what",)),
    # nodes
    Metric("gluster_node_up", "1 for a member that is up", _NODE),
    Metric("gluster_node_state", "1 for the state that the member is in", ("node", "state")),
    Metric("gluster_node_bricks", "Bricks that the member holds", _NODE),
    Metric("gluster_report_age_seconds", "At most so long ago the member looked", _NODE),
    Metric("gluster_peers", "Peers that this node knows, without itself", _NODE),
    Metric("gluster_peers_connected", "Peers that this node is connected to", _NODE),
    # volumes
    Metric("gluster_volume_info", "1; what the volume is", ("volume", "type", "id")),
    Metric("gluster_volume_started", "1 for a volume that is started", _VOLUME),
    Metric("gluster_volume_state", "1 for the state that the volume is in", ("volume", "state")),
    Metric("gluster_volume_bricks", "Bricks of the volume", _VOLUME),
    Metric("gluster_volume_bricks_up", "Bricks of the volume that serve", _VOLUME),
    Metric("gluster_volume_heal_pending_entries", "Entries that wait for self-heal", _VOLUME),
    Metric("gluster_volume_split_brain_entries", "Entries in split-brain", _VOLUME),
    Metric("gluster_volume_size_bytes", "Size as a client sees it", _VOLUME),
    Metric("gluster_volume_free_bytes", "Free space as a client sees it", _VOLUME),
    Metric("gluster_volume_not_made", "1 for a volume that is declared and not there", _VOLUME),
    Metric("gluster_volume_task_running", "1 while the task runs", ("volume", "task")),
    # bricks
    Metric("gluster_brick_up", "1 for a brick that serves", _BRICK),
    Metric("gluster_brick_size_bytes", "Size of the brick's file system", _BRICK),
    Metric("gluster_brick_free_bytes", "Free space of the brick's file system", _BRICK),
    Metric("gluster_brick_heal_pending_entries", "Entries in the brick's own index", _BRICK),
    # automation
    Metric("gluster_automation_mode", "1 for the mode that the leader is in", ("mode",)),
    Metric("gluster_operations", "Operations that are open or proposed", ("state",)),
    Metric("gluster_refused", "Bricks whose restart is refused now"),
    Metric("gluster_trouble", "What automation stands on and is not well", ("kind",)),
    Metric("gluster_engine_leader", "1 for the engine that leads", ("engine",)),
    Metric("gluster_engine_view_fresh", "1 while it may believe what it sees", ("engine",)),
    Metric("gluster_engine_view_age_seconds", "Since its last tick", ("engine",)),
    Metric("gluster_engine_ticks_total", "Ticks of this engine", ("engine",), "counter"),
    Metric("gluster_engine_failed_ticks_total", "Ticks given up", ("engine",), "counter"),
    Metric("gluster_engine_decisions_total", "What it decided", ("engine", "decision"), "counter"),
)  # fmt: skip
BY_NAME = {metric.name: metric for metric in METRICS}
