"""What is a number of a document, whoever wrote it."""

from __future__ import annotations

from typing import Any

import pytest

from salt_gluster.errors import Unreadable
from salt_gluster.model import read_as


@pytest.mark.parametrize("kind", [int, float])
@pytest.mark.parametrize("value", [2**63, -(2**63), 1e300, float("inf"), True, "1", None, [1]])
def test_what_nothing_can_be_reckoned_with_is_no_number(kind: Any, value: Any) -> None:
    with pytest.raises(Unreadable):
        read_as(kind, value, "it")


def test_a_number_stays_what_it_is() -> None:
    assert [read_as(int, n, "it") for n in (0, -5, 2**62)] == [0, -5, 2**62]
    assert [read_as(float, n, "it") for n in (1.5, 7)] == [1.5, 7.0]
