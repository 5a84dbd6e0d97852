"""What a person reads: golden screens, 80 columns, plain data, and no unknown that looks like 0.

``UPDATE_SCREENS=1 pytest tests/unit/render/test_screens.py`` writes the golden texts anew: read
the diff.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salt_gluster.errors import CommandFailed, GlusterError, OutcomeUnknown
from salt_gluster.model import (
    Brick,
    BrickSpace,
    BrickStatus,
    Hazard,
    Heal,
    Hold,
    Node,
    Observation,
    Peer,
    Plan,
    Reach,
    Refusal,
    Step,
    Task,
    Unknown,
    Volume,
    VolumeStatus,
    Wait,
)
from salt_gluster.plan.guards import GuardResult
from salt_gluster.plan.outcome import Result
from salt_gluster.render import (
    as_declared,
    impact_data,
    plan_data,
    render_impact,
    render_plan,
    render_status,
    state_error,
    state_return,
    status_data,
)
from salt_gluster.status import impact

SCREENS = Path(__file__).resolve().parents[2] / "data" / "screens"
NOW = 1_700_000_000.0
GB = 1 << 30


def golden(name: str, text: str) -> None:
    """Compare with the stored screen, which every reader of this test should have looked at."""
    path = SCREENS / f"{name}.txt"
    if os.environ.get("UPDATE_SCREENS"):
        path.write_text(text + "\n", encoding="utf-8")
    assert text + "\n" == path.read_text(encoding="utf-8")
    assert wide(text) == []


def wide(text: str, width: int = 80) -> list[str]:
    return [line for line in text.splitlines() if len(line) > width]


# --- a pool -----


def volume(name: str, hosts: list[str], size: int = 3, **more: object) -> Volume:
    bricks = tuple(
        Brick(h, f"/bricks/{name}/{i}", f"uuid-{h}", bool(more.get("arbiter")) and i % size == 2)
        for i, h in enumerate(hosts)
    )
    kind = "disperse" if more.get("disperse") else "replicate" if size > 1 else "distribute"
    replica = 1 if kind != "replicate" else size
    fields: dict[str, object] = {"status": "Started", **more}
    return Volume(
        name=name,
        id=f"id-{name}",
        kind=kind,
        bricks=bricks,
        dist_count=len(bricks) // size,
        replica=replica,
        **fields,  # type: ignore[arg-type]
    )


def pool(
    nodes: list[str], volumes: list[Volume], away: tuple[str, ...] = (), pending: int = 0
) -> Observation:
    """Return what the first node sees; the bricks of members that are away have no row."""
    peers = tuple(
        Peer(f"uuid-{n}", (n,), n not in away, 3, "Peer in Cluster", n == nodes[0]) for n in nodes
    )
    status, heal = {}, {}
    for vol in volumes:
        rows = [b for b in vol.bricks if b.host not in away]
        status[vol.name] = VolumeStatus(
            vol.name, tuple(BrickStatus(b.host, b.path, b.host_uuid, True, 49152, 7) for b in rows)
        )
        hurt = {s.index for s in vol.sets if any(b.host in away for b in s.bricks)}
        if vol.set_size > 1:
            heal[vol.name] = tuple(
                Heal(b.name, b.host_uuid, pending if s.index in hurt else 0, 0, 0)
                if b.host not in away
                else Heal(b.name, b.host_uuid, Unknown("not connected"), Unknown("not connected"))
                for s in vol.sets
                for b in s.bricks
            )
    return Observation(
        now=NOW,
        node=Node(nodes[0], (), f"uuid-{nodes[0]}", NOW - 999, (), (), None),
        peers=peers,
        volumes={v.name: v for v in volumes},
        status=status,
        reach={f"uuid-{n}": Reach(n not in away, 110000) for n in nodes},
        heal=heal,
    )


def space_of(obs: Observation, free: int = 44) -> dict[str, tuple[BrickSpace, ...]]:
    assert isinstance(obs.volumes, dict)
    return {
        v.name: tuple(
            BrickSpace(b.name, 100 * GB, free * GB, 1000, 900)
            for b in v.bricks
            if b.host_uuid in {p.uuid for p in obs.peers if p.connected}
        )
        for v in obs.volumes.values()
    }


def screen(obs: Observation, **more: object) -> tuple[dict, str]:
    assert isinstance(obs.volumes, dict)
    arguments: dict = {
        "space": space_of(obs),
        "next_loss": {n: impact.next_loss(obs, n) for n in obs.volumes},
        "version": "11.1",
        "pool": "prod",
        **more,
    }
    data = status_data(obs, impact.health(obs), **arguments)
    assert json.loads(json.dumps(data)) == data
    return data, render_status(data)


def seven(away: tuple[str, ...] = (), pending: int = 0) -> Observation:
    names = [f"g{i}" for i in range(1, 8)]
    return pool(
        names,
        [
            volume("archive", names[:6], 6, disperse=6, redundancy=2),
            volume("home", ["g1", "g2", "g3", "g4", "g5", "g6"]),
            volume("vm", ["g5", "g6", "g7"], arbiter=1),
        ],
        away,
        pending,
    )


# --- status -----


def test_a_healthy_pool_reads_calm() -> None:
    data, text = screen(seven())
    golden("status_healthy", text)
    assert (data["exit"], data["exit_word"]) == (0, "ok")


def test_a_dead_node_is_named_with_what_hangs_on_it() -> None:
    data, text = screen(seven(("g3",), 71), age_s=6.0)
    golden("status_degraded", text)
    assert (data["exit"], data["exit_word"]) == (1, "degraded")
    assert data["volumes"]["home"]["to_heal"]["at_least"] == 71


def test_a_declared_volume_that_is_not_made_is_named_with_the_node_that_refuses() -> None:
    refuses = {"nodes": ["g1"], "says": "refuses", "why": "/srv/b/1 holds lost+found"}
    failed = {"nodes": ["g2", "g3"], "says": "failed", "why": "create: no luck"}
    silent = {"nodes": ["g1", "g2"], "says": "", "why": ""}
    data, text = screen(seven(), not_made={"web": [refuses, failed], "xen": [silent]})
    golden("status_not_made", text)
    assert (data["exit"], data["exit_word"], data["worst"]) == (1, "not_made", "web")
    worse, _ = screen(seven(("g3",), 71), not_made={"web": [refuses]})
    assert (worse["exit"], worse["exit_word"]) == (1, "degraded")


def test_of_300_nodes_only_what_is_not_ok_is_shown() -> None:
    names = [f"n{i}" for i in range(1, 301)]
    volumes = [volume(f"v{i}", names[3 * i - 3 : 3 * i]) for i in range(1, 101)]
    data, text = screen(pool(names, volumes, ("n11", "n200"), 5))
    golden("status_300", text)
    assert len(text.splitlines()) < 40
    assert len(data["nodes"]["members"]) == 300


def test_a_glusterd_that_cannot_be_asked_is_unknown_and_not_down() -> None:
    why = "glusterd does not run on g1"
    obs = Observation(NOW, Node("g1"), Unknown(why), Unknown(why))
    data = status_data(obs, Unknown(why))
    json.dumps(data)
    golden("status_unknown", render_status(data))
    assert (data["exit"], data["exit_word"]) == (3, "unknown")


def test_what_was_not_asked_is_a_question_mark_and_listed() -> None:
    obs = replace(seven(), status={}, heal={}, reach={})
    data, text = screen(obs, space={}, next_loss={}, version=Unknown("no such file"))
    golden("status_not_asked", text)
    row = data["volumes"]["home"]
    assert row["bricks"] == {"total": 6, "unknown": "not asked"}
    assert all(row[k] == {"unknown": "not asked"} for k in ("to_heal", "split_brain", "free"))
    line = next(line for line in text.splitlines() if line.startswith("  home "))
    assert "0" not in line
    assert data["exit"] == 3


def test_survivors_that_list_nothing_do_not_make_an_unknown_count_zero() -> None:
    data, text = screen(seven(("g3",), 0))
    assert "at_least" not in data["volumes"]["home"]["to_heal"]
    line = next(line for line in text.splitlines() if line.startswith("  home "))
    assert line.split()[4] == "?"


def test_trouble_of_every_kind_asks_for_a_person() -> None:
    home = volume("home", ["g1", "g2", "g3"])
    obs = pool(["g1", "g2", "g3", "g10"], [home, volume("old", ["g1"], 1, status="Stopped")])
    rows = obs.status["home"].bricks  # type: ignore[union-attr]
    obs = replace(
        obs,
        peers=(*obs.peers[:3], replace(obs.peers[3], state=6, state_text="Peer Rejected")),  # type: ignore[index]
        status={
            **obs.status,
            "home": VolumeStatus(
                "home",
                (replace(rows[0], port=None), *rows[1:]),
                (),
                (Task("Rebalance", "t1", 1, "in progress"), Task("Rebalance", "t0", 3, "done")),
            ),
        },
        heal={"home": tuple(Heal(b.name, b.host_uuid, 4, 2) for b in home.bricks)},
        reach={**obs.reach, "uuid-g2": Reach(True, 100000)},
        node=replace(obs.node, hold=Hold("disk swap", "ann")),
    )
    data, text = screen(obs)
    golden("status_trouble", text)
    assert (data["exit"], data["exit_word"], data["worst"]) == (2, "partial", "home")
    assert [t["id"] for t in data["running"]] == ["t1"]


def test_a_pool_without_volumes_and_name_works() -> None:
    data, text = screen(pool(["g1"], []), pool="")
    golden("status_empty", text)
    assert data["exit"] == 0


def test_natural_order_is_kept() -> None:
    data, _ = screen(pool(["g10", "g2", "g1"], [volume("v10", ["g1"], 1), volume("v9", ["g2"], 1)]))
    assert list(data["nodes"]["members"]) == ["g1", "g2", "g10"]
    assert list(data["volumes"]) == ["v9", "v10"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["ok", "ok"], 0),
        (["ok", "degraded"], 1),
        (["unknown", "degraded"], 3),
        (["unknown", "down"], 2),
        (["ok", "data_at_risk"], 2),
        (["partial"], 2),
        (["incomplete"], 2),
    ],
)
def test_the_exit_code_is_that_of_the_worst_volume(words: list[str], code: int) -> None:
    names = [f"v{i}" for i in range(len(words))]
    obs = pool(["g1"], [volume(n, ["g1"], 1) for n in names])
    told = [impact.VolumeHealth(n, w, "why", ()) for n, w in zip(names, words, strict=True)]
    assert status_data(obs, told)["exit"] == code


def test_a_volume_nobody_judged_is_unknown() -> None:
    assert status_data(pool(["g1"], [volume("v", ["g1"], 1)]), [])["exit"] == 3


NAMES = st.text("abcXYZ019_-.", min_size=1, max_size=40)


@given(
    st.lists(NAMES, min_size=3, max_size=20, unique_by=str.lower),
    st.lists(NAMES, min_size=1, max_size=16, unique=True),
    st.integers(0, 2),
    NAMES,
)
def test_no_status_line_is_wider_than_the_screen(
    nodes: list[str], names: list[str], dead: int, title: str
) -> None:
    volumes = [volume(n, nodes[:3]) for n in names]
    obs = pool(nodes, volumes, tuple(nodes[1 : 1 + dead]), 123456)
    obs = replace(obs, node=replace(obs.node, hold=Hold(title * 5, title)))
    _, text = screen(obs, pool=title)
    assert wide(text) == []
    assert wide(render_impact(impact.impact(obs, nodes=[nodes[2]]), title)) == []


# --- states -----

CREATE = Step("volume_create", "data", {"bricks": ["g1:/b", "g2:/b", "g3:/b"]}, "")
CREATE = replace(CREATE, text="create data, 1 x replica 3: g1:/srv/b/1 g2:/srv/b/1 g3:/srv/b/1")
START = Step("volume_start", "data", {}, "start data")
SET = Step(
    "options_set",
    "data",
    {"options": {"network.ping-timeout": "20"}},
    "set data network.ping-timeout 42 -> 20",
)
DIFF = {"data": {"options": {"network.ping-timeout": {"old": "42", "new": "20"}}}}
AWAY = Refusal(
    "pool_whole",
    "g3 is down or cut off (Disconnected). A change made now is imported when it returns: "
    "its bricks are killed and restarted.",
    ("wait           salt-run gluster.status",),
)
NOT_SETTLED = Refusal(
    "settled", "g1:/srv/b/1 is not up with a port.", ("wait           salt-run gluster.status",)
)


def refused(*steps: Step, done: tuple[Step, ...] = ()) -> Result:
    plan = Plan("data", steps, refusals=(AWAY, NOT_SETTLED), changes=DIFF)
    answers = (
        GuardResult("pool_whole", AWAY),
        GuardResult("majority", AWAY),
        GuardResult("single_version", None),
        GuardResult("settled", NOT_SETTLED),
        GuardResult("paths_fit", None, "3 of 3 empty, mounted"),
    )
    return Result(plan, plan, answers, list(done), refused=True)


def comment(ret: dict) -> str:
    """Return the comment; Salt's output puts 14 columns before it, so 66 are left."""
    assert set(ret) == {"name", "result", "changes", "comment"}
    assert json.loads(json.dumps(ret)) == ret
    assert wide(ret["comment"], 66) == []
    return ret["comment"]


