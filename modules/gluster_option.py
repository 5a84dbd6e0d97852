"""Read and set the options of a volume, and say what a value would do.

Adapters only: reads are ``salt_gluster.minion.query``, changes ``salt_gluster.minion.adhoc``.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from salt.exceptions import CommandExecutionError

from salt_gluster import node
from salt_gluster.errors import errors_as
from salt_gluster.minion import option as minion_option
from salt_gluster.minion.context import Minion
from salt_gluster.minion.order import ordered

if TYPE_CHECKING:
    from collections.abc import Iterator

__virtualname__ = "gluster_option"
__func_alias__ = {"list_": "list", "set_": "set"}


def __virtual__():
    """Load on Linux."""
    if __grains__.get("kernel", "Linux") != "Linux":
        return False, "GlusterFS servers run on Linux only"
    return __virtualname__


def list_(name: str) -> dict[str, str]:
    """
    Show the options that are set on a volume; all others have their default.

    Changes: no. Takes the cluster lock: no.

    name
        The volume.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_option.list data
    """
    with _minion() as minion:
        return minion_option.options_set(minion, name)


def get(name: str, option: str) -> dict[str, Any]:
    """
    Show the effective value of an option and whether it is the default.

    Changes: no. Takes the cluster lock: no.

    name
        The volume.

    option
        Its name; ``ping-timeout`` is enough for ``network.ping-timeout``.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_option.get data network.ping-timeout
    """
    with _minion() as minion:
        return minion_option.option_value(minion, name, option)


def set_(
    name: str,
    options: Any = None,
    test: bool | None = None,
    accept: Any = "",
    reason: str = "",
    **more: Any,
) -> dict[str, Any]:
    """
    Set options of a volume, all in one call. Returns ``changes`` and ``comment``.

    A value that means what is there already (``64MB``, ``67108864``) is not sent. An option
    that can hurt who uses the volume is refused and says why.

    Changes: yes. Takes the cluster lock: yes, if one of them differs.

    name
        The volume.

    options
        Mapping of options to values.

    more
        Options as keywords.

    test
        Say what would change. Default: the minion's own ``test``.

    accept, reason
        Names of refusals that you accept for this order, comma separated, and why; it is logged.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_option.set data network.ping-timeout=20 performance.cache-size=64MB
        salt g1 gluster_option.set data options='{auth.allow: [198.18.0.1, 198.18.0.2]}' test=True
    """
    with _minion(test, "set", locals(), more) as minion:
        return minion_option.set_options(minion, name, minion_option.named(options, more))


def reset(
    name: str, option: str, test: bool | None = None, accept: Any = "", reason: str = ""
) -> dict[str, Any]:
    """
    Give one option its default again. There is no reset of all.

    Changes: yes. Takes the cluster lock: yes, if it is set.

    name
        The volume.

    option
        Its name; ``ping-timeout`` is enough for ``network.ping-timeout``.

    test
        Say what would change. Default: the minion's own ``test``.

    accept, reason
        Names of refusals that you accept for this order, comma separated, and why; it is logged.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_option.reset data network.ping-timeout
    """
    with _minion(test, "reset", locals()) as minion:
        return minion_option.reset_option(minion, name, option)


def validate(option: str, value: Any) -> dict[str, Any]:
    """
    Say whether gluster would take a value, what it means, and what setting it can do to users.

    ``hazard`` is that of a volume in use which has the default. Nothing is asked of gluster.

    Changes: no. Takes the cluster lock: no.

    option
        Its name; ``ping-timeout`` is enough for ``network.ping-timeout``.

    value
        The value as it would be set.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_option.validate performance.cache-size 64MiB
    """
    return minion_option.option_check(option, value)


def catalog(pattern: str = "*") -> dict[str, Any]:
    """
    Show the options gluster has: type, default, limits, choices, and ``scope`` (volume or pool).

    ``checked`` is false where gluster takes any value.

    Changes: no. Takes the cluster lock: no.

    pattern
        Part of the name, or a glob.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_option.catalog 'network.*'
    """
    with errors_as(CommandExecutionError):
        return minion_option.option_catalogue(pattern)


def profiles() -> dict[str, dict[str, str]]:
    """
    Show the option groups that GlusterFS ships (virt, samba …) and what each would set.

    Changes: no. Takes the cluster lock: no.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_option.profiles
    """
    return node.option_groups()


@contextlib.contextmanager
def _minion(
    test: bool | None = None, function: str = "", given: Any = None, more: Any = None
) -> Iterator[Minion]:
    """Give the minion, with its order if it is one; the library's errors become Salt's."""
    opts = __opts__ if test is None else {**__opts__, "test": test}
    with errors_as(CommandExecutionError):
        order = ordered(f"{__virtualname__}.{function}", given, more) if function else None
        yield Minion(opts, __salt__, __context__, __pillar__, order=order)
