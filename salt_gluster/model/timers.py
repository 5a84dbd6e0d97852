"""How long automation waits for what, in seconds: one field for each timer, the defaults in use.

Classes take one of these as an argument; nothing else of the product has another value. Tests use
shorter ones where the value is not what they show.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Lease:
    """The session of an engine, and how long its last renewal is believed.

    session_ttl_s     Consul ends a session after twice this (facts.md#K-4.1); 10 is the least that
                      it grants by default
    trust_s           from the *sending* of a good renewal on we lead and the view is fresh; at most
                      the TTL, or two would lead. A frozen agent is noticed within this and the
                      time-out
    renew_s           between two renewals: one may fail, also by the time-out, and nothing is lost;
                      after a good one more than the policy's ``lock_left_s`` has to be left
    renew_timeout_s   one request of a renewal; a clean stop may take as long
    lock_delay_s      Consul gives the lock to nobody this long after a session has ended by itself:
                      what its holder had sent has arrived or timed out by then
    """

    session_ttl_s: int = 10
    trust_s: float = 10.0
    renew_s: float = 3.0
    renew_timeout_s: float = 2.0
    lock_delay_s: int = 15

    def __post_init__(self) -> None:
        if not self.renew_s < self.trust_s <= self.session_ttl_s:
            raise ValueError("a lease is renewed before it ends, and ends before its session can")


@dataclass(frozen=True)
class EngineTimes:
    """The loop of the engine.

    collect_s           all reports are read anew; in a healthy pool nothing but this asks anything
    reading_s           a full read of the watches after the view came back takes less; until then
                        nothing is decided
    records_timeout_s   one read of records: a frozen agent has to be told within 15 s, so one read
                        may wait for it, and no second one
    pause_s             after an error of our own, so that a crash loop stays harmless
    hints_s             a round that an event of gluster's asks for may follow another one that soon
    heartbeat_s         between two writes of the leader's time; the loop comes by every 7-10 s, and
                        then writes it
    glance_s            between two looks at one more report, while nothing else is going on
    relook_s            between two reads of all reports, while they do not tell what is stored
    outvoted_s          until members that differ are outvoted: a rejected peer differs for good
    unexplained_s       until a change without a command is stored: the command stands in its node's
                        history a moment after its effect, and its sensor looks again 3 s on
    """

    collect_s: float = 300.0
    reading_s: float = 5.0
    records_timeout_s: float = 5.0
    pause_s: float = 5.0
    hints_s: float = 2.0
    heartbeat_s: float = 5.0
    glance_s: float = 15.0
    relook_s: float = 5.0
    outvoted_s: float = 60.0
    unexplained_s: float = 10.0


@dataclass(frozen=True)
class SensorTimes:
    """The sensor of a node.

    glance_s            between two looks at files and mounts: they cost no process
    again_s             after a change it looks again: a brick that has just been started has its
                        port 0.1-16 s later (facts.md#C-B.3)
    apart_s, spread_s   after a change that all nodes see, their looks and reports come so far apart
                        on average, and are over after so long at the latest
    collect_s           between two looks at everything while nothing changes and all is well
    unwell_s            the same, while something is not well that no file would show the end of
    beat_s              between two pushes of all checks: a third of their TTL
    register_s          between two looks whether the agent still has the service
    consul_timeout_s    one request to Consul; without an answer the sensor begins anew
    session_s           between two renewals of the session by which it is heard
    session_ttl_s       Consul ends it after twice this; with the leader's tick a sensor that has
                        ended, or can tell Consul nothing, is told within a minute
    prompt_s            one wait for the end of a process: how long a stop may have to wait for us
    pauses_s            before it begins anew: at first, and at most
    """

    glance_s: float = 2.0
    again_s: tuple[float, ...] = (3.0, 20.0)
    apart_s: float = 0.05
    spread_s: float = 20.0
    collect_s: float = 300.0
    unwell_s: float = 30.0
    beat_s: float = 60.0
    register_s: float = 10.0
    consul_timeout_s: float = 3.0
    session_s: float = 10.0
    session_ttl_s: int = 20
    prompt_s: float = 0.5
    pauses_s: tuple[float, float] = (1.0, 10.0)


LEASE = Lease()
ENGINE_TIMES = EngineTimes()
SENSOR_TIMES = SensorTimes()
