"""Consul with an intent for gfn2, and gfn2."""

from __future__ import annotations

from pathlib import Path

import pytest
from executing import Pool, pool_in


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pool:
    return pool_in(monkeypatch, tmp_path)
