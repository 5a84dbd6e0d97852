"""The project's list of capabilities, held against the tests: ``make capabilities``.

``docs/capabilities.csv`` says what works; a test says with ``@pytest.mark.capability(id)`` what it
shows. Tests are read, not imported, so this needs nothing installed. Only ``tests/integration``
and ``tests/functional`` run the real thing; for a row called ``recorded`` any test counts.
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


def marked(folder: Path) -> Iterator[tuple[int, str]]:
    """Yield (id, where) for every mark in the test files of a folder."""
    for path in sorted(folder.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".capability")):
                continue
            for arg in node.args:
                if not (isinstance(arg, ast.Constant) and isinstance(arg.value, int)):
                    raise ValueError(f"{path.name}:{node.lineno}: a capability is a plain number")
                yield arg.value, f"{path.parent.name}/{path.name}:{node.lineno}"


def problems(root: Path = ROOT) -> list[str]:
    """Return a line for every claim without a test and every mark without a row."""
    rows = load(root)
    tests = root / "tests"
    real = {one for room in REAL for one, _ in marked(tests / room)}
    anywhere = dict(marked(tests))
    found = []
    for row in rows.values():
        if row.state == "works" and row.id not in real:
            found.append(f"{row.id} {row.name}: called works, no test on the real thing")
        if row.state == "recorded" and row.id not in anywhere:
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
    real = {one for room in REAL for one, _ in marked(ROOT / "tests" / room)}
    modest = sorted(one for one in real & set(rows) if rows[one].state == "planned")
    if modest:
        print("tested on the real thing but called planned:", ", ".join(map(str, modest)))
    found = problems()
    print("\n".join(found) or "every row called works has a test on the real thing")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
