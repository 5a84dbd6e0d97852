"""The modules for peers, volumes, options and healing, where no glusterd runs: Salt's own loader.

Every error is Salt's, says what to do next, and nothing is a traceback.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from salt.exceptions import CommandExecutionError

BRICKS = ["g1:/srv/gluster/data/1", "g2:/srv/gluster/data/1", "g3:/srv/gluster/data/1"]
READS = {
    "gluster_peer.status": (),
    "gluster_peer.list": (),
    "gluster_volume.list": (),
    "gluster_volume.info": (),
    "gluster_volume.status": ("data",),
    "gluster_volume.detail": ("data",),
    "gluster_volume.clients": ("data",),
    "gluster_volume.profile": ("data",),
    "gluster_volume.rebalance_status": ("data",),
    "gluster_option.list": ("data",),
    "gluster_option.get": ("data", "ping-timeout"),
    "gluster_heal.info": ("data",),
    "gluster_heal.summary": ("data",),
    "gluster_heal.split_brain": ("data",),
    "gluster_heal.wait": ("data", 60),
}
CHANGES = {
    "gluster_peer.probe": ("g2",),
    "gluster_peer.detach": ("g2",),
    "gluster_volume.create": ("data", BRICKS, 3),
    "gluster_volume.start": ("data",),
    "gluster_volume.stop": ("data", "an-id"),
    "gluster_volume.delete": ("data", "an-id"),
    "gluster_volume.add_bricks": ("data", BRICKS),
    "gluster_volume.profile_start": ("data",),
    "gluster_volume.profile_stop": ("data",),
    "gluster_volume.log_rotate": ("data",),
    "gluster_volume.statedump": ("data", "fd"),
    "gluster_option.set": ("data", {"network.ping-timeout": 20}),
    "gluster_option.reset": ("data", "network.ping-timeout"),
    "gluster_heal.start": ("data",),
}


@pytest.fixture
def call(loaders: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Call a function through the loader, as on a node whose gluster has no glusterd to ask."""
    gluster = tmp_path / "gluster"
    # What gluster 10.3 says then, and how it ends (recorded).
    said = "Connection failed. Please check if gluster daemon is operational."
    gluster.write_text(f"#!/bin/sh\necho '{said}'\nexit 1\n")
    gluster.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    def do(function: str, *args: Any, **kwargs: Any) -> Any:
        return loaders.modules[function](*args, **kwargs)

    return do


@pytest.mark.parametrize("function", READS)
def test_a_read_says_that_glusterd_does_not_run(call: Any, function: str) -> None:
    with pytest.raises(CommandExecutionError, match="glusterd") as said:
        call(function, *READS[function])
    assert "systemctl" in str(said.value)


@pytest.mark.parametrize("function", CHANGES)
def test_a_change_is_refused_and_the_refusal_says_what_to_start(call: Any, function: str) -> None:
    with pytest.raises(CommandExecutionError) as said:
        call(function, *CHANGES[function], test=True)
    assert str(said.value).startswith("REFUSED, nothing was changed")
    assert "systemctl start glusterd" in str(said.value)


@pytest.mark.parametrize("function", CHANGES)
def test_an_order_takes_what_may_be_accepted_with_a_reason_and_nothing_else(
    call: Any, function: str
) -> None:
    with pytest.raises(CommandExecutionError, match="confirm cannot be accepted"):
        call(function, *CHANGES[function], accept="not_held,confirm", reason="why not")
    with pytest.raises(CommandExecutionError, match="needs a reason"):
        call(function, *CHANGES[function], accept="not_held")
    with pytest.raises(CommandExecutionError, match="systemctl start glusterd"):
        call(function, *CHANGES[function], test=True, accept="not_held", reason="why not")


