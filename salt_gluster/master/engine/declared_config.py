"""Take what most members submit as the accepted version. Without one there are only notices.

What that is, ``remediation/agreement.py`` decides.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from salt_gluster.consul.client import check_index_op, delete_op
from salt_gluster.consul.documents import Document
from salt_gluster.consul.leader_lock import LeaderLock
from salt_gluster.consul.store import Store
from salt_gluster.errors import GlusterError, SpecError
from salt_gluster.model import Unknown, some
from salt_gluster.remediation.agreement import (
    SCHEMA,
    Agreement,
    Submission,
    agreed,
    submission_from,
)
from salt_gluster.remediation.observation import Admission, WentBack
from salt_gluster.remediation.policy import Policy, policy_from
from salt_gluster.spec import parse_nodes
from salt_gluster.spec.names import globs_of, matches
from salt_gluster.status.config_versions import differences

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Accepted:
    """The policy in force. ``number`` 0 = nothing was accepted: notices only.

    ``current`` is the whole current version; ``number`` is the one that brought spec and policy.
    ``dissent`` says why nothing newer is in force, "" = the members agree.
    ``admission`` names the nodes that may be in the pool. ``self_declared`` counts without a spec
    only: what each node (uuid) has submitted, for itself alone.
    """

    policy: Policy = Policy()  # noqa: RUF009  (frozen)
    number: int = 0
    spec: Mapping[str, Any] | None = None
    current: Mapping[str, Any] | None = None
    admission: Admission = Admission()  # noqa: RUF009  (frozen)
    self_declared: Mapping[str, Any] = field(default_factory=dict)
    dissent: str = ""

    def pending(self, names: Mapping[str, str]) -> dict[str, str]:
        """Return who of those that have registered (uuid -> name) waits to be one of the pool."""
        settled = {*self.admission.nodes, *self.admission.rejected}
        others = {u: n for u, n in names.items() if n not in settled}
        if self.spec is None:
            own = self.self_declared
            return {u: n for u, n in others.items() if glob_matches(own.get(u), n)}
        globs = globs_of(self.spec.get("nodes", ""), "nodes")
        named = {u: n for u, n in others.items() if any(matches(g, n) for g in globs)}
        return {u: n for u, n in named.items() if glob_matches(self.spec, n)}

    @property
    def words(self) -> str:
        """Return it in words."""
        words = f"version {self.number}" if self.number else "none accepted: notices only"
        return f"{words}; {self.dissent}" if self.dissent else words


def read_submissions(documents: Iterable[Document | Unknown]) -> list[Submission]:
    """Return what can be read of what the nodes submit."""
    read = []
    for document in documents:
        why = document if isinstance(document, Unknown) else None
        if isinstance(document, Document):
            submission = submission_from(document.name, document.data)
            if isinstance(submission, Submission):
                read.append(submission)
                continue
            why = Unknown(f"{document.name}: {submission.why}")
        log.warning("a submission cannot be read: %s", why)
    return read


def accept(store: Store, lock: LeaderLock, now: float) -> Accepted:
    """Take what most members submit as the accepted version, and return what is in force.

    Raises ``ConsulError``; ``SpecError`` or ``Unreadable`` where the accepted version is of another
    version of ourselves.
    """
    accepted, rejected = store.accepted(), store.rejected()
    submitted = store.all(store.keys.submitted(""))
    mark = store.went_back()
    if mark is not None:  # what was submitted before may be what was submitted long ago
        submitted = [d for d in submitted if isinstance(d, Document) and d.index > mark.index]
    document = store.current()
    current: Mapping[str, Any] = {} if document is None else document.data
    peers = members_of(current)
    agreement = agreed(read_submissions(submitted), peers, accepted)
    dissent = ""
    if isinstance(agreement, Unknown):
        dissent = agreement.why if submitted or mark is not None else ""
        log.info("no newer declaration is taken: %s", agreement.why)
    else:
        _take(store, lock, now, agreement, current)
    _end_mark(store, lock, mark, is_agreed=not isinstance(agreement, Unknown))
    now_in_force = in_force(store)
    spec = now_in_force.spec
    admission = Admission(frozenset(nodes_of(spec, accepted)), accepted, rejected)
    return replace(
        now_in_force,
        admission=admission,
        self_declared=self_declared(submitted) if spec is None else {},
        dissent=dissent,
    )


def _end_mark(
    store: Store, lock: LeaderLock, mark: WentBack | None, *, is_agreed: bool
) -> None:  # fmt: skip
    """Take the mark that Consul went back away, once what is in force is of now.

    That is when most members have submitted since, or an operator has acknowledged this very mark.
    """
    if mark is None:
        return
    if not is_agreed:
        word = store.read(store.keys.acknowledged(store.keys.cluster))
        if word is None or word.data.get("went_back") != mark.index:
            return
    key = store.keys.went_back
    store.commit([check_index_op(key, mark.index), delete_op(key)], guard=lock.guard)
    log.warning("Consul went back at index %d; the policy in force is of now", mark.found)


def members_of(version: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the members of the pool by uuid, as most of its nodes reported it last."""
    actual = version.get("actual")
    peers = actual.get("peers") if isinstance(actual, Mapping) else None
    return peers if isinstance(peers, Mapping) else {}


def _take(
    store: Store, lock: LeaderLock, now: float, agreement: Agreement, current: Mapping[str, Any]
) -> None:
    submission = {"spec": agreement.submission.spec, "policy": agreement.submission.policy}
    kept = {k: current[k] for k in ("actual",) if k in current}
    notes = {k: current[k] for k in ("actual_digest", "identities") if k in current}
    rows = differences({**current, **kept}, {**kept, **submission})
    notes |= {"what": [d.to_data() for d in rows], "before": current.get("version", 0)}
    names = members_of(current)
    by = some([str(next(iter(names.get(u) or ()), u)) for u in agreement.nodes])
    store.accept(
        {"schema": SCHEMA, **submission, **kept}, by=by, notes=notes,
        why="submitted by their highstates", now=now, guard=lock.guard,
    )  # fmt: skip


def nodes_of(spec: Mapping[str, Any] | None, accepted: Collection[str]) -> Collection[str]:
    """Return the names that may be in the pool."""
    try:
        return accepted if spec is None else parse_nodes(spec, accepted).nodes
    except SpecError:  # globs alone, and everybody's acceptance was taken back
        return accepted


def glob_matches(spec: Any, name: str) -> bool:
    """Return whether a glob of this declaration means a name, once it was accepted."""
    try:
        pool = parse_nodes(spec, (name,))
    except (GlusterError, AttributeError, TypeError):
        return False
    return name in pool.nodes and bool(pool.globs)


def self_declared(submitted: Iterable[Document | Unknown]) -> dict[str, Any]:
    """Return the declaration that each node (uuid) has submitted: whose it is says its key."""
    own = (d for d in submitted if isinstance(d, Document) and isinstance(d.data, Mapping))
    return {d.name: d.data.get("spec") for d in own}


def in_force(store: Store) -> Accepted:
    """Return the accepted version; what the pool really is may have made younger ones."""
    document = store.current()
    if document is None:
        return Accepted()
    data = document.data
    spec, policy = data.get("spec"), data.get("policy")
    if spec is None or policy is None:  # only what the pool really was is known so far
        return Accepted(current=data)
    return Accepted(policy_from(policy), data.get("accepted") or data["version"], spec, data)
