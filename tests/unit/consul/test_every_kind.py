"""Every kind of key that there is, spoilt in every way: who reads it goes on, or says why not.

The kinds are counted off the code, so that a new one cannot be forgotten. What a node may write
must not stop the leader, an executor or a screen; what only engines and masters write may be of
another version of ours, and is refused with a reason.
"""

from __future__ import annotations

import contextlib
import inspect
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import executing
import fleet
import pytest
from engine_world import NAMES, T0, UUIDS, World
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recorded_pool import PATH
from spoilt import newer, raw, spoilt

from salt_gluster.consul.acl import node_rules
from salt_gluster.consul.answers import confirmed_answers
from salt_gluster.consul.keys import REPORT_PARTS, Keys
from salt_gluster.consul.pool import PoolClient
from salt_gluster.consul.report_parts import checksum
from salt_gluster.consul.store import Store
from salt_gluster.errors import GlusterError
from salt_gluster.master import approvals, config_history, journal, maintenance
from salt_gluster.master.engine.probe import ProbeRequest, probe_results
from salt_gluster.master.status import status
from salt_gluster.node.clock import local_datetime
from salt_gluster.remediation.observation import WentBack
from salt_gluster.remediation.operations import Life
from salt_gluster.render import (
    render_explained,
    render_history,
    render_journal,
    render_proposals,
)

KEYS = Keys("main")
OWN = UUIDS[1]
SPEC = {"nodes": list(NAMES)}
OPERATION = fleet.operation(
    id="op1", node=OWN, executor="g2", brick=f"g2:{PATH}", at=T0 + 5000, changed=T0 + 5000,
    incident=T0 + 4000, deadline=T0 + 5120,
).to_data()  # fmt: skip
PROPOSAL = {**OPERATION, "id": "op2", "state": Life.WAITING.value}
NODE = {"name": "g2", "state": "down", "since": T0, "row": "N1", "why": "x",
        "witnesses": [{"source": "consul", "says": "-"}]}  # fmt: skip
REASON = {"name": "not_held", "why": "x", "ways": ["y"]}
BRICK = f"{OWN}:{PATH}"
DECLARED = {"schema": 1, "spec": SPEC, "policy": {"tick_s": 5.0}}
STATUS = {
    "schema": 1, "at": T0 + 5000, "by": "m1", "mode": "open", "why": "", "policy": "version 1",
    "holds": [{"where": "Consul", "by": "ann", "reason": "rack"}], "nodes": {OWN: NODE},
    "bricks": {BRICK: {"name": f"g2:{PATH}", "state": "down", "since": T0, "row": "B1",
                       "why": "x"}},
    "refused": [{"brick": f"g2:{PATH}", "node": OWN, "reasons": [REASON]}],
    "guards": {f"g2:{PATH}": [{"name": "not_held", "yes": False, "why": "x"}]},
    "operations": [{"id": "op1", "brick": f"g2:{PATH}", "state": "intent", "why": ""}],
    "proposed": [{"name": "g9", "uuid": "u9", "since": T0, "until": T0, "reasons": [REASON]}],
}  # fmt: skip
VERSION = {
    **DECLARED, "version": 1, "digest": "d", "by": "g1", "why": "submitted", "at": T0,
    "before": 0, "accepted": 1, "actual_digest": "a", "identities": {OWN: {PATH: "fs"}},
    "actual": {"volumes": {}, "peers": {u: [n] for n, u in zip(NAMES, UUIDS, strict=True)}},
    "what": [{"kind": "volume", "name": "data", "option": "", "what": "replica", "old": 2, "new": 3,
              "where": "volume data", "label": "replica"}],
    "overwritten": {"nodes": ["g2"], "what": []},
}  # fmt: skip
MEMBERS = {
    "schema": 1, "version": 3, "conditions": {f"node:{OWN}": ["down", T0, "g2", [T0], ["x"]]},
    "outbox": [{"tag": "t", "data": {"id": "i", "event": "down"}}], "roster": "",
}  # fmt: skip
BY_HAND = {"schema": 1, "at": T0, "by": "ann", "uuid": OWN, "why": "x"}

