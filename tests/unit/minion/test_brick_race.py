"""A brick's directory between its making and the read-back, while other nodes go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from simulated import T0, Pool

from salt_gluster.errors import GlusterError
from salt_gluster.minion.apply import converge_all
from salt_gluster.minion.goal import Goal
from salt_gluster.model import Brick, BrickPath, Step, Volume
from salt_gluster.plan import plan_brick, plan_volume
from salt_gluster.plan.outcome import Result
from salt_gluster.render import state_return
from salt_gluster.spec import BrickSpec, VolumeSpec

THREE = ["g1", "g2", "g3"]
PATH = "/bricks/data"
SPEC = VolumeSpec("data", replica=3, bricks=tuple(BrickSpec(n, PATH) for n in THREE))


def run(pool: Pool, name: str) -> list[Result]:
    goals = [Goal(lambda obs: plan_brick(PATH, obs)), Goal(lambda obs: plan_volume(SPEC, obs))]
    converge_all(goals, pool.world(name), THREE)
    return [goal.out for goal in goals]


def made_by_another(pool: Pool) -> None:
    """Let g2 create and start the volume at this moment, whoever is at work."""
    bricks = [f"{n}:{PATH}" for n in THREE]
    create = Step("volume_create", "data", {"bricks": bricks, "replica": 3, "arbiter": 0}, "create")
    for step in (create, Step("volume_start", "data", {}, "start")):
        pool._carry_out(pool.machines["g2"], step)
    pool.started["data"] = 0


@pytest.mark.parametrize("before_it", [True, False])
def test_a_create_of_another_node_before_the_read_back_makes_no_failure(before_it: bool) -> None:
    """The directory has the volume's id then: it is a brick, not a leftover."""
    pool = Pool(THREE, together=True)

    def fault(node: str, step: Step, carry_out: Callable[[], None]) -> None:
        if step.action != "brick_prepare":
            carry_out()
            return
        if before_it:
            made_by_another(pool)  # gluster makes the directory itself; ours finds it there
        else:
            carry_out()
            made_by_another(pool)

    pool.fault = fault
    brick, volume = run(pool, "g1")
    assert [(o.error, o.refused, o.plan.is_empty) for o in (brick, volume)] == [
        (None, False, True)
    ] * 2
    assert brick.changes == {PATH: {"old": None, "new": "ready"}}
    assert volume.by_others and pool.time.now - T0 < 10, "it is not waited for"


@pytest.mark.parametrize("left_by", ["a create", "an add-brick"])
def test_the_mark_of_what_failed_is_a_leftover_and_no_ready_directory(left_by: str) -> None:
    """An add-brick that failed leaves the id of a volume that is there, without that brick."""
    pool = Pool(THREE, together=True)
    elsewhere = (Brick("g2", "/bricks/x", pool.machines["g2"].uuid),)
    pool.volumes[0]["x"] = Volume("x", "id-x", "Started", "distribute", elsewhere, 1, 1)
    mark = "gone" if left_by == "a create" else "id-x"

    def fault(node: str, step: Step, carry_out: Callable[[], None]) -> None:
        carry_out()
        if step.action == "brick_prepare":
            marked = BrickPath(PATH, True, True, "/bricks", volume_id=mark, changed=pool.time.now)
            pool.machines[node].paths[PATH] = marked

    pool.fault = fault
    brick, volume = run(pool, "g1")
    assert brick.changes == {PATH: {"old": None, "new": "left over from a failed create"}}
    ret = state_return("brick", brick, test=False)
    assert ret["result"] is False, ret
    assert volume.done == []


def test_a_directory_that_cannot_be_made_is_an_error_of_that_subject_alone() -> None:
    pool = Pool(THREE, together=True)
    other = replace(SPEC, name="other", bricks=tuple(BrickSpec(n, "/bricks/o") for n in THREE))

    def fault(node: str, step: Step, carry_out: Callable[[], None]) -> None:
        if step.subject == PATH:
            raise GlusterError(f"{PATH} cannot be made: Read-only file system.", kind="unwritable")
        carry_out()

    pool.fault = fault
    goals = [Goal(lambda obs: plan_brick(PATH, obs)), Goal(lambda obs: plan_volume(other, obs))]
    converge_all(goals, pool.world("g1"), THREE, addressed=True)
    assert goals[0].out.error is not None and goals[0].out.error.kind == "unwritable"
    assert goals[1].out.error is None and goals[1].out.plan.is_empty
