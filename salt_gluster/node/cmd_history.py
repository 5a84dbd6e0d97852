"""Read the changes of the pool from this node: glusterd's own history, and a note of ours.

glusterd writes each command of a CLI here into ``cmd_history.log``, ours among them. So that an
operator's can be told from ours, every changing command that ``gluster/cli.py`` runs is noted
before it is sent (a killed job leaves its note behind).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from salt_gluster.model import Change, Unknown
from salt_gluster.node.files import append_line, tail, write_atomically

HISTORY = "var/log/glusterfs/cmd_history.log"
SENT_FILE = "/var/lib/salt-gluster/commands.jsonl"
#: A day is the most that is asked for; more than this many changes are a script's.
KEPT_S = 86400.0
MOST = 100
_MOST_NOTES, _MOST_BYTES = 500, 128 * 1024
#: The history's time is that of the end; clocks of two processes on one machine are one clock.
_SLACK_S = 2.0
#: A command without a noted end ends by itself at the latest so long after its start.
_ENDLESS_S = 300.0

_LINE = re.compile(
    r"^\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(\.\d+)?( ?[+-]\d{4})?\]\s+: (.*?) : (?:SUCCESS|FAILED)\b"
)
#: First words, after which nothing, or only these second words, are a change.
_READS = {
    "pool": ("list",), "peer": ("status",), "get-state": (), "help": (), "version": (),
    "volume": ("status", "info", "list", "get", "help"), "snapshot": ("status", "info", "list"),
    "system::": ("uuid get", "getspec", "getwd", "fsm", "portmap"),
}  # fmt: skip
#: ``volume WORD V … LAST``: these end in a word that makes a read of them.
_READS_BY_END = {
    "profile": {"info", "peek", "cumulative", "incremental"}, "top": {"open", "read", "write"},
    "rebalance": {"status"}, "remove-brick": {"status"}, "geo-replication": {"status", "detail"},
    "quota": {"list"}, "bitrot": {"status"},
    "heal": {"info", "summary", "split-brain", "statistics", "heal-count"},
}  # fmt: skip


def is_change(command: str) -> bool:
    """Return whether a command of the history is more than a look; what is not known is one."""
    words = command.split()
    if not words:
        return False
    words[0] = "volume" if words[0] in ("v", "vol") else words[0]
    rest = " ".join(words[1:])
    if words[0] in _READS and (
        not _READS[words[0]] or any(f"{rest} ".startswith(f"{r} ") for r in _READS[words[0]])
    ):
        return False
    if words[0] != "volume" or len(words) < 3:
        return True
    if words[1] == "heal" and "split-brain" in words and "info" not in words:
        return True
    return words[-1] not in _READS_BY_END.get(words[1], ()) or len(words) < 4


def changes(
    now: float, root: str | Path = "/", sent: str | Path = SENT_FILE
) -> tuple[Change, ...] | Unknown:
    """Return the changing commands of the last day that were given on this node, oldest first.

    Failed ones too: it was tried. Of many the newest stay.
    """
    log = Path(root) / HISTORY
    try:
        text = tail(log)
        before = log.with_name(log.name + ".1")
        if not _reaches_back(text, now - KEPT_S) and before.exists():
            text = tail(before) + text
    except OSError as problem:
        return Unknown(f"{log} cannot be read: {problem.strerror}")
    given = []
    for line in text.splitlines():
        match = _LINE.match(line)
        if match and is_change(match[4]):
            at = _time(match)
            if at > now - KEPT_S:
                given.append((at, match[4].strip()))
    return _signed(given[-MOST:], _sent(Path(sent)))


def _signed(given: Sequence[tuple[float, str]], notes: list[_Note]) -> tuple[Change, ...]:
    """Say of each whether it was ours; one note stands for one command."""
    left = list(notes)
    changes = []
    for at, command in given:
        note = next((n for n in left if n.command == command and n.covers(at)), None)
        if note:
            left.remove(note)
        changes.append(Change(at, command, ours=note is not None))
    return tuple(changes)


def _time(match: re.Match[str]) -> float:
    """Return the time of a line; without a zone it is UTC, as glusterd writes it."""
    zone = (match[3] or "+0000").strip()
    when = datetime.strptime(f"{match[1]} {zone}", "%Y-%m-%d %H:%M:%S %z")
    return when.timestamp() + float(match[2] or 0)


def _reaches_back(text: str, to: float) -> bool:
    first = next(filter(None, map(_LINE.match, text.splitlines())), None)
    return first is not None and _time(first) <= to


# --- what we sent --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Note:
    command: str
    began: float
    ended: float | None

    def covers(self, at: float) -> bool:
        end = self.began + _ENDLESS_S if self.ended is None else self.ended + _SLACK_S
        return self.began - _SLACK_S <= at <= end


def note_sent(words: Sequence[str], path: str | Path = SENT_FILE) -> Callable[[], None]:
    """Note that this command is about to be sent; call what is returned when it has ended.

    What cannot be noted passes for an operator's later on: that only makes automation more patient.
    """
    began, file = time.time(), Path(path)
    command = " ".join(words)
    _append(file, {"command": command, "began": began})

    def ended() -> None:
        _append(file, {"command": command, "began": began, "ended": time.time()})

    return ended


def _append(file: Path, note: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        with _alone(file.parent):
            # As glusterd's own history: not for other users.
            append_line(file, json.dumps(note), 0o600)
            if file.stat().st_size > _MOST_BYTES:
                lines = file.read_text(encoding="utf-8").splitlines()[-_MOST_NOTES:]
                write_atomically(file, "\n".join(lines) + "\n", 0o600)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)  # held for a moment only
        yield
    finally:
        os.close(handle)


def _sent(file: Path) -> list[_Note]:
    notes: dict[tuple[str, float], _Note] = {}
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    for line in lines:
        with contextlib.suppress(ValueError, KeyError, TypeError):
            entry = json.loads(line)
            command, began = str(entry["command"]), float(entry["began"])
            ended = entry.get("ended")
            notes[command, began] = _Note(command, began, None if ended is None else float(ended))
    return list(notes.values())
