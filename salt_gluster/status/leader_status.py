"""The one place where the leader's word on its last tick is judged readable. Pure.

The engine of another master, or of another version of ours, wrote it. What stands here has the form
that every reader counts on; a field more is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from salt_gluster.errors import Unreadable
from salt_gluster.model import read_as

#: The contract of the leader's ``status``.
SCHEMA = 1


@dataclass(frozen=True)
class _Witness:
    source: str
    says: str


@dataclass(frozen=True)
class _Row:
    state: str
    name: str
    since: float | None
    row: str
    why: str
    witnesses: tuple[_Witness, ...] = ()


@dataclass(frozen=True)
class _Reason:
    name: str
    why: str
    ways: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Refused:
    brick: str
    node: str
    reasons: tuple[_Reason, ...]


@dataclass(frozen=True)
class _Guard:
    name: str
    yes: bool
    why: str


@dataclass(frozen=True)
class _Operation:
    id: str
    brick: str
    state: str
    why: str


@dataclass(frozen=True)
class _Proposed:
    name: str
    uuid: str
    since: float | None
    until: float | None
    reasons: tuple[_Reason, ...]


@dataclass(frozen=True)
class _Hold:
    where: str
    by: str
    reason: str


@dataclass(frozen=True)
class _Status:
    at: float
    by: str
    mode: str
    why: str = ""
    policy: str = ""
    holds: tuple[_Hold, ...] = ()
    nodes: Mapping[str, _Row] | None = None
    bricks: Mapping[str, _Row] | None = None
    refused: tuple[_Refused, ...] = ()
    guards: Mapping[str, tuple[_Guard, ...]] | None = None
    operations: tuple[_Operation, ...] = ()
    proposed: tuple[_Proposed, ...] = ()


def leader_status(data: Any) -> Mapping[str, Any]:
    """Return what the leader told that every reader can use; raises ``Unreadable``."""
    if not isinstance(data, Mapping) or data.get("schema") != SCHEMA:
        schema = data.get("schema") if isinstance(data, Mapping) else None
        raise Unreadable(f"the leader's status has schema {str(schema)[:20]}, we know {SCHEMA}: it"
                         " is of another version of this extension.")  # fmt: skip
    read_as(_Status, data, "the leader's status")
    return {k: v for k, v in data.items() if v is not None}
