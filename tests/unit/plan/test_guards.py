"""Each guard says yes and no, and each one in an action's row is the only one for something."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from salt_gluster.model import (
    Brick,
    BrickPath,
    BrickStatus,
    Facet,
    Hold,
    Node,
    Observation,
    Peer,
    Reach,
    Step,
    Unknown,
    Volume,
    VolumeStatus,
)
from salt_gluster.plan.actions import ACTIONS, SET_BY_PROFILE
from salt_gluster.plan.guards import (
    GUARDS,
    MOST_ASKED,
    asked_for_definitions,
    check,
    facets,
    refusals,
)

NOW = 1_000_000.0
HOSTS = ("g1", "g2", "g3", "g4", "g5")
VOLUME = Volume(
    "data", "id-1", "Started", "replicate",
    tuple(Brick(f"g{i}", "/bricks/a", f"u{i}") for i in (1, 2, 3)), 1, 3, options=SET_BY_PROFILE,
)  # fmt: skip
READY = BrickPath("/bricks/b", exists=True, parent_exists=True, filesystem="/bricks")
NEW_BRICKS = [f"g{i}:/bricks/b" for i in (1, 2, 3)]
#: A step of every action, on the volume, a new one, a node or a directory.
STEPS = {
    "peer_probe": ("g6", {"host": "g6", "node": "g6"}),
    "peer_detach": ("g5", {"host": "g5"}),
    "brick_prepare": ("/bricks/b", {"path": "/bricks/b"}),
    "volume_create": ("new", {"bricks": NEW_BRICKS, "replica": 3}),
    "bricks_add": ("data", {"bricks": NEW_BRICKS}),
}


def step_of(action: str, **args: Any) -> Step:
    subject, made = STEPS.get(action, ("data", {}))
    return Step(action, subject, {**made, **args}, action)


def fine() -> Observation:
    """Five members, one volume on three of them, nothing wrong."""
    peers = tuple(
        Peer(f"u{i}", (f"g{i}",), connected=True, state=3, is_self=i == 1) for i in range(1, 6)
    )
    rows = tuple(BrickStatus(b.host, b.path, b.host_uuid, True, 49152, 7) for b in VOLUME.bricks)
    return Observation(
        NOW,
        Node(
            "g1", uuid="u1", glusterd_started=NOW - 61, volumes_without_info=(),
            volumes_at_start=("data",), hold=None,
        ),
        peers,
        {"data": VOLUME},
        status={"data": VolumeStatus("data", rows)},
        reach={p.uuid: Reach(True, 100000) for p in peers},
        definitions={p.uuid: {"data": VOLUME.digest()} for p in peers if not p.is_self},
        paths={"/bricks/b": READY},
    )  # fmt: skip


def with_peer(obs: Observation, number: int, **fields: Any) -> Observation:
    peers = obs.peers
    assert isinstance(peers, tuple)
    return replace(
        obs, peers=tuple(replace(p, **fields) if p.uuid == f"u{number}" else p for p in peers)
    )


def with_node(obs: Observation, **fields: Any) -> Observation:
    return replace(obs, node=replace(obs.node, **fields))


def without(obs: Observation, *numbers: int) -> Observation:
    for number in numbers:
        obs = with_peer(obs, number, connected=False)
    return obs


def rows(obs: Observation, **fields: Any) -> Observation:
    status = obs.status["data"]
    assert isinstance(status, VolumeStatus)
    last = replace(status.bricks[2], **fields)
    return replace(obs, status={"data": replace(status, bricks=(*status.bricks[:2], last))})


def path(obs: Observation, **fields: Any) -> Observation:
    return replace(obs, paths={"/bricks/b": replace(READY, **fields)})


def told(obs: Observation, number: int, what: Any) -> Observation:
    return replace(obs, definitions={**obs.definitions, f"u{number}": what})


Change = Callable[[Observation], Observation]

#: guard -> what makes it say no, whatever the step; the first of each is used for every action.
NO: dict[str, list[Change]] = {
    "not_held": [
        lambda o: with_node(o, hold=Hold("moving", "ann")),
        lambda o: with_node(o, hold=Unknown("permission denied")),
    ],
    "right_pool": [
        lambda o: with_node(o, uuid="another"),
        lambda o: with_node(o, uuid=None),
        lambda o: with_node(o, uuid=Unknown("no file")),
    ],
    "majority": [
        lambda o: without(o, 3, 4, 5),
        lambda o: replace(o, reach={**o.reach, **dict.fromkeys(("u3", "u4", "u5"), Reach(False))}),
        lambda o: replace(o, reach={"u1": o.reach["u1"]}),
    ],
    "pool_whole": [
        lambda o: without(o, 3, 4, 5),
        lambda o: with_peer(without(o, 4, 5), 3, state=4),
    ],
    "single_version": [
        lambda o: replace(o, reach={**o.reach, "u4": Reach(True, 110000)}),
        lambda o: replace(o, reach={**o.reach, "u1": Reach(True, 110000)}),
        lambda o: replace(o, reach={**o.reach, "u4": Reach(True, Unknown("odd answer"))}),
        # a spare that its version got rejected still tells what it runs
        lambda o: with_peer(replace(o, reach={**o.reach, "u5": Reach(True, 110000)}), 5, state=6),
        lambda o: replace(o, reach={u: r for u, r in o.reach.items() if u != "u1"}),
    ],
    "settled": [
        lambda o: with_node(o, volumes_without_info=("data",)),
        lambda o: with_node(o, volumes_without_info=Unknown("no such directory")),
        lambda o: with_node(o, glusterd_started=NOW - 59),
        lambda o: with_node(o, glusterd_started=None),
        lambda o: with_node(o, glusterd_started=Unknown("no /proc")),
        lambda o: with_node(o, glusterd_started=NOW - 5, volumes_at_start=Unknown("no right")),
    ],
    "definitions_equal": [
        lambda o: told(o, 4, {"data": "another", "new": "ghost"}),
        lambda o: replace(o, definitions=dict.fromkeys(o.definitions, Unknown("cut off"))),
    ],
    "paths_fit": [
        lambda o: path(o, filesystem="/"),
        lambda o: path(o, is_mount_point=True),
        lambda o: path(o, unmounted="/bricks"),
        lambda o: path(o, foreign=("a.txt",)),
        lambda o: path(o, volume_id="id-0"),
        lambda o: replace(o, paths={}),
    ],
}
PAIRS = [(a, b) for a, row in ACTIONS.items() for b in row.guards]


@pytest.mark.parametrize("action", ACTIONS)
def test_nothing_is_refused_in_a_pool_that_is_well(action: str) -> None:
    assert refusals(fine(), [step_of(action)], HOSTS) == ()


@pytest.mark.parametrize(("action", "guard"), PAIRS)
def test_every_guard_in_a_row_is_the_only_one_for_something(action: str, guard: str) -> None:
    """Whoever takes a guard out of an action's row fails here."""
    for change in NO[guard]:
        said = check(change(fine()), [step_of(action)], HOSTS)
        assert [a.guard for a in said if a.refusal] == [guard]


