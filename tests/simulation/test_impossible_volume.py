"""No run makes a volume impossible: each node speaks for its own bricks, and cleans up after.

The simulated gluster does what the real one does in a create (facts.md#C-C.2, #C-J.1, #C-J.2): it
takes a directory with files in it without a word, and where staging fails on one node, it marks the
directories of all others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated import T0, Died, Machine, Pool, World

from salt_gluster.errors import AlreadyExists, CommandFailed, Conflict, GlusterError
from salt_gluster.minion.apply import converge_all
from salt_gluster.minion.brick_announcements import READY, Announcer
from salt_gluster.minion.goal import Goal
from salt_gluster.model import BrickPath, Facet, Observation, Plan, Step, Unknown
from salt_gluster.plan import plan_own_bricks, plan_volume, ready_paths
from salt_gluster.plan.actions import NEW_BRICKS
from salt_gluster.plan.outcome import Result
from salt_gluster.render import state_return
from salt_gluster.spec import PoolSpec, VolumeSpec, parse_pool

FOUR = ["g1", "g2", "g3", "g4"]
THREE = FOUR[:3]


class Mine:
    """What each node announced last."""

    def __init__(self) -> None:
        self.entries: dict[str, Any] = {}
        self.of: dict[str, dict[str, Any]] = {}
        self.scheduled: dict[str, bool] = {}


class NodesMine:
    def __init__(self, mine: Mine, name: str, records: Records) -> None:
        self.mine, self.name, self.records = mine, name, records

    def read(self) -> Mapping[str, object] | Unknown:
        return dict(self.mine.entries)

    def write(self) -> None:
        self.mine.entries[self.name] = self.records.get(READY)

    def repeat(self, wanted: bool) -> None:
        self.mine.scheduled[self.name] = wanted


class Records:
    def __init__(self, kept: dict[str, Any]) -> None:
        self.kept = kept

    def get(self, key: str) -> dict[str, Any] | None:
        return self.kept.get(key)

    def put(self, key: str, record: Mapping[str, Any] | None) -> None:
        self.kept[key] = dict(record or {})


class Bricks(Pool):
    """A pool of members whose gluster marks the bricks in staging; ``mine`` is Salt's."""

    def __init__(self, names: list[str], seed: int = 0) -> None:
        super().__init__(names, seed, together=True)
        self.mine = Mine()
        self.sent: list[tuple[str, Step]] = []

    def _carry_out(self, machine: Machine, step: Step) -> None:
        if step.action == "brick_prepare":
            here = machine.paths.get(step.subject) or self.at(machine, step.subject)
            machine.paths[step.subject] = replace(
                here, exists=True, parent_exists=True, volume_id=None, changed=self.time.now
            )
            self.log.append((machine.name, step))
            return
        if step.action in NEW_BRICKS:
            self._stage(machine, step)
        super()._carry_out(machine, step)
        if step.action == "volume_start":  # a brick that runs keeps its index in .glusterfs
            for brick in self.volume(step.subject).bricks:
                paths = self.machines[brick.host].paths
                paths[brick.path] = replace(paths[brick.path], holds_data=True)

    def _stage(self, machine: Machine, step: Step) -> None:
        self.sent.append((machine.name, step))
        broken, marked = [], f"id-{len(self.sent)}"
        bricks = [str(b).split(":", 1) for b in step.args["bricks"]]
        for host, path in bricks:
            here = self.at(self.machines[host], path)
            if not here.parent_exists or here.unmounted or here.volume_id:
                broken.append(host)
        if not broken:
            return
        for host, path in bricks:
            if host not in broken:
                here = self.at(self.machines[host], path)
                self.machines[host].paths[path] = replace(
                    here, exists=True, volume_id=marked, changed=self.time.now
                )
        raise CommandFailed(f"Staging failed on {broken[0]}", kind="brick_parent_missing")

    def at(self, machine: Machine, path: str) -> BrickPath:
        fresh = BrickPath(path, False, True, "/srv", identity=f"fs of {machine.name}")
        return machine.paths.get(path, fresh)


