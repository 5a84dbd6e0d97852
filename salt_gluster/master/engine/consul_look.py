"""Look at what automation itself stands on: which sensors are heard, how Consul's servers are.

The sensors' sessions are watched (``watches.py``) and cost nothing while none begins or ends; the
servers are asked for every quarter of a minute. Whom a leader has heard once stands in ``status``,
so that the next one misses him.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from salt_gluster.consul import server_health
from salt_gluster.consul.catalog import Catalog
from salt_gluster.consul.client import Client
from salt_gluster.consul.server_health import ServerLook
from salt_gluster.errors import ConsulError
from salt_gluster.model import NOT_ASKED, Unknown
from salt_gluster.remediation.observation import Certificate, ConsulHealth
from salt_gluster.status.certificates import certificates_in

log = logging.getLogger(__name__)

#: Between two looks at Consul's servers: what is wrong in both is told.
SERVERS_S = 15.0
#: Between two questions to nodes whose sensors are not heard: what they see, and what is wrong.
ASK_S = 60.0


class ConsulLook:
    """What one leader knows of it; ``monotonic`` is the engine's."""

    def __init__(self, client: Client, monotonic: Callable[[], float]) -> None:
        self._client, self._monotonic = client, monotonic
        self._known: frozenset[str] = frozenset()
        self._look = ServerLook()
        self._looked_at: float | None = None
        self._servers: Mapping[str, str] | Unknown = NOT_ASKED
        self._asked_at: float | None = None
        #: What nodes that are not heard said when they were asked last.
        self._says: dict[str, str] = {}

    def resume(self, status: Mapping[str, Any] | None) -> None:
        """Go on where the last leader was: ``status`` is what it told last."""
        heard = (status or {}).get("heard")
        rows = heard if isinstance(heard, list) else ()
        self._known = frozenset(u for u in rows if isinstance(u, str))
        self._looked_at, self._servers = None, NOT_ASKED

    def health(
        self, catalog: Catalog, sessions: frozenset[str] | None,
        reports: Mapping[str, Mapping[str, Any]], says: Mapping[str, str],
    ) -> ConsulHealth:  # fmt: skip
        """Return it. ``sessions``: the nodes, by Consul's names, that are heard; None = not read.

        ``says`` is what nodes that were asked say of their own trouble.
        """
        names = catalog.names
        heard: frozenset[str] | Unknown = NOT_ASKED
        if sessions is not None:
            by_node = catalog.by_node
            heard = frozenset(row[0] for node in sessions for row in by_node.get(node, ()))
            self._known = (self._known | heard) & names.keys()
        kept = self._known if isinstance(heard, Unknown) else self._known - heard
        self._says = {u: words for u, words in {**self._says, **says}.items() if u in kept}
        rows = (certificates_in(reports[u], names[u]) for u in sorted(reports) if u in names)
        certificates: tuple[Certificate, ...] = tuple(
            Certificate(what, node, since, until, (f"salt {node} state.apply gluster",))
            for found in rows for what, node, since, until in found
        )  # fmt: skip
        return ConsulHealth(self._known, heard, self._says, self._of_servers(), certificates)

    def _of_servers(self) -> Mapping[str, str] | Unknown:
        now = self._monotonic()
        if self._looked_at is not None and now - self._looked_at < SERVERS_S:
            return self._servers
        is_first, self._looked_at = self._looked_at is None, now
        try:
            before, self._look = self._look, server_health.look(self._client)
            if not is_first:
                self._servers = server_health.judged(before, self._look)
        except ConsulError as err:  # without the right nothing is known, as before
            log.debug("how Consul's servers are is not known: %s", err)
            self._servers = Unknown(str(err))
        return self._servers

    def is_due(self, unheard: frozenset[str]) -> bool:
        """Whether nodes that are not heard should be asked now; noted as asked where it is so."""
        now = self._monotonic()
        if not unheard or (self._asked_at is not None and now - self._asked_at < ASK_S):
            return False
        self._asked_at = now
        return True
