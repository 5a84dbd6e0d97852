"""Consul taken away from the engine in parts: of two one or both are cut off, a token is revoked.

Salt's bus is a file here. What Consul's own troubles do to a pool with real bricks under automation
is in test_maintenance.py, a frozen agent in test_engine.py. Timers are short, but real where a
token is revoked and when the stories of two masters are told again.
"""

from __future__ import annotations

import json
import random
import re
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from consul_world import FENCED_ADDRESS, ROOT_TOKEN, agent_with_acl, inside
from engine_process import Process
from fake_catalog import HAND_OVER_S, Consul, leads, named
from short_timers import REAL, Timers, short
from waiting import until

from lab import Lab, Node
from salt_gluster.consul import queries, service
from salt_gluster.consul.acl import Grant, Registrar, engine_rules
from salt_gluster.consul.client import Client
from salt_gluster.consul.settings import Access
from salt_gluster.remediation.policy import Policy

VIEW_EVENTS = {"view_lost", "view_restored"}
#: Short where it is ours, so that what takes time is Consul's. An intent outlives the story: nobody
#: carries it out, and a second one would be a second claim.
PATIENCE = {
    "restart_after_s": [3.0], "decide_twice_s": 3.0, "sight_settle_s": 3.0, "tick_s": 2.0,
    "intent_s": 900.0,
}  # fmt: skip


def patience(timers: Timers) -> dict[str, Any]:
    """Return the policy for an engine with this lease, of which enough is left to begin something.

    Else it would tell everything and begin nothing.
    """
    lock_left_s = min(Policy().lock_left_s, timers.lease.trust_s / 2)
    return {**PATIENCE, "lock_left_s": lock_left_s}


@pytest.fixture(scope="module")
def pool(agents: Lab) -> Lab:
    return agents


@pytest.fixture
def cluster(request: pytest.FixtureRequest) -> str:
    return re.sub("[^a-z0-9]+", "-", request.node.name)[5:45]


def told(process: Process) -> list[dict[str, Any]]:
    """Return what it fired but its own view, which every engine announces on its own bus."""
    return [e for e in process.fired() if e["tag"].rsplit("/", 1)[1] not in VIEW_EVENTS]


def led(process: Process) -> list[dict[str, Any]]:
    """Return what it told as the leader; without Consul it only tells of bricks that are down."""
    blind, said = False, []
    for event in process.fired():
        word = event["tag"].rsplit("/", 1)[1]
        if word in VIEW_EVENTS:
            blind = word == "view_lost"
        elif event["epoch"]:
            said.append(event)
        else:
            assert blind and event["tag"].split("/")[3::2] == ["brick", "down"], event
    return said


def recorded(folder: Path, names: list[str], dead: list[int]) -> None:
    """Let the minions of every engine below this folder answer as a pool would."""
    new = folder / "new"
    new.write_text(json.dumps({"names": names, "dead": dead}))
    new.rename(folder / "pool.json")


def test_the_roster_wakes_for_who_comes_and_goes_and_not_for_checks(
    pool: Lab, cluster: str
) -> None:
    """The rows' own index moves with every check of their nodes: a watch would never wait."""
    consul = Consul(pool.node("g1"), cluster)
    names = [consul.register(n) for n in range(3)]
    with inside(pool.node("g4")):
        client = Client(Access())
        ask = queries.roster(client)
        first = ask(0, 1)
        rows = client.catalog_service(service.SERVICE)
        for status in ("critical", "passing", "critical"):
            consul.serf(names[0], status)
        began = time.monotonic()
        quiet = ask(first.index, 3)
        assert time.monotonic() - began > 2.5
        assert quiet.digest == first.digest
        assert client.catalog_service(service.SERVICE).index > rows.index
        threading.Timer(1, lambda: consul.register(3)).start()
        joined = ask(quiet.index, 30)
    assert {m.node for m in service.members(joined.data, cluster)} == {*names, f"{cluster}-n3"}
    consul.clear()


@pytest.mark.capability(142)
def test_a_node_that_flaps_is_told_once_and_not_at_every_turn(
    pool: Lab, cluster: str, tmp_path: Path
) -> None:
    consul = Consul(pool.node("g1"), cluster)
    consul.just_looked()
    names = [consul.register(n) for n in range(12)]
    engine = Process(pool.node("g4"), cluster, "m1", tmp_path / "m1", timers=short())
    until(lambda: leads(engine, consul), 60, "it leads")
    until(lambda: consul.has(consul.keys.members), 30, "it has seen what there is")
    for status in ("critical", "passing") * 10:
        consul.serf(names[2], status)
        engine.comes_by(1)
    engine.comes_by()
    engine.kill()
    assert [(e["data"]["name"], e["data"]["event"]) for e in told(engine)] == [
        (names[2], "suspect")
    ]
    consul.clear()


