"""Read a situation of ``tests/data/situations`` for ``decide``, and write what it decided.

A situation says only what is not as in a healthy pool; ``README.md`` there names every key. A key
that is not known is an error, so that a slip of the pen does not pass for a healthy pool.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from salt_gluster.model import (
    Brick,
    BrickFacts,
    BrickStatus,
    Change,
    Heal,
    Hold,
    Node,
    NodeFacts,
    Observation,
    Peer,
    Ref,
    Unknown,
    Volume,
    VolumeStatus,
    decode_ref,
    encode_ref,
)
from salt_gluster.remediation import Decisions, FleetObservation, LockView, Memory, Policy
from salt_gluster.remediation.decide import MODE
from salt_gluster.remediation.fleet_mode import CALM, SEEN
from salt_gluster.remediation.membership import (
    Condition,
    ConsulView,
    Registered,
    Signal,
    ViewTrust,
)
from salt_gluster.remediation.observation import Acknowledged, Admission, Maintenance, Recorded
from salt_gluster.remediation.operations import ExecutionReport, Life, Operation
from salt_gluster.remediation.policy import Mode
from salt_gluster.remediation.salt_events import EVENTS, Severity

NOW = 100_000.0
#: Volume -> the nodes that hold its bricks, each at /b/VOLUME. Both are replica 3.
LAYOUT = {"data": ("g1", "g2", "g3"), "vm": ("g3", "g4", "g5")}
NODES = ("g1", "g2", "g3", "g4", "g5")
_TOP = {
    "about", "policy", "nodes", "lock", "view", "hold", "operations", "proposals", "outcomes",
    "acknowledged", "candidates", "rejected", "before",
}  # fmt: skip
_NODE: dict[str, Any] = {
    "consul": "good", "report_s": 5.0, "connected_from": {}, "glusterd_started_s": 90_000.0,
    "glusterd_answers": True, "version": 100_000, "clock_ahead_s": 0.0, "changes": [], "hold": None,
    "maintenance": None, "bricks": {}, "sees_disconnected": [],
}  # fmt: skip
_BRICK: dict[str, Any] = {
    "process": "runs", "port_from": {}, "mounted": True, "read_only": False, "filesystem": "",
    "volume_id": "", "gluster_root": True, "io_errors": 0, "health_check_ended": False,
    "recorded": True, "to_heal": 0,
}  # fmt: skip
_BEFORE = {"mode": "open", "mode_s": 3600.0, "conditions": {}, "clocks": {}, "candidate": None,
           "asked": {}}  # fmt: skip


def _with(defaults: Mapping[str, Any], given: Mapping[str, Any], where: str) -> dict[str, Any]:
    unknown = given.keys() - defaults.keys()
    assert not unknown, f"{where}: unknown keys {sorted(unknown)}"
    return {**defaults, **given}


def _ago(seconds: float) -> float:
    return NOW - seconds


def _or_unknown(value: Any) -> Any:
    """Return the value; ``{"unknown": why}`` is an Unknown."""
    return Unknown(value["unknown"]) if isinstance(value, dict) and "unknown" in value else value


class Situation:
    """One observation, the policy, and the memory of the tick before."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        assert data.keys() <= _TOP, f"unknown keys {sorted(data.keys() - _TOP)}"
        assert data["about"], "a situation says what it is about"
        self.data = data
        given = data.get("nodes", {})
        assert given.keys() <= set(NODES), sorted(given)
        self.nodes = {n: _with(_NODE, given.get(n, {}), n) for n in NODES}
        self.bricks = {
            (n, v): _with(_BRICK, self.nodes[n]["bricks"].get(v, {}), f"{n} {v}")
            for v, hosts in LAYOUT.items()
            for n in hosts
        }
        for name, node in self.nodes.items():
            assert all((name, v) in self.bricks for v in node["bricks"]), f"bricks of {name}"

    @property
    def policy(self) -> Policy:
        given = self.data.get("policy", {})
        modes = {f.name for f in fields(Policy) if isinstance(f.default, Mode)}
        return Policy(**{k: Mode(v) if k in modes else v for k, v in given.items()})

    # --- what is seen ------------------------------------------------------------------------

    @property
    def observation(self) -> FleetObservation:
        data, nodes = self.data, self.nodes
        lock = {"held": True, "valid_s": 8.0, "epoch": 7, **data.get("lock", {})}
        hold = data.get("hold")
        return FleetObservation(
            now=NOW, cluster="main", consul=self._consul(),
            lock=LockView(lock["held"], lock["valid_s"], _or_unknown(lock["epoch"])),
            members={n: n for n in NODES}, pool=self._pool(),
            facts={n: self._facts(n) for n in NODES},
            ports={(n, f"/b/{v}"): b["port_from"] for (n, v), b in self.bricks.items()
                   if b["port_from"]},
            peers=self._peer_lists(),
            skews={n: _or_unknown(node["clock_ahead_s"]) for n, node in nodes.items()},
            hold=None if hold is None else _or_unknown(hold) if "unknown" in hold else Hold(**hold),
            maintenance={
                n: Maintenance(m["owner"], m["reason"], NOW + m["ends_in_s"])
                for n, node in nodes.items() if (m := node["maintenance"])
            },
            operations={o.id: o for o in map(_operation, data.get("operations", []))},
            proposals={o.id: o for o in map(_operation, data.get("proposals", []))},
            outcomes={o["id"]: _report(o) for o in data.get("outcomes", [])},
            acknowledged=tuple(
                Acknowledged(a["what"], _ago(a["ago_s"])) for a in data.get("acknowledged", [])
            ),
            recorded={(n, f"/b/{v}"): Recorded(f"fs-{n}-{v}", f"id-{v}")
                      for (n, v), b in self.bricks.items() if b["recorded"]},
            admission=Admission(
                NODES, candidates={n: n for n in data.get("candidates", {})},
                rejected=data.get("rejected", {}),
            ),
        )  # fmt: skip

    def _consul(self) -> ConsulView:
        view = {"fresh": True, "since_s": 3600.0, "why": "", **self.data.get("view", {})}
        words = {"good": Signal.GOOD, "bad": Signal.BAD}
        seen = {n: node["consul"] for n, node in self.nodes.items() if node["consul"] != "left"}
        seen |= self.data.get("candidates", {})
        rows = {n: Registered(n, n, n, words[word]) for n, word in seen.items()}
        return ConsulView(ViewTrust(view["fresh"], view["why"], _ago(view["since_s"])), rows)

    def _volumes(self) -> dict[str, Volume]:
        return {
            v: Volume(v, f"id-{v}", "Started", "Replicate",
                      tuple(Brick(n, f"/b/{v}", n) for n in hosts), 3, 3)
            for v, hosts in LAYOUT.items()
        }  # fmt: skip

    def _pool(self) -> Observation:
        status, heal = {}, {}
        for v, hosts in LAYOUT.items():
            # Of a brick that is not known to run, or to be dead, gluster gives no row.
            up = {
                n: word == "runs"
                for n in hosts
                if (word := self.bricks[n, v]["process"]) != "unknown"
            }
            status[v] = VolumeStatus(v, tuple(
                BrickStatus(n, f"/b/{v}", n, is_up, 49152 if is_up else None, 1)
                for n, is_up in up.items()
            ))  # fmt: skip
            heal[v] = tuple(
                Heal(f"{n}:/b/{v}", n, _or_unknown(self.bricks[n, v]["to_heal"])) for n in hosts
            )
        peers = tuple(Peer(n, (n,), True, 3) for n in NODES)
        return Observation(NOW, Node("g1"), peers, self._volumes(), status, heal=heal)

    def _facts(self, name: str) -> NodeFacts | Unknown:
        node = self.nodes[name]
        if node["report_s"] is None:
            return Unknown("it has written no report")
        started = node["glusterd_started_s"]
        return NodeFacts(
            at=_ago(node["report_s"]),
            glusterd_started=None if started is None else _ago(started),
            glusterd_answers=_or_unknown(node["glusterd_answers"]),
            version=_or_unknown(node["version"]), volumes_without_info=(), volumes=self._volumes(),
            connected={n: n not in node["sees_disconnected"] for n in NODES if n != name},
            bricks={f"/b/{v}": self._brick_facts(n, v) for n, v in self.bricks if n == name},
            changes=tuple(Change(_ago(c["ago_s"]), c["command"], c["ours"])
                          for c in node["changes"]),
            hold=None if node["hold"] is None else Hold(node["hold"]),
        )  # fmt: skip

    def _brick_facts(self, name: str, volume: str) -> BrickFacts:
        brick = self.bricks[name, volume]
        alive = {"runs": True, "dead": False}.get(brick["process"], Unknown("cannot be read"))
        return BrickFacts(
            alive, 49152 if alive is True else None, brick["mounted"], brick["read_only"],
            brick["filesystem"] or f"fs-{name}-{volume}", brick["volume_id"] or f"id-{volume}",
            brick["gluster_root"], _or_unknown(brick["io_errors"]), brick["health_check_ended"],
        )  # fmt: skip

    def _peer_lists(self) -> dict[str, dict[str, bool]]:
        lists: dict[str, dict[str, bool]] = {}
        for name, node in self.nodes.items():
            for member, connected in node["connected_from"].items():
                lists.setdefault(member, {})[name] = connected
        return lists

    # --- what the tick before handed on ------------------------------------------------------

    @property
    def memory(self) -> Memory:
        before = _with(_BEFORE, self.data.get("before", {}), "before")
        conditions = {
            decode_ref(key): Condition(
                row["state"], _ago(row["since_s"]), row.get("name", ""),
                tuple(_ago(s) for s in row.get("flaps_s", ())),
                frozenset(row.get("announced", ())),
            )
            for key, row in before["conditions"].items()
        }  # fmt: skip
        clocks: dict[tuple[Ref, str], float] = {SEEN: _ago(3600), CALM: _ago(3600)}
        for key, since_s in before["clocks"].items():
            ref, _, event = key.rpartition(" ")
            clocks[decode_ref(ref), event] = _ago(since_s)
        candidate = None
        if before["candidate"]:
            ref = decode_ref(before["candidate"]["brick"])
            down_since = conditions[ref].since
            since = _ago(before["candidate"]["since_s"])
            candidate = (f"{ref.id}:{ref.path}:{down_since}", since)
        return Memory(
            conditions, clocks, before["mode"], _ago(before["mode_s"]), 7, candidate,
            asked={k: _ago(s) for k, s in before["asked"].items()},
            roster={n: n for n in (*NODES, *self.data.get("candidates", {}))},
        )  # fmt: skip


