"""The states of Salt's own ``glusterfs`` (until 3007), over the functions of its module.

Comments and changes are Salt's; what was a defect is not kept (docs/legacy.md): test mode changes
nothing and tells what the run would, a volume of another shape is not "already exists", a peer that
is away is not "already peered".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from salt_gluster.errors import GlusterError, SpecError
from salt_gluster.gluster import arguments
from salt_gluster.minion.legacy import brick_list

#: Where the module leaves, in Salt's context of a run, why gluster refused the last call.
WHY = "salt_gluster_legacy_why"
#: As ``volume info`` tells it.
_TRANSPORT = {"0": "tcp", "1": "rdma", "2": "tcp,rdma"}

State = dict[str, Any]


@dataclass(frozen=True)
class Salt:
    """What a state has of Salt: the functions, test mode, and the context of the run."""

    call: Mapping[str, Callable[..., Any]]
    test: bool
    context: Mapping[str, Any]

    def failed(self, text: str) -> str:
        """Return a failure with gluster's reason, where there is one."""
        why = self.context.get(WHY)
        return f"{text}: {why}" if why else text


def _state(name: str, comment: str, result: bool | None = False, **changes: Any) -> State:
    return {"name": name, "changes": changes, "comment": comment, "result": result}


def peered(name: str, salt: Salt, is_here: Callable[[str], bool]) -> State:
    """Ensure that a host is a peer; one that is rejected or away is not well peered."""
    if not _is_name(arguments.host, name):
        return _state(name, "Invalid characters in peer name.")
    if is_here(name):
        return _state(name, "Peering with localhost is not needed", True)
    before = salt.call["glusterfs.peer_status"]()
    if (peer := _peer(before, name)) is not None:
        bad = _is_bad(peer)
        told = f"Host {name} already peered" + (f", but it is {bad}" if bad else "")
        return _state(name, told, not bad)
    if salt.test:
        return _state(name, f"Peer {name} will be added.", None)
    if not salt.call["glusterfs.peer"](name):
        failed = f"Failed to peer with {name}, please check logs for errors"
        return _state(name, salt.failed(failed))
    after = salt.call["glusterfs.peer_status"]()
    if _peer(after, name) is None:
        missing = "was successfully peered but did not appear in the list of peers"
        return _state(name, f"Host {name} {missing}")
    return _state(name, f"Host {name} successfully peered", True, new=after, old=before)


def _peer(peers: Any, name: str) -> Mapping[str, Any] | None:
    found = (peer for peer in (peers or {}).values() if name in peer["hostnames"])
    return next(found, None)


def _is_bad(peer: Mapping[str, Any]) -> str:
    if peer.get("state", "3") != "3":
        return str(peer.get("stateStr") or "no member")
    return "" if peer.get("connected", "1") == "1" else "not connected"


# --- volumes -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wanted:
    """What a state says of a volume."""

    bricks: Any
    stripe: Any
    replica: Any
    device_vg: Any
    transport: str
    start: bool
    force: bool
    arbiter: bool


def volume_present(name: str, wanted: Wanted, salt: Salt) -> State:
    """Ensure that a volume exists with these bricks, and is started where that is wanted."""
    if not _is_name(arguments.volume, name):
        return _state(name, "Invalid characters in volume name.")
    try:
        bricks = brick_list(wanted.bricks)
    except SpecError as err:
        return _state(name, str(err))
    names = salt.call["glusterfs.list_volumes"]()
    if names is None:
        return _state(name, salt.failed("The volumes could not be listed"))
    if name not in names:
        if salt.test:
            also = " and started" if wanted.start else ""
            return _state(name, f"Volume {name} will be created{also}", None, old=[], new=[name])
        made, told = _create(name, bricks, wanted, salt)
        if told:
            return _state(name, told)
    else:
        made = False
        volume = (salt.call["glusterfs.info"]() or {}).get(name) or {}
        if differs := _differences(volume, bricks, wanted, salt):
            return _state(name, f"Volume {name} already exists, but differs: {differs}")
    return _with_start(name, made, wanted, salt)


def _create(name: str, bricks: Sequence[str], wanted: Wanted, salt: Salt) -> tuple[bool, str]:
    """Return whether it was made here, and what failed; another node may have been faster."""
    created = salt.call["glusterfs.create_volume"](
        name, list(bricks), wanted.stripe, wanted.replica, wanted.device_vg, wanted.transport,
        False, wanted.force, wanted.arbiter,
    )  # fmt: skip
    failed = salt.failed(f"Creation of volume {name} failed")
    if name in (salt.call["glusterfs.list_volumes"]() or ()):
        return bool(created), ""
    return False, failed if not created else f"Volume {name} was created, but is not listed"


def _with_start(name: str, made: bool, wanted: Wanted, salt: Salt) -> State:
    comment = f"Volume {name} is created" if made else f"Volume {name} already exists"
    changes: dict[str, Any] = {"old": [], "new": [name]} if made else {}
    if not wanted.start:
        return _state(name, comment, True, **changes)
    if _is_started(name, salt):
        return _state(name, f"{comment} and is started", True, **changes)
    changes = changes or {"old": "stopped", "new": "started"}
    if salt.test:
        return _state(name, f"{comment} and will be started", None, **changes)
    if salt.call["glusterfs.start_volume"](name):
        return _state(name, f"{comment} and is now started", True, **changes)
    failed = salt.failed(f"{comment} but failed to start. Check logs for further information")
    if _is_started(name, salt):  # by another node, at the same moment
        return _state(name, f"{comment} and is started", True, **(changes if made else {}))
    return _state(name, failed, **(changes if made else {}))


