"""Observe this node, and execute an operation, for the engine of the automation.

Operators do not need these: theirs is ``salt-run gluster_remediation``.
"""

from salt.exceptions import CommandExecutionError

from salt_gluster.errors import errors_as
from salt_gluster.minion.context import Minion

__virtualname__ = "gluster_remediation"


def __virtual__():
    return __virtualname__


def observe(ports=None, nonce=""):
    """
    Return this node's own report, afresh, and which of these ports accept a connection from here.

    The report is written to Consul too, where Consul answers. Works without Consul and pillar.

    Changes: no, but for the node's report in Consul. Takes the cluster lock: no.

    ports
        A list of ``[uuid, path, host, port]``; each is tried for 3 s, all at once.

    nonce
        A word of the leader's. The answer is written to Consul beside it, by this node's own right,
        and not returned: any minion can put an answer of any other on the master's bus.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_remediation.observe ports='[["…", "/b/1", "g2", 49152]]'
    """
    from salt_gluster.minion.automation.witness import observe as look_around

    with errors_as(CommandExecutionError):
        settings = __opts__.get("gluster_consul") or {}
        return look_around(_minion().driver(), settings, ports or (), str(nonce))


def execute(operation):
    """
    Carry out the operation with this id, if it names this node and nothing speaks against it.

    What is done, to what and until when stands in Consul; the id is only a reason to look there.
    Asking twice does nothing twice.

    Changes: yes, it may start brick processes. Takes the cluster lock: yes.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_remediation.execute 5d0c9a7be1f24c30
    """
    from salt_gluster.minion.automation.remediate import carry_out

    with errors_as(CommandExecutionError):
        settings, only_tells = __opts__.get("gluster_consul") or {}, bool(__opts__.get("test"))
        return carry_out(str(operation), _minion().driver(), settings, only_tells=only_tells)


def _minion():
    return Minion(__opts__, __salt__, __context__)
