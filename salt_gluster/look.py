"""Looking at a pool: this node's report, one node's status, the plan of a declaration. No changes.

The rooms are joined here for the loader functions; what a report means stands in ``report.py``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from salt_gluster import apply, impact, node, report
from salt_gluster.cluster import subjects
from salt_gluster.errors import GlusterError, SpecError
from salt_gluster.impact import VolumeHealth
from salt_gluster.minion import Minion
from salt_gluster.model import (
    NOT_ASKED,
    BrickStatus,
    Observation,
    Plan,
    Unknown,
    Volume,
    VolumeStatus,
    is_known,
    known,
)
from salt_gluster.observe import Site
from salt_gluster.parse.options import parse_volume_get
from salt_gluster.parse.state import LocalState
from salt_gluster.plan import explain_bricks
from salt_gluster.remediation.observation import NodeFacts
from salt_gluster.screen import impact_data, plan_data, status_data

log = logging.getLogger(__name__)

#: A glusterd that needs longer for a pool list does not count as answering (remediation.md N7).
ANSWERS_S = 20.0
#: With more volumes than this, one node's view leaves the bricks of other nodes unknown.
ASKED_VOLUMES = 20


def own_report(site: Site) -> dict[str, Any]:
    """Return this node's report with its evidence: two processes, no lock, nothing from a cache."""
    began = site.now()
    obs = site.look(frozenset({"reach"}), fresh=True)
    took_s = site.now() - began
    down = obs.peers if isinstance(obs.peers, Unknown) else None
    state = down if down is not None else site.own_state()
    facts = own_facts(obs, state, answered=down is None and took_s <= ANSWERS_S)
    return report.own_report(obs, state, node.heal_backlog(), site.version(), facts)


def own_facts(obs: Observation, state: LocalState | Unknown, *, answered: bool) -> NodeFacts:
    """Return what this node says of itself (W4), from one look and from the node's own files."""
    own, peers = obs.node, obs.peers
    ports: dict[str, int | None] = {}
    if not isinstance(state, Unknown):
        for brick in (b for v in state.volumes.values() for b in v.bricks if is_known(b.started)):
            number = brick.port if is_known(brick.port) else 0
            ports[brick.name.split(":", 1)[1]] = number or None
    silent = peers if isinstance(peers, Unknown) else None
    return NodeFacts(
        at=obs.now,
        glusterd_started=own.glusterd_started,
        glusterd_answers=answered,
        version=_running_version(obs, state),
        volumes_without_info=own.volumes_without_info,
        volumes=obs.volumes,
        connected=silent
        if silent is not None
        else {p.uuid: p.connected for p in known(peers) if not p.is_self},
        bricks=node.brick_facts(ports, state if isinstance(state, Unknown) else None),
        changes=node.changes(obs.now),
        hold=own.hold,
    )


def _running_version(obs: Observation, state: LocalState | Unknown) -> int | Unknown:
    """Return a number for the version that glusterd runs here, equal for equal versions.

    A glusterd without peers tells it to nobody; then there is nobody to compare it with either.
    """
    if isinstance(obs.peers, Unknown):
        return obs.peers
    if all(p.is_self for p in obs.peers):
        return state if isinstance(state, Unknown) else state.op_version
    own = obs.reach.get(obs.node.uuid) if isinstance(obs.node.uuid, str) else None
    return own.max_op_version if own else NOT_ASKED


