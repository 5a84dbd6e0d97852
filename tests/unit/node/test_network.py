"""Own names that lead elsewhere, and many names at once."""

from __future__ import annotations

from typing import Any

import pytest

from salt_gluster import node
from salt_gluster.model import Unknown
from salt_gluster.node import network


@pytest.mark.parametrize(
    ("addresses", "strange"),
    [
        (("127.0.0.1",), ""),
        (("127.0.1.1",), ""),
        (("203.0.113.7",), "203.0.113.7"),
        (("203.0.113.7", "127.0.0.1"), ""),
        (("2001:db8::7",), "2001:db8::7"),
        (Unknown("no such name"), ""),
    ],
)
def test_an_own_name_that_leads_elsewhere_is_found(
    monkeypatch: pytest.MonkeyPatch, addresses: Any, strange: str
) -> None:
    monkeypatch.setattr(network, "resolve", lambda name, limit_s: addresses)
    assert node.strange_address("g1") == strange


def test_many_names_resolve_within_one_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[float] = []

    def resolve(name: str, limit_s: float) -> tuple[str, ...]:
        limits.append(limit_s)
        return (f"10.0.0.{len(name)}",)

    monkeypatch.setattr(network, "resolve", resolve)
    assert node.resolve_all(["a", "bb"], 2) == {"a": ("10.0.0.1",), "bb": ("10.0.0.2",)}
    assert node.resolve_all([]) == {} and all(0 < limit <= 2 for limit in limits)