#: Kind -> its key and what stands there. None: it holds no document of ours to be read.
KINDS: dict[str, tuple[str, Any] | None] = {
    "canary": (KEYS.canary, {"cluster": "main"}),
    "rev": (KEYS.rev, 7),
    "leader": (KEYS.leader, {"holder": "m1"}),
    "epoch": (KEYS.epoch, {"holder": "m1", "once": "x"}),
    "alive": (KEYS.alive, {"by": "m1"}),
    "hint": (KEYS.hint, {"schema": 1, "at": T0, "by": "m1", "nodes": [OWN]}),
    "hold": (KEYS.hold, {"reason": "rack", "by": "ann", "since": T0}),
    "went_back": (KEYS.went_back, {"schema": 1, "at": T0, "by": "m1", "seen": 99, "found": 5}),
    "restart_lock": None,  # a lock without a value
    "current": (KEYS.current, {"version": 1, "digest": "d"}),
    "versions": None,  # the prefix of ``version``
    "members": (KEYS.members, MEMBERS),
    "outcomes": None,  # the prefix of ``outcome``
    "pillar": (KEYS.pillar, {"schema": 1, "gluster": {"nodes": ["g1"]}, "by": "ann", "at": T0,
                             "why": "x"}),
    "status": (KEYS.status, STATUS),
    "heartbeat": (KEYS.heartbeat, {"schema": 1, "by": "m1", "at": T0 + 5090}),
    "changed": (KEYS.changed, {"by": "g1", "at": T0}),
    "led": (KEYS.led, {"schema": 1, "led_s": 5.0, "seen": [[0.0, 7.0]], "departed": {"u9": 1.0}}),
    "maintenance": (KEYS.maintenance(OWN), {"reason": "disk", "by": "ann", "since": T0,
                                            "until": T0 + 9e5}),
    "version": (KEYS.version(1), VERSION),
    "identity": (KEYS.identity(OWN), {"schema": 1, "uuid": OWN, "name": "g2", "at": T0,
                                      "bricks": {PATH: {"filesystem": "fs", "volume_id": "v"}}}),
    "node": (KEYS.node(OWN), None),  # as the world has it
    "answer": (KEYS.answer(OWN), {"schema": 1, "nonce": "n1", "at": T0 + 5090,
                                  "ports": [[UUIDS[0], PATH, True]]}),
    "report_part": (KEYS.report_part(OWN, "volumes"), None),  # of the same report
    "change_of": (KEYS.change_of(OWN), {"by": "g2", "at": T0}),
    "proposal": (KEYS.proposal("op2"), PROPOSAL),
    "operation": (KEYS.operation("op1"), OPERATION),
    "outcome": (KEYS.outcome(OWN, "op1"), {"schema": 1, "id": "op1", "node": OWN, "state": "issued",
                                           "at": T0 + 5001, "reasons": []}),
    "submitted": (KEYS.submitted(OWN), {**DECLARED, "by": "g2", "at": T0}),
    "acknowledged": (KEYS.acknowledged("main"), {"schema": 1, "what": "main", "by": "ann",
                                                 "once": "x", "seen_at": T0}),
    "admitted": (KEYS.admitted("g2"), {"schema": 1, "uuid": OWN}),
    "accepted": (KEYS.accepted("g9"), BY_HAND),
    "rejected": (KEYS.rejected("g8"), BY_HAND),
    "moved": None,  # nothing writes or reads it yet
    "audit": (KEYS.audit("20261122T031409Z-op1"), {"at": T0, "by": "m1"}),
}  # fmt: skip
READ = sorted(kind for kind, row in KINDS.items() if row is not None)
RULES = node_rules("main", "g2", OWN, first=True)
#: What a hostile node can write: by the rights that it has.
ITS_OWN = sorted(
    kind for kind in READ
    if KINDS[kind][0] in RULES["key"]  # type: ignore[index]
    or any(KINDS[kind][0].startswith(p) for p, r in RULES["key_prefix"].items()  # type: ignore[index]
           if r["policy"] == "write")
)  # fmt: skip


