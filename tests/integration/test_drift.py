"""Every kind of change, drift by hand, and every refusal: on a real pool, through real minions.

What a state reports is held against gluster's own `volume info` and `peer status` from before and
after. The tests stand in the order of one story on one pool of four; each needs those before it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gluster_facts
import pytest
from waiting import until

from lab import Lab
from lab.command import at_once
from lab.node import Node

ROOT = "/srv/gluster"
HOLD = "/var/lib/salt-gluster/hold"
#: An own glusterd younger than this may still be importing volumes (facts.md#C-B.3).
SETTLING_S = 60

Ret = dict[str, Any]


def bricks(volume: str, *hosts: str, at: int = 1) -> list[str]:
    return [f"{host}:{ROOT}/{volume}-{at}" for host in hosts]


THREE = ("g1", "g2", "g3")
OPTIONS = {  # one of each type that gluster has
    "network.ping-timeout": "20",
    "performance.cache-size": "64MB",
    "cluster.lookup-optimize": True,
    "cluster.min-free-disk": "5%",
    "cluster.data-self-heal-algorithm": "full",
    "client.event-threads": 3,
    "user.owner": "team a",
}
CHANGED = OPTIONS | {
    "network.ping-timeout": 25,
    "performance.cache-size": "32MB",
    "cluster.lookup-optimize": "off",
    "cluster.min-free-disk": "7%",
    "cluster.data-self-heal-algorithm": "diff",
    "client.event-threads": 4,
    "user.owner": "team b",
}
MEANS_THE_SAME = CHANGED | {
    "performance.cache-size": 32 * 1024 * 1024,
    "cluster.lookup-optimize": False,
    "cluster.min-free-disk": "7.0%",
}
REP = {"replica": 3, "bricks": bricks("rep", *THREE)}
GROW = {"replica": 3, "bricks": bricks("grow", *THREE)}
BOTH = {"replica": 3, "bricks": [*bricks("grow", *THREE), *bricks("grow", *THREE, at=2)]}
TWO = {"replica": 2, "bricks": bricks("two", "g1", "g2"), "accept_risk": ["replica2"]}
ARBITER = {"replica": 3, "arbiter": True, "bricks": bricks("two", *THREE)}
EXCLUSIVE = {"network.ping-timeout": 20}


@dataclass(frozen=True)
class Kind:
    """One kind of change: the state that asks for it, and the options that it declares."""

    fun: str
    name: str
    args: dict[str, Any]
    options: tuple[str, ...] = ()


def present(name: str, *options: str, **args: Any) -> Kind:
    return Kind("gluster_volume.present", name, args, options)


def of_volume(state: str, name: str) -> Kind:
    """A state that wants the id of the volume as it is then; `run` fills it in."""
    return Kind(f"gluster_volume.{state}", name, {"confirm": ...})


def member(name: str, state: str = "present") -> Kind:
    args = {"nodes": [*THREE, "g4"]} if state == "present" else {}
    return Kind(f"gluster_peer.{state}", name, args)


#: Asked for together, group after group: later ones change what earlier ones made.
GROUPS: tuple[dict[str, Kind], ...] = (
    {"invite g2": member("g2"), "invite g3": member("g3")},
    {
        "create distribute": present("one", bricks=bricks("one", "g1")),
        "create replica 2": present("two", **TWO),
        "create replica 3 with options": present("rep", *OPTIONS, **REP, options=OPTIONS),
        "create with two options": present(
            "grow", *EXCLUSIVE, "performance.cache-size", **GROW,
            options=EXCLUSIVE | {"performance.cache-size": "32MB"},
        ),
        "create arbiter, not started": present(
            "arb", replica=3, arbiter=True, bricks=bricks("arb", *THREE), started=False
        ),
        "create disperse, not started": present(
            "disp", disperse="2+1", bricks=bricks("disp", *THREE), started=False
        ),
    },
    {
        "raise replica 1 to 2": present(
            "one", replica=2, bricks=bricks("one", "g1", "g2"), accept_risk=["replica2"]
        ),
        "add an arbiter": present("two", **ARBITER),
        "set options of every type": present("rep", *CHANGED, **REP, options=CHANGED),
        "reset what is not declared": present(
            "grow", *EXCLUSIVE, "performance.cache-size", **GROW,
            options=EXCLUSIVE, exclusive_options=True,
        ),
        "start": Kind("gluster_volume.started", "arb", {}),
        "invite a fourth": member("g4"),
    },
    {
        "raise replica 2 to 3": present("one", replica=3, bricks=bricks("one", *THREE)),
        "add a set": present("grow", *EXCLUSIVE, **BOTH, options=EXCLUSIVE),
        "stop": of_volume("stopped", "arb"),
        "delete": of_volume("absent", "disp"),
        "detach": member("g4", "absent"),
    },
)  # fmt: skip


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab.up("tdrift", nodes=4, consul=False) as up:
        at_once(give_uuid, up.nodes)
        yield up


def give_uuid(node: Node) -> None:
    """Order the turns: who has the lowest uuid goes at once, and here that is g1."""
    info = "/var/lib/glusterd/glusterd.info"
    node.ok(["gluster", "system::", "uuid", "get"])  # it is made when first asked for
    uuid = f"{node.name[1:] * 8}-0000-4000-8000-000000000000"
    node.ok(["systemctl", "stop", "glusterd"])
    node.ok(["sed", "-i", f"s/^UUID=.*/UUID={uuid}/", info])
    # It sees a cut after a minute instead of 28 s: what has to be seen before that gets the time.
    slower = "s/keepalive-interval 2/keepalive-interval 6/"
    node.ok(["sed", "-i", slower, "/etc/glusterfs/glusterd.vol"])
    node.ok(["systemctl", "start", "glusterd"])


def run(
    lab: Lab, kinds: dict[str, Kind], node: str = "g1", *, test: bool = False
) -> dict[str, Ret]:
    """Apply these states on one node, in one run; give the return of each under its name."""
    sls = {}
    for key, kind in kinds.items():
        args = dict(kind.args)
        if args.get("confirm") is ...:
            args["confirm"] = (
                gluster_facts.volumes(lab.node("g2")).get(kind.name, {}).get("id", "gone")
            )
        sls[key] = {kind.fun: [{"name": kind.name}, *({k: v} for k, v in args.items())]}
    lab.record.path("states/asked.sls").write_text("#!json\n" + json.dumps(sls))
    answer = lab.salt(node, "state.apply", "asked", test=test)[node]
    assert isinstance(answer, dict), answer
    return {state["__id__"]: state for state in answer.values()}


@dataclass
class Story:
    """A group of kinds: what gluster said before and after, and what the states said."""

    kinds: dict[str, Kind]
    before: dict[str, Any]
    told: dict[str, Ret]
    between: dict[str, Any]
    ran: dict[str, Ret]
    after: dict[str, Any]
    again: dict[str, Ret]


def look(lab: Lab, node: str = "g1") -> dict[str, Any]:
    return {
        "volumes": gluster_facts.volumes(lab.node(node)),
        "peers": sorted(gluster_facts.peers(lab.node(node))),
    }


@pytest.fixture(scope="module")
def stories(lab: Lab) -> list[Story]:
    return [tell(lab, kinds) for kinds in GROUPS]


def tell(lab: Lab, kinds: dict[str, Kind]) -> Story:
    before = look(lab)
    told = run(lab, kinds, test=True)
    between = look(lab)
    prepare(lab, kinds, before["volumes"])
    ran = run(lab, kinds)
    return Story(kinds, before, told, between, ran, look(lab), run(lab, kinds, test=True))


def prepare(lab: Lab, kinds: dict[str, Kind], volumes: dict[str, Any]) -> None:
    """Have the other nodes say that their new bricks fit, as they do in a run of their own."""

    def one(node: Node) -> None:
        for kind in kinds.values():
            for brick in kind.args.get("bricks", ()):
                host, path = brick.split(":")
                is_there = brick in volumes.get(kind.name, {}).get("bricks", ())
                if host == node.name and not is_there:
                    words = {"path": path, "volume": kind.name}
                    lab.salt(host, "gluster_brick.prepare", **words)

    at_once(one, lab.nodes[1:])


def expected(kind: Kind, story: Story) -> dict[str, Any]:
    """Derive from gluster's own words what a state of this kind has changed."""
    if kind.fun.startswith("gluster_peer"):
        found = gluster_facts.peer_changes(story.before["peers"], story.after["peers"])
        return {key: change for key, change in found.items() if key == kind.name}
    before, after = story.before["volumes"], story.after["volumes"]
    name = kind.name
    return gluster_facts.volume_changes(
        {name: before[name]} if name in before else {},
        {name: after[name]} if name in after else {},
        kind.options,
    )


