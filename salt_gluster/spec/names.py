"""Parse names: ranges, volumes, hosts, paths, devices. What gluster would cut is refused.

Sources: facts.md#G-0.15, #G-3.1, #C-J.1, #C-J.3 and, as the CLI on stdin splits words, #C-K.1.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from itertools import product
from typing import Any

from salt_gluster.errors import SpecError
from salt_gluster.model import natural_key
from salt_gluster.spec.values import described, items, nearest, text

#: More names than any pool has; a mistyped range must not fill the memory.
MOST_NAMES = 10_000
#: What helps where a glob stands for too few.
ACCEPT = (
    "Accept the nodes that are proposed (salt-run gluster_remediation.proposals), or name them."
)
_RANGE = re.compile(r"\[([^\[\]]*)\]")
_PART = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")
_VOLUME = re.compile(r"[A-Za-z0-9_-]+")
_IPV6_BRICK = re.compile(r"\[?[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f.]*\]?:/")
_GLOB = re.compile(r"[A-Za-z0-9_.*?-]+")
_WORD = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
#: libglusterfs' ``valid_host_name``: no underscore, no dot at the end (asked by calling it).
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")
_STABLE = re.compile(r"/dev/disk/by-(?:id|path)/[A-Za-z0-9_.:,+=@-]+")
_SERIAL = re.compile(r"serial:[A-Za-z0-9_.+-]+")
_MOVES = re.compile(r"(?:/dev/)?(?:[shv]d[a-z]+|xvd[a-z]+|nvme\d+n\d+|mmcblk\d+)(?:p?\d+)?")
#: Marks that are allowed in a path beside letters and digits of any script.
_MARKS = frozenset("._-+,@=%~")


def expand(value: Any, key: str, known: Collection[str] | None = None) -> tuple[str, ...]:
    """Return the names that ``'g[01-48]'``, ``'g[1,3-5]'`` or a list of such stands for, in order.

    Leading zeros are kept. A name written twice is an error. A glob (``'g*'``) stands for those of
    ``known`` that it matches, perhaps for none; without ``known`` it is an error.
    """
    names: dict[str, str] = {}
    written: set[str] = set()
    for at, entry in items(value, key):
        for name in _expanded(text(entry, at), at):
            if is_glob(name):
                for name_of_node in _matched(name, at, known):
                    names.setdefault(name_of_node.lower(), name_of_node)
                continue
            if name.lower() in written:
                twin = described(names[name.lower()])
                raise SpecError(at, f"{twin} is named twice.", hint="Name it once.")
            written.add(name.lower())
            names[name.lower()] = name
            if len(names) > MOST_NAMES:
                raise SpecError(at, f"more than {MOST_NAMES} names.", hint="Check the range.")
    return tuple(names.values())


def is_glob(word: str) -> bool:
    """Return whether a word is a glob."""
    return "*" in word or "?" in word


def has_globs(value: Any) -> bool:
    """Return whether a glob is among words that are not checked yet."""
    words = [value] if isinstance(value, str) else value if isinstance(value, (list, tuple)) else []
    return any(isinstance(word, str) and is_glob(word) for word in words)


def globs_of(value: Any, key: str) -> tuple[str, ...]:
    """Return the globs among the words of ``nodes``."""
    words = [word for at, entry in items(value, key) for word in _expanded(text(entry, at), at)]
    return tuple(word for word in words if is_glob(word))


def matches(glob: str, name: str) -> bool:
    """Return whether a glob matches a name: ``*`` anything, ``?`` one character; case counts."""
    pattern = re.escape(glob).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(pattern, name) is not None


def _matched(glob: str, key: str, known: Collection[str] | None) -> list[str]:
    if known is None:
        raise SpecError(
            key,
            f"{described(glob)}: a glob has no place here.",
            hint="Write names, or a range such as g[01-48].",
        )
    if not _GLOB.fullmatch(glob):
        raise SpecError(key, f"{described(glob)} matches no name.", hint="For example g*.")
    return sorted((name for name in known if matches(glob, name)), key=natural_key)


def _expanded(pattern: str, key: str) -> list[str]:
    pieces = _RANGE.split(pattern)  # text, inside, text, inside, …, text
    if any("[" in piece or "]" in piece for piece in pieces[::2]):
        raise SpecError(key, f"{described(pattern)}: a bracket has no partner.", hint="g[1-3]")
    choices = [[p] if i % 2 == 0 else _inside(p, pattern, key) for i, p in enumerate(pieces)]
    total = 1
    for choice in choices:
        total *= len(choice)
    if total > MOST_NAMES:
        raise SpecError(key, f"{described(pattern)} stands for {total} names, too many.")
    return ["".join(words) for words in product(*choices)]


def _inside(inside: str, pattern: str, key: str) -> list[str]:
    names: list[str] = []
    for part in inside.split(","):
        match = _PART.fullmatch(part.strip())
        if not (match and part.isascii()):
            hint = "A range looks like g[1-3], g[01-48] or g[1,3-5]."
            raise SpecError(key, f"{described(pattern)}: [{inside[:40]}] is no range.", hint=hint)
        low, high = match[1], match[2] or match[1]
        if int(high) < int(low):
            raise SpecError(
                key,
                f"{described(pattern)}: the range runs backwards.",
                hint=f"Write [{high}-{low}].",
            )
        if int(high) - int(low) >= MOST_NAMES:
            raise SpecError(key, f"{described(pattern)} stands for too many names.")
        names += [str(n).zfill(len(low)) for n in range(int(low), int(high) + 1)]
    return names


def check_volume_name(value: Any, key: str) -> str:
    """Return a volume's name that gluster takes (facts.md#G-3.1)."""
    if isinstance(value, (bool, int, float)):  # 017 is 15 by now: what was written is lost
        hint = f"Put it in quotes; on a command line in two pairs: '\"{_written(value)}\"'."
        raise SpecError(key, f"YAML reads the name as {described(value)}.", hint=hint)
    text(value, key, "A volume's name has letters, digits, - and _.")
    name = str(value)  # with its blanks: a name that was trimmed is another one than was written
    if not _VOLUME.fullmatch(name) or name.startswith("-") or name in ("all", "volume"):
        hint = "Letters, digits, - and _; not all, not volume, not - in front."
        offered = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")
        if offered and offered not in (name, "all", "volume"):
            hint += f" For example {offered[:60]}."
        raise SpecError(key, f"{described(name)} cannot be the name of a volume.", hint=hint)
    if len(name) > 255:
        raise SpecError(key, f"{len(name)} characters, at most 255 are possible.")
    return name


