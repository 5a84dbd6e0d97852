"""How Consul's servers are, by what autopilot said on real ones (facts.md#K-2.8)."""

from __future__ import annotations

from typing import Any

import pytest
from fake_consul import FakeConsul

from salt_gluster.consul.server_health import ServerLook, judged, look, look_from
from salt_gluster.errors import ConsulError


def answer(**rows: Any) -> dict[str, Any]:
    """Return what autopilot says: name -> index, or what differs from a healthy server."""
    servers = []
    for name, row in rows.items():
        more = row if isinstance(row, dict) else {"LastIndex": row}
        servers.append({"Name": name, "SerfStatus": "alive", "Healthy": True, "LastContact": "9ms",
                        "LastIndex": 50, **more})  # fmt: skip
    return {"Healthy": all(s["Healthy"] for s in servers), "Servers": servers}


def seen(**rows: Any) -> ServerLook:
    return look_from(answer(**rows))


def test_a_server_that_stores_nothing_is_behind_though_autopilot_calls_it_healthy() -> None:
    """Its disk was full: 39 for 15 s while the others went from 44 to 79."""
    found = judged(seen(s1=44, s2=44, s3=39), seen(s1=79, s2=79, s3=39))
    assert found == {"s1": "", "s2": "", "s3": "it stores nothing any more: is its disk full?"}


def test_a_server_that_catches_up_or_where_nothing_is_written_is_well() -> None:
    assert not any(judged(seen(s1=44, s2=44, s3=39), seen(s1=79, s2=79, s3=43)).values())
    assert not any(judged(seen(s1=44, s2=44), seen(s1=44, s2=44)).values())


def test_one_bad_look_is_none() -> None:
    """For 2 s a server that had to wait for a processor was not healthy."""
    slow = {"Healthy": False, "LastContact": "438.7ms", "LastIndex": 50}
    assert judged(seen(s2=50), seen(s2=slow)) == {"s2": ""}
    assert judged(seen(s2=slow), seen(s2=50)) == {"s2": ""}
    assert "not healthy" in judged(seen(s2=slow), seen(s2=slow))["s2"]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"Healthy": False, "LastContact": "-1ns", "LastIndex": 0}, "cannot ask it"),
        ({"Healthy": False, "SerfStatus": "failed", "LastIndex": 0}, "gossip has it as failed"),
    ],
)
def test_a_server_that_hangs_or_is_down_is_told_with_what_is_known(
    row: dict[str, Any], words: str
) -> None:
    assert words in judged(seen(s3=row), seen(s3=row))["s3"]


def test_one_that_is_being_forgotten_or_has_just_come_is_not_judged() -> None:
    nameless = {"Healthy": False, "SerfStatus": "none"}
    before = look_from({"Servers": [{"Name": "", **nameless}, {"Name": "s1", "LastIndex": 3}]})
    assert set(before.indexes) == {"s1"}
    assert judged(before, seen(s2=50)) == {}


@pytest.mark.parametrize("word", [None, [], "x", {"Servers": None}])
def test_an_answer_that_is_none_says_nothing(word: Any) -> None:
    assert look_from(word) == ServerLook()


def test_autopilots_no_is_an_answer_and_a_missing_right_is_not() -> None:
    consul = FakeConsul()
    hung = {"Healthy": False, "LastContact": "-1ns", "LastIndex": 0}
    consul.autopilot = (429, answer(s1=50, s3=hung))
    assert look(consul.client()).wrong["s3"]
    consul.autopilot = (403, "Permission denied")
    with pytest.raises(ConsulError):
        look(consul.client())
