"""Run gluster: one process per change, one for many reads; deadlines and the lock retry.

Only processes and time live here. The lines come from ``commands.py``, the meaning of a failure
from ``error_texts.py``. glusterd goes on with what the CLI gave up on: after a time-out nothing is
known but that the lock may stay (facts.md#C-M.3).
"""

from __future__ import annotations

import logging
import os
import random
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from salt_gluster import node
from salt_gluster.errors import CommandFailed, Conflict, GlusterError, OutcomeUnknown, Unreadable
from salt_gluster.gluster.commands import Command, command
from salt_gluster.gluster.error_texts import KINDS, classify, read_text
from salt_gluster.gluster.parse.answer import (
    CliAnswer,
    is_document,
    parse_answer,
    split_documents,
    text_answer,
)
from salt_gluster.model import Unknown

log = logging.getLogger(__name__)

#: Seconds after its start until which a timed-out call can hold the lock (180 s in facts.md#G-0.4,
#: 200 s in #C-M.3 with the link cut).
LOCK_S = 200.0
#: Seconds between the CLI's own deadline and the end we put to it.
GRACE_S = 5.0
#: Attempts against a lock; 4 were enough for four nodes at once (facts.md#C-C.1).
TRIES = 7
_PAUSE_S = (0.1, 0.5)

Call = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class CliResult:
    """What a process printed and how it ended; ``killed`` when the deadline ended it."""

    stdout: str
    stderr: str
    rc: int
    killed: bool = False


#: Notes that a changing command is about to be sent; what it returns is called at its end.
Note = Callable[[Sequence[str]], Callable[[], None]]
#: Runs argv with this input (None = none) for at most so many seconds.
Run = Callable[[Sequence[str], str | None, float], CliResult]


def run_process(argv: Sequence[str], given: str | None, deadline_s: float) -> CliResult:
    """Run a program in its own process group; at the deadline the whole group is killed."""
    environment = {**os.environ, "LC_ALL": "C"}
    process = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE if given is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        start_new_session=True,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    try:
        stdout, stderr = process.communicate(given, timeout=deadline_s)
    except subprocess.TimeoutExpired:
        _kill_group(process)
        stdout = stderr = ""
        with suppress(subprocess.TimeoutExpired):  # a grandchild that left the group holds the pipe
            stdout, stderr = process.communicate(timeout=2)
        return CliResult(stdout, stderr, -signal.SIGKILL, killed=True)
    except BaseException:
        _kill_group(process)
        process.wait()
        raise
    return CliResult(stdout, stderr, process.returncode)


