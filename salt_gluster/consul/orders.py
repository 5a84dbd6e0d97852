"""Write and read what operators ordered: a line each in the audit, with who, where and why.

A line is written in the transaction of the order itself: what was ordered stands there, whatever
becomes of it, and nobody can order without it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import uuid4

from salt_gluster.consul.client import Op, cas_op
from salt_gluster.consul.codec import pack
from salt_gluster.consul.documents import Document
from salt_gluster.consul.keys import Keys
from salt_gluster.errors import Unreadable
from salt_gluster.model import Unknown, read_as


@dataclass(frozen=True)
class OperatorOrder:
    """What an operator ordered of what. ``by`` is Salt's user and the machine; ``at`` its time."""

    order: str
    what: str
    by: str
    at: float
    why: str = ""


def stamp(at: float) -> str:
    """Return the beginning of a line's name: it sorts by time."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))


def order_op(keys: Keys, order: OperatorOrder) -> Op:
    """Return the write of one line."""
    line = {"schema": 1, **vars(order)}
    name = f"{stamp(order.at)}-{order.order}-{uuid4().hex[:12]}"
    return cas_op(keys.audit(name), pack(line), 0)


def orders(documents: Iterable[Document | Unknown]) -> list[OperatorOrder]:
    """Return the orders among the lines of the audit; the others are automation's own."""
    found = []
    for document in documents:
        if isinstance(document, Document) and "order" in document.data:
            try:
                found.append(read_as(OperatorOrder, document.data, document.key))
            except Unreadable:
                continue
    return found
