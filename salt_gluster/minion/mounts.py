"""Mount a volume on this node once it serves, now and at every boot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from salt_gluster import node
from salt_gluster.errors import GlusterError, NotFound
from salt_gluster.minion.context import Minion
from salt_gluster.model import Subject, is_known
from salt_gluster.render import state_dict, state_error
from salt_gluster.spec import check_host, check_mount_options, check_path, check_volume_name
from salt_gluster.spec.values import items

#: Whoever serves and is well, as Consul's DNS answers; as ``servers`` of a mount it is said so.
CONSUL, CONSUL_NAME = "consul", "gluster.service.consul"
#: On a server the mount at boot comes after its glusterd. ``x-systemd.requires`` would take the
#: mount off, too, whenever glusterd is stopped: what is written then lies below it
#: (facts.md#S-12.1).
AFTER_GLUSTERD = "x-systemd.after=glusterd.service"
#: How long a mount waits for a volume that another node is about to start.
WAIT_S = 30.0


def mounted(
    at: str,
    volume: str,
    minion: Minion,
    *,
    servers: str | Sequence[str] = (),
    options: str = "",
    wait_s: float = WAIT_S,
) -> dict[str, Any]:
    """Mount ``volume`` at ``at``, once it is started; return a state's dict.

    Without ``servers`` the declared nodes that hold bricks of it are asked, this one first; with
    ``consul`` the host that Consul's DNS names at that moment.
    """
    try:
        at = check_path(at, "mount", "mount point")
        check_volume_name(volume, f"mount {at}:volume")
        by_name = servers == CONSUL
        hosts = [CONSUL_NAME] if by_name else _hosts(servers, f"mount {at}:servers")
        wanted = _options(options, f"mount {at}:options")
        if _stays_stopped(volume, minion):
            why = f"{volume} is declared as `started: false`: it is mounted once it is started"
            return _ret(at, True, {}, why)
        elsewhere = _is_elsewhere(hosts, minion)
        if not elsewhere and minion.pool is not None and minion.name in minion.pool.nodes:
            wanted = {AFTER_GLUSTERD: True, **wanted}
        if not minion.test and not elsewhere:
            _await_start(volume, minion, wait_s)
        hosts = hosts or _servers(volume, minion, at)
        mount = partial(
            node.mount_glusterfs, volume, hosts, at, wanted,
            knows=partial(_may_serve, minion, hosts, elsewhere),
        )  # fmt: skip
        if by_name and mount(test=True):
            _resolves()
        changes = mount(test=minion.test)
        waiting = node.options_waiting(at, wanted)
    except GlusterError as err:
        return state_error(Subject("mount", at), err)
    said = _said(volume, at, changes, would=minion.test) + _waits(at, waiting)
    if not changes:
        return _ret(at, True, {}, said)
    return _ret(at, None if minion.test else True, {at: changes}, said)


def _said(volume: str, at: str, changes: Mapping[str, Any], *, would: bool) -> str:
    is_done = "would be" if would else "was"
    if "mounted" in changes:
        return f"{volume} {is_done} mounted at {at}."
    said = f"{volume} is mounted at {at}"
    if "options" in changes:
        said += f"; it {is_done} remounted with {changes['options']['new']}"
    if "fstab" in changes:
        said += f"; its line in fstab {is_done} changed, other servers serve from the next mount on"
    return said + "."


def _waits(at: str, waiting: Mapping[str, tuple[str, str]]) -> str:
    """Say which options of the live mount stay until it is mounted again."""
    if not waiting:
        return ""
    rows = ", ".join(f"{name} (now {old}, declared {new})" for name, (old, new) in waiting.items())
    return (
        f" Not in effect before the next mount: {rows}. When nobody uses it: umount {at}, and apply"
        " this again."
    )


def _hosts(servers: str | Sequence[str], key: str) -> list[str]:
    named = items(servers, key) if servers else []
    return [check_host(host, at) for at, host in named]


def _stays_stopped(volume: str, minion: Minion) -> bool:
    """Whether the pillar wants the volume stopped, and it is."""
    declared = minion.pool.volumes.get(volume) if minion.pool else None
    if declared is None or declared.started is not False:
        return False
    volumes = minion.volumes()
    seen = volumes.get(volume) if is_known(volumes) else None
    return seen is None or not seen.is_started


def _is_elsewhere(hosts: Sequence[str], minion: Minion) -> bool:
    """Whether the servers that are given are of another pool than this node's own."""
    if not hosts or hosts == [CONSUL_NAME]:
        return False
    obs = minion.driver().observe()
    return is_known(obs.peers) and not any(map(obs.peer_named, hosts))


