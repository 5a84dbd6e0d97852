"""Read and write this node's part of Consul: service, report, members, leader.

Where Consul is comes from ``gluster_consul: {address, token, ca}`` in the minion's configuration,
or from ``CONSUL_HTTP_ADDR`` and its like; without either it is the agent on this machine.
"""

from salt.exceptions import CommandExecutionError

from salt_gluster.errors import errors_as
from salt_gluster.minion.context import Minion
from salt_gluster.spec.values import plain

__virtualname__ = "gluster_consul"


def __virtual__():
    return __virtualname__


def register(test=None):
    """
    Register this node: service, meta, checks; the first of ``nodes`` also the canary.

    Changes: yes, in Consul. Takes the cluster lock: no.

    test
        Say what would change. Default: the minion's own ``test``.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_consul.register
    """
    only_look = bool(__opts__.get("test") if test is None else test)
    with errors_as(CommandExecutionError):
        return {"changes": _place().register(test=only_look), "test": only_look}


def deregister():
    """
    Take this node's service off its agent. Reports and identity in the key store stay.

    Changes: yes, in Consul. Takes the cluster lock: no.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_consul.deregister
    """
    from salt_gluster.consul import service as registry
    from salt_gluster.minion.automation import registration

    with errors_as(CommandExecutionError):
        own = _place()
        is_registered = registry.SERVICE in own.client.agent_services()
        gone = {"service": {"old": registry.SERVICE, "new": None}} if is_registered else {}
        if not __opts__.get("test"):
            registration.delete_registration()
            registry.deregister(own.client)
        return {"changes": gone, "test": bool(__opts__.get("test"))}


def maintenance(reason="", remove=False, test=None, only=""):
    """
    Put Gluster on this node into Consul's own maintenance, or end it, through the agent here.

    Other services of the node are left alone. Automation keeps its hands off the node meanwhile.
    ``salt-run gluster_operation.maintenance`` also writes the pool's key, which this does not; only
    one begun there with an end is ended by automation, at that time.

    Changes: yes, in Consul. Takes the cluster lock: no.

    reason
        Why; what is in maintenance already keeps the reason it has.
    remove
        End it, also one of the whole node (``consul maint``).
    test
        Say what would change. Default: the minion's own ``test``.
    only
        End it only if this is its reason.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_consul.maintenance reason='a new disk (ann)'
        salt g1 gluster_consul.maintenance remove=True
    """
    from salt_gluster.consul import service as registry
    from salt_gluster.consul.client import connect

    only_look = bool(__opts__.get("test") if test is None else test)
    with errors_as(CommandExecutionError):
        client = connect(__opts__.get("gluster_consul") or {})
        if remove:
            changes = registry.end_maintenance(client, str(only), test=only_look)
        else:
            changes = registry.set_maintenance(client, str(reason), test=only_look)
        return {"changes": changes, "test": only_look}


def identity(nonce):
    """
    Return this node's gluster uuid for its admission, proven by its own token for Consul.

    The master asks; it alone knows that token, too. ``proof`` is empty before the highstate has
    written the node's access.

    Changes: no. Takes the cluster lock: no.

    nonce
        The number that the master uses once.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_consul.identity n1
    """
    from salt_gluster.minion.automation import identity as own

    with errors_as(CommandExecutionError):
        return own.proven(__opts__["id"], str(nonce))


def report():
    """
    Write this node's own report into Consul, and return it.

    Changes: yes, one key in Consul. Takes the cluster lock: no.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_consul.report
    """
    with errors_as(CommandExecutionError):
        return _place().report()


def members():
    """
    Return the members of the pool as Consul has them: gluster uuid, node, minion, zone, versions.

    A node that is missing here is unknown, not removed.

    Changes: no. Takes the cluster lock: no.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_consul.members
    """
    with errors_as(CommandExecutionError):
        return _place().members()


def leader():
    """
    Return who leads the automation and with which epoch, and who leads Consul.

    Changes: no. Takes the cluster lock: no.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_consul.leader
    """
    with errors_as(CommandExecutionError):
        return _place().leader()


def leave(test=None):
    """
    Let the Consul agent of a machine that is no node any more leave, and take its access away.

    For one that the master had prepared and that has left ``nodes``; nothing is done to another. A
    server gives up its vote by its own word. Consul's data folder stays.

    Changes: yes, on this machine and in Consul. Takes the cluster lock: no.

    test
        Say what would change. Default: the minion's own ``test``.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_consul.leave
    """
    from salt_gluster.minion.automation import decommission

    only_look = bool(__opts__.get("test") if test is None else test)
    # As it is now, not as it was cached.
    own_pillar = __salt__["pillar.items"]().get("gluster_consul")
    with errors_as(CommandExecutionError):
        changes = decommission.leave(
            own_pillar, lambda name, *args: __salt__[name](*args), test=only_look
        )
    return {"changes": changes, "test": only_look}


def exchange_gossip(phase):
    """
    Do one phase of an exchange of the gossip key on all agents, through this Consul server.

    ``salt-run gluster_consul.exchange_gossip_key`` asks for the phases in their order. The new key
    is in this node's pillar while that runs; what is returned are numbers and fingerprints.

    Changes: yes, the keys of Consul's agents; ``look``: no. Takes the cluster lock: no.

    phase
        ``look``, ``install``, ``use`` or ``remove`` (all others).

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_consul.exchange_gossip look
    """
    from salt_gluster.minion.automation import gossip_exchange

    # As it is now, not as it was cached.
    own_pillar = __salt__["pillar.items"]().get("gluster_consul")
    with errors_as(CommandExecutionError):
        return gossip_exchange.exchange(own_pillar, str(phase), test=bool(__opts__.get("test")))


def take_secrets():
    """
    Take the tokens and the certificate that this node's pillar has now; nothing restarts.

    ``salt-run gluster_consul.exchange_secrets`` asks for it. Returned are fingerprints, by which
    the master sees that the former tokens may go.

    Changes: yes, the agent's files and the node's registration. Takes the cluster lock: no.

    CLI Example:

    .. code-block:: bash

        salt g1 gluster_consul.take_secrets
    """
    from salt_gluster.minion.automation import new_secrets

    own_pillar = plain(__salt__["pillar.items"]().get("gluster_consul") or {})
    with errors_as(CommandExecutionError):
        return new_secrets.take(Minion(__opts__, __salt__, __context__, __pillar__), own_pillar)


def master_agent(conf_file, test=None):
    """
    Bring about the Consul agent beside a master that does not run as root; this minion does.

    ``gluster.setup`` writes down which agent it wants, in the folder of the pool's secrets, and
    asks the minion of its own machine; no secret is in the job.

    Changes: yes, on this machine. Takes the cluster lock: no.

    conf_file
        The configuration file of the master.
    test
        Say what would change. Default: the minion's own ``test``.

    CLI Example:

    .. code-block:: bash

        salt-call --local gluster_consul.master_agent /etc/salt/master
    """
    from salt_gluster.master.deploy import deployment

    only_look = bool(__opts__.get("test") if test is None else test)
    call = Minion(__opts__, __salt__, __context__, {}).call
    with errors_as(CommandExecutionError):
        changes = deployment.bring_about_agent(str(conf_file), call, test=only_look)
        return {"changes": changes, "test": only_look}


def _place():
    from salt_gluster.minion.automation.registration import NodeRegistration

    minion = Minion(__opts__, __salt__, __context__, __pillar__)
    return NodeRegistration(minion, __opts__.get("gluster_consul"))
