"""Giving a node back what it lost, from the master: every check by itself, and who confirms."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import fleet
import pytest
from fleet import GFN1, GFN2, GFN3, VOLUME

from salt_gluster.consul.client import Entry
from salt_gluster.consul.codec import pack
from salt_gluster.consul.documents import Document
from salt_gluster.consul.keys import Keys
from salt_gluster.consul.service import Member
from salt_gluster.errors import GlusterError, NotFound, SpecError
from salt_gluster.master.restore import FUNCTION, restore
from salt_gluster.model import Hold, NodeFacts, Unknown
from salt_gluster.status.config_versions import reported_config
from salt_gluster.status.facts import facts_data, facts_from, volumes_data
from salt_gluster.status.report import SCHEMA

NAMES = {u: n for n, u in fleet.UUIDS.items()}
WHAT = {"changes": {"uuid": {"old": None, "new": GFN3}}, "comment": "it would be"}


def report(uuid: str, **rows: dict[str, Any]) -> dict[str, Any]:
    peers = [
        {"uuid": u, "names": [n], "connected": u != GFN3, "state": 3, "is_self": u == uuid,
         **rows.get(n, {})}
        for u, n in NAMES.items()
    ]  # fmt: skip
    facts = NodeFacts(1.0, volumes_without_info=(), volumes={"rep3": VOLUME}, connected={},
                      changes=())  # fmt: skip
    return {"schema": SCHEMA, "at": 1.0, "uuid": uuid, "node": NAMES[uuid],
            "names": [NAMES[uuid]], "version": "10.3", "hold": None, "reach": {}, "bricks": {},
            "peers": peers, "volumes": volumes_data({"rep3": VOLUME}),
            "facts": facts_data(facts)}  # fmt: skip


class Pool:
    """The store, and the minions: what they answer, and what they were asked."""

    def __init__(self) -> None:
        told = report(GFN1)
        seen = reported_config(told, facts_from(told))
        assert seen is not None
        self.version: dict[str, Any] | None = {
            "version": 7, "at": 1.0, "actual_digest": seen.digest, "identities": {},
            "actual": {"volumes": told["volumes"], "peers": {u: [n] for u, n in NAMES.items()}},
        }  # fmt: skip
        self.hold: Any = None
        self.reports: dict[str, Any] = {"gfn1": report(GFN1), "gfn2": report(GFN2)}
        self.numbers: dict[str, Any] = {"gfn1": 100000, "gfn2": 100000}
        self.says: Any = WHAT
        self.done: Any = {"changes": {"peers": {}}, "comment": "this node is in the pool again"}
        self.asked: list[tuple[str, ...]] = []
        #: How the members show the node after it was restored.
        self.row_after: dict[str, Any] = {"connected": True}
        self.cluster = "main"
        self.store = SimpleNamespace(
            version=lambda number: SimpleNamespace(data=self.version),
            hold=lambda: self.hold,
            keys=Keys("main"),
            several=self.several,
            below=self.below,
        )
        self.nonce, self.registered = "", "100000"
        #: Members that Salt's bus has an answer of, and that have written none.
        self.forged: set[str] = set()

    def snapshot(self) -> Any:
        return SimpleNamespace(version_number=0 if self.version is None else 7)

    def members(self) -> list[Member]:
        return [Member(u, n, n, "main", op_version=self.registered) for u, n in NAMES.items()]

    def ask(self, target: Any, function: str, *arguments: Any) -> Mapping[str, Any]:
        if function == "gluster_remediation.observe":
            self.nonce = arguments[1]
            return self.reports
        if function == "gluster.op_version":
            return {m: n for m, n in self.numbers.items() if m in target}
        assert (function, target) == (FUNCTION, ["gfn3"])
        test = bool(arguments[-1])
        self.asked.append(("test" if test else "do", *map(str, arguments[:1])))
        if not test:
            for row in (p for r in self.reports.values() for p in r["peers"]):
                row.update(self.row_after if row["uuid"] == GFN3 else {})
            self.reports["a client"] = "'gluster.report' is not available."
            return {} if self.done is None else {"gfn3": self.done}
        return {} if self.says is None else {"gfn3": self.says}

    def several(self, keys: Sequence[str]) -> list[Document]:
        """Return what the members have written under their own right."""
        documents = []
        for key in keys:
            uuid = key.removeprefix("gluster/main/nodes/").removesuffix("/answer")
            told = self.reports.get(NAMES[uuid])
            if not isinstance(told, Mapping) or NAMES[uuid] in self.forged:
                continue
            if key.endswith("/answer"):
                documents.append(Document(key, {"nonce": self.nonce}, 1))
                continue
            documents.append(Document(key, copy.deepcopy(dict(told)), 1))
        return documents

    def below(self, keys: Sequence[str]) -> list[Entry]:
        return [Entry(d.key, pack(d.data), 1) for d in self.several(keys)]

    def run(self, confirm: str = "", name: str = "gfn3") -> dict[str, Any]:
        return restore(self.ask, self, name, confirm)  # type: ignore[arg-type]

    @property
    def carried_out(self) -> bool:
        return ("do", GFN3) in self.asked


@pytest.fixture
def pool() -> Pool:
    return Pool()


def no(plan: Mapping[str, Any]) -> set[str]:
    return {check["name"] for check in plan["checks"] if check["yes"] is not True}


def test_without_a_confirm_the_plan_is_shown_and_nothing_is_done(pool: Pool) -> None:
    plan = pool.run()
    assert (plan["ready"], plan["restored"], no(plan)) == (True, False, set())
    assert f"/var/lib/glusterd/peers/{GFN1}" in plan["files"]
    assert pool.asked == [("test", GFN3)]


def test_with_its_uuid_it_is_carried_out_and_the_members_are_asked(pool: Pool) -> None:
    done = pool.run(GFN3)
    assert (done["restored"], done["comment"]) == (True, "this node is in the pool again")
    assert pool.carried_out


@pytest.mark.parametrize(
    "word", ["yes", "True", "gfn3", GFN1, GFN3[:8], GFN3.upper(), GFN3 + " ", "force"]
)
def test_no_other_word_is_a_confirm(pool: Pool, word: str) -> None:
    with pytest.raises(SpecError, match="confirm"):
        pool.run(word)
    assert not pool.carried_out


def stored(change: Callable[[dict[str, Any]], object]) -> Callable[[Pool], object]:
    def alter(pool: Pool) -> None:
        assert pool.version is not None
        change(pool.version)

    return alter


#: What speaks against it -> the check that says no, or cannot tell.
AGAINST: dict[str, tuple[Callable[[Pool], object], str]] = {
    "another minion answers for a member": (lambda p: p.forged.add("gfn2"), "members_answer"),
    "a member is silent": (lambda p: p.reports.pop("gfn2"), "members_answer"),
    "a member answers with an error": (
        lambda p: p.reports.update(gfn2="ERROR: gone"), "members_answer",
    ),
    "a member does not expect it": (
        lambda p: p.reports["gfn2"]["peers"].pop(), "members_expect_it",
    ),
    "a member has a stranger": (
        lambda p: p.reports["gfn2"]["peers"].append(
            {"uuid": "u9", "names": ["g9"], "connected": True, "state": 3, "is_self": False}
        ),
        "members_are_the_same",
    ),
    "two members do not see each other": (
        lambda p: p.reports.update(gfn1=report(GFN1, gfn2={"connected": False})),
        "members_are_whole",
    ),
    "a member is rejected": (
        lambda p: p.reports.update(gfn1=report(GFN1, gfn2={"state": 6})), "members_are_whole",
    ),
    "other volumes than stored": (
        stored(lambda v: v.update(actual_digest="another")), "definitions_are_stored",
    ),
    "two op-versions": (lambda p: p.numbers.update(gfn2=110000), "one_op_version"),
    "no op-version": (lambda p: p.numbers.clear(), "one_op_version"),
    "an op-version that is an error": (
        lambda p: p.numbers.update(gfn1="ERROR", gfn2="ERROR"), "one_op_version",
    ),
    "another op-version than they have registered": (
        lambda p: p.numbers.update(gfn1=110000, gfn2=110000), "one_op_version",
    ),
    "an op-version that nobody has registered": (
        lambda p: setattr(p, "registered", ""), "one_op_version",
    ),
    "quota": (
        stored(lambda v: v["actual"]["volumes"]["rep3"]["options"].update(
            {"features.quota": "on"})),
        "plain_volumes",
    ),
    "the node has something to lose": (
        lambda p: setattr(p, "says", "ERROR: nothing was given back: bricks run here"),
        "node_agrees",
    ),
    "the node says another text": (lambda p: setattr(p, "says", "it has a volume"), "node_agrees"),
    "the node is silent": (lambda p: setattr(p, "says", None), "node_agrees"),
    "the node did not return": (
        lambda p: setattr(p, "says", "Minion did not return. [No response]"), "node_agrees",
    ),
    "the node is in the pool already": (
        lambda p: setattr(p, "says", {"changes": {}, "comment": "as it was"}), "node_agrees",
    ),
    "a hold": (lambda p: setattr(p, "hold", Hold("moving", "ann")), "not_held"),
    "a hold that cannot be read": (lambda p: setattr(p, "hold", Unknown("403")), "not_held"),
}  # fmt: skip


@pytest.mark.parametrize("name", AGAINST)
def test_one_check_that_is_not_yes_is_enough_even_with_its_uuid(pool: Pool, name: str) -> None:
    change, check = AGAINST[name]
    change(pool)
    plan = pool.run()
    assert plan["ready"] is False
    assert check in no(plan)
    with pytest.raises(GlusterError) as refused:
        pool.run(GFN3)
    assert (refused.value.kind, check in str(refused.value)) == ("not_ready", True)
    assert not pool.carried_out


@pytest.mark.parametrize("version", [None, {"version": 7, "at": 1.0}])
def test_without_a_stored_version_there_is_nothing_to_give_back(pool: Pool, version: Any) -> None:
    pool.version = version
    with pytest.raises(NotFound):
        pool.run(GFN3)
    assert pool.asked == []


def test_a_node_that_the_store_does_not_know_is_not_guessed(pool: Pool) -> None:
    with pytest.raises(NotFound):
        pool.run(GFN3, "gfn9")
    assert pool.asked == []


@pytest.mark.parametrize("done", [None, "Minion did not return. [No response]", "ERROR: it failed"])
def test_a_node_that_does_not_say_that_it_is_done_is_no_success(pool: Pool, done: Any) -> None:
    pool.done = done
    with pytest.raises(GlusterError) as lost:
        pool.run(GFN3)
    assert lost.value.kind == "unknown_outcome"


@pytest.mark.parametrize("row", [{}, {"connected": True, "state": 6}, {"uuid": "another"}])
def test_it_is_back_only_when_the_members_have_it_back(pool: Pool, row: dict[str, Any]) -> None:
    pool.row_after = row
    with pytest.raises(GlusterError) as lost:
        pool.run(GFN3)
    assert (lost.value.kind, "gfn1" in str(lost.value)) == ("not_back", True)
