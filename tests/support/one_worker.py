"""Which tests go to one worker: those of a file, and all files that share a pool of one kind."""

from __future__ import annotations

import ast
import functools
from pathlib import Path
from typing import Any

from xdist.scheduler import LoadFileScheduling

ROOT = Path(__file__).resolve().parents[2]
FOLDER = "tests/integration/"
KINDS = ("plain", "watched", "agents")


class Scheduler(LoadFileScheduling):  # type: ignore[misc]
    """``--dist loadfile``, where files on a shared pool are as one file: it is made once."""

    def _split_scope(self, nodeid: str) -> str:
        return group(str(super()._split_scope(nodeid)))


@functools.cache
def group(file: str) -> str:
    """Return the kind of shared pool that a file asks for, as an argument; else the file itself."""
    path = ROOT / file
    if not file.startswith(FOLDER) or not path.is_file():
        return file
    return next((kind for kind in KINDS if kind in _arguments(path)), file)


def _arguments(path: Path) -> set[str]:
    """Name the arguments of all functions of a file."""
    nodes: list[Any] = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    found = [node.args.args for node in nodes if isinstance(node, ast.FunctionDef)]
    return {argument.arg for row in found for argument in row}
