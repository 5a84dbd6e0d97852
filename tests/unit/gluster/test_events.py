"""What GlusterFS's events mean, how their duplicates are folded, when a wake is due."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salt_gluster.errors import Unreadable
from salt_gluster.gluster.events import (
    KINDS,
    WINDOW_S,
    Debouncer,
    Deduplicator,
    GlusterEvent,
    decode_wakeup,
    encode_wakeup,
    event_from,
)


def uuid(number: int) -> str:
    return f"5a1f6c00-0000-4000-8000-{number:012d}"


def body(event: str, node: int, ts: int = 1000, **message: Any) -> bytes:
    told = {"event": event, "nodeid": uuid(node), "ts": ts, "message": message}
    return json.dumps(told).encode()


def disconnect(node: int, about: int = 8, ts: int = 1000) -> GlusterEvent:
    return event_from(
        body("PEER_DISCONNECT", node, ts, peer="g8", uuid=uuid(about), state="Peer in Cluster")
    )


# --- what they mean ------------------------------------------------------------------------------


def test_a_peer_is_named_by_its_uuid_and_both_nodes_are_worth_a_look() -> None:
    post = disconnect(1)
    assert (post.kind.subject, post.name) == ("peer", uuid(8))
    assert post.nodes == {uuid(1), uuid(8)}


def test_a_brick_is_named_by_node_and_path() -> None:
    post = event_from(body("BRICK_DISCONNECTED", 2, brick="/b/1", peer="g2", volume="data"))
    assert (post.kind.subject, post.name) == ("brick", "g2:/b/1")
    assert post.nodes == {uuid(2)}


def test_the_blank_in_the_key_of_afr_posts_is_not_part_of_it() -> None:
    post = event_from(body("AFR_SUBVOL_UP", 2, **{" subvol": "data-replicate-0"}))
    assert post.name == "data-replicate-0"


def test_what_clients_say_wakes_nobody_because_our_own_looks_are_clients() -> None:
    subjects = {kind.subject for kind in KINDS.values() if kind.wakes}
    assert subjects == {"peer", "volume", "brick", "service"}


def test_a_type_that_is_not_known_is_worth_a_look() -> None:
    assert event_from(body("SOMETHING_NEW", 2)).kind.wakes


@pytest.mark.parametrize(
    "told",
    [
        b"", b"[]", b"1", b"null", b"\xff", b'{"event": "PEER_CONNECT"}', b"[" * 5000,
        json.dumps({"event": "PEER_CONNECT", "nodeid": "g1", "message": {}}).encode(),
        json.dumps({"event": "rm -rf", "nodeid": uuid(1), "message": {}}).encode(),
        json.dumps({"event": ["X"], "nodeid": uuid(1), "message": {}}).encode(),
        json.dumps({"event": "PEER_CONNECT", "nodeid": uuid(1), "message": "x"}).encode(),
    ],
)  # fmt: skip
def test_what_gluster_does_not_send_is_refused(told: bytes) -> None:
    with pytest.raises(Unreadable):
        event_from(told)


@given(st.binary(max_size=300))
def test_whatever_is_posted_is_an_event_or_refused(told: bytes) -> None:
    try:
        event_from(told)
    except Unreadable:
        return
    pytest.fail("random bytes are no event")


# --- folding -------------------------------------------------------------------------------------


@given(st.permutations(range(1, 9)), st.floats(0, WINDOW_S / 10))
def test_of_n_minus_one_posts_about_a_peer_one_is_news(order: list[int], gap_s: float) -> None:
    fold, now = Deduplicator(), 100.0
    news = []
    for number, node in enumerate(order):
        # Names and clocks differ from node to node, the uuid does not.
        post = event_from(
            body("PEER_DISCONNECT", node, 1000 + number, peer=f"n{node}", uuid=uuid(8))
        )
        news.append(fold.is_news(post, now))
        now += gap_s
    assert news == [True] + [False] * (len(order) - 1)


POSTS = st.tuples(
    st.sampled_from(["PEER_DISCONNECT", "PEER_CONNECT", "BRICK_DISCONNECTED", "QUORUM_LOST"]),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(0, 3),
    st.floats(0, 4),
)


@given(st.lists(POSTS, max_size=60))
def test_nothing_is_lost_a_duplicate_has_its_news_within_the_window(
    told: list[tuple[str, int, int, int, float]],
) -> None:
    fold, now = Deduplicator(), 0.0
    news: dict[tuple[str, str], float] = {}
    for event, node, about, ts, later_s in told:
        now += later_s
        post = event_from(
            body(
                event, node, ts, uuid=uuid(about), peer="g", brick=f"/b/{about}", volume=f"v{about}"
            )
        )
        key = (post.event, post.name)
        if fold.is_news(post, now):
            news[key] = now
        else:
            assert now - news[key] <= WINDOW_S


def test_the_same_node_saying_it_again_is_news() -> None:
    fold = Deduplicator()
    assert [fold.is_news(disconnect(1, ts=ts), 1.0 * ts) for ts in (1, 2)] == [True, True]
    assert not fold.is_news(disconnect(2, ts=2), 2.1)


def test_the_very_same_post_twice_is_one() -> None:
    """A node with two webhooks of ours posts everything twice."""
    fold = Deduplicator()
    post = event_from(body("VOLUME_SET", 1, name="data", options=[["a", "1"]]))
    assert [fold.is_news(post, now) for now in (1.0, 1.2, 1.3 + WINDOW_S)] == [True, False, True]


def test_with_every_post_doubled_one_is_news_all_the_same() -> None:
    fold = Deduplicator()
    assert [fold.is_news(disconnect(node), 1.0) for node in (1, 1, 2, 2, 3, 3)] == [True] + [
        False
    ] * 5


def test_two_changes_of_one_volume_by_two_nodes_are_two() -> None:
    fold = Deduplicator()
    one = event_from(body("VOLUME_SET", 1, name="data", options=[["a", "1"]]))
    other = event_from(body("VOLUME_SET", 2, name="data", options=[["b", "2"]]))
    assert fold.is_news(one, 1.0)
    assert fold.is_news(other, 1.1)


def test_what_is_kept_is_bounded_and_forgetting_makes_news() -> None:
    fold = Deduplicator(most=50)
    for number in range(500):
        assert fold.is_news(disconnect(1, about=number), 1.0)
    assert len(fold) <= 50
    assert fold.is_news(disconnect(2, about=3), 1.0)


# --- gathering -----------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(1, 9), st.floats(0, 0.7)), min_size=1, max_size=80))
def test_at_most_one_wake_a_second_and_every_node_is_in_one(
    told: list[tuple[int, float]],
) -> None:
    gathered, now = Debouncer(), 50.0
    wakes: list[float] = []
    seen: set[str] = set()
    gathered.add([uuid(told[0][0])])
    assert gathered.due_s(now) == 0.0  # the first at once
    for node, later_s in told:
        gathered.add([uuid(node)])
        if nodes := gathered.take(now):
            wakes.append(now)
            seen |= nodes
        now += later_s
    now += gathered.due_s(now) or 0.0
    if nodes := gathered.take(now):
        wakes.append(now)
        seen |= nodes
    assert seen == {uuid(node) for node, _ in told}
    assert all(b - a >= 0.999 for a, b in pairwise(wakes))
    assert gathered.due_s(now) is None


def test_a_hint_names_nodes_and_one_that_cannot_be_read_names_nobody() -> None:
    assert decode_wakeup(encode_wakeup({uuid(2), uuid(1)}, "m1", 5.0)) == {uuid(1), uuid(2)}
    for told in (b"", b"{}", b"[1]", b'{"schema": 2, "nodes": []}', b'{"schema": 1, "nodes": {}}',
                 b'{"schema": 1, "nodes": ["../x", 3]}'):  # fmt: skip
        assert decode_wakeup(told) == frozenset()