def test_a_node_whose_agent_alone_is_gone_is_told_as_that_and_nothing_is_done(
    pool: Lab, cluster: str, tmp_path: Path
) -> None:
    """Its bricks serve, its minion answers: Consul alone misses it."""
    consul = Consul(pool.node("g1"), cluster)
    consul.just_looked()
    policy = {**patience(short()), "down_after_s": 5.0, "suspect_clear_s": 5.0}
    names = consul.declare(4, policy)
    recorded(tmp_path, names, [])
    engine = Process(pool.node("g4"), cluster, "m1", tmp_path / "m1", timers=short())
    until(lambda: consul.mode() == "open", 90, "the pool is open")
    consul.serf(names[1], "critical")
    until(lambda: engine.fired("consul_only"), 60, "it is told")
    consul.serf(names[1], "passing")
    until(lambda: engine.fired("up"), 60, "it is well again")
    engine.kill()
    said = [(e["data"]["name"], e["data"]["event"]) for e in told(engine)]
    assert said == [(names[1], event) for event in ("suspect", "consul_only", "up")]
    assert consul.operations() == []
    consul.clear()


# --- two masters, and a cut between them and Consul ----------------------------------------------

#: Where the first engine is, which leads, and the second.
SEATS = {
    "cable": ("g4", "g3"), "deaf": ("g5", "g3"), "mute": ("g6", "g3"), "both": ("g7", "g8"),
    "frozen": ("g2", "g3"),
}  # fmt: skip
NOWHERE = "02:00:00:00:00:01"
_ONE_AT_A_TIME = threading.Lock()


def strike(pool: Lab, kind: str, first: Process) -> None:
    """Cut the first engine off, or both: the cable, one direction without a word, the process."""
    here, other = (pool.node(name) for name in SEATS[kind])
    rest = [node for node in pool.nodes if node.name != here.name]
    if kind == "frozen":
        first.freeze()
    elif kind == "mute":
        astray(here, rest)
    elif kind == "deaf":
        for node in rest:
            astray(node, [here])
    else:
        for node in (here, other)[: 1 + (kind == "both")]:
            with _ONE_AT_A_TIME:
                pool.fault("cut", node.name)


def mend(pool: Lab, kind: str, first: Process) -> None:
    here, other = (pool.node(name) for name in SEATS[kind])
    rest = [node for node in pool.nodes if node.name != here.name]
    if kind == "frozen":
        first.thaw()
    elif kind == "mute":
        found_again(here, rest)
    elif kind == "deaf":
        for node in rest:
            found_again(node, [here])
    else:
        for node in (here, other)[: 1 + (kind == "both")]:
            with _ONE_AT_A_TIME:
                pool.heal("cut", node.name)


def astray(node: Node, others: list[Node]) -> None:
    """Let all that a node sends to these be lost on the way."""
    words = ["ip", "neigh", "replace", "lladdr", NOWHERE, "nud", "permanent", "dev", "eth0"]
    for other in others:
        node.ok([*words, "to", other.address])


def found_again(node: Node, others: list[Node]) -> None:
    """Undo it; the way from the mute to the deaf is lost to both stories, the first finds it."""
    for other in others:
        words = ["ip", "neigh", "del", other.address, "dev", "eth0"]
        done = node.run(words)
        assert not done.returncode or "No such file" in done.stderr, (words, done.stderr)


