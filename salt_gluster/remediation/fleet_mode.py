"""Decide the mode of the whole fleet: OPEN, BLIND, STORM or HELD, by one table.

A change of view, hold or storm is announced; the mode says what may be done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from salt_gluster.model import Hold, NodeFacts, Ref, Unknown, is_known
from salt_gluster.remediation.membership import Condition, Signal
from salt_gluster.remediation.observation import VIEW, FleetObservation, Memory
from salt_gluster.remediation.policy import Policy
from salt_gluster.remediation.salt_events import Notice
from salt_gluster.remediation.salt_events import event as event_row
from salt_gluster.remediation.state_machine import Ignored, Row, Table, Turn
from salt_gluster.status.look_time import NEVER


class FleetMode(str, Enum):
    """Nothing is begun but in OPEN. BLIND is where every engine starts."""

    OPEN = "open"
    BLIND = "blind"
    STORM = "storm"
    HELD = "held"


class FleetEvent(str, Enum):
    """What one tick says of the whole; the first that fits, in this order."""

    ACQUIRED = "acquired"
    HOLD = "hold"
    VIEW_LOST = "view_lost"
    WENT_BACK = "went_back"
    MINORITY = "minority"
    CROWD = "crowd"
    VIEW_GOOD = "view_good"


@dataclass(frozen=True)
class ModeContext:
    """The context of a turn: for how long view and calm have lasted, and what is still missing."""

    view_s: float
    calm_s: float
    is_complete: bool
    policy: Policy


_M, _E = FleetMode, FleetEvent
_ALL = tuple(FleetMode)

FLEET: Table[FleetMode, FleetEvent, ModeContext] = Table(
    "fleet",
    FleetMode,
    FleetEvent,
    (
        Row("F8", _ALL, _E.ACQUIRED, "", "restart_clocks", _M.BLIND,
            "the lock is ours since now: nothing seen before is evidence"),
        Row("F6", (_M.OPEN, _M.STORM, _M.BLIND), _E.HOLD, "", "restart_clocks", _M.HELD,
            "a hold is set, or cannot be read"),
        Row("F1", (_M.OPEN, _M.STORM), _E.VIEW_LOST, "", "restart_clocks", _M.BLIND,
            "Consul, our agent or the lock cannot be believed"),
        Row("F9", (_M.OPEN, _M.STORM), _E.WENT_BACK, "", "restart_clocks", _M.BLIND,
            "Consul is an older one than it was: its policy may be an old one"),
        Row("F2", (_M.OPEN, _M.STORM), _E.MINORITY, "", "restart_clocks", _M.BLIND,
            "fewer than a majority of the members answer: it may be us"),
        Row("F4", (_M.OPEN,), _E.CROWD, "", "restart_clocks", _M.STORM,
            "too many are not healthy: the cause is not on one node"),
        Row("F3s", (_M.BLIND,), _E.CROWD, "view_settled", "restart_clocks", _M.STORM,
            "the view is back, and too many are not healthy"),
        Row("F3", (_M.BLIND,), _E.VIEW_GOOD, "view_settled_and_complete", "restart_clocks", _M.OPEN,
            "the view is back, settled, and everything was seen once"),
        Row("F5", (_M.STORM,), _E.VIEW_GOOD, "calm_long", "restart_clocks", _M.OPEN,
            "it has been calm for long enough"),
        Row("F7", (_M.HELD,), _E.VIEW_GOOD, "", "restart_clocks", _M.BLIND,
            "the hold is gone and readable"),
        Row("F7c", (_M.HELD,), _E.CROWD, "", "restart_clocks", _M.BLIND,
            "the hold is gone and readable"),
        Row("F7m", (_M.HELD,), _E.MINORITY, "", "restart_clocks", _M.BLIND,
            "the hold is gone and readable"),
        Row("F7b", (_M.HELD,), _E.WENT_BACK, "", "restart_clocks", _M.BLIND,
            "the hold is gone and readable"),
    ),
    (
        Ignored((_M.HELD,), (_E.HOLD,), "it is held"),
        Ignored((_M.HELD,), (_E.VIEW_LOST,), "without a view it is unknown if the hold is gone"),
        Ignored((_M.BLIND,), (_E.VIEW_LOST, _E.WENT_BACK, _E.MINORITY), "it is blind"),
        Ignored((_M.BLIND,), (_E.VIEW_GOOD, _E.CROWD), "the view has to settle first"),
        Ignored((_M.STORM,), (_E.CROWD,), "it is in a storm already"),
        Ignored((_M.STORM,), (_E.VIEW_GOOD,), "it has to stay calm first"),
        Ignored((_M.OPEN,), (_E.VIEW_GOOD,), "all is open"),
    ),
    {
        "view_settled": lambda c: c.view_s >= c.policy.sight_settle_s,
        "view_settled_and_complete": (
            lambda c: c.view_s >= c.policy.sight_settle_s and c.is_complete
        ),
        "calm_long": lambda c: c.calm_s >= c.policy.calm_s,
    },
)  # fmt: skip


def view_lost(obs: FleetObservation) -> str:
    """Say why nothing that is seen can be believed, or ""."""
    if not obs.consul.trust.fresh:
        return obs.consul.trust.why or "the view of Consul is not fresh"
    if not obs.lock.held and not obs.executor_node:  # whether there is a leader: guard lock_valid
        return "the lock is not ours"
    if isinstance(obs.lock.epoch, Unknown):
        return f"the epoch cannot be read: {obs.lock.epoch.why}"
    return ""


def went_back(obs: FleetObservation) -> str:
    """Say so while Consul is an older one than it was, or ""; unreadable counts."""
    mark = obs.went_back
    if isinstance(mark, Unknown):
        return f"whether Consul went back cannot be read: {mark.why}"
    if mark is None:
        return ""
    was = f" (index {mark.found}, {mark.seen} was seen before)" if mark.seen else ""
    return (
        f"Consul is an older one than it was{was}: a snapshot was restored, or it was wiped;"
        f" nothing is begun until most nodes have submitted their declaration again, or an operator"
        f" acknowledges it: {ACKNOWLEDGE_POOL}"
    )


def acquired(obs: FleetObservation, memory: Memory) -> bool:
    """Whether the lock was taken since the last tick."""
    return is_known(obs.lock.epoch) and obs.lock.epoch != memory.epoch


def settling(obs: FleetObservation, policy: Policy) -> str:
    """Say so while the view, or Consul's leader, is new."""
    left_s = policy.sight_settle_s - (obs.now - obs.consul.trust.since)
    return f"the view came back a moment ago, {left_s:.0f} s to settle" if left_s > 0 else ""


