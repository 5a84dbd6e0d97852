"""An order is carried out where it was given, at once, however often; a state gives way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from simulated import T0, Pool

from salt_gluster import node
from salt_gluster.errors import SpecError
from salt_gluster.minion import converge
from salt_gluster.minion.context import Minion
from salt_gluster.model import Brick, Observation, Plan, Subject, Volume
from salt_gluster.plan import plan_options_of
from salt_gluster.plan.drift import MOST
from salt_gluster.plan.outcome import Planner
from salt_gluster.spec import VolumeSpec

FOUR = ["g1", "g2", "g3", "g4"]
OPTION = "network.ping-timeout"
DATA = Subject("volume", "data")


@pytest.fixture
def pool() -> Pool:
    made = Pool(FOUR, together=True)
    bricks = tuple(Brick(n, "/b/data", made.machines[n].uuid) for n in FOUR)
    made.volumes[0]["data"] = Volume("data", "id-0", "Started", "replicate", bricks, 1, 4)
    return made


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What the node keeps in its file, here in memory."""
    state: dict[str, Any] = {}
    monkeypatch.setattr(node.LocalState, "get", lambda self, key: state.get(key))
    monkeypatch.setattr(node.LocalState, "put", lambda self, key, value: state.update({key: value}))
    yield state


def minion_of(pool: Pool, name: str) -> Minion:
    """Return a minion whose driver is the simulated pool's."""

    class Simulated(Minion):
        def driver(self, *_: Any, **__: Any) -> Any:
            return pool.world(name)

    return Simulated({"id": name}, {}, {})


def wanting(value: str) -> Planner:
    return lambda obs: plan_options_of(VolumeSpec("data", options={OPTION: value}), obs)


def set_back(pool: Pool) -> None:
    pool.volumes[0]["data"].options.pop(OPTION)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", FOUR)
def test_an_order_waits_for_nobody_on_whichever_node_it_was_given(pool: Pool, name: str) -> None:
    result = converge.order(minion_of(pool, name), wanting("9"))
    assert [node for node, _ in pool.log] == [name]
    assert result.changes == {"data": {"options": {OPTION: {"old": None, "new": "9"}}}}
    assert pool.time.now - T0 < 3


def repeated(pool: Pool, act: Callable[[], bool]) -> list[bool]:
    """Do it over and over while something else sets it back; return whether each was done."""
    done = []
    for _ in range(MOST + 2):
        done.append(act())
        if done[-1]:
            set_back(pool)
    return done


def test_a_state_that_is_set_back_again_and_again_gives_way_and_an_order_never(
    pool: Pool, kept: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(converge, "_state_in_words", lambda *_: "")
    minion, said = minion_of(pool, "g1"), list[str]()

    def by_state() -> bool:
        ret = converge.converge_subject(DATA, minion, wanting("9"))
        said.append(ret["comment"])
        return bool(ret["result"])

    def by_order() -> bool:
        result = converge.order(minion, wanting("9"))
        return not result.refused and bool(result.done)

    assert repeated(pool, by_order) == [True] * (MOST + 2)
    assert kept == {}, "an order is no repair that is counted"
    assert repeated(pool, by_state) == [True] * MOST + [False] * 2
    assert "another pillar, or an operator" in " ".join(said[-1].split())


def test_a_subject_that_cannot_be_planned_is_an_error_of_its_own(
    pool: Pool, kept: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(converge, "_state_in_words", lambda *_: "")

    def impossible(obs: Observation) -> Plan:
        raise SpecError("volumes:bad:replica", "needs three nodes")

    both = {Subject("volume", "bad"): impossible, DATA: wanting("9")}
    for test in (True, False):
        minion = minion_of(pool, "g1")
        minion.test = test
        bad, good = (part.to_state() for part in converge.converge_subjects(both, minion))
        assert bad["result"] is False and "needs three nodes" in bad["comment"]
        assert good["result"] is (None if test else True), good["comment"]
        assert good["changes"] == {"data": {"options": {OPTION: {"old": None, "new": "9"}}}}
