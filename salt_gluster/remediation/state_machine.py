"""State machines as tables: rows, what is ignored and why, and the one interpreter.

A table is data: every pair of state and event is handled by a row, or listed as ignored with why.
A pair that is neither raises. The *why* of a row is the sentence that is logged and shown. No rule
of any machine lives here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, TypeVar

from salt_gluster.errors import GlusterError

S = TypeVar("S", bound=Enum)
E = TypeVar("E", bound=Enum)
C = TypeVar("C")


class MissingRow(GlusterError):
    """A pair of state and event that its table does not know: a bug, never a state of the pool."""

    default_kind = "missing_row"


@dataclass(frozen=True)
class Row(Generic[S, E]):
    """In one of ``states``, at ``event``, if ``guard`` holds: ``action`` and on to ``next``.

    ``guard`` names a claim of the table, "" = always. ``next`` None = the same state.
    """

    id: str
    states: tuple[S, ...]
    event: E
    guard: str
    action: str
    next: S | None
    why: str


@dataclass(frozen=True)
class Ignored(Generic[S, E]):
    """Pairs at which nothing happens (where no row's guard holds), and why that is right."""

    states: tuple[S, ...]
    events: tuple[E, ...]
    why: str


@dataclass(frozen=True)
class Turn(Generic[S]):
    """What one event did. ``row`` is "-" where the pair is ignored; then nothing is done."""

    row: str
    before: S
    state: S
    action: str
    why: str


@dataclass(frozen=True)
class Table(Generic[S, E, C]):
    """One machine. ``claims`` are its guards by name; each looks at the context of a turn."""

    name: str
    states: type[S]
    events: type[E]
    rows: tuple[Row[S, E], ...]
    ignored: tuple[Ignored[S, E], ...] = ()
    claims: Mapping[str, Callable[[C], bool]] = field(default_factory=dict)

    def turn(self, state: S, event: E, context: C) -> Turn[S]:
        """Return what ``event`` does: the first row whose guard holds, else the reason for none."""
        for row in self.rows:
            fits = state in row.states and event is row.event
            if fits and (not row.guard or self.claims[row.guard](context)):
                return Turn(row.id, state, row.next or state, row.action, row.why)
        for pair in self.ignored:
            if state in pair.states and event in pair.events:
                return Turn("-", state, state, "", pair.why)
        raise MissingRow(f"{self.name}: no row for {state.value} at {event.value}")

    def holes(self) -> tuple[str, ...]:
        """Return the pairs that could raise: no row without a guard, and not ignored."""
        sure = {(s, r.event) for r in self.rows if not r.guard for s in r.states}
        sure |= {(s, e) for i in self.ignored for s in i.states for e in i.events}
        pairs = ((s, e) for s in self.states for e in self.events)
        return tuple(f"{s.value} at {e.value}" for s, e in pairs if (s, e) not in sure)

    def doubles(self) -> tuple[str, ...]:
        """Return what can never apply: rows behind a row without guard, ignored beside one."""
        useless: list[str] = []
        closed: set[tuple[S, E]] = set()
        for row in self.rows:
            useless += [f"{row.id} at {s.value}" for s in row.states if (s, row.event) in closed]
            closed |= {(s, row.event) for s in row.states if not row.guard}
        for pair in self.ignored:
            for s, e in ((s, e) for s in pair.states for e in pair.events):
                if (s, e) in closed:
                    useless.append(f"ignored {s.value} at {e.value}")
                closed.add((s, e))
        return tuple(useless)
