"""Pools that several test files share: each file gets one *as new*, and that is proved.

A fingerprint is taken when a pool is made. Before the next file gets it, what the file before left
behind is told and put back; then the fingerprint has to be the same. If it is not, a new pool is
made: a dirty test costs time and a line, never a strange failure in the next file.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fingerprint
import pool_reset
import salted
from fingerprint import Difference, Fingerprint

from lab import Lab, LabError

#: What Consul and Salt need at most to become quiet again after a reset.
QUIET_S = 20.0
#: Kinds of differences that may end by themselves; of the others none does.
TRANSIENT = {"consul", "process", "pillar"}
STEP_S = 0.3
TRIES = 2


@dataclass(frozen=True)
class Kind:
    """What a shared pool is made of: the words of ``Lab.up``."""

    nodes: int = 4
    words: Mapping[str, Any] = field(default_factory=dict)
    joined: bool = True


KINDS = {
    "plain": Kind(words={"salt": False}),
    "watched": Kind(words={"sensor": True}),
    "agents": Kind(nodes=8, words={"salt": False}, joined=False),
}


class SharedPool:
    """One pool, made at first use, and what it was like then."""

    def __init__(self, name: str, kind: Kind) -> None:
        self.name, self.kind = name, kind
        self.made = 0
        self._lab: Lab | None = None
        self._new: Fingerprint | None = None
        self._user = ""
        self._told: list[str] = []

    def as_new(self, user: str) -> Lab:
        """Return the pool as it was when it was made; ``user`` is named if it leaves it dirty."""
        if self._lab is None or self._new is None:
            return self._make(user)
        began, culprit, self._user = time.monotonic(), self._user, user
        rows = self._differences(self._lab, self._new)
        left, failed = fingerprint.lines(rows), list[str]()
        for _ in range(TRIES if rows else 0):
            failed += pool_reset.reset(self._lab, self._new, rows)
            rows = self._settled(self._lab, self._new)
            if not rows:
                break
        took = f"{time.monotonic() - began:.1f} s"
        if not rows:
            self._tell(f"{culprit} left behind, put back in {took}:", left)
            return self._lab
        self.down()
        lab = self._make(user)
        kept = [*fingerprint.lines(rows), *failed] or ["gluster's history of commands"]
        self._tell(f"{culprit} left behind:", left)
        self._tell(f"not put back in {took}, so a new pool was made:", kept)
        return lab

    def told(self) -> list[str]:
        """Return what was not told yet, a block of lines each, and forget it."""
        told, self._told = self._told, []
        return told

    def down(self) -> None:
        """Take the pool down."""
        if self._lab is not None:
            self._lab.down()
        self._lab = self._new = None

    def _make(self, user: str) -> Lab:
        _left_over(self.name)
        lab = Lab.up(self.name, nodes=self.kind.nodes, **self.kind.words)
        self._lab, self._user = lab, user
        self.made += 1
        if self.kind.joined:
            lab.join()
            # Once more, for glusterd to have written what it writes at a start.
            for node in lab.nodes:
                pool_reset.kill_gluster(node)
            for node in lab.nodes:
                (node.home / "log/glusterfs" / fingerprint.HISTORY).unlink(missing_ok=True)
            pool_reset.start_gluster(lab)
        salted.prepare(lab)
        self._new = fingerprint.take(lab)
        return lab

    def _differences(self, lab: Lab, new: Fingerprint) -> list[Difference]:
        """List what differs; the minions are asked only where nothing else is wrong."""
        rows = fingerprint.differences(new, fingerprint.take(lab, new, ask=False))
        if not rows and lab.record.salt:
            rows = fingerprint.differences(new, fingerprint.take(lab, new))
        return rows

    def _settled(self, lab: Lab, new: Fingerprint) -> list[Difference]:
        """List what still differs when Consul and Salt have had time to become quiet."""
        end = time.monotonic() + QUIET_S
        while rows := self._differences(lab, new):
            if time.monotonic() > end or not {row.kind for row in rows} <= TRANSIENT:
                break
            time.sleep(STEP_S)
        return rows

    def _tell(self, head: str, lines: list[str]) -> None:
        """Keep it for the summary and print it; what needs no line needs no head."""
        if lines:
            block = "\n  ".join([f"shared pool {self.name}: {head}", *lines])
            self._told.append(block)
            print(block)


class Pools:
    """The shared pools of this process, one of each kind."""

    def __init__(self) -> None:
        worker = os.environ.get("PYTEST_XDIST_WORKER", "own")
        self._all = {name: SharedPool(f"{name}-{worker}", kind) for name, kind in KINDS.items()}

    def of(self, kind: str) -> SharedPool:
        """Return the pool of a kind."""
        return self._all[kind]

    def told(self) -> list[str]:
        """Return what was left behind since the last question."""
        return [line for pool in self._all.values() for line in pool.told()]

    def down(self) -> None:
        """Take all of them down."""
        for pool in self._all.values():
            pool.down()


def _left_over(name: str) -> None:
    """Remove the pool of a run that was killed; LabError if a run that goes on holds it."""
    try:
        lab = Lab.attach(name)
    except LabError:
        return
    pid = lab.record.builder
    with contextlib.suppress(OSError):
        if pid != os.getpid() and b"pytest" in Path(f"/proc/{pid}/cmdline").read_bytes():
            raise LabError(f"pool {name} is held by the test run with pid {pid}")
    lab.down()
