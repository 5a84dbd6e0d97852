"""The planner: what follows from a declaration and an observation, as properties and as cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from salt_gluster.model import (
    Announcement,
    Brick,
    BrickPath,
    Facet,
    Hazard,
    Node,
    Observation,
    Peer,
    Plan,
    Prepared,
    Unknown,
    Volume,
    merge_changes,
)
from salt_gluster.plan import (
    plan_brick,
    plan_options_of,
    plan_started,
    plan_volume,
    plan_volume_absent,
)
from salt_gluster.plan.actions import SET_BY_CREATE, SET_BY_CREATE_REPLICATE, simulate
from salt_gluster.spec import BrickSpec, PoolSpec, VolumeSpec

NOW = 1_000_000.0
#: (name, two spellings of one value, another value): nothing here is a hazard.
OPTIONS = [
    ("performance.cache-size", "64MB", "67108864", "32MB"),
    ("cluster.lookup-optimize", "on", "yes", "off"),
    ("network.ping-timeout", "60", "1m", "30"),
    ("performance.io-thread-count", "16", "0x10", "8"),
    ("performance.client-io-threads", "off", "false", "on"),
    ("user.note", "a b", "a b", "c"),
]


def observed(*volumes: Volume, nodes: int = 6, **more: Any) -> Observation:
    peers = tuple(
        Peer(f"u{i}", (f"g{i}",), connected=True, state=3, is_self=i == 1)
        for i in range(1, nodes + 1)
    )
    node = Node("g1", uuid="u1", glusterd_started=0.0, volumes_without_info=(), hold=None)
    return Observation(NOW, node, peers, {v.name: v for v in volumes}, **more)


def brick(name: str, *, arbiter: bool = False) -> Brick:
    host, path = name.split(":")
    return Brick(host, path, "u" + host[1:], arbiter)


def volume(sets: Sequence[Sequence[str]], **fields: Any) -> Volume:
    """A started volume called data; replicate, arbiter and disperse by ``fields``."""
    size = len(sets[0])
    arbiter = fields.get("arbiter", 0)
    kind = "disperse" if fields.get("disperse") else "replicate" if size > 1 else "distribute"
    made: dict[str, Any] = {
        "name": "data", "id": "id-1", "status": "Started", "kind": kind, "dist_count": len(sets),
        "replica": 1 if kind == "disperse" else size,
        "options": {**SET_BY_CREATE, **(SET_BY_CREATE_REPLICATE if kind == "replicate" else {})},
        "bricks": tuple(
            brick(b, arbiter=bool(arbiter) and i == size - 1) for s in sets for i, b in enumerate(s)
        ),
    }  # fmt: skip
    return Volume(**{**made, **fields})


def spec(sets: Sequence[Sequence[str]], **fields: Any) -> VolumeSpec:
    bricks = tuple(BrickSpec(*b.split(":")) for s in sets for b in s)
    made: dict[str, Any] = {"replica": len(sets[0])} if not fields.get("disperse") else {}
    return VolumeSpec("data", bricks=bricks, **{**made, **fields})


# --- generated pools -----------------------------------------------------------------------------

SHAPES = ["distribute", "replica 2", "replica 3", "arbiter", "disperse"]
SIZE = {"distribute": 1, "replica 2": 2, "replica 3": 3, "arbiter": 3, "disperse": 3}
FIELDS: Mapping[str, dict[str, Any]] = {"disperse": {"disperse": 3, "redundancy": 1}}
RAISES = {"distribute": ["replica 2", "replica 3"], "replica 2": ["replica 3", "arbiter"]}


def grid(count: int, size: int, first: int = 0) -> list[list[str]]:
    """Bricks of ``count`` sets: set s has members on nodes s+0, s+1, …"""
    sets = range(first, first + count)
    return [[f"g{(s + m) % 6 + 1}:/bricks/s{s}" for m in range(size)] for s in sets]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Observation, VolumeSpec, PoolSpec | None]:
    """A pool of six, a volume of any kind in it or none, and what somebody wants it to be."""
    old = draw(st.sampled_from(SHAPES))
    new = draw(st.sampled_from([old, old, *RAISES.get(old, []), *SHAPES]))
    there = draw(st.integers(0, 3))
    wanted = max(1, there + draw(st.integers(-1, 2)))
    options = {n: draw(st.sampled_from(v)) for n, *v in OPTIONS if draw(st.booleans())}
    stored = {n: draw(st.sampled_from(v)) for n, *v in OPTIONS if draw(st.booleans())}
    sets = grid(wanted, SIZE[new])
    drift = draw(st.sampled_from(["", "", "", "other brick", "other sets", "alias"]))
    if drift == "other brick":
        sets[0][0] = "g6:/bricks/elsewhere"
    elif drift == "other sets" and len(sets) > 1:
        sets[0][0], sets[1][0] = sets[1][0], sets[0][0]
    elif drift == "alias":
        sets = [[b.upper().replace("/BRICKS/S", "/bricks/s") for b in s] for s in sets]
    declared = spec(
        sets,
        options=options,
        arbiter=new == "arbiter",
        exclusive_options=draw(st.booleans()),
        started=draw(st.sampled_from([True, True, None])),
        **FIELDS.get(new, {}),
    )
    pool = None
    if draw(st.booleans()) and new != "disperse":
        only = tuple(f"g{i}" for i in range(1, draw(st.integers(3, 6)) + 1))
        declared = replace(declared, bricks=(), only=only if draw(st.booleans()) else ())
        pool = PoolSpec(tuple(f"g{i}" for i in range(1, 7)), devices=("sdb", "sdc"))
    if not there:
        return observed(), declared, pool
    live = volume(
        grid(there, SIZE[old]),
        arbiter=int(old == "arbiter"),
        status=draw(st.sampled_from(["Created", "Started", "Stopped"])),
        **FIELDS.get(old, {}),
    )
    live = replace(live, options={**live.options, **stored})
    if pool is not None and draw(st.booleans()):
        live = laid_out(live, pool)
    return observed(live), declared, pool


def laid_out(live: Volume, pool: PoolSpec) -> Volume:
    """The same volume with its bricks where the layout puts them: each node's disks in turn."""
    free = {n: list(pool.brick_paths("data")) for n in pool.nodes}
    if any(sum(b.host == n for b in live.bricks) > len(p) for n, p in free.items()):
        return live
    return replace(live, bricks=tuple(replace(b, path=free[b.host].pop(0)) for b in live.bricks))


