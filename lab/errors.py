"""LabError, the one error of the lab. Its text says what to do next."""

from __future__ import annotations


class LabError(Exception):
    """Say what the lab could not do, and the way out."""
