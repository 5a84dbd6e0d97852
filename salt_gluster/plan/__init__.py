"""Plan a change: (desired, observed) -> steps, waits and refusals; one file per noun. Pure.

States, runners and remediation all plan here. A plan is a forecast: the executor runs its first
step only, reads back and plans again, so the plan after a step equals the rest of the plan before.
"""

from __future__ import annotations

from salt_gluster.plan.brick import plan_brick, plan_own_bricks, ready_paths
from salt_gluster.plan.brick_sets import explain_bricks
from salt_gluster.plan.drift import is_repair, lately, with_repeats
from salt_gluster.plan.membership import with_membership
from salt_gluster.plan.node_identity import NodeIdentity, identify
from salt_gluster.plan.peer import plan_own_membership, plan_peer, plan_peer_absent, undeclared
from salt_gluster.plan.volume import plan_options_of, plan_started, plan_volume, plan_volume_absent

__all__ = [
    "NodeIdentity",
    "explain_bricks",
    "identify",
    "is_repair",
    "lately",
    "plan_brick",
    "plan_options_of",
    "plan_own_bricks",
    "plan_own_membership",
    "plan_peer",
    "plan_peer_absent",
    "plan_started",
    "plan_volume",
    "plan_volume_absent",
    "ready_paths",
    "undeclared",
    "with_membership",
    "with_repeats",
]
