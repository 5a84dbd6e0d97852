"""GlusterFS's own events on a real pool: registered on every node, received, folded, and a hint.

No sensor runs here: what the leader learns sooner than at its next collection it learns because an
event made it look.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from waiting import until

from lab import Lab
from salt_gluster.gluster.events import KINDS

TOKEN = "c0ffee5d0c9a7be1f24c30c0ffee5d0c"
OTHERS = "http://198.18.99.99:9/theirs"
PORT = 24017
FOLDER = "/var/lib/glusterd/events"
PILLAR: dict[str, Any] = {
    "gluster": {
        "nodes": "g[1-3]",
        "volumes": {"data": {"replica": 3}},
        "remediation": {"restart_brick": {"mode": "observe"}, "sight_settle": 10},
    }
}


class World:
    """Three nodes, and a master with the engine that leads and the one that receives."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.url = f"http://{lab.master.address}:{PORT}/gluster"

    def declare(self, **webhook: Any) -> None:
        told = {"gluster_consul": {"webhook": webhook}} if webhook else {}
        self.lab.write_pillar(PILLAR | told)

    def apply(self, **words: Any) -> dict[str, dict[str, Any]]:
        """Run the state on every node at once and return minion -> what it returned."""
        told = self.lab.salt("*", "state.single", "gluster_events.webhook", "events", **words)
        assert TOKEN not in json.dumps(told)
        return {minion: next(iter(states.values())) for minion, states in told.items()}

    def webhooks(self, node: str) -> dict[str, Any]:
        return dict(json.loads(self.lab.node(node).ok(["cat", f"{FOLDER}/webhooks.json"])))

    def status(self) -> dict[str, Any]:
        done = self.lab.node("g1").run(["consul", "kv", "get", "gluster/main/status"])
        return dict(json.loads(done.stdout)) if done.returncode == 0 else {}

    def hint(self) -> dict[str, Any]:
        done = self.lab.node("g1").run(["consul", "kv", "get", "gluster/main/hint"])
        return dict(json.loads(done.stdout)) if done.returncode == 0 else {}

    def heard(self, event: str) -> list[str]:
        """Return the lines of news of an event in the master's log."""
        log = self.lab.master.run(["grep", f"] {event} ", "/var/log/salt/master"])
        return log.stdout.splitlines()

    def uuid(self, node: str) -> str:
        words = ["sed", "-n", "s/UUID=//p", "/var/lib/glusterd/glusterd.info"]
        return self.lab.node(node).ok(words).strip()


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with Lab.up("events", nodes=3) as lab:
        here = World(lab)
        here.declare()
        master = lab.master
        settings = {"address": master.address, "port": PORT, "token": TOKEN}
        file = "/etc/salt/master.d/events.conf"
        master.ok(
            ["sh", "-c", f"umask 077; cat > {file}"],
            input=json.dumps({"engines": [{"gluster_events": settings}]}),
        )
        lab.setup()
        for minion, states in lab.salt("*", "state.apply", "gluster.pool").items():
            assert isinstance(states, dict), (minion, states)
            assert [s["comment"] for s in states.values() if s["result"] is not True] == []
        lab.salt("*", "saltutil.refresh_pillar", wait=True)
        lab.salt("*", "gluster_consul.register")
        lab.salt("*", "gluster_consul.report")
        yield here


def test_the_table_has_every_type_that_this_glusterfs_knows(world: World) -> None:
    words = ["sh", "-c", "cat /usr/lib/*/glusterfs/gfevents/eventtypes.py"]
    known = set(re.findall(r'"EVENT_([A-Z_]+)"', world.lab.node("g1").ok(words)))
    assert len(known) > 100
    assert known == set(KINDS)


@pytest.mark.capability(151)
def test_every_node_posts_its_events_past_the_traps_and_proves_it(world: World) -> None:
    """All nodes at once; somebody's own webhook, which failed half-way, stays."""
    g2 = world.lab.node("g2")
    theirs = g2.run(["gluster-eventsapi", "webhook-add", OTHERS, "-t", "theirs"])
    assert theirs.returncode == 8  # the other nodes have no such directory: the first trap
    world.declare(url=world.url, token=TOKEN)
    forecast = world.apply(test=True)
    assert {row["result"] for row in forecast.values()} == {None}
    assert g2.run(["cat", f"{FOLDER}/webhooks.json"]).stdout.count("http") == 1
    done = world.apply()
    for minion, row in done.items():
        assert row["result"] is True, row["comment"]
        assert row["changes"] == forecast[minion]["changes"]
        assert set(row["changes"]) == {"webhook", "folder", "boot", "glustereventsd"}
        assert "arrived" in row["comment"]
    for node in ("g1", "g2", "g3"):
        assert world.webhooks(node)[world.url]["token"] == TOKEN
        assert (OTHERS in world.webhooks(node)) is (node == "g2")
        mode = world.lab.node(node).ok(["stat", "-c", "%a", FOLDER])
        assert mode.strip() == "700"
    again = world.apply()
    assert [row["changes"] for row in again.values()] == [{}, {}, {}]
    assert {row["result"] for row in again.values()} == {True}


