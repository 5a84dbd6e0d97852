"""One glusterd of four stands still (SIGSTOP): it still accepts on its port, and answers nothing.

Gluster sends every change to it and waits: 120 s and more, with the lock held on all members.
"""

from __future__ import annotations

from typing import Any

import gluster_facts
import pytest
import salted
from waiting import until

from lab import Lab

OPTION = "network.ping-timeout"
BRICKS = {name: [f"g{n}:/srv/gluster/{name}" for n in (1, 2, 4)] for name in ("kept", "tuned")}


@pytest.fixture(scope="module")
def pool(plain: Lab) -> Lab:
    """The pool with two volumes; the glusterd of g3, which has none of their bricks, is frozen."""
    first = plain.node("g1")
    for name, bricks in BRICKS.items():
        words = ["create", name, "replica", "3", *bricks, "force"]
        first.ok(["gluster", "--mode=script", "volume", *words])
        first.ok(["gluster", "--mode=script", "volume", "start", name])
    return plain


def run(lab: Lab) -> list[dict[str, Any]]:
    """Declare both volumes on g1 in one run: one as it is, one with an option more."""
    more: dict[str, dict[str, Any]] = {"tuned": {"options": {OPTION: "20"}}}
    calls: list[salted.Call] = [
        ("gluster_volume.present", n, {"replica": 3, "bricks": bricks, **more.get(n, {})})
        for n, bricks in BRICKS.items()
    ]
    return salted.apply_all(lab.node("g1"), calls)


def sent(lab: Lab) -> list[str]:
    """Return what gluster was asked for that takes a volume's lock."""
    history = lab.node("g1").ok(["cat", "/var/log/glusterfs/cmd_history.log"])
    return [line for line in history.splitlines() if "volume set" in line or "status" in line]


@pytest.mark.capability(194)
def test_a_glusterd_that_stands_still_is_named_and_only_changes_wait_for_it(pool: Lab) -> None:
    pool.fault("glusterd-freeze", "g3")
    try:
        kept, tuned = run(pool)
    finally:
        pool.heal("glusterd-freeze", "g3")
    assert (kept["result"], kept["changes"]) == (True, {})
    assert (tuned["result"], tuned["changes"]) == (False, {})
    assert "glusterd of g3 did not tell its version" in " ".join(tuned["comment"].split())
    assert "salt-run gluster.status" in tuned["comment"]
    until(lambda: all(gluster_facts.connected(pool.node("g1")).values()))
    assert sent(pool) == [], "what was sent to it is carried out now, whatever was told"
    kept, tuned = run(pool)
    assert (kept["result"], tuned["result"]) == (True, True), tuned
    assert tuned["changes"] == {"tuned": {"options": {OPTION: {"old": None, "new": "20"}}}}
