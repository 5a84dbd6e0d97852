"""A node that nobody registered tells Consul nothing, and what is told is plain."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import pytest

from salt_gluster.consul import client as consul_client
from salt_gluster.minion import submit
from salt_gluster.minion.context import Minion
from salt_gluster.spec import values

PILLAR = {"gluster": {"nodes": "g[1-3]", "remediation": {"down_after": "90s"}}}
NOBODY = {"address": "http://127.0.0.1:1"}


def minion(**opts: Any) -> Minion:
    return Minion({"id": "g1", **opts}, {}, {}, PILLAR)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Mapping[str, Any]]:
    """How often Consul was reached for."""
    calls: list[Mapping[str, Any]] = []
    real = consul_client.connect

    def connect(settings: Mapping[str, Any], **more: Any) -> Any:
        calls.append(settings)
        return real(settings, **more)

    monkeypatch.setattr(consul_client, "connect", connect)
    return calls


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the node keeps of its registration; empty = it is not registered."""
    kept: dict[str, Any] = {}
    monkeypatch.setattr(submit.node.LocalState, "get", lambda self, key: kept.get(key))
    return kept


def test_a_node_that_is_not_registered_does_not_reach_for_consul(
    asked: list[Any], record: dict[str, Any]
) -> None:
    assert submit.submit(minion()) == ""
    assert asked == []


def test_test_mode_does_not_reach_for_consul(asked: list[Any], record: dict[str, Any]) -> None:
    record["consul"] = {"uuid": "u1"}
    assert submit.submit(minion(test=True, gluster_consul=NOBODY)) == ""
    assert asked == []


def test_a_registered_node_says_that_it_could_not_be_told(
    asked: list[Any], record: dict[str, Any]
) -> None:
    record["consul"] = {"uuid": "u1"}
    note = submit.submit(minion(gluster_consul=NOBODY))
    assert note.startswith("Automation was not told: no Consul agent answers")
    assert asked == [NOBODY]


def test_a_node_that_is_only_configured_is_silent_about_an_agent_that_is_not_there(
    asked: list[Any], record: dict[str, Any]
) -> None:
    assert submit.submit(minion(gluster_consul=NOBODY)) == ""
    assert asked == [NOBODY]


def test_what_is_told_is_plain_data() -> None:
    class Masked(Mapping[str, Any]):
        """As Salt's own: a mapping that is no dict."""

        def __init__(self, inner: dict[str, Any]) -> None:
            self._inner = inner

        def __getitem__(self, key: str) -> Any:
            return self._inner[key]

        def __iter__(self) -> Any:
            return iter(self._inner)

        def __len__(self) -> int:
            return len(self._inner)

    body = Masked({"nodes": ("g1",), "volumes": OrderedDict(v=Masked({"replica": 3}))})
    told = values.plain(body)
    assert json.loads(json.dumps(told)) == {"nodes": ["g1"], "volumes": {"v": {"replica": 3}}}
    assert type(told["volumes"]["v"]) is dict