class Speaking(World):
    """A node with an announcer, as ``GlusterDriver`` has one."""

    def __init__(self, pool: Bricks, name: str, addresses: Mapping[str, str]) -> None:
        super().__init__(pool, pool.machines[name])
        self.bricks = pool
        self.records = Records(pool.mine.of.setdefault(name, {}))
        self.announcer = Announcer(
            {name}, NodesMine(pool.mine, name, self.records), self.records,
            look=self.look, addresses=addresses, now=self.now,
            sleep=super().sleep,
        )  # fmt: skip

    def look(self, path: str) -> BrickPath:
        meant = (self.records.get(READY) or {}).get("meant", ())
        return replace(self.bricks.at(self.machine, path), is_announced=path in meant)

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.announcer.while_waiting()

    def observe(self, needs: frozenset[Facet], *, fresh: bool = False) -> Observation:
        obs = super().observe(needs, fresh=fresh)
        paths = {f.name: self.look(f.name) for f in needs if f.kind == "path"}
        obs = replace(obs, paths=paths)
        if any(f.kind == "prepared" for f in needs):
            obs = replace(obs, prepared=self.announcer.prepared())
        return obs

    def execute(self, step: Step) -> None:
        if step.action == "brick_prepare" and self.look(step.subject).volume_id:
            self.announcer.note_refused("data")
        if step.action == "brick_prepare":
            self.announcer.note_meant(step.subject)
        try:
            super().execute(step)
        except (Conflict, AlreadyExists):
            raise
        except CommandFailed:
            self.announcer.note_refused(step.subject)
            raise


def declared(names: list[str] = THREE, **body: Any) -> PoolSpec:
    return parse_pool({"nodes": names, "volumes": {"data": {"replica": len(names), **body}}})


def one_run(pool: Bricks, spec: PoolSpec, name: str, after_s: float = 0) -> list[Result]:
    """The part of one node's highstate that is about its bricks and the volumes."""
    if after_s:
        pool.time.pass_(after_s)
    world = Speaking(pool, name, {n: n for n in spec.nodes})
    volume = spec.volumes["data"]

    def bricks(obs: Observation) -> Plan:
        return plan_own_bricks(volume, obs, spec)

    goals = [
        Goal(bricks, on_end=lambda out: world.announcer.add(
            "data", () if out.plan.waits else ready_paths(out.plan), volume.accept_risk)),
        Goal(lambda obs: plan_volume(volume, obs, spec)),
    ]  # fmt: skip
    converge_all(goals, world, spec.nodes)
    world.announcer.finish()
    return [goal.out for goal in goals]


def apply(
    pool: Bricks, spec: PoolSpec, names: list[str], late: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """Let these nodes run at the same time; ``late`` = seconds that a node begins after."""
    late = late or {}
    jobs = {n: partial(one_run, pool, spec, n, late.get(n, 0)) for n in names}
    return pool.time.run(jobs)


def path_of(spec: PoolSpec) -> str:
    return spec.brick_paths("data")[0]


def is_made(pool: Bricks) -> bool:
    return any("data" in volumes for volumes in pool.volumes.values())


def text(result: Result) -> str:
    return " ".join(state_return("data", result, test=False)["comment"].split())


UNFIT: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("not mounted", {"unmounted": "/srv"}, {"unmounted": ""}),
    ("root disk", {"filesystem": "/"}, {"filesystem": "/srv"}),
    ("files of others", {"exists": True, "foreign": ("letter.txt",)}, {"foreign": ()}),
    ("of another volume", {"exists": True, "volume_id": "old", "holds_data": True},
     {"volume_id": None, "holds_data": False}),
]  # fmt: skip


def put(pool: Bricks, spec: PoolSpec, name: str, **fields: Any) -> None:
    machine = pool.machines[name]
    machine.paths[path_of(spec)] = replace(pool.at(machine, path_of(spec)), **fields)


@given(st.integers(0, 2**32), st.sampled_from(THREE), st.sampled_from(UNFIT))
def test_one_unfit_host_stops_the_create_everywhere_and_is_named(
    seed: int, unfit: str, case: tuple[str, dict[str, Any], dict[str, Any]]
) -> None:
    pool, spec = Bricks(THREE, seed), declared()
    put(pool, spec, unfit, **case[1])
    outcomes = apply(pool, spec, THREE)
    assert pool.sent == [] and not is_made(pool)
    for name, (_, volume) in outcomes.items():
        said = text(volume)
        assert volume.refused and "paths_fit" in said, said
        assert "paths_fit yes" not in said
        assert name == unfit or f"{unfit} says: " in said, said
    put(pool, spec, unfit, **case[2])
    outcomes = apply(pool, spec, THREE)
    assert len(pool.sent) == 1 and is_made(pool)
    assert all(out.plan.is_empty for several in outcomes.values() for out in several)