@pytest.mark.capability(1, 2, 38, 39, 41, 45, 46, 49, 51, 57, 58, 64, 82, 161, 162)
@pytest.mark.parametrize(
    ("group", "name"), [(at, name) for at, group in enumerate(GROUPS) for name in group]
)
def test_test_mode_and_the_run_report_what_gluster_shows(
    stories: list[Story], group: int, name: str
) -> None:
    story = stories[group]
    kind = story.kinds[name]
    told, ran, again = story.told[name], story.ran[name], story.again[name]
    assert (told["result"], ran["result"]) == (None, True), (told["comment"], ran["comment"])
    should = expected(kind, story)
    assert should, "gluster shows no change"
    assert told["changes"] == should
    assert ran["changes"] == should
    assert (again["result"], again["changes"]) == (True, {}), again["comment"]
    assert story.between == story.before, "test mode changed something"


def test_nothing_but_what_was_reported_has_changed(stories: list[Story]) -> None:
    for story in stories:
        touched = {kind.name for kind in story.kinds.values()}
        assert (
            set(gluster_facts.volume_changes(story.before["volumes"], story.after["volumes"]))
            <= touched
        )
    rep = stories[1].after["volumes"]["rep"]["options"]
    assert set(rep) - set(OPTIONS) == set(stories[1].after["volumes"]["grow"]["options"]) - {
        *EXCLUSIVE, "performance.cache-size",
    }, "what create sets by itself is left alone"  # fmt: skip


