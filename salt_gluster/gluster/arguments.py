"""The types of command arguments: each turns a value into words, or refuses it.

Nothing may add a word, a line or an option to a command line. The gluster program takes its own
options (``--remote-host``, ``--mode``) from any place in the line, so no word may begin with "--".
Hosts are names or IPv4 addresses; IPv6 addresses are out of scope, because ``HOST:PATH`` cannot
hold them: give the node a name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from salt_gluster.errors import SpecError

Words = tuple[str, ...]
Checker = Callable[[str, Any], Words]

_VOLUME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,254}")
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]{0,251}[A-Za-z0-9_])?")
_OPTION = re.compile(r"[a-z][A-Za-z0-9._-]{0,127}")
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_GFID = re.compile(r"gfid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SIZE = re.compile(r"[0-9]{1,18}(\.[0-9]{1,3})?([KMGTP]?B)?", re.IGNORECASE)
_BLANK_OR_CONTROL = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
#: No word that reaches gluster is longer: an option's value of more ends glusterd (facts.md#C-C.2).
MOST_CHARACTERS = 4_000
#: Words with a meaning of their own where an option's name is expected.
_NOT_OPTIONS = frozenset({"all", "force", "group", "help"})


def volume(key: str, value: Any) -> Words:
    """Accept a volume's name: letters, digits, ``_`` and ``-`` (facts.md#G-3.1)."""
    name = _text(key, value)
    if not _VOLUME.fullmatch(name) or name in ("all", "volume"):
        raise SpecError(
            key,
            f"{name!r} cannot be the name of a volume",
            hint="Use letters, digits, _ and -, at most 255, not 'all' or 'volume'.",
        )
    return (name,)


def host(key: str, value: Any) -> Words:
    """Accept a host name or an IPv4 address."""
    name = _text(key, value)
    if ":" in name or name.startswith("["):
        raise SpecError(key, f"{name!r} looks like an IPv6 address", hint="Give the node a name.")
    if not _HOST.fullmatch(name):
        raise SpecError(key, f"{name!r} is not a host name", hint="Letters, digits, '.' and '-'.")
    return (name,)


def brick(key: str, value: Any) -> Words:
    """Accept one ``HOST:/PATH`` as a volume may already hold it."""
    text = _text(key, value)
    name, sep, path = text.partition(":/")
    if not sep:
        hint = "Write HOST:/absolute/path; a node with an IPv6 address needs a name."
        raise SpecError(key, f"{text!r} is not a brick", hint=hint)
    host(key, name)
    _path(key, "/" + path)
    return (text,)


def bricks(key: str, value: Any) -> Words:
    """Accept one or more bricks of a volume."""
    return _each(key, value, brick)


def new_brick(key: str, value: Any) -> Words:
    """Accept a brick whose path is already in its plain form.

    gluster stores ``/a/../b/`` as typed (facts.md#G-0.15), and no such name compares well.
    """
    (text,) = brick(key, value)
    path = text.partition(":")[2]
    parts = path.split("/")[1:]
    if any(part in ("", ".", "..") for part in parts):
        hint = "No //, /./, /../ and no / at the end; a brick is a directory below the root."
        raise SpecError(key, f"{path!r} is not in its plain form", hint=hint)
    return (text,)


def new_bricks(key: str, value: Any) -> Words:
    """Accept one or more bricks to be made, in order and without a double."""
    words = _each(key, value, new_brick)
    if len(set(words)) != len(words):
        raise SpecError(key, "a brick is named twice")
    return words


def option(key: str, value: Any) -> Words:
    """Accept an option's name, short or long."""
    name = _text(key, value)
    if not _OPTION.fullmatch(name) or name in _NOT_OPTIONS:
        raise SpecError(key, f"{name!r} is not an option", hint="Write it as 'volume get' does.")
    return (name,)


def options(key: str, value: Any) -> Words:
    """Accept a mapping of options to values, at least one."""
    if not isinstance(value, Mapping) or not value:
        raise SpecError(key, "expected a mapping of options to values, at least one")
    words: list[str] = []
    for name, wanted in value.items():
        pair = (*option(key, name), *_value(f"{key}.{name}", wanted))
        _in_length(f"{key}.{name}", "".join(pair))  # together: so glusterd writes them in one line
        words += pair
    return tuple(words)


