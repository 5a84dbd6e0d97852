"""The states of Salt's own ``glusterfs`` (until 3007), for a Salt that has none.

For new work use ``gluster_volume.present`` and ``gluster_peer.present``: docs/legacy.md.
"""

import salt.utils.network

from salt_gluster.minion import legacy_state

__virtualname__ = "glusterfs"


def __virtual__():
    """Load where our module of the same name does."""
    if "glusterfs.list_volumes" in __salt__:
        return __virtualname__
    return False, "glusterfs module could not be loaded"


def _salt():
    return legacy_state.Salt(__salt__, bool(__opts__.get("test")), __context__)


def _is_here(host):
    ips = salt.utils.network.host_to_ips(host)
    own = {*salt.utils.network.ip_addrs(), *salt.utils.network.ip_addrs6()}
    return any(ip in own or salt.utils.network.is_loopback(ip) for ip in ips or ())


def peered(name):
    """
    Ensure that a host is a peer of this node.

    .. code-block:: yaml

        peer-clusters:
          glusterfs.peered:
            - names: [two, three]
    """
    return legacy_state.peered(name, _salt(), _is_here)


def volume_present(
    name,
    bricks,
    stripe=False,
    replica=False,
    device_vg=False,
    transport="tcp",
    start=False,
    force=False,
    arbiter=False,
):
    """
    Ensure that a volume exists, with these bricks and this shape, and that it is started.

    .. code-block:: yaml

        myvolume:
          glusterfs.volume_present:
            - bricks: [host1:/srv/gluster/drive1, host2:/srv/gluster/drive2]
            - replica: 2
            - start: True
    """
    wanted = legacy_state.Wanted(
        bricks, stripe, replica, device_vg, transport, start, force, arbiter
    )
    return legacy_state.volume_present(name, wanted, _salt())


def started(name):
    """
    Ensure that a volume is started.

    .. code-block:: yaml

        myvolume:
          glusterfs.started: []
    """
    return legacy_state.started(name, _salt())


def add_volume_bricks(name, bricks):
    """
    Ensure that a started volume has these bricks, too.

    .. code-block:: yaml

        myvolume:
          glusterfs.add_volume_bricks:
            - bricks: [host1:/srv/gluster/drive2, host2:/srv/gluster/drive2]
    """
    return legacy_state.add_volume_bricks(name, bricks, _salt())


def op_version(name, version):
    """
    Ensure that the pool has this op-version, asked through a volume. There is no way back.

    .. code-block:: yaml

        myvolume:
          glusterfs.op_version:
            - version: 100000
    """
    return legacy_state.op_version(name, version, _salt())


def max_op_version(name):
    """
    Ensure that the pool has the highest op-version that all its members can.

    .. code-block:: yaml

        myvolume:
          glusterfs.max_op_version: []
    """
    return legacy_state.max_op_version(name, _salt())
