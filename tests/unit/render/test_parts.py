"""One state for many subjects: the worst result, each thing said, and the same thing once."""

from __future__ import annotations

from typing import Any

from salt_gluster.errors import CommandFailed
from salt_gluster.model import Plan, Refusal, Step, Wait
from salt_gluster.plan.outcome import Result
from salt_gluster.render import Part, combined, error_part, state_part
from salt_gluster.render.text import COMMENT

DOWN = Refusal("pool_whole", "g3 is down.", ("wait           salt-run gluster.status",))
SILENT = Refusal("pool_unknown", "this node's glusterd cannot be asked: it is down")
INVITED = Wait("has to invite this node", "g1", "it is silent", ("invite it      salt g1 x",))


def step(name: str) -> Step:
    return Step("volume_start", name, {}, f"start {name}")


def refused(name: str, *refusals: Refusal, steps: bool = True) -> Part:
    plan = Plan(name, (step(name),) if steps else (), refusals=refusals)
    return state_part(f"volume {name}", Result(plan, plan, refused=True), test=False)


def waits(kind: str, name: str, *steps: Step) -> Part:
    plan = Plan(name, steps, (INVITED,))
    return state_part(f"{kind} {name}", Result(plan, plan), test=False)


def said(*parts: Part) -> str:
    ret = combined("pool", parts)
    assert ret["result"] is False and ret["name"] == "pool"
    assert all(len(line) <= COMMENT + 4 for line in ret["comment"].splitlines())
    return str(ret["comment"])


def test_the_same_refusal_of_nine_subjects_is_said_once_with_all_their_names() -> None:
    text = said(*(refused(f"v{n}", SILENT, steps=False) for n in range(1, 10)))
    assert text.count("cannot be asked") == 1 and text.count("REFUSED") == 1
    assert "volume v1, volume v2" in text and "2 more" in text
    error = CommandFailed("no lock.", hint="Wait.")
    text = said(*(error_part(f"volume v{n}", error) for n in (1, 2)))
    assert text.count("no lock.") == 1 and "volume v1, volume v2:" in text


def test_volumes_refused_for_one_reason_keep_their_steps_and_their_own_way_out() -> None:
    parts = [refused(name, DOWN) for name in ("v1", "v2", "v3")]
    text = said(*parts)
    assert text.count("g3 is down") == 1 and text.count("salt-run gluster.status") == 1
    assert text.count("For the same reason as volume v1.") == 2
    for name in ("v1", "v2", "v3"):
        plan = Plan(name, (step(name),))
        assert f"1 start {name}" in text and text.count(f"gluster_operation.apply {plan.id}") == 1


def test_another_reason_is_said_in_full() -> None:
    text = said(refused("v1", DOWN), refused("v2", SILENT), refused("v3", DOWN, SILENT))
    assert (text.count("g3 is down"), text.count("cannot be asked")) == (2, 2)
    assert "same reason" not in text


def test_who_waits_for_the_same_says_it_once() -> None:
    text = said(waits("peer", "g2"), waits("peer", "g3"), waits("volume", "v1", step("v1")))
    assert text.count("it is silent") == 1 and text.count("salt g1 x") == 1
    assert "peer g2, peer g3:" in text and "For the same reason as peer g2." in text
    assert "1 start v1" in text


def test_what_changed_is_never_put_together_and_what_is_fine_is_not_told() -> None:
    def part(name: str, changes: dict[str, Any]) -> Part:
        return Part(name, True, changes, ("1 step done",))

    done = combined("pool", [part("a", {"x": 1}), part("b", {"y": 2}), part("c", {})])
    assert done["changes"] == {"a": {"x": 1}, "b": {"y": 2}} and done["result"] is True
    assert done["comment"] == "a:\n    1 step done\nb:\n    1 step done"
    quiet = combined("pool", [part("a", {}), part("b", {})])
    assert (quiet["result"], quiet["comment"]) == (True, "2 subjects are as declared")
    one = combined("pool", [part("a", {}), refused("v1", DOWN)])
    assert one["comment"].startswith("REFUSED"), "its name stands in it, and nothing else is told"


def test_the_worst_result_is_that_of_all() -> None:
    def of(*results: bool | None) -> Any:
        return combined("x", [Part(str(r), r, {}, ("",)) for r in results])["result"]

    assert (of(True, None), of(None, False, True), of(True)) == (None, False, True)
