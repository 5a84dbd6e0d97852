"""Health words from quorum, copies and heal counts; a loss never makes a word better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salt_gluster.errors import NotFound, SpecError
from salt_gluster.model import (
    Brick,
    BrickStatus,
    Heal,
    Node,
    Observation,
    Peer,
    Unknown,
    UnknownRead,
    Volume,
    VolumeStatus,
)
from salt_gluster.status.impact import WORDS, VolumeHealth, health, impact, next_loss

AUTO = {"cluster.quorum-type": "auto"}
NONE = {"cluster.quorum-type": "none"}


def fixed(count: int) -> dict[str, str]:
    return {"cluster.quorum-type": "fixed", "cluster.quorum-count": str(count)}


def volume(shape: str, sets: int = 1, options: Mapping[str, str] | None = None) -> Volume:
    """``2``, ``2+1`` (arbiter), ``4+2d`` (disperse), ``1`` (distribute), on g1, g2 … in turn."""
    disperse = redundancy = arbiter = 0
    if shape.endswith("d"):
        data, redundancy = (int(part) for part in shape[:-1].split("+"))
        size = disperse = data + redundancy
    elif "+" in shape:
        size, arbiter = 3, 1
    else:
        size = int(shape)
    bricks = tuple(
        Brick(f"g{n}", "/b", f"u{n}", bool(arbiter) and n % size == 0)
        for n in range(1, size * sets + 1)
    )
    kind = "disperse" if disperse else "replicate" if size > 1 else "distribute"
    return Volume(
        "v", "id", "Started", kind, bricks, sets, 1 if disperse else size, arbiter, disperse,
        redundancy, options=options or {},
    )  # fmt: skip


def seen(
    vol: Volume,
    down: str = "",
    away: str = "",
    pending: Mapping[str, int | Unknown] | None = None,
    members: int = 0,
) -> Observation:
    """Every brick's row but those of ``away`` nodes; ``down`` nodes' bricks are down."""
    count = max(members, len(vol.bricks))
    peers = tuple(
        Peer(f"u{n}", (f"g{n}",), f"g{n}" not in away.split(), 3, is_self=n == 1)
        for n in range(1, count + 1)
    )
    rows = tuple(
        BrickStatus(b.host, b.path, b.host_uuid, b.host not in down.split(), 49152, 7)
        for b in vol.bricks
        if b.host not in away.split()
    )
    counts = {b.host: 0 for b in vol.bricks} | dict(pending or {})
    heal = tuple(Heal(f"{host}:/b", Unknown("-"), n) for host, n in counts.items())
    return Observation(
        0.0,
        Node("g1"),
        peers=peers,
        volumes={vol.name: vol},
        status={vol.name: VolumeStatus(vol.name, rows)},
        heal={vol.name: heal},
    )


def one(found: tuple[VolumeHealth, ...]) -> VolumeHealth:
    (only,) = found
    return only


@pytest.mark.parametrize(
    ("shape", "options", "down", "word"),
    [
        ("3", {}, "", "ok"),
        ("3", {}, "g1", "degraded"),
        ("3", {}, "g1 g3", "down"),  # facts.md#C-M.6: reads fail too
        ("3", AUTO, "g2 g3", "down"),
        ("3", NONE, "g2 g3", "degraded"),
        ("3", fixed(1), "g2 g3", "degraded"),
        ("3", fixed(3), "g2", "down"),
        ("2", {}, "g1", "degraded"),
        ("2", {}, "g1 g2", "down"),
        ("2", AUTO, "g2", "degraded"),
        ("2", AUTO, "g1", "down"),  # exactly half without the first
        ("4", {}, "g3 g4", "degraded"),
        ("4", {}, "g1 g2", "down"),
        ("4", {}, "g2 g3 g4", "down"),
        ("2+1", {}, "g3", "degraded"),
        ("2+1", {}, "g1", "degraded"),
        ("2+1", {}, "g1 g2", "down"),
        ("2+1", NONE, "g1 g2", "down"),  # the arbiter alone holds no data
        ("2+1", NONE, "g1 g3", "degraded"),
        ("4+2d", {}, "g1 g2", "degraded"),
        ("4+2d", {}, "g1 g2 g6", "down"),
        ("1", {}, "g1", "down"),
    ],
)
def test_word_of_one_set_and_the_same_word_foretold(
    shape: str, options: Mapping[str, str], down: str, word: str
) -> None:
    vol = volume(shape, options=options)
    assert one(health(seen(vol, down=down))).word == word
    foretold = one(impact(seen(vol), nodes=down.split()))
    assert foretold.word == word
    assert foretold.sets[0].lost == tuple(f"{g}:/b" for g in sorted(down.split()))


@pytest.mark.parametrize(
    ("shape", "pending", "lost", "word"),
    [
        ("3", {"g1": 71, "g2": 71, "g3": 0}, "", "degraded"),
        ("3", {"g1": 71, "g2": 71, "g3": 0}, "g3", "degraded"),
        ("3", {"g1": 71, "g2": 71, "g3": 0}, "g2", "data_at_risk"),
        ("3", {"g1": 5}, "", "data_at_risk"),  # one copy is up to date
        ("3", {"g1": 5}, "g1", "data_at_risk"),  # only stale ones are left
        ("3", {"g1": 5}, "g2 g3", "down"),
        ("2", {"g1": 5}, "g1", "data_at_risk"),
        ("2+1", {"g1": 20, "g3": 20}, "g1", "data_at_risk"),  # the arbiter trap
        ("4+2d", {f"g{n}": 18 for n in range(1, 6)}, "g6", "degraded"),
        ("4+2d", {f"g{n}": 18 for n in range(1, 6)}, "g5 g6", "data_at_risk"),
    ],
)
def test_entries_to_heal_tell_which_copies_may_not_be_lost(
    shape: str, pending: Mapping[str, int], lost: str, word: str
) -> None:
    found = one(impact(seen(volume(shape), pending=pending), nodes=lost.split()))
    assert found.word == word
    assert "entries to heal" in found.why


def test_unknown_count_of_a_dead_brick_does_not_hide_that_the_others_blame_it() -> None:
    gone = seen(volume("3"), down="g3", pending={"g1": 9, "g2": 9, "g3": Unknown("not reached")})
    assert one(health(gone)).word == "degraded"
    assert "heal counts are not known" not in one(health(gone)).why
    blind = replace(gone, heal={})
    assert one(health(blind)).why.endswith("heal counts are not known")


def test_split_brain_is_data_at_risk() -> None:
    obs = seen(volume("3"))
    row = Heal("g2:/b", Unknown("-"), 4, split_brain=4)
    obs = replace(obs, heal={"v": (*obs.heal["v"][:1], row)})  # type: ignore[index]
    assert one(health(obs)).word == "data_at_risk"


def test_a_lost_set_makes_a_volume_partial_and_the_last_one_down() -> None:
    two = seen(volume("3", sets=2))
    assert one(impact(two, nodes=["g1", "g2"])).word == "partial"
    assert [s.word for s in one(impact(two, nodes=["g1", "g2"])).sets] == ["down", "ok"]
    assert one(impact(two, nodes=["g1", "g2", "g4", "g5"])).word == "down"
    spread = seen(volume("1", sets=3))
    found = one(impact(spread, bricks=["g2:/b"]))
    assert (found.word, "gone from view" in found.why) == ("partial", True)


def test_zones_names_uuids_and_bricks_mean_the_same_loss() -> None:
    obs = seen(volume("3"))
    by_name = impact(obs, nodes=["G1", "g2"])
    assert by_name == impact(obs, nodes=["u1", "u2"])
    assert by_name == impact(obs, zones={"r1": ["g1", "g2", "not-joined"]})
    assert by_name == impact(obs, bricks=["g1:/b", "g2:/b"])
    with pytest.raises(SpecError, match="g9 is not a member"):
        impact(obs, nodes=["g9"])
    with pytest.raises(SpecError, match="no volume has a brick"):
        impact(obs, bricks=["g1:/other"])


def test_an_unseen_brick_is_unknown_only_where_it_decides() -> None:
    away = one(health(seen(volume("3"), away="g3")))
    assert away.word == "degraded"
    assert "g3 is not connected, the brick may still run" in away.why
    assert away.sets[0].up == ("g1:/b", "g2:/b")
    assert away.sets[0].lost == ()
    both = one(health(seen(volume("3"), away="g2 g3")))
    assert both.word == "unknown"
    assert "ok or down" in both.why
    assert one(health(seen(volume("3"), down="g1 g2", away="g3"))).word == "down"
    assert one(impact(seen(volume("3"), away="g2 g3"), nodes=["g2", "g3"])).word == "down"


def test_no_row_though_the_member_is_there_is_unknown_not_down_and_not_ok() -> None:
    obs = seen(volume("3"))
    rows = obs.status["v"].bricks[:2]  # type: ignore[union-attr]
    assert one(health(replace(obs, status={"v": VolumeStatus("v", rows)}))).word == "unknown"
    locked = one(health(replace(obs, status={"v": Unknown("another transaction")})))
    assert locked.word == "unknown"
    assert "another transaction" in locked.why
    with pytest.raises(UnknownRead):
        health(replace(obs, volumes=Unknown("glusterd does not run")))


def test_online_without_a_port_serves_nobody() -> None:
    obs = seen(volume("3"))
    first, *rest = obs.status["v"].bricks  # type: ignore[union-attr]
    rows = (replace(first, port=None), *rest)
    found = one(health(replace(obs, status={"v": VolumeStatus("v", rows)})))
    assert (found.word, found.sets[0].lost) == ("degraded", ("g1:/b",))


@pytest.mark.parametrize(
    ("ratio", "away", "word"),
    [
        ({}, "g4", "ok"),
        ({}, "g4 g5", "ok"),
        ({}, "g4 g5 g6", "down"),  # exactly half is not enough
        ({"cluster.server-quorum-ratio": "80%"}, "g5 g6", "down"),
        ({"cluster.server-quorum-ratio": "60"}, "g5 g6", "ok"),
    ],
)
def test_server_quorum_kills_the_bricks_of_the_minority(
    ratio: Mapping[str, str], away: str, word: str
) -> None:
    options = {"cluster.server-quorum-type": "server", **ratio}
    obs = seen(volume("3", options=options), members=6)
    assert one(impact(obs, nodes=away.split())).word == word
    assert one(impact(seen(volume("3"), members=6), nodes=away.split())).word == "ok"


def test_incomplete_is_said_only_when_told() -> None:
    obs = seen(volume("3"))
    assert one(health(obs)).word == "ok"
    found = one(health(obs, incomplete=["g3:/b"]))
    assert (found.word, "g3:/b: without the data" in found.why) == ("incomplete", True)


def test_a_volume_that_should_not_serve_is_down_and_says_why() -> None:
    stopped = replace(volume("3"), status="Stopped")
    assert one(health(seen(stopped))).why == "stopped"
    assert next_loss(seen(stopped), "v") == "stopped"
    ghost = replace(volume("3"), bricks=(), dist_count=0)
    assert one(health(seen(ghost))).word == "unknown"


@pytest.mark.parametrize(
    ("vol", "down", "away", "sentence"),
    [
        (volume("4+2d"), "g3", "", "works; a third stops it"),
        (volume("3", sets=2), "", "g3", "g1 or g2: half goes DOWN"),
        (volume("2+1"), "", "", "works"),
        (volume("3"), "g3", "", "any node: all goes DOWN"),
        (volume("2", options=AUTO), "", "", "g1: all goes DOWN"),
        (volume("1", sets=8), "", "", "any node: 1 of 8 sets goes DOWN"),
        (volume("3"), "g1 g2", "", "down already"),
        (volume("3"), "", "g2 g3", "not known"),
        (volume("3", options={"cluster.server-quorum-type": "server"}), "g3", "g3",
         "any node: all goes DOWN (server quorum)"),
    ],
)  # fmt: skip
def test_next_loss_reads_as_on_the_status_screen(
    vol: Volume, down: str, away: str, sentence: str
) -> None:
    assert next_loss(seen(vol, down=down, away=away), "v") == sentence


def test_next_loss_names_the_node_with_the_only_good_copy() -> None:
    obs = seen(volume("3"), pending={"g1": 5, "g2": 5})
    assert next_loss(obs, "v") == "g1 or g2: data at risk"
    with pytest.raises(NotFound):
        next_loss(obs, "w")


@st.composite
def pools(draw: st.DrawFn) -> Observation:
    """Draw a volume in any state, with lies and gaps."""
    shape = draw(st.sampled_from(["1", "2", "3", "4", "2+1", "4+2d", "2+1d"]))
    options = draw(st.sampled_from([{}, AUTO, NONE, fixed(1), fixed(2)]))
    if draw(st.booleans()):
        options = {**options, "cluster.server-quorum-type": "server"}
    vol = volume(shape, draw(st.integers(1, 2)), options)
    names = [b.host for b in vol.bricks]
    some = st.lists(st.sampled_from(names), max_size=2, unique=True).map(" ".join)
    counts = st.dictionaries(st.sampled_from(names), st.sampled_from([0, 3, Unknown("-")]))
    return seen(vol, draw(some), draw(some), draw(counts))


@given(pools(), st.data())
def test_losing_more_never_makes_a_word_better(obs: Observation, data: st.DataObject) -> None:
    names = [b.name for b in obs.volumes["v"].bricks]  # type: ignore[index]
    first = data.draw(st.lists(st.sampled_from(names), unique=True))
    more = data.draw(st.lists(st.sampled_from(names), unique=True))
    incomplete = data.draw(st.lists(st.sampled_from(names), max_size=1))
    before = one(impact(obs, bricks=first, incomplete=incomplete))
    nodes = [name.partition(":")[0] for name in more]
    for after in (
        one(impact(obs, bricks={*first, *more}, incomplete=incomplete)),
        one(impact(obs, bricks=first, nodes=nodes, incomplete=incomplete)),
    ):
        pairs = [(before.word, after.word)]
        pairs += [(b.word, a.word) for b, a in zip(before.sets, after.sets, strict=True)]
        for old, new in pairs:
            if old == "unknown":
                assert new != "ok"
            elif new != "unknown":
                assert WORDS.index(new) >= WORDS.index(old)
