"""Journal, proposals, the line of the status and one node explained, as people read them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from salt_gluster.model import plain
from salt_gluster.remediation.operations import ExecutionReport, Life, Operation
from salt_gluster.render import render_explained, render_journal, render_proposals
from salt_gluster.render.automation import automation_lines

OP = Operation(
    id="4c1e90ab12de34f0", action="start_brick", rung=1, volume="data", volume_id="v",
    brick="g3:/srv/gluster/data/1", node="u3", executor="g3", epoch=7, state=Life.DONE,
    at=1000.0, deadline=1120.0, incident=900.0, attempt=2, changed=1400.0, applied_at=1003.0,
    why="reached from another member, and nothing is left to heal, three times",
)  # fmt: skip
SAID = ExecutionReport(OP.id, "u3", Life.APPLIED, 1002.0).to_data()


def row(outcome: Any = SAID, **changes: Any) -> dict[str, Any]:
    by = {"by": "the policy"}
    return {**plain(replace(OP, **changes).to_data()), **by, "outcome": outcome}


def journal(*rows: dict[str, Any], total: int | None = None) -> str:
    count = len(rows) if total is None else total
    return render_journal({"pool": "prod", "total": count, "operations": list(rows), "orders": []})


def fits(text: str) -> str:
    assert max(len(line) for line in text.splitlines()) <= 80
    return " ".join(text.split())


def test_the_journal_tells_when_what_and_how_it_ended() -> None:
    text = fits(journal(row()))
    assert "00:16:40 UTC done start_brick g3:/srv/gluster/data/1" in text
    assert "4c1e90ab12de34f0, attempt 2 on g3: seen applied after 3 s, ended after 6 min" in text
    assert "three times g3 says applied at 00:16:42 UTC" in text


@pytest.mark.parametrize(
    ("changes", "outcome", "words"),
    [
        ({"state": Life.INTENT, "changed": 1000.0, "applied_at": None, "why": ""}, None,
         "not over g3 has written no outcome"),
        ({"state": Life.REFUSED, "reasons": ("held: ann",)}, SAID, "held: ann"),
        ({"state": Life.LOST, "applied_at": None}, {"unknown": "no view"},
         "its outcome cannot be read: no view"),
    ],
)  # fmt: skip
def test_what_is_not_over_or_not_known_is_said(
    changes: dict[str, Any], outcome: Any, words: str
) -> None:
    assert words in fits(journal(row(outcome, **changes)))


def test_an_empty_journal_and_a_cut_one_say_so() -> None:
    assert journal() == "prod   0 operations"
    assert journal(row(), total=9).startswith("prod   9 operations, the newest 1\n")
    assert "cannot be read: op1: bad" in fits(journal({"unknown": "op1: bad"}))


def test_proposals_show_what_speaks_against_them_and_what_to_type() -> None:
    reasons = [{"name": "not_held", "why": "ann holds the pool: " + "moving the rack " * 6}]
    waiting = {**row(state=Life.WAITING), "not_yet": reasons}
    given = {"evidence": {"approved_by": "ann (root@m1)"}, "starts": ("g3:/b", "g4:/b")}
    approved = {**row(state=Life.APPROVED, id="aaaa", **given), "not_yet": []}
    shown = render_proposals({"pool": "prod", "proposals": [waiting, approved, {"unknown": "x"}]})
    text = fits(shown)
    assert "prod 3 proposals" in text
    assert "not yet: not_held ann holds the pool: moving the rack" in text
    assert "salt-run gluster_remediation.approve 4c1e90ab12de34f0" in text
    assert "salt-run gluster_remediation.reject 4c1e90ab12de34f0" in text
    assert "approved since 00:23:20 UTC by ann (root@m1)" in text
    assert "it starts g3:/b, g4:/b" in text
    assert "gluster_remediation.approve aaaa" not in text and "cannot be read: x" in text


LINE: dict[str, Any] = {
    "leader": "m1", "told_at": 998.0, "told_by": "m1", "now": 1000.0, "mode": "open", "why": "",
    "restart_brick": "act", "operations": [], "proposals": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "AUTOMATION m1 leads, last news 2 s ago. Restarts bricks"),
        ({"restart_brick": "propose"}, "ago. Proposes to restart bricks"),
        ({"restart_brick": "observe"}, "ago. Only watches"),
        ({"restart_brick": None}, "Gives notices only: no declaration is accepted"),
        ({"leader": None}, "nobody leads (m1 did): nothing is watched. Restarts bricks"),
        ({"leader": None, "told_by": None}, "nobody leads: nothing is watched"),
        ({"told_at": None, "mode": None}, "m1 leads and has told nothing yet. Restarts bricks"),
        ({"mode": "storm", "why": "too many"}, "Restarts bricks, but nothing now: storm, too many"),
        ({"operations": [{"id": "o1", "brick": "g3:/b", "state": "intent", "why": ""}]},
         "o1 intent, g3:/b: just begun"),
        ({"proposals": [{**row(state=Life.WAITING), "not_yet": []}]},
         "salt-run gluster_remediation.approve 4c1e90ab12de34f0"),
    ],
)  # fmt: skip
def test_the_line_of_the_status_says_who_leads_and_what_it_may(
    changes: dict[str, Any], words: str
) -> None:
    assert words in fits("\n".join(automation_lines({**LINE, **changes})))


def test_a_consul_that_does_not_answer_is_an_unknown() -> None:
    text = fits("\n".join(automation_lines({"unknown": "no Consul agent answers " * 9})))
    assert text.startswith("AUTOMATION unknown: no Consul agent answers")


EXPLAINED: dict[str, Any] = {
    "pool": "prod", "node": "g3", "uuid": "0b2c8a5c-0000-4000-8000-000000000003", "now": 1000.0,
    "leader": "m1", "told_at": 990.0, "told_by": "m1", "mode": "open", "why": "the view is back",
    "policy": "version 3",
    "catalog": {"node": "g3", "minion": "g3", "address": "10.0.0.3", "zone": "r1"},
    "checks": [{"check": "serfHealth", "status": "critical", "says": "Agent not live\nor gone"}],
    "verdict": {
        "name": "g3", "state": "suspect", "since": 900.0, "row": "N2", "why": "a brick is dead",
        "witnesses": [{"source": "consul", "says": "+"}, {"source": "peers", "says": "-"}],
    },
    "bricks": [{"path": "/b", "name": "g3:/b", "state": "down", "since": None, "row": "-",
                "why": "its process is dead"}],
    "refused": [{
        "brick": "g3:/b", "node": "u3",
        "reasons": [{"name": "not_held", "why": "ann", "ways": ["salt-run gluster.release"]}],
        "guards": [{"name": "not_held", "yes": False, "why": "ann holds the pool"},
                   {"name": "disk_fine", "yes": True, "why": ""}],
    }],
    "operations": [], "hold": {"reason": "rack", "by": "ann"}, "maintenance": None,
}  # fmt: skip


def test_a_node_is_explained_with_evidence_row_and_every_guard() -> None:
    text = fits(render_explained(EXPLAINED))
    for words in (
        "as told 10 s ago",
        "VERDICT suspect since 00:15:00 UTC (row N2): a brick is dead",
        "EVIDENCE consul: good peers: bad",
        "CHECKS serfHealth critical: Agent not live or gone",
        "BRICK /b: down: its process is dead",
        "GUARDS of g3:/b: 1 of 2 say no",
        "no not_held ann holds the pool salt-run gluster.release",
        "yes disk_fine",
        "HOLD SET by ann: rack MAINTENANCE none",
        "LEADER m1 leads, mode open: the view is back; policy version 3",
    ):
        assert words in text, (words, text)


def test_without_a_leader_it_says_so_and_shows_what_is_known() -> None:
    nobody = {
        **EXPLAINED, "leader": None, "told_at": None, "told_by": None, "mode": None,
        "verdict": {"unknown": "no leader has told anything yet"}, "bricks": [], "refused": [],
        "hold": {"unknown": "forbidden"}, "catalog": {"unknown": "not there"},
        "checks": {"unknown": "not there"},
        "maintenance": {"reason": "disk", "by": "bob", "until": 1000.0},
    }  # fmt: skip
    text = fits(render_explained(nobody))
    assert "VERDICT unknown: no leader has told anything yet" in text
    assert "nobody leads: nothing is watched and nothing will be done" in text
    assert "CONSUL unknown: not there; it left, was erased, or never registered" in text
    assert "HOLD unknown, counts as set: forbidden" in text
    assert "MAINTENANCE SET by bob until 00:16:40 UTC: disk" in text
    json.dumps(nobody)


def test_trouble_of_automation_itself_is_a_notice_with_what_to_do() -> None:
    row = {"kind": "sensor", "about": "g2", "ways": ["salt g2 state.apply gluster"],
           "why": "the sensor of g2 is not heard, what it told last may be old: g2 says: ACL not"
           " found"}  # fmt: skip
    data = {"leader": "m1", "told_at": 990.0, "now": 1000.0, "restart_brick": "act", "mode": "open",
            "why": "", "operations": [], "proposals": [], "trouble": [row] * 7}  # fmt: skip
    text = fits("\n".join(automation_lines(data)))
    assert text.count("NOTICE the sensor of g2 is not heard") == 5
    assert "g2 says: ACL not found salt g2 state.apply gluster" in text
    assert text.endswith("and 2 more, all in --out json")
