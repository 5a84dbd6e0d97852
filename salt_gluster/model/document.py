"""Read plain data that another process wrote as one of our types, or say what is wrong with it.

A newer version of ours writes fields more: they are left out. Everything else has to be what the
type says: a number is finite, a truth is true or false, a list has what its type names. What is
unknown travels as ``{"unknown": why}``. Nothing here trusts the writer.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from salt_gluster.errors import Unreadable
from salt_gluster.model.unknown import Unknown

#: Nothing that is counted here is larger; such a number still fits a float without an overflow.
_MOST_NUMBER = 2**63
#: Characters of a text; a command of a node's history may be long.
_MOST_TEXT = 100_000

Reader = Callable[[Any], Any]


def read_as(kind: Any, data: Any, what: str) -> Any:
    """Return ``data`` as a ``kind``; raises ``Unreadable`` that names ``what`` and the field."""
    try:
        return reader_of(kind)(data)
    except (ValueError, RecursionError) as problem:
        raise Unreadable(f"{what} cannot be read: {str(problem)[:300]}") from problem


@cache
def reader_of(kind: Any) -> Reader:
    """Return what reads one type: raises ``ValueError`` that names the field."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _union(get_args(kind))
    if origin is tuple:
        return _sequence(reader_of(get_args(kind)[0]))
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(reader_of(get_args(kind)[1]))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _enum(kind)
    if is_dataclass(kind):
        return _dataclass(kind)
    raise TypeError(f"{kind} is no type of a document")


def _shown(value: Any) -> str:
    """Return what stands there, short: of a container only its type."""
    text = type(value).__name__ if isinstance(value, dict | list) else repr(value)
    return text if len(text) <= 60 else f"{text[:60]}..."


def text(value: Any) -> str:
    """Return a text."""
    if not isinstance(value, str) or len(value) > _MOST_TEXT:
        raise ValueError(f"{_shown(value)} is no text")
    return value


def whole(value: Any) -> int:
    """Return a whole number; true and false are none."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if not is_number or not -_MOST_NUMBER < value < _MOST_NUMBER:
        raise ValueError(f"{_shown(value)} is no whole number")
    return int(value)


def number(value: Any) -> float:
    """Return a finite number; the type stays."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not -_MOST_NUMBER < value < _MOST_NUMBER:  # also what is no number at all
        raise ValueError(f"{_shown(value)} is no number")
    return value  # type: ignore[no-any-return]


def truth(value: Any) -> bool:
    """Return a truth that was told; a word or a number is none."""
    if not isinstance(value, bool):
        raise ValueError(f"{_shown(value)} is neither true nor false")
    return value


def _anything(value: Any) -> Any:
    return value


def _none(value: Any) -> None:
    if value is not None:
        raise ValueError(f"{_shown(value)} is not empty")


_PLAIN: Mapping[Any, Reader] = {
    str: text, int: whole, float: number, bool: truth, Any: _anything, type(None): _none,
}  # fmt: skip


def _union(kinds: tuple[Any, ...]) -> Reader:
    """Read ``T | Unknown | None``: one type, beside what is not known or not there."""
    others = [k for k in kinds if k not in (Unknown, type(None))]
    read = reader_of(others[0])
    if len(others) != 1:
        raise TypeError(f"{kinds} is no type of a document")
    may_be_unknown, may_be_none = Unknown in kinds, type(None) in kinds

    def either(value: Any) -> Any:
        if may_be_none and value is None:
            return None
        if (
            may_be_unknown
            and isinstance(value, Mapping)
            and isinstance(why := value.get("unknown"), str)
        ):
            return Unknown(why[:300])
        return read(value)

    return either


def _sequence(read: Reader) -> Reader:
    def sequence(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise ValueError(f"{_shown(value)} is no list")
        return tuple(map(read, value))

    return sequence


def _mapping(read: Reader) -> Reader:
    def mapping(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise ValueError(f"{_shown(value)} is no mapping")
        return {text(k): _named(str(k), read, v) for k, v in value.items()}

    return mapping


def _named(name: str, read: Reader, value: Any) -> Any:
    try:
        return read(value)
    except ValueError as problem:
        raise ValueError(f"{name[:60]}: {problem}") from None


def _enum(kind: type[Enum]) -> Reader:
    return lambda value: kind(value)


def _dataclass(kind: Any) -> Reader:
    hints = get_type_hints(kind)
    rows = [
        (f.name, reader_of(hints[f.name]), f.default is MISSING and f.default_factory is MISSING)
        for f in fields(kind)
    ]

    def noun(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise ValueError(f"{_shown(value)} is no {kind.__name__}")
        values = {}
        for name, read, is_needed in rows:
            if name in value:
                try:
                    values[name] = read(value[name])
                except ValueError as problem:
                    raise ValueError(f"{name}: {problem}") from None
            elif is_needed:
                raise ValueError(f"{name} is missing")
        return kind(**values)

    return noun
