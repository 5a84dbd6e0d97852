"""What else a member may be called, and when names are resolved at all."""

from __future__ import annotations

import pytest

from salt_gluster import node
from salt_gluster.minion.spellings import declared, spellings
from salt_gluster.model import Peer, Unknown
from salt_gluster.spec import parse_pool

HOSTS = {"g1": ("10.0.0.1",), "g2": ("10.0.0.2",), "g2.example.com": ("10.0.0.2",)}
POOL = parse_pool({"nodes": ["g1", "g2"], "addresses": {"g2": "10.9.9.2"}})
PLAIN = parse_pool({"nodes": ["g1", "g2"]})


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []

    def resolve_all(several: list[str], limit_s: float) -> dict[str, object]:
        names.extend(several)
        return {n: HOSTS.get(n, Unknown("no such name")) for n in several}

    monkeypatch.setattr(node, "resolve_all", resolve_all)
    return names


def peers(*names: str) -> list[Peer]:
    return [Peer(f"u{i}", (name,), True, 3, is_self=not i) for i, name in enumerate(names)]


def test_the_pillar_gives_both_ways() -> None:
    assert declared(POOL) == {"g1": (), "g2": ("10.9.9.2",), "10.9.9.2": ("g2",)}
    assert declared(None) == {}


@pytest.mark.parametrize("called", ["g2", "10.9.9.2", "G2"])
def test_nothing_is_resolved_where_gluster_calls_all_by_a_declared_name(
    asked: list[str], called: str
) -> None:
    assert spellings(declared(POOL), ["g1"], peers("g1", called), {}) == declared(POOL)
    assert asked == []


def test_a_strange_name_is_resolved_once_in_a_run(asked: list[str]) -> None:
    kept: dict[str, object] = {}
    for _ in range(2):
        found = spellings(declared(PLAIN), ["g1"], peers("g1", "g2.example.com"), kept)
        assert set(found["g2"]) & set(found["g2.example.com"]) == {"10.0.0.2"}
    assert sorted(asked) == ["g1", "g2", "g2.example.com"]


def test_what_does_not_resolve_has_no_address(asked: list[str]) -> None:
    found = spellings(declared(PLAIN), ["g1"], peers("g1", "gone.example.com"), {})
    assert found["gone.example.com"] == ()