def walked(obs: Observation, plan: Plan) -> list[Observation]:
    states = [obs]
    for step in plan.steps:
        states.append(simulate(states[-1], step))
    return states


def as_told(plan: Plan) -> list[Any]:
    return [[s.action, s.subject, s.args, s.place] for s in plan.steps]


@given(worlds())
def test_the_plan_after_the_first_step_is_the_rest(
    world: tuple[Observation, VolumeSpec, PoolSpec | None],
) -> None:
    obs, declared, pool = world
    plan = plan_volume(declared, obs, pool)
    assume(plan.steps and not plan.refusals)
    rest = plan_volume(declared, walked(obs, plan)[1], pool)
    assert as_told(rest) == as_told(plan)[1:]
    assert rest.refusals == ()
    merged: dict[str, Any] = {}
    merge_changes(merged, only_first(declared, obs, plan))
    merge_changes(merged, rest.changes)
    assert merged == plan.changes


def only_first(declared: VolumeSpec, obs: Observation, plan: Plan) -> Mapping[str, Any]:
    before, after = obs.volume("data"), walked(obs, plan)[1].volume("data")
    names = plan.steps[0].args.get("options", plan.steps[0].args.get("option", ()))
    return told_changes(before, after, [names] if isinstance(names, str) else list(names))


@given(worlds())
def test_when_all_steps_are_done_nothing_is_left(
    world: tuple[Observation, VolumeSpec, PoolSpec | None],
) -> None:
    obs, declared, pool = world
    plan = plan_volume(declared, obs, pool)
    assume(not plan.refusals)
    left = plan_volume(declared, walked(obs, plan)[-1], pool)
    assert left.is_empty
    assert left.changes == {}


@given(worlds())
def test_changes_are_the_difference_that_the_steps_make(
    world: tuple[Observation, VolumeSpec, PoolSpec | None],
) -> None:
    obs, declared, pool = world
    plan = plan_volume(declared, obs, pool)
    assume(not plan.refusals)
    sent = {k for s in plan.steps for k in s.args.get("options", ())}
    sent |= {s.args["option"] for s in plan.steps if "option" in s.args}
    before, after = obs.volume("data"), walked(obs, plan)[-1].volume("data")
    assert plan.changes == told_changes(before, after, sorted(sent))


