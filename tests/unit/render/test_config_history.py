"""The history of the configuration, and what differs between two versions, as people read it."""

from __future__ import annotations

from typing import Any

from salt_gluster.model import Subject
from salt_gluster.render import render_diff, render_history
from salt_gluster.status.config_versions import Difference

ROWS = [
    Difference(Subject("volume", "data"), "option", "on", "off", "performance.io-cache").to_data(),
    Difference(Subject("volume", "data"), "brick", None, "g4:/srv/gluster/data").to_data(),
    Difference(Subject("node", "g9"), "", "0f5e1c50-aaaa-4bbb-8ccc-123456789abc", None).to_data(),
]


def version(number: int, **more: Any) -> dict[str, Any]:
    return {
        "version": number, "at": 1000.0, "by": "unknown", "differences": ROWS, "overwritten_by": [],
        "why": "gluster volume set data performance.io-cache off on g1", **more,
    }  # fmt: skip


def history(*rows: dict[str, Any], total: int = 0, accepted: int | None = None) -> str:
    data = {"pool": "prod", "total": total or len(rows), "current": 1, "accepted": accepted,
            "versions": list(rows)}  # fmt: skip
    return fits(render_history(data))


def fits(text: str) -> str:
    assert max(len(line) for line in text.splitlines()) <= 80
    return " ".join(text.split())


def test_the_history_tells_who_when_why_and_what() -> None:
    text = history(version(7), version(6, by="g1", differences=[]), accepted=6)
    assert "prod 2 versions, newest first" in text
    assert "7 00:16:40 UTC unknown gluster volume set data performance.io-cache off on g1" in text
    assert "~ volume data: option performance.io-cache: on -> off" in text
    assert "+ volume data: brick = g4:/srv/gluster/data" in text
    assert "- node g9 is gone (was 0f5e1c50-aaaa-4bbb-8ccc-123456789abc)" in text
    assert "6 00:16:40 UTC g1 spec and policy in force" in text


def test_an_overwrite_stands_out_and_many_differences_are_counted() -> None:
    text = history(version(8, overwritten_by=["g4"], differences=ROWS * 3), total=30)
    assert "prod 30 versions, the newest 1" in text
    assert "OVERWRITTEN" in text
    assert "and 4 more" in text


def test_a_version_that_cannot_be_read_is_said() -> None:
    assert "3 it cannot be read" in history({"version": 3, "unknown": "it cannot be read"})


def test_no_version_is_no_error() -> None:
    assert history() == "prod 0 versions"


def test_the_difference_names_both_sides_and_all_of_it() -> None:
    data = {"pool": "prod", "from": version(4, by="g1", why="submitted"), "to": version(5),
            "differences": ROWS * 3}  # fmt: skip
    text = fits(render_diff(data))
    assert "prod 9 differences from 4 00:16:40 UTC, g1: submitted to 5" in text
    assert text.count("io-cache: on -> off") == 3
    assert fits(render_diff({**data, "differences": []})).startswith("prod 0 differences")
