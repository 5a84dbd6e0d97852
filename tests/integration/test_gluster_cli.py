"""``gluster`` against real glusterds: streams, other nodes, the handshake, locks, time-out."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import gluster_facts
import pytest
from waiting import until

from lab import Lab, Node
from salt_gluster.errors import Conflict, GlusterError, NotFound, OutcomeUnknown
from salt_gluster.gluster.cli import CliResult, GlusterCli, run_process
from salt_gluster.gluster.commands import COMMANDS, Command
from salt_gluster.gluster.parse.answer import CliAnswer
from salt_gluster.gluster.parse.peer import parse_uuid
from salt_gluster.gluster.reader import Reader
from salt_gluster.model import is_known

ROOT = Path(__file__).resolve().parents[2]


def gluster_on(node: Node) -> GlusterCli:
    def run(argv: Sequence[str], given: str | None, deadline_s: float) -> CliResult:
        return run_process([*node.prefix(), *argv], given, deadline_s)

    return GlusterCli(run=run)


def inside(node: Node, code: str, *args: str) -> object:
    """Run Python in the node's network; it prints JSON."""
    start = f"import sys, json; sys.path.insert(0, {str(ROOT)!r}); "
    return json.loads(node.ok([sys.executable, "-c", start + code, *args]))


REACH = (
    "from salt_gluster.gluster.handshake import reach; "
    "r = reach(sys.argv[1], sys.argv[2], limit_s=5); "
    "v = r.max_op_version; print(json.dumps([r.accepts, v if isinstance(v, int) else str(v)]))"
)


@pytest.fixture(scope="module")
def pool(plain: Lab) -> Lab:
    """g1 and g2 are a pool with a volume, g3 and g4 are in none."""
    first, second, *others = plain.nodes
    tool = gluster_on(first)
    for node in others:
        tool.change("peer_detach", host=node.name)
    for node in others:
        until(lambda n=node: not gluster_facts.peers(n), 30, f"{node} to be alone")  # type: ignore[misc]
    bricks = [f"{n.name}:/srv/gluster/v1" for n in (first, second)]
    tool.change("volume_create", volume="v1", replica=2, bricks=bricks, force=True)
    tool.change("volume_start", volume="v1")
    return plain


def uuid_of(node: Node) -> str:
    return parse_uuid(gluster_on(node).ask("uuid_get"))


def test_many_reads_come_from_one_process(pool: Lab) -> None:
    tool = gluster_on(pool.node("g1"))
    answers = tool.ask_many(
        [
            ("pool_list", {}),
            ("volume_info_one", {"volume": "nosuch"}),
            ("volume_status", {"volume": "v1"}),
            ("heal_summary", {"volume": "v1"}),
        ]
    )
    assert [type(a) for a in answers] == [CliAnswer, NotFound, CliAnswer, CliAnswer]
    assert tool.started == 1


@pytest.mark.capability(188)
def test_a_reader_sees_the_pool_from_both_sides_alike(pool: Lab) -> None:
    reader = Reader(gluster_on(pool.node("g1")), accepts=lambda name: True)
    peers, volumes = reader.pool()
    assert is_known(peers)
    assert is_known(volumes)
    digests = reader.definitions(peers)
    assert len(digests) == 2
    assert all(d == {"v1": volumes["v1"].digest()} for d in digests.values() if is_known(d))
    assert all(is_known(d) for d in digests.values())


def test_an_outsider_tells_what_it_is(pool: Lab) -> None:
    reader = Reader(
        gluster_on(pool.node("g1")), accepts=lambda name: True, resolve=lambda name: (name,)
    )
    found = reader.candidates(["g3"])["g3"]
    assert is_known(found.peers)
    assert (found.uuid, found.volumes) == (uuid_of(pool.node("g3")), ())
    assert [p.is_self for p in found.peers] == [True]


def can_run(node: Node) -> int:
    """Return the highest op-version of a node, as gluster tells it to people."""
    words = ["gluster", "volume", "get", "all", "cluster.max-op-version"]
    return int(node.ok(words).split()[-1])


