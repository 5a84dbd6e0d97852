"""The line for a monitor: state, words, performance data; and no zero for what is not known."""

from __future__ import annotations

import re
from typing import Any

import pytest

from salt_gluster.render import check_line, check_unknown, printed

#: ``label=value[unit];[warn];[crit];[min];[max]`` of the Monitoring Plugins' guidelines.
ONE = re.compile(r"[^=' ]+=(U|-?[0-9]+%?(;[0-9]*){0,4})")
LINE = re.compile(r"GLUSTER (OK|WARNING|CRITICAL|UNKNOWN) - [^|\n]+ \| ([^|\n]+)")


def volume(word: str = "ok", **more: Any) -> dict[str, Any]:
    bricks = {"total": 3, "up": 3, "down": [], "away": [], "unseen": []}
    return {"word": word, "status": "Started", "bricks": bricks, "to_heal": 0, "split_brain": 0,
            "free": {"percent": 45}, **more}  # fmt: skip


def data(code: int = 0, **volumes: Any) -> dict[str, Any]:
    members = {n: {"state": "up"} for n in ("g1", "g2", "g3")}
    nodes = {"total": 3, "up": 3, "members": members}
    return {"exit": code, "nodes": nodes, "volumes": volumes, "not_made": {},
            "versions": {"equal": True}}  # fmt: skip


def performance(line: str) -> dict[str, str]:
    found = LINE.fullmatch(line)
    assert found, line
    assert all(ONE.fullmatch(word) for word in found[2].split()), line
    return dict(word.split("=", 1) for word in found[2].split())


def test_a_whole_pool_is_one_line_with_every_sum() -> None:
    line = check_line(data(data=volume(), web=volume(to_heal=None, split_brain=None)))
    assert line.startswith("GLUSTER OK - 2 of 2 volumes whole | ")
    assert performance(line) == {
        "nodes_away": "0;0;;0;3", "bricks_down": "0;0;;0;6", "heal_pending": "0;;;0",
        "split_brain": "0;0;;0", "data_free": "45%;;;0;100", "web_free": "45%;;;0;100",
    }  # fmt: skip


@pytest.mark.parametrize("code", range(4))
def test_the_state_is_the_exit_code(code: int) -> None:
    words = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
    assert check_line(data(code)).startswith(f"GLUSTER {words[code]} - ")


def test_what_is_not_well_is_named_and_counted() -> None:
    lost = {"total": 3, "up": 1, "down": ["g1:/b"], "away": ["g3:/b"], "unseen": []}
    rows = {"data": volume("data_at_risk", bricks=lost, to_heal=7, split_brain=2),
            "old": volume("down", status="Stopped", bricks={**lost, "down": []})}  # fmt: skip
    bad = data(2, **rows)
    bad["nodes"]["members"]["g3"] = {"state": "away"}
    bad["nodes"]["up"], bad["not_made"] = 2, {"web": []}
    line = check_line(bad)
    for words in ("0 of 2 volumes whole", "data data at risk", "old not started", "not up: g3",
                  "web declared and not made", "split-brain in data"):  # fmt: skip
        assert words in line
    told = performance(line)
    assert (told["bricks_down"], told["heal_pending"]) == ("2;0;;0;3", "7;;;0")
    assert (told["nodes_away"], told["split_brain"]) == ("1;0;;0;3", "2;0;;0")


def test_what_is_not_known_is_no_zero() -> None:
    row = volume("unknown", bricks={"total": 3, "unknown": "x"}, to_heal={"unknown": "y"},
                 split_brain={"unknown": "y"}, free={"unknown": "z"})  # fmt: skip
    told = performance(check_line(data(3, data=row, web=volume())))
    assert [told[k] for k in ("bricks_down", "heal_pending", "split_brain")] == ["U"] * 3
    assert "data_free" not in told
    none = data(3)
    none["volumes"] = none["nodes"] = {"unknown": "glusterd | is\ndown"}
    line = check_line(none)
    assert "volumes not known: glusterd / is down" in line
    assert set(performance(line).values()) == {"U"}


def test_of_many_volumes_the_line_has_the_sums() -> None:
    told = performance(check_line(data(**{f"v{n}": volume(to_heal=1) for n in range(51)})))
    assert len(told) == 4 and told["heal_pending"] == "51;;;0"


def test_where_nobody_answers_it_is_unknown_in_one_line() -> None:
    line = check_unknown("no minion\nof a pool | answered.")
    assert line == "GLUSTER UNKNOWN - no minion of a pool / answered."


def test_salt_run_takes_the_code_from_the_form_it_looks_for() -> None:
    """That it does is shown by ``tests/functional/test_exit_code.py``."""
    assert printed("a", 2) == {"text": "a", "outputter": "gluster", "retcode": 2}
