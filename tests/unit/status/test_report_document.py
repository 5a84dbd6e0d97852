"""What a node writes of itself is what the others can read, also where it knows little."""

from __future__ import annotations

import json
from typing import Any

import pytest

from salt_gluster.model import (
    Brick,
    GetStateBrick,
    GetStateVolume,
    GlusterdState,
    Hold,
    Node,
    NodeFacts,
    Observation,
    Peer,
    Reach,
    Unknown,
    Volume,
)
from salt_gluster.status.report import observation, own_report, usable
from salt_gluster.status.report_document import report_from

SILENT = Unknown("it does not answer")
PEERS = (Peer("u1", ("g1",), True, 3, "Peer in Cluster", True), Peer("u2", ("g2",), False, 3))
DATA = Volume("data", "id", "Started", "replicate",
              (Brick("g1", "/b", "u1"), Brick("g2", "/b", "u2")), 1, replica=2)  # fmt: skip
GHOST = Volume("ghost", "id-2", "Created", "distribute", (), 0)
ROW = GetStateBrick("g1:/b", True, 49152, SILENT, 9)
STATE = GlusterdState("u1", SILENT, {"data": GetStateVolume("data", "id", "Started", "none",
                                                            SILENT, (ROW,))})  # fmt: skip


def written(obs: Observation, state: Any = STATE, version: Any = "11.1") -> Any:
    report = own_report(obs, state, {"/b": SILENT}, version, NodeFacts(1.0))
    return json.loads(json.dumps(report))


@pytest.mark.parametrize(
    ("obs", "state"),
    [
        (Observation(1.0, Node("g1", ("a1",)), peers=PEERS, volumes={"data": DATA, "ghost": GHOST},
                     reach={"u2": Reach(True, SILENT)}), STATE),
        (Observation(1.0, Node("g1", hold=Hold("x", "ann", 5.0)), peers=PEERS, volumes={}), SILENT),
        (Observation(1.0, Node("g1", hold=SILENT), peers=PEERS, volumes=SILENT), SILENT),
        (Observation(1.0, Node("g1"), peers=SILENT, volumes=SILENT), SILENT),
    ],
    ids=["well", "held", "volumes unknown", "glusterd silent"],
)  # fmt: skip
def test_own_report_is_readable(obs: Observation, state: Any) -> None:
    for version in ("11.1", SILENT):
        read = report_from(written(obs, state, version), "u1")
        assert not isinstance(read, Unknown), read.why
        if usable(read):
            assert [p.uuid for p in observation([read]).peers] == ["u1", "u2"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"names": []}, "no name"),
        ({"uuid": "u9"}, "u9's"),
        ({"at": True}, "at: True is no number"),
        ({"peers": []}, "not have it among the peers"),
        ({"bricks": {"data": [{"name": "x"}]}}, "online is missing"),
        ({"volumes": {"other": {"name": "data"}}}, "other: id is missing"),
    ],
)
def test_what_cannot_be_says_why(change: dict[str, Any], why: str) -> None:
    obs = Observation(1.0, Node("g1"), peers=PEERS, volumes={"data": DATA})
    read = report_from({**written(obs), **change}, "u1")
    assert isinstance(read, Unknown)
    assert why in read.why


@pytest.mark.parametrize("uuid", ["a/b", "a b", "x" * 101])
def test_a_uuid_that_is_no_key_stops_nobody(uuid: str) -> None:
    obs = Observation(1.0, Node("g1"), peers=(*PEERS, Peer(uuid, ("g3",), True, 3)), volumes={})
    assert isinstance(report_from(written(obs), "u1"), Unknown)
