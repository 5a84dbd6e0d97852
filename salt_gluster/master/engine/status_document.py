"""Build the document ``status``: what is shown of the last tick. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from salt_gluster.model import Ref, Unknown
from salt_gluster.remediation import Decisions, FleetObservation, fleet_mode, ladder
from salt_gluster.remediation.decide import Refused
from salt_gluster.remediation.health import peer_signal, port_signal
from salt_gluster.remediation.operations import Operation

#: Raised when a key changes its meaning.
SCHEMA = 1


def status(
    obs: FleetObservation, done: Decisions, *, by: str, policy: str
) -> dict[str, Any]:  # fmt: skip
    """Return the evidence, the rows and the guards' answers of one tick as plain data."""
    operations = {} if isinstance(obs.operations, Unknown) else obs.operations
    proposals = {} if isinstance(obs.proposals, Unknown) else obs.proposals
    return {
        "schema": SCHEMA,
        "at": obs.now,
        "by": by,
        "mode": done.mode.value,
        "why": done.mode_why,
        "holds": [
            {"where": where, "by": hold.by, "reason": hold.reason}
            for where, hold in fleet_mode.holds(obs)
        ],
        "policy": policy,
        "nodes": {
            ref.id: _node(obs, done, ref) for ref in done.rows if ref.kind == "node"
        },
        "bricks": {
            f"{ref.id}:{ref.path}": _condition(done, ref)
            for ref in done.rows if ref.kind == "brick"
        },
        "refused": [_refused(refused) for refused in done.refused],
        "guards": {refused.target.brick: _guards(refused) for refused in done.refused},
        "operations": [
            _operation(op) for op in (*operations.values(), *proposals.values())
            if op.is_open or op.id in proposals
        ],
        "proposed": list(done.admission.proposed),
        "heard": sorted(obs.consul_health.known),
        "trouble": [
            {"kind": t.kind, "about": t.name, "why": t.why, "ways": list(t.ways)}
            for t in done.trouble
        ],
    }  # fmt: skip


def is_news(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> bool:
    """Whether anything but the time is another."""
    return before is None or {**before, "at": 0} != {**after, "at": 0}


def _condition(done: Decisions, ref: Ref) -> dict[str, Any]:
    turn, condition = done.rows[ref], done.memory.conditions.get(ref)
    return {
        "name": condition.name if condition else "",
        "state": turn.state.value,
        "since": condition.since if condition else None,
        "row": turn.row,
        "why": turn.why,
    }


def _node(obs: FleetObservation, done: Decisions, ref: Ref) -> dict[str, Any]:
    uuid = ref.id
    own = obs.facts.get(uuid)
    age = "silent" if own is None or isinstance(own, Unknown) else "has told its report"
    ports = {b[1]: port_signal(obs, b).value for b in obs.ports if b[0] == uuid}
    return {
        **_condition(done, ref),
        "name": obs.name(uuid),
        "witnesses": [
            {"source": "consul", "says": obs.consul.signal(uuid).value},
            {"source": "peers", "says": peer_signal(obs, uuid).value},
            *({"source": f"port of {path}", "says": says} for path, says in sorted(ports.items())),
            {"source": "the node itself", "says": age},
        ],
    }


def _refused(refused: Refused) -> dict[str, Any]:
    return {
        "brick": refused.target.brick,
        "node": refused.target.node,
        "reasons": [{"name": r.name, "why": r.why, "ways": list(r.ways)} for r in refused.reasons],
    }


def _guards(refused: Refused) -> list[dict[str, Any]]:
    """Return every guard of the rung with its answer."""
    refusals = {r.name: r.why for r in refused.reasons}
    return [
        {"name": g.__name__, "yes": g.__name__ not in refusals, "why": refusals.get(g.__name__, "")}
        for g in ladder.BRICK_RESTART.guards
    ]


def _operation(op: Operation) -> dict[str, Any]:
    return {"id": op.id, "brick": op.brick, "state": op.state.value, "why": op.why}
