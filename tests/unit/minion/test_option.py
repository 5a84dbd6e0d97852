"""What the catalogue of options answers to a pattern that is none."""

from __future__ import annotations

from typing import Any

import pytest

from salt_gluster.errors import SpecError
from salt_gluster.minion.option import option_catalogue


@pytest.mark.parametrize("pattern", [None, 5, "[", "[a", "nosuchoption", ["x"]])
def test_a_pattern_that_names_no_option_answers_in_a_line(pattern: Any) -> None:
    with pytest.raises(SpecError, match="pattern"):
        option_catalogue(pattern)


def test_a_part_of_a_name_and_a_glob_find_theirs() -> None:
    assert "network.ping-timeout" in option_catalogue("ping") | option_catalogue("network.*")
