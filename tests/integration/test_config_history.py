"""The versions of a pool's configuration, on the real thing: who, what differs, what was lost.

What gluster has is asked from gluster; versions are read as a person reads them, with salt-run.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator
from typing import Any

import gluster_facts
import pytest
from pool_with_automation import PILLAR, Loop, automated

from lab import Lab

#: All nodes run the state; the option is set by one of the hosts of its bricks.
BY_US = {f"salt-gluster on g{n}" for n in range(1, 5)}
OPTION = "performance.quick-read"
DECLARED = copy.deepcopy(PILLAR)
DECLARED["gluster"]["volumes"]["data"]["options"] = {OPTION: "off"}


class Store:
    """The versions as ``gluster.history`` and ``gluster.diff`` have them."""

    def __init__(self, loop: Loop) -> None:
        self.loop, self.lab = loop, loop.lab

    def history(self) -> list[dict[str, Any]]:
        return list(self.lab.salt_run("gluster.history")["versions"])

    def was_seen(self) -> bool:
        """Whether there is a version that a change can differ from."""
        return any("first seen" in version["why"] for version in self.history())

    def wait(self, what: str, option: str, since: float, within_s: float = 90) -> dict[str, Any]:
        """Wait until it is told that this option has become another; return the event's data."""

        def found() -> dict[str, Any] | None:
            told = self.loop.events("config_changed", since)
            return next((e for e in told if option in changed(e["details"])), None)

        told: dict[str, Any] = self.loop.until(found, what, within_s)
        return told

    def by_hand(self, node: str, *words: str) -> None:
        self.lab.node(node).ok(["gluster", "--mode=script", "volume", *words])

    def options(self, node: str) -> dict[str, str]:
        return dict(gluster_facts.volumes(self.lab.node(node))["data"]["options"])


def changed(version: dict[str, Any]) -> dict[str, list[Any]]:
    """Return option -> old and new."""
    rows = version["differences"]
    return {d["what"].removeprefix("option "): [d["old"], d["new"]] for d in rows}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with automated("configstore", tmp_path_factory.mktemp("store")) as loop:
        here = Store(loop)
        loop.until(here.was_seen, "the first version of what gluster has", 60)
        yield here


@pytest.mark.capability(144, 147, 170)
def test_each_change_is_a_version_and_says_who_as_far_as_that_is_known(store: Store) -> None:
    began = time.time()
    store.loop.declare(DECLARED)
    ours = store.wait("what the state has set", OPTION, began)
    assert (ours["severity"], ours["subject"]) == ("info", "cluster")
    assert ours["details"]["by"] in BY_US
    assert changed(ours["details"])[OPTION] == [None, "off"]
    store.by_hand("g3", "set", "data", "user.hand", "1")
    by_hand = store.wait("what was set by hand", "user.hand", began)
    newest, history = by_hand["details"]["version"], store.history()
    assert [v["version"] for v in history] == list(range(newest, 0, -1))
    assert history[0]["by"] == "unknown"
    assert "gluster volume set data user.hand 1 on g3" in history[0]["why"]
    accepted = next(v for v in history if v["why"] == "submitted by their highstates")
    assert sum(f"g{n}" in accepted["by"] for n in range(1, 5)) > 2
    assert accepted["differences"][0]["where"] == "declaration"
    screen = store.lab.program("salt-run", "gluster.diff", str(newest - 1), str(newest)).stdout
    assert "+ volume data: option user.hand = 1" in screen
    store.by_hand("g3", "get", "data", OPTION)  # a look, and a report, change nothing
    store.lab.salt("g1", "gluster_consul.report")
    store.loop.ticks(2)
    assert store.history()[0]["version"] == newest
    assert store.loop.events("overwritten", began) == []


@pytest.mark.capability(185)
def test_a_node_that_comes_back_and_overwrites_the_pool_is_critical_with_the_way_back(
    store: Store,
) -> None:
    lab, began = store.lab, time.time()
    lab.fault("cut", "g4")
    store.loop.until(
        lambda: not gluster_facts.connected(lab.node("g1"))["g4"], "gluster sees the cut", 60
    )
    store.by_hand("g1", "set", "data", "user.kept", "1")
    store.wait("the acknowledged change", "user.kept", began)
    alone = lambda: not any(gluster_facts.connected(lab.node("g4")).values())  # noqa: E731
    store.loop.until(alone, "the other side sees it too", 60)
    for value in ("on", "off", "on"):  # the higher number wins, whole
        store.by_hand("g4", "set", "data", OPTION, value)
    lab.heal("cut", "g4")
    mended = time.time()
    told = store.loop.wait("overwritten", began, 120)
    took_s = told["ts"] - mended
    print(f"overwritten: told {took_s:.0f} s after the cable was back")
    assert store.options("g1")[OPTION] == "on"
    assert "user.kept" not in store.options("g1")
    assert (told["severity"], told["details"]["nodes"]) == ("critical", ["g4"])
    assert "user.kept is gone (was 1)" in told["why"]
    assert f"{OPTION}: off -> on" in told["why"]
    assert "salt-run gluster.plan" in told["suggest"]
    assert store.history()[0]["overwritten_by"] == ["g4"]
    # Nothing was done about it. The way back is the plan, as anybody's change is.
    assert OPTION in lab.program("salt-run", "gluster.plan").stdout
    store.loop.declare(DECLARED)
    assert store.options("g1")[OPTION] == "off"
    back = store.wait("the way back", OPTION, told["ts"] + 1)
    assert back["details"]["by"] in BY_US
    assert store.loop.events("config_restored", began) == []  # a part of it is still lost
    store.by_hand("g1", "set", "data", "user.kept", "1")
    store.loop.wait("config_restored", began, 90)


