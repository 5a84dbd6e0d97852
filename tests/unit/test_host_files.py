"""A test that would write a file of this machine is stopped, and fails."""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from host_files import GUARD, OURS, HostWritten

from salt_gluster import node
from salt_gluster.consul.canary import FileMarker
from salt_gluster.node.local_state import one_job

MINE = Path("/var/lib/salt-gluster/of-a-test")
WRITES: dict[str, Callable[[], object]] = {
    "make a folder": lambda: MINE.mkdir(parents=True),
    "write": lambda: MINE.write_text("x"),
    "open for appending": lambda: os.open(MINE, os.O_WRONLY | os.O_APPEND),
    "rename": lambda: Path("of-a-test").rename(MINE),
    "remove": lambda: MINE.unlink(),
    "Salt's": lambda: Path("/etc/salt/minion_id").write_text("x"),
}


@pytest.mark.parametrize("what", WRITES)
def test_a_write_to_this_machine_is_refused_and_fails_the_test(what: str) -> None:
    with pytest.raises(HostWritten):
        WRITES[what]()
    refused, GUARD.refused = GUARD.refused, []
    assert refused
    after = GUARD.check()
    next(after)
    with contextlib.suppress(Exception):  # as code does that only logs what failed
        WRITES[what]()
    with pytest.raises(AssertionError, match="this machine's own files"):
        next(after)


def test_reading_this_machine_is_no_write() -> None:
    Path("/etc/fstab").exists()
    with contextlib.suppress(OSError):
        Path("/etc/fstab").read_bytes()
    assert GUARD.refused == []


def test_what_is_kept_by_default_is_kept_in_a_folder_of_the_tests(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    host = tmp_path_factory.getbasetemp() / "host"
    FileMarker().remember("of-a-test")
    assert (host / "var/lib/salt-gluster/canary-of-a-test").exists()
    node.write_hold("a test", "bob", 1.0)
    assert node.remove_hold()
    with one_job(0.0):
        assert (host / "run/salt-gluster.lock").read_text() == f"{os.getpid()}\n"


def test_no_default_argument_that_is_loaded_names_a_file_of_ours_on_this_machine() -> None:
    loaded = [m for name, m in list(sys.modules.items()) if name.startswith("salt_gluster.")]
    functions = [f for m in loaded for f in vars(m).values() if inspect.isfunction(f)]
    classes = {c for m in loaded for c in vars(m).values() if inspect.isclass(c)}
    functions += [f for c in classes for f in vars(c).values() if inspect.isfunction(f)]
    assert len(functions) > 100
    wrong = {
        f.__qualname__ for f in map(inspect.unwrap, functions)
        for value in (*(f.__defaults__ or ()), *(f.__kwdefaults__ or {}).values())
        if isinstance(value, str) and value.startswith(OURS)
    }  # fmt: skip
    assert wrong == set()
