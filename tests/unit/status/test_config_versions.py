"""Versions of the configuration: when a look counts, what differs, who did it, what was lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from salt_gluster.model import Brick, Change, NodeFacts, Subject, Unknown, Volume
from salt_gluster.remediation import config_overwrite
from salt_gluster.status.config_versions import (
    NOBODY,
    Difference,
    GivenCommand,
    ReportedConfig,
    actual,
    actual_differences,
    author,
    commands_since,
    consensus,
    differences,
    explaining,
    most_told_first,
    reported_config,
)
from salt_gluster.status.facts import volumes_data

NODES = ("u1", "u2", "u3", "u4")


def volume(**changes: Any) -> Volume:
    bricks = tuple(Brick(f"g{n}", "/b", f"u{n}") for n in (1, 2, 3))
    whole = Volume("data", "id-1", "Started", "replicate", bricks, 1, replica=3,
                   options={"a.x": "1"}, type_text="Replicate")  # fmt: skip
    return replace(whole, **changes)


def pool(*volumes: Volume, nodes: tuple[str, ...] = NODES) -> dict[str, Any]:
    return {"volumes": volumes_data({v.name: v for v in volumes}), "peers": {u: [u] for u in nodes}}


def told(
    uuid: str, at: float = 100.0, *volumes: Volume, commands: tuple[Change, ...] = (),
    connected: dict[str, bool] | None = None, importing: tuple[str, ...] = (),
) -> ReportedConfig | None:  # fmt: skip
    number = uuid[1:]
    others = [{"uuid": u, "names": [f"g{u[1:]}"]} for u in NODES if u != uuid]
    report = {
        "uuid": uuid, "node": f"g{number}", "names": [f"g{number}"],
        "peers": [{"uuid": uuid, "names": ["localhost"]}, *others],
        "volumes": volumes_data({v.name: v for v in volumes}),
    }  # fmt: skip
    facts = NodeFacts(
        at, volumes_without_info=importing, volumes={v.name: v for v in volumes},
        connected=connected or {}, changes=commands,
    )  # fmt: skip
    return reported_config(report, facts)


def looks(*ones: ReportedConfig | None) -> dict[str, ReportedConfig]:
    return {one.uuid: one for one in ones if one is not None}


# --- when it counts ------------------------------------------------------------------------------


def test_a_majority_of_the_members_is_believed_and_less_is_not() -> None:
    same = [told(u, 100.0, volume()) for u in ("u1", "u2", "u3")]
    assert isinstance(consensus(looks(*same[:2]), 110.0), Unknown)
    found = consensus(looks(*same), 110.0)
    assert not isinstance(found, Unknown)
    assert (found.nodes, found.unanimous) == ({"u1", "u2", "u3"}, True)


def test_one_that_differs_is_outvoted_and_one_that_imports_is_not_heard() -> None:
    same = [told(u, 100.0, volume()) for u in ("u1", "u2", "u3")]
    other = told("u4", 100.0, volume(status="Stopped"))
    found = consensus(looks(*same, other), 110.0)
    assert not isinstance(found, Unknown)
    assert (found.nodes, found.unanimous) == ({"u1", "u2", "u3"}, False)
    assert told("u4", 100.0, importing=("data",)) is None


@pytest.mark.parametrize(("at", "away"), [(100.0, {}), (990.0, {"u3": 995.0})])
def test_what_was_told_long_ago_or_before_a_node_was_lost_does_not_count(
    at: float, away: dict[str, float]
) -> None:
    fresh = [told(u, 990.0, volume()) for u in ("u1", "u2")]
    assert isinstance(consensus(looks(*fresh, told("u3", at, volume())), 1000.0, away), Unknown)
    assert not isinstance(consensus(looks(*fresh, told("u3", 999.0, volume())), 1000.0), Unknown)


def test_the_members_have_all_their_names_and_no_localhost() -> None:
    one, two = told("u1", 1.0, volume()), told("u2", 1.0, volume())
    assert one and two
    peers = actual(one, [one, two])["peers"]
    assert peers == {"u1": ["g1"], "u2": ["g2"], "u3": ["g3"], "u4": ["g4"]}


# --- what differs --------------------------------------------------------------------------------


def test_every_kind_of_difference_has_a_line() -> None:
    bricks = volume().bricks
    moved = (bricks[0], bricks[2], Brick("g4", "/b", "u4"))
    before = {**pool(volume(), volume(name="old")), "peers": {"u1": ["g1"], "u2": ["g2"]}}
    after = {
        **pool(volume(status="Stopped", bricks=moved, options={"a.x": "2", "a.y": "3"})),
        "peers": {"u1": ["g1"], "u4": ["g4"]},
    }
    words = {d.words for d in actual_differences(before, after)}
    assert words == {
        "node g2 is gone (was u2)", "node g4 = u4",
        "volume old is gone (was Replicate, 3 bricks, Started, id id-1)",
        "volume data: status: Started -> Stopped", "volume data: option a.x: 1 -> 2",
        "volume data: option a.y = 3", "volume data: brick is gone (was g2:/b)",
        "volume data: brick = g4:/b",
    }  # fmt: skip


def test_what_gluster_11_forgets_by_itself_is_no_difference_and_what_a_person_sets_is() -> None:
    before, after, by_hand = (
        pool(volume(options={"a.x": "1", **more}))
        for more in ({"nfs.disable": "on"}, {}, {"nfs.disable": "off"})
    )
    assert actual_differences(before, after) == ()
    assert [d.words for d in actual_differences(after, by_hand)] == [
        "volume data: option nfs.disable = off"
    ]


def test_bricks_in_another_order_are_another_volume() -> None:
    turned = volume(bricks=volume().bricks[::-1])
    (found,) = actual_differences(pool(volume()), pool(turned))
    assert found.words == "volume data: order of bricks: g1:/b, g2:/b, g3:/b -> g3:/b, g2:/b, g1:/b"


def test_declaration_and_policy_are_compared_key_by_key() -> None:
    before = {"spec": {"volumes": {"data": {"replica": 3}}}, "policy": {"down_after_s": 120}}
    after = {"spec": {"volumes": {"data": {"replica": 2}}}, "policy": {"down_after_s": 60}}
    assert [d.words for d in differences(before, after)] == [
        "declaration: volumes:data:replica: 3 -> 2", "policy: down_after_s: 120 -> 60"
    ]  # fmt: skip
    assert differences(before, before) == ()


# --- who -----------------------------------------------------------------------------------------

OPTION = Difference(Subject("volume", "data"), "option", "on", "off", "performance.io-cache")


def by(command: str, ours: bool = False, node: str = "u1", at: float = 200.0) -> GivenCommand:
    return GivenCommand(node, f"g{node[1:]}", at, command, ours)


@pytest.mark.parametrize(
    ("command", "difference"),
    [
        ("volume set data performance.io-cache off", OPTION),
        ("volume set data io-cache off", OPTION),
        ("volume set data a.b 1 performance.io-cache off", OPTION),
        ("volume set data group virt", OPTION),
        ("volume reset data", Difference(Subject("volume", "data"), "option", "1", None, "a.b")),
        (
            "volume reset data a.b",
            Difference(Subject("volume", "data"), "option", "1", None, "a.b"),
        ),
        (
            "volume heal data disable",
            Difference(Subject("volume", "data"), "option", None, "off", "cluster.x"),
        ),
        ("volume stop data", Difference(Subject("volume", "data"), "status", "Started", "Stopped")),
        (
            "volume start data force",
            Difference(Subject("volume", "data"), "status", "Stopped", "Started"),
        ),
        (
            "volume add-brick data g4:/b",
            Difference(Subject("volume", "data"), "brick", None, "g4:/b"),
        ),
        ("volume create data g1:/b", Difference(Subject("volume", "data"), "", None, "x")),
        ("volume delete data", Difference(Subject("volume", "data"), "", "x", None)),
        ("peer probe g4", Difference(Subject("node", "g4"), "", None, "u4")),
        (
            "snapshot restore s1",
            Difference(Subject("volume", "data"), "status", "Started", "Stopped"),
        ),
    ],
)
def test_a_command_explains_what_it_does(command: str, difference: Difference) -> None:
    assert explaining(difference, [by(command)]) is not None


@pytest.mark.parametrize(
    "command",
    ["volume set data performance.io-cache on", "volume set other performance.io-cache off",
     "volume set data network.x off", "volume start data", "volume reset data", "peer probe g4"],
)  # fmt: skip
def test_a_command_explains_nothing_else(command: str) -> None:
    assert explaining(OPTION, [by(command)]) is None


def test_only_ours_are_signed_and_a_person_is_unknown() -> None:
    set_it = "volume set data performance.io-cache off"
    assert author([OPTION], [by(set_it, ours=True)])[0] == "salt-gluster on g1"
    assert author([OPTION], [by(set_it)]) == (NOBODY, f"gluster {set_it} on g1")
    other = Difference(Subject("volume", "data"), "status", "Started", "Stopped")
    both = author([OPTION, other], [by(set_it, ours=True)])
    assert (both[0], "does not explain all" in both[1]) == (NOBODY, True)
    mixed = author([OPTION, other], [by(set_it, ours=True), by("volume stop data")])
    assert mixed[0] == NOBODY
    assert author([OPTION], [])[0] == NOBODY


def test_only_commands_since_the_pool_was_known_count_by_each_nodes_clock() -> None:
    past = (Change(50.0, "volume stop data", False), Change(70.0, "volume start data", False))
    one, two = told("u1", 100.0, commands=past), told("u2", 100.0, commands=past)
    assert one and two
    found = commands_since([one, two], {"u1": 60.0}, 80.0)
    assert [(g.node, g.command) for g in found] == [("u1", "volume start data")]


# --- overwritten ---------------------------------------------------------------------------------

BEFORE = pool(volume(options={"a.x": "1"}))
AFTER = pool(volume(options={"a.y": "2"}))
LOST = actual_differences(BEFORE, AFTER)
OUTSIDE = by("volume set data a.y 2", node="u4", at=300.0)


def judged(
    commands: list[GivenCommand], was_away: dict[str, float], back: tuple[str, ...] = NODES,
    rows: tuple[Difference, ...] = LOST, before: dict[str, Any] = BEFORE,
) -> config_overwrite.Overwritten | None:  # fmt: skip
    return config_overwrite.overwritten(before, rows, commands, was_away, back, NODES)


def test_a_node_that_comes_back_with_other_definitions_has_overwritten() -> None:
    found = judged([OUTSIDE], {"u4": 250.0})
    assert found is not None
    assert (found.nodes, found.what) == (("u4",), LOST)
    silent = judged([], {"u4": 250.0})  # its history is lost with it
    assert silent is not None and silent.nodes == ("u4",)


@pytest.mark.parametrize(
    ("commands", "was_away", "back"),
    [
        ([], {}, NODES),  # nobody was away: a change by nobody knows whom
        ([], {"u4": 250.0}, ("u1", "u2", "u3")),  # who is away still overwrites nothing
        ([by("volume reset data a.x"), by("volume set data a.y 2")], {"u4": 250.0}, NODES),
        ([by("volume reset data"), by("volume set data a.y 2", node="u4", at=200.0)],
         {"u4": 250.0}, NODES),  # it was given before it was away
        ([by("volume reset data", ours=True), replace(OUTSIDE, ours=True)], {"u4": 250.0}, NODES),
    ],
)  # fmt: skip
def test_what_is_explained_inside_the_pool_is_a_change(
    commands: list[GivenCommand], was_away: dict[str, float], back: tuple[str, ...]
) -> None:
    assert judged(commands, was_away, back) is None


def test_a_new_volume_overwrites_nothing() -> None:
    rows = actual_differences(pool(), pool(volume()))
    assert judged([], {"u4": 250.0}, rows=rows, before=pool()) is None


def test_a_node_that_was_detached_and_is_probed_again_is_found_by_what_it_did_alone() -> None:
    before = pool(volume(), nodes=("u1", "u2", "u3"))
    rows = actual_differences(before, pool(volume(status="Stopped")))
    stop, probe = by("volume stop data", node="u4", at=100.0), by("peer probe g4", at=200.0)
    found = judged([stop, probe], {}, rows=rows, before=before)
    assert found is not None and found.nodes == ("u4",)
    assert judged([probe, replace(stop, at=300.0)], {}, rows=rows, before=before) is None


def test_away_is_whom_gluster_misses_until_it_tells_what_is_known() -> None:
    cut = looks(told("u1", 100.0, connected={"u4": False, "u2": True}))
    found = config_overwrite.away({}, cut, {"u4": ("suspect", 90.0)}, (), 105.0)
    assert found == {"u4": 85.0}
    alone = config_overwrite.away({}, {}, {"u4": ("suspect", 90.0)}, (), 105.0)
    assert alone == {}  # Consul alone misses it
    down = {"u4": ("down", 90.0)}
    assert config_overwrite.away(found, {}, down, ("u4",), 130.0) == found
    assert config_overwrite.away(found, {}, {"u4": ("returning", 140.0)}, ("u1",), 150.0) == found
    assert config_overwrite.away(found, {}, {}, ("u1", "u4"), 150.0) == {}
    old = looks(told("u3", 1.0, connected={"u1": False}))
    assert config_overwrite.away({}, old, {}, (), 105.0) == {}


def version(**more: Any) -> dict[str, Any]:
    rows = [d.to_data() for d in LOST]
    return {"version": 5, "by": "unknown", "why": "gluster x on g1", "at": 7.0, "what": rows,
            **more}  # fmt: skip


def test_a_version_is_told_once_and_an_overwrite_is_critical_with_the_way_back() -> None:
    (changed,) = config_overwrite.notices("main", version(), 4)
    assert (changed.event, changed.suggest) == ("config_changed", ("salt-run gluster.diff 4 5",))
    assert "option a.x is gone (was 1)" in changed.why
    lost = {"nodes": ["g4"], "what": version()["what"]}
    _, alarm = config_overwrite.notices("main", version(overwritten=lost), 4)
    assert (alarm.event, alarm.details["nodes"]) == ("overwritten", ["g4"])
    assert "salt-run gluster.plan" in alarm.suggest
    assert config_overwrite.notices("main", version(what=[]), 4) == ()


def test_what_most_tell_comes_before_what_the_youngest_tells() -> None:
    peers = [{"uuid": uuid} for uuid in NODES]
    reports = {uuid: {"uuid": uuid, "peers": peers} for uuid in NODES[:3]}
    definitions = {"u1": {"data": volume()}, "u2": {"data": volume()}, "u3": {}}
    looked = {"u1": 1.0, "u2": 2.0, "u3": 9e15}
    first, *_ = most_told_first(reports, definitions, looked)
    assert first["uuid"] == "u2", "of the many the youngest"
