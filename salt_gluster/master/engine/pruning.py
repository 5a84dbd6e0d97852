"""Take away what nobody needs any more in Consul, by age and number.

An outcome never outlives its operation: the same incident gets the same id again, and what was done
then would be taken for done now.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence

from salt_gluster.consul.client import Op
from salt_gluster.consul.keys import Keys
from salt_gluster.consul.store import Document, Store
from salt_gluster.model import Unknown
from salt_gluster.remediation.operations import ENDED, Life

#: Of each kind so many stay: finished operations, closed proposals, acknowledgements, the audit.
KEPT = 200
#: Versions of the configuration; a big pool's may have half a megabyte each.
KEPT_VERSIONS = 50
_AUDIT_S = 864000.0
_ENDED = {state.value for state in ENDED}


def prune(
    store: Store, now: float, in_force: int, guard: Callable[[], Sequence[Op]] = list
) -> None:  # fmt: skip
    """Prune everything; ``in_force`` is the version that is never taken away.

    ``guard`` is the leader's: who leads no more removes nothing.
    """
    # Read before the operations are: what was begun meanwhile has its operation by then.
    outcomes = store.names(store.keys.outcomes)
    store.prune_operations(_in_state(store.operations(), _ENDED), KEPT, guard)
    operations = set(store.names(store.keys.operation("")))
    store.take_away(orphans(store.keys, outcomes, operations), guard)
    store.take_away(_oldest(_in_state(store.proposals(), {Life.CLOSED.value})), guard)
    store.take_away(_oldest([d for d in store.acknowledged() if isinstance(d, Document)]), guard)
    store.prune_versions(KEPT_VERSIONS, {in_force}, guard)
    store.prune_audit(KEPT, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now - _AUDIT_S)), guard)


def orphans(keys: Keys, outcomes: Iterable[str], operations: Collection[str]) -> list[str]:
    """Return the keys of the outcomes (``NODE/ID``) that no operation has."""
    return [keys.outcomes + name for name in outcomes if name.split("/")[-1] not in operations]


def _in_state(documents: Iterable[Document | Unknown], states: Collection[str]) -> list[Document]:
    return [
        d for d in documents if not isinstance(d, Unknown) and str(d.data.get("state")) in states
    ]


def _oldest(documents: Iterable[Document]) -> list[str]:
    ordered = sorted(documents, key=lambda d: d.index)
    return [d.key for d in ordered[: max(0, len(ordered) - KEPT)]]