def test_a_webhook_that_somebody_adds_later_reaches_the_daemons_with_the_next_run(
    world: World,
) -> None:
    g3 = world.lab.node("g3")
    g3.ok(["gluster-eventsapi", "webhook-add", OTHERS + "/2", "-t", "theirs"])
    done = world.apply()
    for node, row in done.items():
        assert row["result"] is True, row["comment"]
        assert set(row["changes"]) <= {"glustereventsd", "webhook"}
        assert "glustereventsd" in row["changes"]
        assert {world.url, OTHERS + "/2"} <= set(world.webhooks(node))
    assert [row["changes"] for row in world.apply().values()] == [{}, {}, {}]


@pytest.mark.capability(150, 153)
def test_what_two_nodes_say_of_a_third_is_heard_once_and_hinted_at(world: World) -> None:
    gone = world.uuid("g3")
    assert world.heard("PEER_DISCONNECT") == []
    world.lab.fault("glusterd-kill", "g3")
    until(lambda: world.heard("PEER_DISCONNECT"), 60, "the event")
    told = ["grep", "PEER_DISCONNECT", "/var/log/glusterfs/events.log"]
    for node in (world.lab.node("g1"), world.lab.node("g2")):
        until(lambda node=node: node.run(told).returncode == 0, 60, f"{node} said so")
    until(lambda: gone in world.hint().get("nodes", ()), 30, "the hint")
    assert world.hint()["by"].startswith("master")
    time.sleep(3)
    (line,) = world.heard("PEER_DISCONNECT")
    assert gone in line
    world.lab.heal("glusterd-kill", "g3")
    until(lambda: world.heard("PEER_CONNECT"), 60, "back")


def test_an_event_makes_the_leader_look_at_once_and_it_decides_by_what_it_sees(
    world: World,
) -> None:
    def bricks() -> set[str]:
        return {b["state"] for b in world.status().get("bricks", {}).values()}

    until(lambda: bricks() in (set(), {"up"}), 300, "the leader sees a pool that is well")
    until(lambda: world.status().get("mode") == "open", 300, "open")
    time.sleep(5)
    began = time.monotonic()
    world.lab.fault("brick-kill", "g2", "data")
    until(lambda: "down" in bricks(), 60, "down")  # a collection comes every 300 s
    print(f"a brick that died is down after {time.monotonic() - began:.1f} s, without a sensor")
    world.lab.heal("brick-kill", "g2", "data")


def test_nobody_without_the_token_hears_anything_at_any_other_address(world: World) -> None:
    where = (world.lab.master.address, PORT)
    ask = (
        f"import socket; there = socket.create_connection({where!r}, 5);"
        "there.sendall(b'POST /gluster HTTP/1.1\\r\\nContent-Length: 2\\r\\n\\r\\n{}');"
        "print(there.recv(9999))"
    )
    said = world.lab.node("g1").ok(["/usr/bin/python3", "-c", ask])
    assert said.strip() == repr(b"HTTP/1.0 401 \r\nContent-Length: 0\r\n\r\n")
    listens = world.lab.master.ok(["ss", "-Hltn", f"sport = :{PORT}"]).split()
    assert [word for word in listens if word.endswith(f":{PORT}")] == [
        f"{world.lab.master.address}:{PORT}"
    ]


def test_the_token_is_in_no_log_no_job_and_no_file_of_others(world: World) -> None:
    for node in world.lab.members:
        folders = ["/var/log", "/var/cache/salt/master/jobs", "/run"]
        found = node.run(["grep", "-rl", TOKEN, *folders]).stdout.split()
        assert found == []


def test_a_receiver_that_is_not_there_is_said_and_the_right_one_takes_its_place(
    world: World,
) -> None:
    wrong = world.url.replace(str(PORT), "24018")
    world.declare(url=wrong, token=TOKEN)
    for node, row in world.apply(wait_s=2).items():
        assert row["result"] is False
        assert "does not answer" in row["comment"]
        assert row["changes"]["webhook"] == {"old": world.url, "new": wrong}
        assert world.url not in world.webhooks(node)
    world.declare(url=world.url, token="another-token-than-the-receivers")
    for row in world.apply(wait_s=2).values():
        assert row["result"] is False
        assert "refuses the token" in row["comment"]
    words = {"name": wrong}
    told = world.lab.salt("*", "state.single", "gluster_events.webhook_absent", **words)
    assert all(next(iter(states.values()))["result"] is True for states in told.values())
    world.declare(url=world.url, token=TOKEN)
    for node, row in world.apply().items():
        assert row["result"] is True, row["comment"]
        assert [url for url in world.webhooks(node) if "gluster" in url] == [world.url]
