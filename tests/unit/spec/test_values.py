"""Values that came from YAML or a command line."""

from __future__ import annotations

from typing import Any

import pytest

from salt_gluster.errors import SpecError
from salt_gluster.spec import values


@pytest.mark.parametrize(
    ("given", "words"),
    [("g1, g2,", ["g1", "g2"]), (["g1"], ["g1"]), ("", []), (None, []), ([], [])],
)
def test_words_come_with_commas_or_as_a_list(given: Any, words: list[str]) -> None:
    assert values.words(given, "nodes") == words


@pytest.mark.parametrize("given", [3, True, {"a": 1}, ["g1", None], [["g1"]], float("nan")])
def test_words_that_are_none_are_refused_with_their_key(given: Any) -> None:
    with pytest.raises(SpecError, match="nodes"):
        values.words(given, "nodes")
