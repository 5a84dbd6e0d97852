"""Many subjects in one state's comment: what is worth a line, and the same reason once only.

A ``Part`` is what became of one subject; Salt's dict is made of one, or of many (``combined``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from salt_gluster.model import some
from salt_gluster.render.text import COMMENT, wrap

#: So many subjects of one block are named, the others counted.
_NAMES = 8


@dataclass(frozen=True)
class Part:
    """The state of one subject. Its comment is ``own`` and ``rest``.

    ``own`` is what happened to it, ``rest`` why, and what to do. ``reason`` is what makes that the
    same for two subjects, () = no other says it; who says it second has ``left`` for ``rest``.
    """

    name: str
    result: bool | None
    changes: Mapping[str, Any]
    own: tuple[str, ...]
    rest: tuple[str, ...] = ()
    reason: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @classmethod
    def of(cls, ret: Mapping[str, Any]) -> Part:
        """Return the part that Salt's dict of a state is."""
        lines = tuple(str(ret["comment"]).splitlines())
        return cls(str(ret["name"]), ret["result"], ret["changes"], lines)

    @property
    def lines(self) -> tuple[str, ...]:
        """The whole comment."""
        return (*self.own, *self.rest)

    @property
    def is_notable(self) -> bool:
        """Whether it is worth a line."""
        return self.result is not True or bool(self.changes) or len(self.lines) > 1

    def to_state(self) -> dict[str, Any]:
        """Return Salt's dict of one state."""
        return state_dict(self.name, self.result, self.changes, "\n".join(self.lines))


def state_dict(
    name: object, result: bool | None, changes: Mapping[str, Any], comment: str
) -> dict[str, Any]:
    """Return Salt's dict of one state; ``name`` is a name or a ``Subject``."""
    return {"name": str(name), "result": result, "changes": dict(changes), "comment": comment}


def combined(name: str, parts: Sequence[Part]) -> dict[str, Any]:
    """Return one state's dict for many: the worst result, all changes, what is worth a line.

    Subjects of which the same is to be said stand together, and a reason stands once.
    """
    results = [part.result for part in parts]
    result = False if False in results else None if None in results else True
    changes = {part.name: dict(part.changes) for part in parts if part.changes}
    notable = [part for part in parts if part.is_notable]
    if not notable:
        comment = f"{len(parts)} subjects are as declared"
    elif len(notable) == 1:
        comment = "\n".join(notable[0].lines)
    else:
        comment = "\n".join(_blocks(notable))
    return state_dict(name, result, changes, comment)


def _blocks(parts: Iterable[Part]) -> Iterable[str]:
    said: dict[tuple[str, ...], str] = {}
    for names, part in _together(parts):
        yield from wrap(f"{some(names, _NAMES)}:", COMMENT + 4)
        lines = part.lines
        if part.reason and part.reason in said:
            same = wrap(f"For the same reason as {said[part.reason]}.", COMMENT)
            lines = (*part.own, "", *same, *part.left)
        elif part.reason:
            said[part.reason] = names[0]
        yield from (f"    {line}" if line else "" for line in lines)


def _together(parts: Iterable[Part]) -> list[tuple[list[str], Part]]:
    """Return the parts, and the names of all subjects of which each is the state."""
    found: dict[Any, tuple[list[str], Part]] = {}
    for part in parts:
        key = part.name if part.changes else (part.result, part.lines)
        found.setdefault(key, ([], part))[0].append(part.name)
    return list(found.values())
