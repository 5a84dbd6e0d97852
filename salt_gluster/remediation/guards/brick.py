"""Guards on every brick that would be started, and on patience: one at a time, and seldom."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from salt_gluster.model import Brick, BrickFacts, Refusal, Unknown
from salt_gluster.remediation.guards.context import ACKNOWLEDGE, GuardContext, node_of, refuse
from salt_gluster.remediation.observation import key_of
from salt_gluster.remediation.operations import UNDER_WAY, Life

# --- every brick that would be started -----------------------------------------------------------


def bricks_known(context: GuardContext) -> Refusal | None:
    """Of every brick that is not known to serve it is known what is the matter."""
    for brick, facts in context.down_bricks:
        if isinstance(facts, Unknown):
            return refuse("bricks_known", f"{brick.name} may be down too, and {facts.why}")
    return None


def process_dead(context: GuardContext) -> Refusal | None:
    """Their processes are dead; one that runs without a known port is not."""
    for brick, facts in _reported(context):
        if isinstance(facts.alive, Unknown):
            return refuse("process_dead", f"{brick.name}: its process: {facts.alive.why}")
        if facts.alive:
            return refuse(
                "process_dead", f"{brick.name}: its process runs, only its port is not known"
            )
    return None


def mounted(context: GuardContext) -> Refusal | None:
    """Their file systems are mounted."""
    return _each(context, "mounted", lambda f: f.mounted, True, "its file system is not mounted")


def writable(context: GuardContext) -> Refusal | None:
    """Their file systems are not read-only."""
    return _each(context, "writable", lambda f: f.read_only, False, "its file system is read-only")


def same_filesystem(context: GuardContext) -> Refusal | None:
    """They lie on the file system that was recorded when they were well."""
    recorded = context.obs.recorded
    for brick, facts in _reported(context):
        if isinstance(recorded, Unknown):
            return refuse("same_filesystem", f"what was recorded is not known: {recorded.why}")
        before = recorded.get(key_of(brick))
        if before is None:
            return refuse("same_filesystem", f"{brick.name} was never recorded while it was well")
        if isinstance(facts.filesystem, Unknown):
            return refuse("same_filesystem", f"{brick.name}: {facts.filesystem.why}")
        if facts.filesystem != before.filesystem:
            why = f"lies on file system {facts.filesystem}, it was {before.filesystem}"
            return refuse("same_filesystem", f"{brick.name} {why}")
    return None


def volume_id_right(context: GuardContext) -> Refusal | None:
    """They carry this volume's id."""
    wanted = context.target.volume_id
    return _each(
        context, "volume_id_right", lambda f: f.volume_id, wanted, "has another volume's id"
    )


def gluster_root_there(context: GuardContext) -> Refusal | None:
    """Gluster's own root directory is in them: an empty one would look healthy and hold nothing."""
    return _each(context, "gluster_root_there", lambda f: f.gluster_root, True, "lacks .glusterfs")


def no_io_errors(context: GuardContext) -> Refusal | None:
    """The kernel has reported no I/O error of their disks since boot."""
    return _each(context, "no_io_errors", lambda f: f.io_errors, 0, "its disk has given I/O errors")


def health_check_quiet(context: GuardContext) -> Refusal | None:
    """Gluster's own health check did not end them."""
    wrong = "gluster's own health check ended it"
    return _each(context, "health_check_quiet", lambda f: f.health_check_ended, False, wrong)


def _reported(context: GuardContext) -> Iterator[tuple[Brick, BrickFacts]]:
    for brick, facts in context.down_bricks:
        if not isinstance(facts, Unknown):
            yield brick, facts


def _each(
    context: GuardContext,
    name: str,
    read: Callable[[BrickFacts], object],
    wanted: object,
    wrong: str,
) -> Refusal | None:
    for brick, facts in _reported(context):
        value = read(facts)
        if isinstance(value, Unknown):
            return refuse(name, f"{brick.name}: not known: {value.why}")
        if value != wanted:
            return refuse(
                name,
                f"{brick.name}: {wrong}",
                f"look   salt-run gluster.explain node={node_of(context)}",
            )
    return None


# --- patience and budget -------------------------------------------------------------------------


def nothing_in_flight(context: GuardContext) -> Refusal | None:
    """No other operation is between intent and outcome, is frozen, or failed a moment ago."""
    operations = context.obs.operations
    if isinstance(operations, Unknown):
        return refuse("nothing_in_flight", f"the operations cannot be read: {operations.why}")
    for op in operations.values():
        if op.id == context.operation:
            continue
        if op.state in UNDER_WAY:
            return refuse("nothing_in_flight", f"{op.id} on {op.brick} is under way")
        if op.state is Life.FROZEN:
            way = f"look, then   {ACKNOWLEDGE} {op.id}"
            return refuse("nothing_in_flight", f"{op.id} is frozen: {op.why}", way)
        left_s = op.changed + context.policy.settle_s - context.obs.now
        if op.state is Life.FAILED and left_s > 0:
            return refuse("nothing_in_flight", f"{op.id} failed a moment ago", waits_s=left_s)
    return None


def budget_left(context: GuardContext) -> Refusal | None:
    """The node's restarts of this day are not used up."""
    spent = context.attempts()
    if isinstance(spent, Unknown):
        return refuse("budget_left", f"the operations cannot be read: {spent.why}")
    if len(spent) < context.policy.restart_budget:
        return None
    return refuse(
        "budget_left",
        f"bricks of {node_of(context)} were started {len(spent)} times within a day",
        f"look, then   {ACKNOWLEDGE} {node_of(context)}",
    )


def cooldown_over(context: GuardContext) -> Refusal | None:
    """The node's last restart is long enough ago, or an operator has acknowledged it since."""
    spent = context.attempts()
    for op in () if isinstance(spent, Unknown) else spent:  # budget_left speaks
        left_s = (op.applied_at or op.changed) + context.policy.restart_cooldown_s - context.obs.now
        if left_s > 0:
            return refuse("cooldown_over", f"{op.brick} was started a moment ago", waits_s=left_s)
    return None


def waited(context: GuardContext) -> Refusal | None:
    """It has been down for as long as this attempt waits; longer with every attempt."""
    spent = context.attempts()
    if isinstance(spent, Unknown):
        return None  # budget_left speaks
    after = context.policy.restart_after_s
    wanted_s = after[min(len(spent), len(after) - 1)]
    left_s = context.target.down_since + wanted_s - context.obs.now
    if left_s <= 0:
        return None
    return refuse("waited", f"it may come back by itself for {left_s:.0f} s more", waits_s=left_s)


def not_refused_lately(context: GuardContext) -> Refusal | None:
    """The executor has not just refused this very target."""
    operations = context.obs.operations
    for op in () if isinstance(operations, Unknown) else operations.values():
        left_s = op.changed + context.policy.refused_pause_s - context.obs.now
        if op.state is Life.REFUSED and op.brick == context.target.brick and left_s > 0:
            return refuse("not_refused_lately", f"its node refused: {op.why}", waits_s=left_s)
    return None


def same_twice(context: GuardContext) -> Refusal | None:
    """The same was decided before, from another look long enough ago."""
    since = context.decided_since
    if since is None or context.obs.now - since < context.policy.decide_twice_s:
        left_s = context.policy.decide_twice_s - (context.obs.now - (since or context.obs.now))
        return refuse("same_twice", "it is decided twice, from two looks", waits_s=left_s)
    return None
