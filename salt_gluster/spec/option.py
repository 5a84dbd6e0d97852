"""Know volume options: which there are, what a value means, what a change can do to users.

The catalogue is ``option_catalog.py``; a name that is not in it and not ``user.*`` is an error.
Gluster stores what was typed (facts.md#G-0.14), so that values are compared by type here.
Parsing follows libglusterfs' own ``gf_string2…`` functions; a test asks them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from salt_gluster.errors import SpecError
from salt_gluster.model import Hazard
from salt_gluster.spec import client_quorum
from salt_gluster.spec.option_catalog import NEEDS_COMMAND, POOL, ROWS
from salt_gluster.spec.option_hazards import HAZARDS, hazard_of

_TRUE = ("1", "on", "yes", "true", "enable")
_FALSE = ("0", "off", "no", "false", "disable")
_UNITS_B = {"": 0, "b": 0, "kb": 10, "mb": 20, "gb": 30, "tb": 40, "pb": 50}
_UNITS_S = {
    "": 1, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "hr": 3600,
    "d": 86400, "days": 86400, "w": 604800, "wk": 604800,
}  # fmt: skip
_WHOLE = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)")
_SIZE = re.compile(r"\+?([0-9]+\.?[0-9]*|\.[0-9]+)([kKmMgGtTpP]?[bB]|)")
_REAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?")
#: A name and its value together: of 4,099 characters the glusterd that sends them dies, and those
#: that get them (facts.md#C-C.2).
MOST_CHARACTERS = 4_000
#: The name of a user option.
MOST_NAME = 128
_USER = re.compile(r"user\.[A-Za-z0-9_.-]+")

#: Volume options that ``volume create``, quota, bitrot, snapshots and geo-replication set by
#: themselves (facts.md#G-3.2, #C-F.1, #C-I.2); resetting them takes away what was not declared.
LEFT_ALONE = frozenset(
    {
        "storage.fips-mode-rchecksum", "transport.address-family", "nfs.disable",
        "cluster.granular-entry-heal", "performance.client-io-threads", "config.transport",
        "features.default-soft-limit", "features.soft-timeout", "features.hard-timeout",
        "features.alert-time", "features.limit-usage", "features.expiry-time",
        "features.signer-threads", "features.barrier", "features.barrier-timeout",
    }
) | POOL  # fmt: skip
LEFT_ALONE_PREFIXES = (
    "features.quota", "features.inode-quota", "feature.simple-quota", "features.bitrot",
    "features.scrub", "features.snapshot", "features.uss", "features.show-snapshot",
    "changelog.", "geo-replication.",
    # Gluster cannot reset a user option by itself (facts.md#G-0.14).
    "user.",
)  # fmt: skip


@dataclass(frozen=True)
class Option:
    """One option. ``checked`` False = gluster takes any value, whatever the type says."""

    name: str
    type: str  # bool size percent percent_or_size time int float enum path list text
    default: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    checked: bool = True

    @property
    def scope(self) -> str:
        """``volume``, or ``pool`` for what only ``volume set all`` takes."""
        return "pool" if self.name in POOL else "volume"


@cache
def catalogue() -> Mapping[str, Option]:
    """Return every option by its full name, in gluster's own order."""
    options: dict[str, Option] = {}
    for line in ROWS.strip().splitlines():
        name, kind, default, low, high, choices = line.split("|")
        options[name] = Option(
            name=name,
            type=kind.rstrip("?"),
            default=default,
            minimum=float(low) if low else None,
            maximum=float(high) if high else None,
            choices=tuple(choices.split(",")) if choices else (),
            checked=not kind.endswith("?"),
        )
    return options


@cache
def _short_names() -> Mapping[str, str]:
    names: dict[str, str] = {}
    for name in catalogue():
        names.setdefault(name.split(".", 1)[1], name)
    return names