def told_changes(
    before: Volume | None, after: Volume | None, options: Sequence[str]
) -> dict[str, Any]:
    """The diff in a state's form, computed here once more from the two definitions."""

    def text(v: Volume) -> str:
        n = len(v.bricks) // v.set_size
        if v.disperse:
            return f"{n} x disperse {v.disperse - v.redundancy}+{v.redundancy}"
        if v.arbiter:
            return f"{n} x replica 2 + arbiter"
        return f"{n} x replica {v.replica}" if v.replica > 1 else f"distribute {n}"

    def facts(v: Volume | None) -> dict[str, Any]:
        if v is None:
            return dict.fromkeys(["type", "transport", "bricks", "status"])
        bricks = [f"{b.host}:{b.path}" for b in v.bricks]
        return {"type": text(v), "transport": v.transport, "bricks": bricks, "status": v.status}

    old, new = facts(before), facts(after)
    diff: dict[str, Any] = {k: {"old": old[k], "new": new[k]} for k in old if old[k] != new[k]}
    values = [(k, *(v.options.get(k) if v else None for v in (before, after))) for k in options]
    changed = {k: {"old": a, "new": b} for k, a, b in values if a != b}
    # What create sets by itself is not reported, unless a step set it to something else.
    if changed:
        for key, change in changed.items():
            if before is None:
                made = {**SET_BY_CREATE, **SET_BY_CREATE_REPLICATE}
                kept = after is not None and after.kind == "replicate"
                change["old"] = (made if kept else SET_BY_CREATE).get(key)
        diff["options"] = changed
    return {"data": diff} if diff else {}


@given(worlds())
def test_no_step_takes_a_brick_or_a_copy_away_or_reorders_live_bricks(
    world: tuple[Observation, VolumeSpec, PoolSpec | None],
) -> None:
    """Also in a plan that is refused: a person may accept a refusal."""
    obs, declared, pool = world
    plan = plan_volume(declared, obs, pool)
    allowed = {"volume_create", "bricks_add", "options_set", "option_reset", "volume_start"}
    assert {s.action for s in plan.steps} <= allowed
    states = walked(obs, plan)
    for before, after in pairwise(states):
        old, new = before.volume("data"), after.volume("data")
        if old is None:
            continue
        assert new is not None and new.replica >= old.replica
        for one, other in zip(old.sets, new.sets, strict=False):
            assert other.bricks[: len(one.bricks)] == one.bricks
        assert len(new.sets) >= len(old.sets)
        assert len(set(new.bricks)) == len(new.bricks)


@given(worlds())
def test_equal_values_are_never_sent_and_all_others_in_one_call(
    world: tuple[Observation, VolumeSpec, PoolSpec | None],
) -> None:
    obs, declared, pool = world
    plan = plan_volume(declared, obs, pool)
    calls = [s.args["options"] for s in plan.steps if s.action == "options_set"]
    assert len(calls) <= 1
    live = obs.volume("data")
    same = {n: {a, b} for n, a, b, _ in OPTIONS}
    for name, value in calls[0].items() if calls and live else ():
        there = live.options.get(name) if live else None
        assert there != value and {there, value} != same[name]


@pytest.mark.parametrize(("name", "one", "two", "other"), OPTIONS)
def test_a_value_is_compared_by_meaning(name: str, one: str, two: str, other: str) -> None:
    live = volume([["g1:/b"]], options={name: one})
    told = [
        plan_options_of(VolumeSpec("data", options={name: v}), observed(live)) for v in (two, other)
    ]
    assert told[0].is_empty
    assert [s.args["options"] for s in told[1].steps] == [{name: other}]


# --- creating and growing ------------------------------------------------------------------------


def test_a_volume_is_created_configured_and_started_in_three_steps() -> None:
    wanted = spec([["g1:/b", "g2:/b", "g3:/b"]], arbiter=True, options={"user.a": "1"})
    plan = plan_volume(wanted, observed())
    assert [s.action for s in plan.steps] == ["volume_create", "options_set", "volume_start"]
    args = plan.steps[0].args
    assert (args["replica"], args["arbiter"]) == (3, 1)
    assert args["bricks"] == ["g1:/b", "g2:/b", "g3:/b"]
    assert plan.changes["data"]["type"] == {"old": None, "new": "1 x replica 2 + arbiter"}
    assert plan.changes["data"]["status"] == {"old": None, "new": "Started"}


