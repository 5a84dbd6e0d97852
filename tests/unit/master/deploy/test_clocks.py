"""Clocks are compared before an authority is made; one that does not count is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from salt_gluster.errors import GlusterError
from salt_gluster.master.deploy import clocks
from salt_gluster.master.deploy.ca import CA_DAYS
from salt_gluster.master.deploy.secret_store import SecretStore

NOW, DAY = 1_700_000_000.0, 86400.0
NODES = ("g1", "g2", "g3")


def ahead(**nodes: Any) -> dict[str, float]:
    """Return how far the master is ahead of nodes that tell this time; a question takes 2 s."""
    times = iter([NOW, NOW + 2])

    def ask(minions: Any, function: str, *words: str) -> dict[str, Any]:
        assert (minions, function, words) == (sorted(NODES), "status.time", ("%s",))
        return nodes

    return clocks.compared(NODES, ask, lambda: next(times))


def test_within_the_round_trip_clocks_do_not_differ() -> None:
    assert ahead(g1=f"{NOW:.0f}", g2=f"{NOW + 2:.0f}", g3=f"{NOW - 1:.0f}\n") == dict.fromkeys(
        NODES, 0.0
    )


def test_who_answers_no_time_is_not_compared() -> None:
    assert ahead(g1="'status.time' is not available.", g2=False, g9=f"{NOW:.0f}") == {}
    assert clocks.check_before_making({}) == ""


def test_no_authority_is_made_by_a_clock_that_is_ahead_of_most() -> None:
    day_back = f"{NOW - 2 * DAY:.0f}"
    with pytest.raises(GlusterError, match=r"48\.0 h ahead of g1, g2.*nothing was made") as refused:
        clocks.check_before_making(ahead(g1=day_back, g2=day_back, g3=f"{NOW:.0f}"))
    assert refused.value.kind == "clock"


def test_a_node_that_is_back_alone_is_only_named() -> None:
    words = clocks.check_before_making(ahead(g1=f"{NOW - 2 * DAY:.0f}", g2=f"{NOW:.0f}",
                                             g3=f"{NOW + 60:.0f}"))  # fmt: skip
    assert "g1 by -172799 s" in words and "g3 by +58 s" in words and "g2" not in words


@pytest.mark.parametrize(
    ("at", "words"),
    [(NOW, ""), (NOW - 2 * DAY, "counts only from"), (NOW + (CA_DAYS + 1) * DAY, "has ended")],
)
def test_an_authority_that_does_not_count_now_is_named_with_what_to_do(
    tmp_path: Path, at: float, words: str
) -> None:
    kept = SecretStore(tmp_path / "main", lambda: NOW)
    assert clocks.not_valid_now(kept, at) == ""
    kept.make()
    told = clocks.not_valid_now(kept, at)
    assert words in told and bool(told) == bool(words)
    assert ("docs/consul.md" in told) == bool(words)