def test_nothing_to_do_is_one_line() -> None:
    plan = Plan("data")
    told = as_declared(volume("data", ["g1", "g2", "g3"]))
    ret = state_return("data", Result(plan, plan), test=False, told=told)
    assert ret["result"] is True
    assert ret["changes"] == {}
    assert comment(ret) == "data is as declared: 1 x replica 3, started"


def test_test_mode_numbers_the_steps_and_gives_the_diff() -> None:
    plan = Plan("data", (CREATE, START), changes=DIFF, notes=("g9 has no brick",))
    ret = state_return("data", Result(plan, plan), test=True)
    assert (ret["result"], ret["changes"]) == (None, DIFF)
    golden("state_would", comment(ret))


@pytest.mark.parametrize("test", [True, False])
def test_a_refusal_tells_every_answer_and_every_way_out(test: bool) -> None:
    ret = state_return("data", refused(SET, START), test=test)
    assert (ret["result"], ret["changes"]) == (False, {})
    golden("state_refused", comment(ret))
    assert ret["comment"].count("salt-run gluster.status") == 1


def test_a_refusal_that_cannot_be_accepted_offers_no_way_round() -> None:
    drift = Refusal("other_type", "data is distribute, declared is replica 3")
    plan = Plan("data", (SET,), refusals=(AWAY, drift))
    text = comment(state_return("data", Result(plan, plan, refused=True), test=False))
    assert "do it anyway" not in text
    assert "other_type" in text


