"""What the nodes say of a declared volume that is not there, added up."""

from __future__ import annotations

from typing import Any

from salt_gluster.status.declared import not_made


def report(node: str, says: str = "", why: str = "", volume: str = "data") -> dict[str, Any]:
    return {"node": node, "declared": {volume: {"says": says, "why": why}}}


def test_who_is_in_the_way_is_named_once_and_who_only_waits_for_it_is_not() -> None:
    full, waits = ("refuses", "/b holds old"), ("waits", "g1 has not prepared it")
    rows = [report("g10", *full), report("g9", *full), report("g2", *waits), report("g3")]
    assert not_made(rows, ()) == {
        "data": [{"nodes": ["g9", "g10"], "says": "refuses", "why": "/b holds old"}]
    }
    both = not_made([report("g1", *full), report("g2", "failed", "no luck")], ())["data"]
    assert [(r["nodes"], r["says"]) for r in both] == [(["g2"], "failed"), (["g1"], "refuses")]


def test_without_a_cause_the_waits_stand_and_without_those_who_misses_it() -> None:
    assert not_made([report("g2", "waits", "for g1"), report("g3")], ())["data"] == [
        {"nodes": ["g2"], "says": "waits", "why": "for g1"}
    ]
    assert not_made([report("g2"), report("g1")], ())["data"] == [
        {"nodes": ["g1", "g2"], "says": "", "why": ""}
    ]


def test_what_the_pool_has_is_made_and_what_nobody_declares_is_not_missed() -> None:
    assert not_made([report("g1", "refuses", "late")], ("data",)) == {}
    assert not_made([{"node": "g1"}, {"node": "g2", "declared": "?"}], ()) == {}
