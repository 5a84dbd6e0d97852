"""Every public function, each of its arguments in turn something that nobody should give.

As in `test_fuzz` no glusterd runs; the runners see a Consul in memory and minions that have
nothing to say. What comes back is data or an error in words: no traceback, and nothing that changes
is asked of gluster.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fleet
import pytest
import salt.loader
from a_master import Master
from fake_consul import FakeConsul
from salt.exceptions import SaltException

from salt_gluster.consul import agent
from salt_gluster.consul import pool as consul_pool
from salt_gluster.consul.canary import FileMarker
from salt_gluster.master import jobs

ROOT = Path(__file__).resolve().parents[2]
MODULES, RUNNERS = (
    [file.stem for file in sorted((ROOT / kind).glob("gluster*.py")) if "legacy" not in file.stem]
    for kind in ("modules", "runners")
)
#: What YAML makes of words on a command line.
ODD: tuple[Any, ...] = (
    None, "", " ", "a\nb", "ü/é", "../x", "-x", "on", "ghost", 0, -1, 10**20, 1.5, float("nan"),
    True, [], ["a", None], {}, {"a": 1}, {"a": {"b": [1]}}, "x" * 5000,
)  # fmt: skip
#: What makes sense, by the name of an argument.
GOOD = {
    "name": "data", "path": "/srv/gluster/data/1", "host": "g2", "option": "network.ping-timeout",
    "bricks": ["g1:/srv/gluster/data", "g2:/srv/gluster/data", "g3:/srv/gluster/data"],
    "options": {"network.ping-timeout": 20}, "value": 20, "replica": 3, "reason": "a test",
    "uuid": "75dd016c-754e-4151-b860-4d6772bdfc4e", "op_version": 100000, "peers": {},
    "volumes": ["data"], "timeout": 0, "nonce": "n", "operation": "abc", "ports": [],
    "phase": "look", "conf_file": "/nowhere/master", "plan_id": "abc", "node": "gfn1", "id": "abc",
    "minion": "gfn1", "target": "*",
}  # fmt: skip
#: All of them take four minutes; otherwise each argument has a share, the next one the next.
EVERY, SHARE = os.environ.get("HYPOTHESIS_PROFILE") == "long", 6
CHANGING = {"create", "set", "start", "stop", "delete", "probe", "detach", "reset", "add-brick"}


def oddly(call: Callable[..., Any]) -> list[str]:
    """Call a function with every odd value in the place of every argument; return what broke."""
    named = [
        p.name for p in inspect.signature(call).parameters.values()
        if p.kind is p.POSITIONAL_OR_KEYWORD
    ]  # fmt: skip
    usual = {name: GOOD[name] for name in named if name in GOOD}
    if "test" in named:
        usual["test"] = True
    broke = []
    for place, name in enumerate(named):
        for odd in ODD if EVERY else ODD[place % SHARE :: SHARE]:
            if name == "test" and not odd:
                continue
            try:
                said = str(call(**{**usual, name: odd}))
            except SaltException as err:
                said = str(err) or "Traceback: an error without a word"
            except Exception as err:
                said = f"Traceback: {err!r}"
            if "Traceback" in said:
                broke.append(f"{call.__name__} {name}={str(odd)[:30]!r}: {said[-300:]}")
    return broke


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand for the program `gluster`; the file is what it was asked."""
    log, program = tmp_path / "asked", tmp_path / "gluster"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {log}\n'
        "echo 'Connection failed. Please check if gluster daemon is operational.'\nexit 1\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return log


@pytest.fixture
def runners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Salt's runners on a Consul in memory, and minions that answer with nothing."""
    master, consul = Master(tmp_path), FakeConsul()
    consul.catalog = [dict(row) for row in fleet.catalog_rows()]
    master.says("gluster_consul: {cluster: " + fleet.CLUSTER + ", address: x}")
    master.has_minions(*fleet.UUIDS, pillar={"gluster": {"nodes": list(fleet.UUIDS)}})
    monkeypatch.setattr(consul_pool, "connect", lambda *_, **__: consul.client())
    monkeypatch.setattr(consul_pool, "FileMarker", lambda: FileMarker(tmp_path))
    monkeypatch.setattr(agent, "answers", lambda where: False)
    monkeypatch.setattr(jobs, "ask", lambda *_, **__: {})
    return salt.loader.runner(master.opts())


@pytest.mark.parametrize("module", MODULES)
def test_anything_as_one_argument_of_a_minions_function_is_answered(
    loaders: Any, asked: Path, module: str
) -> None:
    public = [name for name in loaders.modules if name.partition(".")[0] == module]
    assert public
    assert [line for name in public for line in oddly(loaders.modules[name])] == []
    words = set(asked.read_text().split()) if asked.exists() else set()
    assert not CHANGING & words


@pytest.mark.parametrize("module", RUNNERS)
def test_anything_as_one_argument_of_a_runner_is_answered(
    runners: Any, asked: Path, module: str
) -> None:
    public = [name for name in runners if name.partition(".")[0] == module]
    assert public
    assert [line for name in public for line in oddly(runners[name])] == []
    assert not asked.exists()
