"""What a decision is made of: hazard, refusal, wait, step, plan. Nouns only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any

from salt_gluster.model.formatting import digest_of, text_id


class Hazard(str, Enum):
    """What a step can do to the pool's users. All but ``none`` stop a plan until accepted."""

    NONE = "none"
    LONG = "long"
    IO_PAUSE = "io_pause"
    CLIENT_CUT = "client_cut"
    DATA_AT_RISK = "data_at_risk"


@dataclass(frozen=True, order=True)
class Subject:
    """What a plan, a state's return or a difference is about.

    ``kind`` is ``volume``, ``bricks`` (this node's, of a volume), ``brick`` (a path), ``peer``,
    ``disk``, ``mount``, ``node``, ``declaration`` or ``policy``.
    """

    kind: str
    name: str = ""

    def __str__(self) -> str:
        words = "bricks of" if self.kind == "bricks" else self.kind
        return f"{words} {self.name}".strip()


@dataclass(frozen=True, order=True)
class Facet:
    """A part of an observation that is looked at only when it is asked for.

    ``kind`` and what ``name`` is of it: ``status``, ``heal``, ``dead`` (a volume), ``path``
    (a brick's directory), ``candidate`` (a host), ``definitions`` (a volume; "" asks everybody),
    ``holder`` (a host whose word on them counts, too), ``reach``, ``prepared`` ("").
    """

    kind: str
    name: str = ""


@dataclass(frozen=True)
class Refusal:
    """One reason why nothing is changed: data, not an error. All of them are collected.

    ``name`` is the guard or kind of drift; ``ways`` are the commands or actions to
    choose from. ``waits_s`` is how long it is worth waiting for time alone to mend it; 0 = not.
    ``everywhere`` means that it counts on every node, also on one that would not act: what nobody
    will ever do is not waited for. ``final`` means that no operator can accept it: gluster would
    refuse the change in its turn, or it would cost data.
    """

    name: str
    why: str
    ways: tuple[str, ...] = ()
    waits_s: float = 0
    everywhere: bool = False
    final: bool = False


@dataclass(frozen=True)
class Wait:
    """Something another node, or time, has to do first.

    ``why`` is why it is not done, where that is known; ``shown_by`` is what to look at to know it,
    once, before a run gives up. ``ways`` are what an operator can do, as a refusal has them.
    """

    what: str
    node: str = ""
    why: str = ""
    ways: tuple[str, ...] = ()
    shown_by: Facet | None = None


@dataclass(frozen=True)
class Step:
    """An action of ``actions.ACTIONS`` with its arguments.

    ``place`` is ``pool`` (any one member) or ``node`` (the node that observed).
    """

    action: str
    subject: str
    args: Mapping[str, Any]
    text: str
    place: str = "pool"
    hazard: Hazard = Hazard.NONE
    hazard_why: str = ""


@dataclass(frozen=True)
class Plan:
    """What is to be done, what is waited for, and what forbids it. Empty = converged.

    ``changes`` is the diff the steps will make, in a state's form. ``needs`` names facets of the
    observation without which the plan is not final. ``notes`` are what an operator should know,
    with nothing to be done about it.
    """

    subject: str
    steps: tuple[Step, ...] = ()
    waits: tuple[Wait, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    notes: tuple[str, ...] = ()
    changes: Mapping[str, Any] = field(default_factory=dict)
    needs: frozenset[Facet] = frozenset()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is to be done, waited for or refused."""
        return not (self.steps or self.waits or self.refusals)

    @cached_property
    def id(self) -> str:
        """Digest of subject, steps and predicted changes, 8 hex digits, for ``apply <plan id>``."""
        steps = [[s.action, s.subject, s.args, s.place] for s in self.steps]
        return text_id(digest_of([self.subject, steps, self.changes])[:8])


def merge_changes(into: dict[str, Any], more: Mapping[str, Any]) -> None:
    """Merge ``{key: {old, new}}`` trees: the first old and the last new of a key stay."""
    for key, value in more.items():
        present = into.get(key)
        if isinstance(present, Mapping) and _is_change(present) and _is_change(value):
            into[key] = {"old": present["old"], "new": value["new"]}
        elif isinstance(present, dict) and isinstance(value, Mapping):
            merge_changes(present, value)
        else:
            into[key] = _copied(value)


def _is_change(value: Any) -> bool:
    return isinstance(value, Mapping) and set(value) == {"old", "new"}


def _copied(value: Any) -> Any:
    return {k: _copied(v) for k, v in value.items()} if isinstance(value, Mapping) else value
