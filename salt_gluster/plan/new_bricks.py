"""The guard of new bricks: every directory fits, by the word of its own node, where it lies."""

from __future__ import annotations

from collections.abc import Collection

from salt_gluster.model import Observation, Refusal, Step, brick_at, is_known
from salt_gluster.plan.fitness import (
    Reason,
    marked_lately_s,
    new_bricks,
    reasons,
    told_of,
    unfit_refusal,
)
from salt_gluster.plan.force import against_force, against_places


def paths_fit(obs: Observation, step: Step, nodes: Collection[str]) -> Refusal | None:
    """The new bricks' paths are plain, and no node says that its own directory does not fit."""
    accepted = set(step.args.get("accept_risk", ()))
    found: list[Reason] = []
    waits_s: float = 0
    for brick, is_own in new_bricks(obs, step):
        path = brick_at(brick)[1]
        if not _is_plain(path):
            why = f"{path} is not an absolute, normal path without blanks and colons"
            found.append(Reason(why))
        if is_own:
            directory = obs.paths.get(path)
            if directory is None:
                found.append(Reason(f"what is at {path} is not known"))
                continue
            found += reasons(directory, accepted)
            waits_s = max(waits_s, marked_lately_s(directory, obs.now))
        elif is_known(told := told_of(obs, step.subject, brick)) and told.unfit:
            refusal = unfit_refusal(brick, told)
            found.append(Reason(refusal.why, refusal.ways))
            waits_s = max(waits_s, refusal.waits_s)
    found += (*against_places(obs, step), *against_force(obs, step))
    if not found:
        return None
    ways = dict.fromkeys(way for reason in found for way in reason.ways)
    why = "; ".join(reason.why for reason in found) + "."
    return Refusal(
        "paths_fit", why, tuple(ways), waits_s, final=any(reason.final for reason in found)
    )


def _is_plain(path: str) -> bool:
    """Gluster cuts at a blank and keeps ``..`` (facts.md#G-0.15)."""
    odd = any(c.isspace() or c == ":" for c in path)
    return path.startswith("/") and not odd and not {"", ".", ".."} & set(path.split("/")[1:])
