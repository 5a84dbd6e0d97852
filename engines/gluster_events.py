"""Take GlusterFS's own events on a master, and wake the leader of the automation with them.

``engines: [gluster_events: {}]`` is enough where ``salt-run gluster.setup`` prepared the pool's
Consul: it chose the address, and the nodes get it with the token. Elsewhere both are given here, or
under ``gluster_events`` of the configuration, ``{address: 10.0.0.5, token: '…'}``, and to the nodes
by the state ``gluster_events.webhook``. Where Consul is comes from where it does for the engine
``gluster_consul``.
"""

import logging
import time

log = logging.getLogger(__name__)

__virtualname__ = "gluster_events"

#: Until somebody says where to listen.
PAUSE_S = 5


def __virtual__():
    return __virtualname__


def start(address=None, port=None, token=None, cluster=None):
    """
    Run for ever.

    Changes: yes, one key in Consul. Takes the cluster lock: no.

    CLI Example:

    .. code-block:: yaml

        engines:
          - gluster_events:
              address: 10.0.0.5
              token: 4f1c...
    """
    given = {"address": address, "port": port, "token": token, "cluster": cluster}
    last_error = ""
    while True:
        try:
            _receive({k: v for k, v in given.items() if v})
        except Exception as err:
            if last_error != (last_error := str(err)):
                log.warning("no events of GlusterFS are taken: %s", err)
        time.sleep(PAUSE_S)


def _receive(given):
    from salt_gluster.consul.client import connect
    from salt_gluster.master import approvals, event_receiver
    from salt_gluster.master.deploy import credentials

    consul = approvals.settings_of(__opts__)
    given_settings = {
        "cluster": consul.get("cluster"),
        **credentials.events_access(__opts__["conf_file"], consul.get("cluster") or ""),
        **(__opts__.get("gluster_events") or {}),
        **given,
    }
    if not given_settings.get("address") and not given:
        return  # nobody has said where: an existing Consul, or no pool yet
    settings = event_receiver.settings(given_settings)
    event_receiver.run(settings, __opts__["id"], lambda s: connect(consul, timeout_s=s))
