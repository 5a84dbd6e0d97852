"""Parse one volume: a pillar's body or a state's arguments to :class:`VolumeSpec`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from salt_gluster.errors import SpecError
from salt_gluster.spec import values
from salt_gluster.spec.names import (
    ACCEPT,
    check_path,
    check_volume_name,
    expand,
    refuse_ipv6,
    split_brick,
)
from salt_gluster.spec.option import checked
from salt_gluster.spec.types import BrickSpec, MountSpec, PoolSpec, VolumeSpec

#: Shapes that a pillar may accept for good. Everything else is accepted per plan.
RISKS = ("replica2", "root_disk")
#: Limit of the erasure code, upstream ``EC_METHOD_MAX_FRAGMENTS``: more data bricks do not start.
MOST_DATA_BRICKS = 16

#: With it the line of fstab stays below what is read of one: glibc's ``getmntent`` cuts at 4,095.
MOST_MOUNT_OPTIONS = 1_000

_KEYS = (
    "replica", "arbiter", "disperse", "bricks", "only", "except", "options", "exclusive_options",
    "started", "transport", "mount", "accept_risk",
)  # fmt: skip
_LATER = {
    "thin_arbiter": "Take it out: none is built, and a volume that has one keeps its shape.",
    "size": "Take it out; bricks use their whole disk.",
    "profile": "Write the options under `options:`.",
    "allow": "Use `options: {auth.allow: '198.18.0.1,…'}` with addresses.",
    "reject": "Use `options: {auth.reject: '198.18.0.1,…'}` with addresses.",
    "quota": "Use `gluster volume quota` by hand; it is left alone here.",
    "bitrot": "Use `gluster volume bitrot` by hand; it is left alone here.",
    "snapshots": "Use `gluster snapshot` by hand.",
    "georep": "Use `gluster volume geo-replication` by hand; it is left alone here.",
    "rebalance": "Use `gluster volume rebalance` by hand after an expansion.",
    "labels": "Take it out.",
    "zone_rule": "Take it out; members of a set lie in different zones whenever there are enough.",
}


def parse_volume(
    name: Any, data: Any, *, key: str = "volume", pool: PoolSpec | None = None
) -> VolumeSpec:
    """Return what ``data`` wants of the volume, or raise ``SpecError`` naming the key.

    With ``pool``, bricks are ``NODE:PATH`` (name or address of its nodes) and ``only``, ``except``
    and ``mount: nodes`` are resolved to its nodes. Without, as for a state's arguments, bricks are
    ``HOST:PATH`` as gluster shall see them. ``accept_risk`` holds what the pool accepts as well.
    """
    name = check_volume_name(name, key)
    body = values.body({} if data is None else data, key, _KEYS, _LATER)
    risks = values.chosen(body.get("accept_risk", []), f"{key}:accept_risk", RISKS)
    risks |= pool.accept_risk if pool else frozenset()
    shape = _shape(body, key, risks)
    bricks = _bricks(
        body.get("bricks"), f"{key}:bricks", shape["disperse"] or shape["replica"], pool
    )
    volume = VolumeSpec(
        name=name,
        bricks=tuple(brick for _, brick in bricks),
        only=_where(body, "only", key, pool),
        except_=_where(body, "except", key, pool),
        options=_options(body.get("options"), f"{key}:options"),
        exclusive_options=values.flag(
            body.get("exclusive_options", False), f"{key}:exclusive_options"
        ),
        started=_started(body.get("started", True), f"{key}:started"),
        transport=_transport(body.get("transport", "tcp"), f"{key}:transport"),
        mount=_mount(body.get("mount"), f"{key}:mount", pool),
        accept_risk=risks,
        **shape,
    )
    if volume.bricks and (volume.only or volume.except_):
        raise SpecError(f"{key}:bricks", "bricks are named, so `only` and `except` say nothing.")
    _fit_in_file_names(volume, pool, key)
    return volume


# --- shape ---------------------------------------------------------------------------------------


def _shape(body: Mapping[str, Any], key: str, risks: frozenset[str]) -> dict[str, Any]:
    """Return replica, arbiter, disperse and redundancy."""
    if "disperse" in body:
        for other in ("replica", "arbiter"):
            if body.get(other):
                raise SpecError(
                    f"{key}:{other}", "a dispersed volume has none.", hint="Choose one."
                )
        total, redundancy = _disperse(body["disperse"], f"{key}:disperse")
        return {"replica": 1, "arbiter": False, "disperse": total, "redundancy": redundancy}
    at = f"{key}:replica"
    hint = "3 is the common number; leave the key out for a volume without copies."
    replica = values.number(body.get("replica", 1), at, hint)
    arbiter = values.flag(body.get("arbiter", False), f"{key}:arbiter")
    if not 1 <= replica <= 99:
        raise SpecError(at, f"{replica} copies are not possible.", hint=hint)
    if arbiter and replica != 3:
        hint = "Write replica: 3 and arbiter: true: two bricks with data and one arbiter."
        raise SpecError(at, f"an arbiter goes with replica: 3, this is {replica}.", hint=hint)
    if replica == 2 and "replica2" not in risks:
        hint = "Write replica: 3, or replica: 3 with arbiter: true (a small third brick)."
        hint += " If it has to be two: accept_risk: [replica2]."
        raise SpecError(at, "two copies end in split-brain sooner or later.", hint=hint)
    return {"replica": replica, "arbiter": arbiter, "disperse": 0, "redundancy": 0}


def _disperse(value: Any, key: str) -> tuple[int, int]:
    """Return (data + redundancy, redundancy) of ``k+m``."""
    hint = "Write data+redundancy, such as 4+2: six bricks, any two may be lost."
    match = re.fullmatch(r"\s*([0-9]{1,3})\s*\+\s*([0-9]{1,3})\s*", str(value)[:20])
    if not isinstance(value, str) or not match:
        raise SpecError(key, f"{values.described(value)} is not of the form k+m.", hint=hint)
    data, redundancy = int(match[1]), int(match[2])
    if redundancy < 1:
        raise SpecError(key, "redundancy has to be 1 or more.", hint=hint)
    if data <= redundancy:
        fix = f"Write {redundancy + 1}+{redundancy} or fewer redundancy bricks."
        raise SpecError(key, f"{value.strip()}: more data than redundancy is needed.", hint=fix)
    if data > MOST_DATA_BRICKS:
        fix = f"At most {MOST_DATA_BRICKS} bricks hold data; more sets serve as well."
        raise SpecError(key, f"{value.strip()}: {data} data bricks do not work.", hint=fix)
    return data + redundancy, redundancy


# --- bricks --------------------------------------------------------------------------------------


def _bricks(
    value: Any, key: str, set_size: int, pool: PoolSpec | None
) -> list[tuple[str, BrickSpec]]:
    """Return ``(key, brick)`` in set order, after every check that needs no look at a node."""
    if value is None:
        return []
    entries = values.items(value, key)
    if not entries:
        raise SpecError(key, "no brick is named.", hint="Leave the key out to have them chosen.")
    bricks: list[tuple[str, BrickSpec]] = []
    for at, entry in entries:
        refuse_ipv6(str(entry), at)
        for written in expand(entry, at):
            host, path = split_brick(written, at)
            bricks.append((at, BrickSpec(_node(host, at, pool), path)))
    check_apart(bricks)
    if len(bricks) % set_size:
        less, more = len(bricks) % set_size, set_size - len(bricks) % set_size
        hint = f"Add {more} or take {less} away." if len(bricks) > set_size else f"Add {more}."
        raise SpecError(
            key, f"{len(bricks)} bricks do not divide into sets of {set_size}.", hint=hint
        )
    for start in range(0, len(bricks), set_size):
        _on_different_nodes(bricks[start : start + set_size], start // set_size + 1)
    return bricks


def _node(host: str, key: str, pool: PoolSpec | None) -> str:
    if pool is None:
        return host
    node = pool.node_of(host)
    if node is None:
        hint = values.nearest(host, pool.nodes) or "Add it to `nodes`."
        raise SpecError(key, f"{host} is not one of the pool's nodes.", hint=hint)
    return node


def check_apart(bricks: Sequence[tuple[str, BrickSpec]]) -> None:
    """Raise where two bricks are the same directory or lie inside one another (facts.md#C-J.1)."""
    order = sorted(bricks, key=lambda b: (b[1].node.lower(), b[1].path.split("/")))
    for (_, first), (key, second) in pairwise(order):
        if first.node.lower() != second.node.lower():
            continue
        if first.path == second.path:
            hint = "A node has one name here, whatever its aliases."
            twice = f"the brick {second.node}:{second.path} is named twice."
            raise SpecError(key, twice, hint=hint)
        if second.path.startswith(first.path + "/"):
            hint = "Give them directories beside each other."
            inside = f"{second.path} lies inside the brick {first.path} of {second.node}."
            raise SpecError(key, inside, hint=hint)


def _on_different_nodes(bricks: Sequence[tuple[str, BrickSpec]], index: int) -> None:
    seen: set[str] = set()
    for key, brick in bricks if len(bricks) > 1 else ():
        if brick.node.lower() in seen:
            hint = "Bricks are taken set by set in the order written: g1, g2, g3, then g1 again."
            raise SpecError(key, f"two bricks of set {index} lie on {brick.node}.", hint=hint)
        seen.add(brick.node.lower())


def _fit_in_file_names(volume: VolumeSpec, pool: PoolSpec | None, key: str) -> None:
    """Raise where volume, host and path of a brick make too long a file name (facts.md#C-J.4)."""
    places = volume.bricks if pool is None else pool.places(volume)
    for brick in places:
        host = pool.address(brick.node) if pool else brick.node
        name = f"{volume.name}.{host}{brick.path.replace('/', '-')}.vol"
        if len(name.encode()) > 255:
            raise SpecError(
                f"{key}:bricks",
                f"volume, node and path {values.described(brick.path)} are too long together.",
                hint="Shorten the path."
                if volume.bricks
                else f"Shorten brick_root or the volume's name: {host}:{brick.path[:40]}…",
            )


# --- the rest ------------------------------------------------------------------------------------


def _where(body: Mapping[str, Any], name: str, key: str, pool: PoolSpec | None) -> tuple[str, ...]:
    """Return the nodes that ``only`` or ``except`` means; names of nodes and of zones are taken."""
    if name not in body:
        return ()
    at, value = f"{key}:{name}", body[name]
    if pool is None:
        raise SpecError(at, "bricks are named here, there is nothing to choose from.")
    if isinstance(value, Mapping):
        parts = values.body(value, at, ("nodes", "zones"), {"tags": "Name nodes or zones."})
    else:
        parts = {"": value}
    zones = set(pool.zones.values())
    known = {*pool.nodes, *zones}
    words = [w for part, names in parts.items() for w in expand(names, f"{at}:{part}", known)]
    wanted: set[str] = set()
    for word in words:
        members = [n for n in pool.nodes if word in (n, pool.zones.get(n))]
        if not members and not pool.awaits(word):
            hint = values.nearest(word, [*pool.nodes, *zones])
            raise SpecError(at, f"{word} is no node and no zone of this pool.", hint=hint)
        wanted.update(members)
    if not wanted and not (name == "except" and pool.globs):
        hint = ACCEPT if pool.globs else "Leave the key out."
        raise SpecError(at, "no node of the pool is named.", hint=hint)
    return tuple(n for n in pool.nodes if n in wanted)


def _options(value: Any, key: str) -> dict[str, str]:
    if value is None:
        return {}
    words = {k: option_text(v, f"{key}:{k}") for k, v in values.mapping(value, key).items()}
    return checked(words, key)


def option_text(value: Any, key: str) -> str:
    """Return an option's value as gluster's word: ``on``, ``20``, lists with commas."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float) and value == value and abs(value) < 1e15:
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, (list, tuple)) and value:
        return ",".join(option_text(v, key) for v in value)
    if not isinstance(value, str) or not value.strip():
        hint = "Leave the option out, or write its default, to have the default."
        raise SpecError(key, f"a value is expected, this is {values.described(value)}.", hint=hint)
    if not value.strip().isprintable():
        raise SpecError(key, "the value has a line break or another control character in it.")
    return value.strip()


def _started(value: Any, key: str) -> bool | None:
    return None if value is None else values.flag(value, key)


def _transport(value: Any, key: str) -> str:
    if value != "tcp":
        hint = "Take it out: tcp is the only transport since GlusterFS 8."
        raise SpecError(key, f"{values.described(value)} is no transport.", hint=hint)
    return "tcp"


def check_mount_options(value: Any, key: str) -> str:
    """Return mount options as one text with commas, from such a text or a list of them."""
    options = ",".join(values.text(entry, at) for at, entry in values.items(value, key) if entry)
    if not re.fullmatch(r"[\w.,:=/+%@-]*", options):
        hint = "They stand in one field of fstab: commas between them, no blanks."
        raise SpecError(key, "the mount options cannot be written so.", hint=hint)
    if len(options.encode()) > MOST_MOUNT_OPTIONS:
        raise SpecError(
            key, f"{len(options)} characters, at most {MOST_MOUNT_OPTIONS} are possible."
        )
    return options


def _mount(value: Any, key: str, pool: PoolSpec | None) -> MountSpec | None:
    if value is None:
        return None
    if isinstance(value, str):
        return MountSpec(check_path(value, key, "mount point"))
    later = {"clients": "Mounts are made on the pool's nodes; choose some with `nodes:`."}
    body = values.body(value, key, ("at", "options", "nodes", "servers"), later)
    if "at" not in body:
        raise SpecError(f"{key}:at", "the mount point is missing.", hint="at: /srv/data")
    options = check_mount_options(body.get("options", []), f"{key}:options")
    at, chosen = f"{key}:nodes", body.get("nodes", [])
    nodes = tuple(_node(n, at, pool) for n in expand(chosen, at, pool.nodes if pool else None))
    if chosen and not nodes:
        raise SpecError(at, "no node of the pool is named.", hint=ACCEPT)
    servers = "".join(values.chosen(body.get("servers", []), f"{key}:servers", ("consul",)))
    return MountSpec(check_path(body["at"], f"{key}:at", "mount point"), options, nodes, servers)
