"""Build the private file tree of a node, and the script of its first process.

/etc, /var, /usr and /root are overlays: the node reads the machine's and writes its own, so
packages, Salt, units and fstab are never shared. State worth looking at from outside is bound from
directories below the node's. /run, /tmp, /srv, /mnt, /dev/disk and the list of loop devices are its
own.
"""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from lab import disks, packages
from lab.record import MASTER, Record

OVERLAYS = ("usr", "etc", "var", "root")
# From a directory of the node onto an absolute path inside: never shared, readable from outside.
BINDS = {
    "glusterd": "/var/lib/glusterd",
    "log/glusterfs": "/var/log/glusterfs",
    "log/salt": "/var/log/salt",
    "log/consul": "/var/log/consul",
    "salt-gluster": "/var/lib/salt-gluster",
    "salt-cache": "/var/cache/salt",
    "consul": "/var/lib/consul",
    "systemd": "/etc/systemd/system",
    "srv": "/srv",
    "mnt": "/mnt",
}
# Imported and not run: Python keeps what it compiled of an import.
STAND_IN = """\
#!/usr/bin/python3 -IS
import sys
sys.path.append({folder!r})
import systemctl
sys.exit(systemctl.run({name!r}))
"""
# Every gluster command runs `gsyncd --version` and every start of glusterd runs gsyncd 25 times: a
# Python program each time, most of what a pool takes to start. This is what they look for.
GSYNCD = "#!/bin/sh\necho gsyncd.py 0.0.1\n"

SCRIPT = """\
set -eu
cd /
hostname {name}
{overlays}
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/gluster /run/lock /run/lab /run/blkid /run/salt /run/systemd/system
{tmp}
{binds}
{disks}
: > {ready}
# The first process of a PID namespace inherits the orphans: wait reaps them.
trap : CHLD
while :; do sleep 86400 & wait $! || :; done
"""


def prepare(lab: Record, member: str) -> None:
    """Make the directories and first files of a node that was never up."""
    home = lab.path("nodes", member)
    for name in (*BINDS, *(f"{kind}/{tree}" for kind in ("up", "work") for tree in OVERLAYS)):
        (home / name).mkdir(parents=True, exist_ok=True)
    _packaged_gluster(lab, member)
    _stub_gsyncd(lab, member)
    etc = home / "up/etc"
    (etc / "hostname").write_text(f"{member}\n")
    (etc / "fstab").write_text("# this node's own: the lab starts it empty\n")
    (etc / "hosts").write_text(_hosts(lab))
    for name in ("systemctl", "systemd-run"):
        program = home / "up/usr/bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(STAND_IN.format(folder=str(Path(__file__).parent), name=name))
        program.chmod(0o755)


def _hosts(lab: Record) -> str:
    lines = ["127.0.0.1 localhost"]
    for member in lab.members:
        also = " salt" if member == MASTER else ""
        lines.append(f"{lab.address(member)} {member}{also}")
    return "\n".join(lines) + "\n"


def _packaged_gluster(lab: Record, member: str) -> None:
    """Copy what the package puts into /var/lib/glusterd: option groups and hooks, no state."""
    version = lab.gluster.get(member)
    source = Path("/var/lib/glusterd")
    if version:
        source = unpacked(lab, version) / "var/lib/glusterd"
    for name in ("groups", "hooks"):
        if (source / name).is_dir():
            target = lab.path("nodes", member, "glusterd", name)
            shutil.copytree(source / name, target, symlinks=True, dirs_exist_ok=True)


def _stub_gsyncd(lab: Record, member: str) -> None:
    """Make the layer of /usr that lies over GlusterFS's own: it has a gsyncd that does nothing."""
    layer = lab.path("nodes", member, "stub")
    layer.mkdir(exist_ok=True)
    for found in () if lab.georep else Path("/usr/lib").glob("*/glusterfs/gsyncd"):
        stub = layer / found.relative_to("/usr")
        stub.parent.mkdir(parents=True, exist_ok=True)
        stub.write_text(GSYNCD)
        stub.chmod(0o755)


