"""What an executor judges, does, reads back and tells once it has begun."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import fleet
import pytest
from executing import Place, Pool, names, refused
from fleet import GFN1, GFN3, NOW, SEAT, VOLUME

from salt_gluster.errors import CommandFailed, ConsulError, OutcomeUnknown
from salt_gluster.model import Unknown
from salt_gluster.remediation.operations import Life

# --- it judges again, right before ---------------------------------------------------------------

BETWEEN: dict[str, tuple[Callable[[Pool], object], str]] = {
    "a hold": (lambda p: p.hold(), "not_held"),
    "a new leader": (lambda p: p.epoch(), "epoch_current"),
    "the lock is free": (
        lambda p: p.consul.end_session(next(iter(p.consul.sessions))), "lock_valid",
    ),
    "the engine gave it up": (lambda p: p.intend(state=Life.LOST), "is_open"),
    "it is another node's now": (lambda p: p.intend(executor="gfn3"), "named_here"),
    "its time is over": (lambda p: p.place.sleep(120), "in_time"),
    "another operation began": (
        lambda p: p.store.write(
            p.store.keys.operation("op0"), fleet.operation(id="op0", node=GFN1).to_data()
        ),
        "nothing_in_flight",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BETWEEN)
def test_what_changes_after_it_has_begun_still_stops_it(pool: Pool, name: str) -> None:
    change, reason = BETWEEN[name]
    pool.intend()
    refused(pool, pool.execute("begun", lambda: change(pool)), reason)


def test_an_operation_that_is_deleted_after_it_has_begun_is_not_carried_out(pool: Pool) -> None:
    pool.intend()
    told = pool.execute("begun", lambda: pool.client.kv_delete(pool.store.keys.operation("op1")))
    assert (told["did"], pool.place.sent, pool.outcome()) == ("ignore", [], "issued")


LAST_LOOK: dict[str, Any] = {
    "stopped": {"rep3": replace(VOLUME, status="Stopped")},
    "another of that name": {"rep3": replace(VOLUME, id="1" * 8)},
    "gone": {},
}


@pytest.mark.parametrize("name", LAST_LOOK)
def test_the_last_look_is_at_the_volume_itself(pool: Pool, name: str) -> None:
    """Right before the command: ``start force`` would start what was stopped."""
    pool.intend()
    change = lambda: setattr(pool.place, "volumes", LAST_LOOK[name])  # noqa: E731
    refused(pool, pool.execute("judged_again", change), "volume_started")


def test_a_glusterd_that_does_not_answer_any_more_refuses(pool: Pool) -> None:
    pool.intend()
    change = lambda: setattr(pool.place, "volumes", Unknown("it died"))  # noqa: E731
    told = pool.execute("judged_again", change)
    assert (told["did"], pool.place.sent, pool.outcome()) == ("refuse", [], "refused")


def test_a_brick_that_came_back_in_the_last_moment_is_not_started(pool: Pool) -> None:
    pool.intend()
    told = pool.execute("judged_again", pool.place.come_up)
    assert (told["outcome"], pool.place.sent) == ("applied", [])


def test_without_a_copy_of_glusterds_files_nothing_is_sent(pool: Pool) -> None:
    pool.place.copy_fails = True
    pool.intend()
    refused(pool, pool.execute(), "nothing_sent")


# --- it reads back -------------------------------------------------------------------------------


def port_is_not_open(place: Place) -> None:
    place.listens.clear()


def own_row(**changed: Any) -> Callable[[Place], None]:
    """Let the row of this node's brick be another, once it was started."""
    rows = (replace(r, **changed) if r.host_uuid == SEAT else r for r in fleet.GOOD_ROWS.bricks)
    good = replace(fleet.GOOD_ROWS, bricks=tuple(rows))
    return lambda place: setattr(place, "good", good)


