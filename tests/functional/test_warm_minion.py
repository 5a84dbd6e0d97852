"""A minion imports the library when it starts, so that its jobs need not: ``grains/gluster.py``."""

from __future__ import annotations

import ast
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import salt.loader

ROOT = Path(__file__).resolve().parents[2]
GRAIN = ROOT / "grains" / "gluster.py"
#: A node is admitted to its pool's Consul once and leaves it once, its secrets are exchanged once a
#: year, and a master's own minion sets its agent up: nothing else of a job comes late.
ONCE = {
    "salt_gluster.minion.automation.decommission", "salt_gluster.minion.automation.identity",
    "salt_gluster.minion.automation.gossip_exchange",
    "salt_gluster.minion.automation.new_secrets", "salt_gluster.master.deploy",
    "salt_gluster.master.deploy.deployment",
    # Only where Salt has no glusterfs of its own, and an SLS uses it.
    "salt_gluster.minion.legacy", "salt_gluster.minion.legacy_state",
}  # fmt: skip
#: What few jobs use, if any. (urllib3 is there in every minion: Salt itself imports it.)
HEAVY = {"cryptography", "consul", "requests", "salt"}
MAIN = "salt_gluster.minion.converge"
#: Programs take the extension of this checkout, whatever is installed.
OURS = os.environ | {"PYTHONPATH": str(ROOT)}


def named(path: Path) -> Iterator[str]:
    """Every module of the library that a loader file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        module = getattr(node, "module", None) or ""
        if not isinstance(node, ast.ImportFrom) or not module.startswith("salt_gluster"):
            continue
        yield module
        folder = ROOT / module.replace(".", "/")
        for one in node.names:
            if (folder / f"{one.name}.py").exists() or (folder / one.name).is_dir():
                yield f"{module}.{one.name}"


def imported_by(role: str, **opts: Any) -> set[str]:
    """Call the grain in a Python of its own, without Salt, and return what it imported."""
    code = f"""
import json, runpy, sys
sys.path.insert(0, {str(ROOT)!r})
before = set(sys.modules)
grain = runpy.run_path({str(GRAIN)!r}, {{"__opts__": { ({"__role": role} | opts)!r}}})
assert grain["preload"]() == {{}}
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_everything_that_jobs_import_is_imported_and_nothing_heavy() -> None:
    got = imported_by("minion")
    files = [*(ROOT / "modules").glob("*.py"), *(ROOT / "states").glob("*.py")]
    wanted = {name for path in files for name in named(path)}
    assert len(wanted) > 20
    assert wanted - got == ONCE
    assert {name.split(".")[0] for name in got} & HEAVY == set()
    assert not [name for name in got if name.startswith("salt_gluster.master")]


@pytest.mark.parametrize(
    ("role", "opts"),
    [("master", {}), ("minion", {"fun": "test.ping"})],
    ids=["master", "call"],
)
def test_who_forks_no_jobs_imports_nothing(role: str, opts: dict[str, Any]) -> None:
    assert not [name for name in imported_by(role, **opts) if name.startswith("salt_gluster")]


def test_salt_call_is_not_slowed_down(minion: Any) -> None:
    """It runs one function in the process that loads the grains."""
    words = ["--local", "--config-dir", str(minion.config_dir), "test.ping"]
    env = OURS | {"PYTHONPROFILEIMPORTTIME": "1"}
    argv = [sys.executable, str(Path(sys.executable).parent / "salt-call"), *words]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=True, cwd="/")
    assert "salt.loader" in done.stderr, "Python tells of each import"
    assert MAIN not in done.stderr


def test_a_broken_library_costs_neither_the_grains_nor_a_word(
    minion_opts: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, MAIN, None)
    monkeypatch.delitem(sys.modules, "salt_gluster.minion.volume", raising=False)
    with caplog.at_level(logging.INFO):
        grains = salt.loader.grains(minion_opts)
    assert grains["id"] == minion_opts["id"]
    assert "salt_gluster.minion.volume" in sys.modules, "the rest is imported all the same"
    assert [r.getMessage() for r in caplog.records if "gluster" in r.getMessage()] == []


def test_no_grain_comes_of_it(minion_opts: dict[str, Any], grains: dict[str, Any]) -> None:
    funcs = salt.loader.grain_funcs(minion_opts)
    assert funcs["gluster.preload"]() == {}
    assert [name for name in grains if "gluster" in name] == []


PROBE = """
import json, os, sys

def look(file):
    ours = sorted(name for name in sys.modules if name.startswith("salt_gluster"))
    with open(file + ".new", "w") as out:
        json.dump({"pid": os.getpid(), "parent": os.getppid(), "ours": ours}, out)
    os.rename(file + ".new", file)
"""


def test_a_job_of_a_real_minion_finds_it_imported(tmp_path: Path, salt_root: Path) -> None:
    """A minion without a master, which runs one scheduled job in a process of its own."""
    (tmp_path / "probes").mkdir()
    (tmp_path / "probes" / "probe.py").write_text(PROBE)
    seen = tmp_path / "seen"
    settings = {
        "id": "warm", "root_dir": str(salt_root / "w"), "user": "root", "file_client": "local",
        "master_type": "disable", "enable_fqdns_grains": False, "enable_gpu_grains": False,
        "module_dirs": [str(tmp_path / "probes")], "pki_dir": str(tmp_path / "pki"),
        "schedule": {"look": {"function": "probe.look", "seconds": 1, "args": [str(seen)],
                              "return_job": False}},
    }  # fmt: skip
    (tmp_path / "minion").write_text(json.dumps(settings))
    program = Path(sys.executable).parent / "salt-minion"
    argv = [sys.executable, str(program), "--config-dir", str(tmp_path), "--log-level=error"]
    said = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(argv, cwd="/", env=OURS, **said) as daemon:  # type: ignore[call-overload]
        try:
            end = time.monotonic() + 240
            while not seen.exists():
                assert daemon.poll() is None, daemon.communicate()[0]
                assert time.monotonic() < end, "no job was run"
                time.sleep(0.1)
        finally:
            daemon.terminate()
            daemon.communicate(timeout=60)
    job = json.loads(seen.read_text())
    assert job["parent"] != daemon.pid, "the minion is a child of what was started"
    assert {MAIN, "salt_gluster.minion.report"} <= set(job["ours"])
