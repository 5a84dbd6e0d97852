"""Judge whether directories can be bricks: this node's by what is there, the others' by their word.

A node speaks for its own directories only. Where it has not spoken, or too long ago, what is there
is *not known*: gluster takes a directory with files in it without a word (facts.md#C-J.1), and a
create that fails marks the bricks of all other nodes (facts.md#C-C.2).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from salt_gluster.model import (
    AnnouncedBrick,
    BrickPath,
    Observation,
    Prepared,
    Refusal,
    Step,
    Unknown,
    brick_at,
    is_known,
)

#: An announcement counts for so long, by the clock of the node that reads it.
READY_S = 300
#: From the id on the bricks to the volume in ``volume info`` a create takes 0.1-0.5 s
#: (facts.md#C-C.1).
CREATING_S = 10
#: How long it is worth waiting for a node that says that its brick does not fit: it may be mending
#: that in this very run.
UNFIT_S = 10

_ANOTHER = "use another path  what is in this one may be the only copy"


@dataclass(frozen=True)
class Reason:
    """Why a directory cannot be a brick, and what can be done about it.

    Most are ``final``: gluster refuses such a brick too (facts.md#C-J.1), or files are lost. An
    operator may accept only what gluster takes: a directory with files in it.
    """

    why: str
    ways: tuple[str, ...] = ()
    final: bool = True


def reasons(path: BrickPath, accepted: Collection[str]) -> tuple[Reason, ...]:
    """Return everything that speaks against this node's directory; ``accepted`` are risks."""
    found: list[Reason] = []
    if path.filesystem == "/" and "root_disk" not in accepted:
        parent = path.path.rsplit("/", 2)[0]
        ways = (f"mount a disk   at {parent}", "do it anyway   accept_risk: [root_disk]")
        found.append(Reason(f"{path.path} is on the root file system", ways))
    if path.unmounted:
        found.append(Reason(unmounted_why(path), (f"mount it       mount {path.unmounted}",)))
    if path.is_mount_point:
        why = f"{path.path} is a mount point itself; use a directory below it"
        found.append(Reason(why))
    if path.foreign:
        why = f"{path.path} holds {', '.join(path.foreign[:3])}"
        found.append(Reason(why, (_ANOTHER,), final=_is_no_place(path)))
    if path.volume_id and not is_our_mark(path):
        why = f"{path.path} was a brick of volume {path.volume_id}"
        found.append(Reason(why, leftover_ways(path)))
    return tuple(found)


def leftover_ways(path: BrickPath) -> tuple[str, ...]:
    """Return what can be done about the mark of a volume that is not in the pool.

    A create that failed, and a volume that was deleted before its first start, leave the id and an
    empty ``.glusterfs`` (facts.md#C-J.2): ``rmdir`` is the proof that there is no file in it.
    """
    if path.foreign or path.holds_data:
        return (_ANOTHER,)
    by_hand = f"rmdir {path.path}/.glusterfs && setfattr -x trusted.glusterfs.volume-id {path.path}"
    clean = f"clean it       salt MINION gluster_brick.prepare {path.path}"
    return (clean, f"by hand        {by_hand}")


def _is_no_place(path: BrickPath) -> bool:
    """Return whether more speaks against it than files: a network mount, a part of a volume."""
    return any(" " in entry or entry == ".glusterfs" for entry in path.foreign)


def is_our_mark(path: BrickPath) -> bool:
    """Return whether a create of ours that failed, or is under way, has marked the directory.

    That is nothing against it: it is waited for until this node has taken the mark off.
    """
    is_empty = not path.foreign and not path.holds_data
    return path.volume_id is not None and path.is_announced and is_empty


def unmounted_why(path: BrickPath) -> str:
    """Return why a brick is not made below a mount point that is not mounted."""
    return (
        f"{path.path} lies below {path.unmounted}, which fstab names and which is not mounted: the "
        "brick would lie on the disk below it, and vanish when it is mounted"
    )


def marked_lately_s(path: BrickPath, now: float) -> float:
    """Return how long to wait for a volume to show up whose id was put here a moment ago.

    Another node may be inside the very create that this node planned too.
    """
    if path.volume_id is None or not is_known(path.changed):
        return 0
    return CREATING_S if now - path.changed < CREATING_S else 0


# --- the other nodes' -----------------------------------------------------------------------------


def told_of(obs: Observation, volume: str, brick: str) -> AnnouncedBrick | Unknown:
    """Return what the host of ``HOST:PATH`` says of it now, or why that is not known."""
    host, path = brick_at(brick)
    prepared = obs.prepared
    if isinstance(prepared, Unknown):
        return prepared
    if isinstance(prepared.hosts, Unknown):
        return prepared.hosts
    announcement = prepared.hosts.get(host.lower())
    if announcement is None:
        return Unknown(f"has not prepared {path} yet")
    if isinstance(announcement, Unknown):
        return announcement
    said = [b for b in announcement.bricks if b.path == path and b.volume in ("", volume)]
    if not said:
        return Unknown(f"has not prepared {path} yet")
    told = next((b for b in said if b.unfit), said[0])
    last = f"; the last that it said: {told.unfit}" if told.unfit else ""
    if not is_known(announcement.later_than):
        return Unknown(f"has not said since this node first asked that {path} is ready{last}")
    failed = [at for name, at in prepared.failed.items() if name in ("", volume)]
    if announcement.later_than < max(failed, default=announcement.later_than):
        return Unknown(f"has not said that {path} is ready since gluster refused {volume}{last}")
    if abs(obs.now - announcement.later_than) > READY_S:  # in the future: the clock was set back
        return Unknown(f"has not said lately that {path} is ready{last}")
    return told


def silence_of(obs: Observation, host: str) -> str:
    """Return why nothing is known of a host's directories, where it has never said anything."""
    hosts = obs.prepared.hosts if is_known(obs.prepared) else None
    if hosts is None or isinstance(hosts, Unknown) or hosts.get(host.lower()) is not None:
        return ""
    return "nothing was heard of its bricks: the state has not run there"


def is_masterless(obs: Observation) -> bool:
    """Return whether no node can tell another what its directories are like."""
    return isinstance(obs.prepared, Prepared) and isinstance(obs.prepared.hosts, Unknown)


def unfit_refusal(brick: str, told: AnnouncedBrick) -> Refusal:
    """Return the refusal for a brick whose own node says that it does not fit."""
    host = brick_at(brick)[0]
    way = f"mend it there  then apply the state of {host} again"
    return Refusal("paths_fit", f"{host} says: {told.unfit}", (way,), UNFIT_S, final=True)


# --- a step's bricks ------------------------------------------------------------------------------


def not_known(obs: Observation, step: Step) -> str:
    """Return which of the new bricks' directories are not known, in words; "" = all are."""
    blind = [
        brick
        for brick, is_own in new_bricks(obs, step)
        if not is_own and not is_known(told_of(obs, step.subject, brick))
    ]
    more = f" and {len(blind) - 3} more" if len(blind) > 3 else ""
    return f"{', '.join(blind[:3])}{more}" if blind else ""


def new_bricks(obs: Observation, step: Step) -> list[tuple[str, bool]]:
    """Return each new brick and whether it is this node's."""
    bricks = [str(b) for b in step.args.get("bricks", ())]
    return [(b, (p := obs.peer_named(brick_at(b)[0])) is not None and p.is_self)
            for b in bricks]  # fmt: skip
