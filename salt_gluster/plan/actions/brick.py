"""Prepare a brick's directory, add bricks to a volume, start a brick's process again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from salt_gluster.model import BrickPath, BrickStatus, Observation, brick_at, is_known, known
from salt_gluster.plan.actions.definition import (
    bricks_named,
    has_bricks,
    seen_in_volume,
    with_volume,
)
from salt_gluster.plan.actions.row import ON_VOLUME, Action, Args, pass_on


def _prepare(obs: Observation, subject: str, args: Args) -> Observation:
    path = replace(
        obs.paths.get(subject) or BrickPath(subject, False, False, "/"),
        exists=True,
        parent_exists=True,
        volume_id=None,
        **({"filesystem": args["mount"]} if args.get("mount") else {}),
    )
    return replace(obs, paths={**obs.paths, subject: path})


def _restart(obs: Observation, subject: str, args: Args) -> Observation:
    status = obs.status.get(subject)
    if status is None or not is_known(status):
        return obs
    host, path = brick_at(args["brick"])
    row = BrickStatus(host, path, args["node"], True, 1, 1)
    others = tuple(r for r in status.bricks if (r.host_uuid, r.path) != (args["node"], path))
    return replace(
        obs, status={**obs.status, subject: replace(status, bricks=(*others, row))}
    )  # fmt: skip


def _add_bricks(obs: Observation, subject: str, args: Args) -> Observation:
    volume = known(obs.volumes)[subject]
    replica = args.get("replica") or volume.replica
    arbiter = args.get("arbiter") or volume.arbiter
    if replica == volume.replica:
        new = bricks_named(obs, args["bricks"], volume.set_size if arbiter else 0)
        bricks = (*volume.bricks, *new)
    else:  # one new member for every set, behind those it has
        per_set = replica - volume.replica
        new = bricks_named(obs, args["bricks"], per_set if arbiter and not volume.arbiter else 0)
        bricks = ()
        for at, old in enumerate(volume.sets):
            bricks = (*bricks, *old.bricks, *new[at * per_set : (at + 1) * per_set])
    kind = "replicate" if replica > 1 else volume.kind
    count = len(bricks) // (volume.disperse or replica)
    grown = replace(
        volume, bricks=bricks, replica=replica, arbiter=arbiter, kind=kind, dist_count=count
    )
    return with_volume(obs, grown)


def _serves(obs: Observation, subject: str, args: Args) -> bool:
    """One brick has a row that is up; without rows nothing is known, so it is not done."""
    status = obs.status.get(subject)
    if status is None or not is_known(status):
        return False
    wanted = (args["node"], args["path"])
    return any((row.host_uuid, row.path) == wanted and row.up and row.pid for row in status.bricks)


def _is_prepared(obs: Observation, subject: str, _: Args) -> bool:
    """A directory is there, without an id or a brick of that volume: another node was faster."""
    path = obs.paths.get(subject)
    return path is not None and path.exists and not _is_left_over(obs, subject, path)


def _is_left_over(obs: Observation, subject: str, path: BrickPath) -> bool:
    """Whether it has the id of a volume that has no brick here, or that cannot be seen.

    A failed add-brick leaves the id of a volume that is there (facts.md#C-J.2).
    """
    if path.volume_id is None:
        return False
    volumes = obs.volumes if is_known(obs.volumes) else {}
    bricks = [b for v in volumes.values() if v.id == path.volume_id for b in v.bricks]
    here = (subject, path.path)
    return not any(b.path in here and b.host_uuid == obs.node.uuid for b in bricks)


def _seen_brick(
    before: Observation, after: Observation, subject: str, args: Args
) -> dict[str, Any]:
    old, new = ("up" if _serves(o, subject, args) else "down" for o in (before, after))
    return {args["brick"]: {"old": old, "new": new}} if old != new else {}


def _seen_path(before: Observation, after: Observation, subject: str, _: Args) -> dict[str, Any]:
    old, new = (_presence(o, subject) for o in (before, after))
    return {subject: {"old": old, "new": new}} if old != new else {}


def _presence(obs: Observation, path: str) -> str | None:
    directory = obs.paths.get(path)
    if directory is None or not directory.exists:
        return None
    return "left over from a failed create" if _is_left_over(obs, path, directory) else "ready"


ROWS = (
    Action(
        "brick_prepare", ("not_held",),
        "", dict, _prepare, _is_prepared, _seen_path,
        "an existing directory is left as it is",
    ),
    Action(
        "bricks_add", (*ON_VOLUME, "paths_fit"),
        "volume_add_brick", pass_on("bricks", "replica", "arbiter", "force"),
        _add_bricks, has_bricks,
        seen_in_volume("type", "bricks"),
        "'not available': compare with the brick list",
    ),
    # Starts every brick of the volume that is down (facts.md#G-0.10): the guards judged them all.
    Action(
        "brick_restart", ON_VOLUME,
        "volume_start", lambda _: {"force": True}, _restart, _serves, _seen_brick,
        "a brick that serves is left as it is",
    ),
)  # fmt: skip