def test_values_that_mean_the_same_are_not_sent(lab: Lab, stories: list[Story]) -> None:
    sent = gluster_facts.commands(lab.node("g1"), "volume (set|reset)")
    ret = run(lab, {"same": present("rep", **REP, options=MEANS_THE_SAME)})["same"]
    assert (ret["result"], ret["changes"]) == (True, {}), ret["comment"]
    assert gluster_facts.commands(lab.node("g1"), "volume (set|reset)") == sent


@pytest.mark.capability(166)
def test_an_option_that_can_cost_data_waits_for_a_person(lab: Lab, stories: list[Story]) -> None:
    before = look(lab)
    kind = present("rep", **REP, options=CHANGED | {"cluster.favorite-child-policy": "size"})
    ret = run(lab, {"risky": kind})["risky"]
    said = flat(ret["comment"])
    assert (ret["result"], ret["changes"]) == (False, {}), said
    assert "data_at_risk" in said and "split-brain is settled by throwing a copy away" in said
    assert "salt-run gluster_operation.apply" in said
    assert look(lab) == before


@pytest.mark.capability(166)
def test_stop_and_delete_want_the_id_of_the_volume_as_it_is_now(
    lab: Lab, stories: list[Story]
) -> None:
    before = look(lab)
    old = before["volumes"]["grow"]["id"]
    states = {
        "stop": Kind("gluster_volume.stopped", "rep", {}),
        "delete": Kind("gluster_volume.absent", "rep", {"confirm": old}),
    }
    for ret in run(lab, states).values():
        said = flat(ret["comment"])
        assert (ret["result"], ret["changes"]) == (False, {}), said
        assert re.search(r"confirm\s+this needs the volume's id", said), said
        assert f"confirm: {before['volumes']['rep']['id']}" in said, said
    assert look(lab) == before


