"""The hold file of this node: an operator's "change nothing".

Touching it by hand is enough, for the day Salt is down; so everything readable in it is a hold, and
what cannot be read is unknown, never "no hold".
"""

from __future__ import annotations

import json
from pathlib import Path

from salt_gluster.model import Hold, Unknown
from salt_gluster.node.files import write_atomically

HOLD_FILE = "/var/lib/salt-gluster/hold"


def read_hold(path: str | Path = HOLD_FILE) -> Hold | Unknown | None:
    """Return the hold, None where there is no file, or Unknown where it cannot be read."""
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8").strip()
        touched = file.stat().st_mtime
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as problem:
        return Unknown(f"the hold file {file} cannot be read: {problem}")
    if not text:
        return Hold("touched by hand", since=touched)
    try:
        data = json.loads(text)
    except ValueError:
        data = None
    if not isinstance(data, dict):  # a sentence was written into it
        return Hold(text.splitlines()[0][:200], since=touched)
    since = data.get("since")
    return Hold(
        str(data.get("reason") or "no reason given"),
        str(data.get("by") or ""),
        float(since) if isinstance(since, (int, float)) else touched,
    )


def write_hold(reason: str, by: str, now: float, path: str | Path = HOLD_FILE) -> Hold:
    """Write the hold and return it; an earlier one is replaced."""
    file = Path(path)
    file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    text = json.dumps({"reason": reason, "by": by, "since": now}) + "\n"
    write_atomically(file, text, 0o644, keep=True)
    return Hold(reason, by, now)


def remove_hold(path: str | Path = HOLD_FILE) -> bool:
    """Remove the hold; return whether there was one."""
    try:
        Path(path).unlink()
    except FileNotFoundError:
        return False
    return True
