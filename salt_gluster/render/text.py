"""Words and widths that all screens share: wrapping, alignment, clock, plain data.

Nothing here knows what is shown. No line it makes is wider than asked for.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable

SCREEN = 80
#: Salt's highstate output indents a comment by 14 columns.
COMMENT = 66
#: An operator can type these words; a line of them that is broken needs a backslash.
_COMMANDS = ("salt-run ", "salt ", "gluster ", "systemctl ")
_QUOTED, _NO_BREAK = re.compile(r"'[^']*'"), "\x00"
_LABELLED = re.compile(r"^(\S.*?) {2,}(\S.*)$", re.DOTALL)


def clean(text: str) -> str:
    """Return the text on one line and without control characters: other programs wrote it."""
    return "".join(c if c.isprintable() else " " for c in text)


def wrap(text: str, width: int, first: str = "", rest: str | None = None) -> list[str]:
    """Return lines of at most ``width``: ``first`` before the first, ``rest`` before the others."""
    indent = " " * len(first) if rest is None else rest
    lines = textwrap.wrap(
        clean(text),
        width,
        initial_indent=first,
        subsequent_indent=indent,
        break_on_hyphens=False,
    )
    return lines or [first.rstrip()]


def labelled(rows: Iterable[tuple[str, str]], width: int, indent: str = "  ") -> list[str]:
    """Return rows of label and text, the texts below one another."""
    pairs = [(clean(label), text) for label, text in rows]
    room = max((len(label) for label, _ in pairs), default=0)
    room = min(room, width // 3)
    lines: list[str] = []
    for label, text in pairs:
        if len(label) > room:
            lines += wrap(label, width, indent)
            lines += wrap(text, width, indent + " " * (room + 3))
        else:
            lines += wrap(text, width, f"{indent}{label.ljust(room)}   ")
    return lines


def ways(texts: Iterable[str], width: int, indent: str = "  ") -> list[str]:
    """Return the ways out, each once, labels and commands below one another."""
    once = list(dict.fromkeys(texts))
    matches = [_LABELLED.match(text) for text in once]
    room = max((len(m[1]) for m in matches if m), default=0)
    room = min(room, width // 3)
    lines: list[str] = []
    for text, match in zip(once, matches, strict=True):
        if match is None:
            lines += command(text, width, indent)
        elif len(match[1]) > room:
            lines += wrap(match[1], width, indent)
            lines += command(match[2], width, indent + " " * (room + 3))
        else:
            lines += command(match[2], width, f"{indent}{match[1].ljust(room)}   ")
    return lines


def command(text: str, width: int, first: str = "") -> list[str]:
    """Return a command on as few lines as it needs, broken the way a shell takes it.

    A word in quotes stays whole: a break in it would be part of it.
    """
    if not text.startswith(_COMMANDS):
        return wrap(text, width, first)
    if len(first) + len(text) <= width:
        return [first + clean(text)]
    whole = _QUOTED.sub(lambda m: m[0].replace(" ", _NO_BREAK), clean(text))
    words = whole.split(" ")
    lines = [first + words[0]]
    for word in words[1:]:
        if len(lines[-1]) + len(word) + 3 <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(" " * (len(first) + 2) + word)
    lines = [line.replace(_NO_BREAK, " ") for line in lines]
    return [f"{line} \\" for line in lines[:-1]] + lines[-1:]
