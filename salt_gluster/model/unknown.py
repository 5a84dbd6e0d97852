"""Unknown: a value that could not be learned. Reading one by accident raises."""

from __future__ import annotations

from typing import NoReturn, TypeGuard, TypeVar

T = TypeVar("T")


class UnknownRead(TypeError):
    """An unknown value was used as if it were known: a bug, never a state of the pool."""


class Unknown:
    """A value that could not be learned. Truth-testing or comparing one raises ``UnknownRead``."""

    __slots__ = ("since", "why")

    def __init__(self, why: str, since: float | None = None) -> None:
        self.why = why
        self.since = since

    def __repr__(self) -> str:
        return f"unknown ({self.why})"

    __str__ = __repr__

    def _raise(self, *_: object) -> NoReturn:
        raise UnknownRead(f"an unknown value was used as if known: {self.why}")

    __bool__ = __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _raise
    __len__ = __iter__ = __int__ = __float__ = __getitem__ = __contains__ = _raise
    __hash__ = object.__hash__


#: The value of every facet of an observation that was not asked for.
NOT_ASKED = Unknown("not asked")


def is_known(value: T | Unknown) -> TypeGuard[T]:
    """Return whether ``value`` was learned."""
    return not isinstance(value, Unknown)


def known(value: T | Unknown) -> T:
    """Return the value, or raise ``UnknownRead`` naming why it is not known."""
    if isinstance(value, Unknown):
        raise UnknownRead(f"needed, but unknown: {value.why}")
    return value