def test_a_hazard_can_be_accepted_by_plan_id() -> None:
    step = replace(SET, hazard=Hazard.IO_PAUSE, hazard_why="clients wait for 3 s")
    plan = Plan("data", (step,), refusals=(Refusal("io_pause", "clients wait for 3 s"),))
    text = comment(state_return("data", Result(plan, plan, refused=True), test=False))
    assert f"gluster_operation.apply {plan.id} \\" in text
    assert "accept=io_pause reason='...'" in text


def test_a_refusal_after_some_steps_keeps_their_changes() -> None:
    out = refused(START, done=(CREATE,))
    out.changes = {"data": {"status": {"old": None, "new": "Created"}}}
    ret = state_return("data", out, test=False)
    assert (ret["result"], ret["changes"]) == (False, out.changes)
    golden("state_refused_half", comment(ret))


def test_another_plan_than_the_accepted_one_is_refused_and_shown() -> None:
    plan = Plan("data", (SET,))
    text = comment(state_return("data", Result(plan, plan, refused=True), test=False))
    assert f"the plan is another one now (plan {plan.id}, 1 step)." in " ".join(text.split())


def unprepared(node: str) -> Wait:
    way = f"prepare it     salt {node} state.apply gluster"
    return Wait("has not prepared /srv/b/1 yet", node, ways=(way,))


