"""A world for the decision core: gluster, Consul, the Salt bus and people, in virtual time.

Only the edges are simulated; what decides and what the executor checks is the real code. Every
process is a generator: it may be killed, or frozen, wherever it yields. What must never happen is
judged from the truth of this world, not from what anybody sees, and collected in ``wrong``.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import simtruth
from simengine import Engine, Process
from simparts import CLUSTER, LAYOUT, NODES, T0, Consul, Key, SimBrick, SimNode

from salt_gluster.model import (
    Brick,
    BrickFacts,
    BrickStatus,
    Change,
    Heal,
    Node,
    NodeFacts,
    Observation,
    Peer,
    Ref,
    Unknown,
    Volume,
    VolumeStatus,
    encode_ref,
)
from salt_gluster.remediation import FleetObservation, LockView, Policy
from salt_gluster.remediation.authorize import Decision, authorize
from salt_gluster.remediation.decide import Asks
from salt_gluster.remediation.membership import (
    ConsulView,
    Registered,
    Signal,
    ViewTrust,
    snapshot_from,
)
from salt_gluster.remediation.observation import Recorded
from salt_gluster.remediation.operations import (
    APPROVED_AT,
    APPROVED_BY,
    ENDED,
    OPEN,
    ExecutionReport,
    Life,
    Operation,
    operation_from,
)

#: How old a node's report grows where nothing happens.
REPORT_S = 240.0
#: A brick that served for a shorter time may have been seen by nobody.
UNSEEN_S = 25.0
Steps = Iterator[float]
F = TypeVar("F", BrickFacts, NodeFacts)


def _hidden(facts: F, fields: frozenset[str]) -> F:
    """Return the report without what its node cannot read; the truth stays as it is."""
    return replace(facts, **dict.fromkeys(fields, Unknown("cannot be read")))


class World:
    """Everything there is. ``wrong`` collects every broken invariant with its time."""

    def __init__(self, seed: int = 0, policy: Policy | None = None) -> None:
        self.rng = random.Random(seed)
        self.policy = policy or Policy()
        self.now = T0
        self.queue: list[tuple[float, int, Callable[[], None]]] = []
        self.count = 0
        self.nodes = {n: SimNode(n) for n in NODES}
        self.bricks: dict[Key, SimBrick] = {}
        self.stopped: set[str] = set()
        for volume, hosts in LAYOUT.items():
            for host in hosts:
                self.bricks[host, f"/b/{volume}"] = SimBrick(volume, volume_id=f"id-{volume}")
        self.pending = dict.fromkeys(LAYOUT, 0.0)
        self.healed_at = T0
        self.consul = Consul()
        self.engines = {n: Engine(self, n) for n in ("m1", "m2")}
        self.reports: dict[str, NodeFacts] = {}
        self.loss = self.double = self.least = self.lost_answers = 0.0
        self.delay = 0.3
        self.executor_dies_at = -1
        self.executor_steps = 0
        self.engine_dies_at = -1
        self.engine_steps = 0
        self.fired: list[dict[str, Any]] = []
        self.due: set[str] = set()
        self.log: list[tuple[float, str, str, str]] = []
        self.wrong: list[str] = []
        self.is_mended = False
        #: Proposal -> the bricks that were dead when an operator approved it.
        self.shown: dict[str, frozenset[Key]] = {}
        self.cache: tuple[frozenset[str], dict[str, Volume]] | None = None
        for i, name in enumerate(self.engines):
            self.at(0.1 + i, self.engines[name].heartbeat)
            self.at(0.2 + i, self.engines[name].start_tick)

    # --- time --------------------------------------------------------------------------------

    def at(self, delay: float, what: Callable[[], None]) -> None:
        self.count += 1
        heapq.heappush(self.queue, (self.now + delay, self.count, what))

    def run(self, seconds: float) -> World:
        end = self.now + seconds
        while self.queue and self.queue[0][0] <= end:
            self.now, _, what = heapq.heappop(self.queue)
            what()
        self.now = end
        return self

    def go(self, process: Process) -> None:
        if process.dead:
            return
        if process.frozen_until > self.now:
            self.at(process.frozen_until - self.now, lambda: self.go(process))
            return
        if process.owner in self.engines:
            self.engine_steps += 1
            if self.engine_steps == self.engine_dies_at:
                self.engines[process.owner].crash()
                return
        try:
            wait = next(process.steps)
        except StopIteration:
            process.dead = True
            return
        self.at(wait, lambda: self.go(process))

    def breach(self, name: str) -> None:
        self.wrong.append(f"{self.now - T0:.1f} {name}")

    # --- gluster -----------------------------------------------------------------------------

    def volumes(self) -> dict[str, Volume]:
        key = frozenset(self.stopped)
        if self.cache is None or self.cache[0] != key:
            self.cache = (key, {
                n: Volume(n, f"id-{n}", "Stopped" if n in self.stopped else "Started", "replicate",
                          tuple(Brick(h, f"/b/{n}", h) for h in hosts), 1, replica=3)
                for n, hosts in LAYOUT.items()
            })  # fmt: skip
        return self.cache[1]

    def serves(self, key: Key) -> bool:
        brick = self.bricks[key]
        return brick.alive and brick.port_known and self.nodes[key[0]].there

    def heal(self) -> None:
        passed, self.healed_at = self.now - self.healed_at, self.now
        for volume, hosts in LAYOUT.items():
            whole = all(self.serves((h, f"/b/{volume}")) for h in hosts)
            rate = -5 if whole else 1
            self.pending[volume] = min(500.0, max(0.0, self.pending[volume] + rate * passed))

    def connected(self, asker: str, other: str) -> bool:
        """Gluster's word: a dead process at once, a cut after 26 s."""
        node = self.nodes[other]
        if not node.alive:
            return False
        return not (node.cut or self.nodes[asker].cut) or self.now - node.missed_since < 26

    def facts(self, name: str) -> NodeFacts:
        node = self.nodes[name]
        bricks = {
            k[1]: _hidden(BrickFacts(
                b.alive, 49152 if b.alive and b.port_known else None, b.mounted, b.read_only,
                b.filesystem, b.volume_id or None, b.root, b.io_errors, b.health_check_ended,
            ), b.unreadable)
            for k, b in self.bricks.items() if k[0] == name and b.told
        }  # fmt: skip
        facts = NodeFacts(
            self.now + node.skew, node.glusterd_started + node.skew, True, node.version,
            ("data",) if node.importing else (), self.volumes(),
            {n: self.connected(name, n) for n in NODES if n != name}, bricks,
            tuple(node.history), node.hold,
        )  # fmt: skip
        return _hidden(facts, node.unreadable)

    def is_plain(self) -> bool:
        """Whether nothing is wrong anywhere: nobody has anything to tell an engine."""
        c = self.consul
        told = (c.members or {}).get("conditions", {})
        return (
            c.up and not c.wiped and c.hold is None and not c.maintenance and not self.stopped
            and self.now - c.leader_since > self.policy.sight_settle_s
            and all(n.there and n.agent and not (n.has_left or n.hold or n.consul_maintenance)
                    for n in self.nodes.values())
            and all(b.alive and b.port_known for b in self.bricks.values())
            and not any(Life(o["state"]) in OPEN for o in c.operations.values())
            and all(encode_ref(Ref("operation", i)) in told for i in c.operations)
        )  # fmt: skip

    def pool(self) -> Observation:
        self.heal()
        peers = tuple(Peer(n, (n,), self.nodes[n].there, 3) for n in NODES)
        status, heal = {}, {}
        for name, hosts in LAYOUT.items():
            here = [(h, f"/b/{name}") for h in hosts if self.nodes[h].there]
            status[name] = VolumeStatus(name, tuple(
                BrickStatus(h, p, h, self.serves((h, p)), 49152 if self.serves((h, p)) else None, 1)
                for h, p in here
            ))  # fmt: skip
            heal[name] = tuple(Heal(f"{h}:{p}", h, int(self.pending[name])) for h, p in here)
        return Observation(self.now, Node("m"), peers, self.volumes(), status, heal=heal)

    def start_force(self, name: str, op: Operation, truth: list[str]) -> None:
        """Start every brick of the volume that can be started; judge whether it was right."""
        for reason in truth:
            self.breach(reason)
        if any(entry[3] == op.id for entry in self.log):
            self.breach("I6 one operation was applied twice")
        if op.id not in self.consul.operations:
            self.breach("I8 applied without a durable intent")
        if op.action != "brick_restart":
            self.breach(f"another thing than was asked for: {op.action}")
        if op.node != name:
            self.breach("carried out by another node than was asked")
        self.log.append((self.now, name, f"volume start {op.volume} force", op.id))
        if self.volumes()[op.volume].is_started:
            for key, brick in self.bricks.items():
                if brick.volume == op.volume and not brick.fault() and self.nodes[key[0]].there:
                    brick.revive(self.now)

    # --- looking -----------------------------------------------------------------------------

    def registered(self) -> dict[str, Registered]:
        if self.consul.wiped:
            return {}
        view = {}
        for n in self.nodes.values():
            if n.has_left:
                continue
            bad = (not n.there or not n.agent) and self.now - n.missed_since > 5
            serf = Signal.BAD if bad else Signal.GOOD
            view[n.name] = Registered(n.name, n.name, n.name, serf, n.zone, n.consul_maintenance)
        return view

    def refresh(self, asked: frozenset[str]) -> None:
        """Write the reports: of who is asked, of who has news of a brick, and now and then."""
        for name, node in self.nodes.items():
            if not node.there:
                continue
            at = self.reports[name].at - node.skew if name in self.reports else 0.0
            bricks = (b for k, b in self.bricks.items() if k[0] == name)
            due = self.now - at >= REPORT_S or any(b.changed > at for b in bricks)
            if name in asked or (due and node.agent and self.consul.up):
                self.reports[name] = self.facts(name)

    def observe(
        self, trust: ViewTrust, lock: LockView, asks: Asks, executor_node: str = ""
    ) -> FleetObservation:
        c = self.consul
        ports, peers, answered = {}, {}, {}
        for name in asks.ports:
            others = [n for n in NODES if n != name and self.nodes[n].there][:3]
            for key in self.bricks:
                if key[0] == name:
                    ports[key] = {o: self.serves(key) for o in others}
        skews = {n: self.nodes[n].skew for n in asks.facts if self.nodes[n].there}
        if asks.peers:
            for name in [n for n in NODES if self.nodes[n].there][:4]:
                peers[name] = {n: self.connected(name, n) for n in NODES if n != name}
            answered = {n: self.nodes[n].there for n in NODES}
        gone = Unknown("Consul does not answer")
        readable = c.up or not trust.fresh
        stored = {i: operation_from(d) for i, d in c.operations.items()}
        return FleetObservation(
            now=self.now, cluster=CLUSTER,
            consul=ConsulView(trust, self.registered(), c.index), lock=lock,
            members={n: n for n in NODES}, pool=self.pool(), facts=dict(self.reports), ports=ports,
            peers=peers, answered=answered, skews=skews, hold=c.hold if readable else gone,
            maintenance=dict(c.maintenance) if readable else gone, went_back=c.went_back,
            operations=stored if readable else gone,
            proposals={i: operation_from(d) for i, d in c.proposals.items()},
            outcomes={i: o for (_, i), o in c.outcomes.items()} if readable else gone,
            acknowledged=tuple(c.acknowledged),
            recorded={k: Recorded("fs", f"id-{b.volume}")
                      for k, b in self.bricks.items() if b.recorded},
            executor_node=executor_node,
        )  # fmt: skip

    # --- the bus and the executor ------------------------------------------------------------

    def send(self, minion: str, operation: str) -> None:
        """A request on its way: it may be lost, late or doubled."""
        copies = 0 if self.rng.random() < self.loss else 1
        copies += self.rng.random() < self.double
        for _ in range(copies):
            self.at(
                self.rng.uniform(max(0.05, self.least), self.delay),
                lambda: self.deliver(minion, operation),
            )

    def deliver(self, minion: str, operation: str) -> None:
        if minion in self.nodes and self.nodes[minion].there:
            self.go(Process(self.execute(minion, operation), minion))

    def _kill_point(self) -> bool:
        self.executor_steps += 1
        return self.executor_steps == self.executor_dies_at

    def execute(self, name: str, op_id: str) -> Steps:
        """The edge of the executor, as ``authorize.py`` says it has to go."""
        c, node, key = self.consul, self.nodes[name], (name, op_id)
        if self._kill_point():
            return
        answer = self._judge(name, op_id, begun=False)
        yield self.rng.uniform(0, 0.2)
        if self._kill_point() or answer.do is Decision.IGNORE or not c.up:
            return
        if answer.do is not Decision.PERFORM:
            if answer.outcome and (answer.do is Decision.LOOK_BACK or key not in c.outcomes):
                self.say(key, answer.outcome)
            return
        if (key in c.outcomes and c.cas) or answer.outcome is None:
            return  # cas 0: somebody else has begun
        self.say(key, answer.outcome)
        yield self.rng.uniform(0, 0.2)
        if self._kill_point() or not node.there:
            return
        answer = self._judge(name, op_id, begun=True)
        op = operation_from(c.operations[op_id])
        truth = simtruth.truth(self, name, op)
        if answer.do is not Decision.PERFORM:
            if answer.outcome and c.up:
                self.say(key, answer.outcome)
            return
        yield self.rng.uniform(0, 0.1)
        if self._kill_point() or not node.there:
            return
        if node.only_tells:
            self.breach("acted where nothing may be changed")
        self.start_force(name, op, truth)
        yield self.rng.uniform(0.1, 2)
        if self._kill_point() or not node.there:
            return
        for _ in range(10):
            if self.serves((name, f"/b/{op.volume}")):
                break
            yield 2
        state = Life.APPLIED if self.serves((name, f"/b/{op.volume}")) else Life.FAILED
        if self._kill_point() or not c.up:
            return
        self.say(key, ExecutionReport(op_id, name, state, self.now))
        self._kill_point()

    def say(self, key: Key, outcome: ExecutionReport) -> None:
        """Write an outcome; of what has ended there is nothing to say but what was found."""
        stored = self.consul.operations[key[1]]
        if outcome.state is Life.REFUSED and Life(stored["state"]) in ENDED:
            self.breach("a refusal of what has ended")
        self.consul.outcomes[key] = outcome

    def _judge(self, name: str, op_id: str, *, begun: bool) -> Any:
        c, node = self.consul, self.nodes[name]
        if node.there:
            self.reports[name] = self.facts(name)
        trust = ViewTrust(c.up and node.agent, "", c.leader_since)
        lock = LockView(bool(c.holder), 0.0, c.epoch)
        obs = self.observe(trust, lock, Asks(), executor_node=name)
        obs = replace(obs, now=self.now + node.skew)
        stored: Any = c.operations.get(op_id)
        op = Unknown("no Consul") if not c.up else operation_from(stored) if stored else None
        said = op.evidence["skew_s"] if isinstance(op, Operation) else None
        before: Any = c.outcomes.get((name, op_id))
        if not node.outcomes_readable:
            before = Unknown("no right")
        return authorize(
            op, before, obs, self.policy, minion=name,
            skew_s=Unknown("not measured") if said is None else said,
            conditions=snapshot_from(c.members).conditions, begun=begun,
            only_tells=node.only_tells,
        )  # fmt: skip

    # --- people and faults -------------------------------------------------------------------

    def kill_brick(self, node: str, volume: str) -> None:
        brick = self.bricks[node, f"/b/{volume}"]
        if brick.alive:
            if self.now - brick.up_since >= UNSEEN_S:
                brick.died = self.now
            brick.alive, brick.changed = False, self.now

    def harm(self, node: str, volume: str, **disk: Any) -> None:
        brick = self.bricks[node, f"/b/{volume}"]
        for name, value in disk.items():
            setattr(brick, name, value)
        brick.changed = self.now

    def lose(self, node: str, *, cut: bool = False, agent_only: bool = False) -> None:
        it = self.nodes[node]
        it.missed_since = self.now
        if agent_only:
            it.agent = False
        elif cut:
            it.cut = True
        else:
            it.alive = False
            for key in self.bricks:
                if key[0] == node:
                    self.kill_brick(*[node, self.bricks[key].volume])

    def bring_back(self, node: str) -> None:
        it = self.nodes[node]
        if not it.alive:
            it.glusterd_started = self.now
            for key, brick in self.bricks.items():
                if key[0] == node and not brick.fault() and brick.volume not in self.stopped:
                    brick.revive(self.now)
        it.alive, it.cut, it.agent, it.missed_since = True, False, True, self.now

    def stop_volume(self, volume: str) -> None:
        self.stopped.add(volume)
        for key, brick in self.bricks.items():
            if brick.volume == volume:
                self.kill_brick(key[0], volume)

    def start_volume(self, volume: str) -> None:
        self.stopped.discard(volume)
        for key, brick in self.bricks.items():
            if brick.volume == volume and not brick.fault() and self.nodes[key[0]].there:
                brick.revive(self.now)

    def dead(self, volume: str) -> frozenset[Key]:
        bricks = self.bricks.items()
        return frozenset(k for k, b in bricks if b.volume == volume and not b.alive)

    def approve(self, by: str = "ann") -> str:
        """Approve the only proposal that waits, by what is seen now; return its id."""
        (waiting,) = (d for d in self.consul.proposals.values() if d["state"] == "waiting")
        given = {APPROVED_BY: by, APPROVED_AT: self.now}
        waiting |= {"state": "approved", "evidence": {**waiting["evidence"], **given}}
        self.shown[waiting["id"]] = self.dead(waiting["volume"])
        return str(waiting["id"])

    def by_hand(self, node: str, command: str = "volume set data x y") -> None:
        self.nodes[node].history.append(Change(self.now, command, False))

    def consul_down(self) -> None:
        self.consul.up = False

    def consul_back(self) -> None:
        self.consul.up, self.consul.leader_since = True, self.now
        if self.consul.holder:
            self.consul.session_until = self.now + 20  # TTLs start anew with a new leader

    # --- what people saw ---------------------------------------------------------------------

    def told(self, subject: str, event: str = "", name: str = "") -> list[dict[str, Any]]:
        """Return what was fired, each id once."""
        once = {e["data"]["id"]: e["data"] for e in self.fired}
        return [
            d for d in once.values()
            if d.get("subject") == subject and event in ("", d["event"]) and name in ("", d["name"])
        ]  # fmt: skip

    def applied(self) -> int:
        return len(self.log)
