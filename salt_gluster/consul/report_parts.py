"""Write a node's report in parts, and read it whole again.

What is long in a report and changes seldom (the pool's definitions; its members and whether this
node reaches them) stands below the report in keys of its own. The report names the checksum of each
such value, and a value is written only where Consul does not have it: with 300 nodes and 200
volumes a report is one kilobyte instead of 300, whatever is free on a brick.

All parts of a report are below its node's own key: no node depends on what another one wrote. A
part that is not what its report names makes that one report unreadable.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any

from salt_gluster.consul.client import Entry, Op, check_index_op, set_op
from salt_gluster.consul.codec import MOST_BYTES, READABLE_BYTES, pack, unpack
from salt_gluster.consul.documents import Document, document_of
from salt_gluster.consul.keys import REPORT_PARTS, Keys
from salt_gluster.consul.store import Store
from salt_gluster.errors import ConsulError
from salt_gluster.model import Unknown

#: What is shorter stays in the report, where an operator can read it.
WHOLE_BYTES = 4096
#: How often two processes of one node may write a report at the same moment.
_TRIES = 4


def write_report(store: Store, uuid: str, report: Mapping[str, Any]) -> None:
    """Write a report; a long part only where Consul does not have that very value.

    One transaction, so that nobody reads a report with the parts of another one.
    """
    keys = store.keys
    own, parts = split_report(report)
    whole = pack(own, readable=READABLE_BYTES)
    write = set_op(keys.node(uuid), whole)
    if not parts:
        store.commit([write], seen=False)
        return
    values = {keys.report_part(uuid, name): value for name, value in parts.items()}
    for tried in range(1, _TRIES + 1):
        stored = {e.key: e for e in store.trees([keys.node(uuid)])[keys.node(uuid)]}
        ops = [_part_op(key, value, stored.get(key)) for key, value in values.items()]
        try:
            if len(whole) + sum(map(len, values.values())) > MOST_BYTES:
                ops = _written_alone(store, ops)
            store.commit([*ops, write], seen=False)
            return
        except ConsulError as err:
            if err.kind != "conflict" or tried == _TRIES:
                raise


def _part_op(key: str, value: bytes, stored: Entry | None) -> Op:
    """Return the write of a part, or the check that it still stands there as it is."""
    if stored is not None and stored.value == value:
        return check_index_op(key, stored.modify_index)
    return set_op(key, value)


def _written_alone(store: Store, ops: Iterable[Op]) -> list[Op]:
    """Write parts that are too long for one transaction with the report; return what is left.

    Until the report follows, whoever reads it finds a part that it does not name.
    """
    left = []
    for op in ops:
        if op["KV"]["Verb"] == "set":
            store.commit([op], seen=False)
        else:
            left.append(op)
    return left


# --- in and out of parts -------------------------------------------------------------------------


def split_report(report: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return a report without its long parts but with their checksums, and the parts' values."""
    facts = report.get("facts")
    own = dict(report)
    contents: dict[str, dict[str, Any]] = {
        "volumes": {"volumes": own.get("volumes")},
        "members": {"peers": own.get("peers"), "reach": own.get("reach")},
    }
    if isinstance(facts, Mapping) and "connected" in facts:
        contents["members"]["connected"] = facts["connected"]
    values = {name: pack(content, readable=READABLE_BYTES) for name, content in contents.items()}
    parts = {name: value for name, value in values.items() if _is_long(value, contents[name])}
    for name in parts:
        for field in contents[name].keys() - {"connected"}:
            del own[field]
        if "connected" in contents[name] and isinstance(facts, Mapping):
            own["facts"] = {k: v for k, v in facts.items() if k != "connected"}
    if parts:
        own["parts"] = {name: checksum(value) for name, value in parts.items()}
    return own, parts


def _is_long(value: bytes, content: Mapping[str, Any]) -> bool:
    """Whether a part stands apart; what is unknown stays with the report, and the part as it was.

    So a glusterd that ends and comes back writes no definition anew.
    """
    return len(value) > WHOLE_BYTES or len(json.dumps(content)) > WHOLE_BYTES


def checksum(value: bytes) -> str:
    """Return what a report names of the value of a part."""
    return sha256(value).hexdigest()


def join_report(own: Any, values: Mapping[str, bytes]) -> Any:
    """Return a report with its parts, or ``Unknown``; ``values`` are those in Consul by name.

    A report without parts is returned as it is.
    """
    named = own.get("parts") if isinstance(own, Mapping) else None
    if not isinstance(named, Mapping):
        return own
    report = {k: v for k, v in own.items() if k != "parts"}
    for name in REPORT_PARTS:
        if name not in named:
            continue
        value = values.get(name)
        if value is None or checksum(value) != named[name]:
            return Unknown(f"the {name} of its report are not those that it names")
        try:
            content = _content(value) if name == "volumes" else unpack(value)
        except ConsulError as err:
            return Unknown(f"the {name} of its report: {err}")
        if not isinstance(content, Mapping):
            return Unknown(f"the {name} of its report are no mapping")
        _put_back(report, name, content)
    return report


def _put_back(report: dict[str, Any], name: str, content: Mapping[str, Any]) -> None:
    fields = ("volumes",) if name == "volumes" else ("peers", "reach")
    for field in fields:
        report.setdefault(field, content.get(field))
    facts = report.get("facts")
    if name == "members" and "connected" in content and isinstance(facts, Mapping):
        report["facts"] = {"connected": content["connected"], **facts}


@lru_cache(maxsize=4)
def _content(value: bytes) -> Any:
    """Return what a value says; the definitions of a pool are the same text on all its nodes.

    They are one object then: whoever reads reports changes none.
    """
    return unpack(value)


# --- reading -------------------------------------------------------------------------------------


def reports_in(keys: Keys, entries: Iterable[Entry]) -> dict[str, Document | Unknown]:
    """Return the whole reports among these entries, by uuid; a broken one is an ``Unknown``."""
    prefix = keys.node("")
    reports: dict[str, Entry] = {}
    values: dict[str, dict[str, bytes]] = {}
    for entry in entries:
        uuid, _, part = entry.key[len(prefix) :].partition("/")
        if not entry.key.startswith(prefix):
            continue
        if not part:
            reports[uuid] = entry
        elif part in REPORT_PARTS:
            values.setdefault(uuid, {})[part] = entry.value
    return {uuid: _report(entry, values.get(uuid, {})) for uuid, entry in sorted(reports.items())}


def _report(entry: Entry, values: Mapping[str, bytes]) -> Document | Unknown:
    try:
        document = document_of(entry)
    except ConsulError as err:
        return Unknown(f"{entry.key}: {err}")
    report = join_report(document.data, values)
    return report if isinstance(report, Unknown) else Document(entry.key, report, document.index)


def all_reports(store: Store) -> dict[str, Document | Unknown]:
    """Return the reports of all nodes by uuid."""
    prefix = store.keys.node("")
    return reports_in(store.keys, store.tree(prefix))


def some_reports(store: Store, uuids: Iterable[str]) -> dict[str, Document | Unknown]:
    """Return those of these nodes' reports that are there, by uuid; many in one question."""
    keys = [store.keys.node(uuid) for uuid in uuids]
    return reports_in(store.keys, store.below(keys))
