"""Class Lab: up, down, its nodes, and what is done to all of them."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from types import TracebackType
from typing import Any

from lab import boot, consul, disks, faults, network, packages, power, record, salt, status
from lab.command import at_once, wait_for
from lab.errors import LabError
from lab.node import Node
from lab.record import MASTER, Record

MOST_NODES = 64


class Lab:
    """Hold a lab that is up; as a context manager it goes down at the end."""

    def __init__(self, lab: Record) -> None:
        self.record = lab
        self.name = lab.name
        self.directory = lab.directory

    @classmethod
    def up(
        cls,
        name: str = "lab",
        *,
        nodes: int = 4,
        disks: int = 0,
        bare: bool = False,
        gluster: dict[str, str] | None = None,
        salt: bool = True,
        consul: bool = True,
        salt_venv: str | Path | None = None,
        sensor: bool = False,
        watched: bool = False,
        pillar: dict[str, Any] | None = None,
        georep: bool = False,
    ) -> Lab:
        """Make a lab and wait until all in it answers.

        `disks` blank disks per node, 0 for an XFS at /srv/gluster. `gluster` maps node names to
        another version ("11"); without it all nodes have that of $LAB_GLUSTER. `sensor` gives every
        minion the engine that watches its node. With `watched` the master has from its first start
        on what `gluster.setup` writes, and the minions have the `pillar`. `georep` leaves GlusterFS
        its own gsyncd: a stub of it makes gluster five times as quick. A lab of that name that is
        up and was asked for with the same words is given back as it is; LabError otherwise. A lab
        that does not come up is taken down.
        """
        if os.geteuid():
            raise LabError("a lab is made of namespaces and mounts: run it as root (sudo)")
        if not 1 <= nodes <= MOST_NODES:
            raise LabError(f"--nodes {nodes}: from 1 to {MOST_NODES}")
        names = [f"g{number}" for number in range(1, nodes + 1)]
        if (sensor or watched or pillar) and not salt:
            raise LabError("sensor, watched and pillar are Salt's: drop --no-salt")
        if unknown := set(gluster or {}) - set(names):
            raise LabError(f"--gluster: no node {', '.join(sorted(unknown))} in {', '.join(names)}")
        if not gluster and (version := record.gluster_version()):
            gluster = dict.fromkeys(names, version)
        asked = {
            "nodes": names,
            "disks": disks,
            "bare": bare,
            "gluster": gluster or {},
            "salt": salt,
            "consul": consul,
            "salt_venv": str(salt_venv or ""),
            "sensor": sensor,
            "watched": watched,
            "georep": georep,
        }
        directory = record.where(name)
        with record.picking() as labs:
            if directory.exists():
                return cls._there(directory, asked)
            token, subnet = network.pick(labs)
            lab = Record(name, directory, token, subnet, builder=os.getpid(), **asked)
            lab.shared = record.shared(str(salt_venv or ""))
            lab.save()
        try:
            return cls(lab)._build(pillar)
        except BaseException:
            with contextlib.suppress(LabError):
                cls(lab).down()
            raise

    @classmethod
    def _there(cls, directory: Path, asked: dict[str, object]) -> Lab:
        lab = record.read(directory)
        here = cls(lab)
        same = all(getattr(lab, key) == value for key, value in asked.items())
        if lab.state == "up" and same and all(node.holder() for node in here.members):
            return here
        why = "was not finished or has fallen" if same else "was made with other options"
        raise LabError(
            f"lab {lab.name} is there and {why}: python -m lab down --name {lab.name}"
            " first, or take another --name"
        )

    @classmethod
    def attach(cls, name: str = "lab") -> Lab:
        """Find a lab by name; LabError if there is none."""
        return cls(record.read(record.where(name)))

    def _build(self, pillar: dict[str, Any] | None) -> Lab:
        lab = self.record
        packages.ensure()
        for version in set(lab.gluster.values()):
            boot.unpack(lab, version)
        programs = salt.venv(lab.salt_venv) if lab.salt else None
        if programs:
            salt.warm(programs)
        network.make(lab)
        disks.make(lab)
        for member in lab.members:
            boot.prepare(lab, member)
            if lab.consul:
                consul.prepare(lab, member)
            if programs:
                salt.prepare(lab, member, programs)
        if programs:
            salt.prepare_roots(lab, pillar)
        at_once(power.first_boot, reversed(self.members))
        self.wait()
        with lab.changing() as fresh:
            fresh.state = "up"
        return self

    def wait(self) -> None:
        """Wait until Consul has a leader and all members, and every minion answers."""
        if self.record.consul and not self.record.bare:
            consul.wait(self.record)
        if self.record.salt:
            salt.wait(self.record)

    def setup(self, **kwargs: Any) -> dict[str, Any]:
        """Run `gluster.setup restart=True`; wait for the new master and give the runner's answer.

        LabError if it is an error. The master restarts when the runner's process has gone.
        """
        old = self.master.unit_pids("salt-master")
        told = dict(self.salt_run("gluster.setup", restart=True, **kwargs))
        if "error" in told:
            raise LabError(f"gluster.setup: {told}")
        self.master.gone(old, timeout=60)
        self.wait()
        return told

    def start_consul(self) -> None:
        """Give a bare lab its Consul, as a person would who wants it now."""
        consul.start(self.record)

    @property
    def nodes(self) -> list[Node]:
        """List the nodes, without the master."""
        return [Node(self.record, name) for name in self.record.nodes]

    @property
    def members(self) -> list[Node]:
        """List the nodes and the master, if the lab has one."""
        return [Node(self.record, name) for name in self.record.members]

    @property
    def master(self) -> Node:
        """Give the node of the salt-master."""
        return self.node(MASTER)

    def node(self, name: str) -> Node:
        """Give a node by name; LabError naming those there are."""
        if name not in self.record.members:
            raise LabError(f"no node {name} in lab {self.name}: {', '.join(self.record.members)}")
        return Node(self.record, name)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def join(self) -> None:
        """Make one pool of all nodes by probing from the first; wait until each knows all others.

        A probe is done when the first two are friends; a change then may still find a member that
        another one of them is not connected to.
        """
        first, *others = self.nodes
        for node in others:
            first.ok(["gluster", "--mode=script", "peer", "probe", node.name], timeout=120)
        status, well = ["gluster", "peer", "status"], "State: Peer in Cluster (Connected)"
        wait_for(
            "every node to be connected to all others (gluster peer status)",
            lambda: all(n.run(status).stdout.count(well) == len(others) for n in self.nodes),
            timeout=180,
        )

    def salt(
        self, target: str, fun: str, *args: Any, timeout: float = 600, by: str = "", **kwargs: Any
    ) -> dict[str, Any]:
        """Run `salt TARGET FUN …` on the master and give minion -> answer.

        `by` is the command line's letter for the target: "L" a list, "C" compound. A minion that
        does not answer has a text that says so in place of its answer.
        """
        words = salt.words(args, kwargs)
        return salt.minions(self.record, target, by, fun, words, timeout=timeout)

    def salt_run(self, fun: str, *args: Any, timeout: float = 600, **kwargs: Any) -> Any:
        """Run `salt-run FUN …` on the master and give its answer; LabError if there is none.

        A runner that raised answers with the text of its exception.
        """
        words = [fun, *salt.words(args, kwargs)]
        return salt.call(self.record, "salt-run", words, timeout)

    def program(
        self, *argv: str, node: str = MASTER, timeout: float = 180
    ) -> CompletedProcess[str]:
        """Run `salt`, `salt-run` or `salt-call` as a person does: what is printed, the exit code.

        It is a fork: the program itself would take a second of processor time to begin.
        """
        return salt.program(self.record, list(argv), timeout, node)

    def salt_call(
        self, node: str, fun: str, *args: Any, timeout: float = 600, **kwargs: Any
    ) -> Any:
        """Run `salt-call FUN …` on a node and give its answer; LabError if there is none."""
        words = [fun, *salt.words(args, kwargs)]
        return salt.call(self.record, "salt-call", words, timeout, node)["local"]

    def write_pillar(self, pillar: dict[str, Any] | str, *, refresh: bool = False) -> None:
        """Make this the pillar of all minions: data, or the text of an SLS.

        State runs read it anew by themselves; execution modules after `refresh`.
        """
        salt.write_pillar(self.record, pillar)
        if refresh:
            self.salt("*", "saltutil.refresh_pillar", wait=True)

    def fault(self, kind: str, node: str, *args: str) -> None:
        """Break something: a row of lab/faults.py."""
        faults.find(kind).strike(self.node(node), list(args))
        entry = [kind, node, *args]
        with self.record.changing() as fresh:
            fresh.faults = [*(old for old in fresh.faults if old != entry), entry]

    def heal(self, kind: str, node: str, *args: str) -> None:
        """Undo a fault; one that was not struck is no error where undoing it is possible."""
        faults.find(kind).undo(self.node(node), list(args))
        with self.record.changing() as fresh:
            fresh.faults = [old for old in fresh.faults if old != [kind, node, *args]]

    def heal_all(self) -> None:
        """Undo every fault that is still there, the last one first."""
        for kind, node, *args in reversed(record.read(self.directory).faults):
            self.heal(kind, node, *args)

    def upgrade(self, node: str, version: str) -> None:
        """Put another GlusterFS version before a node's own; what runs there goes on as it was.

        Restart glusterd in the node to run it: as with a package, that is a step of its own.
        """
        boot.unpack(self.record, version)
        with self.record.changing() as fresh:
            fresh.gluster[node] = version
        lower = f"lowerdir={boot.lower_usr(self.record, node, version)}"
        self.node(node).ok(["mount", "-t", "overlay", "-o", lower, "overlay", "/usr"])

    def status(self) -> str:
        """Give a table of the lab's members, what runs in them and what is broken."""
        return status.table(record.read(self.directory))

    def down(self) -> None:
        """Remove every process, namespace, link and loop device of the lab, then its directory."""
        lab = record.read(self.directory)
        if lab.state == "building" and lab.builder != os.getpid() and _alive(lab.builder):
            raise LabError(f"lab {lab.name} is being made by pid {lab.builder}: end that first")
        at_once(Node.kill, [Node(lab, name) for name in lab.members])
        network.remove(lab)
        disks.remove(lab)
        if left := network.left(lab):
            raise LabError(f"lab {lab.name}: not gone: {', '.join(left)}")
        shutil.rmtree(lab.directory)

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.down()


def _alive(pid: int) -> bool:
    try:
        argv = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"lab" in argv or b"pytest" in argv or b"demo" in argv
