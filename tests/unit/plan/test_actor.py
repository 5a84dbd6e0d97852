"""Who carries a change out: one node, and each computes the same one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from salt_gluster.model import Brick, Node, Observation, Peer, Step, Volume
from salt_gluster.plan.actor import is_actor, phase

HOSTS = ["g1", "g2", "g3", "g4", "g5"]
CREATE = Step("volume_create", "data", {"bricks": ["g2:/b", "g3:/b", "g4:/b"]}, "create data")


def seen_by(own: str, *, away: Sequence[str] = (), members: Sequence[str] = HOSTS) -> Observation:
    peers = tuple(
        Peer(f"uuid-{n}", (n,), n not in away or n == own, 3, is_self=n == own) for n in members
    )
    return Observation(1.0, Node(own, uuid=f"uuid-{own}"), peers=peers, volumes={})


def actors(step: Step, *, away: Sequence[str] = (), volume: Volume | None = None) -> list[str]:
    """Return the nodes that act, of those that are there."""
    found = []
    for name in HOSTS:
        obs = seen_by(name, away=away)
        if volume is not None:
            obs = replace(obs, volumes={volume.name: volume})
        if name not in away and is_actor(obs, step, HOSTS):
            found.append(name)
    return found


@given(st.text("abcdef", min_size=1), st.sets(st.sampled_from(HOSTS[1:4]), max_size=2))
def test_a_volume_is_made_by_one_of_its_brick_hosts_that_is_there(
    name: str, away: set[str]
) -> None:
    (actor,) = actors(replace(CREATE, subject=name), away=sorted(away))
    assert actor in {"g2", "g3", "g4"} - away


def test_many_volumes_are_changed_by_many_nodes() -> None:
    names = [f"v{n}" for n in range(40)]
    count = dict.fromkeys(HOSTS, 0)
    for name in names:
        bricks = tuple(Brick(h, f"/b/{name}", f"uuid-{h}") for h in HOSTS[:4])
        volume = Volume(name, "id", "Started", "replicate", bricks, 1, 4)
        (actor,) = actors(Step("options_set", name, {"options": {}}, ""), volume=volume)
        count[actor] += 1
    assert count["g5"] == 0
    assert min(count[h] for h in HOSTS[:4]) >= 3


def test_a_volume_whose_hosts_are_all_away_has_an_actor_too() -> None:
    """It refuses, and says why."""
    assert len(actors(CREATE, away=["g2", "g3", "g4"])) == 1


def test_a_peer_is_invited_by_the_first_declared_node_that_is_a_member() -> None:
    probe = Step("peer_probe", "g9", {"host": "g9", "node": "g9"}, "invite g9")
    assert actors(probe) == ["g1"]
    assert actors(probe, away=["g1", "g2"]) == ["g3"]


def test_who_is_alone_makes_no_volume_of_a_pool_of_many_but_may_invite() -> None:
    alone = seen_by("g2", members=["g2"])
    assert not is_actor(alone, CREATE, HOSTS)
    assert is_actor(alone, replace(CREATE, action="peer_probe", args={"host": "g1"}), HOSTS)
    assert is_actor(alone, CREATE, ["g2"])


def test_a_nodes_own_directory_is_its_own() -> None:
    prepare = Step("brick_prepare", "/b", {"path": "/b"}, "prepare /b", place="node")
    assert actors(prepare) == HOSTS


def test_phases_are_in_the_order_in_which_they_need_each_other() -> None:
    order = ["brick_prepare", "peer_probe", "volume_create", "bricks_add", "options_set"]
    phases = [phase(Step(action, "x", {}, "")) for action in (*order, "volume_start")]
    assert phases == sorted(set(phases))