def find(name: str) -> Option | None:
    """Return the option, by full or short name; ``user.*`` is text. None = not known."""
    known = catalogue().get(name) or catalogue().get(_short_names().get(name, ""))
    if known is None and _USER.fullmatch(name) and len(name) <= MOST_NAME:
        return Option(name, "text", checked=False)
    return known


def full_name(name: str, key: str = "options") -> str:
    """Return the name that gluster stores; ``lookup-optimize`` is ``cluster.lookup-optimize``."""
    option = find(name) if isinstance(name, str) else None
    if option is not None:
        return option.name
    if isinstance(name, str) and name.startswith("user.") and len(name) > MOST_NAME:
        raise SpecError(key, f"a name of {len(name)} characters; at most {MOST_NAME} are possible.")
    near = difflib.get_close_matches(str(name)[:80], [*catalogue(), *_short_names()], n=3)
    hint = f"Did you mean {' or '.join(near)}?" if near else "See `gluster volume set help`."
    raise SpecError(key, f"gluster has no option {str(name)[:80]!r}.", hint=hint)


# --- what a value means ---------------------------------------------------------------------------


def normalise(name: str, value: str) -> str:
    """Return a canonical spelling: bytes, seconds, ``on``/``off``, ``10%``; equal = same meaning.

    What cannot be read as the option's type stays text without blanks (``user.*``: as it is).
    """
    if name.startswith("user."):
        return value.strip()
    option = find(name)
    bare = "".join(value.split())
    meaning = _MEANING[option.type](bare) if option and option.type in _MEANING else None
    if option and option.type == "enum" and {"on", "off"} <= set(option.choices):
        meaning = _bool(bare)
    if option and name in ("auth.allow", "auth.reject", "auth.ssl-allow"):
        meaning = ",".join(sorted({p for p in bare.split(",") if p}))
    return bare if meaning is None else meaning


def equal(name: str, first: str, second: str) -> bool:
    """Return whether two spellings mean the same; never send a value that is there already."""
    return normalise(name, first) == normalise(name, second)


def _bool(value: str) -> str | None:
    word = value.lower()
    return "on" if word in _TRUE else "off" if word in _FALSE else None


def _size(value: str) -> str | None:
    match = _SIZE.fullmatch(value)
    if not match:
        return None
    whole, _, part = match[1].partition(".")
    shift, digits = _UNITS_B[match[2].lower()], len(part)
    count = (int((whole or "0") + part) << shift) // 10**digits
    return str(count) if count < 2**64 and len(whole) < 30 else None


def _percent(value: str) -> str | None:
    bare = value[:-1] if value.endswith("%") else value
    if bare[:2] in ("0x", "0X"):
        return None if (count := _whole(bare)) is None else f"{count}%"
    if not _REAL.fullmatch(bare) or bare.startswith("-"):
        return None
    return _plain(float(bare)) + "%"


def _percent_or_size(value: str) -> str | None:
    if value.endswith("%"):
        return _percent(value)
    return _int(value) if value[:2] in ("0x", "0X") else _size(value)


def _time(value: str) -> str | None:
    match = re.fullmatch(r"(\+?(?:0[xX][0-9a-fA-F]+|[0-9]+))([a-z]*)", value)
    count = _whole(match[1]) if match and match[2] in _UNITS_S else None
    if match is None or count is None:
        return None
    seconds = count * _UNITS_S[match[2]]
    return str(seconds) if seconds < 2**32 else None  # gluster wraps there


def _int(value: str) -> str | None:
    count = _whole(value)
    return None if count is None else str(count)


def _whole(value: str) -> int | None:
    """Return a whole number as C reads it: ``0x10`` is 16, ``010`` is 8, ``08`` is nothing."""
    if not _WHOLE.fullmatch(value) or len(value) > 20:
        return None
    digits = value.lstrip("+-")
    base = 16 if digits[:2] in ("0x", "0X") else 8 if digits[0] == "0" else 10
    return -int(digits, base) if value.startswith("-") else int(digits, base)


