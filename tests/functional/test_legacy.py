"""The old names ``glusterfs.*``: Salt's own where it has them, ours where it has none."""

from __future__ import annotations

import importlib.util
import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import salt.loader
from salt.exceptions import CommandExecutionError, SaltInvocationError

ROOT = Path(__file__).resolve().parents[2]
ANSWER = "<?xml version='1.0'?><cliOutput><opRet>{}</opRet><opErrstr>{}</opErrstr></cliOutput>"
HAS_ITS_OWN = importlib.util.find_spec("salt.modules.glusterfs") is not None


@pytest.fixture
def gluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A gluster program that keeps its words and answers what stands in ``answer``."""
    program = tmp_path / "gluster"
    program.write_text(
        f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {tmp_path}/words\ncat {tmp_path}/answer\n"
    )
    program.chmod(0o755)
    (tmp_path / "answer").write_text(ANSWER.format(0, ""))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path


@pytest.fixture
def call(gluster: Path, minion_opts: dict[str, Any]) -> Mapping[str, Callable[..., Any]]:
    """Our file as a Salt without one of its own would load it: on 3006 and 3007 alone, too."""
    functions = salt.loader.minion_mods(minion_opts)
    if not HAS_ITS_OWN:
        return functions
    source = (ROOT / "modules" / "gluster_legacy.py").read_text()
    folder = gluster / "modules"
    folder.mkdir()
    (folder / "gluster_legacy.py").write_text(
        source.replace(
            'find_spec("salt.modules.glusterfs")', 'find_spec("no_such_module")'
        ).replace('__virtualname__ = "glusterfs"', '__virtualname__ = "glusterfs_old"')
    )
    found = salt.loader.minion_mods(minion_opts | {"module_dirs": [str(folder)]})
    return {n.replace("glusterfs_old.", "glusterfs."): found[n] for n in found
            if n.startswith(("glusterfs_old.", "cmd."))}  # fmt: skip


def words(gluster: Path) -> list[str]:
    return (gluster / "words").read_text().splitlines()


def test_words_reach_gluster_one_by_one(gluster: Path, call: Any) -> None:
    bricks = ["g1:/srv/b", "g2:/srv/b"]
    assert call["glusterfs.create_volume"]("v", bricks, replica=2, force=True) is True
    sent = ["--xml", "volume", "create", "v", "replica", "2", *bricks, "force"]
    assert words(gluster)[-len(sent):] == sent  # fmt: skip


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("info", ("vol1\nvolume set vol1 user.injected yes",)),
        ("start_volume", ("a; reboot",)),
        ("peer", ("g2 force",)),
        ("create_volume", ("v", ["g1:/srv/b --remote-host=x"])),
        ("create_volume", ("v", "g1/srv/b")),
        ("set_quota_volume", ("v", "/", "1GB all")),
    ],
)
def test_no_argument_is_a_command(
    gluster: Path, call: Any, function: str, arguments: tuple[Any, ...]
) -> None:
    with pytest.raises(SaltInvocationError):
        call[f"glusterfs.{function}"](*arguments)
    assert not (gluster / "words").exists()


def test_a_refusal_is_false_or_none_and_no_glusterd_is_an_error(gluster: Path, call: Any) -> None:
    (gluster / "answer").write_text(ANSWER.format(-1, "Volume v does not exist"))
    assert call["glusterfs.status"]("v") is None
    assert call["glusterfs.start_volume"]("v") is False
    assert call["glusterfs.get_op_version"]("v")[0] is False
    down = "Connection failed. Please check if gluster daemon is operational."
    (gluster / "answer").write_text(down)
    with pytest.raises(CommandExecutionError, match="gluster daemon is operational"):
        call["glusterfs.list_volumes"]()


def test_the_signatures_are_those_of_salt_s_own() -> None:
    """Recorded from 3007.16; where Salt has the module it is asked."""
    recorded = json.loads((ROOT / "tests/data/glusterfs_signatures.json").read_text())
    for kind in ("modules", "states"):
        if HAS_ITS_OWN:
            own = importlib.import_module(f"salt.{kind}.glusterfs")
            assert signatures(vars(own)) == recorded[kind]
        spec = importlib.util.spec_from_file_location("one", ROOT / kind / "gluster_legacy.py")
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert signatures(vars(module)) == recorded[kind]


def signatures(names: Mapping[str, Any]) -> dict[str, list[list[str]]]:
    """Return the arguments, with their defaults, of the public functions among these."""
    return {
        name: [[p.name, "" if p.default is p.empty else repr(p.default)]
               for p in inspect.signature(one).parameters.values()]
        for name, one in sorted(names.items())
        if inspect.isfunction(one) and not name.startswith("_")
        and one.__module__ == names["__name__"]
    }  # fmt: skip
