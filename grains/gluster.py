"""Import the library once, in the minion itself, so that its jobs need not.

A minion forks a process for each job. What the minion has imported is there at once and shared
with it; what it has not, each job imports anew. Grains are what Salt loads of an extension in the
process that forks (facts.md#S-11.1).

There is no grain in it: nothing is collected, and nothing can fail a minion's start.
"""

import importlib
import logging

log = logging.getLogger(__name__)

__virtualname__ = "gluster"

#: What the files of ``modules/`` and ``states/`` import, at their top or when they are called; the
#: rest comes with it. A node that leaves Consul does so once: that is not here.
USED_BY_JOBS = (
    "salt_gluster.minion.adhoc",
    "salt_gluster.minion.automation.consul_agent",
    "salt_gluster.minion.automation.engine_config",
    "salt_gluster.minion.automation.event_webhook",
    "salt_gluster.minion.automation.registration",
    "salt_gluster.minion.automation.remediate",
    "salt_gluster.minion.automation.witness",
    "salt_gluster.minion.converge",
    "salt_gluster.minion.heal",
    "salt_gluster.minion.install",
    "salt_gluster.minion.mounts",
    "salt_gluster.minion.option",
    "salt_gluster.minion.peer",
    "salt_gluster.minion.report",
    "salt_gluster.minion.restore",
    "salt_gluster.minion.volume",
    "salt_gluster.node.disks",
    "salt_gluster.render",
)


def __virtual__():
    return __virtualname__


def preload():
    """
    Import what jobs use and return no grain.

    ``salt-call`` runs one function in the process that loads the grains, and a master none of ours
    as a job: neither has a use for it.

    Changes: no. Takes the cluster lock: no.

    CLI Example:

    .. code-block:: bash

        salt '*' saltutil.refresh_grains
    """
    if __opts__.get("__role") == "minion" and not __opts__.get("fun"):
        for name in USED_BY_JOBS:
            try:
                importlib.import_module(name)
            except Exception:
                # The job that needs it says what is wrong; a minion starts whatever we have broken.
                log.debug("%s is not imported beforehand", name, exc_info=True)
    return {}