def test_a_node_looks_for_its_own_bricks_only() -> None:
    plan = plan_volume(spec([["g1:/own", "g2:/b2", "g9:/b9"]]), observed())
    assert {facet.name for facet in plan.needs if facet.kind == "path"} == {"/own"}


def test_sets_are_added_in_the_declared_order_in_one_step() -> None:
    plan = plan_volume(spec(grid(3, 2)), observed(volume(grid(1, 2))))
    assert [(s.action, s.args["bricks"]) for s in plan.steps] == [
        ("bricks_add", [b for s in grid(3, 2)[1:] for b in s])
    ]
    assert any("rebalance" in note for note in plan.notes)


@pytest.mark.parametrize(
    ("old", "new", "arbiter", "added"),
    [
        (1, 2, False, ["g2:/bricks/s0", "g3:/bricks/s1"]),
        (2, 3, False, ["g3:/bricks/s0", "g4:/bricks/s1"]),
        (1, 3, False, ["g2:/bricks/s0", "g3:/bricks/s0", "g3:/bricks/s1", "g4:/bricks/s1"]),
        (2, 3, True, ["g3:/bricks/s0", "g4:/bricks/s1"]),
    ],
)
def test_every_live_set_gets_its_new_members_in_one_step(
    old: int, new: int, arbiter: bool, added: list[str]
) -> None:
    """``add-brick`` deals the new bricks to the sets in turn, behind those they have."""
    obs = observed(volume(grid(2, old)))
    plan = plan_volume(spec(grid(2, new), arbiter=arbiter), obs)
    assert [(s.action, s.args["bricks"]) for s in plan.steps] == [("bricks_add", added)]
    assert (plan.steps[0].args["replica"], plan.steps[0].args["arbiter"]) == (new, int(arbiter))
    after = simulate(obs, plan.steps[0]).volume("data")
    assert after is not None
    assert [[b.name for b in s.bricks] for s in after.sets] == grid(2, new)
    assert [b.is_arbiter for b in after.sets[1].bricks] == [False] * (new - 1) + [arbiter]


def test_a_laid_out_volume_gets_its_copies_on_other_nodes_and_zones() -> None:
    pool = PoolSpec(("g1", "g2", "g3"), zones={"g1": "a", "g2": "a", "g3": "b"})
    path = pool.brick_paths("data")[0]
    obs = observed(volume([[f"g1:{path}"]]), nodes=3)
    plan = plan_volume(VolumeSpec("data", replica=2), obs, pool)
    assert plan.steps[0].args["bricks"] == [f"g3:{path}"]


def test_an_arbiter_goes_to_the_node_for_arbiters() -> None:
    pool = PoolSpec(("g1", "g2", "g3", "g4"), arbiters=("g4",))
    path = pool.brick_paths("data")[0]
    obs = observed(volume([[f"g1:{path}", f"g2:{path}"]]), nodes=4)
    plan = plan_volume(VolumeSpec("data", replica=3, arbiter=True), obs, pool)
    assert plan.steps[0].args["bricks"] == [f"g4:{path}"]


def test_a_set_without_room_for_another_copy_is_named() -> None:
    pool = PoolSpec(("g1", "g2"))
    path = pool.brick_paths("data")[0]
    obs = observed(volume([[f"g1:{path}", f"g2:{path}"]]), nodes=2)
    plan = plan_volume(VolumeSpec("data", replica=3), obs, pool)
    assert plan.steps == () and [r.name for r in plan.refusals] == ["layout"]
    assert f"g1:{path}, g2:{path}" in plan.refusals[0].why


def test_a_new_member_gets_no_bricks_by_itself_but_a_named_one_does() -> None:
    pool = PoolSpec(("g1", "g2", "g3", "g4"))
    path = pool.brick_paths("data")[0]
    obs = observed(volume([[f"g1:{path}", f"g2:{path}"]]), nodes=4)
    assert plan_volume(VolumeSpec("data", replica=2), obs, pool).is_empty
    named = VolumeSpec("data", replica=2, only=("g1", "g2", "g3", "g4"))
    plan = plan_volume(named, obs, pool)
    assert [sorted(s.args["bricks"]) for s in plan.steps] == [[f"g3:{path}", f"g4:{path}"]]


