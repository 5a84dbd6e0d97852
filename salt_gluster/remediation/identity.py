"""Announce what stands in Consul of a node and cannot be its own word; nothing of it counts. Pure.

Keyed by the name of Consul's node on which it stands: a node can make none but its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from salt_gluster.model import Ref
from salt_gluster.remediation.membership import Condition, ConsulView
from salt_gluster.remediation.salt_events import Notice
from salt_gluster.remediation.salt_events import event as event_row

CONTRADICTED, IDENTIFIED = "contradicted", "identified"
_WAYS = ("salt-run gluster.explain node={}",)


def announce_identities(
    view: ConsulView, conditions: Mapping[Ref, Condition], now: float
) -> tuple[dict[Ref, Condition], tuple[Notice, ...]]:
    """Return the names of which something is not so, and what is to be told of them."""
    before = {k: c for k, c in conditions.items() if k.kind == "identity"}
    after, notices = dict[Ref, Condition](), []
    uuids = {name: uuid for uuid, name in (view.roster or {}).items()}
    for key in sorted({*before, *(Ref("identity", name) for name in view.contradicted)}):
        why = view.contradicted.get(key.id)
        if why is not None:
            after[key] = before.get(key, Condition(CONTRADICTED, now, key.id))
        if (why is None) == (key not in before):
            continue
        word = IDENTIFIED if why is None else CONTRADICTED
        was = CONTRADICTED if why is None else IDENTIFIED
        text = event_row("node", word).means if why is None else why
        ways = tuple(way.format(key.id) for way in _WAYS) if why else ()
        uuid = uuids.get(key.id, "")
        notices.append(Notice("node", uuid, key.id, word, word, was, now, text, suggest=ways))
    return after, tuple(notices)
