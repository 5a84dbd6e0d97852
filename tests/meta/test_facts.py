"""A fact that is cited stands in docs/facts.md, and a page that is named exists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FACTS = ROOT / "docs" / "facts.md"
#: What is a file's own name for somebody else's page, or another's text.
_FOREIGN = ("tests/data/", "salt_gluster/spec/option_catalog.py")
_KINDS = {".py", ".md", ".sls", ".toml", ".csv", ".txt", ""}
#: The rest of a citation is numbers of further facts: ``facts.md#G-0.6, #G-0.7``.
_CITED = re.compile(r"(?:facts\.md| )#([A-Z]-[0-9A-Z]+(?:\.[0-9]+)*)(?!\w)")
_ANCHOR = re.compile(r'<a id="([^"]+)"></a>(\S+)')
_PAGE = re.compile(r"(?<![\w/.:*<-])([\w./-]*\w\.md)\b(?![-\w*])")


def texts() -> Iterator[tuple[str, str]]:
    """Give the name and the text of every file that a person writes here."""
    for path in sorted(ROOT.rglob("*")):
        name = path.relative_to(ROOT).as_posix()
        hidden = any(part.startswith(".") and part != ".ci" for part in Path(name).parts)
        build = "__pycache__" in name or name.startswith(("build/", "dist/")) or ".egg-info" in name
        if hidden or build or path.suffix not in _KINDS or not path.is_file():
            continue
        if name.startswith(_FOREIGN) or path == Path(__file__):
            continue
        yield name, path.read_text(encoding="utf-8")


def anchors() -> list[str]:
    return [anchor for anchor, _ in _ANCHOR.findall(FACTS.read_text(encoding="utf-8"))]


def cited(name: str, text: str) -> list[str]:
    if name.endswith(".md"):  # in a page a citation is a link
        return re.findall(r"facts\.md#([A-Z]-[\w.]*\w)", text)
    return _CITED.findall(text) if "facts.md#" in text else []


def test_every_fact_that_is_cited_stands_on_the_page() -> None:
    known = set(anchors())
    wrong = [f"{n}: {c}" for n, text in texts() for c in cited(n, text) if c not in known]
    assert wrong == []


def test_every_fact_on_the_page_is_cited() -> None:
    found = {c for n, text in texts() if n != "docs/facts.md" for c in cited(n, text)}
    assert [a for a in anchors() if a not in found] == []
    assert len(found) > 70


def test_an_anchor_is_there_once_and_is_the_name_of_its_entry() -> None:
    text = FACTS.read_text(encoding="utf-8")
    assert len(anchors()) == len(set(anchors()))
    assert [a for a, title in _ANCHOR.findall(text) if a != title] == []
    assert len(anchors()) == len(re.findall(r"^### ", text, re.MULTILINE))


def test_an_entry_is_short_and_says_how_to_see_it_again() -> None:
    """House rule: at most 8 lines."""
    for entry in re.split(r"^##+ ", FACTS.read_text(encoding="utf-8"), flags=re.MULTILINE):
        if entry.startswith("<a id="):
            title, *lines = entry.rstrip().split("\n")
            assert len(lines) <= 8, title
            assert any(line.startswith("*Again*: ") for line in lines), title


@pytest.mark.parametrize(
    ("text", "pages"),
    [
        ("see docs/consul.md.", ["docs/consul.md"]),
        ("gluster.md 0.1: a peer", ["gluster.md"]),
        ("(change.md 2)", ["change.md"]),
        ("performance.md-cache-timeout and _KINDS of .md", []),
        ("https://example.org/a.md", []),
    ],
)
def test_a_page_is_told_from_what_only_looks_like_one(text: str, pages: list[str]) -> None:
    assert _PAGE.findall(text) == pages


def test_every_page_that_is_named_is_in_the_repository() -> None:
    wrong = []
    for name, text in texts():
        for page in _PAGE.findall(text):
            places = (ROOT, ROOT / "docs", (ROOT / name).parent)
            if not any((place / page).is_file() for place in places):
                wrong.append(f"{name}: {page}")
    assert wrong == []


def test_no_comment_cites_a_section_without_its_page() -> None:
    """``(cases B.3)`` and ``(C M.3)`` were once the names of pages that are not here."""
    old = re.compile(r"\bcases [A-M]\b|\([GCKS] [A-M0-9]\.\d")
    assert [f"{n}: {m[0]}" for n, text in texts() for m in old.finditer(text)] == []
