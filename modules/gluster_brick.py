"""List, prepare and format the disks and brick directories of this node.

Adapters only: ``salt_gluster.node`` looks and makes directories, its ``disks`` formats.
GlusterFS need not be installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from salt.exceptions import CommandExecutionError

from salt_gluster import node, spec
from salt_gluster.errors import SpecError, errors_as
from salt_gluster.minion import brick_announcements
from salt_gluster.minion.context import Minion
from salt_gluster.node import disks

if TYPE_CHECKING:
    pass

__virtualname__ = "gluster_brick"


def __virtual__():
    """Load on Linux."""
    if __grains__.get("kernel", "Linux") != "Linux":
        return False, "GlusterFS bricks are on Linux only"
    return __virtualname__


def devices() -> list[dict[str, Any]]:
    """
    List the block devices of this node: size, stable names, what is on them, and whether blank.

    Changes: no, takes the cluster lock: no.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_brick.devices
    """
    with errors_as(CommandExecutionError):
        return [
            {**device.as_dict(), "not_blank": [r.why for r in disks.blank(device)]}
            for device in disks.devices()
        ]


def inventory() -> list[dict[str, Any]]:
    """
    List the bricks of this node with file system, free space and volume id, without asking gluster.

    Changes: no, takes the cluster lock: no.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_brick.inventory
    """
    with errors_as(CommandExecutionError):
        return node.inventory()


def info(path: str) -> dict[str, Any]:
    """
    Show what is at a path: its file system, what lies in it, and the volume it belongs to.

    Changes: no, takes the cluster lock: no.

    path
        An absolute path; it need not exist.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_brick.info /srv/gluster/data/1
    """
    with errors_as(CommandExecutionError):
        return node.describe_brick(spec.check_brick_path(path, "path"))


def prepare(
    path: str | None = None,
    device: str | None = None,
    mount: str | None = None,
    confirm: str | None = None,
    accept_root: bool = False,
    test: bool | None = None,
    volume: str | None = None,
) -> dict[str, Any]:
    """
    Make XFS on a blank device and mount it by UUID, or make a brick's directory, or both.

    A brick that is ready is announced to the other nodes through Salt's mine: ordering
    ``gluster_volume.create`` or ``add_bricks`` needs that of every node with a new brick, from the
    last five minutes.

    Nothing is wiped: a device with a signature, partition, mount or holder is refused with all
    reasons. Run twice it changes nothing. Returns ``changes`` (the same in test mode) and ``test``.

    Changes: yes, takes the cluster lock: no.

    path
        Directory of the brick; its parents are made.

    device
        ``serial:…``, ``/dev/disk/by-id/…`` or ``/dev/disk/by-path/…``; needs ``mount``.

    mount
        Where the device is mounted.

    confirm
        The serial or a stable name that the device must have.

    accept_root
        Let the directory lie on the root file system.

    test
        Say what would change. Default: the minion's own ``test``.

    volume
        The volume that the brick is meant for. Default: any.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_brick.prepare device=serial:S3Z8 mount=/srv/gluster test=True
        salt g1 gluster_brick.prepare path=/srv/gluster/data/1
    """
    only_look = _test(test)
    changes: dict[str, Any] = {}
    with errors_as(CommandExecutionError):
        path, mount = _checked(path, device, mount)
        if device:
            changes = disks.prepare(device, mount, confirm=confirm, test=only_look)
        if path:
            inside = bool(changes) and path.startswith(f"{mount}/")
            accepted = accept_root or (only_look and inside)
            made = node.make_brick_dir(path, accept_root=accepted, test=only_look)
            changes.update({"brick": {"old": None, "new": path}} if made else {})
            if not only_look:
                risks = ("root_disk",) if accept_root else ()
                _minion().announcer.say(volume or "", path, risks)
    return {"changes": changes, "test": only_look}


def _minion() -> Minion:
    return Minion(__opts__, __salt__, __context__, __pillar__)


def mount(path: str, test: bool | None = None) -> dict[str, Any]:
    """
    Mount what fstab has for a mount point. Returns ``changes`` and ``test``.

    Changes: yes, takes the cluster lock: no.

    path
        The mount point.

    test
        Say what would change. Default: the minion's own ``test``.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_brick.mount /srv/gluster
    """
    with errors_as(CommandExecutionError):
        at = node.mount_point_of(spec.check_path(path, "path", "mount point"))
        entry = node.fstab_entry(at)
        if entry is None:
            raise SpecError("path", f"fstab has no line for {path}", hint="See prepare.")
        return {"changes": node.mount(entry, test=_test(test)), "test": _test(test)}


def ready() -> dict[str, Any]:
    """
    Say which brick directories of this node are ready, and under which host names it is known.

    This is what the node has told Salt's mine, so that the others need not wait.

    Changes: no, takes the cluster lock: no.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_brick.ready
    """
    return brick_announcements.ready_bricks()


def announce() -> None:
    """
    Look again at the brick directories that this node has announced, and tell the others.

    The minion's own schedule calls this every 30 s after a run whose volume is not made yet, for
    twelve hours at most, so that nodes whose states run one after another hear of each other.

    Changes: no, takes the cluster lock: no.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_brick.announce
    """
    with errors_as(CommandExecutionError):
        _minion().announcer.say_again()


def _checked(
    path: str | None, device: str | None, mount: str | None
) -> tuple[str | None, str | None]:
    """Return directory and mount point in the form in which they are used, or raise."""
    if not (path or device):
        raise SpecError("path", "give a path, or a device and its mount")
    if bool(device) != bool(mount):
        raise SpecError("mount", "device and mount belong together")
    return (
        spec.check_brick_path(path, "path") if path else None,
        spec.check_path(mount, "mount", "mount point") if mount else None,
    )


def _test(test: bool | None) -> bool:
    return bool(__opts__.get("test", False) if test is None else test)
