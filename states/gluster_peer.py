"""Ensure that a node is a member of the pool, or is none."""

from salt_gluster import plan
from salt_gluster.minion import converge
from salt_gluster.minion.context import Minion
from salt_gluster.model import Subject
from salt_gluster.render import state_or_error
from salt_gluster.spec.names import check_peer

__virtualname__ = "gluster_peer"


def __virtual__():
    return __virtualname__


def _peer(name, planner_of):
    def ensure():
        check_peer(name, "name")
        minion = Minion(__opts__, __salt__, __context__, __pillar__)
        return converge.converge_subject(Subject("peer", name), minion, planner_of(minion))

    return {**state_or_error(name, ensure), "name": name}


def present(name, nodes=None, **kwargs):
    """
    Ensure that a node is a member of this node's pool.

    The node itself is asked first: one with volumes or with another pool's peers is never invited.
    Of ``nodes`` (default: the pillar's) only the first begins a pool; any member may invite later.

    Changes: yes. Takes the cluster lock: only if something is to be changed.

    .. code-block:: yaml

        g2:
          gluster_peer.present:
            - nodes: [g1, g2, g3]
    """
    return _peer(name, lambda minion: converge.peer_planner(minion.pool_with(nodes), name))


def absent(name, **kwargs):
    """
    Ensure that a node is no member. One that holds bricks, or is away, is refused.

    Changes: yes. Takes the cluster lock: only if something is to be changed.

    .. code-block:: yaml

        g4:
          gluster_peer.absent: []
    """
    return _peer(name, lambda _: lambda obs: plan.plan_peer_absent(name, obs))