def _may_serve(minion: Minion, hosts: Sequence[str], elsewhere: bool, host: str) -> bool:
    """Whether a host of a line of fstab, or of a mount, may be of the pool that is meant.

    A volume of another pool can have the same name. A pure client knows no member of any.
    """
    if host in hosts or host == CONSUL_NAME:
        return True
    obs = minion.driver().observe()
    if not is_known(obs.peers):
        return True
    found = node.resolve(host)
    words = (host, *(found if is_known(found) else ()))
    is_member = host in minion.hosts or any(map(obs.peer_named, words))
    return is_member != elsewhere


def _resolves() -> None:
    """Raise where this machine does not resolve the name in Consul's DNS."""
    if is_known(node.resolve(CONSUL_NAME)):
        return
    raise GlusterError(
        f"{CONSUL_NAME} resolves to nobody on this machine; nothing was changed.",
        kind="no_address",
        hint="Let its resolver send the domain consul to the agent here, 127.0.0.1 port 8600: see"
        " docs/consul.md. Where it does, no node of the pool is well: salt-run gluster.status.",
    )


def _ret(at: str, result: bool | None, changes: dict[str, Any], comment: str) -> dict[str, Any]:
    return state_dict(Subject("mount", at), result, changes, comment)


def _await_start(volume: str, minion: Minion, wait_s: float) -> None:
    """Wait for a volume of this node's own pool; a pure client finds out by mounting."""
    driver = minion.driver()
    until = driver.now() + wait_s
    while True:
        volumes = minion.volumes()
        if not is_known(volumes):
            return
        seen = volumes.get(volume)
        if seen is not None and seen.is_started:
            return
        if driver.now() >= until:
            break
        driver.sleep(0.5)
        minion.reader.drop()
    raise NotFound(
        f"volume {volume} is {'not started' if seen else 'not there'}, so it cannot be mounted",
        kind="not_started" if seen else "not_found",
        hint="The next run mounts it once it is: salt-run gluster.status.",
    )


def _servers(volume: str, minion: Minion, at: str) -> list[str]:
    """Return a host of each brick of the volume, then the other declared nodes; this one first.

    A line of fstab that names the same nodes otherwise is left as it is.
    """
    obs = minion.driver().observe()
    seen = obs.volumes.get(volume) if is_known(obs.volumes) else None
    hosts = [*([b.host for b in seen.bricks] if seen else []), *minion.hosts]
    own = minion.pool.address(minion.name) if minion.pool else minion.name

    def node_of(host: str) -> str:
        peer = obs.peer_named(host) if is_known(obs.peers) else None
        return peer.uuid if peer else host.lower()

    def once(several: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for host in several:
            found.setdefault(node_of(host), host)
        return dict(sorted(found.items(), key=lambda row: row[0] != node_of(own)))

    wanted, written = once(hosts), once(node.servers_of(node.fstab_entry(node.mount_point_of(at))))
    same = list(written)[:1] == list(wanted)[:1] and written.keys() == wanted.keys()
    return [*(written if same else wanted).values()]


def _options(text: Any, key: str) -> dict[str, str | bool]:
    """Return ``a=b,c`` as a mapping."""
    pairs = (word.partition("=") for word in check_mount_options(text, key).split(",") if word)
    return {key: value if sep else True for key, sep, value in pairs}
