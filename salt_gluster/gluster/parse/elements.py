"""Read mandatory and optional children of an XML element. No subject's knowledge lives here.

A number that is absent, ``-`` or ``N/A`` is never 0: it is None, Unknown or an error.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element

from salt_gluster.errors import Unreadable
from salt_gluster.model import Unknown


def required_text(parent: Element, name: str) -> str:
    """Return the text of a mandatory child, perhaps empty; ``Unreadable`` names a missing one."""
    child = parent.find(name)
    if child is None:
        raise Unreadable(f"<{parent.tag}> has no <{name}>; the answer is not complete")
    return (child.text or "").strip()


def required_number(parent: Element, name: str) -> int:
    """Return the number in a mandatory child; ``Unreadable`` names it otherwise."""
    text = required_text(parent, name)
    try:
        return int(text)
    except ValueError:
        raise Unreadable(f"<{name}> in <{parent.tag}> is {text!r}, not a number") from None


def optional_number(parent: Element, name: str) -> int | None:
    """Return the number in a child, or None where it is absent or not a number (``N/A``, ``-``)."""
    try:
        return int((parent.findtext(name) or "").strip())
    except ValueError:
        return None


def number_or_unknown(parent: Element, name: str) -> int | Unknown:
    """Return the count in a child, or why it is not known; a negative count is not one."""
    number = optional_number(parent, name)
    if number is not None and number >= 0:
        return number
    return Unknown(f"gluster gave no number in <{name}> ({parent.findtext(name)!r})")


def split_brick(name: str) -> tuple[str, str]:
    """Return ``(host, path)`` of ``HOST:PATH``; ``Unreadable`` when it is not that."""
    host, sep, path = name.partition(":/")
    if not (host and sep):
        raise Unreadable(f"{name!r} is not a brick name (HOST:/PATH)")
    return host, "/" + path
