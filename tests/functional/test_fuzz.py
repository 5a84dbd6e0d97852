"""Anything at all as the input of states and modules, through Salt's own loader.

`gluster` is a program that writes down what it is asked and says that no glusterd runs. What must
hold: no traceback, an error with words, no changing command; and for what is certainly wrong no
gluster process at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import salt.loader
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from salt.exceptions import CommandExecutionError

FUZZ = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
BLANKS_AND_SHELL = " \n\r\t\v\0\x85\u2028\u00a0;|&$`'\"\\<>(){}*?!#~^%=,:/"
BAD_NAMES = st.builds(
    lambda a, bad, b: a + bad + b,
    st.text("abc-_ 1", max_size=5),
    st.sampled_from(BLANKS_AND_SHELL),
    st.text("abc-_ 1", max_size=5),
)
GOOD = ["g1:/srv/gluster/v", "g2:/srv/gluster/v", "g3:/srv/gluster/v"]
BAD_BRICKS = st.one_of(
    st.builds(lambda bad: f"g1:/srv/a{bad}b", st.sampled_from(" \n\t\0\u2028:;|&$`'\"\\<>*?")),
    st.sampled_from(
        ["/srv/v", "g1", "g1:", ":/srv/v", "g1:srv", "g1:/a/../b", "g1:/", GOOD[1], ""]
    ),
    st.builds(lambda bad: f"g{bad}1:/srv/v", st.sampled_from(" \n\t_;|&$`'\"\\<>*?/")),
    st.integers(),
    st.none(),
)
BAD_OPTIONS = st.one_of(
    st.dictionaries(st.text("abc. -\n", min_size=1, max_size=8), st.just("1"), min_size=1),
    st.builds(
        lambda n: {"performance.io-thread-count": n}, st.integers(65) | st.integers(max_value=0)
    ),
    st.builds(
        lambda v: {"cluster.lookup-optimize": v}, st.sampled_from(["maybe", "on\noff", "x;y"])
    ),
    st.builds(lambda v: {"auth.allow": f"a{v}b"}, st.sampled_from("\n\r\0\u2028")),
    st.lists(st.text(max_size=3), min_size=1, max_size=2),
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 99) | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=5,
)


class Asked:
    """The stand-in for `gluster`, and what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "asked"
        program = folder / "gluster"
        program.write_text(
            f'#!/bin/sh\necho "$@" >> {self.log}\n[ -t 0 ] || timeout 1 cat >> {self.log}\n'
            "echo 'Connection failed. Please check if gluster daemon is operational.'\nexit 1\n"
        )
        program.chmod(0o755)

    def take(self) -> list[str]:
        """Give the lines since the last time."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return lines


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return Asked(tmp_path)


@pytest.fixture(scope="module")
def states(made_loaders: Any) -> Any:
    """The state functions themselves: `state.single` around them takes seconds a call."""
    return salt.loader.states(
        made_loaders.opts, made_loaders.modules, made_loaders.utils, made_loaders.serializers
    )


@pytest.fixture
def test_mode(states: Any) -> Iterator[None]:
    """A declaration that is right is refused for the daemon: test mode does not wait for it."""
    states.opts["test"] = True
    yield
    states.opts["test"] = False


def refused(states: Any, asked: Asked, name: str, *args: Any, **kwargs: Any) -> str:
    """Hold a state to a refusal that asked gluster nothing; give its words."""
    ret = states[name](*args, **kwargs)
    comment = str(ret["comment"])
    assert (ret["result"], ret["changes"]) == (False, {})
    assert asked.take() == []
    assert "Traceback" not in comment
    assert len(comment.splitlines()) > 1, "what is wrong, and what to do"
    return comment


@pytest.mark.capability(59)
@FUZZ
@given(name=BAD_NAMES)
def test_a_name_that_gluster_or_a_shell_would_cut_is_refused_unasked(
    states: Any, asked: Asked, name: str
) -> None:
    said = refused(states, asked, "gluster_volume.present", name, bricks=GOOD, replica=3)
    assert "etters, digits" in said
    refused(states, asked, "gluster_volume.options", name, options={"user.x": "1"})
    refused(states, asked, "gluster_volume.started", name)
    refused(states, asked, "gluster_volume.stopped", name, confirm="x")
    refused(states, asked, "gluster_volume.absent", name, confirm="x")


@FUZZ
@given(brick=BAD_BRICKS)
def test_a_brick_that_gluster_would_misread_is_refused_with_its_key(
    states: Any, asked: Asked, brick: Any
) -> None:
    bricks = [brick, *GOOD[1:]]
    said = refused(states, asked, "gluster_volume.present", "v", bricks=bricks, replica=3)
    assert "bricks" in said


@FUZZ
@given(options=BAD_OPTIONS)
def test_an_option_that_gluster_would_refuse_or_misread_is_refused_with_its_key(
    states: Any, loaders: Any, asked: Asked, options: Any
) -> None:
    said = refused(states, asked, "gluster_volume.options", "v", options=options)
    assert "options" in said
    with pytest.raises(CommandExecutionError):
        loaders.modules["gluster_option.set"]("v", options)
    assert asked.take() == []


@FUZZ
@example(name="B", bricks="A", replica=None, options=None, more="")
@example(name="", bricks="A", replica=None, options=None, more="")
@example(name=None, bricks="A", replica=None, options=None, more="")
@example(name=[], bricks="A", replica=None, options=None, more="")
@given(name=ANYTHING, bricks=ANYTHING, replica=ANYTHING, options=ANYTHING, more=st.text(max_size=5))
def test_anything_is_an_error_and_never_a_change(
    states: Any, asked: Asked, test_mode: None, name: Any, bricks: Any, replica: Any,
    options: Any, more: str,
) -> None:  # fmt: skip
    arguments = {"bricks": bricks, "replica": replica, "options": options}
    for function, args, kwargs in (
        ("gluster_volume.present", (name,), arguments),
        ("gluster_volume.options", (name,), {"options": options}),
        ("gluster_peer.present", (name,), {"nodes": bricks}),
        ("gluster_volume.mounted", (name, more), {"servers": bricks, "options": options}),
    ):
        ret = states[function](*args, **kwargs)
        # A member that is declared rightly may have to wait for the one who invites it.
        waits = function == "gluster_peer.present" and "has to invite" in ret["comment"]
        wanted = None if waits else False
        assert (ret["result"], ret["changes"]) == (wanted, {}), (function, ret)
        assert ret["comment"]
    words = " ".join(asked.take()).split()
    assert not {"create", "set", "start", "probe", "add-brick", "reset", "detach"} & set(words)
