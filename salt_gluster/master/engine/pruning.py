"""Take away what nobody needs any more in Consul, by age and number.

An outcome never outlives its operation: the same incident gets the same id again, and what was done
then would be taken for done now.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from salt_gluster.consul.client import Op
from salt_gluster.consul.documents import Document
from salt_gluster.consul.outcomes import clear_outcomes, nodes_with_outcomes, outcome_names
from salt_gluster.consul.store import Store
from salt_gluster.model import Unknown
from salt_gluster.remediation.operations import ENDED, Life

log = logging.getLogger(__name__)

#: Of each kind so many stay: finished operations, closed proposals, acknowledgements, the audit.
KEPT = 200
#: Versions of the configuration; a big pool's may have half a megabyte each.
KEPT_VERSIONS = 50
#: Operations of one node that are not ended; there is one at a time. A transaction takes 64.
_MOST_BEGUN = 40
_AUDIT_S = 864000.0
_ENDED = {state.value for state in ENDED}


def prune(
    store: Store, now: float, in_force: int, guard: Callable[[], Sequence[Op]] = list
) -> None:  # fmt: skip
    """Prune everything; ``in_force`` is the version that is never taken away.

    ``guard`` is the leader's: who leads no more removes nothing.
    """
    # Read before the operations are: what was begun meanwhile has its operation by then.
    outcomes = {node: outcome_names(store, node) for node in nodes_with_outcomes(store)}
    store.prune_operations(_in_state(store.operations(), _ENDED), KEPT, guard)
    prune_outcomes(store, outcomes, guard)
    store.take_away(_oldest(_in_state(store.proposals(), {Life.CLOSED.value})), guard)
    store.take_away(_oldest([d for d in store.acknowledged() if isinstance(d, Document)]), guard)
    store.prune_versions(KEPT_VERSIONS, {in_force}, guard)
    store.prune_audit(KEPT, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now - _AUDIT_S)), guard)


def prune_outcomes(
    store: Store,
    outcomes: Mapping[str, Collection[str] | None],
    guard: Callable[[], Sequence[Op]] = list,
) -> None:
    """Take away the outcomes that no operation of their node has; ``outcomes`` are names by node.

    A node whose names are too many (None) loses all at once but those of what is not ended there.
    """
    known = [d for d in store.operations() if isinstance(d, Document)]
    unread = set(store.names(store.keys.operation(""))) - {d.name for d in known}
    for node, names in outcomes.items():
        own = [d for d in known if d.data.get("node") == node]
        wanted = unread | {d.name for d in own}
        if names is None or len(names) > 2 * KEPT:
            log.warning("%s has written more outcomes than there are operations: cleared", node)
            begun = [d.name for d in own if str(d.data.get("state")) not in _ENDED]
            clear_outcomes(store, node, begun[:_MOST_BEGUN], guard)
        else:
            keys = [f"{store.keys.outcomes}{node}/{name}" for name in names if name not in wanted]
            store.take_away(keys, guard)


def _in_state(documents: Iterable[Document | Unknown], states: Collection[str]) -> list[Document]:
    return [
        d for d in documents if not isinstance(d, Unknown) and str(d.data.get("state")) in states
    ]


def _oldest(documents: Iterable[Document]) -> list[str]:
    ordered = sorted(documents, key=lambda d: d.index)
    return [d.key for d in ordered[: max(0, len(ordered) - KEPT)]]
