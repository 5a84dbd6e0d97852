"""Decide which declaration and policy are in force: what most members of the pool submit. Pure.

Each node's highstate submits what its pillar declares, under a key that only that node can write.
One node is one voice, whatever it writes and whatever its clock says: a declaration counts when
more than half of the members submit the same, and what a node submits now is all that it submits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from salt_gluster.errors import GlusterError, Unreadable
from salt_gluster.model import Unknown, count, digest_of, read_as
from salt_gluster.remediation.policy import policy_from
from salt_gluster.spec import parse_pool

#: The contract of ``submitted`` and ``config``.
SCHEMA = 1


@dataclass(frozen=True)
class _Declared:
    by: str
    spec: Mapping[str, Any]
    policy: Mapping[str, Any]


@dataclass(frozen=True)
class Submission:
    """What one node submits: ``uuid`` is whose key it stands in, ``by`` what it calls itself."""

    uuid: str
    by: str
    spec: Mapping[str, Any]
    policy: Mapping[str, Any]
    digest: str


@dataclass(frozen=True)
class Agreement:
    """What most members submit, and the uuids of those that do."""

    submission: Submission
    nodes: tuple[str, ...]


def submission_from(uuid: str, data: Any) -> Submission | Unknown:
    """Return what stands in a node's key, or why it is no submission."""
    schema = data.get("schema") if isinstance(data, Mapping) else None
    if schema != SCHEMA:
        return Unknown(f"it has schema {str(schema)[:20]}, we know {SCHEMA}")
    try:
        declared: _Declared = read_as(_Declared, data, "it")
    except Unreadable as err:
        return Unknown(err.message)
    digest = digest_of([declared.spec, declared.policy])
    return Submission(uuid, declared.by, declared.spec, declared.policy, digest)


def agreed(
    submissions: Iterable[Submission], members: Collection[str], accepted: Collection[str] = ()
) -> Agreement | Unknown:
    """Return what more than half of the members submit, or how far they are from that.

    ``members`` are the uuids of the pool as most of its nodes report it: who is none of them has no
    say. Empty = it is not known yet: then whoever its own declaration names is asked, and so many
    have to agree as are more than half of the nodes that it names. ``accepted``: names of nodes
    that a glob means.
    """
    voices = list(submissions)
    if members:
        voices = [s for s in voices if s.uuid in members]
    else:
        voices = [s for s in voices if s.by in _named(s, accepted)]
    by_digest: dict[str, list[Submission]] = {}
    for submission in voices:
        by_digest.setdefault(submission.digest, []).append(submission)
    if not by_digest:
        return Unknown("no member has submitted a declaration")
    same = max(by_digest.values(), key=len)
    others = max(len(members), len(voices))
    if 2 * len(same) <= others:
        return _too_few(len(same), others)
    nodes = named_nodes(same[0], accepted)
    if isinstance(nodes, str):
        return Unknown(f"what most members submit cannot be taken: {nodes}")
    if not members and 2 * len(same) <= len(nodes):
        return _too_few(len(same), len(nodes))
    return Agreement(same[0], tuple(sorted(s.uuid for s in same)))


def _named(submission: Submission, accepted: Collection[str]) -> Collection[str]:
    nodes = named_nodes(submission, accepted)
    return () if isinstance(nodes, str) else nodes


def _too_few(same: int, others: int) -> Unknown:
    return Unknown(f"{same} of {count(others, 'node')} submit the same: no majority")


def named_nodes(
    submission: Submission, accepted: Collection[str] = ()
) -> Collection[str] | str:  # fmt: skip
    """Return the nodes that it names, or why it cannot be accepted: as the pillar would be told."""
    try:
        policy_from(submission.policy)
        return parse_pool(submission.spec, known=accepted).nodes
    except GlusterError as err:
        return str(err)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as err:
        return f"it cannot be read: {err!r}"[:300]
