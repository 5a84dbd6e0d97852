"""Where the host of a brick ends, and what is told of a pool whose hosts are IPv6 addresses."""

from __future__ import annotations

import pytest

from salt_gluster.errors import SpecError
from salt_gluster.model import (
    Brick,
    BrickStatus,
    Node,
    Observation,
    Peer,
    Volume,
    VolumeStatus,
    brick_at,
)
from salt_gluster.spec import parse_pool
from salt_gluster.status.impact import impact

HOSTS = ("2001:db8::1", "2001:db8::2", "2001:db8::3")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("g1:/srv/b", ("g1", "/srv/b")),
        ("2001:db8::1:/srv/b", ("2001:db8::1", "/srv/b")),
        ("::1:/b:c", ("::1", "/b:c")),
        ("g1", ("g1", "")),
        ("g1:rel", ("g1", "rel")),
    ],
)
def test_a_host_ends_before_the_path(name: str, parts: tuple[str, str]) -> None:
    assert brick_at(name) == parts


def test_the_truth_is_told_of_a_pool_on_ipv6() -> None:
    peers = tuple(Peer(f"u{i}", (h,), True, 3, is_self=not i) for i, h in enumerate(HOSTS))
    bricks = tuple(Brick(h, "/b", f"u{i}") for i, h in enumerate(HOSTS))
    volume = Volume("data", "id", "Started", "replicate", bricks, 1, 3)
    obs = Observation(1.0, Node("g1", uuid="u0"), peers, {"data": volume})
    rows = tuple(BrickStatus(b.host, b.path, b.host_uuid, True, 49152, 9) for b in bricks)
    obs = Observation(
        1.0, Node("g1", uuid="u0"), peers, {"data": volume}, {"data": VolumeStatus("data", rows)}
    )
    (said,) = impact(obs, bricks=[f"{HOSTS[1]}:/b"])
    assert said.word == "degraded" and said.sets[0].lost == (f"{HOSTS[1]}:/b",)


@pytest.mark.parametrize(
    "body",
    [
        {"nodes": "g[1-3]", "addresses": {"g1": "2001:db8::1"}},
        {"nodes": "g[1-3]", "volumes": {"d": {"bricks": ["[2001:db8::1]:/b"]}}},
        {"nodes": "g[1-3]", "volumes": {"d": {"bricks": ["2001:db8::1:/b"]}}},
    ],
)
def test_a_declaration_on_ipv6_is_refused_in_one_sentence(body: dict[str, object]) -> None:
    with pytest.raises(SpecError, match="a pool on IPv6 is not built yet"):
        parse_pool(body)