@pytest.mark.parametrize("function", ["gluster_peer.probe", "gluster_option.set"])
def test_a_change_is_refused_alike_in_test_mode_and_in_earnest(call: Any, function: str) -> None:
    """For two only: in earnest a refusal that may pass is waited for, some seconds each."""
    texts = []
    for test in (True, False):
        with pytest.raises(CommandExecutionError) as said:
            call(function, *CHANGES[function], test=test)
        texts.append(str(said.value))
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "words"),
    [
        ("gluster_peer.probe", ("g_1",), {}, "takes no '_'"),
        ("gluster_peer.probe", ("localhost",), {}, "host"),
        ("gluster_peer.detach", ("--help",), {}, "host"),
        ("gluster_volume.create", ("data", BRICKS[:2], 3), {}, "Add 1"),
        ("gluster_volume.create", ("data", BRICKS[:2], 2), {}, "split-brain"),
        ("gluster_volume.create", ("data", BRICKS, 3), {"replcia": 3}, "replica"),
        ("gluster_volume.create", ("all", BRICKS, 3), {}, "all"),
        ("gluster_volume.status", ("data; reboot",), {}, "[Ll]etters, digits"),
        ("gluster_volume.start", ("no such",), {}, "cannot be the name"),
        ("gluster_volume.stop", ("--force",), {}, "cannot be the name"),
        ("gluster_volume.add_bricks", ("data", []), {}, "no brick is named"),
        ("gluster_volume.add_bricks", ("data", BRICKS), {"replica": "four"}, "number of copies"),
        ("gluster_volume.statedump", ("data", "everything"), {}, "none of: all, mem"),
        ("gluster_volume.log_rotate", ("data", "g1"), {}, "HOST:/absolute/path"),
        ("gluster_option.set", ("data",), {}, "no option is named"),
        ("gluster_option.set", ("data",), {"network.ping-timeot": 20}, "Did you mean"),
        ("gluster_option.set", ("data",), {"network.ping-timeout": "soon"}, "time such as"),
        ("gluster_option.set", ("data", "x=1"), {}, "mapping"),
        ("gluster_option.reset", ("data", "all"), {}, "no option 'all'"),
        ("gluster_option.get", ("data", 7), {}, "no option"),
        ("gluster_heal.wait", ("data", "long"), {}, "seconds"),
        ("gluster_heal.info", ("--mode=x",), {}, "letters, digits"),
    ],
)
def test_a_bad_argument_is_named_with_what_would_be_right(
    call: Any, function: str, args: tuple[Any, ...], kwargs: dict[str, Any], words: str
) -> None:
    with pytest.raises(CommandExecutionError, match=words):
        call(function, *args, **kwargs)


@pytest.mark.capability(59)
def test_a_value_is_judged_without_asking_anybody(call: Any) -> None:
    good = call("gluster_option.validate", "cache-size", "64MB")
    assert (good["valid"], good["option"]) == (True, "performance.cache-size")
    assert good["means"] == str(64 * 1024**2)
    assert call("gluster_option.validate", "auth.allow", ["g1", "g2"])["hazard"] == "client_cut"
    bad = call("gluster_option.validate", "cache-size", "64MiB")
    assert bad["valid"] is False
    assert "64MB" in bad["why"]


def test_the_catalogue_is_searched_by_a_part_of_the_name(call: Any) -> None:
    found = call("gluster_option.catalog", "ping")
    assert (found["network.ping-timeout"]["default"], len(found) < 5) == ("42", True)
    assert len(call("gluster_option.catalog")) > 200
    with pytest.raises(CommandExecutionError, match="no option matches"):
        call("gluster_option.catalog", "no.such*")


def test_a_node_without_gluster_has_no_uuid_and_no_error(call: Any) -> None:
    assert call("gluster_peer.uuid") is None
    assert isinstance(call("gluster_option.profiles"), dict)


def test_without_gluster_the_error_says_what_to_install(
    loaders: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CommandExecutionError, match="no gluster command") as said:
        loaders.modules["gluster_volume.list"]()
    assert "nstall" in str(said.value)


def test_a_machine_leaves_consul_only_when_its_pillar_as_it_is_now_has_no_access(
    call: Any, minion: Any
) -> None:
    assert call("gluster_consul.leave") == {"changes": {}, "test": False}
    (folder,) = (Path(root) for root in minion.config["pillar_roots"]["base"])
    files = {folder / "top.sls": "base: {'*': [access]}",
             folder / "access.sls": "gluster_consul: {cluster: main}"}  # fmt: skip
    try:
        for file, text in files.items():
            file.write_text(text)
        with pytest.raises(CommandExecutionError, match="still is a node"):
            call("gluster_consul.leave")
    finally:
        for file in files:
            file.unlink()


def test_hold_and_release_say_what_is_where_the_minion_may_change_nothing(loaders: Any) -> None:
    modules, opts = loaders.modules, loaders.modules.opts
    assert modules.gluster.hold("rack", by="ann")["held"]["reason"] == "rack"
    opts["test"] = True
    told = modules.gluster.release()
    assert (told["held"]["reason"], told["test"]) == ("rack", True)
    assert "nothing was written" in told["comment"]
    opts["test"] = False
    assert modules.gluster.release()["held"] is None
    opts["test"] = True
    told, code = modules.gluster.hold("rack"), loaders.context["retcode"]
    opts["test"] = False
    modules.gluster.release()  # the modules see another value of opts with a call
    assert (told["held"], told["test"], code) == (None, True, 1)
