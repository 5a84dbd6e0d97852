"""What a pool answers, as plain data for ``salt …``: peers, volumes, options, heal counts.

Reads only. What gluster did not say is ``{'unknown': why}``; what it refused raises a
``GlusterError``. Waiting for a heal is a read too. No Salt and no rule of a change lives here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatch
from typing import Any, TypeVar

from salt_gluster import node
from salt_gluster.errors import CommandFailed, GlusterError, NotFound, SpecError, Unreadable
from salt_gluster.gluster.parse.answer import Answer
from salt_gluster.gluster.parse.heal import parse_heal_entries, parse_heal_summary
from salt_gluster.gluster.parse.option import parse_volume_get
from salt_gluster.gluster.parse.peer import parse_pool_list
from salt_gluster.gluster.parse.profile import parse_profile
from salt_gluster.gluster.parse.task import parse_task_progress
from salt_gluster.gluster.parse.volume import (
    parse_volume_clients,
    parse_volume_detail,
    parse_volume_info,
    parse_volume_status,
)
from salt_gluster.minion.context import Minion
from salt_gluster.model.formatting import plain
from salt_gluster.model.pool import Brick, Heal, Peer, Unknown, Volume, is_known
from salt_gluster.plan.actions import shape
from salt_gluster.spec import option as spec_option
from salt_gluster.spec import option_text

T = TypeVar("T")
Data = dict[str, Any]

#: Looks in a row that must show nothing to heal: a disperse volume shows 0 in its first seconds
#: (gluster.md 0.2).
ZEROS = 3
_LOOK_EVERY_S = 1.0


def _ask(minion: Minion, command: str, parse: Callable[[Answer], T], **arguments: Any) -> T:
    try:
        return parse(minion.reader.gluster.ask(command, **arguments))
    except NotFound as problem:
        if problem.kind != "not_found" or "volume" not in arguments:
            raise
        name = arguments["volume"]
        hint = "See gluster_volume.list."
        raise NotFound(f"there is no volume {name}", kind=problem.kind, hint=hint) from problem


# --- the pool ------------------------------------------------------------------------------------


def peers(minion: Minion) -> list[Data]:
    """Return the members as this node's glusterd sees them; its own row has the minion's name."""
    rows = _ask(minion, "pool_list", parse_pool_list)
    return [
        {**plain(p), "name": _name(p, minion), "usable": p.usable}
        for p in sorted(rows, key=lambda p: _name(p, minion))
    ]


def peer_names(minion: Minion) -> list[str]:
    """Return the members' names, this node's own among them."""
    return [row["name"] for row in peers(minion)]


def own_uuid(minion: Minion) -> str | Data | None:
    """Return this node's uuid from its own files, None before it has one."""
    uuid: str | Data | None = plain(node.observe_node(minion.name).uuid)
    return uuid


def _name(peer: Peer, minion: Minion) -> str:
    if not peer.is_self:
        return peer.name
    return minion.pool.address(minion.name) if minion.pool else minion.name


# --- volumes -------------------------------------------------------------------------------------


def _volume(minion: Minion, name: str) -> Volume:
    found = _ask(minion, "volume_info_one", parse_volume_info, volume=name).get(name)
    if found is None:
        raise NotFound(f"there is no volume {name}", hint="See gluster_volume.list.")
    return found


def volume_names(minion: Minion) -> list[str]:
    """Return the names of all volumes."""
    return sorted(_ask(minion, "volume_info", parse_volume_info))


def volumes(minion: Minion, name: str | None = None) -> Data:
    """Return the definition of one volume, or name -> definition of all."""
    if name is not None:
        return _definition(_volume(minion, name))
    return {n: _definition(v) for n, v in _ask(minion, "volume_info", parse_volume_info).items()}


def _definition(volume: Volume) -> Data:
    return {
        **{key: getattr(volume, key) for key in ("name", "id", "status", "kind", "transport")},
        "shape": shape(volume),
        "sets": [[b.name for b in s.bricks] for s in volume.sets],
        "bricks": [{**plain(b), "name": b.name} for b in volume.bricks],
        **{key: getattr(volume, key) for key in ("replica", "arbiter", "disperse", "redundancy")},
        "options": dict(volume.options),
        "is_broken": volume.is_broken,
    }


def volume_status(minion: Minion, name: str) -> Data:
    """Return the rows of every brick, the daemons and tasks. A brick without a row is unknown."""
    volume = _volume(minion, name)
    rows = _ask(minion, "volume_status", lambda a: parse_volume_status(a, name), volume=name)
    at = {(r.host_uuid, r.path): {**plain(r), "up": r.up} for r in rows.bricks}
    why = "gluster has no row of it: its node is down or cut off"
    daemons = [
        {**plain(d), "host": minion.name if d.host == "localhost" else d.host} for d in rows.daemons
    ]
    bricks = {b.name: at.get((b.host_uuid, b.path), {"unknown": why}) for b in volume.bricks}
    return {"name": name, "bricks": bricks, "daemons": daemons, "tasks": plain(rows.tasks)}


def volume_space(minion: Minion, name: str) -> Data:
    """Return brick -> bytes and inodes, total and free."""
    volume = _volume(minion, name)
    rows = _ask(minion, "volume_status_detail", parse_volume_detail, volume=name)
    told = {row.brick: plain(row) for row in rows}
    return _of_each(volume.bricks, told, "gluster measured no space of it: it is down or cut off")


def volume_clients(minion: Minion, name: str) -> Data:
    """Return brick -> its clients; gluster's own daemons are clients too."""
    volume = _volume(minion, name)
    told: dict[str, list[Data]] = {}
    for client in _ask(minion, "volume_status_clients", parse_volume_clients, volume=name):
        told.setdefault(client.brick, []).append(plain(client))
    return _of_each(volume.bricks, told, "gluster listed no clients of it")


