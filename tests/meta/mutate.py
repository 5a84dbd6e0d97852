#!/usr/bin/env python3
"""Break the code in one place at a time and see that a test notices: ``make mutants``.

The table is the package ``mutations``. Each row is applied in a copy of the tree and the tests
that it names are run; where they pass, all of ``tests/unit`` and ``tests/simulation``. A row that
no test notices fails, and so does one that is no mutation any more: its text is not there, or there
twice.

    python tests/meta/mutate.py [--only WORD] [--jobs N]
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from queue import SimpleQueue

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))

from mutations import MUTATIONS, Mutation  # noqa: E402

#: What is run where the named tests do not notice.
ALL = ("tests/unit", "tests/simulation")
#: What the copy does without: nothing there is run.
LEFT_OUT = ("tests/integration/", "lab/", "bench/")
LIMIT_S = 900
FAILED = 1  # of pytest: tests ran, and some failed; anything else but 0 proves nothing
#: A file that is written twice within a second must not be taken for the one that was compiled.
_times = count(1_000_000_000, 10)


def stale(mutation: Mutation, root: Path = ROOT) -> str:
    """Say why a row is no mutation of this tree, or ""."""
    file = root / mutation.file
    found = file.read_text(encoding="utf-8").count(mutation.text) if file.is_file() else 0
    if found != 1:
        return f"its text is {found} times in {mutation.file}"
    if mutation.text == mutation.instead:
        return "it changes nothing"
    missing = [path for path in mutation.tests if not (root / path).exists()]
    return f"there is no {missing[0]}" if missing else ""


def copy_tree(to: Path) -> None:
    """Copy what git knows, and what it would, without the tests that nobody runs here."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in names.split("\0"):
        if name and not name.startswith(LEFT_OUT) and (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)


def run_tests(tree: Path, paths: Iterable[str]) -> int:
    """Run these tests in a tree until one fails; return the exit status, -1 after the limit."""
    env = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "HYPOTHESIS_PROFILE": "test"}
    argv = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "pytest_timeout",
        "--timeout=60",
        "--tb=native",  # pytest's own form has no words for a loop that the limit has ended
        *paths,
    ]
    try:
        done = subprocess.run(
            argv, cwd=tree, env=env, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return -1
    if done.returncode not in (0, FAILED):
        print(done.stdout[-2000:] + done.stderr[-1000:], flush=True)
    return done.returncode


def write(file: Path, text: str) -> None:
    """Write a source file so that Python compiles it anew."""
    file.write_text(text, encoding="utf-8")
    at = next(_times)
    os.utime(file, (at, at))


def survives(mutation: Mutation, tree: Path) -> str:
    """Apply one row in a tree; return why it counts as not noticed, or ""."""
    if why := stale(mutation, tree):
        return why
    file = tree / mutation.file
    before = file.read_text(encoding="utf-8")
    try:
        write(file, before.replace(mutation.text, mutation.instead))
        status = run_tests(tree, mutation.tests)
        if status == 0:
            status = run_tests(tree, ALL)
            if status == FAILED:
                print(f"    {mutation.name}: noticed, but not by the tests that it names")
    finally:
        write(file, before)
    if status == FAILED:
        return ""
    return f"no test notices: {mutation.lost}" if status == 0 else f"pytest ended with {status}"


def run_all(rows: Sequence[Mutation], jobs: int) -> list[str]:
    """Apply every row; return what is to be mended, a line each."""
    memory = Path("/dev/shm")
    where = str(memory) if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="mutants-", dir=where) as folder:
        trees: SimpleQueue[Path] = SimpleQueue()
        for number in range(jobs):
            tree = Path(folder, str(number))
            copy_tree(tree)
            trees.put(tree)
        named = sorted({path for row in rows for path in row.tests})
        if run_tests(Path(folder, "0"), named):
            return ["the tests fail without any mutation"]
        wrong: list[str] = []

        def one(number: int) -> None:
            tree, row, began = trees.get(), rows[number], time.monotonic()
            try:
                why = survives(row, tree)
            finally:
                trees.put(tree)
            if why:
                wrong.append(f"{row.name}: {why}")
            word = f"FAILED  {why}" if why else "noticed"
            took_s = time.monotonic() - began
            print(f"{number + 1:3}/{len(rows)} {took_s:5.1f} s  {row.name}: {word}", flush=True)

        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(one, range(len(rows))))
    return wrong


def main() -> int:
    """Run the rows that were asked for; the last line is the outcome."""
    parser = argparse.ArgumentParser(description="Break the code; a test has to notice.")
    parser.add_argument("--only", default="", help="rows whose name or file contains this")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    args = parser.parse_args()
    rows = [row for row in MUTATIONS if args.only in row.name or args.only in row.file]
    began = time.monotonic()
    wrong = run_all(rows, max(1, min(args.jobs, len(rows))))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    for line in wrong:
        print(f"FAILED {line}")
    took = f"{time.monotonic() - began:.0f} s, {used.ru_utime + used.ru_stime:.0f} s of processor"
    print(f"{len(rows) - len(wrong)} passed, {len(wrong)} failed in {took}")
    return int(bool(wrong) or not rows)


if __name__ == "__main__":
    sys.exit(main())
