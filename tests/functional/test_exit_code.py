"""What a runner prints, and the code that salt-run then ends with, on Salt's own program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import salt.utils.yaml

RUNNER = """
from salt_gluster.render import printed

def screen(code):
    return printed("GLUSTER CRITICAL - two words | a=1", code)
"""


@pytest.fixture(scope="module")
def folder(master: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A master's configuration with a runner of our form; no daemon runs."""
    path = tmp_path_factory.mktemp("m")
    (path / "runners").mkdir()
    (path / "runners" / "probe.py").write_text(RUNNER)
    (path / "cache" / "proc").mkdir(parents=True)  # 3008 makes it when a master starts
    own = {"root_dir": str(path), "cachedir": str(path / "cache"), "log_file": str(path / "log"),
           "pki_dir": str(path / "pki"), "sock_dir": str(path / "s"),
           "user": master.config["user"], "runner_dirs": [str(path / "runners")]}  # fmt: skip
    (path / "master").write_text(salt.utils.yaml.safe_dump(own))
    return path


def test_salt_run_prints_the_text_alone_and_ends_with_the_code(folder: Path) -> None:
    program = Path(sys.executable).parent / "salt-run"
    argv = [str(program), "-c", str(folder), "probe.screen", "2"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "GLUSTER CRITICAL - two words | a=1\n"), done
