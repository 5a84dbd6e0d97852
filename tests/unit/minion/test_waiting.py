"""A whole highstate on the simulated pool: True only where it is as declared."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from simulated import T0, Pool

from salt_gluster import node
from salt_gluster.minion import converge
from salt_gluster.minion.context import Minion
from salt_gluster.model import Subject

FOUR = ["g1", "g2", "g3", "g4"]
#: A brick on every node.
VOLUMES = {"data": {"replica": 2, "accept_risk": ["replica2"]}}
PILLAR = {"gluster": {"nodes": "g[1-4]", "volumes": VOLUMES}}


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What the nodes keep in their files, here in memory."""
    state: dict[str, Any] = {}
    monkeypatch.setattr(node.LocalState, "get", lambda self, key: state.get(key))
    monkeypatch.setattr(node.LocalState, "put", lambda self, key, value: state.update({key: value}))
    yield state


class Silent:
    """What a node says of its bricks the simulated pool knows by itself."""

    def add(self, volume: str, paths: Any, accepted: Any) -> None:
        """Say nothing."""

    def finish(self) -> None:
        """Take nothing back."""


def minion_of(pool: Pool, name: str, *, test: bool = False) -> Minion:
    """Return a minion whose driver is the simulated pool's."""

    class Simulated(Minion):
        announcer: Any = Silent()

        def driver(self, *_: Any, **__: Any) -> Any:
            return pool.world(name)

    return Simulated({"id": name, "test": test}, {}, {}, PILLAR)


def apply(pool: Pool, *names: str) -> dict[str, dict[str, Any]]:
    """Let these nodes apply the declaration at once; return the state's dict of each."""
    jobs = {n: partial(converge.converge_pool, "pool", minion_of(pool, n)) for n in names}
    return pool.time.run(jobs)


def text(ret: dict[str, Any]) -> str:
    return " ".join(ret["comment"].split())


def test_a_node_takes_over_once_for_all_states_of_a_run() -> None:
    """Each volume by a state of its own, and nobody else runs them."""
    pool = Pool(FOUR, together=True)
    took, names = [], [f"v{n}" for n in range(6)]
    minion = minion_of(pool, "g1")
    for name in names:
        spec = minion.volume(name, {"replica": 3, "bricks": [f"g{n}:/b/{name}" for n in (2, 3, 4)]})
        began = pool.time.now
        ret = converge.converge_subject(
            Subject("volume", name), minion, converge.volume_planner(spec, None, FOUR)
        )
        assert ret["result"] is True, ret
        took.append(pool.time.now - began)
    assert took[0] > 3 and max(took[1:]) < took[0] - 2, took


@given(st.integers(0, 2**32))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_four_bare_nodes_at_once_are_all_true(seed: int) -> None:
    pool = Pool(FOUR, seed)
    pool.prepared_all = False
    answers = apply(pool, *FOUR)
    assert {n: a["result"] for n, a in answers.items()} == dict.fromkeys(FOUR, True), answers
    assert pool.volume("data").is_started


def test_without_one_node_the_run_is_red_and_says_whom_to_wait_for() -> None:
    pool = Pool(FOUR)
    pool.prepared_all = False
    answers = apply(pool, "g1", "g2", "g3")
    assert {a["result"] for a in answers.values()} == {False}
    for ret in answers.values():
        assert "g4 has not prepared" in text(ret)
        assert "prepare it salt g4 state.apply gluster" in text(ret)
    assert not any(pool.volumes.values())
    again = apply(pool, *FOUR)
    assert {a["result"] for a in again.values()} == {True}, again


def test_a_fresh_node_alone_is_red_and_names_who_has_to_invite_it() -> None:
    pool = Pool(FOUR)
    ret = apply(pool, "g2")["g2"]
    assert ret["result"] is False
    assert pool.log == [], "who does not know the pool's volumes prepares nothing for them"
    assert "g1 has to invite this node into the pool (it answers, is in no pool yet" in text(ret)
    assert "invite it salt g1 state.apply gluster" in text(ret)


@pytest.mark.parametrize("name", FOUR[:3])
def test_a_volume_is_refused_at_once_where_one_of_its_nodes_is(name: str) -> None:
    """g4 is in a pool of its own: g1 never invites it, on whichever node the state runs."""
    pool = Pool([*FOUR, "x"])
    pool.home.update(g1=0, g2=0, g3=0, g4=9, x=9)
    pool.volumes[9] = {}
    ret = apply(pool, name)[name]
    assert ret["result"] is False and "g4 is no member, and is not invited" in text(ret)
    assert not pool.volumes[0]
    assert pool.time.now - T0 < 20, "it is not waited for"


def test_what_all_subjects_of_a_node_wait_for_is_said_once() -> None:
    ret = apply(Pool(FOUR), "g2")["g2"]
    assert text(ret).count("has to invite this node") == 1
    assert "peer g1, peer g3, peer g4:" in text(ret)
    assert text(ret).count("For the same reason as bricks of data.") == 2
