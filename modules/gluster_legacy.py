"""The functions of Salt's own module ``glusterfs`` (until 3007), for a Salt that has none.

Same names, arguments and return values. For new work use ``gluster_volume``, ``gluster_peer`` and
``gluster_option``: docs/legacy.md names the one for each function.
"""

from __future__ import annotations

import importlib.util
import logging
import re
from typing import TYPE_CHECKING, Any

import salt.utils.path
from salt.exceptions import CommandExecutionError, SaltInvocationError

from salt_gluster.errors import SpecError, errors_as
from salt_gluster.minion import legacy
from salt_gluster.minion.legacy_state import WHY

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__virtualname__ = "glusterfs"

log = logging.getLogger(__name__)


def __virtual__():
    """Load where Salt has no module of this name, and the gluster command exists."""
    if importlib.util.find_spec("salt.modules.glusterfs"):
        return False, "this Salt has a module glusterfs of its own"
    if salt.utils.path.which("gluster"):
        return __virtualname__
    return False, "glusterfs server is not installed"


def _print(words: Any, seconds: int) -> str:
    return __salt__["cmd.run"](
        list(words), python_shell=False, ignore_retcode=True, output_loglevel="debug",
        timeout=seconds + 5,
    )  # fmt: skip


def _ask(name: str, **arguments: Any) -> Element | None:
    """Ask gluster; keep why it refused for the states of this run."""
    asked = legacy.Legacy(_print)
    try:
        with errors_as(CommandExecutionError):
            try:
                return asked.ask(name, **arguments)
            except SpecError as err:
                raise SaltInvocationError(str(err)) from err
    finally:
        __context__[WHY] = asked.why


def _done(name: str, **arguments: Any) -> bool:
    return _ask(name, **arguments) is not None


def _bricks(bricks: Any) -> list[str]:
    with errors_as(SaltInvocationError):
        return legacy.brick_list(bricks)


def _get_version() -> tuple[int, ...]:
    """Return the version that is installed; (3, 6) where the program does not tell one."""
    told = re.search(r"glusterfs ((?:\d+\.)+\d+)", _print(["gluster", "--version"], 10))
    return tuple(int(part) for part in told[1].split(".")) if told else (3, 6)


def peer_status() -> dict[str, dict[str, Any]] | None:
    """
    Return the peers by uuid, with all host names of each. None where gluster refuses.

    CLI Example:

    .. code-block:: bash

        salt '*' glusterfs.peer_status
    """
    root = _ask("peer_status")
    return None if root is None else legacy.peers(root)


def peer(name: str) -> bool:
    """
    Invite a node into the pool. True also where it is a member already.

    name
        The remote host to probe.

    CLI Example:

    .. code-block:: bash

        salt g1 glusterfs.peer g2
    """
    return _done("peer_probe", host=name)


def create_volume(
    name: str,
    bricks: Any,
    stripe: Any = False,
    replica: Any = False,
    device_vg: Any = False,
    transport: str = "tcp",
    start: bool = False,
    force: bool = False,
    arbiter: bool = False,
) -> bool:
    """
    Create a volume. False where gluster refuses; the reason is in the minion's log.

    name
        Name of the volume.

    bricks
        ``HOST:/path``, one or a list.

    stripe, device_vg
        GlusterFS has neither any more: with one of them the answer is False.

    replica, arbiter, transport
        The shape. An arbiter needs ``replica: 3``.

    start
        Start it, too.

    force
        Also on the root file system, and whatever else gluster would refuse.

    CLI Example:

    .. code-block:: bash

        salt g1 glusterfs.create_volume v1 '["g1:/srv/b", "g2:/srv/b"]' replica=2 start=True
    """
    wanted = _bricks(bricks)
    with errors_as(SaltInvocationError):
        shape = legacy.shape(stripe, replica, device_vg, transport, arbiter)
    if isinstance(shape, str):
        log.error("volume %s: %s", name, shape)
        __context__[WHY] = shape
        return False
    made = _done("volume_create", volume=name, bricks=wanted, force=bool(force), **shape)
    return made and (not start or start_volume(name))


def list_volumes() -> list[str | None] | None:
    """
    List the names of all volumes. None where gluster refuses.

    CLI Example:

    .. code-block:: bash

        salt '*' glusterfs.list_volumes
    """
    root = _ask("volume_list")
    return None if root is None else [one.text for one in root.iter("volume")]


def status(name: str) -> dict[str, dict[str, Any]] | None:
    """
    Return ``bricks``, ``nfs`` and ``healers`` of a volume. None where gluster refuses.

    CLI Example:

    .. code-block:: bash

        salt g1 glusterfs.status data
    """
    root = _ask("volume_status", volume=name)
    return None if root is None else legacy.rows(root)


def info(name: str | None = None) -> dict[str, dict[str, Any]] | None:
    """
    Return the definition of all volumes, or of one. None where gluster refuses.

    CLI Example:

    .. code-block:: bash

        salt g1 glusterfs.info data
    """
    root = _ask("volume_info") if name is None else _ask("volume_info_one", volume=name)
    return None if root is None else legacy.infos(root)


