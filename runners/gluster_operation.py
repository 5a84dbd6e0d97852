"""Apply one plan, set a maintenance window, restore a node's glusterd."""

import time

import salt.client
from salt.utils.user import get_specific_user

from salt_gluster.errors import or_error
from salt_gluster.master import approvals, jobs, journal, minions, plans, restore
from salt_gluster.master import maintenance as node_maintenance
from salt_gluster.master.operator import operator_name
from salt_gluster.render import render_restore

__virtualname__ = "gluster_operation"


def __virtual__():
    return __virtualname__


def apply(plan_id, accept="", reason="", target="*"):
    """
    Have one member carry out the plan with this id, with the refusals you accept.

    The member plans again first; when the plan is another one by now, nothing is done.

    plan_id
        As a refused state and ``salt-run gluster.plan`` print it.
    accept
        Names of the refusals you accept, comma separated.
    reason
        Why; needed when something is accepted. Who accepted what, and why, is in the journal.

    CLI Example:

    .. code-block:: bash

        salt-run gluster_operation.apply 4c1e90ab accept=pool_whole reason='g3 is being rebuilt'
    """
    by = operator_name(get_specific_user())

    def note():
        pool = approvals.find(__opts__)
        approvals.note_accepted_risk(pool, str(plan_id), str(accept), by, str(reason))

    return or_error(lambda: plans.apply_plan(_ask, target, plan_id, accept, reason, note))


def maintenance(node, reason="", remove=False, by="", test=False, until=""):
    """
    Keep automation away from one node, or let it go on there.

    It is written twice, and either alone is enough: under the pool's own key in Consul, and as
    Consul's maintenance of Gluster on that node, by its own minion. Says where it stands and where
    it could not be written; the exit code is 1 then. Only an operator ends it, or the time that a
    person gave.

    node
        A node's name, minion id or gluster uuid.
    reason
        Why; needed to begin it.
    remove
        End it, whoever began it and by whichever way.
    by
        Who says so, if it is another one: Salt's user and this machine are written all the same.
    test
        Only show what would be written.
    until
        When it ends by itself, if it should: ``90m``, ``2h``, ``1d`` from now, or a time such as
        ``2026-12-24T18:00``, of this machine's zone unless it names one.

    CLI Example:

    .. code-block:: bash

        salt-run gluster_operation.maintenance g3 reason='a new disk'
        salt-run gluster_operation.maintenance g3 reason='a new disk' until=2h
        salt-run gluster_operation.maintenance g3 remove=True
    """
    who = (str(reason), operator_name(get_specific_user(), by), bool(remove), bool(test))

    def put():
        request = node_maintenance.MaintenanceRequest(
            *who, node_maintenance.end_of(until, time.time())
        )
        return node_maintenance.put(_ask, str(node), approvals.find(__opts__), request)

    return or_error(put)


def restore_config(node, confirm=""):
    """
    Give a node that has lost ``/var/lib/glusterd`` its identity and its volumes' definitions back.

    Shows what the stored configuration says of it (uuid, peers, bricks), whether the other members
    and the node itself say the same, and the exact files; nothing is done. With ``confirm`` the
    node writes them and starts its glusterd, and the pool is read back. Bricks that were lost too
    are filled by an operator afterwards; the commands are shown.

    node
        Its name, minion id or gluster uuid.
    confirm
        The uuid that the plan names.

    CLI Example:

    .. code-block:: bash

        salt-run gluster_operation.restore_config g3
        salt-run gluster_operation.restore_config g3 confirm=6798fc47-c029-463f-8655-d0fffcc2f018
    """

    def ask(at):
        return restore.restore(_ask, at, str(node), str(confirm))

    as_data = __opts__.get("output")
    return or_error(lambda: journal.shown(__opts__, ask, render_restore, as_data=as_data))


def _ask(target, function, *arguments, **named):
    with salt.client.get_local_client(mopts=__opts__) as client:
        return jobs.ask(client, target, function, arguments, named, silence_s=minions.SILENCE_S)
