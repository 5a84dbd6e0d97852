"""Where Salt finds the loader folders: the entry point ``salt.loader``.

Works on paths and imports nothing of the loader folders, so that a wheel, every kind of editable
install and a plain checkout load alike (facts.md#S-2.1). Nothing else may live here: Salt calls
``dirs`` for every loader it builds, so it must stay cheap and must not import ``salt``.
"""

from __future__ import annotations

from pathlib import Path

#: The kinds of loader folder this project may have; one that is not there is left out.
EXT_TYPES = ("modules", "states", "runners", "engines", "pillar", "grains", "output")

_HERE = Path(__file__).resolve().parent


def dirs() -> dict[str, list[str]]:
    """Return the loader folders on disk, by Salt's name of the kind.

    In a wheel they lie inside this package, in a checkout beside it.
    """
    bases = [_HERE]
    if (_HERE.parent / "pyproject.toml").is_file():
        bases.append(_HERE.parent)
    found = {}
    for ext_type in EXT_TYPES:
        path = next((base / ext_type for base in bases if (base / ext_type).is_dir()), None)
        if path is not None:
            found[ext_type] = [str(path)]
    return found