def test_every_kind_of_key_is_spoilt_here() -> None:
    """A new kind: a row above, and a reader below that goes on whatever stands there."""
    made = Keys("main")
    attributes = {name for name, value in vars(made).items() if isinstance(value, str)}
    methods = {n for n, _ in inspect.getmembers(Keys, inspect.isfunction) if not n.startswith("_")}
    assert (attributes | methods) - {"cluster", "root"} == KINDS.keys()
    assert ITS_OWN == ["answer", "canary", "change_of", "identity", "node", "outcome",
                       "report_part", "rev", "submitted"]  # fmt: skip


class Place:
    """The pool with a document of every kind, as it was before each example."""

    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.world.passes(90)
        client = self.world.client
        for kind in READ:
            key, document = KINDS[kind]  # type: ignore[misc]
            if document is not None and kind not in ("leader", "epoch", "went_back"):
                client.kv_put(key, raw(document))
        for name, uuid in zip(NAMES, UUIDS, strict=True):
            client.kv_put(KEYS.admitted(name), raw({"schema": 1, "uuid": uuid}))
        self.world.passes(30)
        store = Store(client, "main")
        for uuid in UUIDS:  # as a node writes it that watches: its copy counts for the screens
            self.report = dict(store.read(KEYS.node(uuid)).data)  # type: ignore[union-attr]
            now = T0 + self.world.now
            self.report |= {"at": now, "after": {"by": "m1", "at": now, "changed": 10**6}}
            client.kv_put(KEYS.node(uuid), raw(self.report))
        self.report = store.read(KEYS.node(OWN)).data  # type: ignore[union-attr]
        facts = dict(self.report["facts"])
        self.parts = {name: self.report[name] for name in ("volumes", "peers", "reach")}
        self.parts["connected"] = facts.pop("connected")
        self.short = {k: v for k, v in self.report.items() if k not in self.parts}
        self.short["facts"] = facts
        store.write(KEYS.status, STATUS)
        assert self.world.watches.lock.holds()
        self._keys = dict(self.world.consul.keys)
        self._memory = self.world.engine._memory

    def has(self, kind: str, value: bytes) -> None:
        """Be as it was, but for this one key."""
        engine, consul = self.world.engine, self.world.consul
        assert engine._probes.asking.wait(20)
        consul.keys = dict(self._keys)
        engine._memory, engine._led = self._memory, 0
        self.world.watches._renew()
        consul.index += 1
        key = KINDS[kind][0]  # type: ignore[index]
        rows = {key: value}
        if kind == "report_part":  # all of its parts are this, and its report names them so
            named = dict.fromkeys(REPORT_PARTS, checksum(value))
            rows = {KEYS.report_part(OWN, part): value for part in REPORT_PARTS}
            rows[KEYS.node(OWN)] = raw({**self.short, "parts": named})
        like = consul.keys[KEYS.node(OWN)]
        for name, content in rows.items():
            row = {**like, **consul.keys.get(name, {}), "Key": name}
            consul.keys[name] = {**row, "Value": content, "ModifyIndex": consul.index}

    def document(self, kind: str) -> Any:
        row = KINDS[kind]
        assert row is not None
        return {"node": self.report, "report_part": self.parts}.get(kind, row[1])

    def pool(self) -> PoolClient:
        now = lambda: T0 + self.world.now  # noqa: E731
        return PoolClient({"cluster": "main"}, client=self.world.client, marker=self.world.marker,
                          now=now)  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    yield Place(tmp_path_factory.mktemp("marker"))


@pytest.mark.parametrize("kind", READ)
@settings(max_examples=12)
@given(data=st.data())
def test_the_leader_goes_on_or_says_why_not(place: Place, kind: str, data: st.DataObject) -> None:
    place.has(kind, raw(data.draw(spoilt(place.document(kind)))))
    engine = place.world.engine
    try:
        engine.tick()
    except GlusterError as err:
        assert err.message
        assert kind not in (*ITS_OWN, "went_back")
        return
    if kind == "went_back":
        assert isinstance(engine._state.went_back(), WentBack), "whatever stands there is one"
    if kind in ITS_OWN:
        assert engine._memory.mode == place._memory.mode
        assert {UUIDS[0], UUIDS[2]} <= engine._state.reports.keys()