def volume_profile(minion: Minion, name: str) -> Data:
    """Return brick -> what it counted since profiling was started, the most frequent first."""
    volume = _volume(minion, name)
    told = {}
    for row in _ask(minion, "profile_info", parse_profile, volume=name):
        operations = sorted(row.operations, key=lambda o: -o.hits)
        told[row.brick] = {**plain(row), "operations": plain(operations)}
    return _of_each(volume.bricks, told, "this brick sent no counts")


def rebalance_status(minion: Minion, name: str) -> Data:
    """Return the rebalance of a volume: each node's progress, their sum, whether it is completed.

    A node that is unreachable has no row.
    """
    found = _ask(minion, "rebalance_status", parse_task_progress, volume=name)
    return {**plain(found), "completed": found.is_completed}


def _of_each(bricks: tuple[Brick, ...], told: Mapping[str, Any], why: str) -> Data:
    return {b.name: told.get(b.name, {"unknown": why}) for b in bricks}


# --- options -------------------------------------------------------------------------------------


def options_set(minion: Minion, name: str) -> dict[str, str]:
    """Return the options that are set on a volume; all others have their default."""
    return dict(_volume(minion, name).options)


def option_value(minion: Minion, name: str, option: str) -> Data:
    """Return the effective value of one option and whether it is the default."""
    full = spec_option.full_name(option, "option")
    found = _ask(minion, "volume_get", parse_volume_get, volume=name, option=full)
    if full not in found:
        raise Unreadable(f"gluster's answer does not name {full}", hint="See gluster volume get.")
    return {"option": full, **plain(found[full])}


def option_check(option: str, value: Any) -> Data:
    """Return whether gluster would take a value, what it means and what the change can do.

    ``hazard`` is that of setting it on a volume that holds data and has the default.
    """
    try:
        full = spec_option.full_name(option, "option")
        text = option_text(value, full)
        sent = spec_option.check(full, text, full)
    except SpecError as problem:
        return {"valid": False, "option": option, "value": value, "why": str(problem)}
    hazard, why = spec_option.hazard(full, None, sent, holds_data=True)
    meaning = spec_option.normalise(full, sent)
    told = {"valid": True, "option": full, "value": sent, "means": meaning}
    return {**told, "hazard": hazard.value, "hazard_why": why}


def option_catalogue(pattern: str) -> dict[str, Data]:
    """Return the options whose full name or part of it matches: type, default, limits, scope."""
    wanted = pattern if set(pattern) & set("*?[") else f"*{pattern}*"
    return {
        name: {**plain(option), "scope": option.scope}
        for name, option in spec_option.catalogue().items()
        if fnmatch(name, wanted)
    }


# --- healing -------------------------------------------------------------------------------------


def heal_entries(minion: Minion, name: str, command: str = "heal_info") -> Data:
    """Return brick -> entries to heal (path, gfid); ``heal_split_brain`` for those in conflict."""
    rows = _ask(minion, command, parse_heal_entries, volume=name)
    return {row.brick: plain(row.entries) for row in rows}


def heal_summary(minion: Minion, name: str) -> Data:
    """Return brick -> counts. ``pending`` has split-brain in it, so that only 0 means none."""
    rows = _ask(minion, "heal_summary", parse_heal_summary, volume=name)
    keys = ("pending", "split_brain", "healing")
    return {row.brick: {key: plain(getattr(row, key)) for key in keys} for row in rows}


def wait_healed(minion: Minion, name: str, timeout_s: float) -> Data:
    """Wait until no brick has an entry to heal, three looks in a row; return how long it took.

    A brick that does not answer is waited for. Raises ``GlusterError`` when the time is up.
    """
    if isinstance(timeout_s, bool) or not isinstance(timeout_s, (int, float)):
        raise SpecError("timeout", f"expected seconds, not {timeout_s!r}", hint="timeout=600")
    site = minion.site()
    began, zeros = site.now(), 0
    rows: tuple[Heal, ...] | Unknown = _ask(minion, "heal_summary", parse_heal_summary, volume=name)
    while True:
        zeros = zeros + 1 if is_known(rows) and not _left(rows) else 0
        took = site.now() - began
        if zeros == ZEROS:
            return {"healed": True, "seconds": round(took, 1)}
        if took >= timeout_s:
            raise _unhealed(name, rows, took)
        site.sleep(_LOOK_EVERY_S)
        rows = minion.reader.heal(name)


def _left(rows: tuple[Heal, ...]) -> dict[str, str]:
    """Return brick -> what is left on it, in words."""
    left = {}
    for row in rows:
        pending, split = row.pending, row.split_brain
        if isinstance(pending, Unknown):
            left[row.brick] = f"unknown ({pending.why})"
        elif pending:
            in_conflict = is_known(split) and split > 0
            left[row.brick] = f"{pending}" + (f", {split} in split-brain" if in_conflict else "")
    return left


def _unhealed(name: str, rows: tuple[Heal, ...] | Unknown, took_s: float) -> GlusterError:
    if isinstance(rows, Unknown):
        told = rows.why
    else:
        told = "; ".join(f"{brick} {what}" for brick, what in _left(rows).items())
    return CommandFailed(
        f"{name} is not healed after {took_s:.0f} s: {told or 'it was clean only just now'}.",
        kind="not_healed",
        hint="What is in split-brain never heals by itself: see gluster_heal.split_brain. A brick "
        "that is down: see gluster_volume.status.",
    )