class GlusterCli:
    """The gluster command of this node.

    ``started`` counts the processes started. ``run``, ``sleep``, ``chance`` and ``clock`` are
    replaced by tests. ``note`` keeps account of the changes that are sent, so that those of
    an operator can be told from ours. One object may be used by several threads.
    """

    def __init__(
        self,
        binary: str = "gluster",
        run: Run = run_process,
        *,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.time,
        note: Note | None = None,
    ) -> None:
        self.binary = binary
        self.started = 0
        # With another way to run a process nothing reaches this node's glusterd.
        self._note = note or (node.note_sent if run is run_process else _no_note)
        self._run, self._sleep, self._chance, self._clock = run, sleep, chance, clock
        self._counting = threading.Lock()

    def ask(self, name: str, **arguments: Any) -> CliAnswer:
        """Run a read of the table and return its answer.

        Raises the classified ``GlusterError``; ``SpecError`` for a bad argument.
        """
        row = command(name)
        if row.changes:
            raise ValueError(f"{name} changes something: use change()")
        return self._with_retries(row, arguments)

    def change(self, name: str, **arguments: Any) -> CliAnswer:
        """Run a change of the table and return its answer; a lock is waited for, nothing else.

        Raises the classified ``GlusterError``; ``OutcomeUnknown`` when it may have been carried
        out. A clean answer proves nothing: read back (facts.md#G-0.6, #G-0.7, #G-0.10).
        """
        row = command(name)
        if not row.changes:
            raise ValueError(f"{name} changes nothing: use ask()")
        return self._with_retries(row, arguments)

    def version(self) -> str | Unknown:
        """Return the version of the installed gluster command, such as ``10.3``."""
        try:
            ran = self._start([self.binary, "--version"], None, 10)
        except CommandFailed as exc:
            return Unknown(exc.message)
        match = re.match(r"glusterfs ([0-9][0-9.]*)", ran.stdout)
        return match[1] if match else Unknown("gluster --version did not tell one")

    def ask_many(self, calls: Sequence[Call]) -> list[CliAnswer | GlusterError]:
        """Ask many reads of one process, over its stdin, and return an answer or error for each.

        All of them local, or all ``remote_*`` with the same ``host``. An error of one leaves the
        others standing; where the stream ends early, the rest are errors. Raises ``SpecError``.
        """
        if not calls:
            return []
        rows = [command(name) for name, _ in calls]
        lines = [
            row.stream_line(**arguments) for row, (_, arguments) in zip(rows, calls, strict=True)
        ]
        hosts = {arguments["host"] if row.remote else "" for row, (_, arguments) in
                 zip(rows, calls, strict=True)}  # fmt: skip
        if len(hosts) != 1:
            raise ValueError("one process asks one glusterd: split the calls by host")
        deadline = max(row.deadline_s for row in rows)
        start = self._clock()
        argv = self._argv("xml", deadline, hosts.pop())
        ran = self._start(argv, "".join(f"{line}\n" for line in lines), deadline)
        pieces = split_documents(ran.stdout)
        return self._match(rows, pieces, ran, start)

    def _with_retries(self, row: Command, arguments: dict[str, Any]) -> CliAnswer:
        words = row.words(**arguments)
        argv = [*self._argv(row.output, row.deadline_s, arguments.get("host", "")
                            if row.remote else ""), *words]  # fmt: skip
        for left in range(TRIES - 1, -1, -1):
            try:
                return self._once(row, argv, arguments)
            except Conflict as exc:
                if not left:
                    raise
                pause = _PAUSE_S[0] + self._chance() * (_PAUSE_S[1] - _PAUSE_S[0])
                log.debug("gluster %s: %s; again in %.2f s", row.name, exc.message, pause)
                self._sleep(pause)
        raise AssertionError("unreachable")

    def _once(self, row: Command, argv: Sequence[str], arguments: dict[str, Any]) -> CliAnswer:
        start = self._clock()
        # Each attempt has a line of its own in glusterd's history.
        ended = self._note(row.words(**arguments)) if row.changes else _nothing
        ran = self._start(argv, None, row.deadline_s)
        ended()
        result = _judge(row, ran.stdout, ran, argv)
        if isinstance(result, GlusterError):
            raise self._dated(result, row, start)
        return result

    def _start(self, argv: Sequence[str], given: str | None, deadline_s: float) -> CliResult:
        with self._counting:
            self.started += 1
        start = self._clock()
        try:
            ran = self._run(argv, given, deadline_s + GRACE_S)
        except FileNotFoundError as exc:
            raise CommandFailed(
                f"there is no {self.binary} command on this node.",
                kind="not_installed",
                hint=KINDS["not_installed"].hint,
                argv=argv,
            ) from exc
        command = " ".join(argv) + (f" <<< {given!r}" if given is not None else "")
        log.debug("ran rc=%s ms=%.0f %s", ran.rc, (self._clock() - start) * 1000, command)
        return ran

    def _argv(self, output: str, deadline_s: float, host: str) -> list[str]:
        argv = [self.binary, "--mode=script", f"--timeout={deadline_s:.0f}"]
        return argv + ["--xml"] * (output == "xml") + [f"--remote-host={host}"] * bool(host)

    def _match(
        self, rows: Sequence[Command], pieces: Sequence[str], ran: CliResult, start: float
    ) -> list[CliAnswer | GlusterError]:
        """Give every command its document. Text stops the stream unless the pieces add up."""
        whole = len(pieces) == len(rows)
        answers: list[CliAnswer | GlusterError] = []
        stop = ""
        for index, row in enumerate(rows):
            piece = pieces[index] if index < len(pieces) and not stop else ""
            if not piece or (not whole and not is_document(piece)):
                stop = stop or piece or ran.stderr.strip() or "the stream ended early"
                answers.append(self._dated(_stopped(row, stop, ran), row, start))
                continue
            result = _judge(row, piece, CliResult(piece, "", ran.rc, ran.killed), ())
            answers.append(
                self._dated(result, row, start) if isinstance(result, GlusterError) else result
            )
        return answers

    def _dated(self, error: GlusterError, row: Command, start: float) -> GlusterError:
        """Say until when a timed-out call can hold the lock."""
        if isinstance(error, OutcomeUnknown) and error.kind == "timeout" and row.locks:
            error.locked_until = start + LOCK_S
            clock = time.strftime("%H:%M:%S", time.localtime(error.locked_until))
            error.hint += f" Other changes are refused until about {clock}."
        return error


def _judge(
    row: Command, stdout: str, ran: CliResult, argv: Sequence[str]
) -> CliAnswer | GlusterError:
    """Return the answer, or the error it is."""
    if ran.killed:
        return classify("Error : Request timed out", command=row.name, changes=row.changes)
    both = f"{stdout}\n{ran.stderr}".strip()
    text, op_errno, op_ret = both, 0, -1
    if row.output == "text":
        answer = text_answer(stdout, ran.stderr, ran.rc)
        if answer.ok:
            return answer
    elif is_document(stdout):
        try:
            answer = parse_answer(stdout, ran.stderr, ran.rc)
        except Unreadable as exc:
            return _unreadable(row, exc)
        if answer.ok and read_text(answer.text, row.name).kind != "partial":
            return answer
        text, op_errno, op_ret = answer.text, answer.op_errno, answer.op_ret
    elif read_text(both, row.name).kind == "other" or not both:
        printed = both[:300] or f"nothing (exit code {ran.rc})"
        return _unreadable(row, Unreadable(f"{row.title}: no XML was printed.", text=printed))
    return classify(
        text,
        op_errno,
        row.name,
        op_ret=op_ret,
        argv=tuple(argv),
        changes=row.changes,
        remote=row.remote,
    )


def _unreadable(row: Command, error: Unreadable) -> GlusterError:
    """A change whose answer cannot be read may have been carried out."""
    if not row.changes:
        return error
    hint = "It may have been carried out: read back the result."
    return OutcomeUnknown(
        f"{row.title}: {error.message}", kind="unreadable", text=error.text, hint=hint
    )


def _stopped(row: Command, printed: str, ran: CliResult) -> GlusterError:
    """Return the error of a command that the stream did not come to."""
    known = "Error : Request timed out" if ran.killed else printed
    if read_text(known, row.name).kind not in ("other", "syntax"):
        return classify(known, command=row.name, changes=False, remote=row.remote)
    message = f"{row.title}: not answered, because the stream stopped before it."
    return Unreadable(message, text=printed[:300])


def _nothing() -> None:
    """Nothing was noted."""


def _no_note(words: Sequence[str]) -> Callable[[], None]:
    return _nothing


def _kill_group(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
