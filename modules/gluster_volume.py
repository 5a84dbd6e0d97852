"""Read volumes, and create, start, stop, grow or delete one.

Adapters only: reads are ``salt_gluster.minion.query``, changes ``salt_gluster.minion.adhoc``.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from salt.exceptions import CommandExecutionError

from salt_gluster.errors import errors_as
from salt_gluster.minion import adhoc, volume
from salt_gluster.minion import volume as minion_volume
from salt_gluster.minion.context import Minion
from salt_gluster.minion.order import ordered

if TYPE_CHECKING:
    from collections.abc import Iterator

__virtualname__ = "gluster_volume"
__func_alias__ = {"list_": "list"}


def __virtual__():
    """Load on Linux."""
    if __grains__.get("kernel", "Linux") != "Linux":
        return False, "GlusterFS servers run on Linux only"
    return __virtualname__


def list_() -> list[str]:
    """
    List the names of all volumes.

    Changes: no. Takes the cluster lock: no.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_volume.list
    """
    with _minion() as minion:
        return volume.volume_names(minion)


def info(name: str | None = None) -> dict[str, Any]:
    """
    Show the definition of a volume, or name -> definition of all: id, shape, sets, options.

    ``is_broken`` marks half a volume that a failed create left.

    Changes: no. Takes the cluster lock: no.

    name
        The volume; all without it.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_volume.info data
    """
    with _minion() as minion:
        return volume.volumes(minion, name)


def status(name: str) -> dict[str, Any]:
    """
    Show every brick of a started volume (port, pid, ``up`` or not), its daemons and tasks.

    A brick is up when it is online **and** has a port. One whose node is away is
    ``unknown``: gluster leaves its row out.

    Changes: no. Takes the cluster lock: yes.

    name
        The volume.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_volume.status data
    """
    with _minion() as minion:
        return volume.volume_status(minion, name)


def detail(name: str) -> dict[str, Any]:
    """
    Show bytes and inodes, total and free, of every brick's file system.

    Changes: no. Takes the cluster lock: yes.

    name
        The volume.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_volume.detail data
    """
    with _minion() as minion:
        return volume.volume_space(minion, name)


def clients(name: str) -> dict[str, Any]:
    """
    Show who uses a volume: every brick's clients, with bytes read and written.

    The daemons of gluster itself are clients too.

    Changes: no. Takes the cluster lock: yes.

    name
        The volume.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_volume.clients data
    """
    with _minion() as minion:
        return volume.volume_clients(minion, name)


def rebalance_status(name: str) -> dict[str, Any]:
    """
    Show how far the rebalance of a volume is, node by node and in sum.

    ``completed`` is true only when every node has completed without a failed file.

    Changes: no. Takes the cluster lock: yes.

    name
        The volume.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_volume.rebalance_status data
    """
    with _minion() as minion:
        return volume.rebalance_status(minion, name)


def create(
    name: str,
    bricks: Any = None,
    replica: int | None = None,
    start: bool = False,
    test: bool | None = None,
    accept: Any = "",
    reason: str = "",
    **shape: Any,
) -> dict[str, Any]:
    """
    Create a volume. Returns ``changes`` (the same in test mode) and ``comment``.

    Run twice it changes nothing. A volume of that name with another shape, or one that would
    have to grow, is refused. Without bricks they are chosen among the pillar's nodes. Every other
    node with a brick has to have said within five minutes that it fits: its state does, or
    ``gluster_brick.prepare`` there.

    Changes: yes. Takes the cluster lock: yes, if the volume is not as ordered.

    name
        The new volume. Without any other argument the pillar's volume of that name is made.

    bricks
        ``HOST:PATH`` of every brick, set by set; ``g[1-3]:/srv/gluster/data/1`` is a range.

    replica
        Copies, arbiter included.

    start
        Start it as well.

    shape
        ``arbiter``, ``disperse`` (``4+2``), ``options``, ``only``, ``except``, ``accept_risk``.

    test
        Say what would change. Default: the minion's own ``test``.

    accept, reason
        Names of refusals that you accept for this order, comma separated, and why; it is logged.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_volume.create data replica=3 bricks='["g[1-3]:/srv/gluster/data/1"]'
        salt g1 gluster_volume.create data start=True test=True
    """
    with _minion(test, "create", locals(), shape) as minion:
        return minion_volume.create(
            minion, name, {"bricks": bricks, "replica": replica, **shape}, start=start
        )


def start(
    name: str, test: bool | None = None, accept: Any = "", reason: str = ""
) -> dict[str, Any]:
    """
    Start a volume and read back that every brick serves.

    Changes: yes. Takes the cluster lock: yes, if it is not started.

    name
        The volume.

    test
        Say what would change. Default: the minion's own ``test``.

    accept, reason
        Names of refusals that you accept for this order, comma separated, and why; it is logged.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_volume.start data
    """
    with _minion(test, "start", locals()) as minion:
        return minion_volume.start(minion, name)


def stop(
    name: str, confirm: str = "", test: bool | None = None, accept: Any = "", reason: str = ""
) -> dict[str, Any]:
    """
    Stop a volume. All its clients lose it.

    Changes: yes. Takes the cluster lock: yes, if it is started.

    name
        The volume.

    confirm
        The id of the volume, so that a new one under the old name survives an old script.

    test
        Say what would change. Default: the minion's own ``test``.

    accept, reason
        Names of refusals that you accept for this order, comma separated, and why; it is logged.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_volume.stop old confirm=3d9a7c1e-6c5a-4c0b-9f5e-0d6c0a8a6c11
    """
    with _minion(test, "stop", locals()) as minion:
        return minion_volume.stop(minion, name, confirm)


def delete(
    name: str, confirm: str = "", test: bool | None = None, accept: Any = "", reason: str = ""
) -> dict[str, Any]:
    """
    Stop and delete a volume. Its bricks keep their files.

    Changes: yes. Takes the cluster lock: yes, if it is there.

    name
        The volume.

    confirm
        The id of the volume.

    test
        Say what would change. Default: the minion's own ``test``.

    accept, reason
        Names of refusals that you accept for this order, comma separated, and why; it is logged.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_volume.delete old confirm=3d9a7c1e-6c5a-4c0b-9f5e-0d6c0a8a6c11
    """
    with _minion(test, "delete", locals()) as minion:
        return minion_volume.delete(minion, name, confirm)


def add_bricks(
    name: str,
    bricks: Any,
    replica: int | None = None,
    arbiter: bool = False,
    accept_risk: Any = None,
    test: bool | None = None,
    accept: Any = "",
    reason: str = "",
) -> dict[str, Any]:
    """
    Add sets of bricks to a volume, or with a higher ``replica`` a member to each of its sets.

    Bricks that it has already are left out, so that run twice it changes nothing. Old files stay
    where they are until a rebalance.

    Changes: yes. Takes the cluster lock: yes, if one of the bricks is new.

    name
        The volume.

    bricks
        ``HOST:PATH`` of the new bricks: set by set, or one for each set in their order.

    replica
        The new number of copies.

    arbiter
        The new member of each set is an arbiter (from replica 2, with ``replica=3``).

    accept_risk
        ``[root_disk]`` allows bricks on the root file system, ``[replica2]`` two copies.

    test
        Say what would change. Default: the minion's own ``test``.

    accept, reason
        Names of refusals that you accept for this order, comma separated, and why; it is logged.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_volume.add_bricks data '["g[4-6]:/srv/gluster/data/1"]' test=True
    """
    with _minion(test, "add_bricks", locals()) as minion:
        return minion_volume.add_bricks(
            minion, name, bricks, replica=replica, arbiter=arbiter, accept_risk=accept_risk
        )


def profile(name: str) -> dict[str, Any]:
    """
    Show how often each file operation came to each brick, and how long it took.

    ``profile_start`` comes first. Latencies are in nanoseconds, counted since then.

    Changes: no. Takes the cluster lock: yes.

    name
        The volume.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_volume.profile data
    """
    with _minion() as minion:
        return volume.volume_profile(minion, name)


def profile_start(
    name: str, test: bool | None = None, accept: Any = "", reason: str = ""
) -> dict[str, Any]:
    """
    Start counting the file operations of a volume. It costs a little speed.

    Changes: yes. Takes the cluster lock: yes, if it is not counting.

    name
        The volume.

    test
        Say what would change. Default: the minion's own ``test``.

    accept, reason
        Names of refusals that you accept for this order, comma separated, and why; it is logged.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_volume.profile_start data
    """
    with _minion(test, "profile_start", locals()) as minion:
        return minion_volume.profile(minion, name, on=True)


def profile_stop(
    name: str, test: bool | None = None, accept: Any = "", reason: str = ""
) -> dict[str, Any]:
    """
    Stop counting the file operations of a volume.

    Changes: yes. Takes the cluster lock: yes, if it is counting.

    name
        The volume.

    test
        Say what would change. Default: the minion's own ``test``.

    accept, reason
        Names of refusals that you accept for this order, comma separated, and why; it is logged.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_volume.profile_stop data
    """
    with _minion(test, "profile_stop", locals()) as minion:
        return minion_volume.profile(minion, name, on=False)


def log_rotate(
    name: str,
    brick: str | None = None,
    test: bool | None = None,
    accept: Any = "",
    reason: str = "",
) -> dict[str, Any]:
    """
    Let the bricks of a started volume begin new log files.

    Changes: yes (log files). Takes the cluster lock: yes.

    name
        The volume.

    brick
        ``HOST:PATH``; all bricks without it.

    test
        Say what would change. Default: the minion's own ``test``.

    accept, reason
        Names of refusals that you accept for this order, comma separated, and why; it is logged.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_volume.log_rotate data
    """
    with _minion(test, "log_rotate", locals()) as minion:
        return adhoc.run_once(minion, "volume_log_rotate", name, brick=brick)


def statedump(
    name: str, what: str | None = None, test: bool | None = None, accept: Any = "", reason: str = ""
) -> dict[str, Any]:
    """
    Let the bricks of a started volume write their state to files, on their nodes.

    The files lie in the directory that ``server.statedump-path`` names (``/var/run/gluster``).

    Changes: yes (dump files). Takes the cluster lock: yes.

    name
        The volume.

    what
        One of all, mem, iobuf, callpool, priv, fd, inode, history.

    test
        Say what would change. Default: the minion's own ``test``.

    accept, reason
        Names of refusals that you accept for this order, comma separated, and why; it is logged.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_volume.statedump data what=fd
    """
    with _minion(test, "statedump", locals()) as minion:
        return adhoc.run_once(minion, "volume_statedump", name, dump=what)


@contextlib.contextmanager
def _minion(
    test: bool | None = None, function: str = "", given: Any = None, more: Any = None
) -> Iterator[Minion]:
    """Give the minion, with its order if it is one; the library's errors become Salt's."""
    opts = __opts__ if test is None else {**__opts__, "test": test}
    with errors_as(CommandExecutionError):
        order = ordered(f"{__virtualname__}.{function}", given, more) if function else None
        yield Minion(opts, __salt__, __context__, __pillar__, order=order)
