"""The project's list of capabilities, held against the tests: ``make capabilities``.

``docs/capabilities.csv`` says what works; a test says with ``@pytest.mark.capability(id)`` what it
shows. Tests are read, not imported, so this needs nothing installed. Only ``tests/integration``
and ``tests/functional`` run the real thing; for a row called ``recorded`` any test counts. A test
that may be skipped shows nothing; what a machine lacks is said with ``needs``: no skip in CI.
"""

from __future__ import annotations

import ast
import csv
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STATES = ("works", "recorded", "planned", "out of scope")
REAL = ("integration", "functional")
WAYS_TO_SKIP = {"skip", "skipif", "importorskip", "xfail", "long"}
BLOCKS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True)
class Capability:
    """One row of the list."""

    id: int
    group: str
    name: str
    state: str


def load(root: Path = ROOT) -> dict[int, Capability]:
    """Read the list; raise ValueError for an unknown state or an id that occurs twice."""
    rows: dict[int, Capability] = {}
    with (root / "docs" / "capabilities.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            one = Capability(int(row["id"]), row["group"], row["capability"], row["state"])
            if one.state not in STATES:
                raise ValueError(f"capability {one.id}: state {one.state!r}, not one of {STATES}")
            if one.id in rows:
                raise ValueError(f"capability {one.id} occurs twice")
            rows[one.id] = one
    return rows


def marked(folder: Path, *, sure: bool = False) -> Iterator[tuple[int, str]]:
    """Yield (id, where) for every mark in the test files of a folder.

    With `sure`, only those of tests that cannot be skipped.
    """
    for path in sorted(folder.rglob("test_*.py")):
        text = path.read_text(encoding="utf-8")
        if "capability" not in text:
            continue
        tree = ast.parse(text)
        skips = sure and any(way in text for way in WAYS_TO_SKIP)
        unsure = _may_be_skipped(tree) if skips else set()
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".capability")):
                continue
            for arg in node.args:
                if not (isinstance(arg, ast.Constant) and isinstance(arg.value, int)):
                    raise ValueError(f"{path.name}:{node.lineno}: a capability is a plain number")
                if node not in unsure:
                    yield arg.value, f"{path.parent.name}/{path.name}:{node.lineno}"


def _may_be_skipped(tree: ast.Module) -> set[ast.AST]:
    """Return every node of the tests, classes and helpers of a file that name a way to skip.

    A fixture or helper of the same file counts for each test that names it, and what stands at the
    top of the file (``pytestmark``) for all of them.
    """
    blocks = {n.name: n for n in tree.body if isinstance(n, BLOCKS)}
    top = [n for n in tree.body if not isinstance(n, BLOCKS)]
    if any(_skips(n) for n in top):
        return set(ast.walk(tree))
    unsure = {name for name, block in blocks.items() if _skips(block)}
    while more := {
        name for name, block in blocks.items() if name not in unsure and _names(block) & unsure
    }:
        unsure |= more
    return {node for name in unsure for node in ast.walk(blocks[name])}


def _skips(node: ast.AST) -> bool:
    return any(
        isinstance(one, ast.Attribute) and one.attr in WAYS_TO_SKIP for one in ast.walk(node)
    )


def _names(node: ast.AST) -> set[str]:
    """Return what a block calls, takes as an argument, or names in `usefixtures`."""
    found = set()
    for one in ast.walk(node):
        if isinstance(one, ast.Name):
            found.add(one.id)
        elif isinstance(one, ast.arg):
            found.add(one.arg)
        elif isinstance(one, ast.Constant) and isinstance(one.value, str):
            found.add(one.value)
    return found


def problems(root: Path = ROOT) -> list[str]:
    """Return a line for every claim without a test and every mark without a row."""
    rows = load(root)
    tests = root / "tests"
    real = {one for room in REAL for one, _ in marked(tests / room, sure=True)}
    anywhere = dict(marked(tests))
    shown = dict(marked(tests, sure=True))
    found = []
    for row in rows.values():
        if row.state == "works" and row.id not in real:
            found.append(f"{row.id} {row.name}: called works, no sure test on the real thing")
        if row.state == "recorded" and row.id not in shown:
            found.append(f"{row.id} {row.name}: called recorded, no test at all")
    for one, where in anywhere.items():
        if one not in rows:
            found.append(f"{where}: capability {one} is not in docs/capabilities.csv")
    return found


def main() -> int:
    """Print the counts, the rows that could be called works, and what is wrong."""
    rows = load()
    counts = Counter(row.state for row in rows.values())
    print(", ".join(f"{counts[state]} {state}" for state in STATES), f"of {len(rows)}")
    real = {one for room in REAL for one, _ in marked(ROOT / "tests" / room, sure=True)}
    modest = sorted(one for one in real & set(rows) if rows[one].state == "planned")
    if modest:
        print("tested on the real thing but called planned:", ", ".join(map(str, modest)))
    found = problems()
    print("\n".join(found) or "every row called works has a test on the real thing")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
