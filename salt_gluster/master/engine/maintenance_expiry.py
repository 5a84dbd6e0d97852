"""Expire maintenance windows: the KV key and Consul's own check, at the end they were given.

That it stops nothing from that time on is decided with everything else (``in_maintenance``): a node
that is down does not answer, and its half in Consul may stay. Any other is left alone.
"""

from __future__ import annotations

import logging
import math
import time

from salt_gluster.consul.client import check_index_op
from salt_gluster.consul.cluster_state import ClusterState
from salt_gluster.consul.leader_lock import LeaderLock
from salt_gluster.errors import ConsulError
from salt_gluster.master.engine.asking import AskingThread
from salt_gluster.master.engine.probe import WITHIN_S, MinionClient
from salt_gluster.model import Unknown
from salt_gluster.remediation import FleetObservation
from salt_gluster.remediation.observation import Maintenance

log = logging.getLogger(__name__)

FUNCTION = "gluster_consul.maintenance"
#: A minion that does not answer is asked again after this.
AGAIN_S = 30.0
#: While something is over and still there.
TICK_S = 5.0


class MaintenanceExpiry:
    """What a leader does about it in a tick; minions are asked in a thread of its own."""

    def __init__(self, bus: MinionClient, records: ClusterState, lock: LeaderLock) -> None:
        self._bus, self._state, self._lock = bus, records, lock
        self._asking = AskingThread("gluster-maintenance")
        self._asked_at: dict[str, float] = {}
        self._next_at = math.inf

    def due_s(self, now: float) -> float:
        """Return when something here is due: otherwise nothing wakes a leader of a healthy pool."""
        return self._next_at - now

    def expire(self, obs: FleetObservation) -> None:
        """Clear away what is over."""
        windows = {} if isinstance(obs.maintenance, Unknown) else obs.maintenance
        ends = [m.until for m in windows.values() if m.until is not None]
        self._next_at = min((max(end, obs.now + TICK_S) for end in ends), default=math.inf)
        for uuid, window in windows.items():
            if not window.is_over(obs.now):
                continue
            node = obs.consul.registered.get(uuid)
            if node is not None and node.maintenance and node.held_for == window.text:
                self._ask(node.minion, window)
            else:
                self._clear(uuid, window)

    def _ask(self, minion: str, window: Maintenance) -> None:
        """Let its agent end its half; only that agent can. Consul tells when it is done."""
        now = time.monotonic()
        if now - self._asked_at.get(minion, -AGAIN_S) < AGAIN_S:
            return
        if self._asking.begin(lambda: self._end(minion, window)):  # else at one of the next ticks
            self._asked_at[minion] = now

    def _end(self, minion: str, window: Maintenance) -> None:
        # By name: Salt would take a reason such as `disk=bad` for a name and its value.
        words = {"__kwarg__": True, "only": window.text, "remove": True, "test": False}
        try:
            returned = self._bus.ask(
                [minion], FUNCTION, [words], lambda came, passed: bool(came) or passed > WITHIN_S
            )
            log.info("the maintenance of %s is over; its agent: %s", minion, returned.get(minion))
        except Exception:  # whatever Salt has: it is asked again
            log.exception("the maintenance of %s is over, and it was not told", minion)

    def _clear(self, uuid: str, window: Maintenance) -> None:
        """Take the pool's key away, if it is still this one."""
        store, key = self._state.store, self._state.keys.maintenance(uuid)
        try:
            document = store.read(key)
            if document is None or document.data.get("until") != window.until:
                return
            same = check_index_op(key, document.index)
            store.remove(key, seen=True, guard=lambda: [*self._lock.guard(), same])
            log.info("the maintenance of %s by %s is over", uuid, window.owner)
        except ConsulError as err:
            log.warning("the maintenance of %s is over, and its key stays for now: %s", uuid, err)