def minority(obs: FleetObservation) -> str:
    """Say so if fewer than a majority of the members that were asked answer, else ""."""
    asked = {u: a for u, a in obs.answered.items() if u in obs.members}
    if not asked or 2 * len(asked) <= len(obs.members):
        return ""  # a few were asked for a reason of their own: their silence is no verdict
    answering = sum(asked.values()) + len(obs.members) - len(asked)
    if 2 * answering > len(obs.members):
        return ""
    return f"{sum(asked.values())} of {len(asked)} members that were asked answer"


ACKNOWLEDGE_POOL = "salt-run gluster_remediation.acknowledge"
#: What ``gluster.release`` acknowledges: the holds of nodes that cannot answer it.
NODE_HOLDS = "node-holds"


def holds(obs: FleetObservation) -> tuple[tuple[str, Hold], ...]:
    """Return every hold that counts, with where it is set: "Consul", or the name of a node.

    A node that is away cannot take its own off: what it told last counts until an operator has
    released the pool, or acknowledged the node, since.
    """
    own = [("Consul", obs.hold)] if isinstance(obs.hold, Hold) else []
    facts = ((u, f) for u, f in obs.facts.items() if isinstance(f, NodeFacts))
    told = [(u, f.at, f.hold) for u, f in facts if isinstance(f.hold, Hold)]
    return (*own, *((_place(obs, u), h) for u, at, h in told if not _is_released(obs, u, at)))


def _is_away(obs: FleetObservation, uuid: str) -> bool:
    return uuid not in obs.members or obs.consul.signal(uuid) is not Signal.GOOD


def _is_released(obs: FleetObservation, uuid: str, told_at: float) -> bool:
    """Whether an operator has released it since it was told: by Consul's index, where it is known.

    The node's clock says nothing of that, and of what was told under another leader no time.
    """
    what = (uuid, NODE_HOLDS) if _is_away(obs, uuid) else (uuid,)
    if told_index := obs.written.get(uuid, 0):
        return obs.is_acknowledged_since(told_index, *what)
    seen = obs.last_acknowledged(*what)
    if _is_away(obs, uuid):
        told_at = min(told_at, obs.now - 1)  # its clock may have been ahead
    return bool(seen) and seen >= told_at > NEVER


def _place(obs: FleetObservation, uuid: str) -> str:
    away = ", which is no member" if uuid not in obs.members else ", which is away"
    return obs.name(uuid) + (away if _is_away(obs, uuid) else "")