def file(key: str, value: Any) -> Words:
    """Accept a file as seen from the volume's root, ``/dir/file`` or ``gfid:UUID``. Blanks live."""
    text = _text(key, value)
    if not (text.startswith("/") or _GFID.fullmatch(text)) or _CONTROL.search(text):
        raise SpecError(key, f"{text!r} is neither /path in the volume nor gfid:UUID")
    return (text,)


def directory(key: str, value: Any) -> Words:
    """Accept an absolute path of this node."""
    return (_path(key, _text(key, value)),)


def file_name(key: str, value: Any) -> Words:
    """Accept a plain file name without any directory."""
    text = _text(key, value)
    if not _FILE_NAME.fullmatch(text):
        raise SpecError(key, f"{text!r} is not a plain file name")
    return (text,)


def number(key: str, value: Any) -> Words:
    """Accept a count above zero."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 10**9:
        raise SpecError(key, f"expected a number above 0, not {value!r}")
    return (str(value),)


def size(key: str, value: Any) -> Words:
    """Accept a size as gluster spells it: a number, with or without a unit."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _SIZE.fullmatch(text):
        raise SpecError(key, f"{value!r} is not a size", hint="Write it as 10GB, 500MB or bytes.")
    return (text,)


def one_of(*allowed: str) -> Checker:
    """Return a checker that accepts only these words."""

    def check(key: str, value: Any) -> Words:
        if value not in allowed or not isinstance(value, str):
            raise SpecError(key, f"{value!r} is none of: {', '.join(allowed)}")
        return (value,)

    return check


#: Name of a type -> its checker; an argument has the type of its own name unless the line says so.
TYPES: Mapping[str, Checker] = {
    "volume": volume,
    "host": host,
    "brick": brick,
    "bricks": bricks,
    "new_brick": new_brick,
    "new_bricks": new_bricks,
    "option": option,
    "options": options,
    "file": file,
    "directory": directory,
    "file_name": file_name,
    "replica": number,
    "arbiter": number,
    "disperse": number,
    "redundancy": number,
    "list_cnt": number,
    "op_version": number,
    "size": size,
    "transport": one_of("tcp", "rdma", "tcp,rdma"),
    "counter": one_of("open", "read", "write", "opendir", "readdir"),
    "dump": one_of("all", "mem", "iobuf", "callpool", "priv", "fd", "inode", "history"),
    "state": one_of("blocked", "granted", "all"),
    "lock": one_of("inode", "entry", "posix"),
    "detail": one_of("detail", "volumeoptions"),
}


def _value(key: str, value: Any) -> Words:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not text.strip() or _CONTROL.search(text):
        hint = "Quote it in the pillar; on, yes and true are different texts to gluster."
        raise SpecError(key, f"expected a text of one line, not {value!r}", hint=hint)
    if text.startswith("--"):
        raise SpecError(key, f"{text!r} would be read as an option of the gluster program")
    return (_in_length(key, text),)


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise SpecError(key, f"expected a text, not {value!r}")
    return _in_length(key, value)


def _in_length(key: str, text: str) -> str:
    if len(text.encode(errors="replace")) > MOST_CHARACTERS:
        raise SpecError(key, f"{len(text)} characters; at most {MOST_CHARACTERS} are possible")
    return text


def _path(key: str, path: str) -> str:
    if not path.startswith("/") or _BLANK_OR_CONTROL.search(path):
        hint = "gluster cuts a brick path at a blank without saying so."
        raise SpecError(key, f"{path!r} is not an absolute path without blanks", hint=hint)
    return path


def _each(key: str, value: Any, check: Checker) -> Words:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise SpecError(key, f"expected a list of bricks, not {value!r}")
    words = tuple(word for item in value for word in check(key, item))
    if not words:
        raise SpecError(key, "expected at least one brick")
    return words
