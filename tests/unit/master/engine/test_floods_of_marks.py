"""Whose marks of a change count for nothing, and for how long."""

from __future__ import annotations

from salt_gluster.master.engine.change_marks import MOST, WITHIN_S, ChangeMarks


def test_a_flood_is_not_believed_and_the_others_are() -> None:
    seen, now = ChangeMarks(), 1000.0
    for look in range(MOST):
        ignored = seen.saw({"flooder": look, "g2": look // 6}, now + 5 * look)
    assert ignored == {"flooder"}
    assert seen.saw({"flooder": 99, "g2": 5}, now + 70) == {"flooder"}
    assert seen.saw({"flooder": 99, "g2": 5}, now + 60 + WITHIN_S) == frozenset()


def test_many_changes_of_one_run_are_believed() -> None:
    seen = ChangeMarks()
    for look in range(MOST - 1):
        assert seen.saw({"g1": look}, 5.0 * look) == frozenset()
    for look in range(200):  # and none since
        assert seen.saw({"g1": MOST - 2}, 60 + 5.0 * look) == frozenset()


def test_what_a_node_changes_now_and_then_is_believed_for_ever() -> None:
    seen = ChangeMarks()
    for hour in range(1000):
        assert seen.saw({"g1": hour}, 3600.0 * hour) == frozenset()


def test_of_a_node_that_is_gone_nothing_is_kept() -> None:
    seen = ChangeMarks()
    for number in range(1000):
        seen.saw({f"u{number}": 1}, 10.0 * number)
    assert len(seen._times) <= WITHIN_S / 10 + 1
