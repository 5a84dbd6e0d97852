"""Tell nodes apart that are called the same: a node may call itself as it likes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping


def distinct(names: Mapping[str, str]) -> dict[str, str]:
    """Return the names by uuid, with the uuid where several have one: none takes another's row."""
    counts = Counter(names.values())
    return {u: name if counts[name] == 1 else f"{name} ({u})" for u, name in names.items()}