def lower_usr(lab: Record, member: str, version: str = "") -> str:
    """Give the lower layers of a node's /usr, uppermost first; `version` is another GlusterFS."""
    other = [f"{unpacked(lab, version)}/usr"] if version else []
    return ":".join([str(lab.path("nodes", member, "stub")), *other, "/usr"])


def unpacked(lab: Record, version: str) -> Path:
    """Say where the packages of another GlusterFS version lie for this lab."""
    return lab.path(f"gluster-{version}")


def unpack(lab: Record, version: str) -> None:
    """Fetch another GlusterFS version, if need be, and put it where this lab looks for it."""
    link = unpacked(lab, version)
    if not link.is_symlink():
        link.symlink_to(packages.gluster(version))


def script(lab: Record, member: str) -> Path:
    """Write the script of the node's first process for the disks and version it has now."""
    home = lab.path("nodes", member)
    (home / "ready").unlink(missing_ok=True)
    path = home / "init.sh"
    path.write_text(
        SCRIPT.format(
            name=member,
            overlays="\n".join(_overlay(lab, member, tree) for tree in OVERLAYS),
            binds="\n".join(_bind(home / own, target) for own, target in BINDS.items()),
            tmp=_own_tmp(lab),
            disks=_own_disks(lab, member),
            ready=shlex.quote(str(home / "ready")),
        )
    )
    return path


def _overlay(lab: Record, member: str, tree: str) -> str:
    home = lab.path("nodes", member)
    lower = lower_usr(lab, member, lab.gluster.get(member, "")) if tree == "usr" else f"/{tree}"
    options = f"lowerdir={lower},upperdir={home}/up/{tree},workdir={home}/work/{tree}"
    return f"mount -t overlay -o {shlex.quote(options)} overlay /{tree}"


def _bind(own: Path, target: str) -> str:
    return f"mkdir -p {target}; mount --bind {shlex.quote(str(own))} {target}"


def _own_tmp(lab: Record) -> str:
    """Give the node a /tmp of its own, in which what it shares with the machine stays.

    gluster writes /tmp/VOLUME.tcp-fuse.vol there: of two pools one would read the other's.
    """
    kept = [str(lab.directory), *lab.shared]
    # The outer ones first, so that none is hidden by what is moved after it.
    names = sorted({path for path in kept if path.startswith("/tmp/")})
    keep = [f"mkdir -p /run/keep/{n}; mount --bind {shlex.quote(p)} /run/keep/{n}"
            for n, p in enumerate(names)]  # fmt: skip
    back = [f"mkdir -p {shlex.quote(p)}; mount --move /run/keep/{n} {shlex.quote(p)}"
            for n, p in enumerate(names)]  # fmt: skip
    return "\n".join([*keep, "mount -t tmpfs -o mode=1777 tmpfs /tmp", *back])


def _own_disks(lab: Record, member: str) -> str:
    """Show this node its own loop devices only: in /dev/disk/by-id and /sys/block.

    udev does not run here, so the links a udev would make are made by hand.
    """
    mine = disks.of(lab, member)
    lines = [
        "mkdir -p /dev/disk; mount -t tmpfs -o mode=755 tmpfs /dev/disk",
        "mkdir -p /dev/disk/by-id",
    ]
    for disk, device in mine.items():
        if disk == disks.BRICKS:
            lines.append(f"mkdir -p /srv/gluster; mount -o noatime {device} /srv/gluster")
        else:
            lines.append(f"ln -s {device} /dev/disk/by-id/lab-{disk}")
    shown = " ".join(Path(device).name for device in mine.values()) or "none"
    lines.append(HIDE.format(shown=shown))
    return "\n".join(lines)


# /sys/block belongs to no namespace; a copy without the other nodes' loop devices stands before it.
HIDE = """\
mkdir /run/lab/block
for path in /sys/block/*; do
    name=${{path##*/}}
    case "$name" in loop*) case " {shown} " in *" $name "*) ;; *) continue ;; esac ;; esac
    ln -s "$(readlink -f "$path")" "/run/lab/block/$name"
done
mount --bind /run/lab/block /sys/block"""
