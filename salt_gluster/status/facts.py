"""A node's own report as evidence: ``NodeFacts`` to plain data and back. Pure.

What is unknown travels as ``{"unknown": why}``. A report of a node that is too old to tell, or that
cannot be read, is Unknown as a whole, never a report of good news.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, replace
from typing import Any, TypeVar

from salt_gluster.errors import Unreadable
from salt_gluster.model import BrickFacts, NodeFacts, Unknown, Volume, read_as

T = TypeVar("T")

#: Raised when a key changes its meaning.
SCHEMA = 1


def facts_data(facts: NodeFacts) -> dict[str, Any]:
    """Return the facts as plain data."""
    return {
        "schema": SCHEMA,
        "at": facts.at,
        "glusterd_started": _encoded(facts.glusterd_started),
        "glusterd_answers": _encoded(facts.glusterd_answers),
        "version": _encoded(facts.version),
        "volumes_without_info": _encoded(facts.volumes_without_info, list),
        "volumes": _encoded(facts.volumes, volumes_data),
        "connected": _encoded(facts.connected, dict),
        "bricks": {
            path: {f.name: _encoded(getattr(brick, f.name)) for f in fields(BrickFacts)}
            for path, brick in facts.bricks.items()
        },
        "changes": _encoded(facts.changes, lambda changes: [asdict(c) for c in changes]),
        "hold": _encoded(facts.hold, lambda hold: None if hold is None else asdict(hold)),
    }


def facts_from(report: Mapping[str, Any]) -> NodeFacts | Unknown:
    """Return the facts in a node's report; Unknown where it has none that we can read.

    Facts without ``volumes`` mean those of the report itself.
    """
    data = report.get("facts")
    if not isinstance(data, Mapping):
        return Unknown("its report has no facts: is its salt-gluster older than ours?")
    if data.get("schema") != SCHEMA:
        return Unknown(f"its facts have schema {data.get('schema')}, we know {SCHEMA}")
    volumes = data["volumes"] if "volumes" in data else report.get("volumes")
    try:
        facts: NodeFacts = read_as(NodeFacts, {**data, "volumes": {}}, "its facts")
        if missing := _missing(data):
            return Unknown(f"its facts have no {missing}")
        return replace(facts, volumes=_read(volumes, volumes_from))
    except Unreadable as problem:
        return Unknown(problem.message)


def _missing(data: Mapping[str, Any]) -> str:
    """Return what is missing, or "": what a node does not say is no good news."""
    wanted = ({f.name for f in fields(NodeFacts)} - {"volumes"}) - data.keys()
    for brick in data.get("bricks", {}).values():
        wanted |= {f.name for f in fields(BrickFacts)} - brick.keys()
    return ", ".join(sorted(wanted))


def volumes_data(volumes: Mapping[str, Volume]) -> dict[str, Any]:
    """Return definitions as plain data."""
    return {name: {**asdict(v), "options": dict(v.options)} for name, v in volumes.items()}


#: The last definitions that were read, as they came: the members of a pool tell the same.
_SEEN: list[tuple[Any, dict[str, Volume]]] = []
_MOST_SEEN = 3


def volumes_from(data: Any) -> dict[str, Volume]:
    """Return definitions from plain data; raises ``Unreadable``."""
    for raw, volumes in _SEEN:
        if raw == data:
            return volumes
    read: dict[str, Volume] = read_as(Mapping[str, Volume], data, "its volumes")
    _SEEN[:] = [(data, read), *_SEEN[: _MOST_SEEN - 1]]
    return read


def _encoded(value: Any, as_data: Callable[[Any], Any] = lambda value: value) -> Any:
    return {"unknown": value.why} if isinstance(value, Unknown) else as_data(value)


def _read(value: Any, read: Callable[[Any], T]) -> T | Unknown:
    if isinstance(value, Mapping) and isinstance(value.get("unknown"), str):
        return Unknown(value["unknown"])
    return read(value)


# --- what is recorded of a brick while it is well ------------------------------------------------


def identity_after(
    before: Mapping[str, Any] | None, facts: NodeFacts, uuid: str, name: str
) -> dict[str, Any]:
    """Return the document ``identity/<uuid>`` as it should be after this report.

    A brick is added while it is well, and taken away when it is no brick of that volume any more.
    What stands there is never replaced by what a brick lies on now: that is the very thing it is
    there to find out.
    """
    kept: dict[str, Any] = dict((before or {}).get("bricks", {}))
    known_ones = not isinstance(facts.volumes, Unknown)
    volumes = {} if isinstance(facts.volumes, Unknown) else facts.volumes
    own = {b.path: v for v in volumes.values() for b in v.bricks if b.host_uuid == uuid}
    importing = facts.volumes_without_info
    if known_ones and not isinstance(importing, Unknown) and not importing:
        # Not while something is imported: a volume is missing for a moment then.
        kept = {p: r for p, r in kept.items() if p in own and r.get("volume_id") == own[p].id}
    for path, brick in facts.bricks.items():
        if path not in kept and path in own and _is_well(brick, own[path]):
            kept[path] = {"filesystem": brick.filesystem, "volume_id": brick.volume_id}
    return {"schema": SCHEMA, "uuid": uuid, "name": name, "at": facts.at, "bricks": kept}


def _is_well(brick: BrickFacts, volume: Volume) -> bool:
    # The log of a multiplexed brick is another's: of its health check nothing is known.
    signs = (brick.alive, brick.port, brick.mounted, brick.read_only, brick.filesystem,
            brick.volume_id, brick.gluster_root)  # fmt: skip
    if any(isinstance(value, Unknown) for value in signs):
        return False
    fits = brick.volume_id == volume.id and brick.gluster_root is True and bool(brick.filesystem)
    serves = brick.alive is True and isinstance(brick.port, int)
    serves = serves and brick.health_check_ended is not True
    return serves and fits and brick.mounted is True and brick.read_only is False


# --- what Consul's checks say of it --------------------------------------------------------------
