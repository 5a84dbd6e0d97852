"""Exchange the gossip key of the pool's Consul from one of its servers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from salt_gluster.consul import agent, keyring
from salt_gluster.consul.client import Client
from salt_gluster.consul.settings import Access
from salt_gluster.errors import ConsulError, GlusterError


def exchange(own_pillar: object, phase: str, *, test: bool = False) -> dict[str, Any]:
    """Do one phase through the agent of this machine, by that agent's own token.

    ``own_pillar`` is what the pillar says of Consul; the new key is there while the master
    exchanges it, so that no job and no answer has it.
    """
    here = agent.configured()
    if not here.get("server"):
        raise GlusterError("this machine is no Consul server, and Consul takes this on its servers"
                           " only.", kind="needed")  # fmt: skip
    if test and phase != "look":
        raise GlusterError("this minion's configuration says test: True.", kind="needed",
                           hint="Nothing was done. Take it out there.")  # fmt: skip
    new = own_pillar.get("new_gossip_key") if isinstance(own_pillar, Mapping) else ""
    where = Access(f"http://{here['client_addr']}:8500", agent.own_token(here))
    client = Client(where)
    try:
        return keyring.exchange(client, phase, str(new or ""))
    except ConsulError as err:
        if err.kind != "forbidden":
            raise
        raise ConsulError(
            "this server's agent may not exchange the gossip key.", kind=err.kind, text=err.text,
            hint="salt-run gluster.setup grants it.",
        ) from err  # fmt: skip
    finally:
        client.close()
