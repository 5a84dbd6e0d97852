"""Read volumes, and create, start, stop, grow or delete one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from salt_gluster import plan
from salt_gluster.errors import SpecError
from salt_gluster.gluster.parse.profile import parse_profile
from salt_gluster.gluster.parse.task import parse_task_progress
from salt_gluster.gluster.parse.volume import (
    parse_volume_clients,
    parse_volume_detail,
    parse_volume_info,
    parse_volume_status,
)
from salt_gluster.minion import converge
from salt_gluster.minion.adhoc import run_on_volume
from salt_gluster.minion.context import Minion
from salt_gluster.minion.query import Data, ask, volume_of
from salt_gluster.model import Brick, Observation, Plan, Volume, plain
from salt_gluster.plan import adhoc
from salt_gluster.plan.actions import shape
from salt_gluster.spec import parse_volume


def volume_names(minion: Minion) -> list[str]:
    """Return the names of all volumes."""
    return sorted(ask(minion, "volume_info", parse_volume_info))


def volumes(minion: Minion, name: str | None = None) -> Data:
    """Return the definition of one volume, or name -> definition of all."""
    if name is not None:
        return _definition(volume_of(minion, name))
    return {n: _definition(v) for n, v in ask(minion, "volume_info", parse_volume_info).items()}


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
    volume = volume_of(minion, name)
    rows = ask(minion, "volume_status", lambda a: parse_volume_status(a, name), volume=name)
    at = {(r.host_uuid, r.path): {**plain(r), "up": r.up} for r in rows.bricks}
    why = "gluster has no row of it: its node is down or cut off"
    daemons = [
        {**plain(d), "host": minion.name if d.host == "localhost" else d.host} for d in rows.daemons
    ]
    bricks = {b.name: at.get((b.host_uuid, b.path), {"unknown": why}) for b in volume.bricks}
    return {"name": name, "bricks": bricks, "daemons": daemons, "tasks": plain(rows.tasks)}


def volume_space(minion: Minion, name: str) -> Data:
    """Return brick -> bytes and inodes, total and free."""
    volume = volume_of(minion, name)
    rows = ask(minion, "volume_status_detail", parse_volume_detail, volume=name)
    space = {row.brick: plain(row) for row in rows}
    return _of_each(volume.bricks, space, "gluster measured no space of it: it is down or cut off")


def volume_clients(minion: Minion, name: str) -> Data:
    """Return brick -> its clients; gluster's own daemons are clients too."""
    volume = volume_of(minion, name)
    clients: dict[str, list[Data]] = {}
    for client in ask(minion, "volume_status_clients", parse_volume_clients, volume=name):
        clients.setdefault(client.brick, []).append(plain(client))
    return _of_each(volume.bricks, clients, "gluster listed no clients of it")


def volume_profile(minion: Minion, name: str) -> Data:
    """Return brick -> what it counted since profiling was started, the most frequent first."""
    volume = volume_of(minion, name)
    counts = {}
    for row in ask(minion, "profile_info", parse_profile, volume=name):
        operations = sorted(row.operations, key=lambda o: -o.hits)
        counts[row.brick] = {**plain(row), "operations": plain(operations)}
    return _of_each(volume.bricks, counts, "this brick sent no counts")


def rebalance_status(minion: Minion, name: str) -> Data:
    """Return the rebalance of a volume: each node's progress, their sum, whether it is completed.

    A node that is unreachable has no row.
    """
    progress = ask(minion, "rebalance_status", parse_task_progress, volume=name)
    return {**plain(progress), "completed": progress.is_completed}


def _of_each(bricks: tuple[Brick, ...], by_brick: Mapping[str, Any], why: str) -> Data:
    return {b.name: by_brick.get(b.name, {"unknown": why}) for b in bricks}


def create(
    minion: Minion, name: str, arguments: Mapping[str, Any], *, start: bool
) -> dict[str, Any]:
    """Create a volume of these arguments, or the pillar's of that name without any."""
    if arguments.get("mount") is not None:
        hint = f"salt MINION state.single gluster_volume.mounted /mnt/{name} volume={name}"
        raise SpecError("mount", "to create a volume mounts it nowhere.", hint=hint)
    minion.check_given(name, arguments)
    declared = minion.volume(name, arguments)
    spec = replace(declared, started=True if start else None)
    planner = converge.volume_planner(spec, minion.pool_of(spec), minion.hosts)
    return run_on_volume(minion, name, lambda obs: adhoc.only_create(planner(obs), obs))


def start(minion: Minion, name: str) -> dict[str, Any]:
    """Start a volume and read back that its bricks serve."""
    return run_on_volume(minion, name, lambda obs: plan.plan_started(name, obs, started=True))


def stop(minion: Minion, name: str, confirm: str) -> dict[str, Any]:
    """Stop a volume; ``confirm`` is its id."""
    planner = lambda obs: plan.plan_started(name, obs, started=False, confirm=confirm)  # noqa: E731
    return run_on_volume(minion, name, planner)


def delete(minion: Minion, name: str, confirm: str) -> dict[str, Any]:
    """Stop and delete a volume; ``confirm`` is its id. The files stay on the bricks."""
    planner = lambda obs: plan.plan_volume_absent(name, obs, confirm=confirm)  # noqa: E731
    return run_on_volume(minion, name, planner)


def add_bricks(
    minion: Minion,
    name: str,
    bricks: Any,
    *,
    replica: int | None = None,
    arbiter: bool = False,
    accept_risk: Any = (),
) -> dict[str, Any]:
    """Add sets to a volume, or with a higher ``replica`` a member to each of its sets."""
    body = {"bricks": bricks, "accept_risk": accept_risk or []}
    new = parse_volume(name, body, key=f"volume {name}")
    if not new.bricks:
        raise SpecError("bricks", "no brick is named.", hint="bricks=[g4:/srv/gluster/data/1, …]")
    if replica is not None and (isinstance(replica, bool) or not isinstance(replica, int)):
        raise SpecError("replica", f"expected a number of copies, not {replica!r}")
    names = [f"{b.node}:{b.path}" for b in new.bricks]

    def planner(obs: Observation) -> Plan:
        return adhoc.plan_add_bricks(
            name, names, obs, replica=replica, arbiter=arbiter, accept_risk=new.accept_risk
        )

    return run_on_volume(minion, name, planner)


def profile(minion: Minion, name: str, *, on: bool) -> dict[str, Any]:
    """Start or stop counting the file operations of a volume."""
    return run_on_volume(minion, name, lambda obs: adhoc.plan_profile(name, obs, on=on))
