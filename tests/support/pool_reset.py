"""Putting a shared pool back to what it was when it was new, as far as that is cheap.

Whatever GlusterFS has changed goes by one way: its daemons are killed, the saved files of a joined
glusterd are put back, the bricks are emptied, and glusterd is started again.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable, Collection, Sequence

import consul_http
import fingerprint
import trees
from fingerprint import Difference, Fingerprint

from lab import Lab, LabError, Node, salt
from lab.command import at_once, wait_for
from lab.record import MASTER

GLUSTER = ("glusterd", "glusterfsd", "glusterfs", "gluster")
#: Differences after which GlusterFS is started anew on all nodes.
OF_GLUSTER = ("glusterd", "history")
#: What killing GlusterFS makes good by itself.
_FAULTS_OF_GLUSTER = ("brick-kill", "brick-freeze", "glusterd-kill", "glusterd-freeze")


def reset(lab: Lab, new: Fingerprint, rows: Sequence[Difference]) -> list[str]:
    """Undo what differs and return what could not be undone, in words."""
    kinds = {row.kind for row in rows}
    failed: list[str] = []

    def step(what: str, do: Callable[[], object]) -> None:
        try:
            do()
        except Exception as error:  # the proof that follows decides; this says why
            failed.append(f"{what}: {error!r}"[:300])

    gluster = bool(kinds.intersection(OF_GLUSTER)) or any(
        row.kind == "process" and row.what.split()[1] in GLUSTER for row in rows
    )
    step("faults", lambda: _heal(lab, skip=_FAULTS_OF_GLUSTER if gluster else ()))
    step("processes", lambda: at_once(lambda node: _strangers(node, new), lab.members))
    if gluster:
        step("glusterd", lambda: at_once(kill_gluster, lab.members))
    step("mounts", lambda: at_once(lambda node: _unmount(node, new), lab.members))
    step("files", lambda: _files(lab, new))
    if gluster:
        step("glusterd", lambda: start_gluster(lab))
    step("Salt", lambda: _stop_reconfigured(lab, rows))
    started = _start_units(lab, new, step)
    if kinds & {"consul", "process"} and lab.record.consul:
        step("Consul", lambda: _empty_consul(lab))
    if lab.record.salt:
        jobs = lab.master.home / "salt-cache/master/jobs"
        shutil.rmtree(jobs, ignore_errors=True)
        if started:
            step("minions", lambda: salt.wait(lab.record))
        if "pillar" in kinds:
            step("pillar", lambda: lab.salt("*", "saltutil.refresh_pillar", wait=True))
    return failed


def _heal(lab: Lab, skip: Collection[str]) -> None:
    """Undo the faults; those in ``skip`` are only struck off the list."""
    with lab.record.changing() as fresh:
        fresh.faults = [row for row in fresh.faults if row[0] not in skip]
    lab.heal_all()


def _strangers(node: Node, new: Fingerprint) -> None:
    """End what did not run in the new pool, and let go on what was stopped."""
    known = new.facts["process", node.name]
    for pid in node.pids():
        name = fingerprint.program(pid)
        if name and not node.holds(pid):
            with contextlib.suppress(ProcessLookupError):
                is_known = name in known or name.startswith(fingerprint.JOB)
                os.kill(pid, signal.SIGCONT if is_known else signal.SIGKILL)


def kill_gluster(node: Node) -> None:
    """Kill all of GlusterFS on a node and wait for its end."""
    pids = [pid for pid in node.pids() if fingerprint.program(pid).split(" ")[0] in GLUSTER]
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    node.gone(pids)


def _unmount(node: Node, new: Fingerprint) -> None:
    now = fingerprint.mounts(node)
    for point in sorted(now.keys() - new.facts["mount", node.name].keys(), reverse=True):
        node.ok(["umount", "-l", point])


def _files(lab: Lab, new: Fingerprint) -> None:
    for name, tree in fingerprint.all_trees(lab):
        old = new.trees[name, tree.shown]
        now = trees.read(tree, old)
        if now != old:
            trees.restore(tree, old, now)


def start_gluster(lab: Lab) -> None:
    """Start glusterd on every node and wait until each is connected to all others."""

    def start(node: Node) -> None:
        node.ok(["systemctl", "start", "glusterd"])

    at_once(start, lab.nodes)
    wait_joined(lab)


def wait_joined(lab: Lab) -> None:
    """Wait until every node calls all others connected members."""
    words, well = ["gluster", "peer", "status"], "State: Peer in Cluster (Connected)"
    others = len(lab.nodes) - 1

    def is_joined() -> bool:
        return all(node.run(words).stdout.count(well) == others for node in lab.nodes)

    wait_for("every node to be connected to all others", is_joined, timeout=60, step=0.3)


def _stop_reconfigured(lab: Lab, rows: Sequence[Difference]) -> None:
    """Stop the Salt of a node whose configuration was another, for it to read the one of before."""
    for name in {row.node for row in rows if row.what.startswith("/etc/salt/")}:
        role = "master" if name == MASTER else "minion"
        node = lab.node(name)
        node.ok(["systemctl", "stop", f"salt-{role}"], timeout=60)
        for pid in node.unit_pids(f"salt-{role}"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _start_units(
    lab: Lab, new: Fingerprint, step: Callable[[str, Callable[[], object]], None]
) -> list[str]:
    """Start the units that ran in the new pool and do not now; name those of Salt."""
    found = []
    for node in lab.members:
        known = new.facts["process", node.name]
        units = {name.partition(" of ")[2] for name in known} - {""}
        for unit in sorted(units):
            if not node.unit_pids(unit.removesuffix(".service")):
                found.append(unit)
                step(unit, lambda node=node, unit=unit: node.ok(["systemctl", "start", unit]))  # type: ignore[misc]
    return [unit for unit in found if unit.startswith("salt-")]


def _empty_consul(lab: Lab) -> None:
    """Empty it; an agent that has just been started takes some seconds to have a leader."""
    names = [node.name for node in lab.members]
    end = time.monotonic() + 60
    while True:
        try:
            consul_http.empty(lab.members, names)
            return
        except OSError as error:
            if time.monotonic() > end:
                raise LabError(f"Consul was not emptied: {error}") from None
            time.sleep(0.5)
