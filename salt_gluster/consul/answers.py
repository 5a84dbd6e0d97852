"""Confirm what a node answers: by a word of the leader's that only this node can have written.

Any minion can put an answer of any other on the master's bus and into its job cache
(facts.md#S-10.3). So a job only makes a node look; what it saw it writes below its own key in
Consul, with the word that the job brought, and there the leader reads it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from salt_gluster.consul.client import MOST_OPS
from salt_gluster.consul.documents import Document
from salt_gluster.consul.report_parts import some_reports
from salt_gluster.consul.store import Store
from salt_gluster.errors import ConsulError
from salt_gluster.model import Unknown


def write_answer(
    store: Store, uuid: str, nonce: str, *, at: float, ports: list[list[Any]]
) -> None:  # fmt: skip
    """Write this node's answer to the question with this word; its report is there already."""
    store.write(store.keys.answer(uuid), {"schema": 1, "nonce": nonce, "at": at, "ports": ports})


def confirmed_answers(
    store: Store, uuids: Collection[str], nonce: str
) -> dict[str, Mapping[str, Any]]:  # fmt: skip
    """Return the answers of these nodes to this very question, each with the node's report.

    ``ConsulError`` where Consul does not tell; what cannot be read is no answer.
    """
    said = {}
    for document in _documents(store, [store.keys.answer(uuid) for uuid in sorted(uuids)]):
        uuid = document.key.split("/")[-2]
        if isinstance(document.data, Mapping) and document.data.get("nonce") == nonce:
            said[uuid] = document.data
    reports = some_reports(store, said)
    return {
        uuid: {**said[uuid], "report": report.data}
        for uuid, report in reports.items()
        if not isinstance(report, Unknown)
    }


def _documents(store: Store, keys: list[str]) -> list[Document]:
    """Return the documents that can be read; several questions where they are too many for one."""
    found: list[Document] = []
    for begin in range(0, len(keys), MOST_OPS):
        try:
            read = store.several(keys[begin : begin + MOST_OPS])
        except ConsulError as err:
            if err.kind != "unreadable":
                raise
            continue
        found += [d for d in read if isinstance(d, Document)]
    return found