def start_volume(name: str, force: bool = False) -> bool:
    """
    Start a volume. True also where it is started; ``force`` starts bricks that are down.

    CLI Example:

    .. code-block:: bash

        salt g1 glusterfs.start_volume data
    """
    volume = (info(name) or {}).get(name)
    if volume is None:
        log.error("Cannot start non-existing volume %s", name)
        return False
    if not force and volume["status"] == "1":
        return True
    return _done("volume_start", volume=name, force=bool(force))


def stop_volume(name: str, force: bool = False) -> bool:
    """
    Stop a volume: its clients lose it. True also where it is stopped.

    CLI Example:

    .. code-block:: bash

        salt g1 glusterfs.stop_volume data
    """
    volume = (info() or {}).get(name)
    if volume is None:
        log.error("Cannot stop non-existing volume %s", name)
        return False
    if volume["status"] != "1":
        return True
    return _done("volume_stop", volume=name, force=bool(force))


def delete_volume(target: str, stop: bool = True) -> bool:
    """
    Delete a volume; the files stay in its bricks. ``stop=False`` refuses one that is started.

    CLI Example:

    .. code-block:: bash

        salt g1 glusterfs.delete_volume data
    """
    volume = (info() or {}).get(target)
    running = volume is not None and volume["status"] == "1"
    if volume is None or (running and not stop):
        why = "must be stopped before deletion" if volume else "does not exist"
        log.error("Volume %s %s", target, why)
        return False
    if running and not stop_volume(target, force=True):
        return False
    return _done("volume_delete", volume=target)


def add_volume_bricks(name: str, bricks: Any) -> bool:
    """
    Add bricks to a volume; those that it has are left out.

    CLI Example:

    .. code-block:: bash

        salt g1 glusterfs.add_volume_bricks data '["g3:/srv/b", "g4:/srv/b"]'
    """
    volume = (info() or {}).get(name)
    if volume is None:
        log.error("Volume %s does not exist, cannot add bricks", name)
        return False
    there = {brick["path"] for brick in volume["bricks"].values()}
    given = [bricks] if isinstance(bricks, str) else list(bricks)
    new = _bricks([brick for brick in given if brick not in there])
    return not new or _done("volume_add_brick", volume=name, bricks=new)


def enable_quota_volume(name: str) -> bool:
    """
    Enable quota on a volume.

    CLI Example:

    .. code-block:: bash

        salt g1 glusterfs.enable_quota_volume data
    """
    return _done("quota_enable", volume=name)


def disable_quota_volume(name: str) -> bool:
    """
    Disable quota on a volume; its limits are gone.

    CLI Example:

    .. code-block:: bash

        salt g1 glusterfs.disable_quota_volume data
    """
    return _done("quota_disable", volume=name)


def set_quota_volume(name: str, path: str, size: Any, enable_quota: bool = False) -> bool:
    """
    Limit the size of a directory of a volume.

    path
        The directory, as seen from the root of the volume: ``/`` is all of it.

    size
        ``10GB``, ``500MB``, or bytes.

    enable_quota
        Enable quota first.

    CLI Example:

    .. code-block:: bash

        salt g1 glusterfs.set_quota_volume data /home 10GB enable_quota=True
    """
    if enable_quota:
        enable_quota_volume(name)
    return _done("quota_limit_usage", volume=name, file=path, size=size)


def unset_quota_volume(name: str, path: str) -> bool:
    """
    Take the limit of a directory away.

    CLI Example:

    .. code-block:: bash

        salt g1 glusterfs.unset_quota_volume data /home
    """
    return _done("quota_remove", volume=name, file=path)


def list_quota_volume(name: str) -> dict[str, Any] | None:
    """
    Return the limits of a volume by path. None where gluster refuses, so where quota is disabled.

    CLI Example:

    .. code-block:: bash

        salt g1 glusterfs.list_quota_volume data
    """
    root = _ask("quota_list", volume=name)
    return None if root is None else legacy.limits(root)


def _refused() -> tuple[bool, str]:
    return False, __context__[WHY]


def get_op_version(name: str) -> Any:
    """
    Return the op-version of the pool, asked through a volume; ``(False, reason)`` on a refusal.

    CLI Example:

    .. code-block:: bash

        salt g1 glusterfs.get_op_version data
    """
    root = _ask("volume_get", volume=name, option="cluster.op-version")
    return _refused() if root is None else legacy.option_value(root)


def get_max_op_version() -> Any:
    """
    Return the highest op-version that all members can; ``(False, reason)`` on a refusal.

    CLI Example:

    .. code-block:: bash

        salt g1 glusterfs.get_max_op_version
    """
    version = _get_version()
    if version < (3, 10):
        told = ".".join(map(str, version))
        return False, f"Glusterfs version must be 3.10+.  Your version is {told}."
    root = _ask("pool_option", option="cluster.max-op-version")
    return _refused() if root is None else legacy.option_value(root)


def set_op_version(version: Any) -> Any:
    """
    Raise the op-version of the pool. There is no way back. ``(False, reason)`` on a refusal.

    CLI Example:

    .. code-block:: bash

        salt g1 glusterfs.set_op_version 100000
    """
    root = _ask("op_version_set", op_version=legacy.as_number(version))
    return _refused() if root is None else root.findtext("output")


def get_version() -> str:
    """
    Return the version of GlusterFS that is installed.

    CLI Example:

    .. code-block:: bash

        salt '*' glusterfs.get_version
    """
    return ".".join(map(str, _get_version()))
