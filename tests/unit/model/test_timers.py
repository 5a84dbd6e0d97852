"""The timers that are in use, one by one: a value that tests shorten is kept here."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from salt_gluster.model import ENGINE_TIMES, LEASE, SENSOR_TIMES, Lease


def test_the_lease_of_an_engine() -> None:
    assert asdict(LEASE) == {
        "session_ttl_s": 10, "trust_s": 10.0, "renew_s": 3.0, "renew_timeout_s": 2.0,
        "lock_delay_s": 15,
    }  # fmt: skip


def test_the_times_of_the_engine() -> None:
    assert asdict(ENGINE_TIMES) == {
        "collect_s": 300.0, "reading_s": 5.0, "records_timeout_s": 5.0, "pause_s": 5.0,
        "hints_s": 2.0, "heartbeat_s": 5.0, "glance_s": 15.0, "relook_s": 5.0, "outvoted_s": 60.0,
        "unexplained_s": 10.0,
    }  # fmt: skip


def test_the_times_of_the_sensor() -> None:
    assert asdict(SENSOR_TIMES) == {
        "glance_s": 2.0, "again_s": (3.0, 20.0), "apart_s": 0.05,
        "spread_s": 20.0, "collect_s": 300.0, "unwell_s": 30.0,
        "beat_s": 60.0, "register_s": 10.0, "consul_timeout_s": 3.0, "prompt_s": 0.5,
        "pauses_s": (1.0, 10.0), "session_s": 10.0, "session_ttl_s": 20,
    }  # fmt: skip


def test_a_frozen_agent_is_noticed_within_the_15_s_that_are_promised() -> None:
    """docs/consul.md: a renewal under way runs into its time-out, one read of records into its."""
    assert LEASE.trust_s + max(LEASE.renew_timeout_s, ENGINE_TIMES.records_timeout_s) <= 15


@pytest.mark.parametrize(
    "wrong", [{"trust_s": 11.0}, {"session_ttl_s": 9}, {"renew_s": 10.0}], ids=str
)
def test_a_lease_that_is_believed_longer_than_its_session_lives_is_refused(
    wrong: dict[str, float],
) -> None:
    """Another engine would lead beside it."""
    with pytest.raises(ValueError, match="lease"):
        Lease(**wrong)  # type: ignore[arg-type]


def test_a_sensor_that_ends_is_missed_within_a_minute() -> None:
    """Consul ends its session after twice the TTL; the leader's tick follows within 10 s."""
    times = SENSOR_TIMES
    assert 2 * times.session_ttl_s + LEASE.trust_s < 60
    # A glusterd that hangs keeps the sensor for the deadline of one command.
    assert 2 * times.session_ttl_s > 30 + times.glance_s
