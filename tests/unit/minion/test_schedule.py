"""Between two runs the minion's own schedule says on what its brick directories are like."""

from __future__ import annotations

from typing import Any

import pytest

from salt_gluster.minion.brick_announcements import JOB, SaltMine
from salt_gluster.minion.context import Minion

MASTER, LOCAL = {"file_client": "remote"}, {"file_client": "local"}


def called(opts: dict[str, Any], wanted: bool) -> list[tuple[str, tuple[Any, ...], dict[str, Any]]]:
    calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def record(name: str) -> Any:
        return lambda *args, **kwargs: calls.append((name, args, kwargs))

    salt = {name: record(name) for name in ("schedule.add", "schedule.delete")}
    SaltMine(Minion({"id": "g1", **opts}, salt, {})).repeat(wanted)
    return calls


def test_a_job_of_the_minions_own_schedule_says_it_on_and_no_file_keeps_it() -> None:
    opts = {"__cli": "salt-minion", **MASTER}
    (name, args, kwargs), = called(opts, True)  # fmt: skip
    assert (name, args) == ("schedule.add", (JOB,))
    assert kwargs["function"] == "gluster_brick.announce"
    assert kwargs["persist"] is kwargs["return_job"] is False
    assert kwargs["seconds"] < 60  # less than a run waits for another node
    assert called(opts, False) == [("schedule.delete", (JOB,), {"persist": False})]


@pytest.mark.parametrize(
    "opts", [{"__cli": "salt-call", **MASTER}, {"__cli": "salt-minion", **LOCAL}, MASTER]
)
def test_where_no_schedule_answers_none_is_asked(opts: dict[str, Any]) -> None:
    assert called(opts, True) == called(opts, False) == []
