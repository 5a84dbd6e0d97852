"""No way out that a refusal offers costs data or copies: each is run on its own pool."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from salt_gluster.minion import apply
from salt_gluster.minion.goal import Goal
from salt_gluster.model import BrickPath, Observation, Plan, Refusal, Step, Volume, known
from salt_gluster.plan import plan_volume
from salt_gluster.plan.actions import simulate
from salt_gluster.plan.adhoc import only_create
from salt_gluster.plan.fitness import reasons
from salt_gluster.render.plan import plan_data
from salt_gluster.spec import BrickSpec, VolumeSpec
from tests.unit.plan.test_volume import observed, spec, volume

LIBRARY = Path(__file__).resolve().parents[3] / "salt_gluster"
#: What takes files or copies away, or may: no refusal names it.
COSTS = re.compile(
    r"remove-brick|replace-brick|reset-brick|wipefs|mkfs|\brm -|\bempty its?\b|volume delete"
    r"|volume stop|gluster peer detach|volume reset|gluster_volume\.(?:delete|stop)"
    r"|gluster_peer\.detach"
)
OFFERS = {"refuse", "Refusal", "Reason", "Wait"}
TWO = [["g1:/b", "g2:/b"]]


def _texts(node: ast.AST) -> str:
    strings = (n.value for n in ast.walk(node) if isinstance(n, ast.Constant))
    return " ".join(s for s in strings if isinstance(s, str))


def _offers(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The texts of each refusal and wait, and of each constant or local that holds ways."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name in OFFERS:
                yield node.lineno, _texts(node)
        elif isinstance(node, ast.Assign):
            text = _texts(node.value)
            if re.match(r"[a-z][a-z ]*  |another ", text):
                yield node.lineno, text


def test_no_refusal_names_what_takes_files_or_copies_away() -> None:
    found, count = [], 0
    for file in LIBRARY.rglob("*.py"):
        for line, text in _offers(ast.parse(file.read_text())):
            count += 1
            found += [f"{file.name}:{line}: {text}"] if COSTS.search(text) else []
    assert found == []
    assert count > 100


# --- run on the pool that produced it -------------------------------------------------------------

Way = Callable[[Observation, VolumeSpec], "tuple[Observation, VolumeSpec]"]


def _declare_what_is_there(obs: Observation, _: VolumeSpec) -> tuple[Observation, VolumeSpec]:
    live = known(obs.volumes)["data"]
    bricks = tuple(BrickSpec(b.host, b.path) for b in live.bricks)
    desired = VolumeSpec(
        "data", bricks=bricks, replica=live.replica, arbiter=bool(live.arbiter), started=None,
        disperse=live.disperse, redundancy=live.redundancy, transport=live.transport,
    )  # fmt: skip
    return obs, desired


def _start(obs: Observation, desired: VolumeSpec) -> tuple[Observation, VolumeSpec]:
    return simulate(obs, Step("volume_start", "data", {}, "start data")), desired


def _nothing(obs: Observation, desired: VolumeSpec) -> tuple[Observation, VolumeSpec]:
    return obs, desired


def _without_the_half(obs: Observation, desired: VolumeSpec) -> tuple[Observation, VolumeSpec]:
    return observed(), desired


RUNS: dict[str, Way] = {
    r"declare it +(as it is in|in the order of): gluster volume info data$": _declare_what_is_there,
    r"declare what is there, or use another name$": _declare_what_is_there,
    r"start it +salt MINION gluster_volume.start data$": _start,
    r"compare +gluster --remote-host=\S+ volume info data$": _nothing,
    r"add a node +or a disk, or write `bricks:`$": _nothing,
    r"mend it +on the node that has it alone: stop glusterd, move \S+ away": _without_the_half,
}
THIN = volume(TWO, thin_arbiter=True)
PLAIN = volume([["g1:/b"], ["g2:/b"]])


@pytest.mark.parametrize(
    ("live", "wanted", "name"),
    [
        (volume([*TWO, ["g3:/b", "g4:/b"]]), spec(TWO), "foreign_brick"),
        (volume(TWO), spec([["g1:/b", "g3:/b"]]), "foreign_brick"),
        (PLAIN, spec([["g1:/b", "g3:/b"]]), "foreign_brick"),
        (PLAIN, spec([["g1:/b", "g2:/b"]]), "layout"),
        (
            volume([*TWO, ["g3:/b", "g4:/b"]]),
            spec([["g1:/b", "g3:/b"], ["g2:/b", "g4:/b"]]),
            "other_sets",
        ),
        (volume([["g1:/b", "g2:/b", "g3:/b"]]), spec(TWO), "fewer_copies"),
        (volume(TWO), spec([["g1:/b"], ["g2:/b"]]), "fewer_copies"),
        (volume(TWO, transport="rdma"), spec(TWO), "other_transport"),
        (volume([["g1:/b"]]), spec([["g1:/b", "g2:/b", "g3:/b"]], arbiter=True), "other_type"),
        (volume(TWO, dist_count=0), spec(TWO), "ghost_volume"),
        (volume(TWO, status="Stopped"), spec([["g1:/b", "g2:/b", "g3:/b"]]), "not_started"),
        (THIN, spec([["g1:/b", "g2:/b", "g3:/b"]]), "thin_arbiter"),
        (THIN, spec([*TWO, ["g3:/b", "g4:/b"]]), "thin_arbiter"),
    ],
)
def test_what_is_offered_ends_in_a_pool_that_is_no_worse(
    live: Volume, wanted: VolumeSpec, name: str
) -> None:
    obs = observed(live)
    plan = plan_volume(wanted, obs)
    assert name in [r.name for r in plan.refusals]
    for way in (way for refusal in plan.refusals for way in refusal.ways):
        (run,) = [run for pattern, run in RUNS.items() if re.match(pattern, way)]
        after, desired = run(obs, wanted)
        again = plan_volume(desired, after)
        if run in (_declare_what_is_there, _start):
            assert again.refusals == ()
        for step in again.steps:
            assert step.action in ("volume_create", "volume_start", "bricks_add", "options_set")
            after = simulate(after, step)
        seen = known(after.volumes)["data"]
        if not live.is_broken:
            assert {b.name for b in live.bricks} <= {b.name for b in seen.bricks}
            assert seen.set_size >= live.set_size


def test_a_volume_with_a_thin_arbiter_is_left_as_it_is_where_it_is_declared() -> None:
    assert plan_volume(spec(TWO), observed(THIN)).is_empty


def test_an_order_to_add_the_bricks_of_a_refused_create_says_how_many_copies() -> None:
    obs = observed(volume(TWO))
    planned = plan_volume(spec([["g1:/b", "g2:/b", "g3:/b"]]), obs)
    (way,) = only_create(planned, obs).refusals[-1].ways
    assert way.endswith("gluster_volume.add_bricks data BRICKS replica=3")


# --- what gluster refuses in its turn cannot be accepted ------------------------------------------


@pytest.mark.parametrize(
    ("place", "final"),
    [
        ({"filesystem": "/"}, True),
        ({"is_mount_point": True}, True),
        ({"volume_id": "gone", "holds_data": True}, True),
        ({"unmounted": "/srv"}, True),
        ({"foreign": ("parent /srv is part of a volume",)}, True),
        ({"foreign": (".glusterfs",)}, True),
        ({"foreign": ("report.txt",)}, False),
    ],
)
def test_only_files_in_a_directory_can_be_accepted(place: dict[str, object], final: bool) -> None:
    here = BrickPath(**{"path": "/b", "exists": True, "parent_exists": True, "filesystem": "/srv",
                        **place})  # fmt: skip
    (reason,) = reasons(here, ())
    assert reason.final is final


def test_what_is_final_cannot_be_accepted_whoever_does() -> None:
    step = Step("volume_start", "data", {}, "start data")
    refused = Plan("data", (step,), refusals=(Refusal("paths_fit", "no", final=True),))
    assert plan_data(refused)["accept"] == []
    goal = Goal(lambda obs: refused, frozenset({"paths_fit"}))
    goal.plan = refused
    goal.is_ours = True
    assert [r.name for r in goal.against] == ["paths_fit"]
    assert apply._is_refused(refused, {"paths_fit"})
    soft = replace(refused, refusals=(Refusal("paths_fit", "no"),))
    assert plan_data(soft)["accept"] == ["paths_fit"]
    assert not apply._is_refused(soft, {"paths_fit"})
