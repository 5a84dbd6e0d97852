"""Name one thing that automation has a condition of: its kind and its id, never a text to cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast, get_args

RefKind = Literal[
    "node",
    "brick",
    "volume",
    "member",
    "candidate",
    "identity",
    "operation",
    "cluster",
    "trouble",
    "volume_trouble",
]
_KINDS = frozenset(get_args(RefKind))


@dataclass(frozen=True, order=True)
class Ref:
    """One node, brick, volume, operation or matter of the whole cluster.

    ``id`` is a uuid, for an operation its id, for the cluster the matter (``view``, ``hold``), for
    trouble of automation itself, or of a volume, its kind and whose it is, for an identity the name
    of Consul's node. A brick is named by the uuid of its node and by its ``path``; nothing else has
    a path.
    """

    kind: RefKind
    id: str
    path: str = ""


def encode_ref(ref: Ref) -> str:
    """Return the key of a document: ``kind:id``, for a brick ``brick:id:path``."""
    return f"{ref.kind}:{ref.id}:{ref.path}" if ref.kind == "brick" else f"{ref.kind}:{ref.id}"


def decode_ref(key: str) -> Ref:
    """Return what ``encode_ref`` wrote; ``ValueError`` for anything else."""
    kind, colon, id_ = key.partition(":")
    path = ""
    if kind == "brick":
        id_, colon, path = id_.partition(":")
    if kind not in _KINDS or not colon or not id_:
        raise ValueError(f"{key!r} names nothing that is known")
    return Ref(cast(RefKind, kind), id_, path)
