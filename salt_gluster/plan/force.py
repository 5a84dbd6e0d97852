"""Decide when a create may override gluster's own checks, and make those checks ourselves.

``force`` is gluster's only way to a brick on the root file system, and it switches off everything
else that it would have refused (facts.md#C-J.1): bricks of a deleted volume, two copies of a set on
one server. So it is sent only where a brick lies there, and only after all of that has been looked
at: what a directory holds by its own node (``fitness``), who holds what by the members' uuids, for
one member has many names (facts.md#C-J.3).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from salt_gluster.model import Brick, Observation, Step, Unknown, is_known, known
from salt_gluster.plan.actions import NEW_BRICKS, simulate
from salt_gluster.plan.fitness import Reason, new_bricks, told_of

_FORCE = ("do it anyway   accept_risk: [root_disk]",)


def as_sent(obs: Observation, step: Step) -> Step:
    """Return the step with ``force`` where a new brick lies on the root file system."""
    if step.action not in NEW_BRICKS or not _accepts_root(step):
        return step
    if not any(on_root is True for _, on_root in _on_root(obs, step)):
        return step
    return replace(step, args={**step.args, "force": True})


def against_force(obs: Observation, step: Step) -> tuple[Reason, ...]:
    """Return what speaks against the bricks that lie on the root file system."""
    seen = _on_root(obs, step)
    on_root = [brick for brick, is_on in seen if is_on is True]
    if not on_root:
        return ()
    if not _accepts_root(step):
        return tuple(Reason(f"{brick} is on the root file system", _FORCE) for brick in on_root)
    blind = [brick for brick, is_on in seen if isinstance(is_on, Unknown)]
    if not blind:
        return ()
    why = (
        f"{on_root[0]} is on the root file system, so gluster's own checks would be overridden, and"
        f" what is at {', '.join(blind[:3])} is not known"
    )
    return (Reason(why),)


def against_places(obs: Observation, step: Step) -> tuple[Reason, ...]:
    """Return what speaks against where the new bricks lie, by the members' uuids."""
    if step.action not in NEW_BRICKS or not is_known(obs.volumes):
        return ()
    if step.action == "bricks_add" and step.subject not in obs.volumes:
        return ()
    after = known(simulate(obs, step).volumes)[step.subject]
    names = {str(brick) for brick in step.args.get("bricks", ())}
    new = [brick for brick in after.bricks if brick.name in names]
    found: list[Reason] = []
    for members in after.sets if after.set_size > 1 else ():
        if any(brick in new for brick in members.bricks):
            found += _together(members.bricks)
    others = [b for v in obs.volumes.values() for b in v.bricks if b.name not in names]
    for at, brick in enumerate(new):
        found += _overlap(brick, (*new[:at], *others))
    return tuple(found)


def _together(bricks: Iterable[Brick]) -> list[Reason]:
    """Return the bricks of one set that lie on one member."""
    first: dict[str, Brick] = {}
    found = []
    for brick in bricks:
        other = first.setdefault(brick.host_uuid or brick.host.lower(), brick)
        if other is not brick:
            why = f"{other.name} and {brick.name} are two members of one set on one node"
            found.append(Reason(why))
    return found


def _overlap(brick: Brick, others: Iterable[Brick]) -> list[Reason]:
    """Return bricks of the same member that are the same directory, or lie in one another."""
    here = brick.path.rstrip("/") + "/"
    for other in others:
        there = other.path.rstrip("/") + "/"
        is_same = (other.host_uuid or other.host.lower()) == (brick.host_uuid or brick.host.lower())
        if is_same and (here.startswith(there) or there.startswith(here)):
            return [Reason(f"{brick.name} and {other.name} are, or lie in, one directory")]
    return []


def _accepts_root(step: Step) -> bool:
    return "root_disk" in step.args.get("accept_risk", ())


def _on_root(obs: Observation, step: Step) -> list[tuple[str, bool | Unknown]]:
    """Return for each new brick whether it lies on the root file system, where that is known."""
    seen: list[tuple[str, bool | Unknown]] = []
    for brick, is_own in new_bricks(obs, step):
        if is_own:
            here = obs.paths.get(brick.split(":", 1)[1])
            seen.append(
                (brick, Unknown("not looked at") if here is None else here.filesystem == "/")
            )
        else:
            told = told_of(obs, step.subject, brick)
            seen.append((brick, told if isinstance(told, Unknown) else told.on_root))
    return seen