def test_a_running_glusterd_tells_members_what_it_can_run(pool: Lab) -> None:
    g1, g2 = pool.node("g1"), pool.node("g2")
    one, two = uuid_of(g1), uuid_of(g2)
    version = inside(g1, REACH, g2.name, one)
    assert version == [True, can_run(g2)]
    assert inside(g1, REACH, "localhost", two) == version
    assert inside(g1, REACH, "localhost", one) != version
    accepts, why = inside(pool.node("g3"), REACH, g1.name, "")  # type: ignore[misc]
    assert (accepts, "refused" in why) == (True, True)


MANY = (
    "from salt_gluster.gluster.handshake import reach; "
    "host, uuid, times = sys.argv[1:]; "
    "told = [reach(host, uuid, limit_s=20).max_op_version for _ in range(int(times))]; "
    "print(json.dumps(sorted({str(v) for v in told})))"
)


def test_it_tells_them_also_while_volumes_change_and_it_tells_of_that(pool: Lab) -> None:
    """A change of a volume file is told to all who are connected, before the answer or after."""
    g1, g2 = pool.node("g1"), pool.node("g2")
    version = str(can_run(g2))
    sets = "volume set v1 performance.cache-size ${i}MB"
    script = f"for i in $(seq 12); do gluster --mode=script {sets}; done"
    changing = g2.popen(["sh", "-c", script])
    try:
        while changing.poll() is None:
            assert inside(g1, MANY, g2.name, uuid_of(g1), "150") == [version]
    finally:
        changing.wait(timeout=60)


def test_a_word_with_two_dashes_would_be_an_option_of_the_program(pool: Lab) -> None:
    """Why no argument may begin with "--": gluster takes its options from anywhere in a line."""
    node = pool.node("g1")
    said = node.run(["gluster", "volume", "set", "v1", "user.x", "--surprise"])
    assert "unrecognized option --surprise" in said.stdout + said.stderr


@pytest.mark.capability(165)
def test_a_lock_held_elsewhere_is_waited_out(pool: Lab) -> None:
    """Two nodes set options at the same moment, ten times; what was done is there.

    Seven tries are enough nearly always: who is told of a conflict has done nothing.
    """
    failed: list[GlusterError] = []
    last: dict[str, str] = {}

    def hammer(node: Node) -> None:
        tool = gluster_on(node)
        for turn in range(10):
            try:
                tool.change("volume_set", volume="v1", options={f"user.{node.name}": str(turn)})
                last[f"user.{node.name}"] = str(turn)
            except GlusterError as exc:
                failed.append(exc)
            # Else those of one follow so closely that the tries of the other run out.
            time.sleep(0.2)

    threads = [threading.Thread(target=hammer, args=(pool.node(n),)) for n in ("g1", "g2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not [f for f in failed if not isinstance(f, Conflict)]
    assert len(failed) < 4, failed
    options = gluster_facts.volumes(pool.node("g2"))["v1"]["options"]
    assert {name: options[name] for name in last} == last and len(last) == 2


def test_a_timed_out_set_has_an_unknown_outcome_and_may_be_carried_out(
    pool: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    g1, g2 = pool.node("g1"), pool.node("g2")
    short = Command(**{**COMMANDS["volume_set"].__dict__, "deadline_s": 5})
    monkeypatch.setitem(COMMANDS, "volume_set", short)  # type: ignore[arg-type]
    pool.fault("glusterd-freeze", g2.name)
    start = time.time()
    try:
        with pytest.raises(OutcomeUnknown) as caught:
            gluster_on(g1).change("volume_set", volume="v1", options={"user.late": "7"})
        told = inside(g1, REACH, g2.name, uuid_of(g1))
    finally:
        pool.heal("glusterd-freeze", g2.name)
    assert caught.value.kind == "timeout"
    assert caught.value.locked_until == pytest.approx(start + 200, abs=5)
    assert told[0] is True  # type: ignore[index]
    assert "did not tell" in told[1]  # type: ignore[index]

    def is_there() -> bool:
        volumes = Reader(gluster_on(g1)).volumes()
        return is_known(volumes) and volumes["v1"].options.get("user.late") == "7"

    until(is_there, 30, "the set that timed out to be carried out after the peer went on")