def test_hosts_that_are_not_there_or_not_ready_are_waited_for() -> None:
    wanted = spec([["g1:/b", "g2:/b", "g9:/b"]])
    obs = observed(
        prepared=Prepared({"g2": Announcement(NOW, ())}),
        paths={"/b": BrickPath("/b", True, True, "/")},
    )
    waits = plan_volume(wanted, obs).waits
    assert [w.node for w in waits] == ["g2", "g9"]


# --- drift is named ------------------------------------------------------------------------------

TWO = [["g1:/b", "g2:/b"]]


@pytest.mark.parametrize(
    ("live", "wanted", "name", "told"),
    [
        (volume([*TWO, ["g3:/b", "g4:/b"]]), spec(TWO), "foreign_brick", "g3:/b, g4:/b"),
        (volume(TWO), spec([["g1:/b", "g3:/b"]]), "foreign_brick", "g2:/b"),
        (
            volume([["g1:/b", "g2:/b"], ["g3:/b", "g4:/b"]]),
            spec([["g1:/b", "g3:/b"], ["g2:/b", "g4:/b"]]),
            "other_sets",
            "g1:/b, g2:/b",
        ),
        (
            volume([["g1:/b"], ["g2:/b"], ["g3:/b"]], kind="replicate", replica=3, dist_count=1),
            spec([["g1:/b", "g2:/b", "g3:/b"]], arbiter=True),
            "other_type",
            "replica 2 + arbiter",
        ),
        (volume([["g1:/b"]]), spec([["g1:/b", "g2:/b", "g3:/b"]], arbiter=True), "other_type", ""),
        (
            volume([["g1:/b", "g2:/b", "g3:/b"]], disperse=3, redundancy=1),
            spec([["g1:/b", "g2:/b", "g3:/b"]]),
            "other_type",
            "disperse 2+1",
        ),
        (volume(TWO, transport="rdma"), spec(TWO), "other_transport", "rdma"),
        (volume(TWO), spec([["g1:/b"], ["g2:/b"]]), "fewer_copies", "never takes copies away"),
        (volume(TWO, dist_count=0), spec(TWO), "ghost_volume", "half a volume on g1"),
        (volume([["g1:/b", "g2:/b", "g3:/b"]], replica=2), spec(TWO), "ghost_volume", ""),
    ],
)
def test_drift_is_named_and_nothing_is_done_about_it(
    live: Volume, wanted: VolumeSpec, name: str, told: str
) -> None:
    plan = plan_volume(wanted, observed(live))
    assert [r.name for r in plan.refusals] == [name]
    assert told in plan.refusals[0].why
    assert plan.steps == ()


@pytest.mark.parametrize(
    "sets",
    [
        [["g1:/b", "g3:/b"], ["g2:/b", "g4:/b"]],
        [["g1:/b", "g2:/b"], ["g3:/b", "g5:/b"], ["g4:/b", "g6:/b"]],
    ],
)
def test_a_live_set_declared_with_other_partners_is_named_and_not_filled(
    sets: list[list[str]],
) -> None:
    live = volume([["g1:/b", "g2:/b"], ["g3:/b", "g4:/b"]][: len(sets) - 1])
    plan = plan_volume(spec(sets), observed(live))
    assert [r.name for r in plan.refusals] == ["other_sets"]
    assert plan.steps == ()


def test_copies_are_not_added_to_sets_that_are_declared_as_one() -> None:
    """Two bricks of a distribute volume cannot become each other's copies."""
    wanted = spec([["g1:/b", "g2:/b"], ["g3:/b", "g4:/b"]])
    plan = plan_volume(wanted, observed(volume([["g1:/b"], ["g2:/b"]])))
    assert [r.name for r in plan.refusals] == ["layout"] and plan.steps == ()


def test_the_holders_of_a_ghost_are_named_and_the_silent_ones_are_not_read() -> None:
    ghost = volume(TWO, dist_count=0)
    plan = plan_volume(spec(TWO), observed(ghost))
    assert Facet("definitions") in plan.needs
    told = {"u2": Unknown("cut off"), "u3": {"data": "x"}, "u4": {}}
    plan = plan_volume(spec(TWO), observed(ghost, definitions=told))
    assert "also told by g3)" in plan.refusals[0].why