# --- drift by hand -------------------------------------------------------------------------------

DECLARED = {
    "rep": present("rep", **REP, options=CHANGED),
    "grow": present("grow", **BOTH, options=EXCLUSIVE, exclusive_options=True),
    "one": present("one", replica=3, bricks=bricks("one", *THREE)),
    "two": present("two", **ARBITER),
    "g4": member("g4"),
}


def by_hand(lab: Lab, node: str, *words: str) -> None:
    lab.node(node).ok(["gluster", "--mode=script", *words], timeout=120)


@pytest.fixture(scope="module")
def drifted(lab: Lab, stories: list[Story]) -> Story:
    by_hand(lab, "g2", "peer", "probe", "g4")
    until(
        lambda: (
            gluster_facts.volumes(lab.node("g4")).keys()
            == gluster_facts.volumes(lab.node("g1")).keys()
        )
    )
    until(lambda: all(list(gluster_facts.connected(n).values()) == [True] * 3 for n in lab.nodes))
    start = look(lab)
    by_hand(lab, "g3", "volume", "set", "rep", "network.ping-timeout", "11")
    by_hand(lab, "g3", "volume", "set", "grow", "client.event-threads", "5")
    by_hand(lab, "g2", "volume", "stop", "two")
    by_hand(lab, "g2", "volume", "add-brick", "one", *bricks("one", *THREE, at=9))
    by_hand(lab, "g2", "peer", "detach", "g4")
    # Until it has heard of that, it still believes to be in a pool, and is not to be invited.
    until(
        lambda: (
            len(gluster_facts.pool(lab.node("g4"))) == 1
            and not gluster_facts.volumes(lab.node("g4"))
        )
    )
    story = tell(lab, DECLARED)
    assert story.before != start
    return story


@pytest.mark.capability(49, 50, 58, 161, 162)
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("rep", {"options": {"network.ping-timeout": {"old": "11", "new": "25"}}}),
        ("grow", {"options": {"client.event-threads": {"old": "5", "new": None}}}),
        ("two", {"status": {"old": "Stopped", "new": "Started"}}),
    ],
)
def test_drift_of_a_volume_is_shown_in_test_mode_and_put_right_in_the_run(
    drifted: Story, name: str, change: dict[str, Any]
) -> None:
    told, ran, again = (states[name] for states in (drifted.told, drifted.ran, drifted.again))
    assert (told["result"], told["changes"]) == (None, {name: change}), told["comment"]
    assert (ran["result"], ran["changes"]) == (True, {name: change}), ran["comment"]
    assert (again["result"], again["changes"]) == (True, {}), again["comment"]
    options = [*CHANGED, "client.event-threads"]
    one_volume = [{name: look["volumes"][name]} for look in (drifted.before, drifted.after)]
    assert gluster_facts.volume_changes(one_volume[0], one_volume[1], options) == {name: change}


@pytest.mark.capability(1, 4)
def test_a_spare_that_was_detached_is_asked_and_invited_again(drifted: Story) -> None:
    assert "g4" not in drifted.before["peers"] and "g4" in drifted.after["peers"]
    change = {"g4": {"old": None, "new": "member"}}
    told, ran = drifted.told["g4"], drifted.ran["g4"]
    assert (told["result"], told["changes"]) == (None, change), told["comment"]
    assert (ran["result"], ran["changes"]) == (True, change), ran["comment"]


