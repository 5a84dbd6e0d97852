"""Read what is left to heal, launch a heal, wait for it, resolve split-brain.

Adapters only: reads are ``salt_gluster.minion.query``, changes ``salt_gluster.minion.adhoc``.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from salt.exceptions import CommandExecutionError

from salt_gluster.errors import errors_as
from salt_gluster.minion import adhoc, heal
from salt_gluster.minion.context import Minion
from salt_gluster.minion.order import ordered

if TYPE_CHECKING:
    from collections.abc import Iterator

__virtualname__ = "gluster_heal"


def __virtual__():
    """Load on Linux."""
    if __grains__.get("kernel", "Linux") != "Linux":
        return False, "GlusterFS servers run on Linux only"
    return __virtualname__


def info(name: str) -> dict[str, Any]:
    """
    List the entries to heal on every brick: path and gfid. A brick that is down is ``unknown``.

    Slow with many entries: 5 ms each. ``summary`` counts them.

    Changes: no. Takes the cluster lock: no.

    name
        The volume.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_heal.info data
    """
    with _minion() as minion:
        return heal.heal_entries(minion, name)


def summary(name: str) -> dict[str, Any]:
    """
    Count the entries to heal on every brick: ``pending`` (all), ``split_brain``, ``healing``.

    0 everywhere does not prove that a brick made again by hand holds the files.

    Changes: no. Takes the cluster lock: no.

    name
        The volume.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_heal.summary data
    """
    with _minion() as minion:
        return heal.heal_summary(minion, name)


def split_brain(name: str) -> dict[str, Any]:
    """
    List the files in split-brain on every brick: their copies contradict each other.

    They never heal by themselves.

    Changes: no. Takes the cluster lock: no.

    name
        The volume.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_heal.split_brain data
    """
    with _minion() as minion:
        return heal.heal_entries(minion, name, "heal_split_brain")


def start(
    name: str, full: bool = False, test: bool | None = None, accept: Any = "", reason: str = ""
) -> dict[str, Any]:
    """
    Let the self-heal daemons look at once at what is to be healed.

    They do so every ten minutes by themselves.

    Changes: yes (files of bricks that lag behind). Takes the cluster lock: yes.

    name
        The volume.

    full
        Crawl the whole volume, for a brick that lost files without anybody noticing. Takes long.

    test
        Say what would change. Default: the minion's own ``test``.

    accept, reason
        Names of refusals that you accept for this order, comma separated, and why; it is logged.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_heal.start data
    """
    with _minion(test, "start", locals()) as minion:
        return adhoc.run_once(minion, "volume_heal_full" if full else "volume_heal", name)


def wait(name: str, timeout: float = 600) -> dict[str, Any]:
    """
    Wait until nothing is to be healed, three looks in a row. An error when the time is up.

    A brick that is down counts as not healed.

    Changes: no. Takes the cluster lock: no.

    name
        The volume.

    timeout
        Seconds.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_heal.wait data 3600
    """
    with _minion() as minion:
        return heal.wait_healed(minion, name, timeout)


@contextlib.contextmanager
def _minion(
    test: bool | None = None, function: str = "", given: Any = None, more: Any = None
) -> Iterator[Minion]:
    """Give the minion, with its order if it is one; the library's errors become Salt's."""
    opts = __opts__ if test is None else {**__opts__, "test": test}
    with errors_as(CommandExecutionError):
        order = ordered(f"{__virtualname__}.{function}", given, more) if function else None
        yield Minion(opts, __salt__, __context__, __pillar__, order=order)