def _screens(place: Place) -> Iterator[Any]:
    ask = lambda *words, **named: {}  # noqa: E731
    yield lambda: status(ask, "*", place.pool(), reader="m1")
    yield lambda: status(ask, "*", place.pool(), reader="m1", as_data=True)
    yield lambda: render_journal(journal.journal(place.pool(), 20), local_datetime)
    yield lambda: render_proposals(journal.proposals(place.pool()), local_datetime)
    yield lambda: render_explained(journal.explain(place.pool(), "g2"), local_datetime)
    yield lambda: render_history(config_history.history(place.pool(), 20), local_datetime)
    yield lambda: config_history.current_version(place.pool())
    yield lambda: approvals.acknowledge(place.pool(), "op1", "ann")
    yield lambda: approvals.reject(place.pool(), "op2", "ann", "no")
    yield lambda: approvals.approve(place.pool(), "g9", "ann")
    by = maintenance.MaintenanceRequest("x", "ann")
    yield lambda: maintenance.put(ask, "g2", place.pool(), by)


@pytest.mark.parametrize("kind", READ)
@settings(max_examples=5)
@given(data=st.data())
def test_a_screen_is_shown_or_says_why_not(place: Place, kind: str, data: st.DataObject) -> None:
    document = data.draw(spoilt(place.document(kind)))
    for show in _screens(place):
        place.has(kind, raw(document))
        try:
            show()
        except GlusterError as err:
            assert err.message


ASKED = ProbeRequest(dict(zip(UUIDS, NAMES, strict=True)), ((UUIDS[0], PATH, "g1", 49152),))


@given(data=st.data())
def test_one_answer_that_cannot_be_read_is_one_silent_node(
    place: Place, data: st.DataObject
) -> None:
    answer = {"schema": 1, "nonce": "n1", "at": T0, "ports": [[UUIDS[0], PATH, True]]}
    place.has("answer", raw(data.draw(spoilt(answer))))
    place.world.client.kv_put(KEYS.answer(UUIDS[0]), raw(answer))
    store = Store(place.world.client, "main")
    said = confirmed_answers(store, UUIDS, "n1")
    results = probe_results(ASKED, {}, T0, T0 + 1, said)
    assert results.answered[UUIDS[0]]
    assert results.skews[UUIDS[0]] == 0.0


@pytest.mark.parametrize("at", ["10**400", True, "now", [1]], ids=str)
def test_a_time_that_is_none_stops_no_round_of_questions(place: Place, at: Any) -> None:
    """It had ended the whole round as *asking failed*; after 20 s of that a leader resigns."""
    at = 10**400 if at == "10**400" else at
    place.has("answer", raw({"schema": 1, "nonce": "n1", "at": at, "ports": []}))
    said = confirmed_answers(Store(place.world.client, "main"), UUIDS, "n1")
    results = probe_results(ASKED, {}, T0, T0 + 1, said)
    assert (results.answered[OWN], OWN in results.skews) == (False, False)


# --- a node --------------------------------------------------------------------------------------


