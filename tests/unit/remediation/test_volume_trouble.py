"""Split-brain and full sets: told once, with the all-clear, and kept while nothing is known."""

from __future__ import annotations

from dataclasses import replace

from salt_gluster.model import (
    Brick,
    BrickSpace,
    Heal,
    Node,
    Observation,
    Peer,
    Ref,
    Unknown,
    Volume,
)
from salt_gluster.remediation.membership import Condition
from salt_gluster.remediation.salt_events import EVENTS
from salt_gluster.remediation.volume_trouble import announce
from salt_gluster.status.volume_trouble import VolumeTroubles, volume_troubles

BRICKS = tuple(Brick(f"g{n}", "/b", f"u{n}") for n in (1, 2))
DATA = Volume("data", "id-1", "Started", "replicate", BRICKS, 1, 2)
POOL = Observation(
    1.0, Node("g1"), tuple(Peer(f"u{n}", (f"g{n}",), True, 3) for n in (1, 2)), {"data": DATA}
)


def seen(split: int | Unknown = 0, free: int | None = 50, volume: Volume = DATA) -> VolumeTroubles:
    heal = {"data": tuple(Heal(b.name, b.host_uuid, 3, split) for b in BRICKS)}
    room = [] if free is None else [BrickSpace(b.name, 100, free, 0, 0) for b in BRICKS]
    return volume_troubles(replace(POOL, volumes={"data": volume}, heal=heal), {"data": room})


class Leader:
    """What is told, look after look."""

    def __init__(self) -> None:
        self.conditions: dict[Ref, Condition] = {}
        self.now = 0.0

    def looks(self, troubles: VolumeTroubles) -> list[str]:
        self.now += 1
        self.conditions, notices = announce(self.now, self.conditions, troubles)
        assert all((n.subject, n.event) in EVENTS and n.why for n in notices)
        return [n.event for n in notices]


def test_a_split_brain_is_told_once_and_its_end() -> None:
    leader = Leader()
    assert leader.looks(seen(2)) == ["split_brain"]
    assert leader.looks(seen(3)) == []
    assert leader.looks(seen(Unknown("a brick is away"))) == []
    assert leader.looks(seen(0)) == ["split_brain_over"]
    assert (leader.looks(seen(0)), leader.conditions) == ([], {})


def test_a_set_gets_full_and_has_room_again() -> None:
    leader = Leader()
    told = [leader.looks(seen(free=free)) for free in (50, 9, 8, 1, 5, 11, 12)]
    assert told == [[], ["full_soon"], [], ["full"], ["full_soon"], [], ["room_back"]]


def test_a_brick_that_does_not_tell_its_room_ends_nothing() -> None:
    leader = Leader()
    leader.looks(seen(free=1))
    assert leader.looks(seen(free=None)) == []
    assert leader.looks(seen(free=50)) == ["room_back"]


def test_a_volume_that_is_gone_or_stopped_takes_its_trouble_along() -> None:
    leader = Leader()
    leader.looks(seen(1, 1))
    assert set(leader.looks(seen(1, 1, replace(DATA, status="Stopped")))) == {
        "split_brain_over", "room_back",
    }  # fmt: skip


def test_one_that_is_stopped_is_no_alarm() -> None:
    assert seen(2, 0, replace(DATA, status="Stopped")) == VolumeTroubles()


def test_the_words_name_number_brick_and_way() -> None:
    split, room = seen(2, 1).found
    assert "2 files of data cannot be read" in split.why and split.ways
    assert "set 1 of data has 1 B (1 %) free on g1:/b." in room.why
