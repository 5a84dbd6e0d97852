"""Table of faults: what each does, and how it is undone.

Every row really does it: signals, links, routing rules, mounts. `lab fault KIND NODE [ARGS]` runs
`strike`, `lab heal KIND NODE [ARGS]` runs `undo`; both may be repeated.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lab import disks, power
from lab.command import run, wait_for
from lab.errors import LabError
from lab.node import Node

Act = Callable[[Node, list[str]], None]
Find = Callable[[Node, list[str]], list[int]]
FILL = ".lab-fill"
SMALLEST = 1 << 16


@dataclass(frozen=True)
class Fault:
    """One way to break something: what it does in words, and the two functions."""

    does: str
    strike: Act
    undo: Act
    takes: str = ""
    """The arguments after NODE, as usage words."""


def bricks(node: Node, args: list[str]) -> list[int]:
    """Find brick processes: all of the node's, or of one volume or brick path."""
    found = []
    for pid, argv in node.programs("glusterfsd"):
        path = argv[argv.index("--brick-name") + 1] if "--brick-name" in argv else ""
        volume = argv[argv.index("--volfile-id") + 1] if "--volfile-id" in argv else ""
        if not args or path == args[0] or volume.startswith(f"{args[0]}."):
            found.append(pid)
    return found


def glusterd(node: Node, args: list[str]) -> list[int]:
    """Find the glusterd of a node; its bricks are not it."""
    return [pid for pid, _ in node.programs("glusterd")]


def everything(node: Node, args: list[str]) -> list[int]:
    """Find every process of a node but those that hold its namespaces."""
    return [pid for pid in node.pids() if not node.holds(pid)]


def of_unit(unit: str, node: Node, args: list[str]) -> list[int]:
    """Find the processes that a unit of the node started."""
    return node.unit_pids(unit)


def send(number: signal.Signals, find: Find, node: Node, args: list[str]) -> None:
    """Send a signal to what `find` finds; LabError if that is nothing."""
    pids = find(node, args)
    if not pids:
        raise LabError(f"{node.name}: no such process runs there (python -m lab status)")
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    if number == signal.SIGKILL:
        node.gone(pids)
    if number == signal.SIGSTOP:  # each thread stops when it is next run: on a busy machine, later
        still = lambda: not any(map(_runs, pids))  # noqa: E731
        wait_for("every thread to stand still", still, timeout=60, step=0.01)


def _runs(pid: int) -> bool:
    """Whether a thread of a process is not stopped yet, nor gone."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            if (task / "stat").read_text().rpartition(")")[2].split()[0] not in "TtZX":
                return True
    return False


def start_bricks(node: Node, args: list[str]) -> None:
    """Start the bricks that are down, as a person would: `volume start … force`.

    Of the volume named, else of every volume that is started; never one that was stopped.
    """
    volume, started = "", []
    for line in node.ok(["gluster", "--mode=script", "volume", "info"]).splitlines():
        key, _, value = line.partition(": ")
        if key == "Volume Name":
            volume = value.strip()
        elif key == "Status" and value.strip() == "Started":
            started.append(volume)
    wanted = [name for name in started if not args or "/" in args[0] or name == args[0]]
    for name in wanted:
        node.ok(["gluster", "--mode=script", "volume", "start", name, "force"], timeout=120)


def start_unit(unit: str, node: Node, args: list[str]) -> None:
    """Start a unit again; what its killed process left running goes on."""
    node.ok(["systemctl", "start", unit])


def link(state: str, node: Node, args: list[str]) -> None:
    """Pull or plug the node's cable at the bridge."""
    run(["ip", "link", "set", node.lab.netns(node.name), state])


def silence(state: str, node: Node, args: list[str]) -> None:
    """Let the bridge drop (0) or forward (3) all of the node's frames, without a link event."""
    run(["bridge", "link", "set", "dev", node.lab.netns(node.name), "state", state])


def drop(verb: str, node: Node, args: list[str]) -> None:
    """Drop what leaves the node to or from a port; nothing that comes to it gets an answer."""
    port, protocol = (args[0].partition("/")[::2]) if args else ("", "")
    if not port.isdigit():
        raise LabError("drop-port: say which, as in drop-port g1 24007 or 8301/udp")
    for name in [protocol] if protocol else ["tcp", "udp"]:
        for side in ("dport", "sport"):
            rule = ["ip", "rule", verb, "ipproto", name, side, port, "blackhole"]
            done = node.run(rule)
            known = "File exists" in done.stderr or "No such file" in done.stderr
            if done.returncode and not known:
                raise LabError(f"{node.name}: {' '.join(rule)}: {done.stderr.strip()}")


def mount_of(node: Node, args: list[str]) -> str:
    """Give the mount point of one of the node's own disks: below a path, or the first there is."""
    own = set(disks.of(node.lab, node.name).values())
    rows = [line.split() for line in node.ok(["cat", "/proc/mounts"]).splitlines()]
    points = [row[1] for row in rows if row[0] in own]
    for point in sorted(points, key=len, reverse=True):
        if not args or args[0] == point or args[0].startswith(f"{point}/"):
            return point
    raise LabError(
        f"{node.name}: no disk of the lab is mounted{' at ' + args[0] if args else ''}:"
        f" there are {', '.join(points) or 'none'}"
    )


def fill(node: Node, args: list[str]) -> None:
    """Take all free space of a disk: preallocated in ever smaller files, the rest written."""
    point = mount_of(node, args)
    node.ok(["mkdir", "-p", f"{point}/{FILL}"])
    size = int(node.ok(["df", "-B1", "--output=avail", point]).split()[-1])
    number = 0
    while size >= SMALLEST:
        number += 1
        if node.run(["fallocate", "-l", str(size), f"{point}/{FILL}/{number}"]).returncode:
            size //= 2
    node.run(["sh", "-c", f"cat /dev/zero > {point}/{FILL}/rest; sync -f {point}"], timeout=120)


