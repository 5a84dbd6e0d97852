"""Ensure that the brick directories of this node are there, on their disks."""

from salt_gluster.minion import converge
from salt_gluster.minion.context import Minion
from salt_gluster.render import state_or_error

__virtualname__ = "gluster_brick"


def __virtual__():
    return __virtualname__


def present(name, device=None, mount=None, accept_risk=None, **kwargs):
    """
    Ensure that a directory could be a brick, and with ``device`` that it lies on that disk.

    A blank disk gets XFS as Gluster recommends and is mounted by UUID; one with anything on it is
    refused. The other nodes are told that the brick is ready.

    Changes: yes. Takes the cluster lock: no.

    name
        The directory, such as ``/srv/gluster/disk1/data``.
    device
        A stable name: ``serial:…``, ``/dev/disk/by-id/…``, ``/dev/disk/by-path/…``.
    mount
        Where the disk is mounted.
    accept_risk
        ``[root_disk]`` allows a directory on the root file system.

    .. code-block:: yaml

        /srv/gluster/disk1/data:
          gluster_brick.present:
            - device: /dev/disk/by-id/nvme-SAMSUNG_S1
            - mount: /srv/gluster/disk1
    """

    def ensure():
        minion = Minion(__opts__, __salt__, __context__, __pillar__)
        return converge.brick(name, minion, device, mount, accept_risk or ())

    return state_or_error(name, ensure)
