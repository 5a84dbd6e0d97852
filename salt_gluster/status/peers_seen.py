"""Whether the members see each other: one node's view of the others is one of many. Pure.

A node that is cut off calls all others disconnected, and a hostile one calls them whatever it
likes. So each member is what most of the others say; that it has told something itself is one voice
more for it, and the word of one whom most miss counts for nothing. At a draw the first report
stands, which is one of the majority in all else.

Most reports say the same of most members. So a report is read once, as what it says of most and of
whom it says something else, and a member's votes are counted by groups of reports: a leader does
this at every tick while something is wrong, in a pool of 300 for 90,000 pairs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from salt_gluster.model import Peer, Reach, Unknown

#: What is said of one member.
Row = TypeVar("Row", bound=Hashable)
#: Whether a peer is connected, gluster's number of its state, and its text.
PeerRow = tuple[bool, int, str]
#: Whether a member accepts; what it can run, or why that is not known.
ReachRow = tuple[bool, "int | str"]


@dataclass(frozen=True)
class Voice(Generic[Row]):
    """What one member says of the others: ``usual`` of all ``members`` but those in ``others``.

    ``members`` has the one that says it, too; what it says of itself counts for nothing.
    """

    members: frozenset[str]
    usual: Row | None
    others: Mapping[str, Row]


def voice_of(uuid: str, rows: Mapping[str, Row]) -> Voice[Row]:
    """Return what this member says of the others."""
    said = {u: row for u, row in rows.items() if u != uuid}
    usual = max(Counter(said.values()).items(), key=lambda c: c[1])[0] if said else None
    return Voice(
        frozenset({*said, uuid}), usual, {u: row for u, row in said.items() if row != usual}
    )


@dataclass(frozen=True)
class MemberViews:
    """What one report says of the other members."""

    peers: Voice[PeerRow]
    reach: Voice[ReachRow]


def views_of(report: Mapping[str, Any]) -> MemberViews:
    """Return what a report says of the other members."""
    peers = {
        p["uuid"]: (bool(p["connected"]), int(p["state"]), str(p.get("state_text", "")))
        for p in report["peers"]
    }
    reach = {
        u: (bool(r["accepts"]), _number(r["max_op_version"])) for u, r in report["reach"].items()
    }
    return MemberViews(voice_of(report["uuid"], peers), voice_of(report["uuid"], reach))


def _number(value: Any) -> int | str:
    if isinstance(value, int):
        return value
    return str(value["unknown"]) if isinstance(value, Mapping) else "not told"


class _Votes(Generic[Row]):
    """What these voters say of any member."""

    def __init__(self, told: Mapping[str, Voice[Row]], voters: Collection[str]) -> None:
        self._own = {u: told[u] for u in voters}
        self._groups = Counter((v.members, v.usual) for v in self._own.values())
        self._other: dict[str, Counter[Row | None]] = {}
        for voice in self._own.values():
            for uuid, row in voice.others.items():
                other = self._other.setdefault(uuid, Counter())
                other[row] += 1
                other[voice.usual] -= 1

    def of(self, uuid: str) -> Counter[Row]:
        """Return row -> how many of the others say it."""
        votes: Counter[Any] = Counter(self._other.get(uuid, ()))
        for (members, usual), count in self._groups.items():
            if uuid in members:
                votes[usual] += count
        if uuid in self._own:
            votes[self._own[uuid].usual] -= 1
        return +votes


def missed(told: Mapping[str, Voice[PeerRow]]) -> frozenset[str]:
    """Return those who tell something and whom most of the others have as disconnected."""
    votes = _Votes(told, told.keys())
    return frozenset(u for u in told if _are_against(votes.of(u), has_told=True))


def _are_against(votes: Mapping[PeerRow, int], *, has_told: bool) -> bool:
    against = sum(n for row, n in votes.items() if not row[0])
    return 2 * against > sum(votes.values()) + has_told


def by_majority(
    first: tuple[Peer, ...], told: Mapping[str, Voice[PeerRow]]
) -> tuple[Peer, ...]:  # fmt: skip
    """Return the peers of the first report, each with the state that most of the others tell."""
    votes = _Votes(told, told.keys() - missed(told))
    return tuple(
        p if p.is_self else _as_told(p, votes.of(p.uuid), has_told=p.uuid in told) for p in first
    )


def _as_told(own: Peer, votes: Counter[PeerRow], *, has_told: bool) -> Peer:
    total = sum(votes.values())
    is_missed = _are_against(votes, has_told=has_told)
    connected = sum(n for row, n in votes.items() if row[0]) + has_told
    if not total or not (is_missed or 2 * connected > total + has_told):
        return own
    alike = {row: n for row, n in votes.items() if row[0] is not is_missed}
    _, state, text = _most_told(alike) if alike else (True, own.state, own.state_text)
    return replace(own, connected=not is_missed, state=state, state_text=text)


def _most_told(votes: Mapping[Row, int]) -> Row:
    """Return the row of most votes; of several the same one for every reader."""
    return max(votes, key=lambda row: (votes[row], str(row)))


def reach_by_majority(
    told: Mapping[str, Voice[ReachRow]], first: str, away: Collection[str]
) -> dict[str, Reach]:  # fmt: skip
    """Return whether each member accepts, as most of the others found it; at a draw the first's.

    ``away`` are those whose word counts for nothing.
    """
    votes = _Votes(told, told.keys() - set(away))
    own = told[first]
    found = {u: _reach(_said(own, u)) for u in own.members - {first}}
    for uuid in frozenset().union(*(v.members for v in told.values())):
        rows, has_told = votes.of(uuid), uuid in told and uuid not in away
        accepts = {row: n for row, n in rows.items() if row[0]}
        count, total = sum(accepts.values()), sum(rows.values())
        if accepts and 2 * (count + has_told) > total + has_told:
            known = {row: n for row, n in accepts.items() if isinstance(row[1], int)}
            found[uuid] = _reach(_most_told(known or accepts))
        elif 2 * count < total - has_told:
            found[uuid] = _reach(_most_told({r: n for r, n in rows.items() if not r[0]}))
    return found


def _said(voice: Voice[ReachRow], uuid: str) -> ReachRow:
    row = voice.others.get(uuid, voice.usual)
    assert row is not None, "it says something of others"
    return row


def _reach(row: ReachRow) -> Reach:
    return Reach(row[0], row[1] if isinstance(row[1], int) else Unknown(row[1]))
