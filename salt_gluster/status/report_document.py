"""The one place where another node's report is judged readable, or Unknown with the reason. Pure.

A report is written by its node, which may be of another version, broken, or hostile. What stands
here has the form that every reader counts on; its facts are read by ``status/facts.py`` and are
Unknown by themselves. A report that names another node than the one that wrote it is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from salt_gluster.errors import Unreadable
from salt_gluster.model import Hold, Peer, Unknown, Volume, read_as
from salt_gluster.status.facts import volumes_from
from salt_gluster.status.report import SCHEMA

#: What a uuid may be made of: it becomes part of keys and of command lines.
_UUID = re.compile(r"[A-Za-z0-9._:@+-]{0,100}")
#: No layout has larger numbers than this.
_MOST = 1_000_000


@dataclass(frozen=True)
class _Reach:
    accepts: bool
    max_op_version: int | Unknown


@dataclass(frozen=True)
class _BrickRow:
    name: str
    online: bool
    port: int | Unknown | None
    free: int | Unknown
    total: int | Unknown
    pending: int | Unknown
    client: str = ""
    looked_at: int = 0
    accused: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Report:
    at: float
    node: str
    names: tuple[str, ...]
    uuid: str
    version: str | Unknown
    hold: Hold | Unknown | None
    peers: tuple[Peer, ...] | Unknown
    reach: Mapping[str, _Reach]
    bricks: Mapping[str, tuple[_BrickRow, ...]] | Unknown


def report_from(data: Any, uuid: str = "") -> Mapping[str, Any] | Unknown:
    """Return a report that every reader can use, or why it is none.

    ``uuid`` is the node that is known to have written it; "" = that is not known.
    """
    why = _why_not(data, uuid)
    return Unknown(why) if why else data


def _why_not(data: Any, uuid: str) -> str:
    if not isinstance(data, Mapping):
        return "what stands for a report is none"
    if data.get("schema") != SCHEMA:
        return f"its report has schema {str(data.get('schema'))[:20]}, we know {SCHEMA}"
    try:
        report: _Report = read_as(_Report, data, "its report")
        volumes = _volumes(data)
    except Unreadable as problem:
        return problem.message
    if uuid and report.uuid not in ("", uuid):
        return f"its report says that it is {report.uuid[:60]}'s"
    facts = data.get("facts")
    if isinstance(facts, Mapping) and facts.get("volumes", data["volumes"]) != data["volumes"]:
        return "its report tells two kinds of definitions"
    return _odd(report, volumes)


def _volumes(data: Mapping[str, Any]) -> Mapping[str, Volume]:
    volumes = data.get("volumes")
    if isinstance(volumes, Mapping) and isinstance(volumes.get("unknown"), str):
        return {}
    return volumes_from(volumes)


def _odd(report: _Report, volumes: Mapping[str, Volume]) -> str:
    """Say what cannot be so, or ""."""
    peers = () if isinstance(report.peers, Unknown) else report.peers
    bricks = {} if isinstance(report.bricks, Unknown) else report.bricks
    if not report.names:
        return "its report gives it no name"
    if report.uuid and not any(p.uuid == report.uuid for p in peers):
        return "its report does not have it among the peers"
    uuids = {report.uuid, *(p.uuid for p in peers), *report.reach}
    uuids |= {b.host_uuid for v in volumes.values() for b in v.bricks}
    if not all(map(_UUID.fullmatch, uuids)):
        return "its report has a uuid that is none"
    if any(":" not in row.name for rows in bricks.values() for row in rows):
        return "its report has a brick without a host"
    return _odd_volume(volumes.items())


def _odd_volume(volumes: Iterable[tuple[str, Volume]]) -> str:
    for name, volume in volumes:
        numbers = (volume.dist_count, volume.replica, volume.arbiter, volume.disperse,
                   volume.redundancy)  # fmt: skip
        if name != volume.name or not all(0 <= n <= _MOST for n in numbers):
            return f"its report has a volume {name[:60]} that cannot be"
    return ""
