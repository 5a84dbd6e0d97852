"""Collect this node's report and status, and the plans of its declaration. No changes.

``gluster`` and ``node`` are joined here for the loader functions; what a report means stands in
``status/report.py``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from salt_gluster import node
from salt_gluster.errors import GlusterError, SpecError
from salt_gluster.gluster.parse.option import parse_volume_get
from salt_gluster.minion import apply, declared
from salt_gluster.minion.context import Minion
from salt_gluster.minion.converge import declared_subjects, order
from salt_gluster.minion.driver import GlusterDriver
from salt_gluster.minion.order import check_accept
from salt_gluster.model import (
    NOT_ASKED,
    BrickStatus,
    Facet,
    GlusterdState,
    NodeFacts,
    Observation,
    Plan,
    Subject,
    Unknown,
    Volume,
    VolumeStatus,
    brick_at,
    is_known,
    known,
)
from salt_gluster.node.clock import local_clock
from salt_gluster.plan import explain_bricks
from salt_gluster.plan import outcome as plan_outcome
from salt_gluster.render import impact_data, plan_data, status_data
from salt_gluster.spec import PoolSpec
from salt_gluster.status import impact, report
from salt_gluster.status.pool import screen

log = logging.getLogger(__name__)

#: A glusterd that needs longer for a pool list does not count as answering (row N7 of
#: docs/tables.md).
ANSWERS_S = 20.0
#: With more volumes than this, one node's view leaves the bricks of other nodes unknown.
ASKED_VOLUMES = 20


def collect_report(driver: GlusterDriver, pool: PoolSpec | None = None) -> dict[str, Any]:
    """Return this node's report with its evidence: two processes, no lock, nothing from a cache.

    ``pool`` is the declaration, where it is at hand.
    """
    began = driver.now()
    obs = driver.observe(frozenset({Facet("reach")}), fresh=True)
    took_s = driver.now() - began
    down = obs.peers if isinstance(obs.peers, Unknown) else None
    state = down if down is not None else driver.own_state()
    facts = collect_facts(obs, state, answered=down is None and took_s <= ANSWERS_S)
    own = report.own_report(obs, state, node.heal_indexes(), driver.version(), facts)
    missing = declared.not_made(driver, obs, pool)
    return {**own, "declared": missing} if missing else own


def report_of(minion: Minion) -> dict[str, Any]:
    """Return the report of a node, with what its declaration misses if it is a node of that."""
    pool = minion.pool if minion.pool and not minion.waits else None
    is_node = pool is not None and minion.name in pool.nodes
    return collect_report(minion.driver(), pool if is_node else None)


def collect_facts(obs: Observation, state: GlusterdState | Unknown, *, answered: bool) -> NodeFacts:
    """Return what this node says of itself (W4), from one look and from the node's own files."""
    own, peers = obs.node, obs.peers
    ports: dict[str, int | None] = {}
    if not isinstance(state, Unknown):
        for brick in (b for v in state.volumes.values() for b in v.bricks if is_known(b.started)):
            number = brick.port if is_known(brick.port) else 0
            ports[brick_at(brick.name)[1]] = number or None
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


def _running_version(obs: Observation, state: GlusterdState | Unknown) -> int | Unknown:
    """Return a number for the version that glusterd runs here, equal for equal versions.

    A glusterd without peers tells it to none; then there is none to compare it with either.
    """
    if isinstance(obs.peers, Unknown):
        return obs.peers
    if all(p.is_self for p in obs.peers):
        return state if isinstance(state, Unknown) else state.op_version
    own = obs.reach.get(obs.node.uuid) if isinstance(obs.node.uuid, str) else None
    return own.max_op_version if own else NOT_ASKED


def node_status(minion: Minion) -> dict[str, Any]:
    """Return the status as one node sees it: bricks of others as its heal client reaches them."""
    driver = minion.driver()
    own = report_of(minion)
    pool = minion.pool.cluster if minion.pool else ""
    if not report.usable(own):
        obs = driver.observe()
        return status_data(obs, Unknown(_why(obs)), version=driver.version(), pool=pool)
    obs = with_heal_reachability(report.observation([own]), driver)
    return screen(obs, [own], pool, clock=local_clock)