def test_what_changes_a_pool_checks_the_guards_of_change_md() -> None:
    """The rows themselves: an action that lost a guard would not be in PAIRS any more."""
    volume = {"not_held", "right_pool", "pool_whole", "single_version", "settled"}
    volume |= {"definitions_equal"}
    wanted = {
        "peer_probe": {"not_held", "right_pool", "majority", "single_version"},
        "peer_detach": volume - {"definitions_equal"},
        "brick_prepare": {"not_held"},
        "volume_create": volume | {"paths_fit"},
        "bricks_add": volume | {"paths_fit"},
    }
    for name, row in ACTIONS.items():
        upkeep = name in (
            "volume_heal",
            "volume_heal_full",
            "volume_log_rotate",
            "volume_statedump",
        )
        least = {"not_held", "right_pool", "majority"} if upkeep else wanted.get(name, volume)
        assert set(row.guards) >= least, name


#: What holds for some steps only: guard, step, change, expected to say no.
CASES: list[tuple[str, Step, Change, bool]] = [
    ("pool_whole", step_of("options_set"), lambda o: without(o, 4, 5), False),
    ("pool_whole", step_of("options_set"), lambda o: without(o, 3), True),
    ("pool_whole", step_of("volume_create"), lambda o: without(o, 3), True),
    (
        "pool_whole",
        step_of("volume_create", bricks=["g1:/bricks/b"]),
        lambda o: without(o, 3),
        False,
    ),
    ("pool_whole", step_of("options_set"), lambda o: with_peer(o, 2, state=6), True),
    (
        "pool_whole",
        step_of("options_set"),
        lambda o: replace(o, reach={**o.reach, "u2": Reach(False)}),
        True,
    ),
    # A hung status, a port that is N/A, a missing row; not asked of a member that is away.
    ("settled", step_of("options_set"), lambda o: rows(o, port=None), True),
    ("settled", step_of("options_set"), lambda o: rows(o, online=False), True),
    ("settled", step_of("options_set"), lambda o: rows(o, path="/elsewhere"), True),
    ("settled", step_of("options_set"), lambda o: replace(o, status={}), True),
    (
        "settled",
        step_of("options_set"),
        lambda o: replace(o, status={"data": Unknown("hung")}),
        True,
    ),
    ("settled", step_of("options_set"), lambda o: without(rows(o, online=False), 3), False),
    (
        "settled",
        step_of("volume_start"),
        lambda o: replace(o, volumes={"data": replace(VOLUME, status="Stopped")}, status={}),
        False,
    ),
    (
        "settled",
        step_of("volume_create"),
        lambda o: with_node(o, glusterd_started=NOW - 5, volumes_at_start=()),
        False,
    ),
    # A member without bricks may be silent about the volume, but not tell another one.
    ("definitions_equal", step_of("options_set"), lambda o: told(o, 5, Unknown("slow")), False),
    ("definitions_equal", step_of("options_set"), lambda o: told(o, 3, Unknown("slow")), True),
    ("definitions_equal", step_of("options_set"), lambda o: told(o, 5, {}), True),
    ("definitions_equal", step_of("volume_create"), lambda o: told(o, 5, {"new": "x"}), True),
    (
        "paths_fit",
        step_of("volume_create", accept_risk=["root_disk"], bricks=["g1:/bricks/b"], replica=1),
        lambda o: path(o, filesystem="/"),
        False,
    ),
    (
        "paths_fit",
        step_of("volume_create", bricks=["g1:/bricks/b"], replica=1),
        lambda o: path(o, filesystem="/"),
        True,
    ),
    (
        "paths_fit",
        step_of("volume_create", bricks=["g2:/bricks/b"]),
        lambda o: path(o, foreign=("a",)),
        False,
    ),
    ("paths_fit", step_of("volume_create", bricks=["g2:/bricks/with blank"]), lambda o: o, True),
    ("paths_fit", step_of("volume_create", bricks=["g2:/bricks/a:b"]), lambda o: o, True),
    ("paths_fit", step_of("volume_create", bricks=["g2:/bricks/../b"]), lambda o: o, True),
    ("paths_fit", step_of("volume_create", bricks=["g2:bricks/b"]), lambda o: o, True),
    ("paths_fit", step_of("volume_create", bricks=["g2:/bricks/./b"]), lambda o: o, True),
    ("paths_fit", step_of("volume_create", bricks=["g2:/bricks//b"]), lambda o: o, True),
    ("paths_fit", step_of("volume_create", bricks=["g2:/bricks/b/"]), lambda o: o, True),
    ("paths_fit", step_of("volume_create", bricks=["g2:/bricks/b\t"]), lambda o: o, True),
    (
        "paths_fit",
        step_of("volume_create", accept_risk=["no_such_risk"]),
        lambda o: path(o, filesystem="/"),
        True,
    ),
    # Accepting the root file system accepts nothing else.
    (
        "paths_fit",
        step_of("volume_create", accept_risk=["root_disk"]),
        lambda o: path(o, filesystem="/", foreign=("a",)),
        True,
    ),
    # Names of hosts have no case; a member that is away says nothing about versions.
    ("right_pool", step_of("options_set"), lambda o: with_peer(o, 2, names=("G2",)), False),
    (
        "single_version",
        step_of("options_set"),
        lambda o: without(replace(o, reach={**o.reach, "u5": Reach(False, Unknown("gone"))}), 5),
        False,
    ),
    # What this very step starts is down for a reason.
    (
        "settled",
        step_of("volume_start", starts=("g3:/bricks/a",)),
        lambda o: rows(o, port=None),
        False,
    ),
    (
        "settled",
        step_of("volume_start", starts=("g2:/bricks/a",)),
        lambda o: rows(o, port=None),
        True,
    ),
    # A brick goes to a node that is no member, or to one that is away.
    ("pool_whole", step_of("bricks_add", bricks=["g5:/bricks/b"]), lambda o: without(o, 5), True),
    ("pool_whole", step_of("bricks_add", bricks=["g4:/bricks/b"]), lambda o: without(o, 5), False),
]