def test_who_waited_in_vain_says_for_whom_and_what_to_do_next() -> None:
    plan = Plan("data", (CREATE, START), (unprepared("g3"), unprepared("g2")))
    ret = state_return("data", Result(plan, plan), test=False)
    assert (ret["result"], ret["changes"]) == (False, {})
    golden("state_waits", comment(ret))
    would = state_return("data", Result(plan, plan), test=True)
    assert would["result"] is None and "waiting: g2, g3 have not" in comment(would)


def test_who_has_nothing_to_do_itself_is_not_as_declared_while_it_waits() -> None:
    wait = Wait("has to invite this node into the pool", "g1", "it does not answer: refused")
    plan = Plan("g2", waits=(wait,))
    ret = state_return("peer g2", Result(plan, plan), test=False)
    assert ret["result"] is False and "(it does not" in comment(ret)
    assert "plan" not in comment(ret), "there is none to carry out"
    assert state_return("peer g2", Result(plan, plan), test=True)["result"] is None


def test_of_many_that_are_waited_for_some_ways_are_shown_and_the_rest_counted() -> None:
    plan = Plan("data", (CREATE,), tuple(unprepared(f"g{n}") for n in range(1, 41)))
    text = comment(state_return("data", Result(plan, plan), test=False))
    assert text.count("salt g") == 4 and "and 36 more like these" in text