def _is_started(name: str, salt: Salt) -> bool:
    volume = (salt.call["glusterfs.info"]() or {}).get(name) or {}
    return str(volume.get("status")) == "1"


def _differences(
    volume: Mapping[str, Any], bricks: Iterable[str], wanted: Wanted, salt: Salt
) -> str:
    """Say what a volume that exists has otherwise. More bricks than these are no difference."""
    found = []
    if "bricks" in volume:
        missing = _missing(bricks, volume["bricks"].values(), salt)
        found += [f"it has no brick {brick}" for brick in missing]
    counts = {
        "replica": (wanted.replica or 1, volume.get("replicaCount")),
        "arbiter": (int(wanted.arbiter), volume.get("arbiterCount")),
        "transport": (wanted.transport, _TRANSPORT.get(str(volume.get("transport")))),
    }
    for key, (declared, has) in counts.items():
        if has is not None and str(declared) != str(has):
            found.append(f"{key} is {has}, not {declared}")
    return "; ".join(found)


def _missing(bricks: Iterable[str], there: Iterable[Mapping[str, Any]], salt: Salt) -> list[str]:
    """Return the bricks that are not there; a host counts under each of its names."""
    have = list(there)
    open_ones = [b for b in bricks if b not in [brick_list(h["path"])[0] for h in have]]
    asked = salt.call.get("glusterfs.peer_status") if open_ones else None
    peers = (asked() if asked else None) or {}
    uuids = {name: uuid for uuid, peer in peers.items() for name in peer["hostnames"]}
    # A host that no peer is called may be this node, which is none of its own peers.
    places = {(h.get("hostUuid"), h["path"].partition(":")[2]) for h in have}
    own = {(None, path) for uuid, path in places if uuid not in peers}

    def is_there(brick: str) -> bool:
        host, _, path = brick.partition(":")
        return (uuids.get(host), path) in places | own

    return [brick for brick in open_ones if not is_there(brick)]


def started(name: str, salt: Salt) -> State:
    """Ensure that a volume is started."""
    volume = (salt.call["glusterfs.info"]() or {}).get(name)
    if volume is None:
        return _state(name, f"Volume {name} does not exist")
    if str(volume["status"]) == "1":
        return _state(name, f"Volume {name} is already started", True)
    changes = {"old": "stopped", "new": "started"}
    if salt.test:
        return _state(name, f"Volume {name} will be started", None, **changes)
    if salt.call["glusterfs.start_volume"](name):
        return _state(name, f"Volume {name} is started", True, **changes)
    failed = salt.failed(f"Failed to start volume {name}")
    if _is_started(name, salt):  # by another node, at the same moment
        return _state(name, f"Volume {name} is already started", True)
    return _state(name, failed)


def add_volume_bricks(name: str, bricks: Any, salt: Salt) -> State:
    """Ensure that a volume has these bricks, too."""
    volume = (salt.call["glusterfs.info"]() or {}).get(name)
    if volume is None:
        return _state(name, f"Volume {name} does not exist")
    if str(volume["status"]) != "1":
        return _state(name, f"Volume {name} is not started")
    try:
        new = _missing(brick_list(bricks), volume["bricks"].values(), salt)
    except SpecError as err:
        return _state(name, str(err))
    if not new:
        return _state(name, f"Bricks already added in volume {name}", True)
    before = [brick["path"] for brick in volume["bricks"].values()]
    if salt.test:
        told = f"Bricks will be added to volume {name}"
        return _state(name, told, None, old=before, new=[*before, *new])
    added = salt.call["glusterfs.add_volume_bricks"](name, new)
    failed = salt.failed(f"Adding bricks to volume {name} failed")
    after = salt.call["glusterfs.info"]()[name]["bricks"].values()
    if not added and _missing(new, after, salt):  # nor did another node, at the same moment
        return _state(name, failed)
    told = f"Bricks successfully added to volume {name}"
    return _state(name, told, True, old=before, new=[brick["path"] for brick in after])


# --- op-version ----------------------------------------------------------------------------------


def op_version(name: str, version: Any, salt: Salt) -> State:
    """Ensure that the pool has at least this op-version; it can only be raised."""
    what = f"cluster.op-version for {name}"
    same = f"Glusterfs {what} already set to {version}"
    return _raise(name, version, same, f"set the {what} to {version}", salt)


def max_op_version(name: str, salt: Salt) -> State:
    """Ensure that the pool has the highest op-version that all its members can."""
    most = salt.call["glusterfs.get_max_op_version"]()
    if isinstance(most, tuple | list):
        return _state(name, str(most[1]))
    same = f"The cluster.op-version is already set to the cluster.max-op-version of {most}"
    return _raise(name, most, same, f"set the cluster.op-version to {most}", salt)


def _raise(name: str, version: Any, same: str, what: str, salt: Salt) -> State:
    current = salt.call["glusterfs.get_op_version"](name)
    if isinstance(current, tuple | list):
        return _state(name, str(current[1]))
    try:
        has, wanted = int(current), int(version)
    except (TypeError, ValueError):
        return _state(name, f"{version!r} or {current!r} is not an op-version")
    if has == wanted:
        return _state(name, same, True)
    if has > wanted:
        return _state(name, f"The op-version is {has} already, and cannot be lowered to {wanted}")
    if salt.test:
        return _state(name, f"An attempt would be made to {what}.", None)
    result = salt.call["glusterfs.set_op_version"](wanted)
    if isinstance(result, tuple | list):
        return _state(name, str(result[1]))
    return _state(name, str(result), True, old=has, new=wanted)


def _is_name(check: Callable[[str, Any], object], name: Any) -> bool:
    try:
        check("name", name)
    except GlusterError:
        return False
    return True
