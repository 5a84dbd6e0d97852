"""Waiting gives a busy machine more time; what a file costs is counted with all it started."""

from __future__ import annotations

import os
import subprocess
import sys

import cost
import pytest
import waiting

from salt_gluster.errors import ConsulError


def test_no_answer_is_not_yet_and_what_comes_is_returned() -> None:
    answers = iter([ConsulError("no leader"), [], ["it"]])

    def check() -> list[str]:
        answer = next(answers)
        if isinstance(answer, ConsulError):
            raise answer
        return answer

    assert waiting.until(check, step_s=0) == ["it"]


def test_it_ends_with_what_was_waited_for_and_what_is_known_besides(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "LEAST_S", 0.0)
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0))
    with pytest.raises(AssertionError, match=r"the brick; mode open$"):
        waiting.until(lambda: False, 0.01, "the brick", step_s=0, more=lambda: "mode open")


@pytest.mark.parametrize(("load", "pace"), [(0.5, 1.0), (8.0, 4.0)])
def test_the_pace_is_how_many_want_each_processor(
    monkeypatch: pytest.MonkeyPatch, load: float, pace: float
) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert waiting.pace() == pace


BUSY = "import time\nwhile time.process_time() < 0.3: pass\n"


def test_the_time_of_children_that_ended_and_of_those_that_run_is_counted() -> None:
    before = cost.tree_cpu_s(os.getpid())
    subprocess.run([sys.executable, "-c", BUSY], check=True)
    runs = subprocess.Popen([sys.executable, "-c", BUSY + "input()"], stdin=subprocess.PIPE)
    try:
        waiting.until(lambda: cost.tree_cpu_s(runs.pid) >= 0.25, step_s=0.05)
        assert cost.tree_cpu_s(os.getpid()) - before >= 0.5
    finally:
        runs.communicate(b"\n")


def test_the_ten_dearest_come_first_and_all_are_summed_up() -> None:
    files = {f"t{n}.py": {"tests": 1, "cpu_s": float(n), "wall_s": 2.0} for n in range(20)}
    lines = cost.dearest({"salt 3007": files})
    assert len(lines) == 11
    assert lines[0].split() == ["19", "CPU", "s", "2", "s", "t19.py", "(salt", "3007)"]
    assert lines[-1].split() == ["190", "CPU", "s", "40", "s", "in", "all,", "20", "files"]
