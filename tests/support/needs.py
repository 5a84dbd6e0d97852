"""What a test needs of the machine: without it skipped, and where ``CI`` is set failed.

A run of the continuous integration that skips what it cannot hold is green and shows nothing.
"""

from __future__ import annotations

import os

import pytest


def nothing_may_be_skipped() -> bool:
    """Say whether ``CI`` is set, and not to ``0`` or ``false``."""
    return os.environ.get("CI", "").lower() not in ("", "0", "false")


def needs(lack: str) -> None:
    """End the test if this machine lacks something, named as what would have to be there."""
    if not lack:
        return
    text = f"this machine lacks {lack}"
    if nothing_may_be_skipped():
        pytest.fail(f"{text}; with CI set no test is skipped for that", pytrace=False)
    pytest.skip(text)
