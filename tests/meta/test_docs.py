"""Pages are short in the small, and no text names a file that is gone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: Printed from the code, by row.
_PRINTED = ("events.md", "tables.md")
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *(p for p in sorted((ROOT / "docs").glob("*.md")) if p.name not in _PRINTED),
]
_MOST_LINES, _WIDTH = 8, 104
_CODE_FILE = re.compile(r"`([\w./-]*\w\.py)`")


def paragraphs(text: str) -> Iterator[str]:
    """Give what is prose: no code, table, picture or heading; each point of a list by itself."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    for block in re.split(r"\n\s*\n", text):
        if not block.startswith(("    ", "|", "#", "!", "<")):
            yield from re.split(r"\n(?=- |\d+\. )", block)


def lines_of(paragraph: str) -> int:
    return sum(-(-len(line) // _WIDTH) for line in paragraph.strip().split("\n"))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_no_paragraph_is_a_wall(page: Path) -> None:
    found = list(paragraphs(page.read_text(encoding="utf-8")))
    assert found
    assert [p for p in found if lines_of(p) > _MOST_LINES] == []


def test_a_long_line_counts_as_those_it_would_fill() -> None:
    assert lines_of("word " * 100) == 5
    assert list(paragraphs("a\n\n    code\n\n- b\n- c")) == ["a", "- b", "- c"]


def test_every_code_file_that_is_named_exists() -> None:
    """In backquotes, in pages, docstrings and comments; by the end of its path."""
    folders = [p for p in ROOT.iterdir() if p.is_dir() and not p.name.startswith(".")]
    code = [p for folder in folders for p in folder.rglob("*.py")]
    code.append(ROOT / "setup.py")
    there = {"/" + p.relative_to(ROOT).as_posix() for p in code}
    wrong = []
    for source in [*code, *PAGES, ROOT / "pyproject.toml"]:
        for name in _CODE_FILE.findall(source.read_text(encoding="utf-8")):
            if source != Path(__file__) and not any(t.endswith(f"/{name}") for t in there):
                wrong.append(f"{source.relative_to(ROOT)}: {name}")
    assert wrong == []
