"""What a person orders once: it never does more than its name, and fits the commands table."""

from __future__ import annotations

from typing import Any

import pytest
from samples import answer
from simulated import Pool

from salt_gluster.errors import CommandFailed, Conflict, GlusterError, SpecError
from salt_gluster.gluster.commands import command
from salt_gluster.gluster.parse.answer import parse_answer
from salt_gluster.gluster.parse.profile import FopStats, parse_profile
from salt_gluster.minion import apply
from salt_gluster.model import Hold, Observation, Plan
from salt_gluster.node import option_groups
from salt_gluster.plan import plan_volume
from salt_gluster.plan.actions import ACTIONS, SET_BY_PROFILE
from salt_gluster.plan.adhoc import (
    ONCE,
    only_create,
    plan_add_bricks,
    plan_once,
    plan_profile,
    plan_reset,
)
from tests.unit.plan.test_volume import observed, spec, volume

TWO = [["g1:/b/1", "g2:/b/1"], ["g3:/b/1", "g4:/b/1"]]


def refused(plan: Plan) -> list[str]:
    return [r.name for r in plan.refusals]


#: Arguments as the planners write them, for every action that gluster carries out.
STEPS: dict[str, dict[str, Any]] = {
    "peer_probe": {"host": "g2", "node": "g2"},
    "peer_detach": {"host": "g2"},
    "volume_create": {
        "bricks": ["g1:/b"],
        "replica": 3,
        "arbiter": 0,
        "force": True,
    },
    "options_set": {"options": {"network.ping-timeout": "20"}},
    "option_reset": {"option": "network.ping-timeout"},
    "bricks_add": {"bricks": ["g1:/b"], "replica": 3, "arbiter": 1, "accept_risk": []},
    "volume_profile_start": {"on": True},
    "volume_statedump": {"dump": "fd"},
    "volume_log_rotate": {"brick": "g1:/b"},
}


@pytest.mark.parametrize("name", [n for n, row in ACTIONS.items() if row.command])
def test_every_action_can_be_said_in_a_command(name: str) -> None:
    row = ACTIONS[name]
    arguments = row.arguments(STEPS.get(name, {}))
    if "{volume}" in command(row.command).line:
        arguments["volume"] = "data"
    words = command(row.command).words(**arguments)
    given = [v for v in STEPS.get(name, {}).values() if isinstance(v, (str, list)) and v]
    for value in given:
        assert set(value if isinstance(value, list) else [value]) <= set(words)
    assert ("force" in words) is bool(STEPS.get(name, {}).get("force")) or name == "brick_restart"


def test_a_create_never_grows_a_volume_that_is_there() -> None:
    one, two = spec(TWO[:1]), spec(TWO)
    obs = observed(volume(TWO[:1]))
    assert only_create(plan_volume(one, obs), obs).is_empty
    grown = only_create(plan_volume(two, obs), obs)
    assert (refused(grown), "add_bricks" in grown.refusals[0].ways[0]) == (["exists"], True)
    empty = observed()
    made = only_create(plan_volume(two, empty), empty)
    assert (made.steps[0].action, refused(made)) == ("volume_create", [])


def test_new_sets_go_behind_those_there_are_and_known_bricks_are_left_out() -> None:
    obs = observed(volume(TWO[:1]))
    plan = plan_add_bricks("data", [*TWO[0], *TWO[1]], obs)
    assert [(s.action, s.args["bricks"]) for s in plan.steps] == [("bricks_add", TWO[1])]
    assert plan_add_bricks("data", TWO[1], observed(volume(TWO))).is_empty


def test_a_higher_replica_gives_each_set_a_member_in_order() -> None:
    new = ["g5:/b/1", "g6:/b/1"]
    plan = plan_add_bricks("data", new, observed(volume(TWO)), replica=3)
    assert plan.changes["data"]["bricks"]["new"] == [*TWO[0], new[0], *TWO[1], new[1]]
    whole = [[*TWO[0], new[0]], [*TWO[1], new[1]]]
    assert plan_add_bricks("data", new, observed(volume(whole)), replica=3).is_empty
    arbiter = plan_add_bricks("data", new, observed(volume(TWO)), replica=3, arbiter=True)
    assert arbiter.steps[0].args["arbiter"] == 1


@pytest.mark.parametrize(
    ("bricks", "more", "words"),
    [
        (["g5:/b/1"], {}, "do not divide into sets of 2"),
        (["g5:/b/1", "g5:/b/2"], {}, "lie on g5"),
        (["g5:/b/1"], {"replica": 3}, "1 new bricks for 2 sets"),
        (["g1:/b/2", "g5:/b/1"], {"replica": 3}, "lie on one node"),
        (["g5:/b", "g5:/b/1"], {}, "lies inside"),
    ],
)
def test_bricks_that_do_not_fit_are_named_before_gluster_is_asked(
    bricks: list[str], more: dict[str, int], words: str
) -> None:
    with pytest.raises(SpecError, match=words):
        plan_add_bricks("data", bricks, observed(volume(TWO)), **more)