def test_a_step_of_unknown_outcome_is_named_and_the_lock_dated() -> None:
    error = OutcomeUnknown(
        "volume start: Request timed out.",
        kind="timeout",
        hint="It may have been carried out. Read back the result, do not repeat it blindly.",
    )
    error.locked_until = NOW + 200
    error.hosts = ("g3",)
    left = Plan("data", (START, SET))
    out = Result(
        Plan("data", (CREATE, START, SET)),
        left,
        done=[CREATE],
        changes={"data": {"status": {"old": None, "new": "Created"}}},
        error=error,
        unknown_step=START,
    )
    ret = state_return("data", out, test=False, clock=lambda at: f"T+{at - NOW:.0f}")
    assert (ret["result"], ret["changes"]) == (False, out.changes)
    golden("state_half_done", comment(ret))
    assert "locked until about T+200" in ret["comment"]


def test_a_step_gluster_refused_failed_and_is_not_called_unknown() -> None:
    error = CommandFailed("volume start: no.", text="Volume data: no luck", hint="Look at g1.")
    plan = Plan("data", (START,))
    text = comment(state_return("data", Result(plan, plan, error=error), test=False))
    assert "failed   1 start data" in text
    assert "unknown" not in text
    assert "gluster said: Volume data: no luck" in text


def test_a_run_that_stopped_tells_glusters_last_answer() -> None:
    answer = CommandFailed("options_set: no.", text="Another transaction is in progress", hint="H.")
    plan = Plan("data", (START,))
    text = comment(state_return("data", Result(plan, plan, last_answer=answer), test=False))
    assert text.startswith("STOPPED with steps left")
    assert "Gluster's last answer:\noptions_set: no." in text and "Another transaction" in text
    silent = comment(state_return("data", Result(plan, plan), test=False))
    assert "another node was to do it" in " ".join(silent.split())
    not_done = GlusterError("'start data' was tried 3 times.", kind="not_done")
    out = Result(plan, plan, error=not_done, last_answer=answer)
    failed = comment(state_return("data", out, test=False))
    assert "was tried 3 times" in failed and "Another transaction" in failed
    same = comment(state_return("data", Result(plan, plan, error=answer, last_answer=answer),
                                test=False))  # fmt: skip
    assert same.count("Another transaction") == 1 and "last answer" not in same


