"""Read values that came from YAML, by type, and name the key that is wrong.

Nothing about gluster lives here. A whole mapping is never printed: a pillar holds secrets.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from salt_gluster.errors import SpecError


def described(value: Any) -> str:
    """Return what a value is, short, without the content of mappings and lists."""
    if value is None:
        return "empty"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, str):
        return repr(value if len(value) <= 60 else value[:57] + "...")
    if isinstance(value, (Sequence, set, frozenset)):
        return "a list"
    return repr(value)[:60] if isinstance(value, (bool, int, float)) else type(value).__name__


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``Did you mean …?`` or nothing."""
    near = difflib.get_close_matches(word, list(known), n=3, cutoff=0.6)
    return f"Did you mean {' or '.join(near)}?" if near else ""


def mapping(value: Any, key: str, hint: str = "") -> dict[str, Any]:
    """Return a mapping with text keys, copied; OrderedDict and Salt's MaskedDict are mappings."""
    if not isinstance(value, Mapping):
        raise SpecError(key, f"a mapping is expected, this is {described(value)}.", hint=hint)
    return {_name(k, key): v for k, v in value.items()}


def _name(name: Any, key: str) -> str:
    if isinstance(name, bool):
        word = "on, yes or true" if name else "off, no or false"
        raise SpecError(
            f"{key}:{name}",
            f"YAML reads the key {word} as a truth value.",
            hint="Nodes are named with `only:` or `mount: {nodes: …}`; else put it in quotes.",
        )
    if not isinstance(name, str):
        raise SpecError(f"{key}:{described(name)}", "a key has to be text.", hint="Put quotes.")
    return name


def body(
    value: Any, key: str, known: Iterable[str], unbuilt: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return a mapping with none but ``known`` keys; ``unbuilt``: key -> what serves now."""
    data = mapping(value, key)
    names, later = list(known), unbuilt or {}
    for name in data:
        if name in later:
            raise SpecError(
                f"{key}:{name}", "this key is known but not built yet.", hint=later[name]
            )
        if name not in names:
            hint = nearest(name, [*names, *later]) or f"Known keys: {', '.join(names)}."
            raise SpecError(f"{key}:{name}", "no such key.", hint=hint)
    return data


def text(value: Any, key: str, hint: str = "") -> str:
    """Return text as it is; numbers and truth values are not guessed at."""
    if isinstance(value, str) and value.strip():
        return value.strip()
    hint = hint or ("Put it in quotes." if isinstance(value, (bool, int, float)) else "")
    raise SpecError(key, f"text is expected, this is {described(value)}.", hint=hint)


def number(value: Any, key: str, hint: str = "") -> int:
    """Return a whole number; a quoted one is accepted."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.isascii() and value.strip().isdigit() and len(value) < 9:
        return int(value)
    raise SpecError(key, f"a whole number is expected, this is {described(value)}.", hint=hint)


def seconds(value: Any, key: str) -> float:
    """Return seconds; a number in quotes, as a command line gives it, is one."""
    number = None if isinstance(value, bool) else value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,3})?", value.strip()):
        number = float(value)
    if not isinstance(number, (int, float)) or not 0 <= number < 1e9:
        raise SpecError(key, f"seconds are expected, this is {described(value)}.", hint="60")
    return number


def flag(value: Any, key: str) -> bool:
    """Return a truth value; text such as 'yes' is not guessed at."""
    if isinstance(value, bool):
        return value
    raise SpecError(
        key, f"true or false is expected, this is {described(value)}.", hint="Without quotes."
    )


def items(value: Any, key: str) -> list[tuple[str, Any]]:
    """Return ``(key of the entry, entry)`` of a list, or of one text as a list of one."""
    if isinstance(value, str):
        return [(key, value)]
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [(f"{key}:{i}", entry) for i, entry in enumerate(value)]
    raise SpecError(key, f"a name or a list of names is expected, this is {described(value)}.")


def words(value: Any, key: str) -> list[str]:
    """Return the words of ``a,b`` from a command line, or of a list; nothing is an empty list."""
    several = value.split(",") if isinstance(value, str) else value or ()
    return [text(entry, at) for at, entry in items(several, key) if entry != ""]


def chosen(value: Any, key: str, known: Sequence[str]) -> frozenset[str]:
    """Return a set of words out of ``known``."""
    words = set()
    for at, entry in items(value, key):
        word = text(entry, at)
        if word not in known:
            hint = nearest(word, known) or f"Known: {', '.join(known)}."
            raise SpecError(at, f"{described(word)} is not one of the words known here.", hint=hint)
        words.add(word)
    return frozenset(words)


def plain(value: Any) -> Any:
    """Return a copy out of plain types: Salt's pillar has mappings and lists of its own."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(inner) for inner in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
