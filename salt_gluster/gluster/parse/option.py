"""``volume get`` and ``volume set help``. What an option means is not known here."""

from __future__ import annotations

import re
from dataclasses import dataclass

from salt_gluster.errors import Unreadable
from salt_gluster.gluster.parse.answer import CliAnswer
from salt_gluster.gluster.parse.elements import required_text

#: Appended to a value that is not set; stands alone when the default is empty.
_DEFAULT = "(DEFAULT)"
_BLOCK = re.compile(
    r"^Option: (?P<name>\S+)[ \t]*\n(?:Default Value: ?(?P<default>.*)\n)?"
    r"(?:Description: ?(?P<about>.*(?:\n(?!Option: |\n).*)*))?",
    re.MULTILINE,
)


@dataclass(frozen=True)
class OptionValue:
    """The effective value of an option; ``is_default`` when gluster marks it so."""

    value: str
    is_default: bool


@dataclass(frozen=True)
class OptionHelp:
    """What ``volume set help`` says; ``default`` is None for gluster's ``(null)``."""

    name: str
    default: str | None
    about: str


def parse_volume_get(answer: CliAnswer) -> dict[str, OptionValue]:
    """Return option -> value of ``volume get V all|OPTION`` or ``volume get all all``.

    gluster lists six options twice, performance.cache-size with two defaults: a row that is set
    wins, then the first. Raises ``Unreadable``.
    """
    options: dict[str, OptionValue] = {}
    for row in answer.element("volGetopts").iterfind("Opt"):
        value = required_text(row, "Value")
        is_default = value.endswith(_DEFAULT)
        plain = value.removesuffix(_DEFAULT).rstrip() if is_default else value
        name = required_text(row, "Option")
        if name not in options or not is_default:
            options[name] = OptionValue(plain, is_default)
    return options


def parse_set_help(text: str) -> dict[str, OptionHelp]:
    """Return what the help text says of each option. ``Unreadable`` when it names none."""
    options = {}
    for match in _BLOCK.finditer(text):
        default = (match["default"] or "").strip()
        about = " ".join((match["about"] or "").split())
        name = match["name"]
        options[name] = OptionHelp(name, None if default in ("", "(null)") else default, about)
    if not options:
        raise Unreadable("no option in the output of 'volume set help'", text=text[:300])
    return options
