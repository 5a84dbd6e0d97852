"""The session by which a sensor is heard: it lasts as long as the sensor can publish what it sees.

The checks of a node cannot tell that: an agent without a valid token or certificate keeps what it
is told to itself, and the catalog shows what was true last. A session is renewed at Consul's
leader, without a write, and ends there by itself after twice its TTL (facts.md#K-4.1). It belongs
to the node of its agent: a token has the right to sessions of its own node alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from salt_gluster.consul.client import Client
from salt_gluster.errors import ConsulError

log = logging.getLogger(__name__)


def name_of(cluster: str) -> str:
    """Return the name of every sensor's session of a pool."""
    return f"salt-gluster sensor {cluster}"


def nodes_heard(rows: Iterable[Mapping[str, Any]], cluster: str) -> frozenset[str]:
    """Return the nodes, by Consul's names, whose sensors have a session."""
    name = name_of(cluster)
    return frozenset(str(row.get("Node", "")) for row in rows if row.get("Name") == name)


class SensorSession:
    """The session of one life of a sensor. Without the right to one it goes on unheard."""

    def __init__(self, client: Client, cluster: str, ttl_s: int) -> None:
        self._client, self._name, self._ttl_s = client, name_of(cluster), ttl_s
        self._session = ""
        self._may = True

    def renew(self) -> None:
        """Renew it, or make one; ``ConsulError`` where Consul does not answer."""
        if not self._may:
            return
        try:
            if self._session:
                self._client.session_renew(self._session)
                return
        except ConsulError as err:
            if err.kind != "not_found":
                raise
        try:
            self._session = self._client.session_create(
                self._name, ttl_s=self._ttl_s, lock_delay_s=0
            )
        except ConsulError as err:
            if err.kind != "forbidden":
                raise
            self._may = False
            log.warning("no session for this sensor, so nobody notices when it ends: %s", err)
