"""What most members say of each, counted by groups of reports, is what single counting gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from salt_gluster.model import Peer, Unknown
from salt_gluster.status import peers_seen
from salt_gluster.status.peers_seen import MemberViews

UUIDS = [f"u{n}" for n in range(7)]
Rows = Mapping[str, Mapping[str, tuple[Any, ...]]]

peer_rows = st.sampled_from(
    [(True, 3, "in"), (True, 3, "in"), (False, 3, "in"), (True, 6, "rejected"), (False, 4, "")]
)
reach_rows = st.sampled_from([(True, 100000), (True, 100000), (True, 110000), (False, "refused"),
                              (True, "old"), (False, "silent")])  # fmt: skip


def pools(rows: st.SearchStrategy[Any]) -> st.SearchStrategy[Rows]:
    """Generate who tells what of whom; not everybody tells of everybody, or of itself."""
    return st.dictionaries(
        st.sampled_from(UUIDS), st.dictionaries(st.sampled_from(UUIDS), rows), min_size=1
    )


def views(told: Rows) -> dict[str, Any]:
    return {u: peers_seen.voice_of(u, rows) for u, rows in told.items()}


def rows_of(uuid: str, told: Rows, voters: set[str]) -> list[Any]:
    return [told[v][uuid] for v in voters if v != uuid and uuid in told[v]]


def are_missed(told: Rows) -> set[str]:
    found = set()
    for uuid in told:
        rows = rows_of(uuid, told, set(told))
        if 2 * sum(not row[0] for row in rows) > len(rows) + 1:
            found.add(uuid)
    return found


@given(told=pools(peer_rows))
def test_who_is_connected_is_what_most_of_the_others_say(told: Rows) -> None:
    missed = are_missed(told)
    assert peers_seen.missed(views(told)) == missed
    first = tuple(Peer(u, (u,), True, 9, "first") for u in UUIDS)
    for own, seen in zip(first, peers_seen.by_majority(first, views(told)), strict=True):
        rows = rows_of(own.uuid, told, set(told) - missed)
        against, has_told = sum(not row[0] for row in rows), own.uuid in told
        is_missed = 2 * against > len(rows) + has_told
        is_seen = 2 * (len(rows) - against + has_told) > len(rows) + has_told
        if not rows or not (is_missed or is_seen):
            assert seen is own, "at a draw the first report stands"
            continue
        assert seen.connected is not is_missed
        alike = [row[1:] for row in rows if row[0] is not is_missed] or [(9, "first")]
        most = max(map(alike.count, alike))
        assert alike.count((seen.state, seen.state_text)) == most


@given(told=pools(reach_rows), data=st.data())
def test_who_accepts_is_what_most_of_the_others_found(told: Rows, data: st.DataObject) -> None:
    first = data.draw(st.sampled_from(sorted(told)))
    away = data.draw(st.sets(st.sampled_from(UUIDS)))
    found = peers_seen.reach_by_majority(views(told), first, away)
    for uuid in UUIDS:
        rows = rows_of(uuid, told, set(told) - away)
        accepts, own = [row[1] for row in rows if row[0]], uuid in told and uuid not in away
        if accepts and 2 * (len(accepts) + own) > len(rows) + own:
            known = [number for number in accepts if isinstance(number, int)] or accepts
            assert found[uuid].accepts and known.count(version(found[uuid])) == max(
                map(known.count, known)
            )
        elif 2 * len(accepts) < len(rows) - own:
            assert not found[uuid].accepts
        elif uuid in told[first] and uuid != first:
            assert (found[uuid].accepts, version(found[uuid])) == told[first][uuid]


def version(reach: Any) -> Any:
    number = reach.max_op_version
    return number.why if isinstance(number, Unknown) else number


def test_what_a_report_says_of_the_others_is_read() -> None:
    report = {
        "uuid": "u0",
        "peers": [
            {"uuid": "u0", "connected": True, "state": 3, "is_self": True},
            {"uuid": "u1", "connected": False, "state": 3, "state_text": "gone"},
        ],
        "reach": {"u1": {"accepts": False, "max_op_version": {"unknown": "no answer"}}},
    }
    read: MemberViews = peers_seen.views_of(report)
    assert read.peers.members == {"u0", "u1"}
    assert (read.peers.usual, read.reach.usual) == ((False, 3, "gone"), (False, "no answer"))
