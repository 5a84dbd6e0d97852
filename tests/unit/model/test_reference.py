"""A Ref is written into a document and read back; nothing else is taken for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salt_gluster.errors import Unreadable
from salt_gluster.model import Ref, RefKind, decode_ref, encode_ref
from salt_gluster.remediation.membership import SCHEMA, snapshot_from

KINDS: tuple[RefKind, ...] = ("node", "brick", "volume", "member", "candidate", "operation",
                              "cluster")  # fmt: skip
IDS = st.text("0123456789abcdef-", min_size=1)
PATHS = st.text(min_size=1)


@given(st.sampled_from(KINDS), IDS, PATHS)
def test_what_is_encoded_is_decoded(kind: RefKind, id_: str, path: str) -> None:
    ref = Ref(kind, id_, path if kind == "brick" else "")
    assert decode_ref(encode_ref(ref)) == ref


def test_a_brick_is_named_by_its_node_and_a_path_that_may_have_colons() -> None:
    ref = Ref("brick", "u1", "/b/a:b")
    assert encode_ref(ref) == "brick:u1:/b/a:b"
    assert decode_ref("brick:u1:/b/a:b") == ref


@pytest.mark.parametrize("key", ["", "node", "node:", "brick:u1", "u1", "peer:u1", ":u1"])
def test_another_text_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="names nothing"):
        decode_ref(key)


def test_a_snapshot_with_a_key_that_names_nothing_is_unreadable() -> None:
    data = {"schema": SCHEMA, "version": 1, "outbox": [], "roster": "",
            "conditions": {"peer:u1": ["down", 1.0, "g1", [], []]}}  # fmt: skip
    with pytest.raises(Unreadable, match="names nothing"):
        snapshot_from(data)
