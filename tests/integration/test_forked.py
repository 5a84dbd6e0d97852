"""Forks instead of programs: in the node as a program would be, and gone when it would be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import Lab, LabError, forked, salt

HERE = Path(__file__).resolve()
MARK = "/tmp/of-this-node"


def work(task: str) -> forked.Work:
    return forked.Work(f"{HERE.stem}:{task}", ("salt_gluster.model",), (str(HERE.parent),))


# --- what is run in the node ----------------------------------------------------------------------


def look() -> int:
    """Print what a program sees of the place it is in."""
    imported = "salt_gluster.model" in sys.modules
    print(
        json.dumps([os.uname().nodename, str(Path.cwd()), Path(MARK).exists(), sys.argv, imported])
    )
    print(sorted(os.environ), file=sys.stderr)
    return 3


def fail() -> None:
    raise ValueError("as it should")


def sleep() -> None:
    time.sleep(600)


# -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pool() -> Iterator[Lab]:
    with Lab.up("forked", nodes=2, bare=True, consul=False) as lab:
        yield lab


def test_a_fork_is_in_the_node_with_a_logins_environment(pool: Lab) -> None:
    node = pool.node("g1")
    node.ok(["touch", MARK])
    done = forked.run(work("look"), node, ["look", "a"], env={"ASKED": "1"})
    seen = node.run(["python3", "-c", "import os; print(sorted(os.environ))"]).stdout
    assert done.returncode == 3
    assert json.loads(done.stdout) == ["g1", "/", True, ["look", "a"], True]
    assert set(json.loads(done.stderr.replace("'", '"'))) == {
        "ASKED", *json.loads(seen.replace("'", '"')),
    } - {"LC_CTYPE"}  # fmt: skip
    assert not Path(MARK).exists(), "the node's /tmp is the machine's"
    assert json.loads(forked.run(work("look"), pool.node("g2"), [""]).stdout)[2] is False


def test_an_exception_is_a_traceback_and_exit_1(pool: Lab) -> None:
    done = forked.run(work("fail"), pool.node("g1"), [""])
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "ValueError: as it should"


def test_a_fork_is_killed_at_its_timeout(pool: Lab) -> None:
    before = set(pool.node("g1").pids())
    with pytest.raises(subprocess.TimeoutExpired):
        forked.run(work("sleep"), pool.node("g1"), [""], timeout=0.2)
    pool.node("g1").gone(list(set(pool.node("g1").pids()) - before))


def test_a_fork_goes_with_its_node_and_the_server_does_not(pool: Lab) -> None:
    node = pool.node("g2")
    with tempfile.TemporaryFile() as out:
        process = forked.start(work("sleep"), node, [""], out=out)
        assert process.poll() is None
        assert process.pid in node.pids()
        pool.fault("node-kill", "g2")
        assert process.wait(30) == -9
    node.gone([process.pid])
    pool.heal("node-kill", "g2")
    assert json.loads(forked.run(work("look"), node, [""]).stdout)[0] == "g2"


def test_server_and_forks_end_with_their_owner(pool: Lab) -> None:
    code = (
        "import sys, os; from lab import Lab, forked; import test_forked as t;"
        f"node = Lab.attach({pool.name!r}).node('g1'); out = open(os.devnull, 'w');"
        "process = forked.start(t.work('sleep'), node, [''], out=out); print(process.pid);"
        "os.kill(os.getpid(), 9)"
    )
    path = {"PYTHONPATH": f"{HERE.parents[2]}:{HERE.parent}"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          env=os.environ | path)  # fmt: skip
    pid = int(done.stdout)
    pool.node("g1").gone([pid], timeout=30)


def own(answer: dict[str, Any]) -> dict[str, Any]:
    """Return it without what Salt adds of the job."""
    added = {k for k in answer["kwargs"] if k.startswith("__pub_")}
    return {**answer, "kwargs": {k: v for k, v in answer["kwargs"].items() if k not in added}}


def test_salts_programs_and_their_forks_give_the_same(pool: Lab) -> None:
    asked = ["test.arg", "a", "1", "b=[1, 2]", "c=text"]
    told = {"args": ["a", 1], "kwargs": {"b": [1, 2], "c": "text"}}

    def by_program(program: str, *argv: str, node: str = "master") -> Any:
        done = pool.node(node).run([program, "--out", "json", *argv], timeout=120)
        return json.loads(done.stdout)

    run = pool.salt_run("test.arg", "a", 1, b=[1, 2], c="text")
    assert run == by_program("salt-run", *asked) == told
    call = pool.salt_call("g1", "test.arg", "a", 1, b=[1, 2], c="text")
    assert own(call) == own(by_program("salt-call", *asked, node="g1")["local"]) == told
    job = pool.salt("g1", "test.arg", "a", 1, b=[1, 2], c="text")
    assert own(job["g1"]) == own(by_program("salt", "g1", *asked)["g1"]) == told
    assert set(pool.salt("g1,g2", "test.ping", by="L")) == {"g1", "g2"}
    assert pool.salt("g2", "no.such") == by_program("salt", "g2", "no.such")
    forked = pool.program("salt-run", "no.such")
    real = pool.master.run(["salt-run", "no.such"], timeout=120)
    assert (forked.returncode, forked.stdout) == (real.returncode, real.stdout)
    with pytest.raises(LabError, match="no minion matches"):
        pool.salt("g9", "test.ping")


def test_a_minion_that_says_nothing_has_a_text_and_one_that_works_is_waited_for(pool: Lab) -> None:
    pool.fault("minion-freeze", "g2")
    try:
        told = salt.minions(pool.record, "*", "", "test.sleep", ["6"], timeout=120, quiet_s=1)
    finally:
        pool.heal("minion-freeze", "g2")
    assert told["g1"] is True
    assert told["g2"].startswith("Minion did not return")


def test_a_long_answer_is_not_seen_at_the_end_of_the_wait_only(pool: Lab) -> None:
    """As it is by Salt 3007's own client, where nothing follows it (facts.md#S-10.1)."""
    text = "x" * 8000
    for _ in range(5):
        began = time.monotonic()
        told = salt.minions(pool.record, "g1", "", "test.echo", [text], timeout=240, quiet_s=120)
        assert told == {"g1": text}
        assert time.monotonic() - began < 60


def test_minions_are_heard_again_after_their_master_was_restarted(pool: Lab) -> None:
    pool.master.ok(["systemctl", "restart", "salt-master"])
    pool.wait()
    assert pool.salt("*", "test.ping") == {"g1": True, "g2": True}
