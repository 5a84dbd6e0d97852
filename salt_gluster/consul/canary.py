"""The note on this machine that it has seen a cluster's canary (backbone.md 3).

It tells a wiped Consul from a new one. A file, because it must outlive Consul.
"""

from __future__ import annotations

from pathlib import Path

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

    def remember(self, cluster: str) -> None:
        """Write the note, once."""
        if not self.seen(cluster):
            self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            self._file(cluster).write_text(
                "Consul's canary of this cluster was seen here. Remove this file only after\n"
                "Consul was emptied on purpose.\n",
                encoding="utf-8",
            )