@pytest.fixture
def executor_pool(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> executing.Pool:
    return executing.pool_in(monkeypatch, tmp_path)


#: As ``KINDS``, in the world of an executor: where its operation waits.
NODES: dict[str, Any] = {
    "hold": (KEYS.hold, {"reason": "rack", "by": "ann"}),
    "current": (KEYS.current, {"version": 1, "digest": "d"}),
    "version": (KEYS.version(1), VERSION),
    "members": (KEYS.members, {**MEMBERS, "conditions": {}}),
    "maintenance": (KEYS.maintenance(fleet.SEAT), {"reason": "disk", "by": "ann"}),
    "identity": (KEYS.identity(fleet.SEAT), {"bricks": {fleet.PATH: {
        "filesystem": "fs", "volume_id": fleet.VOLUME.id}}, "name": "gfn2"}),
    "node": (KEYS.node(fleet.GFN1), fleet.report_data(fleet.GFN1, fleet.facts(fleet.GFN1))),
    "proposal": (KEYS.proposal("op2"), {**fleet.operation().to_data(), "id": "op2"}),
    "operation": (KEYS.operation("op1"), fleet.operation().to_data()),
    "outcome": (KEYS.outcome(fleet.SEAT, "op1"), {"schema": 1, "id": "op1", "node": fleet.SEAT,
                "state": "refused", "at": fleet.NOW, "reasons": []}),
    "acknowledged": (KEYS.acknowledged("main"), {"schema": 1, "what": "main", "by": "ann",
                                                 "once": "x"}),
}  # fmt: skip


@pytest.mark.parametrize("kind", NODES)
@settings(max_examples=8, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_an_executor_answers_whatever_stands_there(
    executor_pool: executing.Pool, kind: str, data: st.DataObject
) -> None:
    consul, place = executor_pool.consul, executing.Place()
    before, executor_pool.place = dict(consul.keys), place
    try:
        executor_pool.intend()
        key, document = NODES[kind]
        if kind == "operation":
            document = executor_pool.store.operation("op1").data  # type: ignore[union-attr]
        executor_pool.client.kv_put(key, raw(data.draw(spoilt(document))))
        told = executor_pool.execute()
        assert told["did"] in ("perform", "refuse", "ignore", "look_back"), told
        if kind in ("hold", "maintenance"):
            assert place.sent == []
    finally:
        consul.keys = before


# --- another version of ours ---------------------------------------------------------------------


def test_a_field_more_in_every_document_changes_nothing_for_an_executor(
    executor_pool: executing.Pool,
) -> None:
    executor_pool.intend()
    consul = executor_pool.consul
    for key, row in consul.keys.items():
        with contextlib.suppress(ValueError):
            value = raw(newer(json.loads(row["Value"])))
            consul.keys[key] = {**row, "Value": value}
    assert executor_pool.execute()["did"] == "perform"


@pytest.mark.parametrize("kind", ["current", "version", "members", "operation", "outcome", "node"])
def test_a_higher_schema_is_refused_or_unknown_for_an_executor_and_nothing_is_sent(
    executor_pool: executing.Pool, kind: str
) -> None:
    executor_pool.intend()
    key, document = NODES[kind]
    if kind == "current":  # it has no schema of its own: what it points to has
        executor_pool.client.kv_put(KEYS.version(2), raw({**VERSION, "version": 2, "schema": 2}))
        document = {"version": 2, "digest": "d"}
    elif kind == "version":
        executor_pool.client.kv_put(KEYS.current, raw(NODES["current"][1]))
    if kind == "node":  # of the node beside it: whether its brick is well is not known any more
        document = {**document, "at": fleet.NOW + 1}
    executor_pool.client.kv_put(key, raw({**document, "schema": 2}))
    told = executor_pool.execute()
    assert told["did"] in ("refuse", "ignore"), told
    assert executor_pool.place.sent == []
    assert "schema 2" in str(told), told


def test_a_report_in_parts_is_read_whole_here(place: Place) -> None:
    """Else what is spoilt below would be no part of any report."""
    place.has("report_part", raw(place.parts))
    place.world.engine.tick()
    assert OWN in place.world.engine._state.reports
    place.has("report_part", raw([]))
    place.world.engine.tick()
    assert OWN not in place.world.engine._state.reports


@pytest.mark.parametrize("kind", [k for k in READ if k not in ("leader", "epoch", "went_back")])
def test_a_field_more_in_a_document_is_no_trouble_for_leader_and_screens(
    place: Place, kind: str
) -> None:
    place.has(kind, raw(newer(place.document(kind))))
    place.world.engine.tick()
    assert place.world.engine._memory.mode == place._memory.mode
    for show in _screens(place):
        place.has(kind, raw(newer(place.document(kind))))
        show()