def unfill(node: Node, args: list[str]) -> None:
    """Give the space back."""
    node.ok(["rm", "-rf", f"{mount_of(node, args)}/{FILL}"])


def remount(mode: str, node: Node, args: list[str]) -> None:
    """Remount a disk read-only or read-write."""
    point = mount_of(node, args)
    done = node.run(["mount", "-o", f"remount,{mode}", point])
    if done.returncode:
        raise LabError(
            f"{node.name}: {done.stderr.strip()}: a file is open for writing there; stop the"
            " writer, or use disk-die, which takes no notice"
        )


def shut(node: Node, args: list[str]) -> None:
    """Let the disk die under its filesystem: every access gives an I/O error."""
    node.ok(["xfs_io", "-x", "-c", "shutdown", mount_of(node, args)])


def revive(node: Node, args: list[str]) -> None:
    """Mount the disk anew, and start the bricks on it."""
    point = mount_of(node, args)
    below = [pid for pid, argv in node.programs("glusterfsd") if any(point in w for w in argv)]
    for pid in below:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    node.gone(below)
    device = node.ok(["findmnt", "-n", "-o", "SOURCE", point]).strip()
    # A process that has ended may still hold its files for a moment.
    wait_for(f"{node.name}: the end of the mount at {point}",
             lambda: not node.run(["umount", point]).returncode, timeout=15)  # fmt: skip
    node.ok(["mount", "-o", "noatime", device, point])
    if below:
        start_bricks(node, [])


def off(node: Node, args: list[str]) -> None:
    """Kill every process of the node at once; its kernel still refuses connections."""
    node.kill(holder=False)


def on(node: Node, args: list[str]) -> None:
    """Boot the node: fresh namespaces, mounts of its fstab, units that are enabled."""
    power.boot_again(node)


def _signals(find: Find, back: Act) -> tuple[tuple[Act, Act], tuple[Act, Act]]:
    kill = partial(send, signal.SIGKILL, find)
    return (kill, back), (partial(send, signal.SIGSTOP, find), partial(send, signal.SIGCONT, find))


_CONSUL = partial(of_unit, "consul")
_MASTER = partial(of_unit, "salt-master")
_MINION = partial(of_unit, "salt-minion")
_BRICK_KILL, _BRICK_FREEZE = _signals(bricks, start_bricks)
_GLUSTERD_KILL, _GLUSTERD_FREEZE = _signals(glusterd, partial(start_unit, "glusterd"))
_CONSUL_KILL, _CONSUL_FREEZE = _signals(_CONSUL, partial(start_unit, "consul"))
_MASTER_KILL, _MASTER_FREEZE = _signals(_MASTER, partial(start_unit, "salt-master"))
_MINION_KILL, _MINION_FREEZE = _signals(_MINION, partial(start_unit, "salt-minion"))
_, _NODE_FREEZE = _signals(everything, on)

FAULTS: dict[str, Fault] = {
    "brick-kill": Fault("kill -9 of brick processes", *_BRICK_KILL, takes="[VOLUME|PATH]"),
    "brick-freeze": Fault("SIGSTOP to brick processes", *_BRICK_FREEZE, takes="[VOLUME|PATH]"),
    "glusterd-kill": Fault("kill -9 of glusterd; bricks go on", *_GLUSTERD_KILL),
    "glusterd-freeze": Fault("SIGSTOP to glusterd", *_GLUSTERD_FREEZE),
    "node-kill": Fault("kill -9 of every process of the node; heal boots it", off, on),
    "node-freeze": Fault("SIGSTOP to every process of the node", *_NODE_FREEZE),
    "consul-kill": Fault("kill -9 of the Consul agent", *_CONSUL_KILL),
    "consul-freeze": Fault("SIGSTOP to the Consul agent", *_CONSUL_FREEZE),
    "minion-kill": Fault("kill -9 of the salt-minion", *_MINION_KILL),
    "minion-freeze": Fault("SIGSTOP to the salt-minion", *_MINION_FREEZE),
    "master-kill": Fault("kill -9 of the salt-master (NODE is master)", *_MASTER_KILL),
    "master-freeze": Fault("SIGSTOP to the salt-master", *_MASTER_FREEZE),
    "cut": Fault(
        "pull the cable: the link goes down", partial(link, "down"), partial(link, "up")
    ),
    "silence": Fault(
        "drop every frame, link stays up", partial(silence, "0"), partial(silence, "3")
    ),
    "drop-port": Fault(
        "drop packets to and from a port", partial(drop, "add"), partial(drop, "del"),
        takes="PORT[/tcp|/udp]",
    ),
    "disk-fill": Fault("fill a disk", fill, unfill, takes="[PATH]"),
    "brick-ro": Fault(
        "remount a disk read-only", partial(remount, "ro"), partial(remount, "rw"), takes="[PATH]"
    ),
    "disk-die": Fault("shut XFS down: every access is an I/O error", shut, revive, takes="[PATH]"),
}  # fmt: skip


def find(kind: str) -> Fault:
    """Give the row of a kind; LabError naming those there are."""
    if kind not in FAULTS:
        raise LabError(f"no fault {kind!r}: there are {', '.join(FAULTS)}")
    return FAULTS[kind]


def table() -> str:
    """Give the table of faults as text."""
    rows = [(f"{kind} NODE {fault.takes}".strip(), fault.does) for kind, fault in FAULTS.items()]
    return "\n".join(f"  {left:34} {does}" for left, does in rows)