def impact_from_here(minion: Minion, nodes: Iterable[str], bricks: Iterable[str]) -> dict[str, Any]:
    """Return what a loss would do, as this node sees its pool."""
    driver = minion.driver()
    own = collect_report(driver)
    if not report.usable(own):
        why = _why(driver.observe())
        raise GlusterError(f"the pool cannot be judged: {why}", kind="pool_unknown")
    obs = with_heal_reachability(report.observation([own]), driver)
    return impact_data(impact.impact(obs, nodes=tuple(nodes), bricks=tuple(bricks)))


def op_version(minion: Minion) -> int:
    """Return the op-version of the pool."""
    answer = minion.reader.gluster.ask("pool_option", option="cluster.op-version")
    return int(parse_volume_get(answer)["cluster.op-version"].value)


def with_heal_reachability(obs: Observation, driver: GlusterDriver) -> Observation:
    """Add what ``heal info`` sees of other nodes' bricks; it takes no lock (facts.md#G-1.5)."""
    volumes = obs.volumes if is_known(obs.volumes) else {}
    asked = [v for v in volumes.values() if v.is_started and v.kind != "distribute"]
    if not asked or len(asked) > ASKED_VOLUMES:
        return obs
    seen = driver.observe(frozenset(Facet("heal", v.name) for v in asked)).heal
    status = {v.name: _with_reached(v, obs, seen.get(v.name)) for v in asked}
    heal = {name: rows for name, rows in seen.items() if is_known(rows)}
    return replace(obs, status={**obs.status, **status}, heal={**obs.heal, **heal})


def _with_reached(volume: Volume, obs: Observation, heal: Any) -> VolumeStatus | Unknown:
    own = obs.status[volume.name]
    if not is_known(own) or heal is None or not is_known(heal):
        return own
    own_paths = {r.path for r in own.bricks if r.host_uuid == obs.node.uuid}
    rows = list(own.bricks)
    for brick in volume.bricks:
        answered = any(h.brick == brick.name and is_known(h.pending) for h in heal)
        if answered and not (brick.host_uuid == obs.node.uuid and brick.path in own_paths):
            # Reached at its port, whose number heal info does not tell.
            rows.append(BrickStatus(brick.host, brick.path, brick.host_uuid, True, 0, None))
    return VolumeStatus(volume.name, tuple(rows))


def _why(obs: Observation) -> str:
    return obs.peers.why if isinstance(obs.peers, Unknown) else "the pool cannot be seen"


# --- asking what would be ------------------------------------------------------------------------


def plans(minion: Minion) -> list[dict[str, Any]]:
    """Return the plan of every declared subject that has something to say, as plain data."""
    plans_data = []
    for _, planner in declared_subjects(minion.member(), minion.name):
        outcome = apply.dry_run(planner, minion.driver(), minion.hosts)
        if not outcome.plan.is_empty or outcome.plan.notes:
            plans_data.append(plan_data(outcome.plan, outcome.guards))
    return plans_data


def apply_plan(
    minion: Minion, plan_id: str, accept: Iterable[str], reason: str
) -> tuple[Subject, plan_outcome.Result]:
    """Carry out the declared plan with that id, with the refusals that an operator accepted.

    ``SpecError`` when no subject has that plan (any more): the pool or the pillar has changed.
    """
    accept = tuple(accept)
    check_accept(accept, reason)
    ids = []
    for subject, planner in declared_subjects(minion.member(), minion.name):
        planned: Plan = apply.dry_run(planner, minion.driver(), minion.hosts).plan
        if planned.steps and planned.id == plan_id:
            log.warning("plan %s: accepted %s because %r", plan_id, list(accept), reason)
            return subject, order(minion, planner, accept=accept, expect_id=plan_id)
        ids += [f"{planned.id} ({subject})"] if planned.steps else []
    raise SpecError(
        "plan_id", f"no declared subject has the plan {plan_id} now.",
        hint=f"The plans are: {', '.join(ids) or 'none, all is as declared'}. What an order would"
        " do is accepted with that order: accept= and reason= there.",
    )  # fmt: skip


def explain_volume(minion: Minion, name: str) -> str:
    """Return why each brick of a declared volume lies where it does."""
    pool = minion.declared()
    if name not in pool.volumes:
        names = ", ".join(pool.volumes) or "none"
        raise SpecError("volume", f"{name} is not declared.", hint=f"There is: {names}.")
    obs = minion.driver().observe()
    observed = obs.volumes.get(name) if is_known(obs.volumes) else None
    return explain_bricks(pool.volumes[name], observed, pool, obs)
