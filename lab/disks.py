"""Make and remove the disks of a lab: sparse files on loop devices.

With --disks every node has N blank ones; without, one each with XFS on it, for bricks in
directories. A loop device is the lab's when its backing file lies in the lab's directory.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from lab.command import at_once, run
from lab.errors import LabError
from lab.record import Record

SIZE = "2G"  # sparse; mkfs.xfs refuses less than 300 MB
BRICKS = "bricks"


def wanted(lab: Record) -> list[str]:
    """Name the disks of each node: disk1 … diskN, or the one for brick directories."""
    return [f"disk{number}" for number in range(1, lab.disks + 1)] or [BRICKS]


def make(lab: Record) -> None:
    """Make the backing files, attach them, and put XFS on those for brick directories."""
    lab.path("disks").mkdir(exist_ok=True)
    for node in lab.nodes:
        for disk in wanted(lab):
            backing = lab.path("disks", f"{node}-{disk}")
            run(["truncate", "-s", SIZE, str(backing)])
            attach(backing)
    if not lab.disks:
        at_once(_mkfs, [device for node in lab.nodes for device in of(lab, node).values()])


def attach(backing: Path, *options: str) -> str:
    """Attach a file to a free loop device, with options of losetup, and give the device."""
    # Another program may take the free device between losetup's look and its claim: try again.
    for _ in range(100):
        done = run(["losetup", "-f", "--show", *options, str(backing)], check=False)
        if not done.returncode:
            return done.stdout.strip()
        time.sleep(0.1)
    raise LabError(f"no loop device for {backing}: {done.stderr.strip()}")


def _mkfs(device: str) -> None:
    run(["mkfs.xfs", "-q", "-f", "-i", "size=512", device])


def all_loops() -> dict[str, str]:
    """Map every attached loop device of the machine to its backing file."""
    out = run(["losetup", "--list", "--json", "-O", "NAME,BACK-FILE"]).stdout
    rows = json.loads(out)["loopdevices"] if out.strip() else []
    return {row["name"]: row["back-file"] or "" for row in rows}


def loops(lab: Record) -> dict[str, str]:
    """Map the loop devices of the lab to the names of their backing files."""
    below = f"{lab.directory}/"
    return {
        device: Path(backing.removesuffix(" (deleted)")).name
        for device, backing in all_loops().items()
        if backing.startswith(below)
    }


def of(lab: Record, node: str) -> dict[str, str]:
    """Map the disk names of a node to its loop devices."""
    return {
        backing.removeprefix(f"{node}-"): device
        for device, backing in loops(lab).items()
        if backing.rpartition("-")[0] == node
    }


def remove(lab: Record) -> None:
    """Detach every loop device of the lab."""
    for _ in range(600):
        there = loops(lab)
        if not there:
            return
        for device in there:
            run(["losetup", "-d", device], check=False)
        time.sleep(0.1)
    raise LabError(f"still attached: {', '.join(loops(lab))}; see what holds them: lsof, dmsetup")