@pytest.mark.parametrize(("guard", "step", "change", "no"), CASES)
def test_a_guard_looks_at_what_the_step_concerns(
    guard: str, step: Step, change: Change, no: bool
) -> None:
    assert (GUARDS[guard](change(fine()), step, HOSTS) is not None) is no


def test_an_unknown_pool_around_a_declared_node_is_not_written_to() -> None:
    said = refusals(fine(), [step_of("options_set")], ("g1", "h2", "h3"))
    assert [r.name for r in said] == ["right_pool"]
    assert refusals(fine(), [step_of("options_set")], ()) == ()


@pytest.mark.parametrize(
    ("members", "away", "no"), [(1, 0, False), (2, 1, True), (4, 2, True), (5, 2, False)]
)
def test_half_of_the_members_is_no_majority(members: int, away: int, no: bool) -> None:
    peers = fine().peers
    assert isinstance(peers, tuple)
    obs = without(replace(fine(), peers=peers[:members]), *range(members - away + 1, members + 1))
    assert (GUARDS["majority"](obs, step_of("peer_probe"), HOSTS) is not None) is no


def test_a_lone_node_has_one_version_even_if_nobody_can_be_asked() -> None:
    peers = fine().peers
    assert isinstance(peers, tuple)
    alone = replace(fine(), peers=peers[:1], reach={})
    assert refusals(alone, [step_of("peer_probe")], HOSTS) == ()