def _operation(row: Mapping[str, Any]) -> Operation:
    """Return an operation of the brick ``row["brick"]``; its times are seconds ago."""
    node, _, path = row["brick"].partition(":")
    volume = path.removeprefix("/b/")
    begun = _ago(row["begun_s"])
    return Operation(
        id=row["id"], action="brick_restart", rung=1, volume=volume, volume_id=f"id-{volume}",
        brick=row["brick"], node=node, executor=node, epoch=7, state=Life(row["state"]), at=begun,
        deadline=begun + 120, incident=_ago(row["down_s"]), attempt=row.get("attempt", 1),
        changed=_ago(row.get("changed_s", row["begun_s"])),
        applied_at=_ago(row["applied_s"]) if "applied_s" in row else None,
    )  # fmt: skip


def _report(row: Mapping[str, Any]) -> ExecutionReport:
    return ExecutionReport(row["id"], row["node"], Life(row["state"]), _ago(row["ago_s"]),
                           tuple(row.get("reasons", ())))  # fmt: skip


# --- what was decided ----------------------------------------------------------------------------


def decided(done: Decisions) -> dict[str, Any]:
    """Return the decisions as data that a reader can check by hand; what is empty is left out."""
    fleet = done.rows[MODE]
    rows = {encode_ref(r): t for r, t in sorted(done.rows.items()) if r != MODE}
    data: dict[str, Any] = {
        "mode": done.mode.value,
        "mode_row": f"{fleet.row}: {fleet.why}",
        "notices": [_notice(n) for n in done.notices],
        "intents": [_shown(o) for o in done.intents],
        "proposals": [_shown(o) for o in done.proposals],
        "updates": [{**_shown(o), "why": o.why} for o in done.updates],
        "requests": [list(r) for r in done.requests],
        "asks": {
            kind: " ".join(sorted(nodes))
            for kind in ("ports", "peers", "facts")
            if (nodes := getattr(done.asks, kind))
        },
        "refused": {
            r.target.brick: {reason.name: reason.why for reason in r.reasons} for r in done.refused
        },
        "admit": [name for _, name in done.admission.accept],
        "waiting": [
            {"name": row["name"], "reasons": row["reasons"]} for row in done.admission.proposed
        ],
        "rows": {k: f"{t.row}: {t.why}" for k, t in rows.items()},
        "conditions": {encode_ref(r): c.state for r, c in sorted(done.memory.conditions.items())},
        "candidate_s": None if done.memory.candidate is None else NOW - done.memory.candidate[1],
    }
    return {k: v for k, v in data.items() if v not in ({}, [], None)}


def _notice(notice: Any) -> dict[str, Any]:
    severity = EVENTS[notice.subject, notice.event].severity
    return {
        "event": f"{notice.subject}/{notice.event}",
        "name": "" if notice.subject == "remediation" else notice.name,
        "severity": (Severity.PAGE if notice.page else severity).value,
        "state": f"{notice.previous} -> {notice.state}",
        "why": notice.why,
        **({"impact": notice.impact} if notice.impact else {}),
    }


def _shown(op: Operation) -> dict[str, Any]:
    """Return an operation without its id, which is a digest."""
    return {
        "action": op.action, "brick": op.brick, "executor": op.executor, "state": op.state.value,
        "epoch": op.epoch, "attempt": op.attempt, "down_s": NOW - op.incident,
        "deadline_in_s": op.deadline - NOW,
    }  # fmt: skip
