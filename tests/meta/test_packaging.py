"""What is shipped: a wheel and a source archive built here and looked into."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
LOADERS = ("modules", "states", "runners", "engines", "pillar", "grains", "output")
SHIPPED = ("salt_gluster", *LOADERS, "pyproject.toml", "setup.py", "README.md", "LICENSE")


def _ignore(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name == "__pycache__" or name.endswith((".pyc", ".egg-info"))]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build both archives from a copy, the wheel from the source archive."""
    copy = tmp_path_factory.mktemp("source")
    for name in SHIPPED:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, copy / name, ignore=_ignore)
        elif path.exists():
            shutil.copy(path, copy / name)
    out = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(copy)],
        capture_output=True,
        text=True,
        check=False,
    )
    said = [
        line
        for line in (done.stdout + done.stderr).splitlines()
        if "rror:" in line or "rror " in line
    ]
    assert done.returncode == 0, said
    return out


@pytest.fixture(scope="module")
def wheel(built: Path) -> zipfile.ZipFile:
    (path,) = built.glob("*.whl")
    return zipfile.ZipFile(path)


def _tree(*folders: str) -> set[str]:
    """Every file of ours below the folders, as a path from the root."""
    return {
        path.relative_to(ROOT).as_posix()
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and not _ignore("", [*path.relative_to(ROOT).parts])
    }


def _in_wheel(name: str) -> str:
    return name if name.startswith("salt_gluster/") else f"salt_gluster/{name}"


def test_the_package_list_is_the_tree() -> None:
    """The list in pyproject.toml is written by hand, because the loader folders are mapped."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {
        Path(name).parent.as_posix().replace("/", ".")
        for name in _tree("salt_gluster")
        if name.endswith(".py")
    }
    folders |= {f"salt_gluster.{name}" for name in LOADERS if _tree(name)}
    if _tree("salt_gluster/formula"):
        folders.add("salt_gluster.formula")
    listed = {name for name in settings["packages"] if not name.startswith("salt_gluster.formula.")}
    assert listed == folders
    mapped = {name for name in settings["package-dir"] if name != "salt_gluster"}
    assert mapped == {f"salt_gluster.{name}" for name in LOADERS if _tree(name)}


def test_the_wheel_holds_every_file_and_nothing_beside_the_package(wheel: zipfile.ZipFile) -> None:
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == {_in_wheel(name) for name in _tree("salt_gluster", *LOADERS)}


def test_the_wheel_has_one_entry_point(wheel: zipfile.ZipFile) -> None:
    (name,) = [n for n in wheel.namelist() if n.endswith("entry_points.txt")]
    lines = wheel.read(name).decode().split("\n")
    assert [line for line in lines if line] == [
        "[salt.loader]",
        "salt_gluster = salt_gluster.loader:dirs",
    ]


def test_the_source_archive_keeps_the_layout(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    assert _tree("salt_gluster", *LOADERS) <= names
    assert {"pyproject.toml", "setup.py", "README.md", "LICENSE"} <= names


def test_every_module_of_the_library_imports_from_the_wheel(
    wheel: zipfile.ZipFile, tmp_path: Path
) -> None:
    wheel.extractall(tmp_path)
    modules = sorted(
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in _tree("salt_gluster")
        if name.endswith(".py") and not name.startswith("salt_gluster/formula/")
    )
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        f"sys.meta_path[:] = [f for f in sys.meta_path if '__editable__' not in repr(f)]\n"
        f"import importlib, salt_gluster, salt_gluster.loader as loader\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        f"assert 'salt' not in sys.modules, 'the library imported salt'\n"
        f"assert salt_gluster.__file__.startswith({str(tmp_path)!r}), salt_gluster.__file__\n"
        f"print(sorted(loader.dirs().values()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    expected = sorted([str(tmp_path / "salt_gluster" / name)] for name in LOADERS if _tree(name))
    assert done.stdout.strip() == str(expected)


def test_importing_setup_builds_nothing() -> None:
    """Salt imports it when somebody points ``module_dirs`` at a checkout (facts.md#S-2.4)."""
    spec = importlib.util.spec_from_file_location("setup_of_ours", ROOT / "setup.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert not hasattr(module, "setup")
