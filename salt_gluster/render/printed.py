"""A screen with the exit code that salt-run ends with. Pure.

salt-run has no code of its own for a runner that returns text: it takes ``retcode`` of a dictionary
(facts.md#S-7.2). ``output/gluster.py`` prints the text of this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: The name of our outputter.
OUTPUTTER = "gluster"


def printed(text: str, code: int) -> dict[str, Any]:
    """Return what a runner returns to print this and to end with this code."""
    return {"text": text, "outputter": OUTPUTTER, "retcode": code}


def with_code(data: Mapping[str, Any], code: int) -> dict[str, Any]:
    """Return data for ``--out json`` with the same code."""
    return {**data, "retcode": code}