def test_two_copies_have_to_be_accepted() -> None:
    obs = observed(volume([["g1:/b/1"]]))
    with pytest.raises(SpecError, match="split-brain"):
        plan_add_bricks("data", ["g2:/b/1"], obs, replica=2)
    accepted = plan_add_bricks("data", ["g2:/b/1"], obs, replica=2, accept_risk=["replica2"])
    assert accepted.changes["data"]["type"]["new"] == "1 x replica 2"


def test_one_option_is_reset_and_a_user_option_is_refused() -> None:
    options = {"network.ping-timeout": "20", "user.note": "x"}
    obs = observed(volume(TWO, options=options))
    plan = plan_reset("data", "ping-timeout", obs)
    assert plan.changes == {
        "data": {"options": {"network.ping-timeout": {"old": "20", "new": None}}}
    }
    assert plan_reset("data", "cluster.lookup-optimize", obs).is_empty
    assert refused(plan_reset("data", "user.note", obs)) == ["no_reset"]
    with pytest.raises(SpecError, match="Did you mean"):
        plan_reset("data", "network.ping-timeot", obs)


def test_profiling_is_started_once_and_stopped_once() -> None:
    off, on = observed(volume(TWO)), observed(volume(TWO, options=SET_BY_PROFILE))
    assert [s.action for s in plan_profile("data", off, on=True).steps] == ["volume_profile_start"]
    assert [s.action for s in plan_profile("data", on, on=False).steps] == ["volume_profile_stop"]
    assert plan_profile("data", on, on=True).is_empty
    assert plan_profile("data", off, on=False).is_empty


@pytest.mark.parametrize("action", ONCE)
def test_what_leaves_no_trace_needs_a_started_volume(action: str) -> None:
    def planned(obs: Observation) -> list[str]:
        return refused(plan_once(action, "data", obs))

    assert planned(observed()) == ["no_such_volume"]
    assert planned(observed(volume(TWO, status="Stopped"))) == ["not_started"]
    assert planned(observed(volume(TWO))) == []
    alone = planned(observed(volume([["g1:/b/1"]])))
    assert alone == (["no_copies"] if "heal" in action else [])


@pytest.mark.parametrize("problem", [None, Conflict("locked"), CommandFailed("no")])
def test_it_is_carried_out_once_whatever_gluster_says(problem: GlusterError | None) -> None:
    pool = _pool_with_data()

    def fault(*_: Any) -> None:
        if problem:
            raise problem

    pool.fault = fault
    out = apply.run_once(lambda obs: plan_once("volume_heal", "data", obs), pool.world("g1"))
    assert [step.action for _, step in pool.asked] == ["volume_heal"]
    assert out.error is problem
    done = {"data": {"heal": {"old": None, "new": "index heal launched"}}}
    assert out.changes == ({} if problem else done)


def test_a_hold_forbids_even_a_heal() -> None:
    pool = _pool_with_data()
    pool.machines["g1"].hold = Hold("night", by="ann")
    out = apply.run_once(lambda obs: plan_once("volume_heal", "data", obs), pool.world("g1"))
    assert (out.refused, refused(out.plan), pool.asked) == (True, ["not_held"], [])


def _pool_with_data() -> Pool:
    pool = Pool(["g1", "g2", "g3"], together=True)
    pool.volumes[0]["data"] = volume([["g1:/b/1", "g2:/b/1", "g3:/b/1"]])
    return pool


# --- what gluster and the node tell --------------------------------------------------------------


def test_a_profile_has_the_counts_of_every_brick() -> None:
    bricks = parse_profile(answer("profile-data-info.xml"))
    assert sorted(b.brick for b in bricks) == [f"g{i}:/srv/gluster/data/1" for i in (1, 2, 3)]
    write = next(o for o in bricks[0].operations if o.name == "WRITE")
    assert write.hits > 0
    assert 0 < write.least_ns <= write.average_ns <= write.most_ns
    assert bricks[0].bytes_written == 200_000


def test_a_latency_that_is_no_number_is_not_zero() -> None:
    xml = (
        "<cliOutput><opRet>0</opRet><opErrno>0</opErrno><opErrstr/><volProfile><brick>"
        "<brickName>g1:/b</brickName><cumulativeStats><duration>1</duration><totalRead>0</totalRead>"
        "<totalWrite>0</totalWrite><fopStats><fop><name>READ</name><hits>1</hits>"
        "<avgLatency>{}</avgLatency><minLatency>1</minLatency><maxLatency>1</maxLatency></fop>"
        "</fopStats></cumulativeStats></brick></volProfile></cliOutput>"
    )
    (good,) = parse_profile(parse_answer(xml.format("2.5")))
    assert good.operations == (FopStats("READ", 1, 2.5, 1.0, 1.0),)
    with pytest.raises(GlusterError, match="avgLatency"):
        parse_profile(parse_answer(xml.format("-")))


def test_option_groups_are_the_lines_of_their_files(tmp_path: Any) -> None:
    (tmp_path / "virt").write_text("# for machines\nfeatures.shard=on\n\nuser.a=b=c\n")
    (tmp_path / "sub").mkdir()
    assert option_groups(tmp_path) == {"virt": {"features.shard": "on", "user.a": "b=c"}}
    assert option_groups(tmp_path / "missing") == {}
