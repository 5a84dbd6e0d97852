"""Set-up by uv installs from where this machine's pip would, or leaves it to pip."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

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
