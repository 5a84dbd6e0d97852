"""A node that has registered and that a glob means: told once, let in by a yes or the policy."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from salt_gluster.consul.catalog import critical_checks
from salt_gluster.consul.documents import Document
from salt_gluster.consul.service import WAITS, Member, check_id, definition
from salt_gluster.master.engine.declared_config import Accepted, read_submissions, self_declared
from salt_gluster.minion.automation.registration import ip_of
from salt_gluster.model import Hold, Node, Observation, Ref, Unknown
from salt_gluster.remediation import FleetObservation, LockView, Memory, Policy, decide
from salt_gluster.remediation.agreement import Agreement, agreed
from salt_gluster.remediation.membership import Condition, ConsulView, Registered, Signal, ViewTrust
from salt_gluster.remediation.observation import Admission
from salt_gluster.remediation.policy import Mode

ACT = Policy(accept_node=Mode.ACT, accept_after_s=100.0, sight_settle_s=0.0)


@dataclass
class Story:
    """A leader that ticks every 10 s over a pool of g1 to g3; u6 is g6, which has registered."""

    policy: Policy = ACT
    memory: Memory = field(default_factory=Memory)
    now: float = 1000.0
    told: list[str] = field(default_factory=list)
    let_in: list[tuple[float, str]] = field(default_factory=list)
    shown: list[dict[str, Any]] = field(default_factory=list)

    def tick(self, times: int = 1, *, serf: Signal = Signal.GOOD, there: bool = True,
             admission: Admission | None = None, hold: Hold | None = None) -> None:  # fmt: skip
        for _ in range(times):
            self.now += 10.0
            rows = {f"u{n}": Registered(f"u{n}", f"g{n}", f"g{n}", Signal.GOOD) for n in (1, 2, 3)}
            if there:
                rows["u6"] = Registered("u6", "g6", "g6", serf)
            if admission is None:
                admission = Admission(
                    nodes=("g1", "g2", "g3"), candidates={"u6": "g6"} if there else {}
                )
            obs = FleetObservation(
                self.now, "main", ConsulView(ViewTrust(True), rows), LockView(True, 30.0, 7),
                {"u1": "g1", "u2": "g2", "u3": "g3"}, admission=admission, hold=hold,
                maintenance={}, pool=Observation(self.now, Node("g1"), peers=(), volumes={}),
                operations={}, outcomes={}, proposals={}, acknowledged=(),
            )  # fmt: skip
            done = decide(obs, self.policy, self.memory)
            self.memory = done.memory
            said = [n for n in done.notices if n.name == "g6" and n.event != "joined"]
            self.told += [n.event for n in said]
            self.let_in += [(self.now, name) for _, name in done.admission.accept]
            self.shown = [dict(row) for row in done.admission.proposed]


@pytest.fixture
def story() -> Story:
    return Story()


def test_it_is_told_once_also_by_the_next_leader(story: Story) -> None:
    story.policy = Policy()
    story.tick(5)
    assert story.told == ["proposed"]
    story.memory = Memory(conditions=story.memory.conditions, roster=story.memory.roster)
    story.tick(5)
    assert (story.told, story.let_in) == (["proposed"], [])
    assert [(row["name"], row["until"]) for row in story.shown] == [("g6", None)]


def test_the_policy_lets_it_in_once_it_was_well_for_long_enough(story: Story) -> None:
    story.tick(30)
    began = story.let_in[0][0]
    assert began >= 1000.0 + 100.0
    assert story.shown[0]["until"] <= began
    story.let_in.clear()
    taken = Admission(nodes=("g1", "g2", "g3", "g6"), accepted={"g6": "the policy"})
    story.tick(2, admission=taken)
    assert (story.told, story.let_in, story.shown) == (["proposed", "accepted"], [], [])


@pytest.mark.parametrize("how", ["serf", "check", "away"])
def test_the_clock_of_one_that_flaps_starts_again(story: Story, how: str) -> None:
    story.tick(2)  # the fleet opens
    ill = Admission(("g1", "g2", "g3"), candidates={"u6": "g6"}, critical=frozenset({"u6"}))
    for _ in range(10):
        story.tick(8)
        if how == "serf":
            story.tick(serf=Signal.BAD)
        elif how == "check":
            story.tick(admission=ill)
        else:
            story.tick(there=False)
    assert (story.let_in, story.told) == ([], ["proposed"])
    story.tick(11)
    assert story.let_in


def test_a_hold_stops_the_policy_and_starts_the_clock_again(story: Story) -> None:
    story.tick(8)
    story.tick(20, hold=Hold("moving the rack"))
    assert story.let_in == []
    assert [r["name"] for r in story.shown[0]["reasons"]] == ["fleet_open"]
    story.tick(4)
    assert story.let_in == []
    story.tick(12)
    assert story.let_in


def test_a_persons_no_and_a_node_that_left_end_it(story: Story) -> None:
    story.tick()
    story.tick(admission=Admission(("g1", "g2", "g3"), rejected={"g6": "ann"}))
    assert (story.told, story.shown) == (["proposed", "rejected"], [])
    story.tick()
    assert story.told == ["proposed", "rejected", "proposed"]  # a yes and a no may be taken back
    gone = Story(memory=story.memory, now=story.now)
    gone.tick(9, there=False)
    assert Ref("candidate", "u6") not in gone.memory.conditions
    assert [e for e in gone.told if e != "left"] == []


def test_a_node_that_waits_is_critical_for_dns_alone() -> None:
    me = Member("00000006-0000-4000-8000-000000000000", "g6", "g6", "main")
    ids = {c["CheckID"]: c for c in definition(replace(me, waits="not yet"))["Checks"]}
    mine = ids[check_id(WAITS)]
    assert (mine["Status"], mine["Notes"]) == ("critical", "not yet")
    assert {c["CheckID"] for c in definition(me)["Checks"]} == ids.keys() - {check_id(WAITS)}
    row = {"Node": "g6", "CheckID": check_id(WAITS), "ServiceName": "gluster"}
    assert not critical_checks([row]).hinting
    assert critical_checks([{**row, "CheckID": check_id("bricks")}]).hinting


def test_dns_gets_an_address_that_others_reach_and_the_one_of_before_where_none_is_known() -> None:
    assert ip_of("192.0.2.7", "192.0.2.1") == "192.0.2.7"
    assert ip_of("127.0.1.1", "192.0.2.1") == "192.0.2.1"
    assert ip_of("no-such-name.invalid", "192.0.2.1") == "192.0.2.1"
    me = Member("00000006-0000-4000-8000-000000000000", "g6", "g6", "main", address="g6.lan")
    assert definition(me)["Address"] == "g6.lan"
    one = definition(replace(me, ip="192.0.2.7"))
    assert (one["Address"], one["Checks"][0]["TCP"]) == ("192.0.2.7", "g6.lan:24007")


def test_what_was_told_before_globs_is_no_newcomer(story: Story) -> None:
    story.tick(3, admission=Admission(("g1", "g2", "g3")))
    assert story.told == []
    assert Condition("proposed", 0.0) not in story.memory.conditions.values()


# --- who stands there ----------------------------------------------------------------------------

NAMES = {"u1": "g1", "u2": "g2", "u7": "x7", "u8": "g_8", "u9": "g9"}
SPEC = {"nodes": ["g1", "g*"], "volumes": {}}


def test_only_whom_a_glob_means_waits_and_nobody_whose_name_gluster_would_not_take() -> None:
    admission = Admission(nodes=frozenset({"g1", "g2"}))
    assert Accepted(number=1, spec=SPEC, admission=admission).pending(NAMES) == {"u9": "g9"}
    assert Accepted(number=1, spec={"nodes": "g[1-2]"}, admission=admission).pending(NAMES) == {}
    no = replace(admission, rejected={"g9": "ann"})
    assert Accepted(number=1, spec=SPEC, admission=no).pending(NAMES) == {}


def said(by: str, nodes: Any, at: float = 1.0) -> Document:
    spec = {"nodes": nodes, "volumes": {}}
    data = {"schema": 1, "by": by, "at": at, "spec": spec, "policy": {}}
    return Document(f"gluster/main/submitted/{by}", data, 1)


def test_who_is_not_accepted_has_no_say_but_is_heard_to_ask() -> None:
    told = [said("g6", ["g1", "g*"], at=9.0), said("g1", ["g1", "g*"], at=2.0)]
    found = agreed(read_submissions(told), ())
    assert isinstance(found, Agreement) and found.submission.by == "g1"
    assert isinstance(agreed(read_submissions([said("g6", "g*")]), ()), Unknown)
    later = agreed(read_submissions([said("g6", "g*")]), (), {"g6": "ann"})
    assert isinstance(later, Agreement) and later.submission.by == "g6"


def test_before_any_declaration_a_node_asks_for_itself_and_for_nobody_else() -> None:
    """Whose a submission is says its key, not ``by``: that any node may write as it likes."""
    said_by = [
        replace(said(by, nodes), key=f"gluster/main/submitted/{uuid}")
        for uuid, by, nodes in (("u9", "g9", "g*"), ("u7", "x7", "g*"), ("u2", "g2", "g[1-2]"),
                                ("u0", "g1", "g*"), ("u7", "g1", "g*"))
    ]  # fmt: skip
    own = Accepted(self_declared=self_declared([*said_by, Unknown("x")]))
    assert own.pending(NAMES) == {"u9": "g9"}
