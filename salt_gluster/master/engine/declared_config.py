"""Take submitted spec and policy as the accepted version. Without one there are only notices."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from salt_gluster.consul.leader_lock import LeaderLock
from salt_gluster.consul.store import Document, Store
from salt_gluster.errors import GlusterError, SpecError
from salt_gluster.model import Unknown
from salt_gluster.remediation.observation import Admission
from salt_gluster.remediation.policy import Policy, policy_from
from salt_gluster.spec import parse_nodes, parse_pool
from salt_gluster.spec.names import globs_of, matches
from salt_gluster.status.config_versions import differences

log = logging.getLogger(__name__)

#: The contract of ``submitted`` and ``config``.
SCHEMA = 1
_NOBODY: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Accepted:
    """The policy in force. ``number`` 0 = nothing was accepted: notices only.

    ``current`` is the whole current version; ``number`` is the one that brought spec and policy.
    ``admission`` names the nodes that may be in the pool. ``self_declared`` counts without a spec
    only: the names that a glob of their own submission means.
    """

    policy: Policy = Policy()  # noqa: RUF009  (frozen)
    number: int = 0
    spec: Mapping[str, Any] | None = None
    current: Mapping[str, Any] | None = None
    admission: Admission = Admission()  # noqa: RUF009  (frozen)
    self_declared: frozenset[str] = _NOBODY

    def pending(self, names: Mapping[str, str]) -> dict[str, str]:
        """Return who of those that have registered (uuid -> name) waits to be one of the pool."""
        settled = {*self.admission.nodes, *self.admission.rejected}
        others = {u: n for u, n in names.items() if n not in settled}
        if self.spec is None:
            return {u: n for u, n in others.items() if n in self.self_declared}
        globs = globs_of(self.spec.get("nodes", ""), "nodes")
        named = {u: n for u, n in others.items() if any(matches(g, n) for g in globs)}
        return {u: n for u, n in named.items() if glob_matches(self.spec, n)}

    @property
    def words(self) -> str:
        """Return it in words."""
        return f"version {self.number}" if self.number else "none accepted: notices only"


def newest(
    submitted: Iterable[Document | Unknown], accepted: Collection[str] = ()
) -> Mapping[str, Any] | None:
    """Return the youngest submission that can be read, of a node that its own spec names.

    A node that is not one of the pool it declares has no say in it; nor has one that only a glob
    means and that is none of ``accepted``.
    """
    fit = []
    for document in submitted:
        if isinstance(document, Unknown):
            log.warning("a submission cannot be read: %s", document.why)
            continue
        why = unfit(document.data, accepted)
        if why:
            log.warning("the submission of %s is not taken: %s", document.name, why)
        else:
            fit.append(document.data)
    return max(fit, key=lambda data: float(data["at"])) if fit else None


def unfit(data: Mapping[str, Any], accepted: Collection[str] = ()) -> str:
    """Say why a submission cannot be accepted, or ""."""
    try:
        if data["schema"] != SCHEMA:
            return f"it has schema {data['schema']}, we know {SCHEMA}"
        policy_from(data["policy"])
        nodes = parse_pool(data["spec"], known=accepted).nodes
        float(data["at"])
    except GlusterError as err:
        return str(err)
    except (KeyError, TypeError, ValueError) as err:
        return f"it lacks something: {err!r}"
    return "" if data.get("by") in nodes else f"{data.get('by')} is not one of its nodes"


def accept(store: Store, lock: LeaderLock, now: float) -> Accepted:
    """Take the newest submission as the accepted version, and return what is in force.

    Raises ``ConsulError``; ``SpecError`` or ``Unreadable`` where the accepted version is of another
    version of ourselves.
    """
    accepted, rejected = store.accepted(), store.rejected()
    submitted = store.all(store.keys.submitted(""))
    submission_read = newest(submitted, accepted)
    if submission_read is not None:
        document = store.current()
        current: Mapping[str, Any] = {} if document is None else document.data
        submission = {"spec": submission_read["spec"], "policy": submission_read["policy"]}
        kept = {k: current[k] for k in ("actual",) if k in current}
        notes = {k: current[k] for k in ("actual_digest", "identities") if k in current}
        rows = differences({**current, **kept}, {**kept, **submission})
        notes |= {"what": [d.to_data() for d in rows], "before": current.get("version", 0)}
        store.accept(
            {"schema": SCHEMA, **submission, **kept}, by=str(submission_read["by"]), notes=notes,
            why="submitted by its highstate", now=now, guard=lock.guard,
        )  # fmt: skip
    now_in_force = in_force(store)
    spec = now_in_force.spec
    admission = Admission(frozenset(nodes_of(spec, accepted)), accepted, rejected)
    return replace(
        now_in_force,
        admission=admission,
        self_declared=self_declared(submitted) if spec is None else _NOBODY,
    )


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


def self_declared(submitted: Iterable[Document | Unknown]) -> frozenset[str]:
    """Return the names that a glob of their own declaration means."""
    submissions = [
        d.data for d in submitted if isinstance(d, Document) and isinstance(d.data, Mapping)
    ]
    names = ((str(data.get("by")), data.get("spec")) for data in submissions)
    return frozenset(name for name, spec in names if glob_matches(spec, name))


def in_force(store: Store) -> Accepted:
    """Return the accepted version; what the pool really is may have made younger ones."""
    document = store.current()
    if document is None:
        return Accepted()
    data = document.data
    if "policy" not in data:  # only what the pool really was is known so far
        return Accepted(current=data)
    number = int(data.get("accepted") or data["version"])
    return Accepted(policy_from(data["policy"]), number, data["spec"], data)
