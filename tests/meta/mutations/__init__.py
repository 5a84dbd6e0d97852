"""What must not break unnoticed: one row for each mutation that ``make mutants`` applies.

A row is a place in the code (the text stands there exactly once), what stands there instead, and
what a user would lose. ``tests`` are those that notice it and are run first. A module here has
``ROWS`` of one subject; a new one is found by itself.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from .row import Mutation

MUTATIONS: tuple[Mutation, ...] = tuple(
    row
    for name in sorted(module.name for module in iter_modules(__path__) if module.name != "row")
    for row in import_module(f"{__name__}.{name}").ROWS
)

__all__ = ["MUTATIONS", "Mutation"]
