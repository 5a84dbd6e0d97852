"""A running pool whose declaration comes to call its nodes by their addresses."""

from __future__ import annotations

from typing import Any

import salted

from lab import Lab

BRICKS = [f"g{n}:/srv/gluster/data/1" for n in (1, 2, 3)]


def declared(pool: Lab, *, by_address: bool) -> dict[str, Any]:
    names = [node.name for node in pool.nodes]
    addresses = {node.name: node.address for node in pool.nodes} if by_address else {}
    data = {"replica": 3, "only": ["g1", "g2", "g3"], "mount": "/mnt/data"}
    return {"gluster": {"nodes": names, "addresses": addresses, "volumes": {"data": data}}}


def test_addresses_that_are_declared_later_change_no_brick_and_no_mount(plain: Lab) -> None:
    first = plain.node("g1")
    for words in (["create", "data", "replica", "3", *BRICKS], ["start", "data"]):
        for node in plain.nodes:
            node.ok(["mkdir", "-p", "/srv/gluster/data/1"])
        first.ok(["gluster", "--mode=script", "volume", *words])
    runs = [
        salted.apply(first, "gluster.cluster", "pool", pillar=declared(plain, by_address=late))
        for late in (False, True, True)
    ]
    assert [run["result"] for run in runs] == [True] * 3, [run["comment"] for run in runs]
    assert set(runs[1]["changes"]) == {"peer g2", "peer g3", "peer g4"} and runs[2]["changes"] == {}
    assert plain.node("g1").ok(["gluster", "volume", "info", "data"]).count("g1:/srv") == 1