def test_an_error_before_a_plan_changed_nothing() -> None:
    ret = state_error("data", CommandFailed("no gluster here.", hint="Install it."))
    assert ret["result"] is False
    assert comment(ret) == "FAILED, nothing was changed.\n\nno gluster here.\nInstall it."


def test_who_did_it_is_said() -> None:
    done = Plan("data")
    own = state_return("data", Result(Plan("data", (SET,)), done, done=[SET]), test=False)
    other = state_return("data", Result(Plan("data", (SET,)), done, by_others=True), test=False)
    assert comment(own) == "data: 1 step done\n1 set data network.ping-timeout 42 -> 20"
    assert comment(other) == "data is as declared, done by another node"
    assert (other["result"], other["changes"]) == (True, {})


def test_an_unknown_in_changes_is_printed_with_its_reason() -> None:
    plan = Plan("data", (SET,), changes={"data": {"status": {"old": Unknown("gone"), "new": "x"}}})
    ret = state_return("data", Result(plan, plan), test=True)
    assert ret["changes"]["data"]["status"]["old"] == {"unknown": "gone"}


@given(NAMES, NAMES, st.lists(NAMES, max_size=4), st.booleans())
def test_no_comment_line_is_wider_than_salt_leaves(
    name: str, host: str, notes: list[str], test: bool
) -> None:
    step = Step("volume_create", name, {"bricks": []}, f"create {name}: {host}:/{name}/{name}")
    refusal = Refusal("settled", f"{host}:/{name} is down. {host * 3}", (f"look   gluster {name}",))
    for refusals in ((), (refusal,)):
        plan = Plan(name, (step,) * 12, (Wait(f"has not /{name}", host),), refusals, tuple(notes))
        out = Result(plan, plan, done=[step] * 3, refused=bool(refusals))
        comment(state_return(name, out, test=test))
        assert wide(render_plan(plan_data(plan))) == []


# --- plans and impact -----


def test_a_plan_is_shown_as_the_state_would_refuse_it() -> None:
    out = refused(SET, START)
    data = plan_data(out.plan, out.guards)
    golden("plan_refused", render_plan(data))
    assert [r["name"] for r in data["refusals"]] == ["pool_whole", "settled"]
    assert data["accept"] == ["pool_whole", "settled"]


def test_an_empty_plan_says_so() -> None:
    data = plan_data(Plan("data"))
    assert render_plan(data) == "data: nothing to do."
    assert data["accept"] == []


def test_impact_names_every_volume_and_its_why() -> None:
    obs = seven()
    told = impact.impact(obs, nodes=["g3", "g5"])
    golden("impact", render_impact(told, "g3, g5"))
    data = json.loads(json.dumps(impact_data(told)))
    assert {v["word"] for v in data.values()} == {h.word for h in told}


def test_control_characters_from_elsewhere_do_not_reach_the_terminal() -> None:
    obs = replace(seven(), node=Node("g1", hold=Hold("a\x1b[2Jb\nc", "x")))
    _, text = screen(obs)
    assert "\x1b" not in text
    assert "a [2Jb c" in text


def test_what_a_stopped_volume_has_to_heal_is_unknown() -> None:
    obs = seven()
    assert isinstance(obs.volumes, dict)
    home = replace(obs.volumes["home"], status="Stopped")
    why = Unknown("not asked: it is stopped")
    stopped = replace(obs, volumes={"home": home}, heal={"home": why}, status={"home": why})
    _, text = screen(stopped)
    (line,) = [line for line in text.splitlines() if line.startswith("HEAL")]
    assert line == "HEAL     unknown for home (Stopped)"
