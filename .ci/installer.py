"""Fill Python environments: by uv where PyPI has it, else by pip; both told what pip is told here.

uv installs the same releases from the same places for a quarter of the processor time, but does not
read pip's configuration. What it knows under another name is handed over in its environment, at run
time; a setting that it has no word for, and that changes what is installed, leaves the work to pip.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

#: Run a command: words, what it is for (named when it fails), variables of its environment.
Run = Callable[..., None]

WANTED = "uv>=0.8"
#: pip's sections, the later wins; those of other commands do not concern an installation.
SECTIONS = ("global", "install", ":env:")
#: A setting of pip -> uv's variable and what stands between several values there.
TRANSLATED = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "constraint": ("UV_CONSTRAINT", " "),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "proxy": ("ALL_PROXY", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
    "default-timeout": ("UV_HTTP_TIMEOUT", " "),
    "no-cache-dir": ("UV_NO_CACHE", " "),
}
#: Settings that change nothing of what is installed in an environment of ours.
NO_MATTER = {
    "break-system-packages", "cache-dir", "config-file", "disable-pip-version-check", "log",
    "no-color", "no-input", "no-python-version-warning", "no-warn-conflicts",
    "no-warn-script-location", "prefer-binary", "progress-bar", "quiet", "require-virtualenv",
    "resume-retries", "retries", "root-user-action", "use-feature", "user", "verbose",
}  # fmt: skip


def pip_settings(listing: str) -> dict[str, str]:
    """Read `pip config list`: setting -> value, as `pip install` would see them."""
    found: dict[str, dict[str, str]] = {section: {} for section in SECTIONS}
    for line in listing.splitlines():
        key, equals, value = line.partition("=")
        section, _, name = key.rpartition(".")
        if equals and section in found:
            found[section][name.lower().replace("_", "-")] = str(ast.literal_eval(value))
    return {name: value for section in SECTIONS for name, value in found[section].items()}


def not_for_uv(settings: Mapping[str, str]) -> list[str]:
    """Return the settings that change what pip installs and that uv cannot be told."""
    return sorted(set(settings) - set(TRANSLATED) - NO_MATTER)


def uv_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return uv's variables for these settings of pip."""
    variables = {
        # pip takes the best release of all indexes, uv by default that of the first which has any
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
    }
    for name, value in settings.items():
        if name in TRANSLATED and value.split():
            variable, between = TRANSLATED[name]
            given = "1" if variable == "UV_NO_CACHE" else between.join(value.split())
            variables[variable] = given
    return variables


class Uv:
    """uv in an environment of its own, told what pip is told on this machine."""

    def __init__(self, program: Path, variables: Mapping[str, str]) -> None:
        self._program = str(program)
        # What somebody has set for uv itself is meant for it.
        self._env = {name: v for name, v in variables.items() if name not in os.environ}

    def make(self, venv: Path, run: Run) -> None:
        """Make an empty environment; with pip in it, as Python's own ``venv`` would."""
        words = ["venv", "--quiet", "--seed", "--clear", "--python", sys.executable, str(venv)]
        run([self._program, *words], f"uv venv {venv.name}", **self._env)

    def install(self, venv: Path, wanted: list[str], run: Run) -> None:
        """Install requirements; a checkout among them anew, its files may have moved."""
        words = ["pip", "install", "--python", str(venv / "bin" / "python")]
        words += ["--reinstall-package", "salt-gluster"]
        run([self._program, *words, *wanted], f"uv pip install into {venv.name}", **self._env)


class Pip:
    """Python's own way."""

    def make(self, venv: Path, run: Run) -> None:
        """Make an empty environment."""
        run([sys.executable, "-m", "venv", "--clear", str(venv)], f"python -m venv {venv.name}")

    def install(self, venv: Path, wanted: list[str], run: Run) -> None:
        """Install requirements."""
        words = [str(venv / "bin" / "python"), "-m", "pip", "install", "--no-input",
                 "--disable-pip-version-check"]  # fmt: skip
        run([*words, *wanted], f"pip install into {venv.name}")


def get_uv(home: Path, run: Run) -> Uv | str:
    """Return uv, fetched from PyPI into its own environment where needed, or why not."""
    program, python = home / "bin" / "uv", home / "bin" / "python"
    try:
        if not answers([str(program), "--version"]):
            Pip().make(home, run)
            Pip().install(home, [WANTED], run)
        listing = subprocess.run(
            [str(python), "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
        ).stdout
        settings = pip_settings(listing)
    except Exception as error:  # whatever it is, pip is there
        return f"no uv here ({error})"
    if lost := not_for_uv(settings):
        return f"uv cannot be told pip's {', '.join(lost)}"
    return Uv(program, uv_environment(settings))


def answers(argv: list[str]) -> bool:
    """Say whether a program is there and works."""
    try:
        return subprocess.run(argv, capture_output=True).returncode == 0
    except OSError:
        return False
