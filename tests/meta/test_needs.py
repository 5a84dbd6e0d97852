"""A run that skips what the machine cannot hold shows nothing: where ``CI`` is set it is red."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import capabilities
import pytest

ROOT = Path(__file__).resolve().parents[2]
#: Where a test may still end as skipped, and why that hides nothing.
MAY_SKIP = {
    "tests/support/needs.py": "the one place; it fails where CI is set",
    "tests/functional/conftest.py": "a checkout without Salt; not where CI is set",
    "tests/integration/test_consul.py": "the run on the other library does not begin a third",
    "tests/integration/test_concurrent_highstate.py": "make long has it: two minutes of waiting",
    "tests/integration/test_maintenance.py": "make long has it: Consul's leader killed four times",
    "tests/integration/test_consul_chaos.py": "make long has it: engines cut off at random",
    "tests/unit/master/engine/test_engine_alone.py": "make long has it: 100,000 ticks",
    "tests/integration/test_false_success.py": "only where all nodes have GlusterFS 11",
}


def run(folder: Path, *words: str, ci: str | None, **env: str) -> tuple[int, str]:
    """Run pytest as a machine of its own would and return its exit status and what it printed."""
    kept = {k: v for k, v in os.environ.items() if k not in ("CI", "PART")}
    kept |= {"PYTHONPATH": f"{folder}:{ROOT / 'tests/support'}"} | env | ({"CI": ci} if ci else {})
    argv = [sys.executable, "-m", "pytest", "-p", "no:xdist", "-rs", *words]
    done = subprocess.run(argv, cwd=ROOT, env=kept, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("ci", "status", "outcome"),
    [
        (None, 0, "1 passed, 1 skipped"),
        ("0", 0, "1 passed, 1 skipped"),
        ("false", 0, "1 passed, 1 skipped"),
        ("1", 1, "1 failed, 1 passed"),
        ("true", 1, "1 failed, 1 passed"),
    ],
)
def test_a_lack_is_a_skip_and_in_ci_a_failure(
    tmp_path: Path, ci: str | None, status: int, outcome: str
) -> None:
    file = tmp_path / "test_it.py"
    file.write_text(
        "from needs import needs\ndef test_a(): needs('a tape drive')\ndef test_b(): needs('')\n"
    )
    got, text = run(tmp_path, f"--rootdir={tmp_path}", "-c/dev/null", "-q", str(file), ci=ci)
    assert (got, outcome in text) == (status, True), text
    assert "this machine lacks a tape drive" in text


@pytest.mark.parametrize(
    ("lack", "env"),
    [
        ("root", {}),
        ("unshare, nsenter", {"PATH": "/nowhere"}),
    ],
)
def test_the_tests_with_a_pool_fail_in_ci_and_say_what_is_missing(
    tmp_path: Path, lack: str, env: dict[str, str]
) -> None:
    user = 0 if env else 1000
    (tmp_path / "as_user.py").write_text(f"import os\nos.geteuid = lambda: {user}\n")
    some = [
        "-p",
        "as_user",
        "tests/integration/test_lab.py",
        "tests/integration/test_disks.py",
    ]
    for ci, status, outcome in (("1", 1, "errors"), (None, 0, "skipped")):
        got, text = run(tmp_path, *some, ci=ci, **env)
        assert f"this machine lacks {lack}" in text
        assert set(re.findall(r"\d+ (passed|failed|errors|skipped)", text)) == {outcome}
        assert got == status


def test_nothing_else_in_the_tests_skips() -> None:
    ways = {
        path.relative_to(ROOT).as_posix()
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and node.attr in capabilities.WAYS_TO_SKIP
        and ast.unparse(node.value) in ("pytest", "pytest.mark", "mark", "unittest")
    }
    assert ways == set(MAY_SKIP)
