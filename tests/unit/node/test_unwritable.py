"""A disk that takes nothing: an error of that path, with the system's words and where to look."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from salt_gluster import node
from salt_gluster.errors import GlusterError
from salt_gluster.minion.driver import GlusterDriver
from salt_gluster.model import BrickPath, Step
from salt_gluster.node import brick_dirs

PREPARE = "brick_prepare"


@pytest.mark.parametrize("number", [errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EIO])
def test_a_directory_that_the_system_does_not_make_is_an_error_with_its_words(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By an order and by a state alike; a traceback would end the other subjects of a run."""

    def refuse(self: Path, *_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number), str(self))

    path = str(tmp_path / "data/1")
    there = BrickPath(path, False, False, "/srv/gluster")
    for module in (node, brick_dirs):
        monkeypatch.setattr(module, "brick_path", lambda _: there)
    monkeypatch.setattr(Path, "mkdir", refuse)
    step = Step(PREPARE, path, {"path": path}, f"prepare {path}", place="node")
    attempts: list[Callable[[], Any]] = [
        lambda: node.make_brick_dir(path),
        lambda: GlusterDriver("g1").execute(step),
    ]
    for attempt in attempts:
        with pytest.raises(GlusterError) as failed:
            attempt()
        assert failed.value.kind == "unwritable"
        assert os.strerror(number) in failed.value.message and path in failed.value.message
        assert "gluster_brick.devices" in failed.value.hint
