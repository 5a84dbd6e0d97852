"""The short timers of the tests: never longer than the real ones, and their way into a process."""

from __future__ import annotations

from dataclasses import asdict

import pytest
import short_timers
from short_timers import REAL, Timers

from salt_gluster.model import LEASE


@pytest.mark.parametrize(("busy", "ttl_s"), [(1.0, 4), (5.6, 6), (10.0, 10), (40.0, 10)])
def test_a_short_lease_is_longer_on_a_busy_machine_and_never_longer_than_the_real_one(
    monkeypatch: pytest.MonkeyPatch, busy: float, ttl_s: int
) -> None:
    monkeypatch.setattr(short_timers, "pace", lambda: busy)
    lease = short_timers.short.__wrapped__().lease
    assert (lease.session_ttl_s, lease.trust_s) == (ttl_s, ttl_s)
    longer = {name for name, value in asdict(lease).items() if value > asdict(LEASE)[name]}
    assert longer == set()


@pytest.mark.parametrize("timers", [REAL, short_timers.short(), short_timers.only_news()])
def test_a_process_gets_the_timers_that_the_test_means(timers: Timers) -> None:
    again = Timers.from_text(timers.to_text())
    assert (again.lease, again.engine) == (timers.lease, timers.engine)
    assert tuple(again.sensor.again_s) == timers.sensor.again_s
