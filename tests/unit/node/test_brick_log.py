"""Whether the health check ended a brick: nothing that a client brings into a log counts."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from salt_gluster.model import Unknown
from salt_gluster.node import brick_log
from salt_gluster.node.brick_log import CHECKED, LOGS, health_check_ended

#: When the check said that it failed. The process ended 30 s later, and logged that.
FAILED = 1_800_000_000.0
ENDED = FAILED + 30
WHERE = "[posix-helpers.c:2127:posix_health_check_thread_proc] "


def at(seconds: float) -> str:
    return f"[{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(seconds))}.123456 +0000]"


def said(seconds: float, volume: str = "data", where: str = "") -> str:
    who = f"[MSGID: 113075] {where}0-{volume}-posix: health-check failed, going down "
    return f"{at(seconds)} M {who}\n"


def started(seconds: float) -> str:
    return f"{at(seconds)} I [MSGID: 100030] 0-/usr/sbin/glusterfsd: Started running version\n"


LAST = f"{at(ENDED)} M 0-data-posix: still alive! -> SIGTERM\n"
BEFORE = started(FAILED - 9000)


class Node:
    """A node whose brick's process is gone since ``ended``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.checked = root / "srv/b" / CHECKED
        self.checked.parent.mkdir(parents=True)
        (root / LOGS).mkdir(parents=True)

    def ended(
        self, text: str, *, at: float = ENDED, passed: float | None = FAILED - 30, end: str = ""
    ) -> bool | Unknown:
        log = self.root / LOGS / f"srv-b.log{end}"
        log.write_text(text)
        os.utime(log, (at, at))
        if passed is not None:
            self.checked.write_text("x")
            os.utime(self.checked, (passed, passed))
        return health_check_ended("data", "/srv/b", self.root)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


@pytest.mark.parametrize("where", ["", WHERE])
@pytest.mark.parametrize("passed", [FAILED - 30, FAILED + 0.5, None])
def test_a_brick_that_its_check_has_ended_is_one(
    node: Node, where: str, passed: float | None
) -> None:
    """The attempt that fails may have opened the file, and a dead disk does not show it."""
    assert node.ended(BEFORE + said(FAILED, where=where) + LAST, passed=passed) is True


def test_a_line_of_a_client_is_no_evidence(node: Node) -> None:
    """``mv`` to a name with line breaks, and the brick logs that it failed. It goes on."""
    name = f"a\n{said(FAILED)}{at(FAILED)} W 0-x: "
    line = f"{at(FAILED)} E [MSGID: 113001] 0-data-posix: rename of /b/{name} failed [No space]\n"
    assert said(FAILED) in line
    assert node.ended(BEFORE + line, at=FAILED, passed=FAILED - 10) is False
    assert node.ended(BEFORE + line + LAST, passed=FAILED + 20) is False, "it passed since"
    # Crashed at once, or a time that is to come.
    assert node.ended(BEFORE + line, at=FAILED + 5, passed=FAILED - 10) is False
    assert node.ended(BEFORE + line, at=FAILED - 500, passed=FAILED - 510) is False


def test_no_line_of_a_client_hides_the_end(node: Node) -> None:
    """While its process lives on for 30 s a client can still bring lines into the log."""
    log = BEFORE + said(FAILED - 40) + said(FAILED) + started(FAILED + 9) + LAST
    assert node.ended(log) is True


@pytest.mark.parametrize("mark", ["\r", "\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_only_a_line_break_ends_a_line(node: Node, mark: str) -> None:
    forged = f"{at(FAILED)} W 0-data-server: /a{mark}{said(FAILED).strip()}{mark} (x)\n"
    assert node.ended(BEFORE + forged + LAST) is False


@pytest.mark.parametrize(
    "line",
    [
        said(FAILED, "other"),
        "health-check failed, going down\n",
        said(FAILED).replace("going down", "going down: x"),
        said(FAILED).replace(at(FAILED), "[t]"),
        said(FAILED).replace(at(FAILED), "[2027-99-99 00:00:00.1]"),
    ],
)
def test_what_is_no_line_of_this_check_is_none(node: Node, line: str) -> None:
    assert node.ended(BEFORE + line + LAST) is False


def test_a_brick_that_runs_again_and_dies_of_something_else_was_not_ended_by_it(
    node: Node,
) -> None:
    again = FAILED + 5000
    log = BEFORE + said(FAILED) + LAST + started(again)
    assert node.ended(log, at=again + 900, passed=again + 880) is False
    assert node.ended(log, at=again + 900, passed=None) is False


def test_a_log_that_was_rotated_is_read_with_the_one_before(node: Node) -> None:
    node.ended(BEFORE + said(FAILED), end=".1")
    assert node.ended(LAST) is True
    node.ended(BEFORE + said(FAILED) + LAST, end=".1")
    assert node.ended("", at=ENDED + 9000) is True, "logrotate makes an empty one"


def test_a_log_that_does_not_go_back_far_enough_tells_nothing(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(health_check_ended("data", "/srv/b", node.root), Unknown)
    assert isinstance(node.ended(""), Unknown)
    flood = "".join(f"{at(ENDED - 20)} W 0-x: {n}\n" for n in range(2000))
    assert node.ended(BEFORE + flood) is False
    monkeypatch.setattr(brick_log, "TAIL", 1000)
    monkeypatch.setattr(brick_log, "tail", lambda file: file.read_text()[-1000:])
    assert isinstance(node.ended(BEFORE + flood), Unknown)
    calm = "".join(f"{at(ENDED - 900 + n)} W 0-x: {n}\n" for n in range(900))
    assert node.ended(calm, at=ENDED + 300) is False
