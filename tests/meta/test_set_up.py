"""Set-up by uv installs from where this machine's pip would, or leaves it to pip."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lab import LabError, packages

FILE = Path(__file__).resolve().parents[2] / ".ci" / "installer.py"


@pytest.fixture(scope="module")
def installer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("installer", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pips_places_reach_uv(installer: ModuleType) -> None:
    listing = (
        ":env:.find-links='/wheels'\n"
        "global.cert='/etc/ca.pem'\n"
        "global.extra-index-url='\\nfile:///one/simple\\nfile:///two/simple'\n"
        "global.find-links='/old'\n"
        "global.index-url='https://index.example/simple'\n"
        "global.timeout='180'\n"
        "install.constraint='/etc/a.txt /etc/b.txt'\n"
        "install.trusted-host='index.example'\n"
        "list.format='columns'\n"
    )
    settings = installer.pip_settings(listing)
    assert installer.not_for_uv(settings) == []
    told = installer.uv_environment(settings)
    assert told == {
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
        "UV_DEFAULT_INDEX": "https://index.example/simple",
        "UV_INDEX": "file:///one/simple file:///two/simple",
        "UV_FIND_LINKS": "/wheels",
        "UV_CONSTRAINT": "/etc/a.txt /etc/b.txt",
        "UV_INSECURE_HOST": "index.example",
        "UV_HTTP_TIMEOUT": "180",
        "SSL_CERT_FILE": "/etc/ca.pem",
    }


def test_without_a_configuration_uv_is_told_of_no_place(installer: ModuleType) -> None:
    assert not [k for k in installer.uv_environment({}) if "INDEX" in k and "STRATEGY" not in k]
    assert "http" not in FILE.read_text(encoding="utf-8").lower().replace("uv_http_timeout", "")


@pytest.mark.parametrize("setting", ["no-index", "only-binary", "pre", "require-hashes", "new-one"])
def test_what_uv_cannot_be_told_leaves_it_to_pip(installer: ModuleType, setting: str) -> None:
    settings = {"quiet": "1", "index-url": "x", setting: "1"}
    assert installer.not_for_uv(settings) == [setting]


def test_pips_own_listing_is_understood(installer: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "pip.conf"
    file.write_text(
        "[global]\nextra-index-url =\n    file:///a\n    file:///b\n[install]\npre = 1\n"
    )
    env = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
    env |= {"PIP_CONFIG_FILE": str(file), "PIP_INDEX_URL": "https://index.example/simple"}
    words = [sys.executable, "-m", "pip", "config", "list"]
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
    settings = installer.pip_settings(done.stdout)
    assert settings["extra-index-url"].split() == ["file:///a", "file:///b"]
    assert settings["index-url"] == "https://index.example/simple"
    assert "pre" in installer.not_for_uv(settings)


class Script:
    """The script `.ci/setup`, its words kept and its waits left out."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, work: Path) -> None:
        monkeypatch.syspath_prepend(str(FILE.parent))
        loader = importlib.machinery.SourceFileLoader("set_up", str(FILE.with_name("setup")))
        spec = importlib.util.spec_from_loader("set_up", loader)
        assert spec is not None
        self.module: Any = importlib.util.module_from_spec(spec)
        loader.exec_module(self.module)
        self.said: list[str] = []
        monkeypatch.setattr(self.module, "say", self.said.append)
        monkeypatch.setattr(self.module.time, "sleep", lambda seconds: None)
        monkeypatch.setattr(self.module, "WORK", work)
        monkeypatch.setattr(self.module, "LOG", work)


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Script:
    return Script(monkeypatch, tmp_path)


@pytest.mark.parametrize("failures", [1, 2])
def test_a_fetch_that_fails_is_tried_again_and_said(
    script: Script, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    answers = [LabError("no route to it")] * failures

    def fetch() -> None:
        if answers:
            raise answers.pop()

    monkeypatch.setattr(packages, "consul", fetch)
    monkeypatch.setattr(packages, "is_kept", lambda name: False)
    monkeypatch.setattr(script.module.shutil, "which", lambda *a, **k: "/usr/bin/apt-get")
    script.module.fetched("consul")
    assert len([line for line in script.said if "no route to it; trying again" in line]) == failures


@pytest.mark.parametrize("ci", ["", "1"])
def test_what_cannot_be_fetched_is_said_and_in_ci_an_error(
    script: Script, monkeypatch: pytest.MonkeyPatch, ci: str
) -> None:
    def fetch() -> None:
        raise LabError("no route to it")

    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(packages, "consul", fetch)
    if ci:
        with pytest.raises(script.module.Failed, match="consul: no route to it"):
            script.module.fetched("consul")
    else:
        script.module.fetched("consul")
        assert "no route to it; the tests that need it are skipped" in script.said[-1]


def test_without_uv_pip_does_it_and_says_why(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*words: object, **env: str) -> None:
        raise script.module.Failed("pip install failed; no such package")

    monkeypatch.setattr(script.module, "run", run)
    assert script.module.uv_for(["3007"]) is None
    assert "no such package" in script.said[-1]
    assert script.said[-1].endswith("pip does it")


def test_where_uv_fails_pip_fills_the_environment_anew(
    script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = []

    class Uv(script.module.installer.Uv):  # type: ignore[name-defined, misc]
        def make(self, venv: Path, run: object) -> None:
            venv.mkdir()

        def install(self, venv: Path, wanted: list[str], run: object) -> None:
            raise script.module.Failed("uv pip install failed")

    class Pip:
        def make(self, venv: Path, run: object) -> None:
            done.append("make")

        def install(self, venv: Path, wanted: list[str], run: object) -> None:
            done.append(wanted[0])

    monkeypatch.setattr(script.module.installer, "Pip", Pip)
    script.module.python_env("python-consul", Uv(Path("uv"), {}))
    assert done == ["make", "python-consul==1.1.0"]
    assert "pip tries it" in script.said[1]
    assert script.module.is_made("python-consul")
