"""From which environment a minion's pillar comes, and what is not certain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from salt_gluster.master.deploy.pillar_environment import (
    CompiledPillar,
    compiled,
    environments,
    own_environment,
)
from salt_gluster.model import Unknown

POOL: dict[str, Any] = {"gluster": {"nodes": "g[1-3]"}}
OTHER: dict[str, Any] = {"gluster": {"nodes": "g[1-4]"}}
SILENT = Unknown("the minion did not answer")


def pillar(
    own: str | Unknown | None, known: tuple[str, ...] | None = ("base", "dev"), **has: Any
) -> CompiledPillar:
    """Return what comes out where each environment ``has`` such a pillar."""

    def merged(environment: str | None) -> Mapping[str, Any]:
        if environment is None:
            assert known is None or len(known) == 1, "Salt merges them in any order"
            return dict(has["base"])
        return dict(has.get(environment, {}))

    return compiled(known, lambda: own, merged)


def test_a_master_with_one_environment_asks_nobody() -> None:
    def never() -> None:
        raise AssertionError

    assert compiled(("base",), never, lambda env: {"asked": env}).data == {"asked": None}


@pytest.mark.parametrize(("own", "nodes"), [("base", POOL), ("dev", OTHER)])
def test_the_environment_that_the_minion_names_counts(own: str, nodes: dict[str, Any]) -> None:
    assert pillar(own, base=POOL, dev=OTHER) == CompiledPillar(nodes)


def test_a_minion_that_names_none_has_the_only_pool_that_is_declared() -> None:
    for base, dev in ((POOL, {"x": 1}), ({"x": 1}, POOL), (POOL, {**POOL, "x": 1})):
        found = pillar(None, base=base, dev=dev)
        assert (found.data["gluster"], found.why) == (POOL["gluster"], "")
    assert pillar(None, base={"x": 1}, dev={}) == CompiledPillar({"x": 1})


def test_what_is_not_certain_is_no_pillar() -> None:
    assert pillar(None, base=POOL, dev=OTHER) == CompiledPillar(
        why="it names no pillarenv, and base and dev declare different pools"
    )
    assert "did not answer" in pillar(SILENT, base=POOL, dev={}).why
    assert "environment prod, which is not here" in pillar("prod", base=POOL).why
    wrong = {"_errors": ["secret"]}
    for found in (pillar("base", base=wrong), pillar(None, base={}, dev=wrong)):
        assert found.data == {} and "errors" in found.why and "secret" not in found.why
    assert pillar("base", base={**POOL, **wrong}).data["gluster"] == POOL["gluster"]


def test_where_a_minions_name_makes_the_environment_salt_has_one_without() -> None:
    assert pillar(None, known=None, base=POOL).data == POOL
    assert pillar("dev", known=None, base=POOL, dev=OTHER).data == OTHER
    assert "did not answer" in pillar(SILENT, known=None, base=POOL).why


@pytest.mark.parametrize(
    ("opts", "known"),
    [
        ({}, ("base",)),
        ({"pillar_roots": {"base": [], "dev": []}}, ("base", "dev")),
        ({"pillar_roots": {"__env__": []}}, None),
        ({"ext_pillar": [{"gluster_consul": {}}, {"git": ["master https://h/x"]}]}, ("base",)),
        ({"ext_pillar": [{"git": ["dev https://h/x", "master https://h/x"]}]}, ("base", "dev")),
        ({"ext_pillar": [{"git": [{"v1 https://h/x": [{"env": "base"}]}]}]}, ("base",)),
        ({"ext_pillar": [{"git": ["__env__ https://h/x"]}]}, None),
        ({"ext_pillar": [{"git": ["main h"]}], "git_pillar_base": "main"}, ("base",)),
    ],
)
def test_the_environments_of_a_master(opts: dict[str, Any], known: tuple[str, ...] | None) -> None:
    assert environments(opts) == known


@pytest.mark.parametrize(
    ("asked", "opts", "saltenvs", "own"),
    [
        ({"g1": "dev"}, {"pillarenv": "prod"}, {}, "dev"),
        ({"g1": None}, {"pillarenv": "prod"}, {}, "prod"),
        ({"g1": ""}, {}, {}, None),
        ({"g1": None}, {"pillarenv_from_saltenv": True}, {"g1": "dev"}, "dev"),
        ({"g1": None}, {"pillarenv_from_saltenv": True}, {"g1": None}, "base"),
    ],
)
def test_which_one_a_minion_names(
    asked: dict[str, Any], opts: dict[str, Any], saltenvs: dict[str, Any], own: str | None
) -> None:
    assert own_environment(asked, "g1", opts, saltenvs) == own


@pytest.mark.parametrize(
    ("asked", "opts"),
    [({}, {}), ({"g1": ["Traceback"]}, {}), ({"g1": "a\nb"}, {}),
     ({"g1": None}, {"pillarenv_from_saltenv": True})],
)  # fmt: skip
def test_no_answer_is_not_none(asked: dict[str, Any], opts: dict[str, Any]) -> None:
    assert isinstance(own_environment(asked, "g1", opts, {}), Unknown)
