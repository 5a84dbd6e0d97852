"""The one place where a stored version of the configuration is judged readable. Pure.

A version is written by an engine: another version of ours may have written it, or somebody by hand.
What stands here has the form that every reader counts on. The policy and the declaration in it are
judged where they are taken (``remediation/agreement.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from salt_gluster.errors import Unreadable
from salt_gluster.model import read_as
from salt_gluster.status.facts import volumes_data, volumes_from

#: The contract of ``config/v``.
SCHEMA = 1


@dataclass(frozen=True)
class _Row:
    kind: str
    name: str
    option: str
    what: str
    old: Any
    new: Any


@dataclass(frozen=True)
class _Overwritten:
    nodes: tuple[str, ...]
    what: tuple[_Row, ...]


@dataclass(frozen=True)
class _Actual:
    peers: Mapping[str, tuple[str, ...]]
    volumes: Mapping[str, Any]


@dataclass(frozen=True)
class _Version:
    version: int
    at: float
    by: str
    why: str
    digest: str
    before: int = 0
    accepted: int | None = None
    spec: Mapping[str, Any] | None = None
    policy: Mapping[str, Any] | None = None
    actual: _Actual | None = None
    actual_digest: str = ""
    what: tuple[_Row, ...] = ()
    overwritten: _Overwritten | None = None
    identities: Mapping[str, Mapping[str, str]] | None = None


def version_from(data: Any) -> Mapping[str, Any]:
    """Return a version that every reader can use; raises ``Unreadable``."""
    if not isinstance(data, Mapping) or data.get("schema", SCHEMA) != SCHEMA:
        schema = data.get("schema") if isinstance(data, Mapping) else None
        raise Unreadable(f"the version has schema {str(schema)[:20]}, we know {SCHEMA}")
    version: _Version = read_as(_Version, data, "the version")
    if version.version < 1:
        raise Unreadable(f"the version has the number {version.version}")
    if version.actual is None:
        return data
    volumes = volumes_data(volumes_from(version.actual.volumes))
    return {**data, "actual": {**data["actual"], "volumes": volumes}}
