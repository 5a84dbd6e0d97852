"""The fullest set decides."""

from __future__ import annotations

import pytest

from salt_gluster.model import Brick, BrickSpace, Volume
from salt_gluster.status import space


def volume(hosts: str, replica: int = 2, **more: object) -> Volume:
    last = len(hosts) - 1 if more.get("arbiter") else -1
    bricks = tuple(Brick(h, "/b", f"u-{h}", n == last) for n, h in enumerate(hosts))
    sets = len(hosts) // replica
    made: Volume = Volume("v", "id", "Started", "replicate", bricks, sets, replica, **more)  # type: ignore[arg-type]
    return made


def told(**free: int) -> list[BrickSpace]:
    return [BrickSpace(f"{host}:/b", 1000, number, 0, 0) for host, number in free.items()]


@pytest.mark.parametrize(
    ("free", "level"), [(500, ""), (100, ""), (99, "full_soon"), (11, "full_soon"), (10, "full")]
)
def test_how_full_a_set_is(free: int, level: str) -> None:
    (one,) = space.of_sets(volume("ab"), told(a=900, b=free))
    assert (one.level, one.brick, one.free, one.percent) == (level, "b:/b", free, free // 10)


def test_room_in_another_set_does_not_help() -> None:
    least = space.fullest(space.of_sets(volume("abcd"), told(a=900, b=900, c=50, d=900)))
    assert least is not None and (least.number, least.brick, least.level) == (
        2,
        "c:/b",
        "full_soon",
    )


def test_an_arbiter_holds_no_data() -> None:
    (one,) = space.of_sets(volume("abc", 3, arbiter=1), told(a=500, b=400, c=1))
    assert (one.brick, one.level) == ("b:/b", "")


def test_what_a_volume_keeps_back_counts_as_full() -> None:
    (one,) = space.of_sets(volume("ab", options={"storage.reserve": "20"}), told(a=190, b=500))
    assert one.level == "full"


def test_a_set_of_which_no_brick_tells_is_left_out() -> None:
    sets = space.of_sets(volume("abcd"), told(c=50))
    assert [one.number for one in sets] == [2]
    assert space.fullest(()) is None
