"""Tell whether gluster's own health check ended a brick, by what no client can write.

A brick's log has the names of files, and a client can call a file as it likes: with a line break in
the name it brings whole lines into the log, of any speaker and time. So a line only says where to
look. What a client cannot reach are two times: the health check writes a file of its own below
``.glusterfs`` until it fails, and its process lives on for 30 s after it has said so
(facts.md#G-0.13). While the check passes, no line has both.
"""

from __future__ import annotations

import os
import re
from datetime import datetime, timezone
from pathlib import Path

from salt_gluster.model import Unknown
from salt_gluster.node.files import TAIL, tail
from salt_gluster.node.timeouts import call_with_timeout

LOGS = "var/log/glusterfs/bricks"
CHECKED = ".glusterfs/health_check"
#: A disk that has not answered for so long does not tell when the check passed last.
LIMIT_S = 5.0
#: The process sends itself SIGTERM 30 s after it has said that the check failed, SIGKILL after 60.
LIVES_ON_S, LATEST_S = 29.5, 120.0
#: The line is written after the attempt that failed, which may have opened the file.
_SLACK_S = 1.0
_SAYS = (
    r"^\[([\d-]{10} [\d:]{8})[^\]]*\] [A-Z] (?:\[MSGID: \d+\] )?(?:\[[\w.-]+:\d+:\w+\] )?"
    r"\d+-%s-posix: health[-_ ]check failed, going down\s*$"
)
_TIME = re.compile(r"^\[([\d-]{10} [\d:]{8})", re.MULTILINE)


def health_check_ended(volume: str, path: str, root: Path) -> bool | Unknown:
    """Return whether the health check ended this brick the last time; a disk may hang for 5 s."""
    log = root / LOGS / (path.strip("/").replace("/", "-") + ".log")
    text, ended_at, is_whole = "", 0.0, True
    for file in (log.with_name(log.name + ".1"), log):
        try:
            size, written_at = _stat(file)
            text += tail(file) if size else ""
        except FileNotFoundError:
            continue
        except OSError as problem:
            return Unknown(f"{file} cannot be read: {problem.strerror}")
        if size:
            ended_at, is_whole = written_at, is_whole and size <= TAIL
    if not text:
        return Unknown(f"there is no {log}, or it is empty")
    line = re.compile(_SAYS % re.escape(volume))
    # By line breaks only: splitlines() knows eight more, which a name may have too.
    said_at = [_seconds(m[1]) for m in map(line.match, text.split("\n")) if m]
    last = [at for at in said_at if at + LIVES_ON_S <= ended_at <= at + LATEST_S]
    if last and _passed_at(root / path.lstrip("/")) <= max(last) + _SLACK_S:
        return True
    first = _TIME.search(text)
    if not is_whole and (first is None or _seconds(first[1]) > ended_at - LATEST_S):
        return Unknown(f"{log} does not go back by {LATEST_S:.0f} s")
    return False


def _stat(file: Path) -> tuple[int, float]:
    status = file.stat()
    return status.st_size, status.st_mtime


def _passed_at(brick: Path) -> float:
    """Return when the check wrote its file last; 0 where the disk does not say."""

    def ask() -> float:
        return os.lstat(brick / CHECKED).st_mtime

    try:
        passed_at = call_with_timeout(LIMIT_S, f"{brick}/{CHECKED}", ask)
    except OSError:
        return 0.0
    return 0.0 if isinstance(passed_at, Unknown) else passed_at


def _seconds(text: str) -> float:
    """Return the time of a line, which gluster writes in UTC; 0 for none."""
    try:
        at = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return 0.0
    return at.timestamp()
