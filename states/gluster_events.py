"""Ensure that this node posts GlusterFS's own events to the master."""

from salt_gluster.minion.automation import event_webhook
from salt_gluster.minion.context import Minion
from salt_gluster.render import state_dict, state_or_error

__virtualname__ = "gluster_events"


def __virtual__():
    return __virtualname__


def webhook(name, url=None, token=None, prove=True, wait_s=30, **kwargs):
    """
    Ensure that this node posts GlusterFS's events to a webhook, and that one arrives.

    The daemon is enabled, runs, and knows the webhook; other webhooks stay. An event that this node
    sends itself must reach the receiver (the engine ``gluster_events``) within ``wait_s`` seconds.
    Address and token are the pillar's, ``gluster_consul:webhook``, unless they are given here;
    without either there is nothing to do.

    Changes: yes, on this node. Takes the cluster lock: no.

    prove
        ``False`` for a webhook that is not ours: it is only registered.

    .. code-block:: yaml

        gluster-events:
          gluster_events.webhook:
            - url: http://10.0.0.5:24017/gluster
            - token: {{ pillar['events_token'] | json }}
    """

    def do(minion):
        from_pillar = (__pillar__.get("gluster_consul") or {}).get("webhook") or {}
        address, key = url or from_pillar.get("url"), token or from_pillar.get("token")
        if not address:
            return state_dict(name, True, {}, "no webhook is handed out here: nothing to do")
        return event_webhook.subscribed(name, minion, address, key, prove=prove, wait_s=wait_s)

    return _with_minion(name, do)


def webhook_absent(name, url=None, **kwargs):
    """
    Ensure that this node posts nothing to a webhook. Other webhooks stay.

    Changes: yes, on this node. Takes the cluster lock: no.

    .. code-block:: yaml

        http://10.0.0.4:24017/gluster:
          gluster_events.webhook_absent: []
    """
    return _with_minion(name, lambda minion: event_webhook.unsubscribed(name, minion, url or name))


def _with_minion(name, do):
    return state_or_error(name, lambda: do(Minion(__opts__, __salt__, __context__, __pillar__)))
