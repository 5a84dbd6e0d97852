"""States through Salt's own ``salt-call --local`` on one node of a lab: no master, no minion.

Which Salt is that of the Python that runs the tests, else the lab's own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab import Lab, Node, forked
from lab import salt as programs

Call = tuple[str, str, Mapping[str, Any]]


def prepare(lab: Lab) -> None:
    """Give every node the configuration of a minion that asks nobody."""
    for node in lab:
        folder = _folder(node)
        folder.mkdir(exist_ok=True)
        settings = {
            "id": node.name, "user": "root", "file_client": "local",
            "file_roots": {"base": [str(folder)]}, "pillar_roots": {"base": [str(folder)]},
            "enable_gpu_grains": False, "enable_fqdns_grains": False,
            "log_level": "error", "log_file": "/var/log/salt/minion",
        }  # fmt: skip
        (folder / "minion").write_text(json.dumps(settings))


def apply_all(
    node: Node, calls: list[Call], *, pillar: Mapping[str, Any] | None = None, test: bool = False
) -> list[dict[str, Any]]:
    """Run states ``(function, name, arguments)`` in one run, in order; return what each said."""
    folder = _folder(node)
    top = {"base": {"*": ["pool"]}} if pillar else {}
    for name, data in (("top", top), ("pool", pillar or {})):
        (folder / f"{name}.sls").write_text("#!json\n" + json.dumps(data))
    sls = {
        f"state {i}": {function: [{"name": name}, *({k: v} for k, v in arguments.items())]}
        for i, (function, name, arguments) in enumerate(calls)
    }
    (folder / "run.sls").write_text("#!json\n" + json.dumps(sls))
    said = call(node, "state.sls", "run", f"test={test}")
    if not isinstance(said, dict):
        raise AssertionError(f"{node.name}: {said}")
    rows = sorted(said.values(), key=lambda row: int(row["__run_num__"]))
    assert len(rows) == len(calls), rows
    return rows


def apply(
    node: Node,
    function: str,
    name: str,
    *,
    pillar: Mapping[str, Any] | None = None,
    test: bool = False,
    **arguments: Any,
) -> dict[str, Any]:
    """Run one state; return what it said."""
    return apply_all(node, [(function, name, arguments)], pillar=pillar, test=test)[0]


def call(node: Node, *words: str) -> Any:
    """Run an execution function and return its answer."""
    argv = ["salt-call", "--local", "-c", str(_folder(node)), "--out", "json", *words]
    done = forked.run(programs.task(programs.place(""), "salt.scripts:salt_call"), node, argv,
                      timeout=200)  # fmt: skip
    try:
        return json.loads(done.stdout)["local"]
    except ValueError:
        raise AssertionError(f"{node.name}: {words}: {done.stderr}{done.stdout}") from None


def _folder(node: Node) -> Path:
    return node.home / "salt-local"
