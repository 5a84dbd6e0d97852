"""Unit tests leave this machine's own files alone."""

from __future__ import annotations

from collections.abc import Iterator

import host_files
import pytest


@pytest.fixture(scope="session", autouse=True)
def _own_files(_own_history: None, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what this machine would keep in a folder of the tests."""
    host_files.redirect(tmp_path_factory.getbasetemp() / "host")


@pytest.fixture(autouse=True)
def _nothing_of_the_host() -> Iterator[None]:
    """Fail a test that would have written a file of this machine."""
    yield from host_files.GUARD.check()
