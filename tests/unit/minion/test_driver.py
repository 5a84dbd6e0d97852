"""What the real driver makes of an error of the system: one of that subject, with what to do."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest

from salt_gluster import node
from salt_gluster.errors import GlusterError
from salt_gluster.minion.driver import GlusterDriver
from salt_gluster.model import BrickPath, Step

PATH = "/srv/gluster/data/1"
PREPARE = Step("brick_prepare", PATH, {"path": PATH}, f"prepare {PATH}", place="node")


@pytest.mark.parametrize("number", [errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EIO])
def test_a_directory_that_the_system_does_not_make_is_an_error_with_its_words(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(path: str, **_: Any) -> tuple[str, ...]:
        raise OSError(number, os.strerror(number), path)

    there = BrickPath(PATH, False, True, "/srv/gluster")
    monkeypatch.setattr(node, "brick_path", lambda path: there)
    monkeypatch.setattr(node, "make_brick_dir", make)
    with pytest.raises(GlusterError) as failed:
        GlusterDriver("g1").execute(PREPARE)
    assert failed.value.kind == "unwritable"
    assert os.strerror(number) in failed.value.message and PATH in failed.value.message
    assert "gluster_brick.devices" in failed.value.hint
