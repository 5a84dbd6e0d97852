"""The versions of a pool's configuration, as ``gluster.history`` and ``gluster.diff`` show them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from salt_gluster.consul.store import Document
from salt_gluster.errors import NotFound
from salt_gluster.master.approvals import Desk
from salt_gluster.master.journal import _unknown
from salt_gluster.status.config_versions import differences


def history(desk: Desk, limit: int) -> dict[str, Any]:
    """Return the newest versions of the configuration: who, when, why, and what became another."""
    numbers = desk.store.version_numbers()
    current = desk.store.current()
    number = 0 if current is None else int(current.data["version"])
    wanted = [n for n in numbers if n <= number][::-1][: max(0, limit)]
    found = {
        d.name: d.data for d in desk.store.versions(wanted) if isinstance(d, Document)
    }  # fmt: skip
    said = {} if current is None else current.data
    accepted = said.get("accepted") or (number if "spec" in said else None)
    return {
        "pool": desk.cluster, "total": len(numbers), "current": number or None,
        "accepted": accepted, "versions": [_version(n, found.get(str(n))) for n in wanted],
    }  # fmt: skip


def _version(number: int, said: Mapping[str, Any] | None) -> dict[str, Any]:
    if said is None:
        return {"version": number, **_unknown("it cannot be read")}
    lost = said.get("overwritten") or {}
    return {
        "version": number, "at": said["at"], "by": said["by"], "why": said["why"],
        "differences": list(said.get("what") or ()), "overwritten_by": list(lost.get("nodes", ())),
    }  # fmt: skip


def kept_version(desk: Desk, number: int | None) -> Document:
    """Return a version; ``NotFound`` names those that are kept."""
    found = None if number is None else desk.store.version(number)
    if found is None:
        numbers = desk.store.version_numbers()
        kept = f"{numbers[0]} to {numbers[-1]}" if numbers else "none"
        raise NotFound(f"there is no version {number}; kept are: {kept}.", kind="not_found",
                       hint="See: salt-run gluster.history.")  # fmt: skip
    return found


def diff(desk: Desk, one: int | None, other: int | None) -> dict[str, Any]:
    """Return what differs between two versions; by default between the last two.

    ``NotFound`` for a version that is not kept.
    """
    numbers = desk.store.version_numbers()
    if one is None and len(numbers) < 2:
        raise NotFound(f"{len(numbers)} versions are kept: there are no two to compare.",
                       kind="not_found", hint="See: salt-run gluster.history.")  # fmt: skip
    b = numbers[-1] if other is None and numbers else other
    before = [n for n in numbers if n < (b or 0)]
    a = (before[-1] if before else None) if one is None else one
    old, new = (kept_version(desk, n).data for n in (a, b))
    about = ("version", "at", "by", "why")
    return {
        "pool": desk.cluster,
        "from": {k: old[k] for k in about}, "to": {k: new[k] for k in about},
        "differences": [d.to_data() for d in differences(old, new)],
    }  # fmt: skip
