"""The table of ``make mutants`` is about the code as it is; the mutations are run there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.meta.mutate import ROOT, stale, survives
from tests.meta.mutations import MUTATIONS, Mutation


def test_every_row_has_a_name_of_its_own_and_says_what_is_lost() -> None:
    assert len({row.name for row in MUTATIONS}) == len(MUTATIONS) >= 60
    assert [row.name for row in MUTATIONS if len(row.lost) < 15] == []


@pytest.mark.parametrize("row", MUTATIONS, ids=lambda row: row.name)
def test_no_row_is_stale(row: Mutation) -> None:
    """Whoever changes such a line says here what the line now is."""
    assert stale(row) == ""
    source = (ROOT / row.file).read_text(encoding="utf-8")
    ast.parse(source.replace(row.text, row.instead))


def test_a_row_that_is_no_mutation_fails(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("a = 1\nb = 1\n")
    for text, why in (("c = 1", "0 times"), (" = 1", "2 times"), ("a = 1", "")):
        assert why in stale(Mutation("n", "code.py", text, "a = 2", "what is lost", ()), tmp_path)
        assert why or stale(Mutation("n", "code.py", text, "a = 2", "lost", ()), tmp_path) == ""
    same = Mutation("n", "code.py", "a = 1", "a = 1", "lost", ())
    assert "nothing" in stale(same, tmp_path)
    gone = Mutation("n", "code.py", "a = 1", "a = 2", "lost", ("tests/unit/test_gone.py",))
    assert "test_gone" in stale(gone, tmp_path)


def test_what_a_test_notices_passes_and_what_none_notices_fails(tmp_path: Path) -> None:
    (tmp_path / "answers.py").write_text("right = 42\nspare = 3\n")
    for folder in ("tests/unit", "tests/simulation"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "tests/unit/test_answers.py").write_text(
        "import answers\n\n\ndef test_it() -> None:\n    assert answers.right == 42\n"
    )

    def tried(text: str, instead: str) -> str:
        tests = ("tests/unit/test_answers.py",)
        return survives(Mutation("n", "answers.py", text, instead, "the answer", tests), tmp_path)

    assert tried("42", "43") == ""
    assert "no test notices" in tried("3", "4")
    assert "ended with" in tried("42", "("), "what does not compile proves nothing"
    assert (tmp_path / "answers.py").read_text() == "right = 42\nspare = 3\n"
