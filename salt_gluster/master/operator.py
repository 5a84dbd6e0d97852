"""Name the operator who gives an order: Salt's user and this machine, and what is said of both."""

from __future__ import annotations

import socket
from typing import Any


def operator_name(user: str, by: Any = "", machine: str = "") -> str:
    """Return ``USER@MACHINE``, after the name that was given; nobody is hidden by a name."""
    known = f"{user}@{machine or socket.gethostname()}"
    given = str(by or "").strip()
    return f"{given} ({known})" if given and given != known else known
