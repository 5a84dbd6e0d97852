"""Who gave an order stands in the journal as the runners print it: Salt's user and the machine."""

from __future__ import annotations

import importlib.util
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import fleet
import pytest
from fake_consul import FakeConsul
from fleet import CLUSTER
from salt.utils.user import get_specific_user

from salt_gluster.consul import pool as consul_pool
from salt_gluster.consul.canary import FileMarker
from salt_gluster.consul.store import Store
from salt_gluster.remediation.operations import Life

ROOT = Path(__file__).resolve().parents[2]
WHO = f"{get_specific_user()}@{socket.gethostname()}"


class Runners:
    """The runners' files on a Consul in memory, and minions that answer."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.consul = FakeConsul()
        self.consul.catalog = [dict(row) for row in fleet.catalog_rows()]
        self.store = Store(self.consul.client(), CLUSTER)
        self.consul.client().kv_put(self.store.keys.canary, "1")
        patch.setattr(consul_pool, "connect", lambda *_, **__: self.consul.client())
        patch.setattr(consul_pool, "FileMarker", lambda: FileMarker(folder))
        self._opts = {"gluster_consul": {"cluster": CLUSTER, "address": "x"}}
        self._patch = patch

    def runner(self, name: str) -> Any:
        spec = importlib.util.spec_from_file_location(name, ROOT / "runners" / f"{name}.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self._patch.setattr(module, "__opts__", self._opts, raising=False)
        self._patch.setattr(module, "_ask", _answers, raising=False)
        return module

    def propose(self) -> None:
        data = fleet.operation(id="p1", state=Life.WAITING).to_data()
        self.store.propose("p1", data)

    def screen(self) -> str:
        return " ".join(str(self.runner("gluster_remediation").journal()).split())


def _answers(target: Any, function: str, *arguments: Any, **named: Any) -> Mapping[str, Any]:
    if function == "gluster.plan":
        return {"gfn2": [{"id": "abc"}]}
    return {name: {"held": function == "gluster.hold", "changes": {}} for name in fleet.UUIDS}


@pytest.fixture
def runners(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runners:
    made = Runners(tmp_path, monkeypatch)
    made.propose()
    return made


ORDERS: dict[str, Callable[[Runners], Any]] = {
    "approve": lambda r: r.runner("gluster_remediation").approve("p1"),
    "reject": lambda r: r.runner("gluster_remediation").reject("p1", "no"),
    "acknowledge": lambda r: r.runner("gluster_remediation").acknowledge(),
    "hold": lambda r: r.runner("gluster").hold("rack"),
    "release": lambda r: r.runner("gluster").release(),
    "begin": lambda r: r.runner("gluster_operation").maintenance("gfn2", "disk"),
    "accept": lambda r: r.runner("gluster_operation").apply("abc", "pool_whole", "rebuilt"),
}


@pytest.mark.parametrize("order", ORDERS)
def test_the_journal_prints_salts_user_and_the_machine(runners: Runners, order: str) -> None:
    told = ORDERS[order](runners)
    assert not (isinstance(told, dict) and told.get("retcode")), told
    assert order in runners.screen()
    assert f"by {WHO}" in runners.screen()


def test_a_name_that_is_given_stands_beside_them_and_hides_nobody(runners: Runners) -> None:
    told = runners.runner("gluster_remediation").approve("p1", by="ann")
    assert told["by"] == f"ann ({WHO})"
    assert f"by ann ({WHO})" in runners.screen()
