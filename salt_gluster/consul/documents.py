"""What a key of the pool's holds, read into a type or into Unknown with the reason."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from salt_gluster.consul.client import Entry
from salt_gluster.consul.codec import unpack
from salt_gluster.errors import ConsulError, Unreadable
from salt_gluster.model import Hold, Unknown
from salt_gluster.status.version_document import version_from

#: An outcome is shorter: a few hundred bytes, and the reasons of a refusal.
MOST_OUTCOME_BYTES = 16 * 1024
#: A hold that is longer is a text; a time that is later is none.
_MOST_HOLD, _MOST_TIME = 10_000, 1e12


@dataclass(frozen=True)
class Document:
    """A document, and the index that compare-and-set wants."""

    key: str
    data: Any
    index: int

    @property
    def name(self) -> str:
        """The last word of its key."""
        return self.key.rsplit("/", 1)[-1]


def hold_of(value: bytes) -> Hold:
    """Return the hold that was written; whatever stands there is one."""
    text = value.decode(errors="replace").strip()
    try:
        data = json.loads(text) if len(text) <= _MOST_HOLD else None
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        return Hold(text.splitlines()[0][:200] if text else "put there by hand")
    since, until = (_time(data.get(key)) for key in ("since", "until"))
    reason, by = (str(data.get(key) or "")[:500] for key in ("reason", "by"))
    return Hold(reason or "no reason given", by, since, until)


def _time(at: Any) -> float | None:
    is_number = isinstance(at, int | float) and not isinstance(at, bool)
    return float(at) if is_number and abs(at) < _MOST_TIME else None


def stop_of(key: str, entry: Entry | None, has_canary: bool) -> Hold | Unknown | None:
    """Return the stop in a key; that none is there counts only beside the canary."""
    if entry is not None:
        return hold_of(entry.value)
    if not has_canary:
        return Unknown(f"{key} is not there, but neither is the canary: Consul proves nothing")
    return None


def authors(prefix: str, entries: Iterable[Entry]) -> dict[str, str]:
    """Return the names below a prefix, and who wrote each: also one that was put there by hand."""
    values = {e.key[len(prefix) :]: e.value for e in entries if e.key.startswith(prefix)}
    return {name: hold_of(value).by for name, value in values.items() if "/" not in name}


def admitted_in(prefix: str, entries: Iterable[Entry]) -> dict[str, str]:
    """Return minion -> gluster uuid; one that cannot be read has none, and is nobody's."""
    values = {e.key[len(prefix) :]: e.value for e in entries if e.key.startswith(prefix)}
    return {minion: _uuid_in(value) for minion, value in values.items()}


def _uuid_in(value: bytes) -> str:
    try:
        return str(unpack(value).get("uuid", ""))
    except (ConsulError, AttributeError):
        return ""


def documents(prefix: str, entries: Iterable[Entry]) -> list[Document | Unknown]:
    """Return the documents right below a prefix; one that is broken is an ``Unknown``."""
    known = {e.key: e for e in entries}
    return documents_of(known, sorted(k for k in known if "/" not in k[len(prefix) :]))


def documents_of(entries: Mapping[str, Entry], keys: Iterable[str]) -> list[Document | Unknown]:
    """Return the documents of these keys, in this order; one that is broken is an ``Unknown``."""
    read: list[Document | Unknown] = []
    for key in keys:
        try:
            read.append(document_of(entries[key]))
        except ConsulError as err:
            read.append(Unknown(f"{key}: {err}"))
    return read


def outcome_in(entry: Entry) -> Document:
    """Return the outcome in a key; ``ConsulError`` of kind ``unreadable`` where it is none."""
    if len(entry.value) > MOST_OUTCOME_BYTES:
        long = f"{entry.key} has {len(entry.value)} bytes, which is no outcome."
        raise ConsulError(long, kind="unreadable")
    return document_of(entry)


def document_of(entry: Entry) -> Document:
    """Return the document of a key; ``ConsulError`` of kind ``unreadable`` where it is none."""
    data = unpack(entry.value)
    if not isinstance(data, dict):
        raise ConsulError("a document in Consul is broken: it is no mapping.", kind="unreadable",
                          hint="It may have been written by hand.")  # fmt: skip
    return Document(entry.key, data, entry.modify_index)


def version_document(document: Document | Unknown) -> Document | Unknown:
    """Return a version of the configuration, read; Unknown where it is none."""
    if isinstance(document, Unknown):
        return document
    try:
        return replace(document, data=version_from(document.data))
    except Unreadable as err:
        return Unknown(f"{document.key}: {err.message}")


def version_in(pointer: Document) -> int:
    """Return the number that the pointer to the current version names."""
    number = pointer.data.get("version")
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < 10**12:
        raise ConsulError(f"{pointer.key} names no version.", kind="unreadable")
    return number
