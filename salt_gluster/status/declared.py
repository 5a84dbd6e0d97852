"""Which declared volumes are not made, and what each node says of it, from their reports. Pure.

A report has under ``declared`` only what its node misses: volume -> ``says`` and ``why``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from salt_gluster.model import natural_key


def not_made(
    reports: Iterable[Mapping[str, Any]], volumes: Collection[str]
) -> dict[str, list[dict[str, Any]]]:
    """Return volume -> what stands in the way: ``nodes``, ``says`` and ``why``.

    ``volumes`` are those that the pool has, whatever an older report misses.
    """
    told: dict[str, dict[tuple[str, str], list[str]]] = {}
    for report in reports:
        missing = report.get("declared")
        for name, row in missing.items() if isinstance(missing, Mapping) else ():
            if name not in volumes and isinstance(row, Mapping):
                key = (str(row.get("says", "")), str(row.get("why", "")))
                told.setdefault(str(name), {}).setdefault(key, []).append(str(report["node"]))
    return {name: _rows(told[name]) for name in sorted(told, key=natural_key)}


def _rows(by_reason: Mapping[tuple[str, str], list[str]]) -> list[dict[str, Any]]:
    """Return what stands in the way; who only waits for it is left out."""
    waits = [key for key in by_reason if key[0] == "waits"]
    causes = [key for key in by_reason if key[0] not in ("waits", "")]
    return [
        {"nodes": sorted(by_reason[key], key=natural_key), "says": key[0], "why": key[1]}
        for key in sorted(causes or waits or by_reason)
    ]
