"""Timers for tests that show what happens, and not after how long; and their way into a process.

Those in use are in ``salt_gluster.model.timers``, and their values in
tests/unit/model/test_timers.py.
"""

from __future__ import annotations

import functools
import json
from dataclasses import asdict, dataclass, replace

from waiting import pace

from salt_gluster.model import (
    ENGINE_TIMES,
    LEASE,
    SENSOR_TIMES,
    EngineTimes,
    Lease,
    SensorTimes,
)


@dataclass(frozen=True)
class Timers:
    """All that an engine or a sensor goes by."""

    lease: Lease = LEASE
    engine: EngineTimes = ENGINE_TIMES
    sensor: SensorTimes = SENSOR_TIMES

    def to_text(self) -> str:
        """Return it as an argument of a process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Timers:
        """Read what ``to_text`` wrote."""
        data = json.loads(text)
        lease, engine = Lease(**data["lease"]), EngineTimes(**data["engine"])
        return cls(lease, engine, SensorTimes(**data["sensor"]))


REAL = Timers()


@functools.cache
def short() -> Timers:
    """Return timers with which a killed leader's lock is free after 11 s, not after 35 s.

    They are longer the busier the machine is at first use, up to the real ones: an engine that gets
    no processor for the length of its lease loses the lock, and nothing is wrong with it.
    """
    ttl_s = min(LEASE.session_ttl_s, max(4, round(pace())))
    lease = Lease(session_ttl_s=ttl_s, trust_s=ttl_s, renew_s=ttl_s / 4, lock_delay_s=3)
    engine = replace(ENGINE_TIMES, pause_s=1.0, glance_s=2.0, relook_s=1.0)
    sensor = SensorTimes(
        glance_s=0.5, again_s=(1.0, 3.0), unwell_s=2.0, beat_s=2.0, register_s=1.0, prompt_s=0.1,
        pauses_s=(0.5, 2.0),
    )  # fmt: skip
    return Timers(lease, engine, sensor)


def only_news() -> Timers:
    """Return timers with which an engine that leads does nothing but for news, and a lock that only
    its holder can free: the session lives for hours.
    """
    lease = Lease(session_ttl_s=7200, trust_s=7200.0, renew_s=1.0, lock_delay_s=60)
    return Timers(lease, replace(ENGINE_TIMES, collect_s=7200.0))
