"""Trouble of what automation stands on: told once, with its all-clear, and never acted on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fleet import NOW, UUIDS, observation

from salt_gluster.model import NOT_ASKED
from salt_gluster.remediation.consul_health import announce, troubles
from salt_gluster.remediation.decide import decide
from salt_gluster.remediation.membership import Signal
from salt_gluster.remediation.observation import Certificate, ConsulHealth, Maintenance, Memory
from salt_gluster.remediation.policy import Policy

NAMES = sorted(UUIDS)
ALL = frozenset(UUIDS.values())
LOST = UUIDS[NAMES[0]]
DAY = 86400.0


def obs(known: frozenset[str] = ALL, heard: Any = ALL, **more: Any) -> Any:
    said = {k: more.pop(k) for k in ("servers", "certificates", "says") if k in more}
    return observation(consul_health=ConsulHealth(known, heard, **said), **more)


def events(seen: Any, before: Any = None) -> tuple[dict[Any, Any], list[tuple[str, str]]]:
    kept, notices = announce(seen, before or {}, troubles(seen))
    return kept, [(n.subject, n.event) for n in notices]


def test_a_sensor_that_is_not_heard_is_told_once_and_its_return_too() -> None:
    kept, told = events(obs(heard=ALL - {LOST}))
    assert told == [("node", "unwatched")]
    kept, told = events(obs(heard=ALL - {LOST}), kept)
    assert told == []
    assert events(obs(), kept) == ({}, [("node", "watched")])


def test_what_the_node_says_of_it_is_told_in_its_name() -> None:
    (row,) = troubles(obs(heard=ALL - {LOST}, says={LOST: "ACL not found"}))
    assert f"{NAMES[0]} says: ACL not found" in row.why


def test_one_that_was_never_heard_is_missed_by_nobody() -> None:
    assert troubles(obs(known=ALL - {LOST}, heard=frozenset())) != ()
    assert troubles(obs(known=frozenset(), heard=frozenset())) == ()


def test_while_nothing_is_known_of_it_nothing_is_told() -> None:
    kept, _ = events(obs(heard=ALL - {LOST}))
    assert events(obs(heard=NOT_ASKED), kept) == (kept, [])


def _missed(seen: Any) -> Any:
    registered = {**seen.consul.registered, LOST: replace(seen.consul.registered[LOST],
                                                          serf=Signal.BAD)}  # fmt: skip
    return replace(seen, consul=replace(seen.consul, registered=registered))


def test_a_node_that_is_missed_or_in_maintenance_is_no_silent_sensor() -> None:
    silent = obs(heard=ALL - {LOST})
    held = replace(silent, maintenance={LOST: Maintenance("ann", "ram", None)})
    kept, _ = events(silent)
    for seen in (_missed(silent), held):
        assert events(seen) == ({}, [])
        assert events(seen, kept) == (kept, [])  # nor is it over


def test_a_node_that_has_left_takes_its_trouble_along() -> None:
    kept, _ = events(obs(heard=ALL - {LOST}))
    gone = obs(known=ALL - {LOST}, heard=ALL - {LOST})
    others = {u: r for u, r in gone.consul.registered.items() if u != LOST}
    gone = replace(gone, consul=replace(gone.consul, registered=others))
    assert events(gone, kept) == ({}, [])


def test_a_server_that_is_not_well_is_told_until_it_is() -> None:
    kept, told = events(obs(servers={"g1": "", "g2": "it stores nothing any more"}))
    assert told == [("cluster", "consul_degraded")]
    assert events(obs(servers=NOT_ASKED), kept) == (kept, [])
    assert events(obs(servers={"g1": ""}), kept) == (kept, [])  # not seen in this look
    assert events(obs(servers={"g1": "", "g2": ""}), kept) == ({}, [("cluster", "consul_whole")])


@pytest.mark.parametrize(
    ("since", "until", "words"),
    [
        (-DAY, 31 * DAY, ""),
        (-DAY, 29 * DAY, "ends in 29 days"),
        (-DAY, -60.0, "has ended"),
        (7200.0, 900 * DAY, "is not valid for 2 h more: it was made by a clock ahead"),
    ],
)
def test_what_ends_is_told_30_days_before_and_what_does_not_count_yet(
    since: float, until: float, words: str
) -> None:
    row = Certificate("authority", "g1", NOW + since, NOW + until, ("salt-run gluster.setup",))
    found = troubles(obs(certificates=(row,)))
    assert [t.why for t in found] == ([f"the authority of g1 {words}"] if words else [])
    if words:
        kept, told = events(obs(certificates=(row,)))
        assert told == [("cluster", "ends_soon")]
        assert events(obs(), kept) == (kept, [])  # the node tells nothing of it now
        new = replace(row, since=NOW - DAY, until=NOW + 900 * DAY)
        assert events(obs(certificates=(new,)), kept) == ({}, [("cluster", "renewed")])


def test_a_decision_tells_it_and_does_nothing_else_about_it() -> None:
    seen = obs(heard=ALL - {LOST}, servers={"g1": "away"})
    with_it = decide(seen, Policy(), Memory(epoch=7, mode="open"))
    without = decide(replace(seen, consul_health=ConsulHealth()), Policy(),
                     Memory(epoch=7, mode="open"))  # fmt: skip
    assert {n.event for n in with_it.notices} - {n.event for n in without.notices} == {
        "unwatched", "consul_degraded",
    }  # fmt: skip
    assert (with_it.asks, with_it.mode, with_it.rows) == (without.asks, without.mode, without.rows)
