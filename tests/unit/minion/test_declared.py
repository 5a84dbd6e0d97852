"""What a node's report says of declared volumes that are not there, without asking anybody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from simulated import Pool, World

from salt_gluster import node
from salt_gluster.errors import CommandFailed
from salt_gluster.minion import declared
from salt_gluster.model import (
    Brick,
    BrickPath,
    Facet,
    Observation,
    Plan,
    Refusal,
    Step,
    Subject,
    Unknown,
    Volume,
    Wait,
)
from salt_gluster.plan.outcome import Result
from salt_gluster.spec import PoolSpec, parse_pool

POOL = parse_pool({"nodes": "g[1-3]", "volumes": {"data": {"replica": 3}, "web": {"replica": 3}}})
PATH = POOL.brick_paths("data")[0]
WAITS = Plan("data", waits=(Wait("has not prepared it", "g3", "it is silent"),))
FULL = Refusal("paths_fit", f"{PATH} holds old")


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """What was written into the node's file, the last one last."""
    written: list[dict[str, Any]] = []
    monkeypatch.setattr(node.LocalState, "get", lambda *_: written[-1] if written else None)
    monkeypatch.setattr(node.LocalState, "put", lambda self, key, value: written.append(value))
    yield written


def seen(foreign: bool = False) -> tuple[World, Observation]:
    """Return g1 of a pool without volumes; with ``foreign`` its directory holds something."""
    pool = Pool(["g1", "g2", "g3"], together=True)
    there = BrickPath(PATH, True, True, "/srv/gluster", foreign=("old",) if foreign else ())
    pool.machines["g1"].paths[PATH] = there
    world = pool.world("g1")
    return world, world.observe(frozenset())


def ended(data: Plan, bricks: Plan | None = None, **how: Any) -> dict[Subject, Result]:
    looked = bricks or Plan("bricks of data", needs=frozenset({Facet("path", PATH)}))
    return {
        Subject("bricks", "data"): Result(looked, looked, refused=bool(looked.refusals)),
        Subject("volume", "data"): Result(data, data, **how),
    }


def told(pool: PoolSpec | None = POOL, foreign: bool = False) -> dict[str, dict[str, str]]:
    world, obs = seen(foreign)
    return declared.not_made(world, obs, pool)  # type: ignore[arg-type]


def test_what_was_never_tried_is_told_and_without_a_declaration_nothing() -> None:
    nothing = {"says": "", "why": ""}
    assert told() == {"data": nothing, "web": nothing}
    assert told(pool=None) == {}


def test_a_node_whose_own_directory_speaks_against_it_refuses_now() -> None:
    assert told(foreign=True)["data"] == {"says": "refuses", "why": f"{PATH} holds old"}


@pytest.mark.parametrize(
    ("plan", "how", "says", "why"),
    [
        (WAITS, {}, "waits", "g3 has not prepared it: it is silent"),
        (replace(WAITS, refusals=(FULL,)), {"refused": True}, "refuses", FULL.why),
        (WAITS, {"error": CommandFailed("create: no luck.")}, "failed", "create: no luck."),
        (Plan("data", (Step("volume_start", "data", {}, "start data"),)), {}, "stopped",
         "left is: start data"),
    ],
)  # fmt: skip
def test_what_the_last_run_said_is_told_by_the_sensor_too(
    plan: Plan, how: dict[str, Any], says: str, why: str
) -> None:
    declared.keep(POOL, ended(plan, **how))
    for pool in (POOL, None):
        assert told(pool)["data"] == {"says": says, "why": why}
        assert told(pool)["web"] == {"says": "", "why": ""}


def test_what_the_minion_has_in_memory_is_older_than_what_its_last_run_read() -> None:
    """A state reads its pillar anew, and the minion keeps the one of its start."""
    declared.keep(POOL, ended(WAITS))
    older = parse_pool({"nodes": "g[1-3]", "volumes": {"gone": {"replica": 3}}})
    assert set(told(older)) == {"data", "web"}
    assert told(older)["data"]["says"] == "waits"
    declared.keep(parse_pool({"nodes": "g[1-3]"}), {})
    assert told(older) == {}


def test_a_directory_that_was_mended_is_not_held_against_the_volume_any_more() -> None:
    needs = frozenset({Facet("path", PATH)})
    bricks = Plan("bricks of data", refusals=(FULL,), needs=needs)
    declared.keep(POOL, ended(WAITS, bricks))
    for pool in (POOL, None):
        assert told(pool, foreign=True)["data"] == {"says": "refuses", "why": FULL.why}
        assert told(pool)["data"] == {"says": "", "why": ""}


def test_a_directory_that_was_filled_after_the_run_refuses_now() -> None:
    declared.keep(POOL, ended(WAITS))
    assert told(None)["data"]["says"] == "waits"
    assert told(None, foreign=True)["data"] == {"says": "refuses", "why": FULL.why}


def test_a_run_that_says_the_same_writes_nothing(kept: list[dict[str, Any]]) -> None:
    for _ in range(3):
        declared.keep(POOL, ended(WAITS))
    assert len(kept) == 1
    declared.keep(POOL, ended(Plan("data")))
    assert len(kept) == 2 and kept[-1]["volumes"]["data"]["says"] == ""


def test_a_volume_that_is_there_or_not_to_be_known_is_not_missed() -> None:
    world, obs = seen()
    bricks = tuple(Brick(n, PATH, f"u-{n}") for n in ("g1", "g2", "g3"))
    data = Volume("data", "id", "Started", "replicate", bricks, 1, 3)
    there = replace(obs, volumes={"data": data})
    assert list(declared.not_made(world, there, POOL)) == ["web"]  # type: ignore[arg-type]
    down = replace(obs, volumes=Unknown("glusterd does not run"))
    assert declared.not_made(world, down, POOL) == {}  # type: ignore[arg-type]
