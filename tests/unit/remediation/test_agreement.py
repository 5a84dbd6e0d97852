"""Which declaration is in force: that of most members, whatever one of them writes."""

from __future__ import annotations

from typing import Any

import pytest
from fake_consul import FakeConsul
from hypothesis import given
from hypothesis import strategies as st

from salt_gluster.consul.leader_lock import LeaderLock
from salt_gluster.consul.store import Store
from salt_gluster.master.engine.declared_config import Accepted, accept
from salt_gluster.model import Unknown
from salt_gluster.remediation.agreement import (
    Agreement,
    Submission,
    agreed,
    named_nodes,
    submission_from,
)
from salt_gluster.remediation.policy import Mode

MEMBERS = ("u1", "u2", "u3")
A = {"restart_brick": "act"}
B = {"restart_brick": "observe"}


def data(policy: Any = A, at: float = 1.0, by: str = "g1", **changes: Any) -> dict[str, Any]:
    spec = {"nodes": ["g1", "g2", "g3"]}
    return {"schema": 1, "at": at, "by": by, "spec": spec, "policy": policy, **changes}


def submission(uuid: str, policy: Any = A, **changes: Any) -> Submission:
    read = submission_from(uuid, data(policy, **{"by": uuid.replace("u", "g"), **changes}))
    assert isinstance(read, Submission)
    return read


@pytest.mark.parametrize("members", [MEMBERS, ()])
def test_one_node_decides_nothing_whatever_its_clock_and_its_name(members: Any) -> None:
    voices = [submission("u1"), submission("u2"), submission("u3", B, at=9e15, by="g1")]
    found = agreed(voices, members)
    assert isinstance(found, Agreement)
    assert (found.submission.policy, found.nodes) == (A, ("u1", "u2"))


def test_before_the_pool_is_known_as_many_have_to_agree_as_the_declaration_needs() -> None:
    assert isinstance(agreed([submission("u1")], ()), Unknown)
    assert isinstance(agreed([submission("u1"), submission("u2")], ()), Agreement)


def test_who_is_no_member_has_no_say() -> None:
    gone = [submission(f"old{n}", B) for n in range(9)]
    found = agreed([*gone, submission("u1"), submission("u2")], MEMBERS)
    assert isinstance(found, Agreement)
    assert found.submission.policy == A
    assert isinstance(agreed([*gone, submission("u1")], MEMBERS), Unknown)


def test_half_is_no_majority_and_says_so() -> None:
    found = agreed([submission("u1"), submission("u2", B)], MEMBERS)
    assert isinstance(found, Unknown)
    assert found.why == "1 of 3 nodes submit the same: no majority"
    two_of_four = [submission("u1"), submission("u2"), submission("u3", B), submission("u4", B)]
    assert isinstance(agreed(two_of_four, ("u1", "u2", "u3", "u4")), Unknown)


@pytest.mark.parametrize(
    "change",
    [{"policy": {"tick_s": 0}}, {"policy": {"unhealthy_divisor": 0}}, {"policy": {"zeros": "x"}},
     {"spec": {"nodes": []}}, {"spec": {"nodes": [[[]]]}}, {"spec": {}}],
)  # fmt: skip
def test_what_a_pillar_may_not_say_is_not_taken_from_a_majority_either(
    change: dict[str, Any],
) -> None:
    voices = [submission_from(u, {**data(), **change}) for u in MEMBERS]
    found = agreed([v for v in voices if isinstance(v, Submission)], MEMBERS)
    assert isinstance(found, Unknown)
    assert "cannot be taken" in found.why


@given(
    st.dictionaries(
        st.text(max_size=8),
        st.recursive(st.none() | st.integers() | st.text(), lambda i: st.lists(i), max_leaves=9),
    )
)
def test_no_declaration_ends_who_reads_it(spec: dict[str, Any]) -> None:
    named_nodes(Submission("u1", "g1", spec, {}, "d"))


@pytest.mark.parametrize("change", [{"schema": 2}, {"policy": [1]}, {"spec": None}])
def test_what_is_no_submission_says_why(change: dict[str, Any]) -> None:
    assert isinstance(submission_from("u1", {**data(), **change}), Unknown)


# --- in Consul -----------------------------------------------------------------------------------


class Pool:
    """A pool in Consul whose leader takes what the nodes submit."""

    def __init__(self) -> None:
        self.client = FakeConsul().client()
        self.store = Store(self.client, "main")
        self.lock = LeaderLock(self.client, "main", "m1")
        self.lock.renew()
        peers = {u: [f"g{n}"] for n, u in enumerate(MEMBERS, 1)}
        actual = {"volumes": {}, "peers": peers}
        self.store.accept({"actual": actual}, by="", why="first seen", now=1.0)

    def submit(self, uuid: str, policy: Any, at: float = 1.0) -> None:
        self.store.submit(uuid, data(policy, at))

    def accepted(self) -> Accepted:
        return accept(self.store, self.lock, 5.0)


def test_a_policy_taken_back_is_taken_back() -> None:
    pool = Pool()
    for uuid in MEMBERS:
        pool.submit(uuid, A)
    assert pool.accepted().policy.restart_brick is Mode.ACT
    pool.submit("u1", B, 2.0)  # on one node
    assert pool.accepted().policy.restart_brick is Mode.ACT
    for uuid in MEMBERS:
        pool.submit(uuid, B, 3.0)
    assert pool.accepted().policy.restart_brick is Mode.OBSERVE
    pool.submit("u1", A, 4.0)
    pool.submit("u2", A, 4.0)  # the third is down and keeps what it said
    last = pool.accepted()
    assert last.policy.restart_brick is Mode.ACT
    assert last.current is not None
    assert last.current["by"] == "g1, g2"


def test_in_consul_too_who_is_no_member_has_no_say() -> None:
    pool = Pool()
    for uuid in ("u1", "u2"):
        pool.submit(uuid, A)
    for uuid in ("x1", "x2", "x3"):  # each calls itself g1, as the declaration does
        pool.submit(uuid, B)
    assert pool.accepted().policy.restart_brick is Mode.ACT


def test_a_broken_submission_leaves_what_is_in_force() -> None:
    pool = Pool()
    pool.submit("u1", A)
    pool.submit("u2", A)
    for value in (b"[[[[", b'{"schema": 1, "policy": [1]}', b'{"schema": 1}', b"lzma:zz"):
        pool.client.kv_put(pool.store.keys.submitted("u3"), value)
        assert pool.accepted().policy.restart_brick is Mode.ACT


def test_that_the_members_do_not_agree_is_told() -> None:
    pool = Pool()
    pool.submit("u1", A)
    assert "1 of 3 nodes submit the same" in pool.accepted().words