def _float(value: str) -> str | None:
    return _plain(float(value)) if _REAL.fullmatch(value) else None


def _plain(count: float) -> str:
    return str(int(count)) if count.is_integer() else repr(count)


def _list(value: str) -> str:
    return ",".join(part for part in value.split(",") if part)


_MEANING: Mapping[str, Callable[[str], str | None]] = {
    "bool": _bool,
    "size": _size,
    "percent": _percent,
    "percent_or_size": _percent_or_size,
    "time": _time,
    "int": _int,
    "float": _float,
    "list": _list,
}
_LOOKS = {
    "bool": "on or off",
    "size": "a size such as 64MB (KB, MB, GB, TB; not M or MiB)",
    "percent": "a percentage such as 10%",
    "percent_or_size": "a percentage such as 10% or a size such as 5GB",
    "time": "a time such as 30, 30s, 10m or 1h",
    "int": "a whole number",
    "float": "a number",
    "path": "an absolute path",
}


# --- what a declaration may say -------------------------------------------------------------------


def check(name: str, value: str, key: str = "options", *, scope: str = "volume") -> str:
    """Return the value to send, blanks dropped as gluster drops them, or raise ``SpecError``."""
    option = find(full_name(name, key))
    assert option is not None
    _in_scope(option, key, scope)
    bare = value.strip() if option.name.startswith("user.") else "".join(value.split())
    if not bare or not bare.isprintable() or bare.startswith("--"):
        hint = "Leave the option out to have its default."
        raise SpecError(key, f"{value[:60]!r} cannot be sent as a value.", hint=hint)
    _in_length(option, bare, key)
    if not option.checked or option.type in ("text", "list"):
        return bare
    if option.type == "enum":
        return _one_of(option, bare, key)
    if option.type == "path":
        if not bare.startswith("/"):
            raise SpecError(key, f"{bare[:60]!r} is not {_LOOKS['path']}.")
        return bare
    meaning = _MEANING[option.type](bare)
    if meaning is None:
        hint = f"{option.name} takes {_LOOKS[option.type]}."
        raise SpecError(key, f"{bare[:60]!r} is not {_LOOKS[option.type]}.", hint=hint)
    _in_range(option, bare, meaning, key)
    return bare


def checked(options: Mapping[str, str], key: str = "options") -> dict[str, str]:
    """Return the options of a volume under their full names, every value checked."""
    full_options: dict[str, str] = {}
    for name, value in options.items():
        full = full_name(name, f"{key}:{str(name)[:80]}")
        if full in full_options:
            raise SpecError(f"{key}:{name}", f"{full} is written twice.", hint="Write it once.")
        full_options[full] = check(full, value, f"{key}:{name}")
    return full_options


def _in_length(option: Option, value: str, key: str) -> None:
    count = len(option.name) + len(value.encode())
    if count <= MOST_CHARACTERS:
        return
    hint = "Write a shorter one."
    if option.name.startswith("auth."):
        hint = "Name networks (10.1.0.0/16, 10.1.*) or a netgroup (@clients), not each client."
    raise SpecError(
        key,
        f"{option.name} and its value have {count} characters, at most {MOST_CHARACTERS} are "
        "possible: glusterd ends on more.",
        hint=hint,
    )


def _in_scope(option: Option, key: str, scope: str) -> None:
    if option.name in NEEDS_COMMAND and scope == "volume":
        hint = f"Use `{NEEDS_COMMAND[option.name]}` by hand; it is left alone here."
        raise SpecError(key, f"gluster does not take {option.name} as an option.", hint=hint)
    if option.scope != scope and not option.name.startswith("user."):
        if option.scope == "pool":
            hint = f"Use `gluster volume set all {option.name} VALUE` by hand."
            raise SpecError(key, f"{option.name} is an option of the whole pool.", hint=hint)
        raise SpecError(key, f"{option.name} is an option of a volume, not of the pool.")


