"""Whether the members see each other: one node's view of the others is one of many. Pure.

A node that is cut off calls all others disconnected, and a hostile one calls them whatever it
likes. So each member is what most of the others say; that it has told something itself is one voice
more for it, and the word of one whom most miss counts for nothing. At a draw the first report
stands, which is one of the majority in all else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import replace

from salt_gluster.model import Peer, Reach, Unknown

#: Who tells (uuid) -> the peers there, by uuid.
ToldPeers = Mapping[str, Mapping[str, Peer]]
ToldReach = Mapping[str, Mapping[str, Reach]]


def missed(told: ToldPeers) -> frozenset[str]:
    """Return those who tell something and whom most of the others have as disconnected."""
    return frozenset(u for u in told if _votes(u, told, told.keys())[1])


def _votes(uuid: str, told: ToldPeers, voters: Collection[str]) -> tuple[list[Peer], bool]:
    """Return the rows that others have of it, and whether most miss it."""
    rows = [told[v][uuid] for v in voters if v != uuid and uuid in told[v]]
    against = sum(not p.connected for p in rows)
    return rows, 2 * against > len(rows) + (uuid in told)


def by_majority(first: tuple[Peer, ...], told: ToldPeers) -> tuple[Peer, ...]:
    """Return the peers of the first report, each with the state that most of the others tell."""
    voters = told.keys() - missed(told)
    return tuple(p if p.is_self else _as_told(p, told, voters) for p in first)


def _as_told(own: Peer, told: ToldPeers, voters: Collection[str]) -> Peer:
    rows, is_missed = _votes(own.uuid, told, voters)
    connected = sum(p.connected for p in rows) + (own.uuid in told)
    is_seen = 2 * connected > len(rows) + (own.uuid in told)
    if not rows or not (is_missed or is_seen):
        return own
    alike = [p for p in rows if p.connected is not is_missed] or [replace(own, connected=True)]
    states = Counter((p.state, p.state_text) for p in alike)
    state, text = states.most_common(1)[0][0]
    return replace(own, connected=not is_missed, state=state, state_text=text)


def reach_by_majority(
    told: ToldReach, first: str, away: Collection[str]
) -> dict[str, Reach]:  # fmt: skip
    """Return whether each member accepts, as most of the others found it; at a draw the first's.

    ``away`` are those whose word counts for nothing.
    """
    found = dict(told.get(first, {}))
    for uuid in {u for rows in told.values() for u in rows}:
        rows = [r[uuid] for who, r in told.items() if uuid in r and who not in (uuid, *away)]
        accepts, own = [r for r in rows if r.accepts], uuid in told and uuid not in away
        if accepts and 2 * (len(accepts) + own) > len(rows) + own:
            known = [r.max_op_version for r in accepts if not isinstance(r.max_op_version, Unknown)]
            most = Counter(known).most_common(1)
            found[uuid] = Reach(True, most[0][0] if most else accepts[0].max_op_version)
        elif 2 * len(accepts) < len(rows) - own:
            found[uuid] = next(r for r in rows if not r.accepts)
    return found
