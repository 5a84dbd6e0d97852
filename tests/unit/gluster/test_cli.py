"""Deadlines, locks and streams, against a stand-in for the gluster program.

It prints recorded samples: for what cannot be had on demand. The real one is in
``tests/integration``.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import samples

from salt_gluster.errors import (
    CommandFailed,
    Conflict,
    GlusterError,
    NotFound,
    OutcomeUnknown,
    SpecError,
    Unreadable,
)
from salt_gluster.gluster.cli import LOCK_S, TRIES, CliResult, GlusterCli, run_process
from salt_gluster.gluster.parse.answer import CliAnswer
from salt_gluster.gluster.parse.peer import parse_pool_list

LOCKED = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<cliOutput><opRet>-1</opRet>'
    "<opErrno>30802</opErrno><opErrstr>Another transaction is in progress for v. Please try again "
    "after some time.</opErrstr></cliOutput>\n"
)
DONE = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<cliOutput><opRet>0</opRet>'
    "<opErrno>0</opErrno><opErrstr/><output>Set volume successful</output></cliOutput>\n"
)
DOWN = "Connection failed. Please check if gluster daemon is operational.\n"
SET = {"volume": "v", "options": {"user.a": "1"}}


class Script:
    """A gluster program that gives prepared answers, one for each start."""

    def __init__(self, folder: Path, answers: Sequence[tuple[str, str, int]]) -> None:
        self.folder = folder
        (folder / "answers.json").write_text(json.dumps(list(answers)))
        self.path = folder / "gluster"
        self.path.write_text(
            f"#!{sys.executable}\n"
            "import json, os, pathlib, sys\n"
            "here = pathlib.Path(__file__).parent\n"
            "answers = json.loads((here / 'answers.json').read_text())\n"
            "given = '' if sys.argv[-1] != '--xml' and '--remote' not in sys.argv[-1] "
            "else sys.stdin.read()\n"
            "with (here / 'calls').open('a') as calls:\n"
            "    calls.write(json.dumps([sys.argv[1:], given, os.environ['LC_ALL']]) + '\\n')\n"
            "out, err, rc = answers.pop(0)\n"
            "(here / 'answers.json').write_text(json.dumps(answers))\n"
            "sys.stdout.write(out); sys.stderr.write(err); sys.exit(rc)\n"
        )
        self.path.chmod(self.path.stat().st_mode | stat.S_IEXEC)

    @property
    def calls(self) -> list[list[object]]:
        return [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]


def gluster(
    tmp_path: Path, *answers: tuple[str, str, int]
) -> tuple[GlusterCli, Script, list[float]]:
    script, pauses = Script(tmp_path, answers), list[float]()
    return GlusterCli(str(script.path), sleep=pauses.append, clock=lambda: 1000.0), script, pauses


def test_a_change_is_one_process_with_its_words_as_arguments(tmp_path: Path) -> None:
    tool, script, _ = gluster(tmp_path, (DONE, "", 0))
    assert tool.change("volume_set", volume="v", options={"user.a": "two words"}).ok
    argv = ["--mode=script", "--timeout=60", "--xml", "volume", "set", "v", "user.a", "two words"]
    assert script.calls == [[argv, "", "C"]]
    assert tool.started == 1


def test_a_lock_is_waited_for_with_jitter_and_only_a_lock(tmp_path: Path) -> None:
    tool, script, pauses = gluster(tmp_path, *[(LOCKED, "", 0)] * 3, (DONE, "", 0))
    assert tool.change("volume_set", **SET).ok
    assert len(script.calls) == tool.started == 4
    assert len(pauses) == len(set(pauses)) == 3
    assert all(0.1 <= pause <= 0.5 for pause in pauses)


def test_a_lock_that_stays_is_a_conflict_after_all_tries(tmp_path: Path) -> None:
    tool, script, _ = gluster(tmp_path, *[(LOCKED, "", 0)] * (TRIES + 1))
    with pytest.raises(Conflict) as caught:
        tool.change("volume_set", **SET)
    assert len(script.calls) == TRIES >= 5
    assert caught.value.op_errno == 30802
    assert "volume" in caught.value.argv


@pytest.mark.parametrize(
    ("out", "err", "rc", "kind", "family"),
    [
        (samples.text("timeout-volume-status.xml"), "", 1, "timeout", OutcomeUnknown),
        (DOWN, "", 1, "daemon_down", OutcomeUnknown),
        ("", "", 2, "unreadable", OutcomeUnknown),
        (DONE[:90], "", 0, "unreadable", OutcomeUnknown),
        (DONE + "and more", "", 0, "unreadable", OutcomeUnknown),
        (samples.text("volume-info-nosuch.xml"), "", 0, "not_found", NotFound),
        ("", "Usage:\nvolume set <VOLNAME> <KEY> <VALUE>\n", 1, "syntax", CommandFailed),
        (DONE.replace("<opErrstr/>", "<opErrstr>Unlocking failed on gfn3. Please check log file "
                      "for details.</opErrstr>"), "", 0, "partial", OutcomeUnknown),
    ],
    ids=["timeout", "daemon-down", "nothing", "cut", "text-after", "refused", "usage", "0/0"],
)  # fmt: skip
def test_a_change_that_did_not_end_clean_is_tried_once_and_classified(
    tmp_path: Path, out: str, err: str, rc: int, kind: str, family: type[GlusterError]
) -> None:
    tool, script, _ = gluster(tmp_path, (out, err, rc), (DONE, "", 0))
    with pytest.raises(family) as caught:
        tool.change("volume_set", **SET)
    assert (caught.value.kind, len(script.calls)) == (kind, 1)


def test_a_timed_out_change_says_until_when_the_lock_may_stay(tmp_path: Path) -> None:
    tool, _, _ = gluster(tmp_path, ("Error : Request timed out\n", "", 1))
    with pytest.raises(OutcomeUnknown) as caught:
        tool.change("volume_set", **SET)
    assert caught.value.locked_until == 1000.0 + LOCK_S
    clock = time.strftime("%H:%M:%S", time.localtime(1000.0 + LOCK_S))
    assert f"until about {clock}" in str(caught.value)


def test_a_lock_free_read_that_timed_out_leaves_no_lock(tmp_path: Path) -> None:
    tool, _, _ = gluster(tmp_path, ("Error : Request timed out\n", "", 1))
    with pytest.raises(OutcomeUnknown) as caught:
        tool.ask("pool_list")
    assert caught.value.locked_until is None


def test_text_commands_are_asked_without_xml_and_judged_by_exit_code(tmp_path: Path) -> None:
    said = "Launching heal operation to perform index self heal on volume v has been "
    down = samples.text("heal-launch-brick-down.txt.stderr")
    tool, script, _ = gluster(tmp_path, (said + "successful\n", "", 0), ("", down, 1))
    assert tool.change("heal_launch", volume="v").ok
    with pytest.raises(CommandFailed) as caught:
        tool.change("heal_launch", volume="v")
    assert caught.value.kind == "brick_down"
    assert "--xml" not in str(script.calls)


def test_reads_and_changes_cannot_be_mistaken(tmp_path: Path) -> None:
    tool, _, _ = gluster(tmp_path)
    with pytest.raises(ValueError, match="use change"):
        tool.ask("volume_start", volume="v")
    with pytest.raises(ValueError, match="use ask"):
        tool.change("pool_list")
    with pytest.raises(SpecError):
        tool.ask("volume_status_all")
    assert tool.started == 0


def test_a_missing_program_says_what_to_install() -> None:
    with pytest.raises(CommandFailed) as caught:
        GlusterCli("gluster-that-is-not-there").ask("pool_list")
    assert caught.value.kind == "not_installed"


def stream(*files: str) -> str:
    return "".join(samples.text(file) for file in files)


def test_many_reads_are_one_process_and_each_has_its_own_answer(tmp_path: Path) -> None:
    out = stream("pool-list-3.xml", "volume-info-nosuch.xml", "volume-info-arb.xml")
    tool, script, _ = gluster(tmp_path, (out, "Welcome to gluster prompt\n", 0))
    peers, nosuch, info = tool.ask_many(
        [("pool_list", {}), ("volume_info_one", {"volume": "nosuch"}), ("volume_info", {})]
    )
    assert isinstance(peers, CliAnswer)
    assert len(parse_pool_list(peers)) == 3
    assert isinstance(nosuch, NotFound)
    assert isinstance(info, CliAnswer)
    given = "pool list\nvolume info nosuch\nvolume info\n"
    assert script.calls == [[["--mode=script", "--timeout=30", "--xml"], given, "C"]]


def test_a_word_that_stops_the_stream_leaves_the_rest_unanswered(tmp_path: Path) -> None:
    out = samples.text("cli-stdin-5-commands.xml")
    tool, _, _ = gluster(tmp_path, (out, "", 1))
    answers = tool.ask_many([("pool_list", {})] * 5)
    assert [type(a) for a in answers] == [CliAnswer, CliAnswer, NotFound, Unreadable, Unreadable]
    assert "unrecognized word" in str(answers[3])


def test_a_dead_daemon_is_the_same_error_for_every_read(tmp_path: Path) -> None:
    for out in (DOWN, DOWN * 3):
        tool, _, _ = gluster(tmp_path, (out, "", 1))
        answers = tool.ask_many([("pool_list", {}), ("volume_info", {}), ("uuid_get", {})])
        assert [a.kind for a in answers if isinstance(a, GlusterError)] == ["daemon_down"] * 3


def test_a_truncated_last_document_is_an_error_of_its_own(tmp_path: Path) -> None:
    out = samples.text("pool-list-3.xml") + samples.text("volume-info-arb.xml")[:400]
    tool, _, _ = gluster(tmp_path, (out, "", 0))
    first, second = tool.ask_many([("pool_list", {}), ("volume_info", {})])
    assert isinstance(first, CliAnswer)
    assert isinstance(second, Unreadable)


def test_another_node_is_asked_by_option_and_never_two_at_once(tmp_path: Path) -> None:
    tool, script, _ = gluster(tmp_path, (stream("pool-list-3.xml"), "", 0))
    tool.ask_many([("remote_pool_list", {"host": "gfn9"})])
    assert script.calls[0][0][-1] == "--remote-host=gfn9"  # type: ignore[index]
    with pytest.raises(ValueError, match="one glusterd"):
        tool.ask_many([("remote_uuid", {"host": "a"}), ("remote_uuid", {"host": "b"})])


def test_a_hanging_program_and_its_children_are_killed_at_the_deadline(tmp_path: Path) -> None:
    child = tmp_path / "child"
    ran = run_process(["sh", "-c", f"sleep 60 & echo $! > {child}; wait"], None, 3)
    assert ran.killed
    pid = int(child.read_text())
    until = time.monotonic() + 5
    while _runs(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _runs(pid)


def test_a_killed_change_has_an_unknown_outcome() -> None:
    tool = GlusterCli(run=lambda argv, given, deadline: CliResult(DONE, "", -9, killed=True))
    with pytest.raises(OutcomeUnknown) as caught:
        tool.change("volume_set", **SET)
    assert caught.value.kind == "timeout"


def test_the_program_runs_in_the_plain_language() -> None:
    assert run_process(["sh", "-c", "echo $LC_ALL; cat"], "in\n", 10).stdout == "C\nin\n"


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout
    return bool(state.strip()) and not state.startswith("Z")
