"""Ensure that GlusterFS is installed and runs, and that the pool is as declared."""

from salt_gluster.minion import converge, install
from salt_gluster.minion.context import Minion
from salt_gluster.render import state_or_error

__virtualname__ = "gluster"


def __virtual__():
    return __virtualname__


def _with_minion(name, do):
    return state_or_error(name, lambda: do(Minion(__opts__, __salt__, __context__, __pillar__)))


def installed(name, version=None, hold=True, **kwargs):
    """
    Ensure that GlusterFS is installed and its version held.

    glusterd is kept masked until ``gluster.identified`` has passed: a node that was installed again
    must not start under a new identity and get itself rejected.

    Changes: yes. Takes the cluster lock: no.

    .. code-block:: yaml

        glusterfs-server:
          gluster.installed: []
    """
    return _with_minion(name, lambda minion: install.installed(name, minion, version, hold))


def identified(name, **kwargs):
    """
    Ensure that this node is the one that the pool knows under its name; then unmask glusterd.

    Changes: yes. Takes the cluster lock: no.

    .. code-block:: yaml

        identity:
          gluster.identified: []
    """
    return _with_minion(name, lambda minion: install.identified(name, minion))


def running(name, **kwargs):
    """
    Ensure that glusterd runs and starts at boot.

    Changes: yes. Takes the cluster lock: no.

    .. code-block:: yaml

        glusterd:
          gluster.running: []
    """
    return _with_minion(name, lambda minion: install.running(name, minion))


def cluster_(name, wait_s=60, **kwargs):
    """
    Ensure this node's part of the whole pillar: disks, bricks, peers, volumes, mounts.

    May run on every node at once: each volume is made by one of its brick hosts, and the others
    wait without asking anybody. What another node has to do first is waited for as long as the pool
    moves; when nothing has moved for ``wait_s`` seconds the run ends. It is true only if all is as
    declared: else it names who is waited for, why that one does not do it, and what to do next.

    Changes: yes. Takes the cluster lock: only if something is to be changed.

    .. code-block:: yaml

        pool:
          gluster.cluster: []
    """
    return _with_minion(name, lambda minion: converge.converge_pool(name, minion, wait_s=wait_s))


__func_alias__ = {"cluster_": "cluster"}
