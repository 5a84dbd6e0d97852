"""The walls of the house: who may import what, who may look at the clock, how long a thing may be.

Files are read, not imported. import-linter states the layers inside the library; here stands what
it cannot see: the standard library, the loader folders, the budgets.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "salt_gluster"
LOADERS = ("modules", "states", "runners", "engines", "pillar", "grains", "output")
#: The packages that may do I/O. Every other package of the library is pure.
EDGES = {"gluster", "node", "consul", "minion", "master", "loader"}
FORBIDDEN_IN_PURE = {"subprocess", "os", "socket", "time", "random", "logging"}
CLOCK = {"now", "utcnow", "today", "fromtimestamp"}
RUNS_PROGRAMS = {"gluster", "node"}
CLI_EXAMPLE = "CLI Example"


class Source:
    """One Python file of ours, parsed once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self.tree = ast.parse(self.text)
        self.name = path.relative_to(ROOT).as_posix()

    def room(self) -> str:
        """The name below salt_gluster/ that the file belongs to."""
        return Path(self.path.relative_to(LIBRARY).parts[0]).stem

    def imports(self) -> Iterator[tuple[int, str]]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = "." * node.level + (node.module or "")
                yield node.lineno, base
                yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node


def docstring_lines(node: ast.AST) -> int:
    """Lines of the node's own docstring."""
    body = getattr(node, "body", [])
    if body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        value = body[0]
        if isinstance(value.value.value, str):
            return (value.end_lineno or value.lineno) - value.lineno + 1
    return 0


def body_length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function's body, without docstring: a state has a line for every argument."""
    body = node.body[1:] if docstring_lines(node) else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def sources(*folders: Path) -> list[Source]:
    return [Source(path) for folder in folders for path in sorted(folder.rglob("*.py"))]


LIB = sources(LIBRARY)
LOADED = sources(*(ROOT / name for name in LOADERS))
PURE_FILES = [source for source in LIB if source.room() not in EDGES]


def test_there_is_something_to_look_at() -> None:
    assert len(LIB) > 5
    assert PURE_FILES
    assert LOADED


def test_the_library_imports_no_salt() -> None:
    wrong = [
        f"{source.name}:{line}"
        for source in LIB
        for line, name in source.imports()
        if name.split(".")[0] in ("salt", "saltext")
    ]
    assert wrong == []


def test_deciding_is_pure() -> None:
    """No process, no file, no socket, no randomness, no log and no clock where plans are made."""
    wrong = []
    for source in PURE_FILES:
        for line, name in source.imports():
            if name.split(".")[0] in FORBIDDEN_IN_PURE:
                wrong.append(f"{source.name}:{line} imports {name}")
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and _reads_clock_or_file(node.func):
                wrong.append(f"{source.name}:{node.lineno} calls {ast.unparse(node.func)}")
    assert wrong == []


def _reads_clock_or_file(func: ast.expr) -> bool:
    if isinstance(func, ast.Name):
        return func.id == "open"
    if not isinstance(func, ast.Attribute):
        return False
    if func.attr in ("read_text", "read_bytes", "write_text", "write_bytes"):
        return True
    owner = ast.unparse(func.value).split(".")[-1]
    return func.attr in CLOCK and owner in ("datetime", "date", "dt")


def test_only_the_edges_run_programs() -> None:
    wrong = [
        f"{source.name}:{line}"
        for source in LIB
        if source.room() not in RUNS_PROGRAMS
        for line, name in source.imports()
        if name.split(".")[0] == "subprocess"
    ]
    assert wrong == []


def test_loader_files_know_salt_and_the_library_and_never_one_another() -> None:
    allowed = {"salt", "salt_gluster", *sys.stdlib_module_names}
    siblings = tuple(f"salt_gluster.{name}" for name in LOADERS)
    wrong = [
        f"{source.name}:{line} imports {name}"
        for source in LOADED
        for line, name in source.imports()
        if name.split(".")[0] not in allowed or name.startswith(siblings)
    ]
    assert wrong == []