def test_all_reasons_are_collected_and_each_guard_is_told_once() -> None:
    obs = with_node(path(told(fine(), 4, {}), foreign=("x",)), hold=Hold("x"))
    steps = [step_of("bricks_add"), step_of("options_set"), step_of("volume_create")]
    assert {r.name for r in refusals(obs, steps, HOSTS)} == {
        *("not_held", "definitions_equal", "paths_fit")
    }
    said = [a.guard for a in check(obs, steps, HOSTS)]
    assert len(said) == len(set(said))


def test_what_the_guards_look_at_is_asked_for() -> None:
    """A guard that looked at a facet nobody asked for would refuse for ever, or say yes blindly."""
    assert facets([step_of("bricks_add")]) == {
        *(Facet("reach"), Facet("definitions", "data"), Facet("status", "data")),
        *(Facet("holder", "g1"), Facet("holder", "g2"), Facet("holder", "g3")),
        Facet("path", "/bricks/b"),
        Facet("prepared"),
    }
    assert facets([step_of("peer_probe")]) == {Facet("reach")}
    assert facets([step_of("brick_prepare")]) == frozenset()


@pytest.mark.parametrize(
    ("change", "least", "most"),
    [
        (lambda o: without(o, 3), 1, 10),
        (lambda o: with_peer(o, 3, state=4), 10, 60),
        (lambda o: with_node(o, glusterd_started=NOW - 5), 55, 60),
        (lambda o: rows(o, port=None), 16, 16),
        (lambda o: with_node(o, hold=Hold("x")), 0, 0),
        (lambda o: replace(o, reach={**o.reach, "u4": Reach(True, 110000)}), 0, 0),
        (lambda o: replace(o, reach={**o.reach, "u4": Reach(True, Unknown("odd"))}), 1, 10),
    ],
)
def test_time_is_given_to_what_time_mends(change: Change, least: float, most: float) -> None:
    said = refusals(change(fine()), [step_of("options_set")], HOSTS)
    assert said and all(least <= r.waits_s <= most for r in said)


def test_the_id_that_another_nodes_create_put_here_just_now_is_worth_a_moment() -> None:
    for changed, waits in ((NOW - 1, True), (NOW - 60, False)):
        obs = path(fine(), volume_id="id-9", changed=changed)
        (said,) = refusals(obs, [step_of("volume_create")], HOSTS)
        assert (said.waits_s > 0) is waits


def large() -> Observation:
    """300 members, one volume on three of them."""
    more = (Peer(f"u{i}", (f"g{i}",), connected=True, state=3, is_self=i == 1)
            for i in range(1, 301))  # fmt: skip
    return replace(fine(), peers=tuple(more))


def test_whoever_holds_a_brick_is_asked_for_definitions_and_in_a_small_pool_everybody() -> None:
    assert {p.uuid for p in asked_for_definitions(fine(), ["data"], [])} == {"u2", "u3", "u4", "u5"}
    asked = [p.uuid for p in asked_for_definitions(large(), ["data"], ["g200"])]
    assert len(asked) == len(set(asked)) == MOST_ASKED
    holding = {b.host_uuid for b in VOLUME.bricks} - {"u1"}
    assert holding | {"u200"} <= set(asked)
    assert len(asked_for_definitions(large(), [""], [])) == 299


def test_in_a_large_pool_each_volume_asks_other_members() -> None:
    asked = {p.uuid for n in range(200) for p in asked_for_definitions(large(), [f"v{n}"], [])}
    assert len(asked) > 250
