"""Run a process, for ``node`` alone. No shell, a deadline always, English output."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from salt_gluster.errors import CommandFailed, NotFound, OutcomeUnknown


@dataclass(frozen=True)
class CommandResult:
    """What a finished process left."""

    rc: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """Return what it said, for an error message."""
        return (self.err.strip() or self.out.strip())[:600]


#: argv and limit in seconds -> what it left. Raises ``OutcomeUnknown`` when the limit passed.
Run = Callable[[Sequence[str], float], CommandResult]


def run_command(argv: Sequence[str], limit_s: float) -> CommandResult:
    """Run ``argv`` and return what it left, whatever its exit status.

    Raises ``NotFound`` when the program is not installed and ``OutcomeUnknown`` after ``limit_s``.
    """
    path = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"
    try:
        done = subprocess.run(
            list(argv),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limit_s,
            check=False,
            env={**os.environ, "LC_ALL": "C", "PATH": path.lstrip(":")},
        )
    except FileNotFoundError as missing:
        raise NotFound(
            f"{argv[0]} is not installed on this node",
            kind="program_missing",
            hint=f"Install the package that holds {Path(argv[0]).name}.",
            argv=argv,
        ) from missing
    except subprocess.TimeoutExpired as late:
        raise OutcomeUnknown(
            f"{' '.join(argv)}: no end after {limit_s:g} s; it was killed",
            kind="timeout",
            hint="Look at what it did before repeating it.",
        ) from late
    return CommandResult(done.returncode, _text(done.stdout), _text(done.stderr))


def checked(
    run: Run, argv: Sequence[str], limit_s: float, doing: str, hint: str = ""
) -> CommandResult:
    """Run ``argv``; raise ``CommandFailed`` with its words when it says no. ``doing`` names it."""
    ran = run(argv, limit_s)
    if ran.rc != 0:
        raise CommandFailed(
            f"{doing} failed (rc {ran.rc}): {ran.words}",
            kind="system_command",
            hint=hint,
            op_ret=ran.rc,
            argv=argv,
        )
    return ran


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
