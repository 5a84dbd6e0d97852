"""Tell trouble of what automation itself stands on: sensors, Consul's servers, certificates. Pure.

Nothing is done about any of it, and no node is judged by it: a node whose sensor is not heard may
be well. But what it told last may be old, and who looks at a screen has to know.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from salt_gluster.model import Ref, Unknown
from salt_gluster.remediation.membership import Condition, Signal
from salt_gluster.remediation.observation import FleetObservation
from salt_gluster.remediation.salt_events import Notice

#: What ends is told so long before.
SOON_S = 30 * 86400.0


@dataclass(frozen=True)
class Trouble:
    """One matter: ``kind`` and ``id`` are its identity, ``event`` and ``clear`` its words."""

    kind: str
    id: str
    subject: str
    name: str
    why: str
    ways: tuple[str, ...] = ()

    @property
    def ref(self) -> Ref:
        """Its condition."""
        return Ref("trouble", f"{self.kind}@{self.id}")


#: kind -> the event of its beginning and of its end
_EVENTS = {
    "sensor": ("unwatched", "watched"),
    "server": ("consul_degraded", "consul_whole"),
    "ends": ("ends_soon", "renewed"),
}


def troubles(obs: FleetObservation) -> tuple[Trouble, ...]:
    """Return what is wrong now, as far as it is known."""
    return (*_sensors(obs), *_servers(obs), *_ends(obs))


def _sensors(obs: FleetObservation) -> Iterator[Trouble]:
    """Yield the nodes whose sensors were heard once and are not now; not those that are missed."""
    health = obs.consul_health
    if isinstance(health.heard, Unknown):
        return
    for uuid in sorted(health.known - health.heard):
        seen = obs.consul.registered.get(uuid)
        if seen is None or seen.serf is not Signal.GOOD or obs.in_maintenance(uuid):
            continue
        name = obs.name(uuid)
        says = health.says.get(uuid, "")
        why = f"{name} says: {says}" if says else "it has ended, or cannot tell Consul anything"
        yield Trouble(
            "sensor", uuid, "node", name,
            f"the sensor of {name} is not heard, what it told last may be old: {why}",
            (f"salt {name} state.apply gluster", f"salt {name} gluster_consul.leader"),
        )  # fmt: skip


def _servers(obs: FleetObservation) -> Iterator[Trouble]:
    servers = obs.consul_health.servers
    for name, wrong in sorted(servers.items()) if not isinstance(servers, Unknown) else ():
        if wrong:
            ways = (f"salt {name} state.apply gluster", f"journalctl -u consul, on {name}")
            yield Trouble(
                "server", name, "cluster", obs.cluster, f"the Consul server {name}: {wrong}", ways
            )


def _ends(obs: FleetObservation) -> Iterator[Trouble]:
    """Yield what ends soon or has ended, or is not valid yet, by the leader's clock."""
    for row in obs.consul_health.certificates:
        left_s = row.until - obs.now
        early_s = row.since - obs.now
        if early_s > 0:
            why = f"is not valid for {early_s / 3600:.0f} h more: it was made by a clock ahead"
        elif left_s <= 0:
            why = "has ended"
        elif left_s < SOON_S:
            why = f"ends in {left_s / 86400:.0f} days"
        else:
            continue
        yield Trouble("ends", f"{row.what}:{row.node}", "cluster", obs.cluster,
                      f"the {row.what} of {row.node} {why}", row.ways)  # fmt: skip


def announce(
    obs: FleetObservation, conditions: Mapping[Ref, Condition], found: Iterable[Trouble]
) -> tuple[dict[Ref, Condition], tuple[Notice, ...]]:
    """Return the conditions of trouble, and what is to be told: what began, and what is over.

    Where nothing is known of a kind its conditions stay. A node that has left takes its own along.
    """
    now = {t.ref: t for t in found}
    before = {k: c for k, c in conditions.items() if k.kind == "trouble"}
    kept: dict[Ref, Condition] = {}
    notices = []
    for ref, trouble in now.items():
        kept[ref] = before.get(ref) or Condition("trouble", obs.now, trouble.name)
        if ref not in before:
            notices.append(_notice(obs, trouble.kind, trouble.id, trouble.name, trouble.why, True,
                                   obs.now, trouble.ways))  # fmt: skip
    for ref, condition in before.items():
        if ref in now:
            continue
        kind, _, id_ = ref.id.partition("@")
        if _is_unknown(obs, kind, id_):
            kept[ref] = condition
        elif not _has_left(obs, kind, id_):
            notices.append(
                _notice(obs, kind, id_, condition.name, _over(kind, id_), False, condition.since)
            )  # fmt: skip
    return kept, tuple(notices)


def _over(kind: str, id_: str) -> str:
    return {
        "sensor": "its sensor is heard again",
        "server": f"the Consul server {id_} is well again",
        "ends": f"the {id_.partition(':')[0]} of {id_.partition(':')[2]} is another one",
    }.get(kind, "it is over")


def _is_unknown(obs: FleetObservation, kind: str, id_: str) -> bool:
    health = obs.consul_health
    if kind == "sensor":
        seen = obs.consul.registered.get(id_)
        missed = seen is not None and (seen.serf is not Signal.GOOD or obs.in_maintenance(id_))
        return isinstance(health.heard, Unknown) or bool(missed)
    if kind == "server":
        return isinstance(health.servers, Unknown) or id_ not in health.servers
    return not any(f"{c.what}:{c.node}" == id_ for c in health.certificates)


def _has_left(obs: FleetObservation, kind: str, id_: str) -> bool:
    return kind == "sensor" and id_ not in obs.consul.registered


def _notice(
    obs: FleetObservation, kind: str, id_: str, name: str, why: str, begins: bool, since: float,
    ways: tuple[str, ...] = (),
) -> Notice:  # fmt: skip
    bad, good = _EVENTS[kind]
    subject, uuid = ("node", id_) if kind == "sensor" else ("cluster", f"{obs.cluster}:{id_}")
    word, previous = (bad, good) if begins else (good, bad)
    return Notice(subject, uuid, name, word, word, previous, since, why, suggest=ways)
