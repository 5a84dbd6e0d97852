"""What was ordered with ``salt …``: its words, to be given again, and what its giver accepts.

A refused plan of the declaration is accepted by its id (``gluster_operation.apply``). An order has
no declaration from which that plan could be made again: it is given again, with ``accept`` and
``reason``. States have neither.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from salt_gluster.errors import SpecError
from salt_gluster.model import natural_key
from salt_gluster.render.plan import ACCEPTABLE

#: Words that Salt's command line takes as the text they are.
_PLAIN = re.compile(r"[A-Za-z/][\w./@-]*(:/[\w./-]*)?|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NOT_TEXT = frozenset({"true", "false", "yes", "no", "on", "off", "null", "none", "y", "n"})
_OURS = frozenset({"test", "accept", "reason"})


@dataclass(frozen=True)
class Order:
    """A function with its arguments, the refusals that are accepted for it, and why."""

    function: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    accept: tuple[str, ...] = ()
    reason: str = ""

    def command(self, minion: str) -> str:
        """Return the command line that gives the order, the first argument without its name."""
        words = [_word(value) for value in list(self.arguments.values())[:1]]
        words += [f"{key}={_word(value)}" for key, value in list(self.arguments.items())[1:]]
        return " ".join(["salt", shlex.quote(minion), self.function, *words])


def ordered(
    function: str, given: Mapping[str, Any], more: Mapping[str, Any] | None = None
) -> Order:
    """Return the order of a loader function from its arguments, defaults and Salt's own left out.

    ``given`` are its ``locals()``, ``more`` its arguments without a name of their own. Raises
    ``SpecError`` for what cannot be accepted, or is without a reason.
    """
    named = {k: v for k, v in given.items() if k not in _OURS and v is not more}
    arguments = {k: v for k, v in named.items() if not (v is None or v is False or v == "")}
    arguments |= {k: v for k, v in (more or {}).items() if v is not None and k[:2] != "__"}
    accept = names_of(given.get("accept"))
    reason = str(given.get("reason") or "")
    check_accept(accept, reason)
    return Order(function, arguments, accept, reason)


def names_of(value: Any) -> tuple[str, ...]:
    """Return names that were given comma separated, or as a list."""
    if not value:
        return ()
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, Iterable):
        raise SpecError("accept", f"expected names, not {value!r}.", hint="accept=pool_whole")
    return tuple(str(name).strip() for name in names)


def check_accept(accept: Iterable[str], reason: str) -> None:
    """Raise ``SpecError`` for what may not be accepted, and where the reason is missing."""
    names = list(accept)
    wrong = [name for name in names if name not in ACCEPTABLE]
    if wrong:
        raise SpecError(
            "accept", f"{', '.join(wrong)} cannot be accepted.",
            hint=f"What can: {', '.join(sorted(ACCEPTABLE, key=natural_key))}.",
        )  # fmt: skip
    if names and not reason:
        raise SpecError("reason", "accepting a refusal needs a reason.", hint="Add reason='…'.")


def _word(value: Any) -> str:
    """Return a value as one word of a shell, which Salt reads as that value again."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT:
        return value
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return shlex.quote(text.replace("#", "\\u0023"))  # of a text with # Salt keeps the quotes, too
