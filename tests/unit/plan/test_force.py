"""Gluster's own checks are overridden only where that is needed, and after ours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from salt_gluster.model import (
    AnnouncedBrick,
    Announcement,
    Brick,
    BrickPath,
    BrickStatus,
    Node,
    Observation,
    Peer,
    Prepared,
    Step,
    Unknown,
    Volume,
    VolumeStatus,
)
from salt_gluster.plan.actions import ACTIONS
from salt_gluster.plan.force import as_sent
from salt_gluster.plan.guards import GUARDS

NOW = 1_000_000.0
PEERS = (
    Peer("u1", ("g1",), True, 3, is_self=True),
    Peer("u2", ("g2", "g2-storage", "10.0.0.2"), True, 3),
    Peer("u3", ("g3",), True, 3),
)


def step(*bricks: str, action: str = "volume_create", **args: Any) -> Step:
    given = {"bricks": list(bricks), "accept_risk": ["root_disk"], "replica": 3, **args}
    return Step(action, "data", given, "create data")


def observed(
    here: str = "/srv", said: tuple[AnnouncedBrick, ...] | None = (), **volumes: Volume
) -> Observation:
    """g1 sees what g2 and g3 say of /b and /c; ``said`` replaces it, None = nothing is known."""
    fit = {p: AnnouncedBrick("data", p, "f") for p in ("/b", "/c", "/b/inner")}
    bricks = tuple({**fit, **{b.path: b for b in said or ()}}.values())
    told = Announcement(NOW - 5, bricks)
    hosts: Any = {name: told for peer in PEERS[1:] for name in peer.names}
    if said is None:
        hosts = Unknown("no master")
    paths = {p: BrickPath(p, True, True, here) for p in ("/b", "/c", "/b/inner")}
    return Observation(
        NOW, Node("g1", uuid="u1"), peers=PEERS, volumes=volumes, paths=paths,
        prepared=Prepared(hosts),
    )  # fmt: skip


def why(obs: Observation, one: Step) -> str:
    refusal = GUARDS["paths_fit"](obs, one, ())
    return refusal.why if refusal else ""


def sent(obs: Observation, one: Step) -> bool:
    arguments = ACTIONS[one.action].arguments(as_sent(obs, one).args)
    return bool(arguments.get("force"))


ALL = ("g1:/b", "g2:/b", "g3:/b")
ON_ROOT = (AnnouncedBrick("data", "/b", "f", on_root=True),)


def test_an_accepted_root_disk_without_a_brick_on_it_overrides_nothing() -> None:
    assert why(observed(), step(*ALL)) == ""
    assert not sent(observed(), step(*ALL))


@pytest.mark.parametrize("obs", [observed("/"), observed(said=ON_ROOT)])
def test_a_brick_on_the_root_disk_is_forced_where_it_is_accepted_and_all_are_known(
    obs: Observation,
) -> None:
    assert why(obs, step(*ALL)) == "" and sent(obs, step(*ALL))
    assert "is on the root file system" in why(obs, step(*ALL, accept_risk=[]))
    assert not sent(obs, step(*ALL, accept_risk=[]))


def test_nothing_is_overridden_over_what_is_not_known() -> None:
    said = why(observed("/", said=None), step(*ALL))
    assert "what is at g2:/b, g3:/b is not known" in said, said
    assert why(observed(said=None), step(*ALL)) == ""


def test_what_a_node_says_against_its_brick_counts_with_force_too() -> None:
    old = AnnouncedBrick("data", "/b", "f", on_root=True, unfit="/b was a brick of volume x")
    assert "was a brick of volume x" in why(observed(said=(old,)), step(*ALL))


@pytest.mark.parametrize("alias", ["g2-storage", "10.0.0.2", "G2"])
def test_two_copies_on_one_node_under_two_names(alias: str) -> None:
    """Gluster compares addresses, and with ``force`` not even these."""
    for here in ("/", "/srv"):
        said = why(observed(here), step("g1:/b", "g2:/b", f"{alias}:/c"))
        assert f"g2:/b and {alias}:/c are two members of one set on one node" in said, said


def test_the_same_directory_under_two_names_and_one_inside_another() -> None:
    alone = {"replica": 1}
    said = why(observed(), step("g2:/b", "g2-storage:/b", **alone))
    assert "are, or lie in, one directory" in said
    said = why(observed(), step("g2:/b", "g2-storage:/b/inner", **alone))
    assert "are, or lie in, one directory" in said
    assert why(observed(), step("g2:/b", "g2-storage:/c", **alone)) == ""


def test_a_brick_of_another_volume_is_known_by_its_members_uuid() -> None:
    live = (Brick("10.0.0.2", "/b", "u2"),)
    old = Volume("old", "id", "Started", "distribute", live, 1)
    assert "g2:/b and 10.0.0.2:/b" in why(observed(old=old), step(*ALL))
    other = Volume("old", "id", "Started", "distribute", (Brick("g2", "/bb", "u2"),), 1)
    assert why(observed(old=other), step(*ALL)) == ""


def test_a_new_copy_does_not_go_to_a_node_that_has_one() -> None:
    live = (Brick("g1", "/b", "u1"), Brick("g2", "/b", "u2"))
    data = Volume("data", "id", "Started", "replicate", live, 1, replica=2)
    add = step("g2-storage:/c", action="bricks_add", replica=3)
    assert "two members of one set on one node" in why(observed(data=data), add)
    assert why(observed(data=data), step("g3:/c", action="bricks_add", replica=3)) == ""


# --- more copies on servers that hold other sets (facts.md#C-J.6) ---------------------------------

PAIRS = tuple(Brick(f"g{n}", f"/{p}", f"u{n}") for p, n in (("x", 1), ("x", 2), ("y", 2), ("y", 3)))
DATA = Volume("data", "id", "Started", "replicate", PAIRS, 2, replica=2)
ROWS = tuple(BrickStatus(b.host, b.path, b.host_uuid, True, 1, 1) for b in PAIRS)


def raising(*down: int, said: tuple[AnnouncedBrick, ...] | None = ()) -> Observation:
    rows = tuple(replace(r, online=at not in down) for at, r in enumerate(ROWS))
    obs = observed(said=said, data=DATA)
    return replace(obs, status={"data": VolumeStatus("data", rows)})


def raised(*bricks: str, **args: Any) -> Step:
    return step(*bricks, action="bricks_add", **{"accept_risk": [], **args})


SHARED = raised("g3:/b", "g1:/b")


def test_copies_on_servers_that_hold_other_sets_are_forced_where_all_serve() -> None:
    assert why(raising(), SHARED) == "" and sent(raising(), SHARED)


def test_copies_on_servers_of_their_own_are_not_forced() -> None:
    own = (*PEERS, *(Peer(f"u{n}", (f"g{n}",), True, 3) for n in (4, 5)))
    obs = replace(raising(), peers=own)
    assert not sent(obs, raised("g4:/b", "g5:/b"))
    assert sent(obs, raised("g4:/b", "g4:/c"))


def test_copies_of_a_set_on_one_node_are_refused_and_never_only_forced() -> None:
    assert "two members of one set on one node" in why(raising(), raised("g1:/b", "g1:/c"))


def test_force_is_not_sent_while_a_brick_is_down_or_a_directory_is_not_known() -> None:
    assert "g2:/y is not known to serve" in why(raising(2), SHARED)
    assert "g3:/b is not known" in why(raising(said=None), SHARED)
    without_rows = replace(raising(), status={})
    assert "is not known to serve" in why(without_rows, SHARED)
    refusal = GUARDS["paths_fit"](raising(2), SHARED, ())
    assert refusal is not None and refusal.final


def test_a_root_disk_does_not_force_copies_past_a_brick_that_is_down() -> None:
    own = (*PEERS, *(Peer(f"u{n}", (f"g{n}",), True, 3) for n in (4, 5)))
    on_root = (AnnouncedBrick("data", "/b", "f", on_root=True),)
    prepared = Prepared({n: Announcement(NOW - 5, on_root) for n in ("g4", "g5")})
    obs = replace(raising(1), peers=own, prepared=prepared)
    assert "g2:/x is not known to serve" in why(
        obs, raised("g4:/b", "g5:/b", accept_risk=["root_disk"])
    )


def test_a_new_copy_for_a_distribute_volume_is_not_forced() -> None:
    plain = Volume("data", "id", "Started", "distribute", PAIRS[:2], 2)
    obs = replace(raising(), volumes={"data": plain})
    assert not sent(obs, raised("g2:/b", "g1:/b", replica=2))
