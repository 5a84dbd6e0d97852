"""What a person types as ``confirm`` reaches what compares it, from module, state and runner.

The files are loaded as plain modules: no loader, no daemon, nothing is asked.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from salt_gluster.model import Brick, Node, Observation, Peer, Volume
from salt_gluster.node import disks

ROOT = Path(__file__).resolve().parents[2]
ID = "3d9a7c1e-6c5a-4c0b-9f5e-0d6c0a8a6c11"
WORDS = ["", "yes", "data", "True", ID[:8], ID.upper()]


def loaded(kind: str, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{kind}_{name}", ROOT / kind / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pool() -> Observation:
    volume = Volume("data", ID, "Started", "distribute", (Brick("g1", "/b", "u1"),), 1, 1)
    peers = (Peer("u1", ("g1",), True, 3, is_self=True),)
    return Observation(1.0, Node("g1", uuid="u1"), peers, {"data": volume})


def refusals(planner: Callable[[Observation], Any]) -> list[str]:
    return [refusal.name for refusal in planner(pool()).refusals]


@pytest.mark.parametrize("function", ["stop", "delete"])
def test_a_module_destroys_with_the_volumes_id_alone(
    function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = loaded("modules", "gluster_volume")
    monkeypatch.setattr(module, "_minion", lambda *_: contextlib.nullcontext("minion"))
    monkeypatch.setattr(
        module.minion_volume, "run_on_volume", lambda minion, name, planner: refusals(planner)
    )
    call = getattr(module, function)
    assert call("data", confirm=ID) == []
    assert [call("data", confirm=word) for word in WORDS] == [["confirm"]] * len(WORDS)
    assert call("data") == ["confirm"]


@pytest.mark.parametrize("function", ["stopped", "absent"])
def test_a_state_destroys_with_the_volumes_id_alone(
    function: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = loaded("states", "gluster_volume")
    monkeypatch.setattr(module, "_volume", lambda name, arguments, make: refusals(make()))
    call = getattr(module, function)
    assert call("data", confirm=ID) == []
    assert [call("data", confirm=word) for word in WORDS] == [["confirm"]] * len(WORDS)
    assert call("data") == ["confirm"]


@pytest.mark.parametrize("confirm", [None, "", "S1"])
def test_a_disk_is_prepared_with_the_word_that_was_typed(
    confirm: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = loaded("modules", "gluster_brick")
    asked: list[dict[str, Any]] = []

    def prepare(device: str, mount: str, **more: Any) -> dict[str, Any]:
        asked.append(more)
        return {}

    monkeypatch.setattr(disks, "prepare", prepare)
    monkeypatch.setattr(module, "_test", bool)
    module.prepare(device="serial:S1", mount="/srv/gluster", confirm=confirm, test=True)
    assert asked == [{"confirm": confirm, "test": True}]


@pytest.mark.parametrize("confirm", ["", ID, 17])
def test_a_restore_is_confirmed_by_the_word_that_was_typed(
    confirm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = loaded("runners", "gluster_operation")
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(module, "__opts__", {}, raising=False)
    monkeypatch.setattr(module.restore, "restore", lambda *args: asked.append(args))
    monkeypatch.setattr(module.journal, "shown", lambda opts, ask, render, as_data: ask("pool"))
    module.restore_config("g3", confirm) if confirm else module.restore_config("g3")
    assert [args[1:] for args in asked] == [("pool", "g3", str(confirm))]
