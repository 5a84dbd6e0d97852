"""Show what automation did and proposes; approve, reject, acknowledge. Needs Consul.

Where Consul is comes from ``gluster_consul: {address, token, ca, cluster}`` in the master's
configuration or from the engine's own arguments; without either it is the agent of this machine.
"""

from salt.utils.user import get_specific_user

from salt_gluster.consul.pool import PoolClient
from salt_gluster.errors import or_error
from salt_gluster.master import approvals
from salt_gluster.master import journal as asked
from salt_gluster.master.operator import operator_name
from salt_gluster.render import render_journal, render_proposals

__virtualname__ = "gluster_remediation"


def __virtual__():
    return __virtualname__


def acknowledge(what="", by=""):
    """
    Say that you have looked: at the pool, at a node, or at an operation.

    Without ``what`` it is the pool: you have seen what was done by hand there, and automation need
    not wait for it any longer. Of a node or of what was done there it ends the cooldown; an
    operation that is frozen is closed.

    what
        A node's name, minion id or gluster uuid, or an operation's id.
    by
        Who says so, if it is another one: Salt's user and this machine are written all the same.

    CLI Example:

    .. code-block:: bash

        salt-run gluster_remediation.acknowledge
        salt-run gluster_remediation.acknowledge g3 by=ann
    """
    return _in_consul(lambda at: approvals.acknowledge(at, approvals.name_of(what), _who(by)))


def journal(limit=20):
    """
    Show what automation did: every operation with its outcome and its times, newest first.

    Also what operators ordered: approved, rejected, held, released, acknowledged, a maintenance, a
    risk accepted. Each line names who: Salt's user and the machine, or the policy.

    ``--out json`` gives the data.

    CLI Example:

    .. code-block:: bash

        salt-run gluster_remediation.journal limit=5
    """
    return _shown(lambda at: asked.journal(at, limit), render_journal)


def proposals():
    """
    Show what waits for a yes, and what speaks against each now.

    A node that has registered, that a glob of ``nodes`` means and that nobody has accepted yet is
    one: its id is its name.

    ``--out json`` gives the data.

    CLI Example:

    .. code-block:: bash

        salt-run gluster_remediation.proposals
    """
    return _shown(asked.proposals, render_proposals)


def approve(id="", by=""):
    """
    Say yes to one proposal. It is carried out when every guard still says yes.

    A node may be in the pool from then on; its next highstate, and that of the others, takes it in.

    id
        As ``proposals`` shows it; of a node its name.

    CLI Example:

    .. code-block:: bash

        salt-run gluster_remediation.approve 4c1e90ab12de34f0
        salt-run gluster_remediation.approve g6
    """
    return _in_consul(lambda at: approvals.approve(at, approvals.name_of(id), _who(by)))


def reject(id="", reason="", by=""):
    """
    Say no to one proposal. It is closed, and not proposed again for the same incident.

    Of a node that was accepted, that is taken back, and nothing is done to the node: a glob does
    not mean it any more, and taking it out of the pool is yours.

    CLI Example:

    .. code-block:: bash

        salt-run gluster_remediation.reject 4c1e90ab12de34f0 reason='the disk is being changed'
    """
    words = (approvals.name_of(id), _who(by), str(reason))
    return _in_consul(lambda at: approvals.reject(at, *words))


def _who(by):
    return operator_name(get_specific_user(), by)


def _in_consul(do):
    def ask():
        with PoolClient(approvals.settings_of(__opts__)) as at:
            return do(at)

    return or_error(ask)


def _shown(ask, render):
    as_data = __opts__.get("output")
    return or_error(lambda: asked.shown(__opts__, ask, render, as_data=as_data))