def is_ready(lab: Lab, name: str) -> dict[str, Any] | None:
    """Return the plan once it may be carried out; a member may be too busy to answer at first."""
    plan: dict[str, Any] = lab.salt_run("gluster_operation.restore_config", name)
    return plan if plan["ready"] else None


@pytest.mark.capability(135)
def test_a_node_that_lost_its_directory_gets_it_back_once_a_person_says_so(store: Store) -> None:
    lab = store.lab
    before = gluster_facts.volumes(lab.node("g1"))
    brick = next(b for b in before["data"]["bricks"] if not b.startswith("g1:"))
    name = brick.partition(":")[0]
    node = lab.node(name)
    uuid = node.ok(["sed", "-n", "s/^UUID=//p", "/var/lib/glusterd/glusterd.info"]).strip()
    running = lab.salt_run("gluster_operation.restore_config", name)
    assert not running["ready"]  # there is something to lose
    lab.fault("brick-kill", name, "data")
    node.ok(["systemctl", "stop", "glusterd"])
    node.ok(["sh", "-c", "cd /var/lib/glusterd; rm -rf glusterd.info peers vols"])
    node.ok(["systemctl", "start", "glusterd"])  # as a package that is installed again does
    node.ok(["gluster", "pool", "list"])
    rejected = lambda: gluster_facts.peers(lab.node("g1"))[name] == "6"  # noqa: E731
    store.loop.until(rejected, "the pool rejects the stranger", 30)
    plan = store.loop.until(lambda: is_ready(lab, name), "every member answers, and all agree", 60)
    assert [c for c in plan["checks"] if not c["yes"]] == []
    assert plan["uuid"] == uuid
    assert [b["brick"] for b in plan["bricks"]] == [brick]
    other = lab.salt_run("gluster_operation.restore_config", name, confirm=name)
    assert "is not the uuid" in other["error"]
    assert rejected()  # nothing was done
    done = lab.salt_run("gluster_operation.restore_config", name, confirm=uuid)
    assert done.get("restored") is True, done
    assert gluster_facts.connected(lab.node("g1"))[name]
    assert set(gluster_facts.peers(node).values()) == {"3"}
    assert gluster_facts.volumes(node) == before
    store.loop.until(store.loop.serves, "its brick serves again", 60)
    again = lab.salt_run("gluster_operation.restore_config", name)
    assert not again["ready"]


@pytest.mark.capability(148)
def test_what_is_in_force_goes_out_and_comes_back_as_the_pillar_of_the_nodes(
    store: Store,
) -> None:
    """The last test: from here on no pillar file declares the pool."""
    lab, key = store.lab, "gluster/main/pillar"
    body = lab.salt_run("gluster.export")["gluster"]
    assert body == DECLARED["gluster"]
    lab.master.ok(["sh", "-c", "salt-run gluster.export > /tmp/pool.sls"])
    told = lab.salt_run("gluster.import", "/tmp/pool.sls", reason="kept here", by="ann")
    (change,) = told["changes"].values()
    assert set(told["changes"]) == {key} and change["old"] is None
    assert change["new"].startswith("ann (root@") and change["new"].endswith("): kept here")
    lab.setup(pillar_from="consul")
    lab.write_pillar({"other": 1}, refresh=True)
    pillars = lab.salt("*", "pillar.items")
    assert {n: p.get("gluster") for n, p in pillars.items()} == dict.fromkeys(pillars, body)
    assert len(pillars) == 4
    applied = [s for one in lab.salt("*", "state.apply", "gluster").values() for s in one.values()]
    assert [(s["comment"], s["changes"]) for s in applied if s["changes"] or not s["result"]] == []

    began = time.time()
    new = copy.deepcopy(body)
    new["volumes"]["data"]["options"]["user.there"] = "2"
    lab.master.ok(["sh", "-c", "cat > /tmp/new.yml"], input=json.dumps({"gluster": new}))
    told = lab.salt_run("gluster.import", "/tmp/new.yml", reason="an option", by="bob")
    assert told["changes"]["volumes:data:options:user.there"] == {"old": None, "new": "2"}
    written = lab.node("g1").ok(["consul", "kv", "get", "-detailed", key])
    lab.salt("*", "state.apply", "gluster")
    assert store.options("g1")["user.there"] == "2"
    store.wait("the option", "user.there", began)
    store.loop.until(lambda: lab.salt_run("gluster.export")["gluster"] == new, "accepted", 60)
    # What highstates submit and the leader accepts never goes back to the key.
    assert lab.node("g1").ok(["consul", "kv", "get", "-detailed", key]) == written

    lab.fault("consul-kill", "master")
    try:
        lab.salt("g1", "saltutil.refresh_pillar", wait=True)
        assert lab.salt("g1", "pillar.items")["g1"]["gluster"] == new
    finally:
        lab.heal("consul-kill", "master")
