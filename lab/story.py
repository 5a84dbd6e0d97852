"""Print the demo: one line and a time for each step, its output below."""

from __future__ import annotations

import contextlib
import os
import sys
import textwrap
import time
from collections.abc import Iterator
from typing import TextIO

WIDTH = 88
LINES = 12
INDENT = " " * 8


class DidNotHappen(Exception):
    """A step of the demo did not do what it says; the text is what was seen instead."""


def expect(true: object, seen: object) -> None:
    """End the story where something is not so; `seen` says what is."""
    if not true:
        raise DidNotHappen(str(seen))


class Step:
    """What one step has to show, printed when it has ended."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def show(self, text: str, *, limit: int = LINES) -> None:
        """Add an excerpt: at most `limit` lines, each cut where the screen ends."""
        rows = [row.rstrip() for row in textwrap.dedent(text).strip("\n").splitlines()]
        if len(rows) > limit:
            rows = [*rows[: limit - 1], f"… {len(rows) - limit + 1} more lines"]
        self.lines += [row if len(row) <= WIDTH else f"{row[: WIDTH - 1]}…" for row in rows]


class Story:
    """Print the steps, with their numbers and times."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._coloured = out.isatty() and not os.environ.get("NO_COLOR")
        self.began = time.monotonic()
        self.steps = 0

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Tell one step: its title at once, its time and what it shows when it has ended."""
        self.steps += 1
        began, step = time.monotonic(), Step()
        self._write(self._style("1", f"{self.steps:>4}  {title:<72}"))
        try:
            yield step
        except BaseException:
            self._write(self._style("1;31", "  FAILED\n"))
            self._excerpt(step)
            raise
        self._write(f"{time.monotonic() - began:6.1f} s\n")
        self._excerpt(step)

    def say(self, text: str, *, bad: bool = False) -> None:
        """Print a line of its own."""
        self._write(self._style("1;31" if bad else "1", text) + "\n")

    def _excerpt(self, step: Step) -> None:
        if step.lines:
            self._write("".join(f"{INDENT}{line}".rstrip() + "\n" for line in ["", *step.lines]))
            self._write("\n")

    def _style(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self._coloured else text

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