def pool_status(
    reports: Iterable[Mapping[str, Any]], *, now: float | None = None, age_s: float = 0,
    verdicts: Mapping[str, tuple[str, str]] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return the status screen's data from the reports of a pool's nodes.

    Of older reports: ``now``, the age of the oldest, and ``verdicts``, uuid -> state and words of
    nodes that have gone away since, as the leader of the automation has it.
    """
    told = [r for r in reports if report.usable(r)]
    if not told:
        raise SpecError(
            "target", "no minion of a Gluster pool answered.",
            hint="Target the nodes, or see: salt '*' gluster.version",
        )  # fmt: skip
    obs = report.observation(told)
    if now is not None:
        obs = replace(obs, now=now)
    away = {u for u, (state, _) in (verdicts or {}).items() if state in ("down", "gone")}
    if away:  # whoever reported before that still had it as connected
        peers = tuple(
            replace(p, connected=p.connected and p.uuid not in away) for p in known(obs.peers)
        )
        obs = replace(obs, peers=peers)
    more = {"age_s": age_s, "verdicts": verdicts}
    return _screen(obs, report.space(obs, told), report.version(told), "", **more)


def node_status(minion: Minion) -> dict[str, Any]:
    """Return the status as one node sees it: bricks of others as its heal client reaches them."""
    site = minion.site()
    own = own_report(site)
    pool = minion.pool.cluster if minion.pool else ""
    if not report.usable(own):
        obs = site.look()
        return status_data(obs, Unknown(_why(obs)), version=site.version(), pool=pool)
    obs = reached(report.observation([own]), site)
    return _screen(obs, report.space(obs, [own]), report.version([own]), pool)


def impact_seen(minion: Minion, nodes: Iterable[str], bricks: Iterable[str]) -> dict[str, Any]:
    """Return what a loss would do, as this node sees its pool."""
    site = minion.site()
    own = own_report(site)
    if not report.usable(own):
        why = _why(site.look())
        raise GlusterError(f"the pool cannot be judged: {why}", kind="pool_unknown")
    obs = reached(report.observation([own]), site)
    return impact_data(impact.impact(obs, nodes=tuple(nodes), bricks=tuple(bricks)))


def op_version(minion: Minion) -> int:
    """Return the op-version of the pool."""
    answer = minion.reader.gluster.ask("pool_option", option="cluster.op-version")
    return int(parse_volume_get(answer)["cluster.op-version"].value)


def reached(obs: Observation, site: Site) -> Observation:
    """Add what ``heal info`` sees of other nodes' bricks; it takes no lock (gluster.md 1.5)."""
    volumes = obs.volumes if is_known(obs.volumes) else {}
    asked = [v for v in volumes.values() if v.is_started and v.kind != "distribute"]
    if not asked or len(asked) > ASKED_VOLUMES:
        return obs
    seen = site.look(frozenset(f"heal:{v.name}" for v in asked)).heal
    status = {v.name: _with_reached(v, obs, seen.get(v.name)) for v in asked}
    heal = {name: rows for name, rows in seen.items() if is_known(rows)}
    return replace(obs, status={**obs.status, **status}, heal={**obs.heal, **heal})


def _with_reached(volume: Volume, obs: Observation, heal: Any) -> VolumeStatus | Unknown:
    own = obs.status[volume.name]
    if not is_known(own) or heal is None or not is_known(heal):
        return own
    told = {r.path for r in own.bricks if r.host_uuid == obs.node.uuid}
    rows = list(own.bricks)
    for brick in volume.bricks:
        answered = any(h.brick == brick.name and is_known(h.pending) for h in heal)
        if answered and not (brick.host_uuid == obs.node.uuid and brick.path in told):
            # Reached at its port, whose number heal info does not tell.
            rows.append(BrickStatus(brick.host, brick.path, brick.host_uuid, True, 0, None))
    return VolumeStatus(volume.name, tuple(rows))


def local_clock(at: float) -> str:
    """Return the time of day here."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def _why(obs: Observation) -> str:
    return obs.peers.why if isinstance(obs.peers, Unknown) else "the pool cannot be seen"


def _screen(
    obs: Observation, space: Any, version: str | Unknown, pool: str, **more: Any
) -> dict[str, Any]:  # fmt: skip
    volumes = obs.volumes if is_known(obs.volumes) else {}
    losses = {name: impact.next_loss(obs, name) for name in volumes} if len(volumes) <= 50 else None
    return status_data(
        obs,
        impact.health(obs),
        space=space,
        next_loss=losses,
        version=version,
        pool=pool,
        clock=local_clock,
        **more,
    )


# --- asking what would be ------------------------------------------------------------------------


def impact_of(
    reports: Iterable[Mapping[str, Any]], nodes: Iterable[str], bricks: Iterable[str]
) -> tuple[VolumeHealth, ...]:
    """Return what the loss of these nodes and bricks would do, from all nodes' reports."""
    obs = report.observation([r for r in reports if report.usable(r)])
    return impact.impact(obs, nodes=tuple(nodes), bricks=tuple(bricks))


def plans(minion: Minion) -> list[dict[str, Any]]:
    """Return the plan of every declared subject that has something to say, as plain data."""
    found = []
    for _, planner in subjects(minion.member(), minion.name):
        outcome = apply.forecast(planner, minion.site(), minion.hosts)
        if not outcome.plan.is_empty or outcome.plan.notes:
            found.append(plan_data(outcome.plan, outcome.answers))
    return found


def apply_plan(
    minion: Minion, plan_id: str, accept: Iterable[str], reason: str
) -> tuple[str, apply.Outcome]:
    """Carry out the declared plan with that id, with the refusals that a person accepted.

    ``SpecError`` when no subject has that plan (any more): the pool or the pillar has changed.
    """
    ids = []
    for subject, planner in subjects(minion.member(), minion.name):
        planned: Plan = apply.forecast(planner, minion.site(), minion.hosts).plan
        if planned.steps and planned.id == plan_id:
            log.warning("plan %s: accepted %s because %r", plan_id, list(accept), reason)
            return subject, minion.run(planner, accept=accept, expect_id=plan_id)
        ids += [f"{planned.id} ({subject})"] if planned.steps else []
    raise SpecError(
        "plan_id", f"no declared subject has the plan {plan_id} now.",
        hint=f"The plans are: {', '.join(ids) or 'none, all is as declared'}.",
    )  # fmt: skip


def explain_volume(minion: Minion, name: str) -> str:
    """Return why each brick of a declared volume lies where it does."""
    pool = minion.declared()
    if name not in pool.volumes:
        there = ", ".join(pool.volumes) or "none"
        raise SpecError("volume", f"{name} is not declared.", hint=f"There is: {there}.")
    obs = minion.site().look()
    observed = obs.volumes.get(name) if is_known(obs.volumes) else None
    return explain_bricks(pool.volumes[name], observed, pool, obs)
