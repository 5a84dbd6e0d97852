"""The one table of what can be done to a pool, in the operator's terms.

Each row names the brakes it needs, the gluster command it is made of, what it does to an
observation (``simulate``: a plan can be looked at before it is run), what counts as done when read
back
(``done``, because a clean reply proves nothing: facts.md#G-0.6, #G-0.7, #G-0.10), and which part of
the pool it may report as changed. Nothing is run here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from salt_gluster.model.pool import (
    Brick,
    BrickPath,
    BrickStatus,
    Observation,
    Peer,
    Step,
    Volume,
    VolumeStatus,
    is_known,
    known,
)

Args = Mapping[str, Any]

#: What ``volume create`` sets by itself (facts.md#G-3.2).
SET_BY_CREATE = {
    "storage.fips-mode-rchecksum": "on",
    "transport.address-family": "inet",
    "nfs.disable": "on",
}
SET_BY_CREATE_REPLICATE = {
    "cluster.granular-entry-heal": "on",
    "performance.client-io-threads": "off",
}

#: What ``volume profile V start`` sets, and its stop takes away again (facts.md#G-7.2).
SET_BY_PROFILE = {"diagnostics.latency-measurement": "on", "diagnostics.count-fop-hits": "on"}

WHOLE_POOL = ("not_held", "right_pool", "pool_whole", "single_version", "settled")
ON_VOLUME = (*WHOLE_POOL, "definitions_equal")
#: For what changes no definition and no file of a user: a node that is down must not forbid it.
UPKEEP = ("not_held", "right_pool", "majority")


@dataclass(frozen=True)
class Action:
    """One row. ``command`` is a row of ``gluster/commands.py``; "" = this node does it itself."""

    name: str
    brakes: tuple[str, ...]
    command: str
    arguments: Callable[[Args], dict[str, Any]]
    simulate: Callable[[Observation, str, Args], Observation]
    done: Callable[[Observation, str, Args], bool]
    seen: Callable[[Observation, Observation, str, Args], dict[str, Any]]
    replay: str


# --- describing ----------------------------------------------------------------------------------


def shape(volume: Volume) -> str:
    """Return the type in words: ``replica 3``, ``replica 2 + arbiter``, ``disperse 4+2``."""
    sets = len(volume.sets)
    if volume.kind == "disperse":
        data = volume.disperse - volume.redundancy
        return f"{sets} x disperse {data}+{volume.redundancy}"
    if volume.kind == "replicate":
        if volume.arbiter:
            return f"{sets} x replica {volume.replica - 1} + arbiter"
        return f"{sets} x replica {volume.replica}"
    return f"distribute {sets}"


def volume_diff(
    before: Volume | None, after: Volume | None, fields: Iterable[str], options: Iterable[str] = ()
) -> dict[str, Any]:
    """Return ``{field: {old, new}}`` between two definitions, for the named fields and options."""
    read: dict[str, Callable[[Volume], Any]] = {
        "type": shape,
        "transport": lambda v: v.transport,
        "bricks": lambda v: [b.name for b in v.bricks],
        "status": lambda v: v.status,
    }
    diff: dict[str, Any] = {}
    for field in fields:
        old, new = (read[field](v) if v else None for v in (before, after))
        if old != new:
            diff[field] = {"old": old, "new": new}
    changed = {}
    for name in sorted(options):
        old, new = (v.options.get(name) if v else None for v in (before, after))
        if old != new:
            changed[name] = {"old": old, "new": new}
    if changed:
        diff["options"] = changed
    return diff


# --- simulating ----------------------------------------------------------------------------------


def _with_volume(obs: Observation, volume: Volume) -> Observation:
    return replace(obs, volumes={**known(obs.volumes), volume.name: volume})


def _bricks(obs: Observation, names: Iterable[str], arbiter_every: int = 0) -> tuple[Brick, ...]:
    bricks = []
    for position, name in enumerate(names, 1):
        host, path = name.split(":", 1)
        peer = obs.peer_named(host)
        is_arbiter = bool(arbiter_every) and position % arbiter_every == 0
        bricks.append(Brick(host, path, peer.uuid if peer else "", is_arbiter))
    return tuple(bricks)


def _create(obs: Observation, subject: str, args: Args) -> Observation:
    replica, disperse = args.get("replica", 1), args.get("disperse", 0)
    arbiter = args.get("arbiter", 0)
    kind = "disperse" if disperse else "replicate" if replica > 1 else "distribute"
    options = {**SET_BY_CREATE, **(SET_BY_CREATE_REPLICATE if kind == "replicate" else {})}
    bricks = _bricks(obs, args["bricks"], replica if arbiter else 0)
    volume = Volume(
        name=subject,
        id="",
        status="Created",
        kind=kind,
        bricks=bricks,
        dist_count=len(bricks) // (disperse or replica),
        replica=replica,
        arbiter=arbiter,
        disperse=disperse,
        redundancy=args.get("redundancy", 0),
        transport=args.get("transport", "tcp"),
        options=options,
    )
    return _with_volume(obs, volume)


def _status(status: str) -> Callable[[Observation, str, Args], Observation]:
    def simulate(obs: Observation, subject: str, _: Args) -> Observation:
        return _with_volume(obs, replace(known(obs.volumes)[subject], status=status))

    return simulate


def _set(obs: Observation, subject: str, args: Args) -> Observation:
    volume = known(obs.volumes)[subject]
    return _with_volume(obs, replace(volume, options={**volume.options, **args["options"]}))


def _reset(obs: Observation, subject: str, args: Args) -> Observation:
    volume = known(obs.volumes)[subject]
    left = {k: v for k, v in volume.options.items() if k != args["option"]}
    return _with_volume(obs, replace(volume, options=left))


def _profile(obs: Observation, subject: str, args: Args) -> Observation:
    volume = known(obs.volumes)[subject]
    left = {k: v for k, v in volume.options.items() if k not in SET_BY_PROFILE}
    on = SET_BY_PROFILE if args["on"] else {}
    return _with_volume(obs, replace(volume, options={**left, **on}))


def _add_bricks(obs: Observation, subject: str, args: Args) -> Observation:
    volume = known(obs.volumes)[subject]
    replica = args.get("replica") or volume.replica
    arbiter = args.get("arbiter") or volume.arbiter
    if replica == volume.replica:
        new = _bricks(obs, args["bricks"], volume.set_size if arbiter else 0)
        bricks = (*volume.bricks, *new)
    else:  # one new member for every set, behind those it has
        per_set = replica - volume.replica
        new = _bricks(obs, args["bricks"], per_set if arbiter and not volume.arbiter else 0)
        bricks = ()
        for at, old in enumerate(volume.sets):
            bricks = (*bricks, *old.bricks, *new[at * per_set : (at + 1) * per_set])
    kind = "replicate" if replica > 1 else volume.kind
    count = len(bricks) // (volume.disperse or replica)
    grown = replace(
        volume, bricks=bricks, replica=replica, arbiter=arbiter, kind=kind, dist_count=count
    )
    return _with_volume(obs, grown)


def _delete(obs: Observation, subject: str, _: Args) -> Observation:
    return replace(obs, volumes={n: v for n, v in known(obs.volumes).items() if n != subject})


def _probe(obs: Observation, _: str, args: Args) -> Observation:
    candidate = obs.candidates.get(args["node"])
    uuid = candidate.uuid if candidate and is_known(candidate.uuid) else f"new-{args['host']}"
    peers = known(obs.peers)
    if any(p.uuid == uuid for p in peers):
        named = tuple(
            replace(p, names=(*p.names, args["host"])) if p.uuid == uuid else p for p in peers
        )
        return replace(obs, peers=named)
    return replace(obs, peers=(*peers, Peer(str(uuid), (args["host"],), True, 3)))


def _detach(obs: Observation, _: str, args: Args) -> Observation:
    gone = obs.peer_named(args["host"])
    return replace(obs, peers=tuple(p for p in known(obs.peers) if p is not gone))


def _restart(obs: Observation, subject: str, args: Args) -> Observation:
    status = obs.status.get(subject)
    if status is None or not is_known(status):
        return obs
    host, path = args["brick"].split(":", 1)
    row = BrickStatus(host, path, args["node"], True, 1, 1)
    others = tuple(r for r in status.bricks if (r.host_uuid, r.path) != (args["node"], path))
    return replace(
        obs, status={**obs.status, subject: replace(status, bricks=(*others, row))}
    )  # fmt: skip


def _prepare(obs: Observation, subject: str, args: Args) -> Observation:
    path = replace(
        obs.paths.get(subject) or BrickPath(subject, False, False, "/"),
        exists=True,
        parent_exists=True,
        volume_id=None,
        **({"filesystem": args["mount"]} if args.get("mount") else {}),
    )
    return replace(obs, paths={**obs.paths, subject: path})


# --- read back -----------------------------------------------------------------------------------


def _is_created(obs: Observation, subject: str, args: Args) -> bool:
    volume = known(obs.volumes).get(subject)
    return volume is not None and not volume.is_broken and _has_bricks(obs, subject, args)


def _has_bricks(obs: Observation, subject: str, args: Args) -> bool:
    volume = known(obs.volumes).get(subject)
    return volume is not None and set(args["bricks"]) <= {b.name for b in volume.bricks}


def _has_status(status: str) -> Callable[[Observation, str, Args], bool]:
    def done(obs: Observation, subject: str, _: Args) -> bool:
        volume = known(obs.volumes).get(subject)
        return volume is not None and volume.status == status

    return done


def _is_serving(obs: Observation, subject: str, args: Args) -> bool:
    """Started, and every brick of a usable member has a row that is up (facts.md#G-0.10, #G-0.12).

    Where nobody asked for the rows, the definition alone decides.
    """
    volume = known(obs.volumes).get(subject)
    if volume is None or not volume.is_started:
        return False
    if subject not in obs.status:
        return True
    status = obs.status[subject]
    return is_known(status) and not bricks_down(obs, volume, status)


def bricks_down(obs: Observation, volume: Volume, status: VolumeStatus) -> tuple[str, ...]:
    """Return the bricks of usable members without a row that is up; a missing row is not up."""
    usable = {p.uuid for p in known(obs.peers) if p.usable}
    up = {(row.host_uuid, row.path) for row in status.bricks if row.up}
    here = (b for b in volume.bricks if b.host_uuid in usable)
    return tuple(sorted(b.name for b in here if (b.host_uuid, b.path) not in up))


def _brick_serves(obs: Observation, subject: str, args: Args) -> bool:
    """One brick has a row that is up; without rows nothing is known, so it is not done."""
    status = obs.status.get(subject)
    if status is None or not is_known(status):
        return False
    wanted = (args["node"], args["path"])
    return any((row.host_uuid, row.path) == wanted and row.up and row.pid for row in status.bricks)


def _has_options(obs: Observation, subject: str, args: Args) -> bool:
    volume = known(obs.volumes).get(subject)
    return volume is not None and all(
        volume.options.get(k) == v for k, v in args["options"].items()
    )


def _lacks_option(obs: Observation, subject: str, args: Args) -> bool:
    volume = known(obs.volumes).get(subject)
    return volume is not None and args["option"] not in volume.options


def is_profiled(volume: Volume) -> bool:
    """Return whether profiling is switched on for the volume."""
    return all(volume.options.get(k) == v for k, v in SET_BY_PROFILE.items())


def _has_profile(obs: Observation, subject: str, args: Args) -> bool:
    volume = known(obs.volumes).get(subject)
    return volume is not None and is_profiled(volume) == args["on"]


def _is_member(obs: Observation, _: str, args: Args) -> bool:
    peer = obs.peer_named(args["host"])
    return peer is not None and peer.usable


def _is_no_member(obs: Observation, _: str, args: Args) -> bool:
    return obs.peer_named(args["host"]) is None


def _is_prepared(obs: Observation, subject: str, _: Args) -> bool:
    path = obs.paths.get(subject)
    return path is not None and path.exists and path.volume_id is None


# --- what was seen to change ---------------------------------------------------------------------


def _seen_volume(*fields: str) -> Callable[[Observation, Observation, str, Args], dict[str, Any]]:
    def seen(before: Observation, after: Observation, subject: str, args: Args) -> dict[str, Any]:
        options = args.get("options", ()) or ([args["option"]] if "option" in args else [])
        old, new = (known(o.volumes).get(subject) for o in (before, after))
        diff = volume_diff(old, new, fields, options)
        return {subject: diff} if diff else {}

    return seen


def _seen_peer(before: Observation, after: Observation, _: str, args: Args) -> dict[str, Any]:
    old, new = (_membership(o, args["host"]) for o in (before, after))
    return {args["host"]: {"old": old, "new": new}} if old != new else {}


def _membership(obs: Observation, host: str) -> str | None:
    peer = obs.peer_named(host)
    return None if peer is None else "member"


def _seen_brick(
    before: Observation, after: Observation, subject: str, args: Args
) -> dict[str, Any]:
    old, new = ("up" if _brick_serves(o, subject, args) else "down" for o in (before, after))
    return {args["brick"]: {"old": old, "new": new}} if old != new else {}


def _seen_path(before: Observation, after: Observation, subject: str, _: Args) -> dict[str, Any]:
    old, new = (_presence(o, subject) for o in (before, after))
    return {subject: {"old": old, "new": new}} if old != new else {}


def _seen_profile(before: Observation, after: Observation, subject: str, _: Args) -> dict[str, Any]:
    old, new = (known(o.volumes).get(subject) for o in (before, after))
    diff = volume_diff(old, new, (), SET_BY_PROFILE)
    return {subject: diff} if diff else {}


def _presence(obs: Observation, path: str) -> str | None:
    there = obs.paths.get(path)
    if there is None or not there.exists:
        return None
    return "left over from a failed create" if there.volume_id else "ready"


def _args(*names: str) -> Callable[[Args], dict[str, Any]]:
    """Pass these arguments on, under the names of the commands table; a count of 0 is left out."""

    def arguments(args: Args) -> dict[str, Any]:
        given = {n: args[n] for n in names if args.get(n)}
        if "root_disk" in args.get("accept_risk", ()):
            given["force"] = True  # gluster's only way to a brick on the root file system
        return given

    return arguments


def _unseen(name: str, command: str, replay: str, *arguments: str) -> Action:
    """Return the row of an action without a trace in any observation."""
    return Action(
        name, UPKEEP, command, _args(*arguments),
        lambda obs, *_: obs, lambda *_: True, lambda *_: {}, replay,
    )  # fmt: skip


_ROWS = (
    Action(
        "peer_probe", ("not_held", "right_pool", "majority", "single_version"),
        "peer_probe", _args("host"), _probe, _is_member, _seen_peer,
        "a member is answered 'already in peer list'",
    ),
    Action(
        "peer_detach", WHOLE_POOL,
        "peer_detach", _args("host"), _detach, _is_no_member, _seen_peer,
        "an unknown host is answered 'not part of cluster'; one with bricks is refused",
    ),
    Action(
        "brick_prepare", ("not_held",),
        "", dict, _prepare, _is_prepared, _seen_path,
        "an existing directory is left as it is",
    ),
    Action(
        "volume_create", (*ON_VOLUME, "paths_fit"),
        "volume_create",
        _args("bricks", "replica", "arbiter", "disperse", "redundancy", "transport"),
        _create, _is_created, _seen_volume("type", "transport", "bricks", "status"),
        "'already exists': compare",
    ),
    Action(
        "volume_start", ON_VOLUME,
        "volume_start", _args(), _status("Started"), _is_serving, _seen_volume("status"),
        "'already started': done",
    ),
    # Starts every brick of the volume that is down (facts.md#G-0.10): the guards judged them all.
    Action(
        "brick_restart", ON_VOLUME,
        "volume_start", lambda _: {"force": True}, _restart, _brick_serves, _seen_brick,
        "a brick that serves is left as it is",
    ),
    Action(
        "volume_stop", ON_VOLUME,
        "volume_stop", _args(), _status("Stopped"), _has_status("Stopped"), _seen_volume("status"),
        "'not in the started state': done",
    ),
    Action(
        "volume_delete", ON_VOLUME,
        "volume_delete", _args(), _delete,
        lambda obs, subject, _: subject not in known(obs.volumes),
        _seen_volume("type", "transport", "bricks", "status"),
        "'does not exist': done",
    ),
    Action(
        "options_set", ON_VOLUME,
        "volume_set", _args("options"), _set, _has_options, _seen_volume(),
        "values are compared right before; an equal value is never sent, it raises the version",
    ),
    Action(
        "option_reset", ON_VOLUME,
        "volume_reset", _args("option"), _reset, _lacks_option, _seen_volume(),
        "an option that is not set is not reset",
    ),
    Action(
        "bricks_add", (*ON_VOLUME, "paths_fit"),
        "volume_add_brick", _args("bricks", "replica", "arbiter"), _add_bricks, _has_bricks,
        _seen_volume("type", "bricks"),
        "'not available': compare with the brick list",
    ),
    Action(
        "volume_profile_start", ON_VOLUME,
        "profile_start", _args(), _profile, _has_profile, _seen_profile,
        "'already started': done",
    ),
    Action(
        "volume_profile_stop", ON_VOLUME,
        "profile_stop", _args(), _profile, _has_profile, _seen_profile,
        "'not started': done",
    ),
    # No observation shows that these were done: they are carried out by ``apply.once``.
    _unseen("volume_heal", "heal_launch", "starts a look that ends by itself"),
    _unseen("volume_heal_full", "heal_full", "starts another crawl"),
    _unseen("volume_log_rotate", "log_rotate", "rotates once more", "brick"),
    _unseen("volume_statedump", "statedump", "writes another dump", "dump"),
)  # fmt: skip

ACTIONS: Mapping[str, Action] = {row.name: row for row in _ROWS}


def simulate(obs: Observation, step: Step) -> Observation:
    """Return the observation as it should be after ``step``."""
    return ACTIONS[step.action].simulate(obs, step.subject, step.args)


def is_done(obs: Observation, step: Step) -> bool:
    """Return whether the step's post-condition holds."""
    return ACTIONS[step.action].done(obs, step.subject, step.args)


def seen_changes(before: Observation, after: Observation, step: Step) -> dict[str, Any]:
    """Return what changed between two observations, of the things this step may change."""
    return ACTIONS[step.action].seen(before, after, step.subject, step.args)
