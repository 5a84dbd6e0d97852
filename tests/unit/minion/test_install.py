"""Which version is installed and held, whatever form it is written in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from salt_gluster.errors import GlusterError, SpecError
from salt_gluster.minion.install import installed
from salt_gluster.spec import values

PACKAGE = "glusterfs-server"


class Apt:
    """A minion whose repository has one version."""

    test = False

    def __init__(self, there: str = "", offers: str = "10.3-5") -> None:
        self.there, self.offers = there, offers
        self.asked: list[dict[str, Any]] = []
        self.held: list[str] = []

    def can(self, function: str) -> bool:
        return function == "pkg.get_selections"

    def call(self, function: str, *words: Any, **named: Any) -> Any:
        if function == "pkg.install":
            self.asked.append(named)
            self.there = self.offers
        if function == "pkg.hold":
            self.held.append(words[0])
        answers: dict[str, Callable[[], Any]] = {
            "grains.get": lambda: "Debian",
            "pkg.version": lambda: self.there,
            "pkg.get_selections": lambda: {"hold": self.held},
        }
        return answers.get(function, lambda: None)()


def apply(minion: Any, version: Any = None, hold: Any = True) -> dict[str, Any]:
    return installed("gluster", minion, version, hold)


@pytest.mark.parametrize("version", [10.3, "10.3", "10.3-5", " 10.3 "])
def test_a_version_with_and_without_revision_or_quotes_is_the_one_that_is_there(
    version: Any,
) -> None:
    apt = Apt("10.3-5")
    apt.held = [PACKAGE]
    ret = apply(apt, version)
    assert (ret["result"], ret["changes"], apt.asked) == (True, {}, [])
    assert ret["comment"] == f"{PACKAGE} 10.3-5 is installed and held"


def test_another_version_is_another_one() -> None:
    for there in ("10.30-1", "1:10.2-5"):
        apt = Apt(there)
        assert apply(apt, 10.3)["changes"][PACKAGE] == {"old": there, "new": "10.3-5"}
        assert apt.asked[0]["version"] == "10.3-*"
    assert "changes" in apply(Apt("1:10.3-5"), "10.3")


def test_the_changes_name_the_version_that_came() -> None:
    assert apply(Apt())["changes"][PACKAGE] == {"old": "", "new": "10.3-5"}
    with pytest.raises(GlusterError, match=r"10\.3-5 is there"):
        apply(Apt(), "11.1")


def test_what_is_not_held_is_not_called_held() -> None:
    apt = Apt("10.3-5")
    ret = apply(apt, hold=False)
    assert ret["comment"].endswith("is installed and not held") and apt.held == []


@pytest.mark.parametrize("wrong", [{"version": True}, {"version": ["10.3"]}, {"hold": "no"}])
def test_what_is_no_version_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(SpecError):
        apply(Apt(), **wrong)


def test_seconds_in_quotes_are_seconds() -> None:
    assert [values.seconds(v, "wait_s") for v in ("60", 60, 0.5, "1.5")] == [60, 60, 0.5, 1.5]
    for wrong in (True, "a minute", None, -1, float("nan"), [60]):
        with pytest.raises(SpecError, match="wait_s"):
            values.seconds(wrong, "wait_s")
