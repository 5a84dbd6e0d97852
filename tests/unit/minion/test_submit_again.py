"""A node submits its last highstate's declaration again where Consul has an older one."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from fake_consul import FakeConsul

from salt_gluster import node
from salt_gluster.consul.documents import Document
from salt_gluster.consul.store import Store
from salt_gluster.minion import submit

OLD = {"schema": 1, "spec": {"nodes": ["g1"]}, "policy": {"restart_brick": "act"}, "by": "g1"}
NEW = {**OLD, "policy": {"restart_brick": "observe"}}


class World:
    """One node and its Consul: ``old`` is what stood there before the node submitted ``NEW``."""

    def __init__(self) -> None:
        self.consul = FakeConsul()
        self.store = Store(self.consul.client(), "main")
        self.submit(OLD)
        self.old = copy.deepcopy(self.consul.keys)
        self.submit(NEW)

    def submit(self, said: dict[str, Any]) -> None:
        assert self.store.submit("u1", said)
        submit.keep_submission(self.store, "u1")

    def mark(self) -> None:
        self.store.write(self.store.keys.went_back, {"schema": 1, "at": 1.0, "by": "m1",
                                                     "seen": 9, "found": 5})  # fmt: skip

    @property
    def submitted(self) -> Document:
        document = self.store.read(self.store.keys.submitted("u1"))
        assert document is not None
        return document

    @property
    def policy(self) -> str:
        return str(self.submitted.data["policy"]["restart_brick"])


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    kept = node.LocalState(tmp_path / "state.json")
    monkeypatch.setattr(submit.node, "LocalState", lambda: kept)
    return World()


def test_what_is_as_it_was_submitted_is_left_alone(world: World) -> None:
    index = world.submitted.index
    assert not submit.submit_again(world.store, "u1", compare=True)
    assert world.submitted.index == index


def test_an_older_one_is_replaced_by_what_this_node_remembers(world: World) -> None:
    """Also where no engine has noticed: the master may be a new machine."""
    world.consul.keys = world.old
    assert not submit.submit_again(world.store, "u1", compare=False)
    assert submit.submit_again(world.store, "u1", compare=True)
    assert world.policy == "observe"
    assert not submit.submit_again(world.store, "u1", compare=True)


def test_one_that_is_gone_is_written_again(world: World) -> None:
    world.consul.keys = {}
    assert submit.submit_again(world.store, "u1", compare=True)
    assert world.policy == "observe"


def test_after_a_mark_the_same_is_submitted_once_more_and_once_only(world: World) -> None:
    before = world.submitted.index
    world.mark()
    assert submit.submit_again(world.store, "u1", compare=False)
    assert world.submitted.index > before and world.policy == "observe"
    assert not submit.submit_again(world.store, "u1", compare=False)


def test_a_highstate_does_so_as_well(world: World) -> None:
    assert not world.store.submit("u1", NEW)
    world.mark()
    assert world.store.submit("u1", NEW)
    assert not world.store.submit("u1", NEW)


def test_what_another_identity_submitted_is_not_this_nodes(world: World) -> None:
    world.mark()
    assert not submit.submit_again(world.store, "u2", compare=True)
