"""Whether a directory can be a brick: this node's by what is there, another's by its own word."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from salt_gluster.model import (
    AnnouncedBrick,
    Announcement,
    BrickPath,
    Node,
    Observation,
    Peer,
    Prepared,
    Step,
    Unknown,
    is_known,
)
from salt_gluster.plan import plan_volume
from salt_gluster.plan.fitness import READY_S, UNFIT_S, reasons, told_of
from salt_gluster.plan.guards import check
from salt_gluster.render import plan_data
from salt_gluster.render.plan import refusal_lines
from salt_gluster.spec import BrickSpec, VolumeSpec

NOW = 1_000_000.0
HERE = BrickPath("/b", True, True, "/srv", identity="uuid-1")
FIT = AnnouncedBrick("data", "/b", "uuid-2")
SPEC = VolumeSpec("data", replica=2, bricks=(BrickSpec("g1", "/b"), BrickSpec("g2", "/b")))
STEP = Step("volume_create", "data", {"bricks": ["g1:/b", "g2:/b"], "replica": 2}, "create")


def observed(
    *bricks: AnnouncedBrick, age: float | None = 5, here: BrickPath = HERE, **failed: float
) -> Observation:
    """g1 sees what g2 has announced ``age`` seconds ago; None = at its first look."""
    peers = tuple(Peer(f"u{i}", (f"g{i}",), True, 3, is_self=i == 1) for i in (1, 2))
    later_than = Unknown("first look") if age is None else NOW - age
    said = Announcement(later_than, bricks)
    prepared = Prepared({"g2": said}, failed)
    return Observation(
        NOW, Node("g1", uuid="u1"), peers=peers, volumes={}, paths={"/b": here}, prepared=prepared
    )


def waits(obs: Observation) -> list[str]:
    return [f"{w.node} {w.what}" for w in plan_volume(SPEC, obs).waits]


def unfit(obs: Observation) -> Any:
    (result,) = [r for r in check(obs, [STEP], ()) if r.guard == "paths_fit"]
    return result


def test_a_node_says_of_its_root_disk_that_it_does_not_fit_unless_that_is_accepted() -> None:
    on_root = replace(HERE, filesystem="/")
    (reason,) = reasons(on_root, ())
    assert "root file system" in reason.why
    assert reasons(on_root, ("root_disk",)) == reasons(HERE, ()) == ()


def test_a_node_that_says_so_in_time_is_ready() -> None:
    obs = observed(FIT)
    assert waits(obs) == []
    assert (unfit(obs).refusal, unfit(obs).unknown) == (None, "")


@pytest.mark.parametrize(
    ("obs", "why"),
    [
        (observed(), "g2 has not prepared /b yet"),
        (observed(AnnouncedBrick("other", "/b", "f")), "g2 has not prepared /b yet"),
        (observed(AnnouncedBrick("data", "/c", "f")), "g2 has not prepared /b yet"),
        (observed(FIT, age=None), "g2 has not said since this node first asked that /b is ready"),
        (observed(FIT, age=READY_S + 1), "g2 has not said lately that /b is ready"),
        (observed(FIT, age=-READY_S - 1), "g2 has not said lately that /b is ready"),
        (observed(FIT, data=NOW - 4),
         "g2 has not said that /b is ready since gluster refused data"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_waited_for_and_is_no_yes(obs: Observation, why: str) -> None:
    assert waits(obs) == [why]
    result = unfit(obs)
    assert (result.refusal, result.unknown) == (None, "g2:/b")
    told = refusal_lines(plan_data(plan_volume(SPEC, obs), [result]), 72)
    assert any("not known (g2:/b)" in line for line in told)
    assert not any("paths_fit" in line and "yes" in line for line in told)


def test_a_refusal_of_another_volume_or_from_before_does_not_count() -> None:
    assert waits(observed(FIT, other=NOW)) == []
    assert waits(observed(FIT, data=NOW - 6)) == []


@pytest.mark.parametrize("volume", ["data", ""])
def test_what_a_node_says_against_its_own_brick_counts(volume: str) -> None:
    obs = observed(AnnouncedBrick(volume, "/b", "f", unfit="/b holds letter"), FIT)
    refusal = unfit(obs).refusal
    assert refusal.why == "g2 says: /b holds letter." and refusal.waits_s == UNFIT_S


def test_a_mark_is_waited_for_and_nothing_against_the_brick() -> None:
    obs = observed(AnnouncedBrick("data", "/b", "f", marked=True))
    assert waits(obs) == ["g2 takes the mark of a failed create off /b in its next run"]
    assert unfit(obs).refusal is None
    own = BrickPath("/b", True, True, "/srv", volume_id="id", is_announced=True)
    assert waits(observed(FIT, here=own))[0].startswith("g1 takes the mark")
    stranger = BrickPath("/b", True, True, "/srv", volume_id="id")
    assert "was a brick of volume id" in unfit(observed(FIT, here=stranger)).refusal.why
    full = BrickPath("/b", True, True, "/srv", volume_id="id", is_announced=True, holds_data=True)
    assert "was a brick of volume id" in unfit(observed(FIT, here=full)).refusal.why


def test_without_a_master_no_node_can_tell_another() -> None:
    obs = observed(FIT)
    alone = Observation(
        NOW, obs.node, peers=obs.peers, volumes={}, paths=obs.paths,
        prepared=Prepared(Unknown("no master")),
    )  # fmt: skip
    assert waits(alone) == []
    assert unfit(alone).unknown == "g2:/b"
    assert not is_known(told_of(alone, "data", "g2:/b"))


def test_of_a_node_that_has_never_said_anything_that_is_why() -> None:
    """Its minion is away, or was never given the state."""
    silent = replace(observed(FIT), prepared=Prepared({}))
    (wait,) = plan_volume(SPEC, silent).waits
    assert (wait.node, wait.what) == ("g2", "has not prepared /b yet")
    assert "the state has not run there" in wait.why
    (wait,) = plan_volume(SPEC, observed()).waits  # it speaks, and not of this one
    assert wait.why == ""


def test_a_mark_without_a_file_is_cleaned_by_our_own_order_or_by_hand_with_its_name() -> None:
    """A volume that was deleted before its first start leaves what a failed create leaves."""
    here = BrickPath("/n/b", True, True, "/n", volume_id="gone")
    (reason,) = reasons(here, ())
    assert [way.split("  ")[0] for way in reason.ways] == ["clean it", "by hand"]
    assert "rmdir /n/b/.glusterfs && setfattr -x trusted.glusterfs.volume-id /n/b" in reason.ways[1]
    for held in ({"holds_data": True}, {"foreign": ("f",)}):
        used = [way for reason in reasons(replace(here, **held), ()) for way in reason.ways]
        assert used and all("another path" in way for way in used)
