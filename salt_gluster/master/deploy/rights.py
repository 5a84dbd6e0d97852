"""Check what this process may write before anything is written.

A master runs as the user ``salt`` where its packages say so, and ``salt-run`` takes that user too.
What needs root then is done by the minion of the machine, or told as one command.
"""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterable
from pathlib import Path

from salt_gluster.errors import GlusterError

#: The function of the machine's own minion that brings about the agent which is wanted.
AGENT = "gluster_consul.master_agent"
#: The one that takes it away.
LEAVE = "gluster_consul.leave"


def is_root() -> bool:
    """Return whether this process may do everything on this machine."""
    return os.geteuid() == 0


def refuse_unwritable(folders: Iterable[Path]) -> None:
    """Raise ``GlusterError`` with the one command for root where this user may not write."""
    closed = [folder for folder in folders if not _is_writable(folder)]
    if is_root() or not closed:
        return
    user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
    names = " ".join(map(str, closed))
    make = f"install -d -o {user} -g {group} -m 0750 {names}"
    own = " ".join(str(folder) for folder in closed if folder.is_dir())
    raise GlusterError(
        f"this master runs as the user {user}, who may not write in {names}.", kind="no_right",
        hint="Nothing was done. As root: " + make + (f" && chown -R {user}:{group} {own}" if own
             else "") + "; then run this again.",
    )  # fmt: skip


def _is_writable(folder: Path) -> bool:
    """Whether this user may make files there, and the folder itself where it is not there."""
    try:
        while not folder.exists():
            folder = folder.parent
        below = [folder, *(path for path in folder.iterdir() if path.is_dir())]
    except OSError:
        return False
    return all(os.access(path, os.R_OK | os.W_OK | os.X_OK) for path in below)


def as_root(function: str, *arguments: object) -> str:
    """Return what an operator types as root for what the machine's own minion did not do."""
    words = " ".join(["salt-call --local", function, *map(str, arguments)])
    return f"Root's part is left, on this machine: {words}"
