"""What the driver asks gluster for, and what it does not."""

from __future__ import annotations

from typing import Any

import pytest

from salt_gluster.errors import CommandFailed
from salt_gluster.minion.driver import GlusterDriver, set_options
from salt_gluster.model import (
    Facet,
    Node,
    Observation,
    Peer,
    Reach,
    Unknown,
    Volume,
    VolumeStatus,
    is_known,
)

PEERS = (Peer("u1", ("g1",), True, 3, is_self=True), Peer("u2", ("g2",), True, 3))
DATA = Volume("data", "id", "Started", "distribute", (), 1)
ROWS = VolumeStatus("data", ())
NEEDS = frozenset({Facet("reach"), Facet("status", "data")})


class Told:
    """A reader of a pool whose second member is reached like this."""

    def __init__(self, second: Reach) -> None:
        self.rows = {"u1": Reach(True, 100000), "u2": second}

    def reach(self, peers: Any) -> dict[str, Reach]:
        return self.rows

    def definitions(self, peers: Any, about: Any) -> dict[str, dict[str, str]]:
        return {peer.uuid: {"data": "digest"} for peer in peers}

    def status(self, volume: str) -> VolumeStatus:
        return ROWS


@pytest.mark.parametrize(
    ("second", "asked"),
    [
        (Reach(True, 100000), True),
        (Reach(False, Unknown("no answer")), False),
        (Reach(True, Unknown("did not tell its version")), False),  # its process stands still
    ],
)
def test_rows_are_not_asked_for_while_a_member_does_not_answer(second: Reach, asked: bool) -> None:
    """The question would take the volume's lock on all members, and hang (facts.md#C-M.3)."""
    driver = GlusterDriver("g1", reader=Told(second))  # type: ignore[arg-type]
    obs = Observation(0.0, Node("g1", uuid="u1"), PEERS, {"data": DATA})
    rows = driver.observe_more(obs, NEEDS).status["data"]
    assert is_known(rows) == asked
    assert asked or "while g2 does not answer" in repr(rows)


@pytest.mark.parametrize(
    ("second", "asked"),
    [(Reach(True, 100000), True), (Reach(True, Unknown("did not tell its version")), False)],
)
def test_who_stands_still_is_not_asked_for_definitions(second: Reach, asked: bool) -> None:
    driver = GlusterDriver("g1", reader=Told(second))  # type: ignore[arg-type]
    obs = Observation(0.0, Node("g1", uuid="u1"), PEERS, {"data": DATA})
    needs = frozenset({Facet("reach"), Facet("definitions", "data")})
    assert is_known(driver.observe_more(obs, needs).definitions["u2"]) == asked


# --- options that gluster refuses -----------------------------------------------------------------


class Sets:
    """Gluster, which knows no ``nfs.disable`` and sets none of a call that names it."""

    def __init__(self, kind: str = "unknown_option") -> None:
        self.kind, self.stored = kind, dict[str, str]()

    def __call__(self, command: str, *, volume: str, options: dict[str, str]) -> None:
        assert (command, volume) == ("volume_set", "data")
        if "nfs.disable" in options:
            raise CommandFailed("gluster has no such option", kind=self.kind)
        self.stored |= options


OPTIONS = {"nfs.disable": "on", "network.ping-timeout": "20", "user.a": "b"}


def test_one_wrong_option_keeps_no_other_from_being_set_and_is_named() -> None:
    gluster = Sets()
    with pytest.raises(CommandFailed, match=r"`options:nfs\.disable`: gluster has no such option"):
        set_options(gluster, volume="data", options=OPTIONS)
    assert gluster.stored == {"network.ping-timeout": "20", "user.a": "b"}


def test_what_is_refused_for_another_reason_is_not_sent_option_by_option() -> None:
    gluster = Sets("locked")
    with pytest.raises(CommandFailed, match="no such option"):
        set_options(gluster, volume="data", options=OPTIONS)
    assert gluster.stored == {}
