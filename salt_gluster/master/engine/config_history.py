"""Store the versions of the configuration that the reports show, and publish them.

What a version is and what it means stands in ``status/config_versions.py`` and
``remediation/config_overwrite.py``. Nobody asks gluster for it: the nodes' reports lie in Consul
anyway, and one of them is read every few seconds, because every member has the definitions of all.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from salt_gluster.consul.cluster_state import ClusterState
from salt_gluster.consul.leader_lock import LeaderLock
from salt_gluster.errors import ConsulError
from salt_gluster.model import ENGINE_TIMES, EngineTimes, Ref, Subject, Unknown
from salt_gluster.remediation import Decisions, FleetObservation, config_overwrite
from salt_gluster.remediation.membership import Condition
from salt_gluster.remediation.salt_events import Notice
from salt_gluster.status import config_versions
from salt_gluster.status.config_versions import Consensus, ReportedConfig

log = logging.getLogger(__name__)

#: The condition whose state is the version that was announced last.
CONFIG = Ref("cluster", "config")
#: The condition whose state is the version of which something was overwritten and is not back.
OVERWRITTEN = Ref("cluster", "config_overwritten")
#: Versions that are told after a crash; older ones are history.
_MOST_ANNOUNCED = 10


class ConfigHistory:
    """What a leader knows of the current version, and which nodes could have overwritten it."""

    def __init__(
        self, records: ClusterState, lock: LeaderLock, times: EngineTimes = ENGINE_TIMES
    ) -> None:
        self._state, self._lock, self._times = records, lock, times
        #: The current version, whoever wrote it.
        self.current: Mapping[str, Any] | None = None
        self.forget()

    def forget(self) -> None:
        """Forget what was noticed: another leader may have ruled meanwhile."""
        self._looks: dict[str, ReportedConfig] = {}
        self._told_by: dict[str, Mapping[str, Any]] = {}
        self._held: dict[str, float] = {}
        self._away: dict[str, float] = {}
        #: Since when the members have told this.
        self._other: tuple[str, float] | None = None
        self._glanced_at = self._read_at = 0.0
        self._turn = 0

    # --- noticing --------------------------------------------------------------------------------

    def _glance(self, obs: FleetObservation) -> None:
        """Read one more report, of another node each time: every member has all definitions."""
        if time.monotonic() < self._glanced_at + self._times.glance_s:
            return
        self._glanced_at = time.monotonic()
        well = sorted(obs.consul.registered.keys() - obs.consul.odd)
        if well:
            self._turn += 1
            self._state.read_reports([well[self._turn % len(well)]])

    def _known(self) -> str:
        return str((self.current or {}).get("actual_digest", ""))

    def _read(self) -> dict[str, ReportedConfig]:
        """Return the looks that are new; hundreds of old ones cost next to nothing."""
        new = {}
        for uuid, report in self._state.reports.items():
            if self._told_by.get(uuid) is report:
                continue
            self._told_by[uuid] = report
            self._looks.pop(uuid, None)
            config = config_versions.reported_config(report, self._state.facts[uuid])
            if config is not None:
                self._looks[uuid] = new[uuid] = config
        return new

    # --- keeping ---------------------------------------------------------------------------------

    def keep(self, obs: FleetObservation, done: Decisions) -> Decisions:
        """Store a version where the pool is another; return the decisions with what is to be told.

        A version that cannot be stored stops nothing else: it is tried again.
        """
        if not obs.consul.trust.fresh:
            return done
        conditions = done.memory.conditions
        try:
            self._glance(obs)
            self._look(obs, conditions)
            kept, notices = self._announce(obs, conditions)
        except ConsulError as err:
            log.warning("the configuration's version is not stored: %s", err)
            return done
        memory = replace(done.memory, conditions=kept)
        return replace(done, memory=memory, notices=(*done.notices, *notices))

    def _look(self, obs: FleetObservation, conditions: Mapping[Ref, Condition]) -> None:
        new, known, missed = self._read(), self._known(), _missed(conditions)
        if known and not new and self._other is None:
            return
        due = time.monotonic() - self._read_at >= self._times.relook_s
        differs = self._other or any(config.digest != known for config in new.values())
        if due and (differs or not known):  # what was never stored is not waited for
            self._read_at = time.monotonic()
            self._state.collect()
            new |= self._read()
        self._away = config_overwrite.away(self._away, new, missed, (), obs.now)
        consensus = config_versions.consensus(self._looks, obs.now, self._away)
        if isinstance(consensus, Unknown):
            log.debug("the configuration is not known: %s", consensus.why)
        elif consensus.digest == known:
            self._other = None
            self._held |= {u: self._looks[u].own_at for u in consensus.nodes}
            self._away = config_overwrite.away(self._away, {}, missed, consensus.nodes, obs.now)
        else:
            if self._other is None or self._other[0] != consensus.digest:
                self._other = (consensus.digest, obs.now)
            self._store(obs, consensus, obs.now - self._other[1])

    def _store(self, obs: FleetObservation, consensus: Consensus, lasted_s: float) -> None:
        """Make the version, once it is plain what has changed and who says so."""
        if not consensus.unanimous and lasted_s < self._times.outvoted_s:
            return None
        current = self.current or {}
        before = current.get("actual")
        actual = config_versions.actual(self._looks[consensus.source], self._looks.values())
        if before is None:
            first = "what the pool was when it was first seen"
            return self._write(obs, consensus, actual, (config_versions.NOBODY, first), {})
        rows = config_versions.actual_differences(before, actual)
        at = float(current["at"])
        commands = config_versions.commands_since(self._looks.values(), self._held, at)
        dark = [d for d in rows if config_versions.explaining(d, commands) is None]
        if dark and lasted_s < self._times.unexplained_s:
            return None
        author = config_versions.author(rows, commands)
        notes: dict[str, Any] = {"what": [d.to_data() for d in rows]}
        back = {u for n in consensus.nodes for u, on in self._looks[n].connected.items() if on}
        lost = config_overwrite.overwritten(
            before, rows, commands, self._away, back | consensus.nodes, actual["peers"]
        )
        if lost is not None:
            names = [obs.name(u) for u in lost.nodes]
            notes["overwritten"] = {"nodes": names, "what": [d.to_data() for d in lost.what]}
            why = f"the definitions of {', '.join(names)}, which came back"
            author = config_versions.NOBODY, why
        return self._write(obs, consensus, actual, author, notes)

    def _write(
        self, obs: FleetObservation, consensus: Consensus, actual: Mapping[str, Any],
        author: tuple[str, str], notes: Mapping[str, Any],
    ) -> None:  # fmt: skip
        """Store it; spec and policy stay those that were accepted."""
        current, store = self.current or {}, self._state.store
        accepted = {k: current[k] for k in ("spec", "policy") if k in current}
        more = {
            **notes, "actual_digest": consensus.digest, "before": int(current.get("version", 0)),
            "identities": self._identities(),
        }  # fmt: skip
        if accepted:
            more["accepted"] = int(current.get("accepted") or current["version"])
        number = store.accept(
            {"schema": 1, **accepted, "actual": actual}, by=author[0], why=author[1], now=obs.now,
            notes=more, guard=self._lock.guard,
        )  # fmt: skip
        written = store.version(number)
        self.current = None if written is None else written.data
        self._held, self._other = {u: self._looks[u].own_at for u in consensus.nodes}, None
        log.info("configuration: version %s by %s, %s", number, *author)

    def _identities(self) -> dict[str, Any]:
        """Return what every brick lay on while it was well; {} where that cannot be read."""
        recorded = self._state.recorded()
        if isinstance(recorded, Unknown):
            return {}
        filesystems: dict[str, Any] = {}
        for (uuid, path), row in sorted(recorded.items()):
            filesystems.setdefault(uuid, {})[path] = row.filesystem
        return filesystems

    # --- telling ---------------------------------------------------------------------------------

    def _announce(
        self, obs: FleetObservation, conditions: Mapping[Ref, Condition]
    ) -> tuple[Mapping[Ref, Condition], list[Notice]]:
        """Return what was not told yet: what stands in the snapshot was."""
        if self.current is None:
            return conditions, []
        number = int(self.current["version"])
        was = conditions.get(CONFIG)
        if was is None:  # whatever there is was there before anybody looked
            return {**conditions, CONFIG: Condition(str(number), obs.now)}, []
        published, lost = int(was.state), _overwritten(conditions)
        notices: list[Notice] = []
        for version in range(max(published + 1, number - _MOST_ANNOUNCED), number + 1):
            document = self._version(version)
            if document is None:
                continue
            before = int(document.get("before", 0))
            notices += config_overwrite.notices(obs.cluster, document, before)
            if "overwritten" in document and lost is None:
                lost = int(document["before"])
            elif lost is not None and self._is_back(lost, document):
                why = f"version {version} is as version {lost} was"
                notices.append(config_overwrite.restored(obs.cluster, version, why))
                lost = None
        if lost is not None and published == number and _is_seen(obs, was):
            why = "an operator has acknowledged it"
            notices.append(config_overwrite.restored(obs.cluster, number, why))
            lost = None
        since = was.since if published == number else obs.now
        return _with_versions(conditions, number, since, lost), notices

    def _version(self, number: int) -> Mapping[str, Any] | None:
        if self.current is not None and self.current["version"] == number:
            return self.current
        document = self._state.store.version(number)
        return None if document is None else document.data

    def _is_back(self, base: int, now: Mapping[str, Any]) -> bool:
        """Whether every volume of that version is again as it was then."""
        then = (self._version(base) or {}).get("actual")
        if then is None:  # not kept any more: only an operator can say it
            return False
        known = {Subject("volume", name) for name in then["volumes"]}
        rows = config_versions.actual_differences(then, now.get("actual") or {})
        return not any(d.subject in known for d in rows)


def _missed(conditions: Mapping[Ref, Condition]) -> dict[str, tuple[str, float]]:
    nodes = ((k, s) for k, s in conditions.items() if k.kind == "node")
    return {ref.id: (s.state, s.since) for ref, s in nodes}


def _overwritten(conditions: Mapping[Ref, Condition]) -> int | None:
    condition = conditions.get(OVERWRITTEN)
    return None if condition is None else int(condition.state)


def _with_versions(
    conditions: Mapping[Ref, Condition], number: int, since: float, lost: int | None
) -> dict[Ref, Condition]:
    """Return the conditions with the version announced last, and the one that was overwritten."""
    others = {k: c for k, c in conditions.items() if k not in (CONFIG, OVERWRITTEN)}
    if lost is not None:
        others[OVERWRITTEN] = Condition(str(lost), since)
    return {**others, CONFIG: Condition(str(number), since)}


def _is_seen(obs: FleetObservation, condition: Condition) -> bool:
    return obs.last_acknowledged(obs.cluster) > condition.since
