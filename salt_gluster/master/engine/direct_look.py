"""Ask the nodes through Salt while Consul cannot be believed, and tell of bricks that go down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from salt_gluster.consul.catalog import Catalog
from salt_gluster.consul.cluster_state import ClusterState
from salt_gluster.master.engine.probe import ProbeRequest, ProbeRunner, still_so
from salt_gluster.model import Ref
from salt_gluster.remediation import FleetObservation
from salt_gluster.remediation.direct_view import dead_bricks
from salt_gluster.remediation.membership import Condition
from salt_gluster.remediation.policy import Policy
from salt_gluster.remediation.salt_events import Notice

#: Between two rounds of all nodes; after each it is twice as long. Nothing is done about what they
#: answer, and Consul may be away for days.
FIRST_S, LONGEST_S = 10.0, 120.0


class DirectLook:
    """What an engine that has led sees without Consul. One that never led knows no pool."""

    def __init__(
        self, records: ClusterState, probes: ProbeRunner,
        tell: Callable[[FleetObservation, tuple[Notice, ...]], None],
    ) -> None:  # fmt: skip
        self._state, self._probes, self._tell = records, probes, tell
        self._down: dict[Ref, Condition] | None = None
        self._pause_s, self._seen_at = FIRST_S, 0.0

    def end(self) -> None:
        """Forget it: Consul is believed again, and the leader tells."""
        self._down, self._pause_s = None, FIRST_S

    def look(
        self, obs: FleetObservation, catalog: Catalog, policy: Policy,
        known: Mapping[Ref, Condition],
    ) -> None:  # fmt: skip
        """Begin the next round when it is due, and tell what the last one has shown.

        ``known`` are the conditions that were announced while Consul was believed.
        """
        if self._down is None:
            bricks = {k: c for k, c in known.items() if k.kind == "brick" and c.state != "off"}
            self._down, self._seen_at = bricks, obs.now
        minions = {uuid: minion for uuid, _, minion, _ in catalog.nodes}
        if self._probes.begin(ProbeRequest(minions, (), is_direct=True), self._pause_s):
            self._pause_s = min(2 * self._pause_s, LONGEST_S)
        answers = self._probes.latest(obs.now)
        if answers.at <= self._seen_at or not self._state.reports:
            return
        self._seen_at = answers.at
        for uuid, report in answers.reports.items():
            self._state.take(uuid, report, asked_at=answers.sent_at)
        facts = {u: f for u, f in self._state.facts.items() if u in answers.reports}
        seen = replace(obs, members=catalog.names, pool=self._state.pool(), facts=facts,
                       ports=still_so(answers, facts))  # fmt: skip
        self._down, notices = dead_bricks(seen, policy, self._down)
        self._tell(seen, notices)
