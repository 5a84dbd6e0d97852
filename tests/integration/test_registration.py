"""A node registered by its highstate, on the real Salt, Gluster and Consul of a lab."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from waiting import until

from lab import Lab
from salt_gluster.consul.canary import FOLDER

SLS = "in-consul:\n  gluster_consul.registered: []\n"


@pytest.fixture(scope="module")
def pool(watched: Lab) -> Lab:
    """Two of the four nodes are one pool; what their sensors tell changes nothing here."""
    for name in ("g3", "g4"):
        watched.node("g1").ok(["gluster", "--mode=script", "peer", "detach", name])
    watched.write_pillar(
        {
            "gluster": {
                "cluster": "prod",
                "nodes": ["g1", "g2"],
                "zones": {"rack1": "g1", "rack2": "g2"},
            }
        },
        refresh=True,
    )
    (watched.directory / "states" / "registered.sls").write_text(SLS)
    return watched


def state(lab: Lab, node: str, **kwargs: object) -> dict[str, object]:
    (row,) = lab.salt_call(node, "state.apply", "registered", **kwargs).values()
    assert isinstance(row, dict)
    return row


def test_the_state_forecasts_what_it_does_and_then_has_nothing_to_do(pool: Lab) -> None:
    would = state(pool, "g1", test=True)
    assert would["result"] is None
    assert pool.salt_call("g1", "gluster_consul.members") == []
    with ThreadPoolExecutor(1) as worker:
        early = worker.submit(state, pool, "g2")
        services = ["consul", "catalog", "services"]
        until(lambda: "gluster" in pool.node("g1").run(services).stdout.split())
        done = state(pool, "g1")
        other = early.result()
    assert done["result"] is True
    assert done["changes"] == would["changes"]
    again = state(pool, "g1")
    assert (again["result"], again["changes"]) == (True, {})
    # Only the first of nodes makes the canary; the other was there before it, and has waited.
    assert (other["result"], other["comment"]) == (True, "g2 was registered in Consul")
    assert "canary" not in other["changes"] and "warnings" not in other
    assert pool.node("g2").run(["test", "-e", f"{FOLDER}/canary-prod"]).returncode == 0
    submitted = pool.node("g1").ok(["consul", "kv", "get", "-keys", "gluster/prod/submitted/"])
    assert len(submitted.split()) == 2
    uuids = {n.name: n.ok(["sed", "-n", "s/UUID=//p", "/var/lib/glusterd/glusterd.info"]).strip()
             for n in pool.nodes[:2]}  # fmt: skip
    members = {m["minion"]: m for m in pool.salt_call("g2", "gluster_consul.members")}
    assert {name: m["uuid"] for name, m in members.items()} == uuids
    assert {name: m["zone"] for name, m in members.items()} == {"g1": "rack1", "g2": "rack2"}
    assert members["g1"]["version"].startswith("1")
    assert members["g1"]["op_version"].isdigit()
    assert pool.salt_call("g1", "gluster_consul.leader")["holder"] is None
    keys = pool.node("g1").ok(["consul", "kv", "get", "-keys", "gluster/prod/nodes/"]).split()
    assert set(keys) == {f"gluster/prod/nodes/{u}" for u in uuids.values()}


def test_a_wiped_consul_is_refused_by_every_node_that_knew_it(pool: Lab) -> None:
    state(pool, "g1")
    state(pool, "g2")
    pool.node("g1").ok(["consul", "kv", "delete", "-recurse", "gluster/"])
    for name in ("g1", "g2"):
        row = state(pool, name)
        assert row["result"] is False
        assert "the canary is gone" in " ".join(str(row["comment"]).split())
        assert row["changes"] == {}
        pool.node(name).ok(["rm", f"{FOLDER}/canary-prod"])
    assert "canary" in state(pool, "g1")["changes"]  # type: ignore[operator]


def test_without_an_agent_the_state_says_what_to_do_and_stops(pool: Lab) -> None:
    pool.fault("consul-kill", "g2")
    row = state(pool, "g2")
    pool.heal("consul-kill", "g2")
    assert row["result"] is False
    assert "systemctl status consul" in str(row["comment"])


def test_deregistering_takes_only_the_service(pool: Lab) -> None:
    state(pool, "g1")
    gone = pool.salt_call("g1", "gluster_consul.deregister")
    assert gone["changes"] == {"service": {"old": "gluster", "new": None}}
    assert pool.salt_call("g1", "gluster_consul.deregister")["changes"] == {}
    assert "gluster" not in pool.node("g1").ok(["consul", "catalog", "services", "-node=g1"])
