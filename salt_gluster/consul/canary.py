"""Read or create a cluster's canary, and note on this machine that it was seen.

It tells a wiped Consul from a new one. A file, because it must outlive Consul.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from salt_gluster.consul.client import Client
from salt_gluster.consul.keys import Keys
from salt_gluster.node.files import write_atomically

FOLDER = "/var/lib/salt-gluster"


class FileMarker:
    """One file per cluster below ``FOLDER``."""

    def __init__(self, folder: str | Path = FOLDER) -> None:
        self._folder = Path(folder)

    def _file(self, cluster: str) -> Path:
        return self._folder / f"canary-{cluster}"

    def seen(self, cluster: str) -> bool:
        """Whether the canary was seen from here before."""
        return self._file(cluster).exists()

    def highest_index(self, cluster: str) -> int:
        """Return the highest of Consul's numbers that was seen from here; 0 = none is known."""
        try:
            return max(0, int(self._index_file(cluster).read_text(encoding="ascii")))
        except (OSError, ValueError):
            return 0

    def keep_index(self, cluster: str, index: int) -> None:
        """Keep this number as the highest, also a lower one."""
        self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        write_atomically(self._index_file(cluster), f"{index}\n", 0o600)

    def _index_file(self, cluster: str) -> Path:
        return self._folder / f"index-{cluster}"

    def remember(self, cluster: str) -> None:
        """Write the note, once."""
        if not self.seen(cluster):
            self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            write_atomically(
                self._file(cluster),
                "Consul's canary of this cluster was seen here. Remove this file only after\n"
                "Consul was emptied on purpose.\n",
                0o644,
            )


def canary(client: Client, cluster: str, *, marker: bool, may_create: bool) -> str:
    """Return ``seen``, ``created``, ``absent`` or ``wiped`` (facts.md#K-5.4).

    ``marker``: this machine has seen it before. ``may_create``: it is the first of ``nodes``. The
    caller writes the marker after ``seen`` and ``created``; an engine never creates.
    """
    keys = Keys(cluster)
    if client.kv_get(keys.canary) is not None:
        return "seen"
    if marker:
        return "wiped"
    if not may_create:
        return "absent"
    made = client.kv_put(keys.canary, f'{{"cluster": "{cluster}"}}', cas=0)
    return "created" if made else "seen"


class Marker(Protocol):
    """The note on this machine that it has seen the canary of a cluster."""

    def seen(self, cluster: str) -> bool:
        """Whether it is there."""

    def remember(self, cluster: str) -> None:
        """Write it."""

    def highest_index(self, cluster: str) -> int:
        """Return the highest of Consul's numbers that was seen from here; 0 = none is known."""

    def keep_index(self, cluster: str, index: int) -> None:
        """Keep this number as the highest, also a lower one."""
