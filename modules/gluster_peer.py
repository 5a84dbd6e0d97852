"""List, probe, detach and restore the members of the pool.

Adapters only: reads are ``salt_gluster.minion.query``, changes ``salt_gluster.minion.adhoc``.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from salt.exceptions import CommandExecutionError

from salt_gluster.errors import errors_as
from salt_gluster.minion import peer as minion_peer
from salt_gluster.minion import restore as minion_restore
from salt_gluster.minion.context import Minion
from salt_gluster.minion.order import ordered
from salt_gluster.plan.restore import GlusterdIdentity
from salt_gluster.spec import values

if TYPE_CHECKING:
    from collections.abc import Iterator

__virtualname__ = "gluster_peer"
__func_alias__ = {"list_": "list"}


def __virtual__():
    """Load on Linux."""
    if __grains__.get("kernel", "Linux") != "Linux":
        return False, "GlusterFS servers run on Linux only"
    return __virtualname__


def status() -> list[dict[str, Any]]:
    """
    Show the members as this node sees them: uuid, names, state, and whether each is ``usable``.

    Only state 3 and connected is usable; a rejected member is shown as connected by gluster too.

    Changes: no. Takes the cluster lock: no.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_peer.status
    """
    with _minion() as minion:
        return minion_peer.peers(minion)


def list_() -> list[str]:
    """
    List the names of all members, this node's own among them.

    Changes: no. Takes the cluster lock: no.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_peer.list
    """
    with _minion() as minion:
        return minion_peer.peer_names(minion)


def uuid() -> str | dict[str, str] | None:
    """
    Show this node's uuid, None before it has one. glusterd is not asked.

    Changes: no. Takes the cluster lock: no.

    CLI Example:

    .. code-block:: bash

        salt '*' gluster_peer.uuid
    """
    with _minion() as minion:
        return minion_peer.own_uuid(minion)


def probe(
    host: str, test: bool | None = None, accept: Any = "", reason: str = ""
) -> dict[str, Any]:
    """
    Invite a node into the pool. Returns ``changes`` (the same in test mode) and ``comment``.

    The node itself is asked first: one with volumes or with peers of its own is refused. Where the
    pillar names it, only the first of its ``nodes`` begins a pool.

    Changes: yes. Takes the cluster lock: yes, if the node is no member.

    host
        Its host name or IPv4 address, as the pool shall know it.

    test
        Say what would change. Default: the minion's own ``test``.

    accept, reason
        Names of refusals that you accept for this order, comma separated, and why; it is logged.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_peer.probe g4
    """
    with _minion(test, "probe", locals()) as minion:
        return minion_peer.probe(minion, host)


def detach(
    host: str, test: bool | None = None, accept: Any = "", reason: str = ""
) -> dict[str, Any]:
    """
    Take a member out of the pool. One that holds bricks, or is away, is refused.

    Changes: yes. Takes the cluster lock: yes, if the node is a member.

    host
        Any name the pool knows it by.

    test
        Say what would change. Default: the minion's own ``test``.

    accept, reason
        Names of refusals that you accept for this order, comma separated, and why; it is logged.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_peer.detach g4 test=True
    """
    with _minion(test, "detach", locals()) as minion:
        return minion_peer.detach(minion, host)


def restore(
    uuid: str, op_version: int, peers: dict[str, str], volumes: list[str], test: bool | None = None
) -> dict[str, Any]:
    """
    Give this node back its uuid and its peers, which it has lost with ``/var/lib/glusterd``.

    Use ``salt-run gluster_operation.restore_config``, which knows them and asks the other members
    first. Refused where there is anything to lose: volumes, peers by another uuid, bricks that run,
    a hold. glusterd is stopped and started; what was there before is kept in a copy.

    Changes: yes. Takes the cluster lock: no.

    uuid, op_version
        What stands in ``glusterd.info``.

    peers
        uuid of each other member: the name that the pool knows it by.

    volumes
        Names of the volumes that have to be there afterwards.

    test
        Say what would change. Default: the minion's own ``test``.

    CLI Example:

    .. code-block:: bash

        salt g3 gluster_peer.restore UUID 100000 '{UUID: g1}' '[data]' test=True
    """
    with _minion(test) as minion:
        level = values.number(op_version, "op_version")
        members = values.mapping(peers, "peers")
        identity = GlusterdIdentity(str(uuid), minion.name, level, members)
        wanted = frozenset(values.words(volumes, "volumes"))
        return minion_restore.restore_identity(minion, identity, wanted)


@contextlib.contextmanager
def _minion(
    test: bool | None = None, function: str = "", given: Any = None, more: Any = None
) -> Iterator[Minion]:
    """Give the minion, with its order if it is one; the library's errors become Salt's."""
    opts = __opts__ if test is None else {**__opts__, "test": test}
    with errors_as(CommandExecutionError):
        order = ordered(f"{__virtualname__}.{function}", given, more) if function else None
        yield Minion(opts, __salt__, __context__, __pillar__, order=order)