def test_a_brick_is_found_under_any_name_of_its_host() -> None:
    """A volume made with addresses: the bricks know the member's uuid, the peer list only names."""
    live = volume(TWO)
    by_address = tuple(replace(b, host=f"198.18.0.{b.host[1]}") for b in live.bricks)
    obs = observed(replace(live, bricks=by_address))
    assert plan_volume(spec(TWO), obs).is_empty


# --- started, stopped, gone ----------------------------------------------------------------------


def test_a_stopped_volume_is_started_unless_that_is_left_open() -> None:
    obs = observed(volume(TWO, status="Stopped"))
    assert [s.action for s in plan_volume(spec(TWO), obs).steps] == ["volume_start"]
    assert plan_volume(spec(TWO, started=None), obs).is_empty


@pytest.mark.parametrize("how", ["absent", "stopped"])
@pytest.mark.parametrize("confirm", ["", "data", "id-2"])
def test_what_destroys_needs_the_volumes_id(how: str, confirm: str) -> None:
    for live in (volume(TWO), volume(TWO, id="")):
        obs = observed(live)
        plan = (
            plan_volume_absent("data", obs, confirm=confirm)
            if how == "absent"
            else plan_started("data", obs, started=False, confirm=confirm)
        )
        assert [r.name for r in plan.refusals] == ["confirm"] and plan.steps


def test_who_names_the_id_may_stop_and_delete() -> None:
    obs = observed(volume(TWO))
    plan = plan_volume_absent("data", obs, confirm="id-1")
    assert [s.action for s in plan.steps] == ["volume_stop", "volume_delete"]
    assert plan.refusals == ()
    assert plan_volume_absent("data", walked(obs, plan)[-1], confirm="id-1").is_empty


def test_a_declared_stop_is_a_hazard_that_refuses_until_accepted() -> None:
    plan = plan_volume(spec(TWO, started=False), observed(volume(TWO)))
    assert [(s.action, s.hazard) for s in plan.steps] == [("volume_stop", Hazard.CLIENT_CUT)]
    assert [r.name for r in plan.refusals] == ["client_cut"]


def test_a_hazardous_option_refuses_on_a_volume_with_data_and_not_while_it_is_made() -> None:
    wanted = spec(TWO, options={"features.shard": "on"})
    refused = plan_volume(wanted, observed(volume(TWO)))
    assert [r.name for r in refused.refusals] == [Hazard.DATA_AT_RISK.value]
    assert refused.steps[0].hazard is Hazard.DATA_AT_RISK
    assert plan_volume(wanted, observed()).refusals == ()


def test_exclusive_options_reset_one_by_one_and_leave_what_create_set() -> None:
    live = volume(TWO)
    live = replace(live, options={**live.options, "network.ping-timeout": "9", "user.a": "1"})
    plan = plan_volume(spec(TWO, exclusive_options=True), observed(live))
    assert [(s.action, s.args) for s in plan.steps] == [
        ("option_reset", {"option": "network.ping-timeout"})
    ]


def test_a_pool_that_cannot_be_asked_plans_nothing() -> None:
    dead = replace(observed(), volumes=Unknown("glusterd is down"))
    for plan in (plan_volume(spec(TWO), dead), plan_volume_absent("data", dead, confirm="x")):
        assert plan.steps == () and [r.name for r in plan.refusals] == ["pool_unknown"]


# --- this node's directories ---------------------------------------------------------------------


def path(**fields: Any) -> BrickPath:
    made: dict[str, Any] = {"exists": True, "parent_exists": True, "filesystem": "/bricks"}
    return BrickPath("/bricks/b", **{**made, **fields})


