from __future__ import annotations

from typing import Any

import pytest

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
