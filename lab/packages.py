"""Fetch programs that a lab needs: from the system, else from another suite.

No host is named here: where another suite lies is derived from the machine's own apt
configuration by replacing the suite's name. What is fetched is checked by apt with the machine's
keyrings, unpacked below the cache and never installed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from lab.command import run
from lab.errors import LabError
from lab.record import CHECKOUT, locked

NEEDED = {
    "glusterd": "glusterfs-server",
    "mkfs.xfs": "xfsprogs",
    "mount.fuse": "fuse",
    "ip": "iproute2",
    "losetup": "mount",
    "setpriv": "util-linux",
}
# Releases in which Debian still carried Consul, newest first (it left before bookworm).
WITH_CONSUL = ("bullseye",)
GLUSTER = (
    "glusterfs-server",
    "glusterfs-client",
    "glusterfs-cli",
    "glusterfs-common",
    "libglusterfs0",
    "libgfapi0",
    "libgfchangelog0",
    "libgfrpc0",
    "libgfxdr0",
    "libglusterd0",
)
POLICY = Path("/usr/sbin/policy-rc.d")


def cache() -> Path:
    """Give the directory for what was fetched: in the checkout, else in the user's cache."""
    if (CHECKOUT / "pyproject.toml").is_file() and os.access(CHECKOUT, os.W_OK):
        return CHECKOUT / ".work/cache"
    return Path("~/.cache/salt-gluster-lab").expanduser()


def ensure() -> None:
    """Install what is missing from the system's own suites, without starting a daemon."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    missing = sorted(
        {pkg for program, pkg in NEEDED.items() if not shutil.which(program, path=path)}
    )
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise LabError(f"install {', '.join(missing)} first: this machine has no apt-get")
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
    with locked(cache() / "lock"), _no_daemons():
        if run(install, check=False, timeout=900, env=env).returncode:
            run(["apt-get", "update"], timeout=300, env=env)
            run(install, timeout=900, env=env)


@contextlib.contextmanager
def _no_daemons() -> Iterator[None]:
    """Keep package scripts from starting a glusterd outside the lab, as a chroot does."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


def is_kept(name: str) -> bool:
    """Tell whether "consul" or "gluster-11" has been fetched, or need not be."""
    if name == "consul" and shutil.which("consul"):
        return True
    return (cache() / name).is_dir()


def consul() -> Path:
    """Find a Consul program: PATH, the cache, this suite, an older one; LabError with the ways."""
    if found := shutil.which("consul"):
        return Path(found)
    kept = cache() / "consul"
    program = kept / "usr/bin/consul"
    with locked(cache() / "lock"):
        for suite in () if program.exists() else ("", *WITH_CONSUL):
            with contextlib.suppress(LabError):
                _fetch(suite, ["consul"], kept)
                break
    if not program.exists():
        raise LabError(
            "no consul: not on PATH, not in this distribution's suites, and no older suite that"
            " has it can be reached. Put a consul binary on PATH, or use --no-consul"
        )
    return program


def gluster(version: str) -> Path:
    """Unpack another GlusterFS version from this release's backports; LabError if it is not."""
    kept = cache() / f"gluster-{version}"
    with locked(cache() / "lock"):
        if not (kept / "usr/sbin/glusterfsd").exists():
            _fetch(f"{codename()}-backports", list(GLUSTER), kept)
            for name in ("lib", "sbin"):  # only /usr is overlaid: what merged-/usr would do
                if (kept / name).is_dir():
                    shutil.copytree(kept / name, kept / "usr" / name, dirs_exist_ok=True)
    libraries = {"LD_LIBRARY_PATH": ":".join(map(str, kept.glob("usr/lib/*-linux-gnu")))}
    ask = [str(kept / "usr/sbin/glusterfsd"), "--version"]
    done = run(ask, check=False, env=os.environ | libraries)
    if not done.stdout.startswith(f"glusterfs {version}."):
        first = (done.stdout or done.stderr).partition("\n")[0]
        raise LabError(
            f"--gluster {version}: {codename()}-backports has {first!r} instead; remove {kept}"
            " and use the version that is there"
        )
    return kept


def codename() -> str:
    """Give the release's codename as /etc/os-release has it."""
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    raise LabError("/etc/os-release names no VERSION_CODENAME: use a Debian release")


def _fetch(suite: str, names: list[str], target: Path) -> None:
    """Download packages of a suite ("" is the system's own) and unpack them into a directory."""
    work = target.with_suffix(".new")
    shutil.rmtree(work, ignore_errors=True)
    (work / "debs").mkdir(parents=True)
    options = _private_apt(suite, work) if suite else []
    if suite:
        run(["apt-get", *options, "update"], timeout=300)
    known = run(["apt-cache", *options, "pkgnames"]).stdout.split()
    wanted = [name for name in names if name in known]
    run(["apt-get", *options, "download", *(wanted or names)], timeout=300, cwd=work / "debs")
    for deb in (work / "debs").glob("*.deb"):
        run(["dpkg", "-x", str(deb), str(work / "tree")])
    shutil.rmtree(target, ignore_errors=True)
    (work / "tree").rename(target)
    shutil.rmtree(work)


def _private_apt(suite: str, work: Path) -> list[str]:
    """Make an apt configuration with the machine's archives, another suite and its own state."""
    for name in ("lists/partial", "archives/partial"):
        (work / "apt" / name).mkdir(parents=True)
    sources = work / "apt/sources.list"
    sources.write_text("".join(f"{line}\n" for line in _sources(suite)))
    (work / "apt/status").touch()  # nothing installed: or apt prefers the installed version
    settings = {
        "Dir::State::status": work / "apt/status",
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": work / "apt/lists",
        "Dir::Cache": work / "apt",
        "APT::Sandbox::User": "root",
        "Acquire::Check-Valid-Until": "false",  # an older suite's index is past its date
    }
    return [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]


def _sources(suite: str) -> list[str]:
    fields = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(SIGNED_BY)"
    out = run(["apt-get", "indextargets", "--format", fields, "Identifier: Packages"]).stdout
    found = set()
    for line in out.splitlines():
        uri, release, component, signed = line.split("|")
        if release == codename() and component == "main":
            option = "" if not signed or signed.startswith("$") else f"[signed-by={signed}] "
            found.add(f"deb {option}{uri} {suite} main")
    if not found:
        raise LabError(f"apt knows no archive of {codename()} main: run apt-get update")
    return sorted(found)
