"""Every branch of every guard: what is known to be wrong, what is not known, and the last seconds.

``tests/simulation/test_ablation.py`` shows that each guard as a whole is needed; here each of its
reasons is the only thing that is wrong in a pool where the guard else says yes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import fleet
import pytest
from fleet import BRICK, GFN1, GFN2, GFN3, NOW, PATH, VOLUME

from salt_gluster.model import Change, Hold, NodeFacts, Ref, Unknown
from salt_gluster.remediation import guards
from salt_gluster.remediation.fleet_mode import FleetMode
from salt_gluster.remediation.guards.context import GuardContext, Target
from salt_gluster.remediation.membership import Condition, ConsulView, Signal, ViewTrust
from salt_gluster.remediation.observation import Acknowledged, LockView, Maintenance, Recorded
from salt_gluster.remediation.operations import Life
from salt_gluster.remediation.policy import Policy

NO = Unknown("nobody said")
TARGET = Target(GFN2, BRICK, PATH, "rep3", VOLUME.id, NOW - 1000)
Alter = Callable[[GuardContext], GuardContext]
GUARDS = {guard.__name__: guard for guard in guards.RESTART_BRICK}


def case(**obs: Any) -> GuardContext:
    return GuardContext(
        fleet.observation(**obs), Policy(), TARGET, FleetMode.OPEN, decided_since=NOW - 1000
    )  # fmt: skip


def refuses(name: str, alter: Alter) -> bool:
    return GUARDS[name](alter(case())) is not None


# --- how a case is altered -----------------------------------------------------------------------


def seen(**fields: Any) -> Alter:
    """Change the observation."""
    return lambda c: replace(c, obs=replace(c.obs, **fields))


def told(uuid: str, **fields: Any) -> Alter:
    """Change what a node says of itself; ``facts=…`` = all of it."""

    def alter(c: GuardContext) -> GuardContext:
        own = c.obs.facts[uuid]
        assert isinstance(own, NodeFacts)
        new = fields["facts"] if "facts" in fields else replace(own, **fields)
        return seen(facts={**c.obs.facts, uuid: new})(c)

    return alter


def brick(uuid: str, **fields: Any) -> Alter:
    """Change what a node says of its brick."""

    def alter(c: GuardContext) -> GuardContext:
        own = c.obs.facts[uuid]
        assert isinstance(own, NodeFacts)
        return told(uuid, bricks={PATH: replace(own.bricks[PATH], **fields)})(c)

    return alter


def silent(uuid: str) -> Alter:
    return told(uuid, facts=NO)


def both(*alters: Alter) -> Alter:
    def alter(c: GuardContext) -> GuardContext:
        for one in alters:
            c = one(c)
        return c

    return alter


def condition(ref: Ref, state: str, since: float = NOW) -> Alter:
    return lambda c: replace(c, conditions={**c.conditions, ref: Condition(state, since)})


def registered(uuid: str, **fields: Any) -> Alter:
    def alter(c: GuardContext) -> GuardContext:
        rows = c.obs.consul.registered
        rows = {**rows, uuid: replace(rows[uuid], **fields)}
        return seen(consul=ConsulView(ViewTrust(True), rows))(c)

    return alter


def not_registered(uuid: str) -> Alter:
    def alter(c: GuardContext) -> GuardContext:
        rows = {u: r for u, r in c.obs.consul.registered.items() if u != uuid}
        return seen(consul=ConsulView(ViewTrust(True), rows))(c)

    return alter


def done(*operations: Any) -> Alter:
    return seen(operations={op.id: op for op in operations})


def op(name: str = "op0", **fields: Any) -> Any:
    """Return another operation on the same node, applied long ago and healed."""
    whole = {"state": Life.DONE, "at": NOW - 5000, "applied_at": NOW - 5000, "changed": NOW - 5000}
    return fleet.operation(id=name, **{**whole, **fields})


def history(uuid: str, *, ago: float, ours: bool = False) -> Alter:
    return told(uuid, changes=(Change(NOW - ago, "volume stop rep3", ours),))


def looked(what: str, at: float) -> Alter:
    return seen(acknowledged=(Acknowledged(what, at),))


DEAD_TOO = brick(GFN3, alive=False, port=None)
PERSON = Maintenance("ann", "new disk", None)


# --- the table -----------------------------------------------------------------------------------

#: guard -> what makes it say no, each by itself.
NO_WAY: dict[str, list[Alter]] = {
    "fleet_open": [
        lambda c: replace(c, mode=FleetMode.BLIND), lambda c: replace(c, mode=FleetMode.STORM),
    ],
    "lock_valid": [
        seen(lock=LockView(False, 9.0, 7)), seen(lock=LockView(True, 9.0, NO)),
        seen(lock=LockView(True, 0.0, 7)), seen(lock=LockView(True, 4.9, 7)),
        seen(executor_node=GFN2, lock=LockView(False, 0.0, 7)),
        seen(executor_node=GFN2, lock=LockView(True, 0.0, NO)),
    ],
    "not_held": [
        seen(hold=Hold("x")), seen(hold=NO), told(GFN2, hold=Hold("x")), told(GFN2, hold=NO),
        told(GFN1, hold=Hold("x")),
    ],
    "not_in_maintenance": [
        seen(maintenance=NO), seen(maintenance={GFN2: PERSON}),
        seen(maintenance={GFN2: replace(PERSON, until=NOW + 1)}),
        registered(GFN2, maintenance=True, held_for="by hand"),
    ],
    "in_catalog": [not_registered(GFN2), both(DEAD_TOO, not_registered(GFN3))],
    "no_brick_in_maintenance": [
        both(DEAD_TOO, seen(maintenance={GFN3: PERSON})),
        both(DEAD_TOO, registered(GFN3, maintenance=True)),
        both(DEAD_TOO, seen(maintenance=NO)),
    ],
    "glusterd_up": [
        silent(GFN2), told(GFN2, at=NOW - 60.1), told(GFN2, at=NOW + 5.1),
        told(GFN2, glusterd_answers=False), told(GFN2, glusterd_answers=NO),
        told(GFN2, glusterd_started=None), told(GFN2, glusterd_started=NO),
        told(GFN2, glusterd_started=NOW - 60), told(GFN2, glusterd_started=NOW - 1),
    ],
    "settled": [
        told(GFN2, volumes_without_info=("rep3",)), told(GFN2, volumes_without_info=NO),
    ],
    "volume_started": [
        silent(GFN2), told(GFN2, volumes=NO), told(GFN2, volumes={}),
        told(GFN2, volumes={"rep3": replace(VOLUME, id="another")}),
        told(GFN2, volumes={"rep3": replace(VOLUME, status="Stopped")}),
        told(GFN2, volumes={"rep3": replace(VOLUME, status="Created")}),
        told(GFN2, volumes={"rep3": replace(VOLUME, bricks=VOLUME.bricks[::2])}),
    ],
    "clocks_agree": [
        seen(skews={}), seen(skews={GFN2: NO}), seen(skews={GFN2: 5.1}), seen(skews={GFN2: -5.1}),
    ],
    "single_version": [
        told(GFN3, version=110000), told(GFN2, version=110000), told(GFN3, version=NO),
        silent(GFN3), both(silent(GFN3), condition(Ref("node", GFN3), "suspect")),
        both(told(GFN3, at=NOW - 61), condition(Ref("node", GFN3), "returning")),
    ],
    "no_recent_manual_change": [
        history(GFN3, ago=10), history(GFN2, ago=1799), told(GFN3, changes=NO), silent(GFN3),
        both(history(GFN3, ago=10), looked(fleet.CLUSTER, NOW - 11)),
        both(history(GFN3, ago=10), looked(fleet.CLUSTER, NOW - 10.5)),
        both(history(GFN3, ago=10), looked(GFN3, NOW)),
        both(history(GFN3, ago=10), seen(acknowledged=NO)),
    ],
    "quiet_over": [
        condition(Ref("node", GFN3), "suspect", NOW),
        condition(Ref("node", GFN3), "suspect", NOW - 44),
    ],
    "suspects_disconnected": [
        both(registered(GFN3, serf=Signal.BAD)),
        both(registered(GFN3, serf=Signal.BAD), told(GFN2, connected={GFN1: True})),
        both(registered(GFN3, serf=Signal.BAD), told(GFN2, connected=NO)),
    ],
    "bricks_known": [
        silent(GFN3), told(GFN3, at=NOW - 61), told(GFN3, bricks={}), told(GFN2, bricks={}),
    ],
    "process_dead": [
        brick(GFN2, alive=NO), brick(GFN2, alive=True), brick(GFN2, alive=True, port=NO),
        brick(GFN3, alive=NO), brick(GFN3, port=None),
    ],
    "same_filesystem": [
        seen(recorded=NO), seen(recorded={}), brick(GFN2, filesystem=NO),
        brick(GFN2, filesystem="another"), brick(GFN2, filesystem=""),
        seen(recorded={(GFN2, "/elsewhere"): Recorded("fs", VOLUME.id)}),
        seen(recorded={(GFN1, PATH): Recorded("fs", VOLUME.id)}),
        both(DEAD_TOO, seen(recorded={(GFN2, PATH): Recorded("fs", VOLUME.id)})),
        both(DEAD_TOO, brick(GFN3, filesystem="another")),
    ],
    "nothing_in_flight": [
        seen(operations=NO), done(op(state=Life.INTENT)), done(op(state=Life.ISSUED)),
        done(op(state=Life.INTENT, node=GFN1)), done(op(state=Life.FROZEN)),
        done(op(state=Life.FAILED, changed=NOW - 199)),
    ],
    "budget_left": [
        seen(operations=NO), done(op("a"), op("b"), op("c")),
        done(op("a"), op("b", state=Life.LOST), op("c", state=Life.FROZEN)),
        done(op("a"), op("b", state=Life.FAILED), op("c", state=Life.VERIFYING)),
        done(*(op(i, applied_at=None, at=NOW - 86399) for i in "abc")),
        both(done(op("a"), op("b"), op("c")), looked(GFN2, NOW - 5001)),
        both(done(op("a"), op("b"), op("c")), looked(GFN1, NOW)),
        both(done(op("a"), op("b"), op("c")), seen(acknowledged=NO)),
    ],
    "cooldown_over": [
        done(op(applied_at=NOW - 599)), done(op(applied_at=None, changed=NOW - 599)),
        both(done(op(applied_at=NOW - 10)), looked(GFN2, NOW - 11)),
    ],
    "waited": [
        lambda c: replace(c, target=replace(TARGET, down_since=NOW - 59)),
        lambda c: done(op())(replace(c, target=replace(TARGET, down_since=NOW - 299))),
        lambda c: done(op("a"), op("b"))(replace(c, target=replace(TARGET, down_since=NOW - 899))),
        lambda c: done(*map(op, "abcd"))(replace(c, target=replace(TARGET, down_since=NOW - 899))),
    ],
    "not_refused_lately": [done(op(state=Life.REFUSED, changed=NOW - 59))],
    "same_twice": [
        lambda c: replace(c, decided_since=None), lambda c: replace(c, decided_since=NOW),
        lambda c: replace(c, decided_since=NOW - 29),
    ],
}  # fmt: skip

#: What a disk may not be: guard, the brick's field, the values that refuse.
DISK: list[tuple[str, str, tuple[Any, ...]]] = [
    ("mounted", "mounted", (False, NO)),
    ("writable", "read_only", (True, NO)),
    ("volume_id_right", "volume_id", ("another", None, "", NO)),
    ("gluster_root_there", "gluster_root", (False, NO)),
    ("no_io_errors", "io_errors", (1, 99, NO)),
    ("health_check_quiet", "health_check_ended", (True, NO)),
]
for _guard, _field, _values in DISK:
    # Of the brick that is meant, and of every other one that the command would start as well.
    NO_WAY[_guard] = [brick(GFN2, **{_field: value}) for value in _values]
    NO_WAY[_guard] += [both(DEAD_TOO, brick(GFN3, **{_field: value})) for value in _values]

#: guard -> what it must not stumble over: the bound itself, and what is another one's matter.
NO_MATTER: dict[str, list[Alter]] = {
    "fleet_open": [lambda c: replace(c, mode=FleetMode.HELD)],
    "lock_valid": [
        seen(lock=LockView(True, 5.0, 7)), seen(executor_node=GFN2, lock=LockView(True, 0.0, 7))
    ],
    # Without the node's report glusterd_up speaks, and without the operations budget_left does.
    "not_held": [told(GFN1, hold=NO), silent(GFN2)],
    "settled": [silent(GFN2)],
    "not_in_maintenance": [
        seen(maintenance={GFN1: PERSON}), registered(GFN1, maintenance=True),
        seen(maintenance={GFN2: replace(PERSON, until=NOW)}),
    ],
    "in_catalog": [not_registered(GFN3)],
    "no_brick_in_maintenance": [DEAD_TOO, seen(maintenance={GFN1: PERSON, GFN3: PERSON})],
    "glusterd_up": [
        told(GFN2, glusterd_started=NOW - 60.1), told(GFN2, at=NOW - 60), told(GFN2, at=NOW + 5),
    ],
    "clocks_agree": [seen(skews={GFN2: 5.0}), seen(skews={GFN2: -5.0, GFN1: 99.0})],
    "single_version": [
        both(silent(GFN3), condition(Ref("node", GFN3), "down")),
        both(silent(GFN3), condition(Ref("node", GFN3), "gone")),
    ],
    "no_recent_manual_change": [
        history(GFN3, ago=1800), history(GFN3, ago=10, ours=True),
        both(history(GFN3, ago=10), looked(fleet.CLUSTER, NOW - 10)),
        both(silent(GFN3), condition(Ref("node", GFN3), "down")),
    ],
    "quiet_over": [
        condition(Ref("node", GFN3), "suspect", NOW - 45),
        condition(Ref("node", GFN3), "down", NOW),
        condition(Ref("brick", GFN3, PATH), "suspect", NOW),
    ],
    "suspects_disconnected": [
        both(registered(GFN3, serf=Signal.BAD), told(GFN2, connected={GFN1: True, GFN3: False})),
        registered(GFN2, serf=Signal.BAD), registered(GFN3, serf=Signal.UNKNOWN),
        both(registered(GFN3, serf=Signal.BAD), silent(GFN2)),
    ],
    "bricks_known": [
        both(silent(GFN3), seen(ports={(GFN3, PATH): {GFN1: True}})), DEAD_TOO,
    ],
    # Of a node that is silent bricks_known speaks.
    "process_dead": [brick(GFN3, alive=False, port=None), silent(GFN3)],
    "mounted": [silent(GFN3)],
    "same_filesystem": [brick(GFN1, filesystem=NO), DEAD_TOO, silent(GFN3)],
    "nothing_in_flight": [
        done(op(state=Life.FAILED, changed=NOW - 200)), done(op(state=Life.VERIFYING)),
        done(op(changed=NOW)), done(op(state=Life.REFUSED, changed=NOW)),
        lambda c: done(op("op1", state=Life.ISSUED))(replace(c, operation="op1")),
    ],
    "budget_left": [
        done(op("a"), op("b")), done(op("a"), op("b"), op("c", state=Life.REFUSED)),
        done(op("a"), op("b"), op("c", node=GFN1)), done(op("a"), op("b"), op("c", rung=2)),
        done(op("a"), op("b"), op("c", at=NOW - 86401, applied_at=NOW - 86401)),
        both(done(op("a"), op("b"), op("c")), looked(GFN2, NOW - 4999)),
        lambda c: done(op("a"), op("b"), op("c"))(replace(c, operation="c")),
    ],
    "cooldown_over": [
        done(op(applied_at=NOW - 600)), done(op(applied_at=NOW - 10, node=GFN1)),
        both(done(op(applied_at=NOW - 10)), looked(GFN2, NOW - 9)), seen(operations=NO),
    ],
    "waited": [
        seen(operations=NO), lambda c: replace(c, target=replace(TARGET, down_since=NOW - 60)),
        lambda c: done(op())(replace(c, target=replace(TARGET, down_since=NOW - 300))),
        lambda c: done(*map(op, "abcd"))(replace(c, target=replace(TARGET, down_since=NOW - 900))),
    ],
    "not_refused_lately": [
        done(op(state=Life.REFUSED, changed=NOW - 60)),
        done(op(state=Life.REFUSED, changed=NOW, brick="gfn1:/elsewhere")),
        done(op(state=Life.FAILED, changed=NOW)), seen(operations=NO),
    ],
    "same_twice": [lambda c: replace(c, decided_since=NOW - 30)],
}  # fmt: skip


def rows(table: dict[str, list[Alter]]) -> list[Any]:
    return [
        pytest.param(name, alter, id=f"{name}-{number}")
        for name, alters in table.items()
        for number, alter in enumerate(alters)
    ]


def test_nothing_stands_against_the_brick_that_these_tests_are_about() -> None:
    assert guards.refusals(case(), guards.RESTART_BRICK) == ()


def test_there_is_a_row_for_every_guard() -> None:
    assert set(NO_WAY) == set(GUARDS)


@pytest.mark.parametrize(("name", "alter"), rows(NO_WAY))
def test_each_reason_is_enough_by_itself(name: str, alter: Alter) -> None:
    assert refuses(name, alter)


@pytest.mark.parametrize(("name", "alter"), rows(NO_MATTER))
def test_what_is_within_the_bound_or_of_another_is_no_reason(name: str, alter: Alter) -> None:
    assert not refuses(name, alter)


# --- asked together ------------------------------------------------------------------------------


def test_an_executor_leaves_out_what_is_about_deciding_and_asks_all_else() -> None:
    young = replace(case(), decided_since=None, target=replace(TARGET, down_since=NOW))
    asked = {r.name for r in guards.refusals(young, guards.RESTART_BRICK)}
    assert asked == {"waited", "same_twice"}
    executing = replace(young, obs=replace(young.obs, executor_node=GFN2, skews={}, hold=Hold("x")))
    assert {r.name for r in guards.refusals(executing, guards.RESTART_BRICK)} == {"not_held"}


def test_patience_is_told_in_seconds() -> None:
    """The engine looks again then, and not at every tick."""
    waits = {
        "waited": (lambda c: replace(c, target=replace(TARGET, down_since=NOW - 20)), 40),
        "same_twice": (lambda c: replace(c, decided_since=NOW - 20), 10),
        "cooldown_over": (done(op(applied_at=NOW - 100)), 500),
        "quiet_over": (condition(Ref("node", GFN3), "suspect", NOW - 40), 5),
        "glusterd_up": (told(GFN2, glusterd_started=NOW - 20), 40),
        "no_recent_manual_change": (history(GFN3, ago=600), 1200),
        "not_refused_lately": (done(op(state=Life.REFUSED, changed=NOW - 50)), 10),
        "nothing_in_flight": (done(op(state=Life.FAILED, changed=NOW - 50)), 150),
    }
    for name, (alter, wanted_s) in waits.items():
        refusal = GUARDS[name](alter(case()))  # type: ignore[no-untyped-call]
        assert refusal is not None and refusal.waits_s == wanted_s, name


# --- which bricks are meant ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alter", "hosts"),
    [
        (lambda c: c, {"gfn2"}),
        (DEAD_TOO, {"gfn2", "gfn3"}),
        (brick(GFN3, port=None), {"gfn2", "gfn3"}),
        (brick(GFN3, alive=NO), {"gfn2", "gfn3"}),
        (silent(GFN3), {"gfn2", "gfn3"}),
        (both(silent(GFN3), seen(ports={(GFN3, PATH): {GFN1: True}})), {"gfn2"}),
        # refused at one member only: nothing is known, so it may be down as well
        (both(silent(GFN3), seen(ports={(GFN3, PATH): {GFN1: False}})), {"gfn2", "gfn3"}),
    ],
)
def test_every_brick_that_is_not_known_to_serve_would_be_started_too(
    alter: Alter, hosts: set[str]
) -> None:
    assert {b.host for b, _ in alter(case()).down_bricks} == hosts
