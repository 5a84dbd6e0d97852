"""Take the secrets that this node's pillar has now, while the master exchanges them."""

from __future__ import annotations

from collections.abc import Mapping

from salt_gluster.consul import agent, service
from salt_gluster.consul.client import connect
from salt_gluster.consul.keyring import fingerprint
from salt_gluster.errors import GlusterError
from salt_gluster.minion.automation import consul_agent
from salt_gluster.minion.automation.registration import NodeRegistration, load_registration
from salt_gluster.minion.context import Minion


def take(minion: Minion, own_pillar: object) -> dict[str, str]:
    """Bring the agent and our own file to the pillar's secrets; return the fingerprints of both.

    The service is registered again: its agent would speak for it by the former token.
    """
    if not isinstance(own_pillar, Mapping) or not own_pillar.get("tokens"):
        raise GlusterError("this node's pillar has no secrets of a Consul.", kind="needed",
                           hint="On the master: salt-run gluster.setup.")  # fmt: skip
    if minion.test:
        raise GlusterError("this minion's configuration says test: True.", kind="needed",
                           hint="Nothing was done. Take it out there.")  # fmt: skip
    done = consul_agent.deployed("gluster-consul-agent", minion, own_pillar)
    if done["result"] is not True:
        raise GlusterError(str(done["comment"]), kind="needed")
    if load_registration() is not None:
        registration = NodeRegistration(minion, minion.consul)
        service.register(registration.client, registration.member(), again=True)
    node_token = connect(minion.consul or {}).where.token
    agent_token = agent.configured().get("acl", {}).get("tokens", {}).get("agent", "")
    return {"agent": fingerprint(str(agent_token)), "node": fingerprint(node_token)}
