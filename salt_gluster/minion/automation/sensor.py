"""Publish in Consul how this node is, on every change it notices. Decides nothing.

It keeps the service registered, pushes the checks, and writes the node's own report on every change
it notices. Between collections no process of gluster runs: a process that ends is seen at once,
files and mounts are looked at every two seconds.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

from salt_gluster import node
from salt_gluster.consul import service
from salt_gluster.consul.client import Client, connect
from salt_gluster.consul.heartbeat import watermark
from salt_gluster.consul.sensor_session import SensorSession
from salt_gluster.consul.store import Store
from salt_gluster.errors import ConsulError
from salt_gluster.minion.automation import registration
from salt_gluster.minion.automation.publish import collect_and_publish
from salt_gluster.minion.automation.textfile import write_textfile
from salt_gluster.minion.driver import GlusterDriver
from salt_gluster.minion.submit import submit_again
from salt_gluster.model import SENSOR_TIMES, SensorTimes
from salt_gluster.status import checks as status_checks

log = logging.getLogger(__name__)

Send = Callable[[Mapping[str, Any]], object]


def run(
    settings: Mapping[str, Any], minion_id: str, send: Send | None = None, *,
    stop: threading.Event | None = None, times: SensorTimes = SENSOR_TIMES,
) -> None:  # fmt: skip
    """Be the sensor of this node until ``stop`` is set. Never raises.

    Waits for as long as it takes until this node is registered and Consul answers. ``send`` is not
    used: what a sensor has to say stands in Consul.
    """
    stop = stop or threading.Event()
    pause_s, longest_s = times.pauses_s
    while not stop.is_set():
        sensor = Sensor(settings, minion_id, times=times)
        try:
            sensor.watch(stop)
        except ConsulError as err:
            log.warning("Consul cannot be told: %s", err)
        except Exception:
            log.exception("the sensor goes on in %.0f s", pause_s)
        finally:
            sensor.close()
        if sensor.has_reported:
            pause_s = times.pauses_s[0]
        stop.wait(pause_s)
        pause_s = min(2 * pause_s, longest_s)


class Sensor:
    """One life of the sensor: it ends with the first answer that Consul does not give."""

    def __init__(
        self, settings: Mapping[str, Any], name: str,
        *, times: SensorTimes = SENSOR_TIMES, clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._settings, self._name, self._clock, self._times = settings, name, clock, times
        self._eyes = node.ChangeWatch()
        self._client: Client | None = None
        self._due: list[float] = []
        self._register_at = self._beat_at = self._glance_at = self._session_at = (
            self._compare_at
        ) = 0.0
        self._session: SensorSession | None = None
        self._version = ""
        #: When it looked last, and when it will look after a change; 0 = that waits for none.
        self._looked_at = self._changed_at = 0.0
        #: This node's place among the reports of all nodes, 0 to 1, and how many these are.
        self._share, self._members = 0.0, 0
        #: What stood in Consul before the last look.
        self._after: Mapping[str, Any] = {}
        #: Whether Consul has taken a report in this life.
        self.has_reported = False

    def close(self) -> None:
        """Give everything back."""
        self._eyes.close()
        if self._client is not None:
            self._client.close()

    def watch(self, stop: threading.Event) -> None:
        """Watch until stopped; a ``ConsulError`` when Consul does not take what it is told."""
        me = registration.load_registration()
        while me is None:
            if stop.wait(self._times.glance_s):
                return
            me = registration.load_registration()
        self._share = share_of(me.uuid)
        self._client = connect(self._settings, timeout_s=self._times.consul_timeout_s)
        checks = service.Checks(self._client)
        self._due = [self._clock()]
        while not stop.is_set():
            me = registration.load_registration()
            if me is None:  # taken off on purpose
                return
            self._turn(me, self._client, checks)
            idle_s = max(0.0, self._next() - self._clock())
            ended = self._eyes.wait(min(self._times.prompt_s, idle_s))
            if ended:
                log.warning("ended: %s", ", ".join(ended))
                self._changed(at_once=True)

    def _next(self) -> float:
        return min(*self._due, self._glance_at, self._register_at, self._beat_at, self._session_at)

    def _turn(self, me: service.Member, client: Client, checks: service.Checks) -> None:
        """Do what is due."""
        now = self._clock()
        if now >= self._glance_at:
            self._glance_at = now + self._times.glance_s
            if what := self._eyes.changed():
                log.info("changed: %s", what)
                self._changed()
        if now >= self._register_at:
            self._register_at = now + self._times.register_s
            ip = registration.ip_of(me.address, me.ip)
            now_so = replace(me, version=self._version or me.version, ip=ip)
            if service.register(client, now_so):
                self._beat_at = now  # a new check begins as passing, whatever is so
            self._submit_again(me, client, now)
        if now >= min(self._due):
            self._renew(me, client)  # a glusterd that hangs keeps us for half a minute
            self._collect(me, client, checks)
        if now >= self._session_at:
            self._renew(me, client)
        if now >= self._beat_at:
            self._beat_at = now + self._times.beat_s
            checks.beat()
            if self._is_outdated(watermark(Store(client, me.cluster))):
                self._due.append(now + self._share * self._window_s())

    def _renew(self, me: service.Member, client: Client) -> None:
        """Keep the session by which this sensor is heard; not before it could publish."""
        self._session_at = self._clock() + self._times.session_s
        if not self.has_reported:
            return
        if self._session is None:
            self._session = SensorSession(client, me.cluster, self._times.session_ttl_s)
        self._session.renew()

    def _submit_again(self, me: service.Member, client: Client, now: float) -> None:
        """Submit this node's declaration again where Consul has an older one."""
        compare = now >= self._compare_at
        if compare:
            self._compare_at = now + self._times.collect_s
        if submit_again(Store(client, me.cluster), me.uuid, compare=compare):
            log.warning("Consul went back: what this node declares was submitted again")

    def _is_outdated(self, after: Mapping[str, Any]) -> bool:
        """Whether the last report is from before a change of ours, or before this leader led.

        Nobody may show it then (``freshness.py``): the nodes would be asked for five minutes.
        """
        old = self._after
        by = after.get("by", old.get("by"))
        return (after["changed"], by) != (old.get("changed"), old.get("by"))

    def _window_s(self) -> float:
        """Return within which time the reports of all nodes come after a change that all see."""
        return min(self._times.spread_s, self._times.apart_s * self._members)

    def _changed(self, *, at_once: bool = False) -> None:
        """Look soon, and again. ``at_once``: it is this node's own matter, as a dead brick is.

        A definition changes on all nodes at one moment. Each looks at a moment of its own then, and
        once for all changes of that time; never later than it would have looked without them.
        """
        now, times, window_s = self._clock(), self._times, self._window_s()
        first = now
        if not at_once:
            first = max(now + self._share * window_s, self._looked_at + window_s)
            first = min(first, max(self._due, default=first))
            if self._changed_at > now:
                first = min(first, self._changed_at)
        first = self._changed_at = max(now, first)
        self._due = [first, *(first + s for s in times.again_s), first + times.collect_s]
        self._eyes.aim()

    def _collect(self, me: service.Member, client: Client, checks: service.Checks) -> None:
        """Look whole, tell the checks first: a hint wakes the leader, the report is what it reads.

        What changes while we look is noticed: the eyes aim before.
        """
        self._eyes.aim()
        now = self._clock()
        aliases = () if me.address in ("", self._name) else (me.address,)
        store = Store(client, me.cluster)
        own = collect_and_publish(GlusterDriver(self._name, aliases), store, me)
        write_textfile(self._settings, own)
        self._after = own["after"]
        self._members = len(own["peers"]) if isinstance(own["peers"], list) else self._members
        if isinstance(own["version"], str):
            self._version = own["version"]
        signs = status_checks.signs(own)
        for name, sign in signs.items():
            checks.push(name, *sign)
        self.has_reported = True
        # Little space is told and lasts; nothing of it is news every half minute.
        self._looked(now, well=all(signs[name][0] == "passing" for name in ("bricks", "heal")))

    def _looked(self, now: float, *, well: bool) -> None:
        """Note that it has looked, and when it will again."""
        self._looked_at, self._changed_at = now, 0.0
        times = self._times
        later = [at for at in self._due if now < at < now + times.collect_s]
        self._due = [*later, now + (times.collect_s if well else times.unwell_s)]


def share_of(uuid: str) -> float:
    """Return a node's own place in a time that all nodes share, 0 to 1, always the same."""
    return int.from_bytes(sha256(uuid.encode()).digest()[:4], "big") / 2**32
