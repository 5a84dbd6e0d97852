"""What each test file costs: seconds, and processor time of all that it started.

The programs of a lab are descendants of the process that runs the tests. A shared pool is paid for
by the file that makes it; each file pays for what the pool does while it runs.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).resolve().parents[2] / ".work" / "times.json"
#: The part of `make test` that this run is (.ci/test).
PART = os.environ.get("PART", "")
TEN = 10
_TICK = os.sysconf("SC_CLK_TCK")


def tree_cpu_s(root: int) -> float:
    """Return the processor time of a process, of all it has waited for, and of what it has."""
    stats: dict[int, tuple[int, float]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                text = Path(entry.path, "stat").read_text()
            except OSError:  # it has just ended
                continue
            fields = text[text.rindex(")") + 2 :].split()
            stats[int(entry.name)] = int(fields[1]), sum(map(int, fields[11:15])) / _TICK
    children: dict[int, list[int]] = {}
    for pid, (parent, _) in stats.items():
        children.setdefault(parent, []).append(pid)
    total, left = 0.0, [root]
    while left:
        pid = left.pop()
        total += stats[pid][1] if pid in stats else 0.0
        left += children.get(pid, [])
    return total


class Meter:
    """Note at the first and after the last test of a file; hand the sums on at the end."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, float]] = {}
        self._open: tuple[str, float, float] | None = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, Any, Any]:
        name = item.nodeid.split("::")[0]
        if self._open is None:
            self._open = name, time.monotonic(), tree_cpu_s(os.getpid())
        row = self.files.setdefault(name, {"tests": 0, "wall_s": 0.0, "cpu_s": 0.0})
        row["tests"] += 1
        done = yield
        if nextitem is None or nextitem.nodeid.split("::")[0] != name:
            _, began, cpu = self._open
            row["wall_s"] += time.monotonic() - began
            row["cpu_s"] += tree_cpu_s(os.getpid()) - cpu
            self._open = None
        return done

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output["cost"] = self.files

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self.files |= getattr(node, "workeroutput", {}).get("cost", {})

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show the dearest files of all parts so far; of `make test` all stand in a file."""
        if not self.files:
            return
        known = _kept(self.files) if PART else {"this run": self.files}
        terminalreporter.section("the ten dearest files")
        terminalreporter.write_line("\n".join(dearest(known)))


def _kept(files: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Keep the figures of this part beside those of the others, which may end just now."""
    FILE.parent.mkdir(exist_ok=True)
    with FILE.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = json.loads(FILE.read_text()) if FILE.exists() else {}
        known[PART] = files
        FILE.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    return dict(known)


def dearest(parts: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[str]:
    """Return a line for each of the ten files that cost the most processor time, and the sums."""
    rows = [(row, name, part) for part, files in parts.items() for name, row in files.items()]
    rows.sort(key=lambda r: -r[0]["cpu_s"])
    lines = [
        f"{row['cpu_s']:7.0f} CPU s {row['wall_s']:7.0f} s  {name} ({part})"
        for row, name, part in rows[:TEN]
    ]
    total = [sum(r[0][key] for r in rows) for key in ("cpu_s", "wall_s")]
    return [*lines, f"{total[0]:7.0f} CPU s {total[1]:7.0f} s  in all, {len(rows)} files"]