@pytest.mark.capability(50, 166)
def test_a_set_added_by_hand_is_refused_by_name_and_never_removed(drifted: Story) -> None:
    for ret in (drifted.told["one"], drifted.ran["one"]):
        said = flat(ret["comment"])
        assert (ret["result"], ret["changes"]) == (False, {}), said
        assert "REFUSED, nothing was changed" in said and "foreign_brick" in said
        assert f"g3:{ROOT}/one-9" in said and "Nothing is removed" in said
        assert "Do one of: declare it" in said
    assert drifted.after["volumes"]["one"] == drifted.before["volumes"]["one"]
    assert len(drifted.after["volumes"]["one"]["bricks"]) == 6


# --- refusals ------------------------------------------------------------------------------------


def flat(comment: str) -> str:
    return " ".join(comment.split())


def wanted(value: int) -> dict[str, Kind]:
    """A state that has nothing to change, one that wants to, and a look at another volume."""
    return {
        "as it is": present("rep", **REP),
        "change": Kind(
            "gluster_volume.options", "rep", {"options": {"network.ping-timeout": value}}
        ),
        "another": Kind("gluster_volume.started", "grow", {}),
    }


def assert_refused(
    lab: Lab, guard: str, why: str, way: str, *, node: str = "g1", runs: bool = True
) -> None:
    """In test mode and in the run: refused with the reason and the ways out, nothing changed."""
    watched = [name for name in ("g1", "g2") if lab.node(name).holder()]
    before = [gluster_facts.volumes(lab.node(name)) for name in watched]
    for test in (True, False) if runs else (True,):
        states = run(lab, wanted(31), node, test=test)
        ret, said = states["change"], flat(states["change"]["comment"])
        assert (ret["result"], ret["changes"]) == (False, {}), said
        assert re.match(r"REFUSED, nothing was changed \(plan [0-9a-f]+, 1 step\)\.", said), said
        assert "1 set rep network.ping-timeout 25 -> 31" in said, said
        assert re.search(rf"{guard}\s+{why}", said), said
        assert re.search(rf"Do one of:.*{way}", said), said
        for name in ("as it is", "another"):
            assert (states[name]["result"], states[name]["changes"]) == (True, {}), states[name]
    assert [gluster_facts.volumes(lab.node(name)) for name in watched] == before


def set_to(lab: Lab, value: int, node: str = "g1") -> Ret:
    return run(lab, wanted(value), node)["change"]


@pytest.mark.capability(194)
def test_a_spare_without_bricks_may_be_away(lab: Lab, drifted: Story) -> None:
    lab.fault("node-kill", "g4")
    assert [set_to(lab, value)["result"] for value in (27, 25)] == [True, True]
    lab.heal("node-kill", "g4")
    until(lambda: all(gluster_facts.connected(lab.node("g1")).values()))


@pytest.mark.capability(194)
def test_a_member_with_bricks_that_is_down_stops_every_change(lab: Lab, drifted: Story) -> None:
    lab.fault("node-kill", "g3")
    until(lambda: not gluster_facts.connected(lab.node("g1"))["g3"])
    assert_refused(
        lab, "pool_whole", r"g3 is down or cut off \(Disconnected\)\. A change made now is "
        "imported when it returns", "salt-run gluster.status",
    )  # fmt: skip


@pytest.mark.capability(83, 194)
def test_a_member_that_just_returned_is_left_alone(lab: Lab, drifted: Story) -> None:
    """It comes back to a volume that was changed meanwhile, so that it has to import it."""
    by_hand(lab, "g1", "volume", "set", "rep", "user.meanwhile", "yes")
    third = lab.node("g3")
    lab.heal("node-kill", "g3")
    lab.wait()
    until(lambda: set(gluster_facts.peers(third).values()) == {"3"})
    until(lambda: "user.meanwhile" in gluster_facts.volumes(third)["rep"]["options"])
    # Its minion may need most of the window to come back: with glusterd a new one begins.
    lab.fault("glusterd-kill", "g3")
    lab.heal("glusterd-kill", "g3")
    until(lambda: set(gluster_facts.peers(third).values()) == {"3"})
    until(lambda: len(third.programs("glusterfsd")) == bricks_of(lab, "g3"))
    assert_refused(
        lab, "settled", r"glusterd here was started [0-9]+ s ago, within its import window",
        "salt-run gluster.status", node="g3", runs=False,
    )  # fmt: skip


