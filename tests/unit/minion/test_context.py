from __future__ import annotations

from typing import Any

import pytest

from salt_gluster.errors import SpecError
from salt_gluster.minion import volume
from salt_gluster.minion.context import Minion

BRICKS = ["g1:/srv/gluster/v", "g2:/srv/gluster/v", "g3:/srv/gluster/v"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [({}, True), ({"started": None}, None), ({"started": False}, False)],
)
def test_a_volume_is_left_as_it_is_where_started_is_written_as_null(
    written: dict[str, object], meant: bool | None
) -> None:
    arguments = {"bricks": BRICKS, "replica": 3, "options": None, **written}
    assert Minion({"id": "g1"}, {}, {}).volume("v", arguments).started is meant


@pytest.mark.parametrize(("cli", "fired"), [("", 1), ("salt-call", 0)])
def test_how_far_a_run_is_goes_to_the_bus_where_that_cannot_wait_for_a_master(
    cli: str, fired: int
) -> None:
    said: list[tuple[str, Any]] = []
    salt = {"event.send": lambda tag, data: said.append((tag, data))}
    pillar = {"gluster": {"nodes": ["g1", "g2", "g3"]}}
    Minion({"id": "g1", "__cli": cli}, salt, {}, pillar).driver().tell("3 steps done")
    assert [tag for tag, _ in said] == ["salt/gluster/main/node/g1/progress"] * fired
    assert [data["state"] for _, data in said] == ["3 steps done"] * fired


POOL = {"gluster": {"nodes": ["g1", "g2", "g3"], "volumes": {"data": {"replica": 3}}}}


@pytest.mark.parametrize("salts_own", [{}, {"__id__": "x", "order": 1, "bricks": None}])
@pytest.mark.parametrize(
    ("pillar", "words"),
    [
        (POOL, "dta is not declared (data is), and no arguments were given"),
        ({}, "dta is not declared, and no arguments were given"),
    ],
)
def test_a_name_that_nothing_is_said_of_is_mistyped(
    pillar: dict[str, Any], words: str, salts_own: dict[str, Any]
) -> None:
    minion = Minion({"id": "g1"}, {}, {}, pillar)
    with pytest.raises(SpecError) as told:
        minion.check_given("dta", salts_own)
    assert words in str(told.value)
    minion.check_given("dta", {**salts_own, "replica": 3})
    if pillar:
        minion.check_given("data", salts_own)


def test_a_create_mounts_nothing_and_says_so() -> None:
    minion = Minion({"id": "g1"}, {}, {}, POOL)
    with pytest.raises(SpecError, match="mounts it nowhere"):
        volume.create(minion, "data", {"mount": "/mnt/data"}, start=True)
