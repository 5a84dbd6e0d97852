from __future__ import annotations

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