class Story:
    """Two engines of one pool, a brick that dies, and a cut somewhere in between."""

    def __init__(self, pool: Lab, kind: str, turn: int, folder: Path) -> None:
        self.pool, self.kind = pool, kind
        self.folder = folder / f"{kind}-{turn}"
        self.folder.mkdir()
        self.chance = random.Random(f"{kind} {turn}")
        #: `make long` tells them again on the real ones.
        self.timers: Timers = REAL if turn else short()
        self.consul = Consul(pool.node("g1"), self.folder.name)

    def tell(self) -> None:
        names = self.consul.declare(4, patience(self.timers))
        recorded(self.folder, names, [])
        one, two = self.one, self.two = self._engines()
        until(self._is_open, 60, "the pool is open")
        recorded(self.folder, names, [1])
        self.consul.lose_brick(1, names)
        time.sleep(self.chance.uniform(0, 12))  # before the claim, or after it
        strike(self.pool, self.kind, one)
        if self.kind == "both":
            until(lambda: one.fired("view_lost") and two.fired("view_lost"), 60, "both are blind")
            # The session ends when it was not renewed for twice its time, or it does not.
            time.sleep(self.chance.uniform(0, 1.5 * self.timers.lease.session_ttl_s))
        else:
            until(lambda: leads(two, self.consul), 3 * HAND_OVER_S, "the other leads")
        mend(self.pool, self.kind, one)
        for engine in (one, two):
            until(lambda e=engine: balanced(e), 120, "a view again")
        until(self.consul.operations, 2 * HAND_OVER_S, "the claim")
        self.late = self.consul.register(9)
        until(self._told_late, 2 * HAND_OVER_S, "the others go on")
        for engine in (one, two):
            engine.comes_by()
        one.kill()
        two.kill()

    def _engines(self) -> tuple[Process, Process]:
        first, second = (self.pool.node(name) for name in SEATS[self.kind])
        cluster, timers = self.consul.cluster, self.timers
        one = Process(first, cluster, "m1", self.folder / "m1", timers=timers)
        until(lambda: leads(one, self.consul), 60, "the first leads")
        return one, Process(second, cluster, "m2", self.folder / "m2", timers=timers)

    def _is_open(self) -> bool:
        return self.consul.mode() == "open"

    def _told_late(self) -> bool:
        return any(self.late in named(engine, "joined") for engine in (self.one, self.two))

    def check(self) -> None:
        (claim,) = self.consul.operations()
        assert claim["state"] == "intent"
        both = {"m1": led(self.one), "m2": led(self.two)}
        rows = sorted((e["wall"], e["epoch"], who) for who, said in both.items() for e in said)
        epochs = [epoch for _, epoch, _ in rows]
        assert epochs == sorted(epochs)  # nor one after another one had begun
        assert len({(epoch, who) for _, epoch, who in rows}) == len(set(epochs))
        ids: dict[str, set[str]] = {}
        for event in (*both["m1"], *both["m2"]):
            ids.setdefault(event["tag"], set()).add(event["data"]["id"])
        assert {tag: len(found) for tag, found in ids.items()} == dict.fromkeys(ids, 1)
        told_of = {tuple(tag.split("/")[i] for i in (3, 5)) for tag in ids}
        wanted = {("brick", "down"), ("volume", "degraded"), ("remediation", "started"),
                  ("node", "joined")}  # fmt: skip
        # One that was struck between the claim and the request has asked nobody, and never will.
        asked = {("remediation", "execute")}
        wanted |= asked if claim["epoch"] == max(epochs) else set()
        # A node that has only just joined has not told its version: nothing is done for now.
        # A hold that cannot be read for a moment, while Consul is cut off, is told as one.
        more = {("remediation", "resumed"), ("remediation", "refused"),
                ("cluster", "held"), ("cluster", "released")}  # fmt: skip
        assert wanted <= told_of <= wanted | asked | more


def balanced(engine: Process) -> bool:
    """Whether its view is fresh, by what it announced last."""
    return len(engine.fired("view_lost")) == len(engine.fired("view_restored"))


@pytest.mark.long
def test_of_two_engines_one_speaks_at_a_time_and_claims_once_however_they_are_cut_off(
    pool: Lab, tmp_path: Path, rounds: int
) -> None:
    for turn in range(-(-rounds // len(SEATS))):
        stories = [Story(pool, kind, turn, tmp_path) for kind in SEATS]
        with ThreadPoolExecutor(len(stories)) as at_once:
            for done in [at_once.submit(story.tell) for story in stories]:
                done.result()
        for story in stories:
            story.check()
            story.consul.clear()


def test_a_revoked_token_blinds_and_what_happened_meanwhile_is_told_when_it_is_back(
    pool: Lab, cluster: str, tmp_path: Path
) -> None:
    """Deleted and made again; then a token whose rights were taken: it gets empty answers."""
    node, root = pool.node("g4"), Access(FENCED_ADDRESS, ROOT_TOKEN)
    secret = str(uuid.uuid4())
    whole = Grant("engine", cluster, secret, engine_rules(cluster))
    less = replace(whole, rules={"session_prefix": {"": {"policy": "write"}}})
    with agent_with_acl(node):
        consul = Consul(node, cluster, root)
        consul.register(0)
        with inside(node):
            registrar = Registrar(Client(root))
            registrar.ensure([whole])
        access = FENCED_ADDRESS, secret
        engine = Process(node, cluster, "m1", tmp_path / "m1", *access, timers=REAL)
        until(lambda: leads(engine, consul), 60, "it leads")
        until(lambda: consul.has(consul.keys.members), 30, "it has seen what there is")
        joined = []
        for turn, take in enumerate((registrar.revoke, lambda _: registrar.ensure([less])), 1):
            with inside(node):
                take(whole)
            joined.append(consul.register(turn))
            until(lambda n=turn: len(engine.fired("view_lost")) >= n, 60, f"view lost {turn}")
            engine.comes_by()
            with inside(node):
                registrar.ensure([whole])
            until(
                lambda n=turn: len(engine.fired("view_restored")) >= n, 120, f"view restored {turn}"
            )
            until(lambda: set(joined) <= set(named(engine, "joined")), 120, "it tells")
        engine.kill()
    # What was told before may be told again, under the very same id.
    ids = {name: len(ids) for name, ids in named(engine, "joined").items()}
    assert ids == dict.fromkeys(joined, 1)
    assert {e["data"]["event"] for e in told(engine)} == {"joined"}
    assert "right" in engine.fired("view_lost")[1]["data"]["why"]
    assert secret not in (tmp_path / "m1" / "log").read_text()
