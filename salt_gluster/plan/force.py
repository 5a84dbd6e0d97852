"""Decide when a create may override gluster's own checks, and make those checks ourselves.

``force`` is gluster's only way to a brick on the root file system, and it switches off everything
else that it would have refused (facts.md#C-J.1): bricks of a deleted volume, two copies of a set on
one server. Gluster also wants it where new copies go to servers that hold other sets of the volume
already, and then it adds them while a brick is down, too (facts.md#C-J.6). So it is sent only for
these two, and only after all of that has been looked at: what a directory holds by its own node
(``fitness``), who holds what by the members' uuids, for one member has many names (facts.md#C-J.3),
and that each brick of the volume serves.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from salt_gluster.model import Brick, Observation, Step, Unknown, Volume, brick_at, is_known, known
from salt_gluster.plan.actions import NEW_BRICKS, simulate
from salt_gluster.plan.fitness import Reason, new_bricks, told_of

_FORCE = ("do it anyway   accept_risk: [root_disk]",)


def as_sent(obs: Observation, step: Step) -> Step:
    """Return the step with ``force`` for a new brick on the root file system, or shared servers."""
    if step.action not in NEW_BRICKS:
        return step
    on_root = _accepts_root(step) and any(is_on is True for _, is_on in _on_root(obs, step))
    if not on_root and not _shares_servers(obs, step):
        return step
    return replace(step, args={**step.args, "force": True})


def against_force(obs: Observation, step: Step) -> tuple[Reason, ...]:
    """Return what speaks against bricks on the root file system, and on servers that share sets."""
    seen = _on_root(obs, step)
    on_root = [brick for brick, is_on in seen if is_on is True]
    if on_root and not _accepts_root(step):
        return tuple(Reason(f"{brick} is on the root file system", _FORCE) for brick in on_root)
    if not on_root and not _shares_servers(obs, step):
        return ()
    what = f"{on_root[0]} is on the root file system" if on_root else "new copies share servers"
    blind = [brick for brick, is_on in seen if isinstance(is_on, Unknown)]
    found = [f"what is at {', '.join(blind[:3])} is not known"] if blind else []
    found += [why for why in (_not_serving(obs, step),) if why]
    overridden = f"{what}, so gluster's own checks would be overridden, and"
    return tuple(Reason(f"{overridden} {why}") for why in found)


def _raised(obs: Observation, step: Step) -> Volume | None:
    """Return the volume that a step gives more copies."""
    volumes = obs.volumes if is_known(obs.volumes) else {}
    volume = volumes.get(step.subject) if step.action == "bricks_add" else None
    return volume if volume and (step.args.get("replica") or 0) > volume.replica else None


def _shares_servers(obs: Observation, step: Step) -> bool:
    """Whether new copies lie on members that hold other bricks of the volume (facts.md#C-J.6).

    Gluster compares all bricks, whatever their sets; of distribute volumes none.
    """
    volume = _raised(obs, step)
    if volume is None or volume.kind != "replicate":
        return False
    names = {str(brick) for brick in step.args["bricks"]}
    after = known(simulate(obs, step).volumes)[step.subject]
    new = [b.host_uuid or b.host.lower() for b in after.bricks if b.name in names]
    held = {b.host_uuid or b.host.lower() for b in volume.bricks}
    return len(set(new)) < len(new) or bool(held & set(new))


def _not_serving(obs: Observation, step: Step) -> str:
    """Return which bricks of a volume that gets more copies are not known to serve.

    Gluster marks on each of them that the new one is to be filled; one that is down is not marked.
    """
    volume = _raised(obs, step)
    if volume is None:
        return ""
    status = obs.status.get(volume.name)
    rows = status.bricks if status is not None and is_known(status) else ()
    up = {(row.host_uuid, row.path) for row in rows if row.up}
    down = [b.name for b in volume.bricks if (b.host_uuid, b.path) not in up]
    return f"{', '.join(down[:3])} is not known to serve" if down else ""


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
            here = obs.paths.get(brick_at(brick)[1])
            seen.append(
                (brick, Unknown("not looked at") if here is None else here.filesystem == "/")
            )
        else:
            told = told_of(obs, step.subject, brick)
            seen.append((brick, told if isinstance(told, Unknown) else told.on_root))
    return seen
