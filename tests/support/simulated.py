"""A pool that is not there: shared by several nodes, in virtual time, with faults on demand.

Jobs run in threads, one at a time: at every call into the world the next one is drawn from a
seeded generator, so that a seed is one interleaving. No test sleeps.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from salt_gluster.errors import AlreadyExists, CommandFailed, Conflict
from salt_gluster.minion.driver import with_facets_of
from salt_gluster.model import (
    AnnouncedBrick,
    Announcement,
    BrickPath,
    BrickStatus,
    Candidate,
    Facet,
    Hold,
    Node,
    Observation,
    Peer,
    Prepared,
    Reach,
    Step,
    Unknown,
    Volume,
    VolumeStatus,
)
from salt_gluster.plan import guards
from salt_gluster.plan.actions import simulate

T0 = 1_000_000.0
OP = 100000


class Died(BaseException):
    """The node's process was killed."""


class _Task:
    def __init__(self, name: str, job: Callable[[], Any]) -> None:
        self.name, self.job = name, job
        self.ready_at, self.over = T0, False
        self.go, self.result = threading.Semaphore(0), None


class Time:
    """Virtual time; runs jobs one at a time and draws which one goes on."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.now = T0
        self._back = threading.Semaphore(0)
        self._current: _Task | None = None

    def pass_(self, seconds: float) -> None:
        """Let time pass for the running job; others may run meanwhile."""
        task = self._current
        if task is None:
            self.now += seconds
            return
        task.ready_at = self.now + seconds
        self._back.release()
        task.go.acquire()

    def run(self, jobs: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
        """Run all jobs to their end; return what each returned, ``Died`` for a killed one."""
        tasks = [_Task(name, job) for name, job in jobs.items()]
        for task in tasks:
            task.ready_at = self.now
            threading.Thread(target=self._body, args=(task,), daemon=True).start()
        while left := [t for t in tasks if not t.over]:
            self.now = max(self.now, min(t.ready_at for t in left))
            self._current = self.rng.choice([t for t in left if t.ready_at <= self.now])
            self._current.go.release()
            self._back.acquire()
        self._current = None
        for task in tasks:
            if isinstance(task.result, BaseException) and not isinstance(task.result, Died):
                raise task.result
        return {task.name: task.result for task in tasks}

    def _body(self, task: _Task) -> None:
        task.go.acquire()
        try:
            task.result = task.job()
        except BaseException as err:
            task.result = err
        task.over = True
        self._back.release()


@dataclass
class Machine:
    """One node: its paths, and whether others reach it."""

    name: str
    uuid: str
    paths: dict[str, BrickPath] = field(default_factory=dict)
    hold: Hold | Unknown | None = None
    away: bool = False
    answers: bool = True
    version: int = OP
    glusterd_started: float = T0 - 5000


#: (node, step, carry out) -> anything: called instead of carrying out; may call it, raise, or not.
Fault = Callable[[str, Step, Callable[[], None]], None]


class Pool:
    """The truth that all simulated nodes share. ``log`` is what was really changed, by whom."""

    def __init__(self, names: list[str], seed: int = 0, *, together: bool = False) -> None:
        self.time = Time(seed)
        self.machines = {n: Machine(n, f"00000000-{i:04d}") for i, n in enumerate(names)}
        self.home = {n: (0 if together else i) for i, n in enumerate(names)}
        self.joined = dict.fromkeys(names, T0 - 9999.0)
        self.volumes: dict[int, dict[str, Volume]] = {i: {} for i in range(len(names))}
        self.started: dict[str, float] = {}
        self.locks: dict[str, str] = {}
        self.touched: Counter[str] = Counter()
        self.log: list[tuple[str, Step]] = []
        self.changed_at: list[float] = []
        self.asked: list[tuple[str, Step]] = []
        self.needless: list[Step] = []
        self.copies: list[str] = []
        self.told: list[tuple[str, str]] = []
        self.fault: Fault = lambda node, step, carry_out: carry_out()
        self.bricks_never_up = False
        self.prepared_all = True
        #: name -> what that node tells instead of the truth, for ``definitions``
        self.other_tales: dict[str, dict[str, str]] = {}

    def touch(self, name: str = "data") -> None:
        """Let the files of a volume move, or those of the members: ""."""
        self.touched[name] += 1

    def world(self, name: str) -> World:
        """Return the world as seen from one node."""
        return World(self, self.machines[name])

    def volume(self, name: str) -> Volume:
        """Return the one volume of that name."""
        return next(v[name] for v in self.volumes.values() if name in v)

    def group(self, name: str) -> list[Machine]:
        """Return the members of the pool a node is in."""
        return [m for n, m in self.machines.items() if self.home[n] == self.home[name]]

    # --- looking -----------------------------------------------------------------------------

    def peers(self, name: str) -> tuple[Peer, ...]:
        rows = []
        for m in self.group(name):
            joins = self.time.now < max(self.joined[m.name], self.joined[name]) and m.name != name
            rows.append(
                Peer(
                    m.uuid,
                    (m.name,),
                    connected=not m.away,
                    state=4 if joins else 3,
                    is_self=m.name == name,
                )
            )
        return tuple(rows)

    def observe(self, machine: Machine, needs: frozenset[Facet]) -> Observation:
        named: dict[str, set[str]] = {}
        for need in needs:
            named.setdefault(need.kind, set()).add(need.name)
        node = Node(
            machine.name,
            uuid=machine.uuid,
            glusterd_started=machine.glusterd_started,
            volumes_without_info=(),
            volumes_at_start=(),
            hold=machine.hold,
        )
        volumes = dict(self.volumes[self.home[machine.name]])
        more: dict[str, Any] = {}
        if "reach" in named:
            more["reach"] = {
                m.uuid: Reach(True, m.version)
                if m.answers and not m.away
                else Reach(False, Unknown("no answer"))
                for m in self.group(machine.name)
            }
        if "definitions" in named:
            told = {n: v.digest() for n, v in volumes.items()}
            here = Observation(self.time.now, node, peers=self.peers(machine.name), volumes=volumes)
            hosts = named.get("holder", ())
            more["definitions"] = {
                p.uuid: self.other_tales.get(p.name, told)
                for p in guards.asked_for_definitions(here, named["definitions"], hosts)
            }
        if "status" in named:
            more["status"] = {
                v: self._rows(volumes[v])
                for v in named["status"]
                if v in volumes and volumes[v].is_started
            }
        if "candidate" in named:
            more["candidates"] = {c: self._candidate(c) for c in named["candidate"]}
        if "path" in named:
            missing = {p: BrickPath(p, False, True, "/bricks") for p in named["path"]}
            more["paths"] = {p: machine.paths.get(p, missing[p]) for p in named["path"]}
        if "prepared" in named:
            more["prepared"] = self._prepared()
        return Observation(
            self.time.now, node, peers=self.peers(machine.name), volumes=volumes, **more
        )

    def _prepared(self) -> Prepared:
        if self.prepared_all:
            return Prepared(Unknown("no node tells another in this simulation"))
        said = {
            m.name: Announcement(self.time.now, tuple(AnnouncedBrick("", p, "fs") for p in m.paths))
            for m in self.machines.values()
        }
        return Prepared(said)

    def _rows(self, volume: Volume) -> VolumeStatus:
        up = self.time.now >= self.started.get(volume.name, 0) and not self.bricks_never_up
        rows = [
            BrickStatus(b.host, b.path, b.host_uuid, up, 49152 if up else None, 1 if up else None)
            for b in volume.bricks
            if not self.machines[b.host].away
        ]
        return VolumeStatus(volume.name, tuple(rows))

    def _candidate(self, name: str) -> Candidate:
        machine = self.machines[name]
        if machine.away or not machine.answers:
            silent = Unknown("no answer")
            return Candidate(name, silent, silent, silent)
        volumes = tuple(self.volumes[self.home[name]])
        return Candidate(name, machine.uuid, self.peers(name), volumes)

    # --- changing ----------------------------------------------------------------------------

    def execute(self, machine: Machine, step: Step) -> None:
        self.asked.append((machine.name, step))
        self.time.pass_(self.time.rng.uniform(0.01, 0.1))
        if step.place == "node":
            self.fault(machine.name, step, lambda: self._carry_out(machine, step))
            return
        holder = self.locks.get(step.subject)
        if holder:
            raise Conflict(f"locked by {holder}", kind="locked")
        self.locks[step.subject] = machine.name
        try:
            self._refuse_what_gluster_refuses(machine, step)
            self.time.pass_(self.time.rng.uniform(0.1, 0.6))
            self.fault(machine.name, step, lambda: self._carry_out(machine, step))
        finally:
            del self.locks[step.subject]

    def _refuse_what_gluster_refuses(self, machine: Machine, step: Step) -> None:
        here = self.volumes[self.home[machine.name]]
        volume = here.get(step.subject)
        if step.action == "volume_create":
            if volume:
                raise AlreadyExists(f"Volume {step.subject} already exists", kind="already_exists")
            usable = {p.name for p in self.peers(machine.name) if p.usable}
            for host in (b.split(":")[0] for b in step.args["bricks"]):
                if host not in usable:
                    raise CommandFailed(f"Host {host} is not in cluster", kind="not_a_peer")
        elif step.action == "volume_start" and volume and volume.is_started:
            raise AlreadyExists("already started", kind="already_done")
        elif step.action == "volume_stop" and volume and not volume.is_started:
            raise CommandFailed("not in the started state", kind="not_started")
        elif step.action == "bricks_add" and volume:
            if {b.name for b in volume.bricks} & set(step.args["bricks"]):
                raise CommandFailed("Brick not available", kind="brick_in_use")
        elif step.action == "peer_probe":
            alone = len(self.group(step.args["host"])) == 1
            same = self.home[step.args["host"]] == self.home[machine.name]
            if not alone and not same:
                raise CommandFailed("part of another cluster", kind="node_not_clean")

    def _carry_out(self, machine: Machine, step: Step) -> None:
        if step.place == "node":
            machine.paths[step.subject] = BrickPath(step.subject, True, True, "/bricks")
            self.log.append((machine.name, step))
            return
        if step.action == "peer_probe":
            host = step.args["host"]
            if self.home[host] == self.home[machine.name]:
                self.needless.append(step)
                return
            self.home[host] = self.home[machine.name]
            self.joined[host] = self.time.now + self.time.rng.uniform(1, 5)
        else:
            self._change_volume(machine, step)
        self.touch("" if step.action.startswith("peer") else step.subject)
        self.changed_at.append(self.time.now)
        self.log.append((machine.name, step))

    def _change_volume(self, machine: Machine, step: Step) -> None:
        here = self.volumes[self.home[machine.name]]
        before = here.get(step.subject)
        after = simulate(self.observe(machine, frozenset()), step).volumes[step.subject]  # type: ignore[index]
        if before == after:
            self.needless.append(step)
        if not after.id:
            after = replace(after, id=f"id-{len(self.log)}")
            for brick in after.bricks:
                paths = self.machines[brick.host].paths
                there = paths.get(brick.path) or BrickPath(brick.path, True, True, "/bricks")
                paths[brick.path] = replace(
                    there, volume_id=after.id, exists=True, changed=self.time.now
                )
        if step.action == "volume_start":
            self.started[step.subject] = self.time.now + self.time.rng.uniform(0.1, 5)
        here[step.subject] = after


class World:
    """``driver.Driver`` of one simulated node."""

    def __init__(self, pool: Pool, machine: Machine) -> None:
        self.pool, self.machine = pool, machine

    def now(self) -> float:
        return self.pool.time.now

    def sleep(self, seconds: float) -> None:
        self.pool.time.pass_(seconds)

    def observe(self, needs: frozenset[Facet] = frozenset(), *, fresh: bool = False) -> Observation:
        self.pool.time.pass_(self.pool.time.rng.uniform(0.01, 0.3))
        return self.pool.observe(self.machine, needs)

    def observe_more(self, obs: Observation, needs: frozenset[Facet]) -> Observation:
        return with_facets_of(obs, self.observe(needs))

    def stamps(self) -> Mapping[str, object]:
        return dict(self.pool.touched)

    def tell(self, text: str) -> None:
        self.pool.told.append((self.machine.name, text))

    def jitter(self) -> float:
        return self.pool.time.rng.random()

    @contextmanager
    def node_lock(self) -> Iterator[None]:
        yield

    def backup(self) -> None:
        self.pool.copies.append(self.machine.name)

    def execute(self, step: Step) -> None:
        self.pool.execute(self.machine, step)
