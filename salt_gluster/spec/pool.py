"""Parse one pool: the pillar below ``gluster`` to :class:`PoolSpec`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from salt_gluster.errors import SpecError
from salt_gluster.spec import values
from salt_gluster.spec.names import (
    ACCEPT,
    check_device,
    check_host,
    check_path,
    check_volume_name,
    check_word,
    expand,
    globs_of,
    is_host,
)
from salt_gluster.spec.remediation import parse_remediation
from salt_gluster.spec.types import PoolSpec, VolumeSpec
from salt_gluster.spec.volume import RISKS, check_apart, parse_volume

_KEYS = (
    "nodes", "cluster", "addresses", "zones", "arbiters", "devices", "brick_root", "volumes",
    "accept_risk", "remediation",
)  # fmt: skip
_LATER = {
    "version": "Install the version that you want with the system's packages.",
    "tls": "Take it out.",
    "spares": "Add the node to `nodes` when it is needed.",
    "notify": "Take it out.",
    "profiles": "Write the options under each volume's `options:`.",
    "tags": "Use `zones:`, or name nodes.",
    "labels": "Take it out.",
    "clusters": "One pool under `gluster:` for now.",
}
#: What of a declaration names the nodes of the pool, and their places.
WHO = ("nodes", "cluster", "addresses", "zones")
_NO_DEVICES = "Name the disks: [/dev/disk/by-id/…], or leave the key out to use directories."


def parse_pool(data: Any, *, key: str = "gluster", known: Collection[str] = ()) -> PoolSpec:
    """Return the pool that the pillar's body wants, or raise ``SpecError`` naming the key.

    ``known`` are the names that a glob of ``nodes`` may stand for: those that were accepted; one
    that gluster takes as no host name and that has no address is none of them. Any mapping is taken
    (Salt's MaskedDict too) and copied. Nothing is looked up outside.
    """
    body = values.body({} if data is None else data, key, _KEYS, _LATER)
    who = _nodes(body, key, known)
    addresses = _addresses(body.get("addresses"), f"{key}:addresses", who)
    _reachable(who.nodes, addresses, key)
    pool = replace(
        who,
        cluster=check_word(body.get("cluster", "main"), f"{key}:cluster", "cluster"),
        addresses=addresses,
        zones=_zones(body.get("zones"), f"{key}:zones", who),
        arbiters=_arbiters(body.get("arbiters"), f"{key}:arbiters", who),
        devices=_devices(body.get("devices"), f"{key}:devices"),
        brick_root=check_path(body.get("brick_root", "/srv/gluster"), f"{key}:brick_root"),
        accept_risk=values.chosen(body.get("accept_risk", []), f"{key}:accept_risk", RISKS),
        remediation=parse_remediation(body.get("remediation"), f"{key}:remediation"),
    )
    declared = values.mapping(body.get("volumes") or {}, f"{key}:volumes")
    volumes: dict[str, VolumeSpec] = {}
    for name, entry in declared.items():
        # Checked before it becomes part of a key that is printed.
        at = f"{key}:volumes:{check_volume_name(name, f'{key}:volumes')}"
        volumes[name.strip()] = volume = parse_volume(name, entry, key=at, pool=pool)
        _enough_nodes(volume, pool, at)
    pool = replace(pool, volumes=volumes)
    _apart(pool, f"{key}:volumes")
    return pool


def parse_nodes(data: Mapping[str, Any], known: Collection[str] = ()) -> PoolSpec:
    """Return the nodes of the pool and their places; wrong volumes, too few nodes do not matter."""
    return parse_pool({k: data[k] for k in WHO if data.get(k) is not None}, known=known)


def _nodes(body: Mapping[str, Any], key: str, known: Collection[str]) -> PoolSpec:
    """Return a pool with ``nodes`` and ``globs`` alone."""
    at, hint = f"{key}:nodes", "For example nodes: g[1-3], with the minion ids."
    if body.get("nodes") is None:
        raise SpecError(at, "it says who is in the pool and is missing.", hint=hint)
    given = body.get("addresses")
    addresses = given if isinstance(given, Mapping) else {}
    usable = [name for name in known if name in addresses or is_host(name)]
    nodes, named = expand(body["nodes"], at, usable), expand(body["nodes"], at, ())
    globs = globs_of(body["nodes"], at)
    if globs and not nodes:
        raise SpecError(
            at, f"{', '.join(globs)}: no node of that name is accepted yet.",
            hint="Write the names of the first nodes beside it (nodes: ['g[1-3]', 'g*']); or, where"
            f" salt-run gluster.setup was run: {ACCEPT}",
        )  # fmt: skip
    if not nodes:
        raise SpecError(at, "no node is named.", hint=hint)
    nodes = tuple(check_word(node, at, "node") for node in nodes)
    return PoolSpec(nodes, named=named, globs=globs)


def _some(value: Any, key: str, who: PoolSpec) -> tuple[str, ...]:
    """Return some of the pool's nodes, in the order written, without those it still waits for."""
    names = () if value is None else expand(value, key, who.nodes)
    return tuple(_one(name, key, who) for name in names if not who.awaits(name))


def _one(name: str, key: str, who: PoolSpec) -> str:
    if name not in who.nodes:
        hint = values.nearest(name, who.nodes) or "Add it to `nodes`."
        raise SpecError(key, f"{values.described(name)} is not one of `nodes`.", hint=hint)
    return name


def _arbiters(value: Any, key: str, who: PoolSpec) -> tuple[str, ...]:
    """Return the nodes for arbiters; an empty list would mean all nodes."""
    arbiters = _some(value, key, who)
    if value and not arbiters:
        raise SpecError(key, "none of these nodes is accepted yet.", hint=ACCEPT)
    return arbiters


def _addresses(value: Any, key: str, who: PoolSpec) -> dict[str, str]:
    if value is None:
        return {}
    taken = {node.lower(): node for node in who.nodes}
    addresses: dict[str, str] = {}
    for name, host in values.mapping(value, key).items():
        if who.awaits(name):
            continue
        node = _one(name, key, who)
        address = check_host(host, f"{key}:{node}")
        if ":" in address:
            raise SpecError(
                f"{key}:{node}",
                f"{address} is an IPv6 address, and a pool on IPv6 is not built yet.",
                hint="Write an IPv4 address, or a name that every node resolves.",
            )
        owner = taken.setdefault(address.lower(), node)
        if owner != node:
            hint = "Each node needs a host name or address of its own."
            raise SpecError(f"{key}:{node}", f"{address} is {owner} already.", hint=hint)
        addresses[node] = address
    return addresses


def _reachable(nodes: tuple[str, ...], addresses: Mapping[str, str], key: str) -> None:
    """Raise where gluster takes a minion id as no host name and no address is given."""
    for node in nodes:
        if node in addresses:
            continue
        try:
            check_host(node, f"{key}:nodes")
        except SpecError as error:
            fix = f"Give the host name that gluster shall use: addresses: {{{node}: …}}."
            raise SpecError(error.key, f"{node} is no host name for gluster.", hint=fix) from None


def _zones(value: Any, key: str, who: PoolSpec) -> dict[str, str]:
    """Return node -> zone from zone -> nodes."""
    if value is None:
        return {}
    zones: dict[str, str] = {}
    for name, members in values.mapping(value, key).items():
        zone = check_word(name, key, "zone")
        if zone in who.nodes:
            raise SpecError(f"{key}:{zone}", "a node has this name.", hint="Name the zone else.")
        for node in _some(members, f"{key}:{zone}", who):
            if zones.setdefault(node, zone) != zone:
                hint = "A node is in one zone."
                raise SpecError(
                    f"{key}:{zone}", f"{node} is in zone {zones[node]} already.", hint=hint
                )
    return zones


def _devices(value: Any, key: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, Mapping):
        body = values.body(value, key, ("data", "layout"))
        if body.get("layout", "plain") != "plain":
            raise SpecError(f"{key}:layout", "only plain is built yet.", hint="Take `layout` out.")
        value, key = body.get("data"), f"{key}:data"
    if isinstance(value, str) and value.strip() == "auto":
        raise SpecError(key, "auto is known but not built yet.", hint=_NO_DEVICES)
    devices = tuple(check_device(name, key) for name in expand(value, key))
    if not devices:
        raise SpecError(key, "no disk is named.", hint=_NO_DEVICES)
    return devices


def _enough_nodes(volume: VolumeSpec, pool: PoolSpec, key: str) -> None:
    """Two members of a set never share a node, so that a set needs as many nodes as bricks."""
    places = pool.places(volume)
    full = {p.node for p in places if not p.arbiter_only}
    every = {p.node for p in places}
    need = volume.set_size - (1 if volume.arbiter else 0)
    if len(every) < volume.set_size or len(full) < need:
        what = "disperse" if volume.disperse else "replica"
        have = len(every) if len(every) < volume.set_size else len(full)
        which = "may have its bricks" if have == len(every) else "may have bricks with data"
        raise SpecError(
            f"{key}:{what if volume.set_size > 1 else 'only'}",
            f"a set has {volume.set_size} bricks on as many nodes, and {have} {which}.",
            hint=ACCEPT if pool.globs else "Add nodes, or widen `only`, `except` or `arbiters`.",
        )


def _apart(pool: PoolSpec, key: str) -> None:
    """Raise where bricks or mount points of different volumes get into each other's way."""
    named = [(f"{key}:{v.name}:bricks", brick) for v in pool.volumes.values() for brick in v.bricks]
    check_apart(named)
    chosen = [v.name for v in pool.volumes.values() if not v.bricks]
    roots = {path: name for name in chosen for path in pool.brick_paths(name)}
    for at, brick in named:
        for path, name in _related(brick.path, roots, pool.brick_root):
            hint = f"The bricks of {name} are chosen: {path}. Use a path outside brick_root."
            raise SpecError(at, f"{brick.path} gets in the way of volume {name}.", hint=hint)
    mounts: dict[tuple[str, str], str] = {}
    for volume in pool.volumes.values():
        if volume.mount is None:
            continue
        at, point = f"{key}:{volume.name}:mount", volume.mount.at
        inside = f"{point}/".startswith(f"{pool.brick_root}/")
        if inside or f"{pool.brick_root}/".startswith(f"{point}/"):
            raise SpecError(at, f"{point} and brick_root {pool.brick_root} get mixed up.")
        for node in volume.mount.nodes or pool.nodes:
            other = mounts.setdefault((node, point), volume.name)
            if other != volume.name:
                raise SpecError(at, f"{other} is mounted at {point} of {node} already.")


def _related(path: str, roots: Mapping[str, str], brick_root: str) -> list[tuple[str, str]]:
    """Return the chosen brick paths that ``path`` holds or lies in."""
    if not f"{path}/".startswith(f"{brick_root}/") and not f"{brick_root}/".startswith(f"{path}/"):
        return []
    return [
        (root, name)
        for root, name in roots.items()
        if f"{root}/".startswith(f"{path}/") or f"{path}/".startswith(f"{root}/")
    ]
