"""Ensure volumes, their options and their mounts.

A volume state may run on every minion at once: one carries the plan out, the others wait and
find nothing left to do. ``present`` creates, adds sets, raises the replica count and sets
options; it never shrinks, moves or replaces.
"""

from salt_gluster import plan
from salt_gluster.minion import converge
from salt_gluster.minion.context import Minion
from salt_gluster.minion.mounts import mounted as mount_volume
from salt_gluster.model import Subject
from salt_gluster.render import state_or_error

__virtualname__ = "gluster_volume"


def __virtual__():
    return __virtualname__


def _minion():
    return Minion(__opts__, __salt__, __context__, __pillar__)


def _volume(name, arguments, planner_of):
    """Parse, plan and converge one volume."""

    def ensure():
        minion = _minion()
        planner = planner_of(minion, minion.volume(name, arguments))
        return converge.converge_subject(Subject("volume", name), minion, planner)

    return {**state_or_error(name, ensure), "name": name}


def present(name, bricks=None, replica=None, options=None, **kwargs):
    """
    Ensure that a volume is there, has the declared shape and options, and is started.

    Without arguments the volume of that name is taken from the pillar. Bricks that are not written
    are chosen among the pillar's nodes.

    Changes: yes. Takes the cluster lock: only if something is to be changed.

    name
        The volume's name.
    bricks
        ``HOST:PATH`` of every brick, set by set; new sets at the end are added.
    replica
        Copies, arbiter included.
    options
        Mapping of options; compared by meaning (``64MB`` equals ``67108864``), set in one call.
    kwargs
        ``arbiter``, ``disperse`` (``4+2``), ``exclusive_options``, ``started``, ``transport``,
        ``only``, ``except``, ``accept_risk``.

    .. code-block:: yaml

        data:
          gluster_volume.present:
            - replica: 3
            - bricks: ['g1:/srv/gluster/data/1', 'g2:/srv/gluster/data/1', 'g3:/srv/gluster/data/1']
            - options: {network.ping-timeout: 20}
    """
    arguments = {"bricks": bricks, "replica": replica, "options": options, **kwargs}

    def planner_of(minion, volume):
        minion.check_given(name, arguments)
        return converge.volume_planner(volume, minion.pool_of(volume), minion.hosts)

    return _volume(name, arguments, planner_of)


def options(name, options=None, exclusive_options=None, **kwargs):
    """
    Ensure the options of a volume that exists; nothing else of it is looked at.

    Changes: yes. Takes the cluster lock: only if something is to be changed.

    .. code-block:: yaml

        data:
          gluster_volume.options:
            - options: {performance.cache-size: 64MB}
    """
    arguments = {"options": options, "exclusive_options": exclusive_options}
    return _volume(name, arguments, lambda _, v: lambda obs: plan.plan_options_of(v, obs))


def started(name, **kwargs):
    """
    Ensure that a volume is started.

    Changes: yes. Takes the cluster lock: only if something is to be changed.

    .. code-block:: yaml

        data:
          gluster_volume.started: []
    """
    return _volume(name, {}, lambda *_: lambda obs: plan.plan_started(name, obs, started=True))


def stopped(name, confirm="", **kwargs):
    """
    Ensure that a volume is stopped. Its clients lose it, so ``confirm`` must be the volume's id.

    Changes: yes. Takes the cluster lock: only if something is to be changed.

    .. code-block:: yaml

        old:
          gluster_volume.stopped:
            - confirm: 3d9a7c1e-6c5a-4c0b-9f5e-0d6c0a8a6c11
    """
    planner = lambda obs: plan.plan_started(name, obs, started=False, confirm=confirm)  # noqa: E731
    return _volume(name, {}, lambda *_: planner)


def absent(name, confirm="", **kwargs):
    """
    Ensure that a volume is gone. Its bricks keep their files. ``confirm`` must be the volume's id.

    Changes: yes. Takes the cluster lock: only if something is to be changed.

    .. code-block:: yaml

        old:
          gluster_volume.absent:
            - confirm: 3d9a7c1e-6c5a-4c0b-9f5e-0d6c0a8a6c11
    """
    planner = lambda obs: plan.plan_volume_absent(name, obs, confirm=confirm)  # noqa: E731
    return _volume(name, {}, lambda *_: planner)


def mounted(name, volume, servers=None, options="", **kwargs):
    """
    Ensure that a volume is mounted at a directory, now and at every boot.

    Changes: yes. Takes the cluster lock: no.

    name
        The directory.
    volume
        The volume.
    servers
        Hosts to ask for the volume, the first one first; default: those of its bricks. ``consul``:
        whoever of the pool is well, by the name ``gluster.service.consul``, which the machine has
        to resolve (docs/consul.md).

    .. code-block:: yaml

        /srv/data:
          gluster_volume.mounted:
            - volume: data
    """

    def ensure():
        return mount_volume(name, volume, _minion(), servers=servers or (), options=options)

    return {**state_or_error(name, ensure), "name": name}
