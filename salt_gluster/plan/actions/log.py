"""Rotate the logs of bricks, dump their state. No observation shows that it was done."""

from __future__ import annotations

from salt_gluster.plan.actions.row import without_trace

ROWS = (
    without_trace("volume_log_rotate", "log_rotate", "rotates once more", "brick"),
    without_trace("volume_statedump", "statedump", "writes another dump", "dump"),
)  # fmt: skip
