"""The command line of an order, as Salt's own command line reads it again."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from salt.utils.args import parse_input

from salt_gluster.minion.order import ordered

TEXTS = st.text("abzAZ0189_-./:=@,'\" {}[]#\\äé", max_size=12) | st.sampled_from(
    [
        "20",
        "1e5",
        "0123",
        "12:30",
        "2026-11-30",
        "yes",
        "Null",
        "~",
        "on",
        "1_000",
        "-1",
        "=",
        "a=b",
    ]
)
SCALARS = TEXTS | st.integers(-(2**40), 2**40) | st.booleans()
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.dictionaries(TEXTS, SCALARS, max_size=3)
UUIDS = ["3d9a7c1e-6c5a-4c0b-9f5e-0d6c0a8a6c11", "00000000-0000-0000-0000-000000000000"]


def read_again(given_values: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments that Salt makes of the order's command line; the first has no name."""
    command = ordered("gluster_volume.x", given_values).command("g1")
    first = next(iter(given_values))
    read: dict[str, Any] = {}
    for arg in parse_input(shlex.split(command)[3:]):
        is_named = isinstance(arg, dict) and arg.pop("__kwarg__", False)
        read |= arg if is_named else {first: arg}
    return read


@given(st.dictionaries(st.sampled_from(["b", "c-d", "e.f"]), VALUES))
def test_salt_reads_the_values_that_were_given(more: dict[str, Any]) -> None:
    kept = {k: v for k, v in more.items() if not (v is False or v == "")}
    assert read_again({"name": "data", **more}) == {"name": "data", **kept}


@pytest.mark.parametrize("value", [*UUIDS, "g1", "g1:/srv/b", "/srv/b/1", "network.ping-timeout"])
def test_what_needs_no_quotes_has_none(value: str) -> None:
    assert ordered("x.y", {"a": "data", "b": value}).command("g1") == f"salt g1 x.y data b={value}"
    assert read_again({"name": "data", "b": value}) == {"name": "data", "b": value}
