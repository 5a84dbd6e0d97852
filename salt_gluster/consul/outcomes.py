"""Read and clear what nodes wrote of the operations that they carried out.

A node may write any number of keys below its outcomes, of any length: they are read by the name of
an operation, their names with a limit, and cleared in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from salt_gluster.consul.client import Op, delete_tree_op, set_op
from salt_gluster.consul.documents import MOST_OUTCOME_BYTES, Document, outcome_in
from salt_gluster.consul.keys import is_name
from salt_gluster.consul.store import Store
from salt_gluster.errors import ConsulError
from salt_gluster.model import Unknown

#: Names of one node's outcomes, and of the nodes that have some: what is longer is not read.
MOST_NAMES_BYTES, MOST_NODES_BYTES = 64 * 1024, 4 * 1024 * 1024


def outcomes_of(
    store: Store, operations: Iterable[tuple[str, str]]
) -> dict[str, Document | Unknown]:
    """Return what nodes did about these operations (node, id), by the operation's id.

    By name, many in one question; what else a node has written there is not read.
    """
    keys = [store.keys.outcome(*of) for of in operations if all(map(is_name, of))]
    read: dict[str, Document | Unknown] = {}
    for entry in store.exact(keys):
        name = entry.key.rsplit("/", 1)[-1]
        try:
            read[name] = outcome_in(entry)
        except ConsulError as err:
            read[name] = Unknown(str(err))
    return read


def nodes_with_outcomes(store: Store) -> list[str]:
    """Return them; each can write below its own name only, so they are no more than nodes."""
    return store.names_within(store.keys.outcomes, MOST_NODES_BYTES, separator="/")


def outcome_names(store: Store, uuid: str) -> list[str] | None:
    """Return the names of a node's outcomes, None where they are too many to be read."""
    try:
        return store.names_within(store.keys.outcome(uuid, ""), MOST_NAMES_BYTES)
    except ConsulError as err:
        if err.kind != "too_big":
            raise
        return None


def clear_outcomes(
    store: Store, uuid: str, keep: Iterable[str], guard: Callable[[], Sequence[Op]] = list
) -> None:
    """Take all outcomes of a node away but those of these operations; one transaction."""
    there = store.exact([store.keys.outcome(uuid, name) for name in keep])
    kept = [set_op(e.key, e.value) for e in there if len(e.value) <= MOST_OUTCOME_BYTES]
    store.commit([delete_tree_op(store.keys.outcome(uuid, "")), *kept], seen=False, guard=guard)