@given(st.integers(0, 2**32), st.lists(st.sampled_from(THREE), min_size=1, max_size=2, unique=True))
def test_absent_nodes_are_waited_for_and_the_run_with_them_makes_it(
    seed: int, absent: list[str]
) -> None:
    pool, spec = Bricks(THREE, seed), declared()
    outcomes = apply(pool, spec, [n for n in THREE if n not in absent])
    assert pool.sent == []
    for _, volume in outcomes.values():
        assert {w.node for w in volume.plan.waits} == set(absent) - {""}
    apply(pool, spec, THREE)
    assert len(pool.sent) == 1 and is_made(pool)


@given(st.integers(0, 2**32), st.sampled_from(THREE), st.floats(1, 40))
def test_a_slow_node_is_waited_for(seed: int, slow: str, late_s: float) -> None:
    pool, spec = Bricks(THREE, seed), declared()
    apply(pool, spec, THREE, {slow: late_s})
    assert len(pool.sent) == 1 and is_made(pool)
    assert pool.time.now - T0 < late_s + 30


@given(st.integers(0, 2**32), st.sampled_from(THREE))
def test_what_was_said_in_an_earlier_run_does_not_count(seed: int, gone: str) -> None:
    """It was ready; then its disk went, and its minion is away, so that nothing takes it back."""
    pool, spec = Bricks(FOUR, seed), declared()
    apply(pool, spec, [gone])
    put(pool, spec, gone, unmounted="/srv")
    pool.time.pass_(3600)
    outcomes = apply(pool, spec, [n for n in THREE if n != gone])
    assert pool.sent == []
    for _, volume in outcomes.values():
        assert {w.node for w in volume.plan.waits} == {gone}


def marked(pool: Bricks, spec: PoolSpec, *, records: bool, age_s: float) -> None:
    """What a failed create left: one node without its disk, the other two marked."""
    for name in THREE[:2]:
        put(pool, spec, name, exists=True, volume_id="of none", changed=pool.time.now - age_s)
        if records:  # as every version before wrote them
            old = {"hosts": (name,), "paths": (path_of(spec),), "at": pool.time.now - age_s}
            pool.mine.of[name] = {READY: {**old, "meant": (path_of(spec),)}}
            pool.mine.entries[name] = old


@given(st.integers(0, 2**32), st.booleans(), st.floats(0, 400))
def test_from_every_state_that_a_failed_create_left_one_run_more_makes_the_volume(
    seed: int, records: bool, age_s: float
) -> None:
    pool, spec = Bricks(THREE, seed), declared()
    marked(pool, spec, records=records, age_s=age_s if records else 100 + age_s)
    outcomes = apply(pool, spec, THREE)
    assert is_made(pool), {n: text(o[1]) for n, o in outcomes.items()}
    assert len(pool.sent) == 1


@given(st.integers(0, 2**32), st.sampled_from(THREE))
def test_a_create_that_fails_is_sent_once_and_again_when_what_it_named_is_mended(
    seed: int, broken: str
) -> None:
    """The disk goes between the word of its node and the create."""
    pool, spec = Bricks(THREE, seed), declared()
    was: Callable[[Machine, Step], None] = pool._stage

    def stage(machine: Machine, step: Step) -> None:
        if not pool.sent:
            put(pool, spec, broken, unmounted="/srv")
        was(machine, step)

    pool._stage = stage  # type: ignore[method-assign]
    apply(pool, spec, THREE)
    assert len(pool.sent) == 1 and not is_made(pool)
    apply(pool, spec, [n for n in THREE if n != broken])  # its minion is away, its disk still gone
    assert len(pool.sent) == 1
    assert not any(pool.machines[n].paths[path_of(spec)].volume_id for n in THREE)
    apply(pool, spec, THREE)  # it says itself that it does not fit
    assert len(pool.sent) == 1
    put(pool, spec, broken, unmounted="")
    apply(pool, spec, THREE)
    assert len(pool.sent) == 2 and is_made(pool)


