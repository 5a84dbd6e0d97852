"""Salt's own loader finds every public function of ours, installed or from the checkout."""

from __future__ import annotations

import ast
import importlib.util
import json
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import salt.loader
import salt.utils.entrypoints

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("modules", "states", "runners", "engines", "pillar", "grains", "output")
#: Salt's option for a folder of a kind; mind the singulars (facts.md#S-2.4).
OPTION = {
    "modules": "module_dirs",
    "states": "states_dirs",
    "runners": "runner_dirs",
    "engines": "engines_dirs",
    "pillar": "pillar_dirs",
    "grains": "grains_dirs",
    "output": "outputter_dirs",
}


def public_functions(path: Path) -> set[str]:
    """Read the names Salt should know from a loader file, without importing it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    name, alias, found = path.stem, {}, set()
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            if node.targets[0].id == "__virtualname__":
                name = ast.literal_eval(node.value)
            if node.targets[0].id == "__func_alias__":
                alias = ast.literal_eval(node.value)
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            found.add(node.name)
    return {f"{name}.{alias.get(one, one)}" for one in found}


def ours(folder: str) -> list[Path]:
    """The files of a loader folder that Salt may load; the old names only where it has none."""
    files = sorted((ROOT / folder).glob("*.py"))
    own = importlib.util.find_spec("salt.modules.glusterfs") or not shutil.which("gluster")
    return [file for file in files if not (own and file.stem == "gluster_legacy")]


def expected(folder: str) -> set[str]:
    """Every function that the files of a loader folder promise."""
    files = ours(folder)
    return set().union(*(public_functions(path) for path in files)) if files else set()


PRESENT = [folder for folder in FOLDERS if expected(folder)]


@pytest.fixture(params=["installed", "checkout"])
def form(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How Salt is told of us: by the entry point, or only by directories of the checkout."""
    if request.param == "checkout":
        monkeypatch.setattr(salt.utils.entrypoints, "iter_entry_points", lambda *a, **k: [])
    return str(request.param)


@pytest.fixture
def opts(
    form: str, minion_opts: dict[str, Any], master_opts: dict[str, Any]
) -> Callable[[str], dict[str, Any]]:
    """Give the options for a kind of loader, in the form under test."""

    def of(folder: str) -> dict[str, Any]:
        chosen = master_opts if folder == "runners" else minion_opts
        if form == "checkout":
            chosen |= {option: [str(ROOT / kind)] for kind, option in OPTION.items()}
        return chosen

    return of


def load(folder: str, opts: dict[str, Any]) -> Mapping[str, Any]:
    """Build the loader Salt itself would use for the folder."""
    if folder == "runners":
        return salt.loader.runner(opts)
    if folder == "grains":
        return salt.loader.grain_funcs(opts)
    if folder == "output":
        return {f"{n}.output": f for n, f in salt.loader.outputters(opts).items()}
    functions = salt.loader.minion_mods(opts)
    if folder == "modules":
        return functions
    if folder == "states":
        return salt.loader.states(
            opts, functions, salt.loader.utils(opts), salt.loader.serializers(opts)
        )
    if folder == "pillar":
        # This one loader leaves the function's name out.
        return {f"{n}.ext_pillar": f for n, f in salt.loader.pillars(opts, functions).items()}
    return salt.loader.engines(opts, functions, {}, salt.loader.utils(opts))


def complaints(records: list[logging.LogRecord]) -> Iterator[str]:
    """What Salt logged about our files, at any level that a person would see."""
    for record in records:
        text = record.getMessage()
        ours = str(ROOT) in text or "gluster" in text
        if ours and record.levelno >= logging.WARNING:
            yield text


def test_there_are_loader_folders() -> None:
    assert {"modules", "states", "runners"} <= set(PRESENT)


@pytest.mark.parametrize("folder", PRESENT)
def test_salt_finds_every_public_function(
    folder: str, opts: Callable[[str], dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        loader = load(folder, opts(folder))
        lost = {name for name in expected(folder) if name not in loader}
        some = {next(iter(public_functions(p))) for p in ours(folder)}
        strangers = {n: f for n in some - lost if ROOT not in (f := _file(loader[n])).parents}
    assert lost == set()
    assert strangers == {}
    assert list(complaints(caplog.records)) == []


def _file(function: Any) -> Path:
    """The file a loaded function comes from (Salt wraps functions)."""
    inner = getattr(function, "func", function)
    return Path(inner.__code__.co_filename).resolve()


@pytest.mark.parametrize(
    ("folder", "command"), [("modules", "list_functions"), ("states", "list_state_functions")]
)
def test_salt_call_lists_them_and_complains_about_nothing(
    minion: Any, folder: str, command: str
) -> None:
    ret = minion.salt_call_cli().run("--local", "--log-level=warning", f"sys.{command}")
    assert ret.returncode == 0, ret
    listed = ret.data if isinstance(ret.data, list) else json.loads(ret.stdout)["local"]
    assert expected(folder) - set(listed) == set()
    assert [line for line in ret.stderr.splitlines() if "gluster" in line] == []


@pytest.mark.parametrize("form", ["checkout"], indirect=True)
def test_without_the_entry_point_and_directories_nothing_is_found(
    form: str, minion_opts: dict[str, Any]
) -> None:
    """The two forms above are really two: the checkout form does not lean on the install."""
    loader = load("modules", minion_opts)
    assert {name for name in expected("modules") if name in loader} == set()