def bricks_of(lab: Lab, host: str) -> int:
    found = [v for v in gluster_facts.volumes(lab.node("g1")).values() if v["status"] == "Started"]
    return sum(brick.startswith(f"{host}:") for volume in found for brick in volume["bricks"])


def test_a_hold_file_that_somebody_touched_stops_every_change(lab: Lab, drifted: Story) -> None:
    node = lab.node("g1")
    node.ok(["touch", HOLD])
    assert_refused(lab, "not_held", "a hold is set: touched by hand", "salt-run gluster.release")
    node.ok(["sh", "-c", f"echo moving rack 3 > {HOLD}"])
    told = run(lab, wanted(31), test=True)["change"]
    assert "a hold is set: moving rack 3" in flat(told["comment"])
    node.ok(["rm", HOLD])


def test_a_hold_that_cannot_be_read_counts_as_set(lab: Lab, drifted: Story) -> None:
    node = lab.node("g1")
    node.ok(["mkdir", HOLD])
    try:
        assert_refused(lab, "not_held", "whether a hold is set cannot be read", "mend the file")
    finally:
        node.ok(["rmdir", HOLD])


@pytest.mark.capability(83)
def test_the_member_that_returned_carries_its_change_out_once_it_has_settled(
    lab: Lab, drifted: Story
) -> None:
    ret = set_to(lab, 26, "g3")
    assert ret["result"] is True, ret["comment"]
    age = "import os,time;print(time.time()-os.stat('/run/glusterd.pid').st_mtime)"
    assert float(lab.node("g3").ok(["/usr/bin/python3", "-c", age])) > SETTLING_S
    assert gluster_facts.volumes(lab.node("g1"))["rep"]["options"]["network.ping-timeout"] == "26"
    assert set_to(lab, 25)["result"] is True


@pytest.mark.capability(194)
def test_a_member_cut_off_is_noticed_while_glusterd_still_calls_it_connected(
    lab: Lab, drifted: Story
) -> None:
    lab.fault("silence", "g3")
    assert_refused(
        lab, "pool_whole", "g3 does not answer on port 24007 within 1 s, though glusterd still "
        "says Connected.*imported when it returns", "salt-run gluster.status", runs=False,
    )  # fmt: skip
    assert gluster_facts.connected(lab.node("g1"))["g3"], (
        "glusterd had noticed: this showed nothing"
    )
    assert_refused(lab, "pool_whole", "g3 (does not answer|is down or cut off)", "gluster.status")
    # Nothing may have taken the lock, which a cut member keeps for minutes (facts.md#C-M.3).
    assert not gluster_facts.commands(lab.node("g1"), "Locking failed|Another transaction")


@pytest.mark.capability(7, 194)
def test_a_rejected_member_is_named_and_nothing_is_written(lab: Lab, drifted: Story) -> None:
    """Both sides set the same number of options while apart: equal versions, other content."""
    first, third = lab.node("g1"), lab.node("g3")
    until(lambda: not any(gluster_facts.connected(third).values()), 180)
    until(
        lambda: not any(gluster_facts.connected(lab.node(n))["g3"] for n in ("g1", "g2", "g4")), 180
    )
    by_hand(lab, "g1", "volume", "set", "rep", "user.side", "one")
    by_hand(lab, "g3", "volume", "set", "rep", "user.side", "other")
    lab.heal("silence", "g3")
    until(lambda: gluster_facts.peers(first)["g3"] == "6")
    until(lambda: gluster_facts.connected(first)["g3"])
    assert_refused(
        lab, "pool_whole", r"g3 is not a full member \(.*Rejected.*\)", "salt-run gluster.status"
    )