@pytest.mark.parametrize(
    ("here", "steps", "refused"),
    [
        (path(exists=False), 1, []),
        (path(), 0, []),
        (path(exists=False, filesystem="/"), 1, ["paths_fit"]),
        (path(is_mount_point=True), 0, ["paths_fit"]),
        (path(exists=False, unmounted="/bricks"), 1, ["paths_fit"]),
        (path(foreign=("lost.txt",)), 0, ["paths_fit"]),
        (path(volume_id="gone", holds_data=True), 0, ["paths_fit"]),
        # The leftover of a failed create is cleaned, but never while a create may be under way.
        (path(volume_id="gone", changed=NOW - 151), 1, []),
        (path(volume_id="gone", changed=NOW - 5), 0, []),
        (path(volume_id="gone", changed=NOW - 151, foreign=("x",)), 0, ["paths_fit"]),
        (path(volume_id="gone", changed=NOW - 151, holds_data=True), 0, ["paths_fit"]),
        (path(volume_id="id-1", changed=NOW - 151), 0, []),
    ],
)
def test_a_directory_is_made_or_judged(here: BrickPath, steps: int, refused: list[str]) -> None:
    obs = observed(volume(TWO), paths={"/bricks/b": here})
    plan = plan_brick("/bricks/b", obs)
    assert len(plan.steps) == steps
    assert [r.name for r in plan.refusals] == refused
    if steps and not refused:
        assert plan_brick("/bricks/b", simulate(obs, plan.steps[0])).is_empty


def test_a_live_brick_is_left_to_gluster_whatever_is_in_it() -> None:
    here = replace(path(volume_id="id-1", foreign=("a",), filesystem="/"), path="/b")
    assert plan_brick("/b", observed(volume(TWO), paths={"/b": here})).is_empty


def test_a_brick_is_not_judged_while_glusterd_cannot_be_asked() -> None:
    here = path(volume_id="id-1", holds_data=True)
    dead = replace(observed(paths={"/bricks/b": here}), volumes=Unknown("down"))
    assert [r.name for r in plan_brick("/bricks/b", dead).refusals] == ["pool_unknown"]


def test_a_brick_of_a_volume_that_another_node_is_just_making_is_worth_a_moment() -> None:
    here = path(volume_id="new", holds_data=True, changed=NOW - 1)
    plan = plan_brick("/bricks/b", observed(paths={"/bricks/b": here}))
    assert plan.refusals[0].waits_s > 0


def test_one_copy_of_everything_is_said_once_for_a_new_volume_and_for_one_that_is_there() -> None:
    note = "data: one copy: losing a brick loses files"
    plain = [["g1:/b"], ["g2:/b"]]
    for live in ([], [volume(plain)]):
        assert plan_volume(spec(plain), observed(*live)).notes.count(note) == 1
    assert note not in plan_volume(spec(TWO), observed(volume(TWO))).notes


# --- what is not there, and what a volume cannot become ------------------------------------------


def test_a_volume_that_is_not_there_is_stopped_and_gone_and_both_say_so() -> None:
    for plan in (
        plan_started("old", observed(), started=False),
        plan_volume_absent("old", observed()),
    ):
        assert (plan.steps, plan.refusals, plan.notes) == ((), (), ("there is no volume old",))
    assert [r.name for r in plan_started("old", observed(), started=True).refusals] == [
        "no_such_volume"
    ]


@pytest.mark.parametrize(
    ("live", "arbiter", "order"),
    [
        ({"replica": 3, "arbiter": 1}, False, "the arbiters out, then the others in"),
        ({"replica": 3}, True, "one copy of each set out, then the others in"),
        ({"disperse": 3, "redundancy": 1}, False, "make a new one and copy"),
    ],
)
def test_what_gluster_can_do_is_not_called_impossible(
    live: dict[str, Any], arbiter: bool, order: str
) -> None:
    sets = [["g1:/b", "g2:/b", "g3:/b"]]
    plan = plan_volume(spec(sets, arbiter=arbiter), observed(volume(sets, **live)))
    (refusal,) = plan.refusals
    assert (refusal.name, plan.steps) == ("other_type", ()) and order in refusal.why
    assert ("cannot be turned" in refusal.why) == ("disperse" in live)


def test_the_order_that_leads_from_one_copy_to_an_arbiter_does_lead_there() -> None:
    """By two copies: each step is one that a state takes."""
    live = observed(volume([["g1:/b"]]))
    last = spec([["g1:/b", "g2:/b", "g3:/b"]], arbiter=True)
    assert "declare replica: 2 first" in plan_volume(last, live).refusals[0].why
    for wanted in (spec(TWO, accept_risk=frozenset({"replica2"})), last):
        plan = plan_volume(wanted, live)
        assert plan.refusals == () and [s.action for s in plan.steps] == ["bricks_add"]
        live = simulate(live, plan.steps[0])
    assert plan_volume(last, live).is_empty