def test_loader_functions_are_thin() -> None:
    wrong = [
        f"{source.name}:{function.lineno} {function.name} has {body_length(function)} lines"
        for source in LOADED
        for function in source.functions()
        if body_length(function) > 15
    ]
    assert wrong == []


@pytest.mark.parametrize("folder", ["modules", "runners"])
def test_public_loader_functions_show_how_they_are_called(folder: str) -> None:
    wrong = [
        f"{source.name}:{node.lineno} {node.name}"
        for source in sources(ROOT / folder)
        for node in source.tree.body
        if isinstance(node, ast.FunctionDef)
        and not node.name.startswith("_")
        and CLI_EXAMPLE not in (ast.get_docstring(node) or "")
    ]
    assert wrong == []


def test_no_python_of_ours_asks_for_the_masked_pillar() -> None:
    """``pillar.get`` gives asterisks on Salt 3008 (facts.md#S-0.1)."""
    wrong = []
    for source in [*LOADED, *LIB]:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Constant) and node.value == "pillar.get":
                wrong.append(f"{source.name}:{node.lineno}")
    assert wrong == []


def test_no_brick_is_cut_at_its_first_colon() -> None:
    """``model.brick_at`` knows where a host ends that is an IPv6 address."""
    wrong = [
        f"{source.name}:{number}"
        for source in [*LOADED, *LIB]
        if not source.name.endswith("node/mounts.py")  # servers of a mount: HOST:HOST:HOST
        for number, line in enumerate(source.text.splitlines(), 1)
        if '.split(":"' in line
    ]
    assert wrong == []


def test_loader_folders_are_no_packages() -> None:
    """With an ``__init__.py`` in them Salt loads a module of that name (facts.md#S-2.4)."""
    assert [p for name in LOADERS for p in (ROOT / name).rglob("__init__.py")] == []


def test_files_and_functions_keep_their_budget() -> None:
    wrong = []
    for source in [*LIB, *LOADED]:
        docs = sum(
            docstring_lines(node)
            for node in ast.walk(source.tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        )
        lines = len(source.text.splitlines()) - docs
        if lines > 500:
            wrong.append(f"{source.name} has {lines} lines")
        for function in source.functions():
            if (lines := body_length(function)) > 40:
                wrong.append(f"{source.name}:{function.lineno} {function.name} has {lines} lines")
    assert wrong == []


def test_no_public_class_has_the_name_of_another() -> None:
    """One word, one thing: whoever greps for a class finds that one."""
    places: dict[str, list[str]] = {}
    for source in sources(LIBRARY):
        for node in source.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(source.name)
    assert len(places) > 100
    assert {name: files for name, files in places.items() if len(files) > 1} == {}


def test_a_whole_file_is_written_by_one_function() -> None:
    """``node/files.py`` knows owner, mode, fsync and the file that cannot be renamed over."""
    others = [s for s in sources(LIBRARY) if s.name != "salt_gluster/node/files.py"]
    calls = [
        f"{source.name}:{node.lineno}"
        for source in others
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("write_text", "write_bytes", "mkstemp", "fsync")
    ]  # fmt: skip
    assert calls == []


def test_no_room_for_odds_and_ends() -> None:
    names = ("utils.py", "helpers.py", "misc.py", "common.py")
    assert [s.name for s in [*LIB, *LOADED] if s.path.name in names] == []


@pytest.mark.parametrize(
    ("text", "caught"),
    [
        ("datetime.now()", True),
        ("datetime.datetime.utcnow()", True),
        ("date.today()", True),
        ("open('x')", True),
        ("Path('x').read_text()", True),
        ("observation.now", False),
        ("volume.today(1)", False),
    ],
)
def test_the_clock_is_recognised(text: str, caught: bool) -> None:
    tree = ast.parse(text)
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert any(map(_reads_clock_or_file, calls)) is caught
