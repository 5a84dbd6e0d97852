"""Install GlusterFS, compare the node's identity with the pool's, start glusterd."""

from __future__ import annotations

from typing import Any

from salt_gluster import node
from salt_gluster.errors import GlusterError, SpecError
from salt_gluster.minion.context import Minion
from salt_gluster.model import is_known
from salt_gluster.plan import identify
from salt_gluster.render import state_dict
from salt_gluster.spec import values

#: The package with glusterd, by Salt's ``os_family``.
PACKAGES = {"Debian": "glusterfs-server", "RedHat": "glusterfs-server", "Suse": "glusterfs"}
SERVICE = "glusterd"


def installed(name: str, minion: Minion, version: Any, hold: Any) -> dict[str, Any]:
    """Install the package, glusterd masked, and hold its version.

    ``version`` is the package's, or without its revision: ``10.3`` is any ``10.3-5``.
    """
    version, hold = _version(version), values.flag(hold, "hold")
    family = str(minion.call("grains.get", "os_family"))
    package = PACKAGES.get(family, "glusterfs-server")
    changes: dict[str, Any] = {}
    old = str(minion.call("pkg.version", package) or "")
    if not old or (version and not _is_version(old, version)):
        if not old and not _is_masked(minion):
            changes[SERVICE] = {"old": "unmasked", "new": "masked until identified"}
        changes[package] = {"old": old, "new": version or "newest"}
    if hold and not _is_held(minion, package):
        changes["hold"] = {"old": False, "new": True}
    if changes and not minion.test:
        _install(minion, package, version, changes)
    now = str(changes.get(package, {}).get("new", old))
    kept = "held" if hold else "not held"
    return _ret(name, minion, changes, f"{package} {now} is installed and {kept}")


def _version(value: Any) -> str:
    """Return the version as text; YAML makes a number of ``10.3``."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise SpecError("version", f"expected a version, not {value!r}", hint="version: '10.3'")
    return str(value).strip()


def _is_version(installed_one: str, wanted: str) -> bool:
    """Whether that is the one, with or without epoch and revision."""
    plain = installed_one.rpartition(":")[2]
    return wanted in (installed_one, plain) or plain.startswith(f"{wanted}-")


def _install(minion: Minion, package: str, version: str, changes: dict[str, Any]) -> None:
    if SERVICE in changes:
        minion.call("service.mask", SERVICE)
    if package in changes:
        any_revision = version if "-" in version else f"{version}-*"
        arguments = {"version": any_revision} if version else {}
        minion.call("pkg.install", package, refresh=True, hold=False, **arguments)
        now = str(minion.call("pkg.version", package) or "")
        if not now:
            raise GlusterError(
                f"{package} was not installed", kind="not_installed",
                hint="See the minion's log: the package manager said why.",
            )  # fmt: skip
        if version and not _is_version(now, version):
            raise GlusterError(
                f"{package} {now} is there, not {version}", kind="not_installed",
                hint="Which there are: salt MINION pkg.list_repo_pkgs " + package,
            )  # fmt: skip
        changes[package]["new"] = now
    if "hold" in changes:
        minion.call("pkg.hold", package)


def _is_held(minion: Minion, package: str) -> bool:
    if not minion.can("pkg.get_selections"):
        return True  # only apt knows holds this way; elsewhere versionlock is the user's own
    held = minion.call("pkg.get_selections", state="hold") or {}
    return package in held.get("hold", ())


def _is_masked(minion: Minion) -> bool:
    return minion.can("service.masked") and bool(minion.call("service.masked", SERVICE))


def identified(name: str, minion: Minion) -> dict[str, Any]:
    """Compare this node with what the pool knows under its name, and unmask glusterd."""
    pool = minion.candidate()
    obs = minion.driver(preview=False).observe()  # the look that the run's other states begin with
    own, peers = obs.node, obs.peers if is_known(obs.peers) else ()
    changes = {SERVICE: {"old": "masked", "new": "unmasked"}} if _is_masked(minion) else {}
    if any(p.usable and not p.is_self for p in peers):
        return _ret(name, minion, changes, "is a member in good standing", _unmask)
    others = [pool.address(n) for n in pool.nodes if n != minion.name]
    candidates = minion.reader.candidates(others)
    uuid = own.uuid if is_known(own.uuid) else None
    identity = identify((own.name, *own.aliases), uuid, candidates, peers)
    if identity.refusal is not None:
        ways = "\n".join(f"  {way}" for way in identity.refusal.ways)
        comment = f"REFUSED, glusterd stays masked.\n\n{identity.why}\n\nDo one of:\n{ways}"
        return state_dict(name, False, {}, comment)
    asked = ", ".join(identity.asked) or "nobody answered"
    return _ret(name, minion, changes, f"{identity.word}: {identity.why} ({asked})", _unmask)


def _unmask(minion: Minion) -> None:
    minion.call("service.unmask", SERVICE)


def running(name: str, minion: Minion) -> dict[str, Any]:
    """Start glusterd and enable it at boot."""
    changes: dict[str, Any] = {}
    if node.observe_node(minion.name).glusterd_started is None:
        changes[SERVICE] = {"old": "stopped", "new": "running"}
    if not minion.call("service.enabled", SERVICE):
        changes["boot"] = {"old": "disabled", "new": "enabled"}
    return _ret(name, minion, changes, "glusterd runs", lambda m: _start(m, changes))


def _start(minion: Minion, changes: dict[str, Any]) -> None:
    if "boot" in changes:
        minion.call("service.enable", SERVICE)
    if SERVICE not in changes:
        return
    minion.call("service.start", SERVICE)
    driver = minion.driver()
    until = driver.now() + 30
    while not is_known(minion.reader.peers()):
        if driver.now() > until:
            raise GlusterError(
                "glusterd was started and does not answer", kind="daemon_down",
                hint="See journalctl -u glusterd and /var/log/glusterfs/glusterd.log.",
            )  # fmt: skip
        driver.sleep(0.3)
        minion.reader.drop()


def _ret(
    name: str, minion: Minion, changes: dict[str, Any], comment_when_done: str, act: Any = None
) -> dict[str, Any]:
    if changes and act is not None and not minion.test:
        act(minion)
    result = None if changes and minion.test else True
    comment = f"{'would change: ' + ', '.join(changes) if result is None else comment_when_done}"
    return state_dict(name, result, changes, comment)