def others_tell(what: Any) -> Callable[[Place], None]:
    """Let the other members tell this from the moment on that the command was sent."""
    told = {GFN1: what, GFN3: what}
    return lambda place: setattr(place, "then", lambda: setattr(place, "told", told))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (port_is_not_open, "connects"),
        (own_row(pid=None), "row_up"),
        (own_row(port=None), "row_up"),
        (own_row(online=False), "row_up"),
        (own_row(path="/elsewhere"), "row_up"),
        (others_tell(Unknown("cut off")), "told_elsewhere"),
        (others_tell({"rep3": "another"}), "told_elsewhere"),
        (others_tell({}), "told_elsewhere"),
        (lambda place: setattr(place, "helps_after_s", None), "row_up"),
        (lambda place: setattr(place, "helps_after_s", 40.0), "row_up"),
    ],
)
def test_a_brick_that_nobody_can_use_is_not_called_applied(
    pool: Pool, fault: Callable[[Place], object], reason: str
) -> None:
    fault(pool.place)
    pool.intend()
    told = pool.execute()
    assert (told["did"], names(told), pool.outcome()) == ("perform", {reason}, "failed")
    assert len(pool.place.sent) == 1


def test_a_brick_may_take_a_while_for_its_port(pool: Pool) -> None:
    pool.place.helps_after_s = 16.0
    pool.intend()
    assert pool.execute()["outcome"] == "applied"
    assert NOW + 16 <= pool.place.clock < NOW + 18


def test_a_command_that_was_cut_off_is_neither_applied_nor_failed(pool: Pool) -> None:
    """It may still happen: *issued* stays, and the engine judges it when it is due."""
    pool.place.answer, pool.place.helps_after_s = OutcomeUnknown("cut", kind="timeout"), None
    pool.intend()
    told = pool.execute()
    assert (told["did"], told["outcome"]) == ("perform", None)
    assert names(told) == {"outcome_known", "row_up"}
    assert (len(pool.place.sent), pool.outcome()) == (1, "issued")


@pytest.mark.parametrize(
    "answer", [OutcomeUnknown("cut", kind="timeout"), CommandFailed("-1", kind="other")]
)
def test_what_is_so_counts_and_not_what_gluster_answered(pool: Pool, answer: Exception) -> None:
    pool.place.answer = answer
    pool.intend()
    assert (pool.execute()["outcome"], pool.outcome()) == ("applied", "applied")


def test_a_command_that_failed_and_did_not_help_says_both(pool: Pool) -> None:
    pool.place.answer, pool.place.helps_after_s = CommandFailed("no", kind="other"), None
    pool.intend()
    told = pool.execute()
    assert (names(told), pool.outcome()) == ({"command", "row_up"}, "failed")


# --- it tells ------------------------------------------------------------------------------------


def test_a_refusal_does_not_write_over_what_another_process_has_begun(pool: Pool) -> None:
    """Ours saw a hold that is gone; the other began meanwhile: its word stands."""
    pool.intend()
    pool.hold()
    wanted = f"kv/{pool.store.keys.outcome(SEAT, 'op1')}"

    def late() -> None:
        def before(method: str, path: str) -> None:
            if path == "txn" and method == "PUT" and seen[-1:] == [wanted]:
                pool.consul.before = lambda method, path: None
                pool.say(Life.ISSUED)
            seen.append(path)

        pool.consul.before = before

    seen: list[str] = []
    pool.execute("judged", late)
    assert pool.outcome() == "issued"


def test_an_outcome_that_cannot_be_told_is_found_by_looking_back(pool: Pool) -> None:
    pool.intend()

    def silent() -> None:
        def before(method: str, path: str) -> None:
            raise ConsulError("no agent", kind="unreachable")

        pool.consul.before = before

    assert pool.execute("read_back", silent)["outcome"] == "applied"
    pool.consul.before = lambda method, path: None
    assert pool.outcome() == "issued"
    assert (pool.execute()["did"], pool.outcome()) == ("look_back", "applied")
    assert len(pool.place.sent) == 1