@given(st.integers(0, 2**32), st.sampled_from(THREE))
def test_the_disk_that_comes_back_in_the_middle(seed: int, broken: str) -> None:
    pool, spec = Bricks(THREE, seed), declared()
    put(pool, spec, broken, unmounted="/srv")

    def mend() -> None:
        pool.time.pass_(4)
        put(pool, spec, broken, unmounted="")

    jobs = {n: partial(one_run, pool, spec, n) for n in THREE}
    pool.time.run({**jobs, "disk": mend})
    apply(pool, spec, THREE)
    assert len(pool.sent) == 1 and is_made(pool)


@given(st.integers(0, 2**32))
def test_an_actor_that_dies_in_the_create_leaves_marks_that_the_next_run_cleans(seed: int) -> None:
    pool, spec = Bricks(THREE, seed), declared()

    def die(node: str, step: Step, carry_out: Callable[[], None]) -> None:
        if step.action == "volume_create" and not pool.sent:
            pool.sent.append((node, step))
            for name in THREE[1:]:
                put(pool, spec, name, exists=True, volume_id="half", changed=pool.time.now)
            raise Died
        carry_out()

    pool.fault = die
    apply(pool, spec, THREE)
    apply(pool, spec, THREE)
    assert is_made(pool) and len(pool.sent) <= 3


def test_another_node_cannot_speak_for_one_that_has_a_minion() -> None:
    pool, spec = Bricks(THREE), declared()
    lie = {
        "hosts": ["g3"], "epoch": "x", "count": 1,
        "bricks": [{"volume": "data", "path": path_of(spec), "filesystem": "f", "unfit": ""}],
    }  # fmt: skip

    def lying() -> None:
        for count in range(1, 40):
            pool.time.pass_(1)
            pool.mine.entries["g9"] = {**lie, "count": count}

    jobs = {n: partial(one_run, pool, spec, n) for n in THREE[:2]}
    pool.time.run({**jobs, "g9": lying})
    assert pool.sent == []


@pytest.mark.parametrize(
    "entry", [None, 7, [], {}, {"epoch": 1}, {"epoch": "e", "count": 1, "bricks": "all"}]
)
def test_what_cannot_be_read_is_not_known(entry: object) -> None:
    pool, spec = Bricks(THREE), declared()
    pool.mine.entries["g3"] = entry
    outcomes = apply(pool, spec, THREE[:2])
    assert pool.sent == []
    for _, volume in outcomes.values():
        assert {w.node for w in volume.plan.waits} == {"g3"}


def test_errors_of_a_look_are_what_is_announced() -> None:
    """A dead disk: it is the announcement of that brick, and no traceback."""
    pool, spec = Bricks(THREE), declared()
    world = Speaking(pool, "g1", {})

    def look(_: str) -> BrickPath:
        raise GlusterError("it cannot be looked at", kind="unreadable")

    world.announcer._look = look
    world.announcer.add("data", [path_of(spec)], ())
    world.announcer.flush()
    (row,) = pool.mine.entries["g1"]["bricks"]
    assert "cannot be looked at" in row["unfit"]
    assert VolumeSpec("data").name == row["volume"]


@given(st.integers(0, 2**32), st.floats(45, 100))
def test_the_mark_of_a_create_that_hangs_stays_while_a_member_does_not_answer(
    seed: int, hangs_s: float
) -> None:
    """A glusterd freezes within a create, which is carried out on all when it runs again."""
    pool, spec = Bricks(THREE, seed), declared()
    marks: list[str | None] = []

    def fault(node: str, step: Step, carry_out: Callable[[], None]) -> None:
        if step.action != "volume_create" or marks:
            carry_out()
            return
        for name in THREE:
            put(pool, spec, name, volume_id="new", changed=pool.time.now)
        pool.machines["g3"].answers = False
        pool.time.pass_(hangs_s)
        pool.machines["g3"].answers = True
        for name in THREE:
            marks.append(pool.at(pool.machines[name], path_of(spec)).volume_id)
            put(pool, spec, name, volume_id=None)  # the simulated create wants to mark it itself
        carry_out()

    pool.fault = fault
    jobs = {n: partial(one_run, pool, spec, n) for n in THREE}
    pool.time.run({**jobs, "in between": partial(one_run, pool, spec, "g2", 10)})
    assert marks == ["new"] * 3 and is_made(pool)
