"""The status of a pool, and what a loss would do to it, from the reports of its nodes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from salt_gluster.errors import SpecError
from salt_gluster.model import BrickStatus, Clock, Observation, is_known, known
from salt_gluster.status import config_versions, declared, impact, report
from salt_gluster.status.impact import VolumeHealth
from salt_gluster.status.summary import status_data


def pool_status(
    reports: Iterable[Mapping[str, Any]], *, clock: Clock, now: float | None = None,
    age_s: float = 0, verdicts: Mapping[str, tuple[str, str]] | None = None,
    dead: Mapping[tuple[str, str], str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return the status screen's data from the reports of a pool's nodes.

    ``clock`` turns seconds since the epoch into the text shown. Of older reports: ``now``, the age
    of the oldest, and ``verdicts``, uuid -> state and words of nodes that have gone away since, as
    the leader of the automation has it. ``dead`` are the bricks, uuid and path, that it knows to be
    dead, and its words. Of a brick the worse counts: what its node told, or what the leader says.
    Asked just now (no ``now``) a node knows better of its own.
    """
    usable = [r for r in reports if report.usable(r)]
    if not usable:
        raise SpecError(
            "target", "no minion of a Gluster pool answered.",
            hint="Target the nodes, or see: salt '*' gluster.version",
        )  # fmt: skip
    usable = _most_told_first(usable)
    obs = report.observation(usable)
    if now is not None:
        obs = replace(obs, now=now)
    away = {u for u, (state, _) in (verdicts or {}).items() if state in ("down", "gone")}
    if away:  # whoever reported before that still had it as connected
        peers = tuple(
            replace(p, connected=p.connected and p.uuid not in away) for p in known(obs.peers)
        )
        obs = replace(obs, peers=peers)
    later: dict[str, str] = {}
    if dead:
        obs, later = _with_dead(obs, dead, is_asked=now is None)
    more = {"age_s": age_s, "verdicts": verdicts, "clock": clock}
    return {**screen(obs, usable, "", **more), "leader_knows": later}


def _most_told_first(reports: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the reports, those first whose members and volumes most of them tell; else as is.

    The first is believed for them: it must not be one that differs, however young it says it is.
    """
    definitions = {r["uuid"]: report.definitions(r) for r in reports}
    by_uuid = {r["uuid"]: r for r in reports}
    if len(by_uuid) < len(reports):  # one that has no identity yet
        return list(reports)
    order = {uuid: -float(number) for number, uuid in enumerate(by_uuid, 1)}
    return config_versions.most_told_first(by_uuid, definitions, order)


def _with_dead(
    obs: Observation, dead: Mapping[tuple[str, str], str], *, is_asked: bool
) -> tuple[Observation, dict[str, str]]:
    """Return it with these bricks down, and of which of them no node told so: brick -> words.

    Of nodes that answered just now (``is_asked``) their own word stands.
    """
    status, later = dict(obs.status), {}
    for name, volume in known(obs.volumes).items() if is_known(obs.volumes) else ():
        rows = status.get(name)
        if rows is None or not is_known(rows):
            continue
        told = {(row.host_uuid, row.path): row for row in rows.bricks}
        for brick in volume.bricks:
            key = brick.host_uuid, brick.path
            row = told.get(key)
            if key not in dead or (row is not None and (is_asked or not row.online)):
                continue
            lost = BrickStatus(brick.host, brick.path, brick.host_uuid, False, None, None)
            told[key] = lost if row is None else replace(row, online=False)
            later[brick.name] = dead[key]
        status[name] = replace(rows, bricks=tuple(told.values()))
    return replace(obs, status=status), later


def screen(
    obs: Observation, reports: Sequence[Mapping[str, Any]], pool: str, **more: Any
) -> dict[str, Any]:
    """Return the status screen's data of one observation of a pool and the reports it is from."""
    volumes = obs.volumes if is_known(obs.volumes) else {}
    losses = {name: impact.next_loss(obs, name) for name in volumes} if len(volumes) <= 50 else None
    data = status_data(
        obs,
        impact.health(obs),
        space=report.space(obs, reports),
        next_loss=losses,
        version=report.version(reports),
        pool=pool,
        not_made=declared.not_made(reports, volumes) if is_known(obs.volumes) else {},
        **more,
    )
    return {**data, "holds": _holds(reports)}


def _holds(reports: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the holds that nodes tell of themselves: where, by whom, why."""
    rows = sorted((str(r.get("node", "")), r.get("hold")) for r in reports if r.get("hold"))
    return [
        {"where": node, "by": str(hold.get("by", "")), "reason": str(hold.get("reason", ""))}
        for node, hold in rows if isinstance(hold, Mapping) and "unknown" not in hold
    ]  # fmt: skip


def with_leaders_holds(
    holds: Sequence[Mapping[str, Any]], told: Sequence[Mapping[str, Any]], in_consul: Any
) -> list[Mapping[str, Any]]:
    """Add those that stand in Consul: the pool's own, and what the leader knows of other nodes."""
    rows = [*holds]
    if isinstance(in_consul, Mapping) and "unknown" not in in_consul:
        hold = {"by": in_consul.get("by", ""), "reason": in_consul.get("reason", "")}
        rows.insert(0, {"where": "Consul", **hold})
    here = {row["where"] for row in rows} | {"Consul"}
    return [*rows, *(row for row in told if row["where"] not in here)]


def impact_of(
    reports: Iterable[Mapping[str, Any]], nodes: Iterable[str], bricks: Iterable[str]
) -> tuple[VolumeHealth, ...]:
    """Return what the loss of these nodes and bricks would do, from all nodes' reports."""
    obs = report.observation([r for r in reports if report.usable(r)])
    return impact.impact(obs, nodes=tuple(nodes), bricks=tuple(bricks))
