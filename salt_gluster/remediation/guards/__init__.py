"""Named claims about one action: each returns a refusal, or None. All are asked, all are reported.

The engine asks them when it decides, the executor asks the same functions on what it sees from its
own node. Unknown refuses. ``ENGINE_ONLY`` are those about deciding itself.
"""

from __future__ import annotations

from salt_gluster.model import Refusal
from salt_gluster.remediation.guards.brick import (
    bricks_known,
    budget_left,
    cooldown_over,
    gluster_root_there,
    health_check_quiet,
    mounted,
    no_io_errors,
    not_refused_lately,
    nothing_in_flight,
    process_dead,
    same_filesystem,
    same_twice,
    volume_id_right,
    waited,
    writable,
)
from salt_gluster.remediation.guards.context import Guard, GuardContext
from salt_gluster.remediation.guards.pool import (
    clocks_agree,
    fleet_open,
    glusterd_up,
    in_catalog,
    lock_valid,
    no_brick_in_maintenance,
    no_recent_manual_change,
    not_held,
    not_in_maintenance,
    quiet_over,
    settled,
    single_version,
    suspects_disconnected,
    volume_started,
)

#: What has to hold before brick processes are started (rung 1).
RESTART_BRICK: tuple[Guard, ...] = (
    fleet_open, lock_valid, not_held, not_in_maintenance, in_catalog, no_brick_in_maintenance,
    glusterd_up, settled, volume_started, clocks_agree, single_version, no_recent_manual_change,
    quiet_over, suspects_disconnected,
    bricks_known, process_dead, mounted, writable, same_filesystem, volume_id_right,
    gluster_root_there, no_io_errors, health_check_quiet,
    nothing_in_flight, budget_left, cooldown_over, waited, not_refused_lately, same_twice,
)  # fmt: skip

#: About deciding itself: an executor does not ask them again; its preconditions look at the clock.
ENGINE_ONLY: frozenset[str] = frozenset(
    {"waited", "not_refused_lately", "same_twice", "clocks_agree"}
)

#: These say "not yet" and are no news before they have stood for an hour.
PATIENCE: frozenset[str] = frozenset(
    {"waited", "same_twice", "cooldown_over", "not_refused_lately", "nothing_in_flight",
     "quiet_over", "glusterd_up", "budget_left", "fleet_open", "lock_valid"}
)  # fmt: skip


#: These look at what every member tells: asked for only when all the others say yes, or soon may.
OF_ALL: frozenset[str] = frozenset(
    {"single_version", "no_recent_manual_change", "bricks_known", "not_held"}
)


def needs_all(reasons: tuple[Refusal, ...], within_s: float) -> bool:
    """Whether every member has to be asked for a decision that these reasons stand against.

    Not while a guard says no that one node answers: a standing failure costs the others nothing.
    A guard that only waits, and for no longer than ``within_s``, is none of them.
    """
    return not any(
        r.name not in OF_ALL and r.name != "same_twice" and not 0 < r.waits_s <= within_s
        for r in reasons
    )


def refusals(context: GuardContext, guards: tuple[Guard, ...]) -> tuple[Refusal, ...]:
    """Return every reason against it, in the order of the ladder."""
    asked = (g for g in guards if not (context.obs.executor_node and g.__name__ in ENGINE_ONLY))
    return tuple(r for r in (guard(context) for guard in asked) if r is not None)
