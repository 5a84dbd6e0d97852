"""The step that sets options: the worst of its hazards, whatever the order, and a stop for each."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from salt_gluster.model import Brick, Facet, Hazard, Node, Observation, Peer, Volume
from salt_gluster.node import known_options
from salt_gluster.plan import plan_options_of, plan_volume
from salt_gluster.plan.actions import simulate
from salt_gluster.plan.option import hazard_in
from salt_gluster.spec import VolumeSpec
from tests.unit.plan.test_volume import observed, spec, volume

RISK = {"features.shard": "on"}
CUT = {"auth.allow": "10.0.0.*"}
PAUSE = {"delay-gen.delay-duration": "10"}
HARMLESS = {"network.ping-timeout": "20"}
ORDERS = list(permutations(("risk", "cut", "harmless")))
BY_NAME = {"risk": RISK, "cut": CUT, "pause": PAUSE, "harmless": HARMLESS}


def planned(options: dict[str, str], *, status: str = "Started", **spec: Any) -> Any:
    bricks = tuple(Brick(f"g{i}", "/b", f"u{i}") for i in (1, 2, 3))
    have = spec.pop("have", {})
    volume = Volume("data", "id-1", status, "replicate", bricks, 1, 3, options=have)
    peers = tuple(Peer(f"u{i}", (f"g{i}",), True, 3, is_self=i == 1) for i in (1, 2, 3))
    obs = Observation(1.0, Node("g1", uuid="u1"), peers, {"data": volume})
    return plan_options_of(VolumeSpec("data", replica=3, options=options, **spec), obs)


@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_the_worst_option_of_a_step_is_the_steps_hazard(order: tuple[str, ...]) -> None:
    """The names are sorted: each kind has to come first, in the middle and last."""
    renamed = {"risk": "features.shard", "cut": "auth.allow", "harmless": "network.ping-timeout"}
    options = {renamed[kind]: BY_NAME[kind][renamed[kind]] for kind in order}
    (step,) = planned(options).steps
    assert step.hazard is Hazard.DATA_AT_RISK
    assert set(step.args["options"]) == set(options)


TYPE, COUNT = "cluster.quorum-type", "cluster.quorum-count"


@pytest.mark.parametrize(
    ("have", "options", "worst"),
    [
        # Two of three have to answer by `auto`: what asks for as many is no weaker.
        ({}, {TYPE: "none"}, Hazard.DATA_AT_RISK),
        ({}, {TYPE: "fixed"}, Hazard.DATA_AT_RISK),  # without a count: no quorum at all
        ({}, {TYPE: "fixed", COUNT: "1"}, Hazard.DATA_AT_RISK),
        ({}, {TYPE: "fixed", COUNT: "2"}, Hazard.NONE),
        ({}, {TYPE: "fixed", COUNT: "3"}, Hazard.NONE),
        ({}, {COUNT: "1"}, Hazard.NONE),  # it serves `fixed` only
        ({COUNT: "1"}, {TYPE: "fixed"}, Hazard.DATA_AT_RISK),
        ({TYPE: "none", COUNT: "3"}, {COUNT: "1"}, Hazard.NONE),
        ({TYPE: "none"}, {TYPE: "auto"}, Hazard.NONE),
        ({TYPE: "fixed", COUNT: "0x2"}, {COUNT: "1"}, Hazard.DATA_AT_RISK),
        ({TYPE: "fixed", COUNT: "3"}, {COUNT: "2"}, Hazard.NONE),  # still a majority
        ({TYPE: "fixed", COUNT: "1"}, {TYPE: "none"}, Hazard.DATA_AT_RISK),
    ],
)
def test_client_quorum_is_judged_by_type_and_count_together(
    have: dict[str, str], options: dict[str, str], worst: Hazard
) -> None:
    (step,) = planned(options, have=have).steps
    assert step.hazard is worst


@pytest.mark.parametrize("declared", [{TYPE: "auto"}, {}])
def test_the_way_back_to_auto_is_no_hazard_at_any_step(declared: dict[str, str]) -> None:
    """`fixed` that has lost its count is no quorum: the type goes first."""
    plan = planned(declared, have={TYPE: "fixed", COUNT: "2"}, exclusive_options=True)
    assert [s.hazard for s in plan.steps] == [Hazard.NONE] * 2
    assert plan.steps[-1].args == {"option": COUNT}
    assert not plan.refusals


def test_a_count_alone_that_goes_is_one() -> None:
    have = {TYPE: "fixed", COUNT: "2"}
    (step,) = planned({TYPE: "fixed"}, have=have, exclusive_options=True).steps
    assert step.hazard is Hazard.DATA_AT_RISK


@pytest.mark.parametrize(
    ("have", "worst"), [("4", Hazard.NONE), ("0", Hazard.NONE), ("5", Hazard.DATA_AT_RISK)]
)
def test_a_dispersed_set_asks_for_its_data_bricks_by_itself(have: str, worst: Hazard) -> None:
    name = "disperse.quorum-count"
    four = Volume("data", "i", "Started", "disperse", (), 1, disperse=6, redundancy=2)
    assert hazard_in(four, name, {name: have}, {})[0] is worst


@pytest.mark.parametrize(
    ("options", "worst"),
    [
        (HARMLESS, Hazard.NONE),
        (PAUSE, Hazard.IO_PAUSE),
        ({**CUT, **HARMLESS}, Hazard.CLIENT_CUT),
        ({**CUT, **PAUSE}, Hazard.CLIENT_CUT),
        # the worst is the first, and the last, of the sorted names
        ({**RISK, **HARMLESS}, Hazard.DATA_AT_RISK),
        ({**RISK, **CUT}, Hazard.DATA_AT_RISK),
        ({"cluster.quorum-type": "fixed", "server.root-squash": "on"}, Hazard.DATA_AT_RISK),
        ({"auth.allow": "10.*", "storage.gfid2path": "off"}, Hazard.DATA_AT_RISK),
    ],
)
def test_a_hazard_stops_the_plan_and_every_reason_is_said(
    options: dict[str, str], worst: Hazard
) -> None:
    plan = planned(options)
    (step,) = plan.steps
    assert step.hazard is worst
    assert [r.name for r in plan.refusals] == ([] if worst is Hazard.NONE else [worst.value])
    harmful = [name for name in options if name not in HARMLESS]
    assert all(f"{name}: " in step.hazard_why for name in harmful)


def test_a_volume_that_never_held_data_is_set_without_asking(
) -> None:  # fmt: skip
    plan = planned({**RISK, **CUT}, status="Created")
    assert (plan.refusals, plan.steps[0].hazard) == ((), Hazard.NONE)


def test_a_stopped_volume_holds_data_all_the_same() -> None:
    assert [r.name for r in planned(RISK, status="Stopped").refusals] == ["data_at_risk"]


def test_what_is_so_already_is_not_sent_and_no_hazard() -> None:
    assert planned(RISK, have=RISK).is_empty
    (step,) = planned({**RISK, **HARMLESS}, have=RISK).steps
    assert (step.args["options"], step.hazard) == (HARMLESS, Hazard.NONE)


def test_a_reset_of_what_is_not_declared_asks_as_setting_does() -> None:
    plan = planned({}, have={**RISK, **HARMLESS}, exclusive_options=True)
    hazards = {s.args["option"]: s.hazard for s in plan.steps}
    assert hazards == {"features.shard": Hazard.DATA_AT_RISK, "network.ping-timeout": Hazard.NONE}
    assert [r.name for r in plan.refusals] == ["data_at_risk"]
    assert planned({}, have=RISK).is_empty, "only when it is asked for"


# --- what the installed glusterd does not know ----------------------------------------------------

WITH_NFS = {"nfs.disable": "on", "network.ping-timeout": "20"}
THREE = [["g1:/b", "g2:/b", "g3:/b"]]


def test_an_unknown_option_is_refused_before_a_volume_is_made_and_its_key_named() -> None:
    desired = spec(THREE, options=WITH_NFS)
    assert Facet("option", "nfs.disable") in plan_volume(desired, observed()).needs
    plan = plan_volume(desired, observed(options={"nfs.disable": False}))
    (refusal,) = [r for r in plan.refusals if r.name == "unknown_option"]
    assert "`volumes:data:options:nfs.disable`" in refusal.why


def test_an_unknown_option_of_a_volume_that_is_there_keeps_no_other_from_being_set() -> None:
    live = volume(THREE, options={})
    obs = observed(live, options={"nfs.disable": False})
    plan = plan_volume(spec(THREE, options=WITH_NFS), obs)
    assert plan.refusals == () and any("nfs.disable" in note for note in plan.notes)
    assert [step.args["options"] for step in plan.steps] == [{"network.ping-timeout": "20"}]
    after = simulate(obs, plan.steps[0])
    then = plan_volume(spec(THREE, options=WITH_NFS), after)
    assert (then.steps, [r.name for r in then.refusals]) == ((), ["unknown_option"])


def test_glusterds_own_table_tells_its_options(tmp_path: Path) -> None:
    table = tmp_path / "usr/lib/x/glusterfs/11.1/xlator/mgmt/glusterd.so"
    table.parent.mkdir(parents=True)
    names = ("auth.allow", "nfs.disable")
    assert known_options(names, tmp_path) == {}
    table.write_bytes(b"\0server.auth.allow\0nfs.disable\0cluster.nufa\0")
    asked = ("auth.allow", "nfs.disable", "cluster.nufa", "cluster.switch")
    assert known_options(asked, tmp_path) == {n: n in asked[::2] for n in asked}
    table.write_bytes(b"\0auth.allow\0nfs.disable\0nfs.volume-access\0")
    assert known_options(names, tmp_path) == {"auth.allow": True, "nfs.disable": True}
    table.write_bytes(b"stripped")
    assert known_options(names, tmp_path) == {}


# --- what gluster refuses of this volume ----------------------------------------------------------

ALONE = [["g1:/b"], ["g2:/b"]]
UNFIT = [
    ("cluster.self-heal-daemon", "off", ALONE, "with copies"),
    ("cluster.shd-max-threads", "4", ALONE, "with copies"),
    ("cluster.data-self-heal", "on", ALONE, "with copies"),
    ("disperse.shd-max-threads", "4", THREE, "dispersed"),
    ("disperse.quorum-count", "3", THREE, "dispersed"),
    ("cluster.lock-migration", "on", THREE, "without copies"),
    ("cluster.quorum-count", "4", THREE, "1 to 3"),
    ("cluster.subvols-per-directory", "3", ALONE, "1 to 2"),
    ("features.quota-deem-statfs", "on", THREE, "quota"),
]
FIT = [
    ("cluster.self-heal-daemon", "off", THREE, {}),
    ("cluster.lock-migration", "on", ALONE, {}),
    ("cluster.quorum-count", "3", THREE, {"cluster.quorum-type": "fixed"}),
    ("cluster.subvols-per-directory", "2", ALONE, {}),
    ("features.quota-deem-statfs", "off", THREE, {"features.quota": "on"}),
]


@pytest.mark.parametrize(("name", "value", "sets", "why"), UNFIT)
def test_what_gluster_refuses_of_such_a_volume_is_refused_before_it_is_made(
    name: str, value: str, sets: list[list[str]], why: str
) -> None:
    (refusal,) = plan_volume(spec(sets, options={name: value}), observed()).refusals
    assert refusal.name == "unfit_option"
    assert f"`volumes:data:options:{name}`" in refusal.why and why in refusal.why


@pytest.mark.parametrize(("name", "value", "sets", "why"), UNFIT)
def test_and_of_a_live_one_in_test_mode_as_in_the_run(
    name: str, value: str, sets: list[list[str]], why: str
) -> None:
    live = observed(volume(sets, options={}))
    wanted = {name: value, "network.ping-timeout": "20"}
    plan = plan_volume(spec(sets, options=wanted), live)
    assert [step.args["options"] for step in plan.steps] == [{"network.ping-timeout": "20"}]
    assert plan.refusals == () and any(why in note for note in plan.notes)
    then = plan_volume(spec(sets, options=wanted), simulate(live, plan.steps[0]))
    assert (then.steps, [r.name for r in then.refusals]) == ((), ["unfit_option"])


@pytest.mark.parametrize(("name", "value", "sets", "have"), FIT)
def test_what_gluster_takes_of_such_a_volume_is_set(
    name: str, value: str, sets: list[list[str]], have: dict[str, str]
) -> None:
    plan = plan_options_of(spec(sets, options={name: value}), observed(volume(sets, options=have)))
    assert [step.args["options"] for step in plan.steps] == [{name: value}]


def test_quota_that_was_switched_off_is_no_quota() -> None:
    desired = spec(THREE, options={"features.quota-deem-statfs": "on"})
    live = observed(volume(THREE, options={"features.quota": "off"}))
    assert [r.name for r in plan_options_of(desired, live).refusals] == ["unfit_option"]


def test_what_is_set_already_is_not_judged_again() -> None:
    have = {"features.quota-deem-statfs": "on"}
    assert plan_volume(spec(THREE, options=have), observed(volume(THREE, options=have))).is_empty


def test_a_count_that_fits_once_the_copies_are_there_is_set_after_them() -> None:
    """The step that adds them stands before."""
    two = [["g1:/b", "g2:/b"]]
    desired = spec(THREE, options={"cluster.quorum-count": "3"})
    plan = plan_volume(desired, observed(volume(two, options={})))
    assert [step.action for step in plan.steps] == ["bricks_add", "options_set"]
