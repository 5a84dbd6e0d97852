"""Restore the uuid and the peers that this node has lost (facts.md#C-A.2).

What they are is an argument; here is checked that there is nothing to lose, and read back
that the pool has taken this node in.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from salt_gluster import node
from salt_gluster.errors import GlusterError
from salt_gluster.minion.context import Minion
from salt_gluster.minion.install import SERVICE
from salt_gluster.model import Unknown, is_known
from salt_gluster.plan.restore import DIRECTORY, GlusterdIdentity

#: What of before must not meet the pool: who this node was, and options of a pool that may have a
#: higher version. Whatever else lies there stays: bricks, mounts, keys, hooks, groups.
_REPLACED = ("glusterd.info", "options")
#: Connected after 3-4 s, the volumes a moment later; an import window may last 14 s
#: (facts.md#C-B.3).
BACK_S = 60.0
RESOLVE_S = 3.0
JOB_WAIT_S = 10.0


def restore_identity(
    minion: Minion, identity: GlusterdIdentity, volumes: frozenset[str]
) -> dict[str, Any]:
    """Write the files, start glusterd, wait until the pool is whole; return ``changes``.

    ``GlusterError`` of kind ``not_lost`` where there is something to lose; nothing was done then.
    """
    identity.check()
    with node.one_job(JOB_WAIT_S):
        own = node.observe_node(minion.name)
        old = own.uuid if isinstance(own.uuid, str) else None
        if old == identity.uuid and _is_back(minion, identity, volumes):
            return {"changes": {}, "comment": "this node is in the pool as it was"}
        _nothing_to_lose(own.uuid, identity)
        changes: dict[str, Any] = {}
        if old != identity.uuid:
            changes["uuid"] = {"old": old, "new": identity.uuid}
        changes["peers"] = {"old": [], "new": sorted(identity.peers.values())}
        if minion.test:
            return {"changes": changes, "comment": "this would be given back"}
        copy = _write(minion, identity)
        _start(minion, identity, volumes)
    kept = f"; what was there before is in {copy}" if copy else ""
    return {"changes": changes, "comment": f"this node is in the pool again{kept}"}


def _nothing_to_lose(own: str | Unknown | None, identity: GlusterdIdentity) -> None:
    why, peers = "", _peers()
    hold = node.read_hold(node.HOLD_FILE)
    if hold is not None:
        why = "an operator holds this node, or its hold cannot be read"
    elif isinstance(own, Unknown):
        why = f"who this node is cannot be read: {own.why}"
    elif _names("vols"):
        why = f"it has definitions of volumes: {', '.join(_names('vols'))}"
    elif snapshots := [name for name in _names("snaps") if Path(DIRECTORY, "snaps", name).is_dir()]:
        why = f"it has definitions of snapshots: {', '.join(snapshots)}"
    elif own != identity.uuid and peers:
        why = "it has peers of its own, by another uuid"
    elif any(True for _ in node.glusterfsd_processes()):
        why = "bricks run here: glusterd would forget their ports (facts.md#C-B.2)"
    unresolved = [] if why else [
        name for name in identity.peers.values()
        if isinstance(node.resolve(name, RESOLVE_S), Unknown)
    ]  # fmt: skip
    if unresolved:
        why = f"these names have no address here: {', '.join(unresolved)}"
    if why:
        raise GlusterError(f"nothing was given back: {why}.", kind="not_lost",
                           hint="Only a node that has lost everything gets it back.")  # fmt: skip


def _names(folder: str) -> list[str]:
    where = Path(DIRECTORY, folder)
    return sorted(entry.name for entry in where.iterdir()) if where.is_dir() else []


def _peers() -> list[str]:
    """Return the files that glusterd keeps of its peers."""
    folder = Path(DIRECTORY, "peers")
    if folder.is_symlink():
        raise GlusterError(f"{folder} is a link; nothing was given back.", kind="not_lost",
                           hint="glusterd keeps a directory there.")  # fmt: skip
    return [name for name in _names("peers") if not (folder / name).is_dir()]


def _write(minion: Minion, identity: GlusterdIdentity) -> Path | None:
    """Put the files there while glusterd is down; return the copy of what was."""
    if node.observe_node(minion.name).glusterd_started is not None:
        minion.call("service.stop", SERVICE)
    driver = minion.driver()
    until = driver.now() + 20
    while node.observe_node(minion.name).glusterd_started is not None:
        if driver.now() > until:
            raise GlusterError("glusterd does not end; nothing was given back.", kind="daemon_up")
        driver.sleep(0.2)
    copy = node.copy_glusterd_dir(driver.now())
    peers = Path(DIRECTORY, "peers")
    peers.mkdir(mode=0o755, parents=True, exist_ok=True)
    for old in (*(Path(DIRECTORY, name) for name in _REPLACED), *map(peers.joinpath, _peers())):
        old.unlink(missing_ok=True)
    for path, text in identity.files().items():
        node.write_private(Path(path), text, mode=0o600)
    return copy


def _start(minion: Minion, identity: GlusterdIdentity, volumes: frozenset[str]) -> None:
    if minion.can("service.masked") and minion.call("service.masked", SERVICE):
        minion.call("service.unmask", SERVICE)
    minion.call("service.start", SERVICE)
    driver = minion.driver()
    until = driver.now() + BACK_S
    while not _is_back(minion, identity, volumes):
        if driver.now() > until:
            raise GlusterError(
                f"glusterd was started with its uuid, and after {BACK_S:.0f} s the pool is not"
                " whole.", kind="not_back", hint="See: gluster pool list, on every member.",
            )  # fmt: skip
        driver.sleep(0.5)


def _is_back(minion: Minion, identity: GlusterdIdentity, volumes: frozenset[str]) -> bool:
    """Whether this glusterd has all peers, connected, and all volumes."""
    obs = minion.driver().observe(fresh=True)
    if not is_known(obs.peers) or not is_known(obs.volumes):
        return False
    peers = {p.uuid for p in obs.peers if p.usable and not p.is_self}
    importing = obs.node.volumes_without_info
    settled = is_known(importing) and not importing
    return settled and peers == set(identity.peers) and volumes <= set(obs.volumes)
