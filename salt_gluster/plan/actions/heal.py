"""Launch a heal. No observation shows that it was done."""

from __future__ import annotations

from salt_gluster.plan.actions.row import without_trace

ROWS = (
    without_trace("volume_heal", "heal_launch", "starts a look that ends by itself"),
    without_trace("volume_heal_full", "heal_full", "starts another crawl"),
)  # fmt: skip
