"""The versions of a pool's configuration, as ``gluster.history`` and ``gluster.diff`` show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from salt_gluster.consul.documents import Document
from salt_gluster.consul.pool import PoolClient
from salt_gluster.errors import ConsulError, NotFound
from salt_gluster.master.journal import _unknown
from salt_gluster.model import Unknown
from salt_gluster.spec import values
from salt_gluster.status.config_versions import differences


def history(pool: PoolClient, limit: Any) -> dict[str, Any]:
    """Return the newest versions of the configuration: who, when, why, and what became another."""
    limit = values.number(limit, "limit", "limit=20")
    number = pool.snapshot().version_number
    numbers = pool.store.version_numbers()
    wanted = [n for n in numbers if n <= number][::-1][: max(0, limit)]
    read = pool.store.versions(sorted({number, *wanted}))
    versions = {d.name: d.data for d in read if isinstance(d, Document)}
    current = versions.get(str(number), {})
    accepted = current.get("accepted") or (number if "spec" in current else None)
    return {
        "pool": pool.cluster, "total": len(numbers), "current": number or None,
        "accepted": accepted, "versions": [_version(n, versions.get(str(n))) for n in wanted],
    }  # fmt: skip


def _version(number: int, version: Mapping[str, Any] | None) -> dict[str, Any]:
    if version is None:
        return {"version": number, **_unknown("it cannot be read")}
    lost = version.get("overwritten") or {}
    return {
        "version": number, "at": version["at"], "by": version["by"], "why": version["why"],
        "differences": list(version.get("what") or ()),
        "overwritten_by": list(lost.get("nodes", ())),
    }  # fmt: skip


def current_version(pool: PoolClient) -> Document | None:
    """Return the version in force; None where nothing was stored yet."""
    number = pool.snapshot().version_number
    return pool.store.version(number) if number else None


def kept_version(pool: PoolClient, number: int | None) -> Document:
    """Return a version; ``NotFound`` names those that are kept."""
    version = None if number is None else pool.store.version(number)
    if version is None:
        raise _not_kept(number, pool.store.version_numbers())
    return version


def _not_kept(number: int | None, numbers: Sequence[int]) -> NotFound:
    kept = f"{numbers[0]} to {numbers[-1]}" if numbers else "none"
    return NotFound(f"there is no version {number}; kept are: {kept}.", kind="not_found",
                    hint="See: salt-run gluster.history.")  # fmt: skip


def diff(pool: PoolClient, first: int | None, second: int | None) -> dict[str, Any]:
    """Return what differs between two versions; by default between the last two.

    ``NotFound`` for a version that is not kept.
    """
    numbers = pool.store.version_numbers()
    if first is None and len(numbers) < 2:
        raise NotFound(f"{len(numbers)} versions are kept: there are no two to compare.",
                       kind="not_found", hint="See: salt-run gluster.history.")  # fmt: skip
    b = numbers[-1] if second is None and numbers else second
    before = [n for n in numbers if n < (b or 0)]
    a = (before[-1] if before else None) if first is None else first
    read = pool.store.versions(sorted({n for n in (a, b) if n is not None}))
    versions = {d.name: d.data for d in read if isinstance(d, Document)}
    for broken in (d for d in read if isinstance(d, Unknown)):
        raise ConsulError(broken.why, kind="unreadable")
    for number in (a, b):
        if str(number) not in versions:
            raise _not_kept(number, numbers)
    old, new = versions[str(a)], versions[str(b)]
    about = ("version", "at", "by", "why")
    return {
        "pool": pool.cluster,
        "from": {k: old[k] for k in about}, "to": {k: new[k] for k in about},
        "differences": [d.to_data() for d in differences(old, new)],
    }  # fmt: skip