def hold_of(obs: FleetObservation) -> str:
    """Say where, by whom and why the pool is held, or ""; one that cannot be read counts."""
    if isinstance(obs.hold, Unknown):
        return f"whether a hold is set cannot be read: {obs.hold.why}"
    for place, hold in holds(obs):
        by = f" by {hold.by}" if hold.by else ""
        where = "" if place == "Consul" else f" on {place}"
        return f"a hold is set{where}{by}: {hold.reason}"
    return ""


def crowd(obs: FleetObservation, conditions: Mapping[Ref, Condition], policy: Policy) -> str:
    """Say why this is a crowd, or "": too many, too fast, or a whole zone."""
    bad = _unwell(obs, conditions)
    return (
        too_many(obs, bad, policy) or too_fast(obs, conditions, policy) or whole_zone(obs, bad)
    )  # fmt: skip


def _unwell(obs: FleetObservation, conditions: Mapping[Ref, Condition]) -> set[str]:
    bad = {
        k.id for k, s in conditions.items() if k.kind == "node" and s.state != "healthy"
    }  # fmt: skip
    if obs.consul.trust.fresh:
        bad |= {u for u in obs.consul.odd if obs.consul.signal(u) is Signal.BAD}
        # Taken out of the catalog and still a peer: its state is not known.
        bad |= {
            k.id
            for k, s in conditions.items()
            if k.kind == "member" and s.state in ("missing", "out")
        }
    return {u for u in bad if u in obs.members}


def too_many(obs: FleetObservation, bad: set[str], policy: Policy) -> str:
    """Say so if more nodes are not healthy than may be."""
    limit = policy.max_unhealthy(len(obs.members))
    if len(bad) <= limit:
        return ""
    names = ", ".join(sorted(obs.name(u) for u in bad)[:4])
    return f"{len(bad)} of {len(obs.members)} nodes are not healthy, {limit} may be: {names}"


def too_fast(obs: FleetObservation, conditions: Mapping[Ref, Condition], policy: Policy) -> str:
    """Say so if many nodes became suspect at about the same time."""
    lately = obs.now - policy.storm_window_s
    nodes = (s for k, s in conditions.items() if k.kind == "node")
    new = [s for s in nodes if s.state == "suspect" and s.since > lately]
    if len(new) < policy.storm_suspects:
        return ""
    return f"{len(new)} nodes became suspect within {policy.storm_window_s:.0f} s"


def whole_zone(obs: FleetObservation, bad: set[str]) -> str:
    """Say so if all of a zone of several nodes is not healthy; the only zone is no zone."""
    zones = obs.consul.zones if len(bad) > 1 else {}
    whole = [z for z, nodes in zones.items() if len(nodes) > 1 and nodes <= bad and len(zones) > 1]
    return f"all of zone {whole[0]} is not healthy" if whole else ""


def event_of(
    obs: FleetObservation, memory: Memory, policy: Policy
) -> tuple[FleetEvent, str]:  # fmt: skip
    """Return what this tick says of the whole, and why."""
    lost = view_lost(obs)
    if not lost and acquired(obs, memory):
        return FleetEvent.ACQUIRED, "the lock was taken"
    if not lost and hold_of(obs):
        return FleetEvent.HOLD, hold_of(obs)
    if lost:
        return FleetEvent.VIEW_LOST, lost
    if memory.mode in (FleetMode.OPEN.value, FleetMode.STORM.value) and settling(obs, policy):
        return FleetEvent.VIEW_LOST, settling(obs, policy)
    for event, why in (
        (FleetEvent.WENT_BACK, went_back(obs)),
        (FleetEvent.MINORITY, minority(obs)),
        (FleetEvent.CROWD, crowd(obs, memory.conditions, policy)),
    ):
        if why:
            return event, why
    return FleetEvent.VIEW_GOOD, ""


#: The clocks of the fleet: since when the view is good, and since when there is no crowd.
SEEN, CALM = (VIEW, "seen"), (Ref("cluster", "storm"), "calm")


