"""The list of capabilities cannot claim more than the tests show."""

from __future__ import annotations

from pathlib import Path

import capabilities
import pytest

MARK = "@pytest.mark.capability(7)\ndef test_x():\n    pass\n"


def _project(root: Path, state: str, test: str) -> Path:
    (root / "docs").mkdir()
    (root / "docs" / "capabilities.csv").write_text(
        f"id,group,capability,state\n7,Peers,A peer is repaired,{state}\n"
    )
    path = root / "tests" / test
    path.parent.mkdir(parents=True)
    path.write_text(MARK)
    return root


@pytest.mark.parametrize(
    ("state", "test", "count"),
    [
        ("works", "integration/test_a.py", 0),
        ("works", "functional/test_a.py", 0),
        ("works", "unit/test_a.py", 1),
        ("works", "integration/helper.py", 1),
        ("recorded", "unit/test_a.py", 0),
        ("recorded", "unit/helper.py", 1),
        ("planned", "unit/helper.py", 0),
    ],
)
def test_a_claim_needs_a_test_of_the_right_kind(
    tmp_path: Path, state: str, test: str, count: int
) -> None:
    assert len(capabilities.problems(_project(tmp_path, state, test))) == count


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("@pytest.mark.skipif(True, reason='')\n" + MARK, False),
        (MARK + "    pytest.skip('no disk here')\n", False),
        ("@pytest.mark.long\n" + MARK, False),
        ("pytestmark = pytest.mark.skip\n" + MARK, False),
        (
            "@pytest.fixture\ndef disk():\n    pytest.skip('no disk')\n"
            + MARK.replace("()", "(disk)"),
            False,
        ),
        ("def helper():\n    pytest.xfail('one day')\n" + MARK + "    helper()\n", False),
        (MARK + "def test_y():\n    pytest.skip('another test')\n", True),
        (MARK + "    needs('a disk')\n", True),
    ],
)
def test_a_test_that_may_be_skipped_shows_nothing(tmp_path: Path, text: str, shown: bool) -> None:
    root = _project(tmp_path, "works", "integration/test_a.py")
    (root / "tests/integration/test_a.py").write_text(text)
    assert (capabilities.problems(root) == []) is shown


def test_a_mark_without_a_row_is_named(tmp_path: Path) -> None:
    root = _project(tmp_path, "works", "integration/test_a.py")
    (root / "tests" / "integration" / "test_b.py").write_text(MARK.replace("7", "999"))
    assert capabilities.problems(root) == [
        "integration/test_b.py:1: capability 999 is not in docs/capabilities.csv"
    ]


def test_an_unknown_state_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="state 'mostly'"):
        capabilities.load(_project(tmp_path, "mostly", "integration/test_a.py"))


def test_every_claim_of_this_project_has_its_test() -> None:
    assert capabilities.problems() == []
    assert len(capabilities.load()) == 200
