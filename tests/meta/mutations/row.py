"""One row of the table, and how a file of rows is written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

#: Both files about the executor of one node.
EXECUTING = (
    "unit/minion/automation/test_remediate.py",
    "unit/minion/automation/test_carry_out.py",
)


@dataclass(frozen=True)
class Mutation:
    """One line of ours that is broken on purpose."""

    name: str
    file: str
    text: str
    instead: str
    lost: str
    tests: tuple[str, ...]


#: name, text, instead, what is lost
Row = tuple[str, str, str, str]


def of(file: str, tests: str | tuple[str, ...], rows: Iterable[Row]) -> list[Mutation]:
    """Return the rows of a file of ``salt_gluster``; ``tests`` (below ``tests``) notice them."""
    paths = tuple(f"tests/{path}" for path in ((tests,) if isinstance(tests, str) else tests))
    return [Mutation(n, f"salt_gluster/{file}", t, i, lost, paths) for n, t, i, lost in rows]