def _written(value: bool | float) -> str:
    """Return what may have been written; YAML has made a number or a truth value of it."""
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def check_word(value: Any, key: str, what: str) -> str:
    """Return a plain name (node, zone, cluster): letters, digits, ``.``, ``-``, ``_``."""
    name = text(value, key)
    if not _WORD.fullmatch(name) or len(name) > 253:
        hint = "Letters, digits, '.', '-' and '_', beginning with a letter or digit."
        raise SpecError(key, f"{described(name)} cannot be the name of a {what}.", hint=hint)
    return name


def check_peer(value: Any, key: str) -> str:
    """Return what a member may be called: a node's name, or an address that gluster takes."""
    return check_host(value, key) if ":" in str(value) else check_word(value, key, "node")


def check_host(value: Any, key: str) -> str:
    """Return a host that gluster takes: a name or an address, no loopback (facts.md#C-J.3)."""
    host = text(value, key)
    bare = host.strip("[]")
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        looks_local = bare.lower().split(".")[0] in ("localhost", "ip6-localhost")
        if looks_local or re.fullmatch(r"[0-9.]+", bare):
            raise _bad_host(host, key) from None
        if len(host) > 253 or not all(_HOST.fullmatch(part) for part in host.split(".")):
            hint = "Letters, digits and '-' between dots; gluster takes no '_' in a host name."
            raise SpecError(key, f"{described(host)} is no host name.", hint=hint) from None
        return host
    unusable = address.is_loopback or address.is_unspecified or address.is_multicast
    if unusable or bare != host or "%" in host or host.startswith("0."):
        raise _bad_host(host, key)
    return host


def is_host(name: str) -> bool:
    """Return whether gluster takes a name as a host's."""
    try:
        check_host(name, "")
    except SpecError:
        return False
    return True


