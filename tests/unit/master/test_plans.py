"""Whose plan is the pool's: that of a member of the pool that most are in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pytest

from salt_gluster.master.plans import apply_plan, plans
from salt_gluster.model import Peer
from tests.unit.master.test_status import report

POOL = ("g1", "g2", "g3")


def step(subject: str, text: str) -> dict[str, Any]:
    """One plan, as a minion answers it."""
    return {"id": subject[:8], "subject": subject, "steps": [{"text": text}], "refusals": [],
            "waits": [], "notes": []}  # fmt: skip


INVITE = step("g4", "invite g4 into the pool")
LONELY = [step("data", "create data"), step("web", "create web")]


def alone(node: str) -> dict[str, Any]:
    peers = [asdict(Peer(f"u-{node}", (node,), True, 3, is_self=True))]
    return {**report("g1"), "node": node, "names": [node], "uuid": f"u-{node}", "peers": peers,
            "volumes": {}, "bricks": {}}  # fmt: skip


class Pool:
    """Three members, and what each minion plans and reports."""

    def __init__(self, planned: Mapping[str, Any], lonely: tuple[str, ...] = ("g4",)) -> None:
        self.asked: list[str] = []
        told = {n: alone(n) if n in lonely else report(n) for n in planned}
        self.answers: dict[str, Mapping[str, Any]] = {
            "gluster.plan": planned, "gluster.report": told,
        }  # fmt: skip

    def ask(self, target: Any, function: str, *arguments: Any) -> Mapping[str, Any]:
        self.asked.append(function)
        return self.answers[function]


def test_the_longer_view_of_a_node_that_is_no_member_is_not_the_pool_s() -> None:
    pool = Pool({**{n: [INVITE] for n in POOL}, "g4": LONELY})
    assert plans(pool.ask, "*", as_data=True) == [INVITE]
    text = plans(pool.ask, "*")["text"]
    assert "invite g4" in text and "create data" not in text
    assert "g4 is in no pool with it" in text and "salt g4 gluster.plan" in text


def test_of_two_pools_the_larger_one_counts() -> None:
    planned = {"g1": [INVITE], "g2": [INVITE], "g3": [INVITE], "g4": LONELY, "g5": LONELY}
    pool = Pool(planned, ("g4", "g5"))
    text = plans(pool.ask, "*")["text"]
    assert "g4 and g5 are in no pool with it" in text or "g4, g5 are in no pool with it" in text


@pytest.mark.parametrize("as_data", [True, False])
def test_where_all_is_as_declared_nobody_is_asked_twice(as_data: bool) -> None:
    pool = Pool({n: [] for n in POOL})
    told = plans(pool.ask, "*", as_data=as_data)
    assert told == [] if as_data else (told["text"], told["retcode"]) == ("All is as declared.", 0)
    assert pool.asked == ["gluster.plan"]


def test_a_lonely_node_of_a_pool_that_is_as_declared_is_told_too() -> None:
    pool = Pool({**{n: [] for n in POOL}, "g4": LONELY})
    text = plans(pool.ask, "*")["text"]
    assert text.startswith("All is as declared.") and "g4 is in no pool with it" in text


def test_a_plan_that_is_refused_is_shown_with_an_exit_code() -> None:
    refusal = {"name": "pool_whole", "why": "g3 is down.", "ways": [], "final": False}
    refused = {**INVITE, "refusals": [refusal], "yes": [], "accept": []}
    assert plans(Pool({n: [refused] for n in POOL}).ask, "*")["retcode"] == 1
    assert plans(Pool({n: [INVITE] for n in POOL}).ask, "*")["retcode"] == 0


@pytest.mark.parametrize(
    ("answer", "code"),
    [({"result": True}, 0), ({"result": None}, 0), ({"result": False}, 1), ("ERROR: no", 1),
     (None, 1)],
)  # fmt: skip
def test_an_order_that_was_not_carried_out_ends_with_an_exit_code(answer: Any, code: int) -> None:
    def ask(target: Any, function: str, *arguments: Any) -> Mapping[str, Any]:
        return {"g1": [INVITE]} if function == "gluster.plan" else {"g1": answer}

    assert apply_plan(ask, "*", INVITE["id"], "", "").get("retcode", 0) == code
