"""One pool in Consul as a master sees it: its client, its documents, its members.

Opening it reads a snapshot, which proves by the canary that it is this pool and that the token may
read it: without the canary neither an answer nor a missing key proves anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from salt_gluster.consul import queries, service
from salt_gluster.consul.canary import FileMarker
from salt_gluster.consul.catalog import believe
from salt_gluster.consul.client import Client, connect
from salt_gluster.consul.cluster_snapshot import ClusterSnapshot
from salt_gluster.consul.store import Store
from salt_gluster.errors import ConsulError

#: How long an agent may take for an answer to an operator.
TIMEOUT_S = 5.0
_ALONE = (
    "Say where it is in the master's configuration: gluster_consul: {address: …}; without it the"
    " agent of this machine is asked."
)


class PoolClient:
    """One pool in Consul; raises ``ConsulError`` where there is nothing to ask.

    ``reports``: read the nodes' reports with the first snapshot. ``client`` is for tests.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        *,
        reports: bool = False,
        now: Callable[[], float] = time.time,
        marker: FileMarker | None = None,
        client: Client | None = None,
    ) -> None:
        self.now = now
        self._marker = marker or FileMarker()
        self.client: Client = client or connect(settings, timeout_s=TIMEOUT_S)
        try:
            first = self._open(str(settings.get("cluster") or ""), reports)
        except ConsulError as err:
            if err.kind != "unreachable" or settings.get("address"):
                raise
            raise ConsulError(err.message, kind=err.kind, text=err.text, hint=_ALONE) from err
        self._first: ClusterSnapshot | None = first
        self._admitted = first.admitted
        self.cluster = first.keys.cluster
        self.store = Store(self.client, self.cluster)

    def _open(self, named: str, reports: bool) -> ClusterSnapshot:
        """Return the snapshot of the pool: as configured, ``main``, or the only one there is."""
        wanted = named or "main"
        snapshot = ClusterSnapshot.read(self.client, wanted, reports=reports)
        if snapshot.has_canary:
            return snapshot
        clusters = self._clusters()
        if len(clusters) == 1 and not named:
            return ClusterSnapshot.read(self.client, clusters[0], reports=reports)
        if self._marker.seen(wanted):
            raise ConsulError(
                f"Consul has lost what the pool {wanted} had written there: the canary is gone.",
                kind="wiped", hint="Restore a snapshot; see gluster_consul.registered.",
            )  # fmt: skip
        others = ""
        if clusters:
            others = f" It knows {', '.join(clusters)}: gluster_consul: {{cluster: …}}."
        raise ConsulError(
            f"Consul knows no pool {wanted}, or the token has no right to read it.", kind="absent",
            hint="Its nodes register with the state gluster_consul.registered." + others,
        )  # fmt: skip

    def _clusters(self) -> list[str]:
        """Return the pools that Consul knows, as far as the token may see them."""
        try:
            keys = self.client.kv_keys("gluster/")
        except ConsulError as err:
            if err.kind != "forbidden":
                raise
            return []  # it is for one pool alone
        return sorted({k.split("/")[1] for k in keys if k.endswith("/canary")})

    def snapshot(self, *, reports: bool = False) -> ClusterSnapshot:
        """Return what stands in Consul: for the first question as it was read at the opening."""
        first, self._first = self._first, None
        if first is not None and (first.has_reports or not reports):
            return first
        return ClusterSnapshot.read(self.client, self.cluster, reports=reports)

    def members(self) -> list[service.Member]:
        """Return the pool's members: as the master admitted them, else as the catalog says."""
        rows = service.members(queries.registered(self.client, consistent=True).data)
        return believe(rows, self.cluster, self._admitted)[0]

    def close(self) -> None:
        """Give the connections back."""
        self.client.close()

    def __enter__(self) -> PoolClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
