"""Plan what the members still to come mean for a volume: waited for, or refused at once.

Who is to be a member is decided by ``peer.py``; here a volume's plan learns of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from salt_gluster.model import Observation, Plan, Refusal, Wait, is_known
from salt_gluster.plan.peer import plan_own_membership, plan_peer
from salt_gluster.spec import PoolSpec

#: A node that was invited by hand shows as a member after 1-5 s (facts.md#C-A.1).
SHOWS_S = 5


def with_membership(
    planned: Plan, obs: Observation, pool: PoolSpec | None, hosts: Sequence[str]
) -> Plan:
    """Return a volume's plan with what is waited for, and refused where nobody will ever do it.

    ``hosts`` are the declared host names, also where the volume's bricks are given as hosts and
    ``pool`` is None; empty = nothing is declared.
    """
    if planned.is_empty or not is_known(obs.peers):
        return planned
    if pool is None:
        return _with_refusals(planned, _undeclared(planned, obs, hosts))
    own = plan_own_membership(obs, nodes=pool.nodes, hosts=hosts)
    planned = replace(planned, needs=planned.needs | own.needs)
    if own.waits or own.refusals:  # who is alone sees no other member: that says nothing of them
        waits = [w for w in planned.waits if obs.peer_named(w.node) is not None]
        return _with_refusals(replace(planned, waits=(*own.waits, *waits)), own.refusals)
    return _with_refusals(planned, _refused_members(planned, obs, pool, hosts))


def _with_refusals(planned: Plan, refusals: Sequence[Refusal]) -> Plan:
    more = [refusal for refusal in refusals if refusal not in planned.refusals]
    return replace(planned, refusals=(*planned.refusals, *more)) if more else planned


def _missing(planned: Plan, obs: Observation) -> list[Wait]:
    """Return what waits for a node that is no member."""
    return [w for w in planned.waits if w.node and obs.peer_named(w.node) is None]


def _undeclared(planned: Plan, obs: Observation, hosts: Sequence[str]) -> list[Refusal]:
    wanted = {host.lower() for host in hosts}
    return [
        Refusal(
            "not_declared",
            f"{wait.node} is no member, and `nodes` does not name it: nobody invites it",
            (
                f"declare it     add {wait.node} to `nodes`",
                f"invite it      salt MINION gluster_peer.probe {wait.node}",
            ),
            SHOWS_S,
            everywhere=True,
        )
        for wait in (_missing(planned, obs) if wanted else ())
        if wait.node.lower() not in wanted
    ]


def _refused_members(
    planned: Plan, obs: Observation, pool: PoolSpec, hosts: Sequence[str]
) -> list[Refusal]:
    """Return why nodes that were asked in this look are no members and will be none."""
    refusals: list[Refusal] = []
    for wait in _missing(planned, obs):
        node = pool.node_of(wait.node)
        if node is None or wait.node not in obs.candidates:
            continue
        for refusal in plan_peer(node, wait.node, obs, nodes=pool.nodes, hosts=hosts).refusals:
            why = f"{wait.node} is no member, and is not invited: {refusal.why}"
            refusals.append(replace(refusal, why=why, everywhere=True))
    return refusals
