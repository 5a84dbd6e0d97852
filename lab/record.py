"""Read and write ``lab.json``, which names all that a lab has made.

``down`` needs nothing else: the names of namespaces and links derive from the token, loop devices
from the directory of their backing files. A directory without this file, or with another mark in
it, is not ours and is never touched.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lab.errors import LabError

MARK = "salt-gluster lab 1"
MASTER = "master"
CHECKOUT = Path(__file__).resolve().parent.parent
# The directories of all checkouts that have labs on this machine, a line each.
BASES = Path("/run/salt-gluster-lab")
# Unix sockets below the lab directory (Salt's, glusterd's) must stay under 108 characters.
LONGEST_DIR = 60


@dataclass
class Record:
    """Hold what was asked for and what was picked; everything else derives from it."""

    name: str
    directory: Path
    token: str
    subnet: str
    nodes: list[str]
    disks: int = 0
    bare: bool = False
    salt: bool = True
    consul: bool = True
    gluster: dict[str, str] = field(default_factory=dict)
    salt_venv: str = ""
    sensor: bool = False
    watched: bool = False
    georep: bool = False
    shared: list[str] = field(default_factory=list)
    state: str = "building"
    builder: int = 0
    faults: list[list[str]] = field(default_factory=list)
    mark: str = MARK

    @property
    def members(self) -> list[str]:
        """List every namespace of the lab: the nodes and, with Salt or Consul, the master."""
        return [*self.nodes, MASTER] if self.salt or self.consul else list(self.nodes)

    @property
    def bridge(self) -> str:
        """Name the bridge in the root namespace; at most 15 characters."""
        return f"sgl{self.token}"

    def netns(self, member: str) -> str:
        """Name the network namespace of a member, which is also its link on the bridge."""
        return f"sgl{self.token}{member}"

    def address(self, member: str) -> str:
        """Give a member's IPv4 address: .1 to .N in the order of the nodes, .254 the master."""
        host = 254 if member == MASTER else self.nodes.index(member) + 1
        return f"{self.subnet}.{host}"

    def path(self, *parts: str) -> Path:
        """Give a path below the lab's directory."""
        return self.directory.joinpath(*parts)

    def save(self) -> None:
        """Write the record, whole or not at all."""
        self.directory.mkdir(parents=True, exist_ok=True)
        data: dict[str, Any] = asdict(self) | {"directory": str(self.directory)}
        fresh = self.path("lab.json.new")
        fresh.write_text(json.dumps(data, indent=1) + "\n")
        fresh.replace(self.path("lab.json"))

    @contextlib.contextmanager
    def changing(self) -> Iterator[Record]:
        """Re-read the record under a lock, let the caller change it, write it."""
        with locked(self.directory / "lock"):
            fresh = read(self.directory)
            yield fresh
            fresh.save()
        self.__dict__.update(fresh.__dict__)


def base() -> Path:
    """Give the directory of this checkout's labs: $LAB_DIR or one in the temporary directory."""
    mark = hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:8]
    return Path(os.environ.get("LAB_DIR") or Path(tempfile.gettempdir()) / f"sgl-{mark}")


def shared(salt_venv: str) -> list[str]:
    """List what a node sees below its own /tmp: checkout, virtualenvs and $LAB_SHARED."""
    asked = os.environ.get("LAB_SHARED", "").split(os.pathsep)
    own = (str(CHECKOUT), sys.prefix, salt_venv)
    return [path for path in (*own, *asked) if path.startswith("/tmp/")]


def gluster_version() -> str:
    """Give the GlusterFS of all nodes of a new lab: $LAB_GLUSTER, "" for the machine's own."""
    return os.environ.get("LAB_GLUSTER") or ""


def where(name: str) -> Path:
    """Give the directory of the lab of that name; LabError if the name cannot be one."""
    if not name or not name.replace("-", "").isalnum() or len(name) > 20:
        raise LabError(f"lab name {name!r}: use up to 20 letters, digits and dashes")
    directory = base().absolute() / name
    if len(str(directory)) > LONGEST_DIR:
        raise LabError(f"{directory}: longer than {LONGEST_DIR} characters; set LAB_DIR to less")
    return directory


def read(directory: Path) -> Record:
    """Read the record of a lab directory; LabError if it is not one of ours."""
    try:
        data = json.loads((directory / "lab.json").read_text())
    except FileNotFoundError:
        raise LabError(f"no lab in {directory}: start one with python -m lab up") from None
    except (OSError, ValueError) as err:
        raise LabError(f"{directory}/lab.json cannot be read ({err}): not touched") from err
    if not isinstance(data, dict) or data.get("mark") != MARK:
        raise LabError(f"{directory}/lab.json was not written by this lab: not touched")
    return Record(**(data | {"directory": directory}))


def every(directory: Path | None = None) -> list[Record]:
    """List the records of all labs of this checkout, or in another's directory, by name."""
    found = []
    for entry in sorted((directory or base().absolute()).glob("*/lab.json")):
        try:
            found.append(read(entry.parent))
        except LabError:
            if entry.exists():  # else another process has just taken that lab down
                raise
    return found


@contextlib.contextmanager
def picking() -> Iterator[list[Record]]:
    """Give the labs of all checkouts of this machine; while held, no other lab is recorded."""
    with locked(BASES.with_suffix(".lock")):
        own = base().absolute()
        known = BASES.read_text().splitlines() if BASES.exists() else []
        labs = every()
        for other in {Path(line) for line in known} - {own}:
            with contextlib.suppress(LabError):  # that is for its own checkout to mend
                labs += every(other)
        bases = {str(lab.directory.parent) for lab in labs} | {str(own)}
        BASES.write_text("".join(f"{line}\n" for line in sorted(bases)))
        yield labs


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file; it goes with the process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