def _bad_host(host: str, key: str) -> SpecError:
    hint = "Write the name or the address under which the other nodes reach it."
    return SpecError(key, f"{described(host)} is no address that every node can use.", hint=hint)


def check_path(value: Any, key: str, what: str = "path") -> str:
    """Return an absolute, normal path; ``//`` and a trailing ``/`` are dropped, as gluster does.

    Blanks (gluster cuts there, facts.md#G-0.15), colons, ``..``, quotes and shell marks are errors.
    """
    path = text(value, key, "An absolute path such as /srv/gluster/data/1.")
    parts = [p for p in path.split("/") if p not in ("", ".")]
    kept: list[str] = []
    for part in parts:
        if part != "..":
            kept.append(part)
        elif kept:
            kept.pop()
    normal = "/" + "/".join(re.sub(r"[^\w.+,@=%~-]+", "-", p).strip("-") or "x" for p in kept)
    hint = f"Write {normal}." if kept else "An absolute path such as /srv/gluster/data/1."
    if not path.startswith("/"):
        raise SpecError(key, f"the {what} {described(path)} is not absolute.", hint=hint)
    if ".." in parts or "." in path.split("/"):
        raise SpecError(key, f"the {what} {described(path)} has '.' or '..' in it.", hint=hint)
    bad = [
        c for c in path if c != "/" and c not in _MARKS and not (c.isalnum() and c.isprintable())
    ]
    if bad:
        which = "a blank" if bad[0].isspace() else repr(bad[0])
        raise SpecError(key, f"the {what} {described(path)} has {which} in it.", hint=hint)
    if not parts:
        raise SpecError(key, f"the {what} cannot be the root directory.", hint=hint)
    if any(p.startswith("-") or len(p.encode()) > 255 for p in parts) or len(path.encode()) > 4000:
        raise SpecError(key, f"the {what} {described(path)} is too long or begins with '-'.")
    return "/" + "/".join(parts)


def check_brick_path(path: Any, key: str) -> str:
    """Return a brick's directory that gluster stores as it is written."""
    return check_path(path, key, "brick path")


def split_brick(value: Any, key: str) -> tuple[str, str]:
    """Return host and path of ``HOST:PATH``, both checked."""
    brick = text(value, key, "A brick looks like g1:/srv/gluster/data/1.")
    host, colon, path = brick.partition(":/")
    if not colon or not host:
        hint = f"Write g1:{brick.lstrip(':')}" if brick.lstrip(":").startswith("/") else ""
        hint = hint or "A brick looks like g1:/srv/gluster/data/1."
        lacks = "no host" if brick.lstrip(":").startswith("/") else "no absolute path after a host"
        raise SpecError(key, f"the brick {described(brick)} has {lacks}.", hint=hint)
    return check_host(host, key), check_brick_path("/" + path, key)


def refuse_ipv6(brick: str, key: str) -> None:
    """Raise for a brick on an IPv6 address, with or without brackets; they are no range."""
    if _IPV6_BRICK.match(brick):
        raise SpecError(
            key,
            f"the brick {described(brick)} is on an IPv6 address, and a pool on IPv6 is not built "
            "yet.",
            hint="Write a name that every node resolves.",
        )


def check_device(value: Any, key: str) -> str:
    """Return a device name that stays the same over a boot: by-id, by-path, or ``serial:XYZ``."""
    name = text(value, key)
    hint = (
        "Write /dev/disk/by-id/… or /dev/disk/by-path/… (`ls -l /dev/disk/by-id`), or serial:XYZ."
    )
    if _MOVES.fullmatch(name):
        raise SpecError(key, f"{name} may be another disk after the next boot.", hint=hint)
    if not (_STABLE.fullmatch(name) or _SERIAL.fullmatch(name)):
        near = nearest(name, ["/dev/disk/by-id/", "/dev/disk/by-path/", "serial:"])
        raise SpecError(key, f"{described(name)} is no stable device name.", hint=near or hint)
    if re.search(r"-part\d+$", name):
        raise SpecError(key, f"{name} is a partition.", hint="Name the whole disk.")
    return name
