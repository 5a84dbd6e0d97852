"""The old states: Salt's words, without the defects that facts.md#S-6.1 lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from salt_gluster.minion import legacy_state
from salt_gluster.minion.legacy_state import WHY, Salt, Wanted

A, B, C = (f"g{n}:/srv/b" for n in (1, 2, 3))
PEERS = {
    "u2": {"hostnames": ["g2", "g2.example.com"], "connected": "1", "state": "3"},
    "u3": {"hostnames": ["g3"], "connected": "1", "state": "3"},
}


class Pool:
    """What the module would tell of a pool, and do to it."""

    def __init__(self, *, test: bool = False) -> None:
        self.test, self.context = test, dict[str, Any]()
        self.peers: Any = PEERS
        self.volumes: dict[str, dict[str, Any]] = {}
        self.version: Any = "100000"
        self.done: list[tuple[Any, ...]] = []
        #: Why gluster refuses what changes something.
        self.refuses = ""

    def has(self, name: str, *bricks: str, status: str = "1", replica: int = 3) -> None:
        uuids = {"g2": "u2", "g3": "u3"}
        rows = {
            f"brick{i}": {"path": b, "hostUuid": uuids.get(b.split(":")[0], "u1")}
            for i, b in enumerate(bricks, 1)
        }
        self.volumes[name] = {"status": status, "bricks": rows, "replicaCount": str(replica),
                              "arbiterCount": "0", "transport": "0"}  # fmt: skip

    def change(self, act: Callable[..., object]) -> Callable[..., bool]:
        """Return a function of the module that does this, unless gluster refuses."""

        def called(*words: Any) -> bool:
            self.done.append(words)
            self.context[WHY] = self.refuses
            if not self.refuses:
                act(*words)
            return not self.refuses

        return called

    @property
    def salt(self) -> Salt:
        def create(name: str, bricks: list[str], *_: Any) -> None:
            self.has(name, *bricks, status="0")

        def start(name: str) -> None:
            self.volumes[name]["status"] = "1"

        def add(name: str, bricks: list[str]) -> None:
            here = [row["path"] for row in self.volumes[name]["bricks"].values()]
            self.has(name, *here, *bricks)

        def probe(name: str) -> None:
            self.peers = {**self.peers, "new": {"hostnames": [name]}}

        def raised(version: int) -> Any:
            self.done.append((version,))
            if self.refuses:
                return False, self.refuses
            self.version = str(version)
            return "Set volume successful"

        call: dict[str, Any] = {
            "glusterfs.peer_status": lambda: self.peers,
            "glusterfs.list_volumes": lambda: list(self.volumes),
            "glusterfs.info": lambda: {name: dict(v) for name, v in self.volumes.items()},
            "glusterfs.create_volume": self.change(create),
            "glusterfs.start_volume": self.change(start),
            "glusterfs.add_volume_bricks": self.change(add),
            "glusterfs.peer": self.change(probe),
            "glusterfs.get_op_version": lambda name: self.version,
            "glusterfs.get_max_op_version": lambda: "110000",
            "glusterfs.set_op_version": raised,
        }
        return Salt(call, self.test, self.context)


def wanted(*bricks: str, start: bool = True, replica: Any = 3, **more: Any) -> Wanted:
    told: dict[str, Any] = {
        "stripe": False, "device_vg": False, "transport": "tcp", "force": False, "arbiter": False,
    }  # fmt: skip
    return Wanted(list(bricks), replica=replica, start=start, **told | more)


def both(act: Callable[[Pool], dict[str, Any]], make: Callable[[Pool], object]) -> dict[str, Any]:
    """Run a state in test mode and then really: the same changes, and none in test mode."""
    first, second = Pool(test=True), Pool()
    make(first)
    make(second)
    promised, ret = act(first), act(second)
    assert first.done == []
    assert promised["changes"] == ret["changes"]
    assert promised["result"] is (None if ret["changes"] else ret["result"])
    return ret


@pytest.mark.parametrize(
    ("make", "comment", "changes"),
    [
        (lambda p: None, "is created and is now started", {"old": [], "new": ["v"]}),
        (lambda p: p.has("v", A, B, C, status="0"), "already exists and is now started",
         {"old": "stopped", "new": "started"}),
        (lambda p: p.has("v", A, B, C), "already exists and is started", {}),
    ],
)  # fmt: skip
def test_a_volume_is_made_and_started(make: Any, comment: str, changes: Any) -> None:
    ret = both(lambda p: legacy_state.volume_present("v", wanted(A, B, C), p.salt), make)
    assert (ret["result"], ret["changes"]) == (True, changes)
    assert ret["comment"] == f"Volume v {comment}"


@pytest.mark.parametrize(
    ("there", "replica", "why"),
    [
        ((A, B, "g3:/srv/other"), 3, "it has no brick g3:/srv/b"),
        ((A, B, C), 2, "replica is 2, not 3"),
    ],
)
def test_a_volume_of_another_shape_is_not_there_already(
    there: tuple[str, ...], replica: int, why: str
) -> None:
    def make(pool: Pool) -> None:
        pool.has("v", *there, replica=replica)

    ret = both(lambda p: legacy_state.volume_present("v", wanted(A, B, C), p.salt), make)
    assert ret["result"] is False and ret["comment"].endswith(why)


def test_another_name_of_a_host_and_more_bricks_are_no_difference() -> None:
    pool = Pool()
    pool.has("v", A, B, C, "g1:/srv/c", "g2:/srv/c", "g3:/srv/c")
    said = wanted("g1.example.com:/srv/b", "g2.example.com:/srv/b", "g3:/srv//b/")
    assert legacy_state.volume_present("v", said, pool.salt)["result"] is True
    strange = wanted("g9:/srv/d", B, C)
    assert legacy_state.volume_present("v", strange, pool.salt)["result"] is False


def test_a_failure_says_gluster_s_reason() -> None:
    pool = Pool()
    pool.refuses = "Host g3 is not in 'Peer in Cluster' state."
    ret = legacy_state.volume_present("v", wanted(A, B, C), pool.salt)
    assert (ret["result"], ret["changes"]) == (False, {})
    assert ret["comment"] == f"Creation of volume v failed: {pool.refuses}"


def test_a_volume_that_another_node_made_meanwhile_is_there() -> None:
    pool = Pool()
    pool.refuses = "Volume v already exists"
    salt = pool.salt
    lists = iter([[], ["v"]])
    pool.has("v", A, B, C)
    call = {**salt.call, "glusterfs.list_volumes": lambda: next(lists)}
    ret = legacy_state.volume_present("v", wanted(A, B, C), Salt(call, False, pool.context))
    assert (ret["result"], ret["changes"]) == (True, {})


def test_what_another_node_started_or_added_meanwhile_is_so() -> None:
    pool = Pool()
    pool.has("v", A, status="0")
    salt = pool.salt

    def by_another(name: str, *_: Any) -> bool:
        pool.has("v", A, B)
        return False

    call = {**salt.call, "glusterfs.start_volume": by_another}
    said = legacy_state.volume_present("v", wanted(A), Salt(call, False, pool.context))
    assert (said["result"], said["changes"]) == (True, {})
    pool.has("v", A, status="0")
    said = legacy_state.started("v", Salt(call, False, pool.context))
    assert (said["result"], said["changes"]) == (True, {})
    pool.has("v", A)
    call = {**salt.call, "glusterfs.add_volume_bricks": by_another}
    assert legacy_state.add_volume_bricks("v", [B], Salt(call, False, {}))["result"] is True


def test_a_volume_that_was_made_and_does_not_start_was_made() -> None:
    pool = Pool()
    salt = pool.salt
    call = {**salt.call, "glusterfs.start_volume": lambda name: False}
    ret = legacy_state.volume_present("v", wanted(A, B, C), Salt(call, False, {}))
    assert (ret["result"], ret["changes"]) == (False, {"old": [], "new": ["v"]})
    assert "is created but failed to start" in ret["comment"]


@pytest.mark.parametrize("name", ["a b", "a;b", "", "all", None])
def test_a_bad_name_is_a_false_state(name: Any) -> None:
    ret = legacy_state.volume_present(name, wanted(A), Pool().salt)
    assert (ret["result"], ret["comment"]) == (False, "Invalid characters in volume name.")
    ret = legacy_state.peered("a b", Pool().salt, lambda host: False)
    assert (ret["result"], ret["comment"]) == (False, "Invalid characters in peer name.")


def test_bricks_are_added_and_not_in_test_mode() -> None:
    more = ["g1:/srv/c", "g2:/srv/c", "g3:/srv/c"]

    def make(pool: Pool) -> None:
        pool.has("v", A, B, C)

    ret = both(lambda p: legacy_state.add_volume_bricks("v", [A, *more], p.salt), make)
    assert ret["changes"] == {"old": [A, B, C], "new": [A, B, C, *more]}
    pool = Pool()
    pool.has("v", A, B, C, status="2")
    assert legacy_state.add_volume_bricks("v", more, pool.salt)["result"] is False


def test_started_tells_its_changes() -> None:
    ret = both(lambda p: legacy_state.started("v", p.salt), lambda p: p.has("v", A, status="0"))
    assert ret["changes"] == {"old": "stopped", "new": "started"}
    assert legacy_state.started("w", Pool().salt)["comment"] == "Volume w does not exist"


@pytest.mark.parametrize(
    ("peer", "result"),
    [
        ({"connected": "1", "state": "3"}, True),
        ({}, True),
        ({"connected": "0", "state": "3"}, False),
        ({"connected": "1", "state": "6", "stateStr": "Peer Rejected"}, False),
    ],
)
def test_only_a_good_peer_is_peered(peer: dict[str, str], result: bool) -> None:
    pool = Pool()
    pool.peers = {"u2": {"hostnames": ["g2"], **peer}}
    ret = legacy_state.peered("g2", pool.salt, lambda host: False)
    assert (ret["result"], ret["changes"], pool.done) == (result, {}, [])


def test_a_host_is_invited_and_this_one_is_not() -> None:
    pool = Pool()
    ret = legacy_state.peered("g4", pool.salt, lambda host: False)
    assert ret["result"] is True and "new" in ret["changes"]["new"]
    assert legacy_state.peered("g1", pool.salt, lambda host: True)["result"] is True
    assert pool.done == [("g4",)]


@pytest.mark.parametrize(
    ("version", "result", "comment"),
    [
        ("100000", True, "already set"),
        (100000, True, "already set"),
        (110000, True, "Set volume successful"),
        (90000, False, "cannot be lowered"),
        ("ten", False, "not an op-version"),
    ],
)
def test_the_op_version_is_a_number_and_only_rises(
    version: Any, result: bool, comment: str
) -> None:
    ret = legacy_state.op_version("v", version, Pool().salt)
    assert ret["result"] is result and comment in ret["comment"]
    assert ret["changes"] == ({"old": 100000, "new": 110000} if version == 110000 else {})


def test_the_highest_op_version_is_asked_for() -> None:
    pool = Pool()
    assert legacy_state.max_op_version("v", pool.salt)["changes"]["new"] == 110000
    assert legacy_state.max_op_version("v", pool.salt)["changes"] == {}
    pool.version = (False, "Volume v does not exist")
    assert legacy_state.max_op_version("v", pool.salt)["comment"] == "Volume v does not exist"
