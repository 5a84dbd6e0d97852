"""What the runners make of the minions' answers, and of Consul's absence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from salt_gluster.errors import ConsulError, GlusterError, SpecError
from salt_gluster.master import hold, minions, plans
from salt_gluster.master.approvals import name_of

NO_CONSUL = ConsulError("no Consul agent answers.", kind="unreachable")
DONE: dict[str, Any] = {"changes": {}}


def asking(answers: Mapping[str, Any]) -> minions.Ask:
    return lambda target, function, *arguments: answers


def test_without_consul_a_hold_is_on_the_nodes_that_answer() -> None:
    told = hold.hold(asking({"g2": DONE, "g1": DONE}), "*", "rack", "ann")
    assert told == {"held": ["g1", "g2"]}


def test_a_minion_that_fails_is_named_and_one_without_gluster_is_not() -> None:
    answers = {
        "g1": DONE,
        "g2": "ERROR: no room\nOSError: No space left on device",
        "web": "'gluster.hold' is not available.",
    }
    told = hold.hold(asking(answers), "*", "rack", "ann")
    assert told["held"] == ["g1"]
    assert told["not held"] == {"g2": "OSError: No space left on device"}
    assert told["retcode"] == 1


def test_a_node_that_only_tells_what_it_would_do_is_not_held_and_not_released() -> None:
    why = "`test: True` is set in this minion's configuration: nothing was written"
    tells = {"changes": {}, "test": True, "comment": why}
    set_there = {"reason": "rack", "by": "ann"}
    answers = {"g1": {**DONE, "held": set_there}, "g2": {**tells, "held": None}}
    told = hold.hold(asking(answers), "*", "rack", "ann")
    assert told == {"held": ["g1"], "not held": {"g2": why}, "retcode": 1}
    answers = {"g1": {**DONE, "held": None}, "g2": {**tells, "held": set_there}}
    told = hold.release(asking(answers), "*", "ann")
    assert told == {"free": ["g1"], "perhaps still held": {"g2": why}, "retcode": 1}


def test_a_consul_that_cannot_be_reached_may_still_be_held() -> None:
    told = hold.release(asking({"g1": DONE}), "*", "ann", NO_CONSUL)
    assert told["free"] == ["g1"]
    assert told["perhaps still held"] == {"Consul": "no Consul agent answers."}
    assert told["retcode"] == 1


def test_a_hold_that_nobody_took_is_an_error() -> None:
    with pytest.raises(GlusterError, match="none of them can see"):
        hold.hold(asking({}), "*", "rack", "ann")
    with pytest.raises(GlusterError, match=r"nothing was done.* no Consul agent"):
        hold.hold(asking({}), "*", "rack", "ann", NO_CONSUL)


def test_explaining_nothing_says_what_can_be_explained() -> None:
    with pytest.raises(SpecError, match="node=g3"):
        plans.explain(asking({}), "*", None)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [(123456712345671, "0123456712345671"), ("4c1e90ab12de34f0", "4c1e90ab12de34f0"), (7, "7"),
     ("", "")],
)  # fmt: skip
def test_an_id_of_digits_alone_survives_the_command_line(typed: Any, meant: str) -> None:
    assert name_of(typed) == meant