def _one_of(option: Option, value: str, key: str) -> str:
    if value in option.choices:
        return value
    near = difflib.get_close_matches(value.lower(), [c.lower() for c in option.choices], n=1)
    same = [c for c in option.choices if near and c.lower() == near[0]]
    hint = f"Write {same[0]} (capitals count). " if same else ""
    hint += f"Possible: {', '.join(option.choices)}."
    raise SpecError(key, f"{value[:60]!r} is none of the words for {option.name}.", hint=hint)


def _in_range(option: Option, value: str, meaning: str, key: str) -> None:
    if option.type == "bool" or (option.type == "percent_or_size" and not value.endswith("%")):
        return
    low, high, count = option.minimum, option.maximum, float(meaning.rstrip("%"))
    if option.type in ("percent", "percent_or_size") and low is None and high is None:
        low, high = 0.0, 100.0
    if (low is not None and count < low) or (high is not None and count > high):
        edge = f"{_plain(low or 0.0)} to {_plain(high)}" if high is not None else ""
        edge = edge or f"{_plain(low or 0.0)} or more"
        hint = f"{option.name} takes {edge}."
        raise SpecError(key, f"{value} is out of range.", hint=hint)


# --- what a change does ---------------------------------------------------------------------------


def default_in(option: Option, replica: int, data_bricks: int = 0) -> str:
    """Return what holds in a volume with so many copies where the option is not set."""
    if option.name == client_quorum.TYPE:
        return client_quorum.default_type(replica)
    if option.name == "disperse.quorum-count" and data_bricks:
        return str(data_bricks)
    if option.name == "performance.client-io-threads" and replica > 1:
        return "off"
    return option.default


def hazard(
    name: str,
    old: str | None,
    new: str | None,
    *,
    holds_data: bool,
    replica: int = 3,
    data_bricks: int = 0,
    options: tuple[Mapping[str, str], Mapping[str, str]] | None = None,
) -> tuple[Hazard, str]:
    """Return what a change can do and why. None = the default (not set, or reset).

    ``holds_data`` is False only for a volume that is being made: then nothing can be hurt.
    ``replica`` and ``data_bricks`` (of a dispersed set) are those of the volume: what is not set
    depends on them. ``options`` are all of the volume before and after: type and count of client
    quorum are judged together.
    """
    option = find(name)
    if option is None or not holds_data:
        return Hazard.NONE, ""
    default = default_in(option, replica, data_bricks)
    before, after = (
        normalise(option.name, default if value is None or _is_default(option, value) else value)
        for value in (old, new)
    )
    if before == after:
        return Hazard.NONE, ""
    if options and option.name in (client_quorum.TYPE, client_quorum.COUNT):
        was, will = ({k: normalise(k, v) for k, v in several.items()} for several in options)
        weaker = client_quorum.weakens(was, will, replica)
        return HAZARDS[option.name] if weaker else (Hazard.NONE, "")
    return hazard_of(option.name, before, after)


def _is_default(option: Option, value: str) -> bool:
    """Whether a value stands for the default, as 0 does for the count of a dispersed set."""
    return option.name == "disperse.quorum-count" and _whole(value) == 0


def is_left_alone(name: str) -> bool:
    """Return whether ``exclusive_options`` never resets this option."""
    return name in LEFT_ALONE or name.startswith(LEFT_ALONE_PREFIXES)


def to_reset(observed: Mapping[str, str], declared: Mapping[str, str]) -> tuple[str, ...]:
    """Return the observed options that ``exclusive_options`` resets, sorted.

    A count of client quorum goes after its type: ``fixed`` without a count is no quorum.
    """
    kept = {option.name for name in declared if (option := find(name))}
    names = (n for n in observed if n not in kept and not is_left_alone(n))
    return tuple(sorted(names, key=lambda n: (n == client_quorum.COUNT, n)))