def next_mode(
    obs: FleetObservation, memory: Memory, policy: Policy
) -> tuple[Memory, Turn[FleetMode], tuple[Notice, ...]]:
    """Return the memory in its new mode, the turn, and what is to be announced."""
    event, why = event_of(obs, memory, policy)
    clocks = dict(memory.clocks)
    lasting = event in (FleetEvent.CROWD, FleetEvent.VIEW_GOOD)
    calm = clocks.get(CALM, obs.now) if event is FleetEvent.VIEW_GOOD else obs.now
    seen = clocks.get(SEEN, obs.now) if lasting else obs.now
    settled_since = max(seen, obs.consul.trust.since)
    context = ModeContext(obs.now - settled_since, obs.now - calm, is_complete(obs), policy)
    turn = FLEET.turn(FleetMode(memory.mode), event, context)
    notices, conditions = _announce(obs, memory, event, turn, why)
    memory = replace(memory, clocks=clocks, conditions=conditions)
    if turn.action == "restart_clocks":
        memory = replace(memory.without_clocks(), mode=turn.state.value, mode_since=obs.now)
        seen, calm = (obs.now if turn.state is FleetMode.BLIND else seen), obs.now
    epoch = obs.lock.epoch
    kept = {**memory.clocks, SEEN: seen, CALM: calm}
    known_epoch = memory.epoch if isinstance(epoch, Unknown) or not obs.lock.held else epoch
    return replace(memory, clocks=kept, epoch=known_epoch), turn, notices


def is_complete(obs: FleetObservation) -> bool:
    """Return whether everything that a decision needs could be read in this tick."""
    parts = (
        obs.hold, obs.maintenance, obs.operations, obs.outcomes, obs.proposals, obs.pool,
        obs.went_back,
    )  # fmt: skip
    return not any(isinstance(part, Unknown) for part in parts)


HOLD, STORM = Ref("cluster", "hold"), Ref("cluster", "storm")
WENT_BACK = Ref("cluster", "went_back")
#: condition -> (its bad word, its good word), each an event of the subject cluster.
_WORDS = {
    VIEW: ("view_lost", "view_restored"),
    HOLD: ("held", "released"),
    STORM: ("storm", "calm"),
    WENT_BACK: ("went_back", "caught_up"),
}


def _announce(
    obs: FleetObservation, memory: Memory, event: FleetEvent, turn: Turn[FleetMode], why: str
) -> tuple[tuple[Notice, ...], dict[Ref, Condition]]:
    """Return the notices on view, hold and storm, and the conditions they leave."""
    lost = view_lost(obs) if obs.lock.held or not obs.consul.trust.fresh else ""
    bad: dict[Ref, bool | None] = {
        VIEW: bool(lost) or event is FleetEvent.MINORITY,
        HOLD: None if lost or not obs.lock.held else bool(hold_of(obs)),
        WENT_BACK: (
            None
            if lost or not obs.lock.held or isinstance(obs.went_back, Unknown)
            else obs.went_back is not None
        ),
        STORM: (
            turn.state is FleetMode.STORM
            if turn.state in (FleetMode.STORM, FleetMode.OPEN)
            else None
        ),
    }
    conditions, notices = dict(memory.conditions), []
    for key, is_bad in bad.items():
        before = conditions.get(key, Condition(_WORDS[key][1], obs.now))
        if is_bad is None or before.state == _WORDS[key][not is_bad]:
            continue
        word = _WORDS[key][not is_bad]
        conditions[key] = Condition(word, obs.now)
        notices.append(
            Notice("cluster", obs.cluster, obs.cluster, word, word, before.state, obs.now,
                   _bad_words(obs, key, why or turn.why) if is_bad else _means(obs, key, before))
        )  # fmt: skip
    return tuple(notices), conditions


def _bad_words(obs: FleetObservation, key: Ref, why: str) -> str:
    """Say why a word is bad; that Consul went back is told beside a hold as well."""
    return went_back(obs) if key == WENT_BACK else why


def _means(obs: FleetObservation, key: Ref, before: Condition) -> str:
    """Say what a good word means, and who released a hold, where that was ordered."""
    means = event_row("cluster", _WORDS[key][1]).means
    if key != HOLD or isinstance(obs.acknowledged, Unknown):
        return means
    said = [a for a in obs.acknowledged if a.what == NODE_HOLDS and a.by]
    by = next((a.by for a in said if not a.at or a.at >= before.since), "")
    return f"{means}: {by} released it" if by else means


def seen_from_here(
    obs: FleetObservation, conditions: Mapping[Ref, Condition], policy: Policy
) -> tuple[FleetMode, str]:
    """Return the mode as an executor sees it, without memory."""
    for mode, why in (
        (FleetMode.HELD, hold_of(obs)),
        (FleetMode.BLIND, view_lost(obs)),
        (FleetMode.BLIND, went_back(obs)),
        (FleetMode.STORM, crowd(obs, conditions, policy)),
    ):
        if why:
            return mode, why
    return FleetMode.OPEN, ""
