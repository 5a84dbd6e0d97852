"""When a maintenance ends, as it is typed; and that from then on it stops nothing."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from salt_gluster.errors import SpecError
from salt_gluster.master.maintenance import end_of
from salt_gluster.remediation.membership import ConsulView, Registered, Signal, ViewTrust
from salt_gluster.remediation.observation import FleetObservation, LockView, Maintenance

NOW = 1_000_000.0


@pytest.fixture
def far_east() -> Iterator[None]:
    """Let this machine be nine hours ahead."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "XXX-9"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize(
    ("said", "after_s"),
    [("90s", 90), ("2h", 7200), ("1.5h", 5400), (" 1d ", 86400), ("3m", 180)],
)
def test_so_long_from_now(said: str, after_s: float) -> None:
    assert end_of(said, NOW) == NOW + after_s


@pytest.mark.parametrize(
    "said",
    ["2001-09-09T10:46:40", "2001-09-09 10:46:40", "2001-09-09T01:46:40Z",
     "2001-09-09T03:46:40+02:00"],
)  # fmt: skip
def test_a_time_is_this_machines_unless_it_names_a_zone(said: str, far_east: None) -> None:
    assert end_of(said, NOW) == 1_000_000_000.0


@pytest.mark.parametrize("said", ["", None])
def test_nothing_is_no_end(said: object) -> None:
    assert end_of(said, NOW) is None


@pytest.mark.parametrize("said", ["soon", "2", 300, "2 h", "-2h", "2001-13-01", "0h", "1970-01-02"])
def test_what_is_no_time_to_come_is_an_error(said: object) -> None:
    with pytest.raises(SpecError) as caught:
        end_of(said, NOW)
    assert caught.value.key == "until"


def held(until: float | None, in_consul: str) -> str:
    """Ask whether g1 is in maintenance now."""
    node = Registered("u1", "g1", "g1", Signal.GOOD)
    if in_consul:
        node = replace(node, maintenance=True, held_for=in_consul)
    view = ConsulView(ViewTrust(True), {"u1": node}, 1)
    obs = FleetObservation(NOW, "main", view, LockView(True, 9.0, 1), {"u1": "g1"})
    mine = {"u1": Maintenance("ann", "disk", until)}
    return replace(obs, maintenance=mine).in_maintenance("u1")


OURS = "disk (ann)"


@pytest.mark.parametrize(
    ("until", "in_consul", "word"),
    [
        (None, OURS, "ann has it"),
        (NOW + 1, "", "ann has it"),
        (NOW, "", ""),
        (NOW, OURS, ""),
        (NOW - 9999, OURS, ""),  # its agent is dead: Consul keeps it for ever
        (NOW, "ram (bob)", "in maintenance in Consul: ram (bob)"),
    ],
)
def test_from_that_time_on_neither_half_stops_anything_and_another_one_does(
    until: float | None, in_consul: str, word: str
) -> None:
    said = held(until, in_consul)
    assert word in said and bool(said) == bool(word)
