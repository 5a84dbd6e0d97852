"""Choose which minions are asked what, and read what their answers say (W2, W3, W4).

Everybody is asked the same at once: one job of Salt. It runs in a thread of its own, so that a
silent minion delays neither the renewals nor the next news of Consul.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Protocol
from uuid import uuid4

from salt_gluster.consul.answers import confirmed_answers
from salt_gluster.consul.cluster_state import sets_of
from salt_gluster.consul.store import Store
from salt_gluster.errors import ConsulError
from salt_gluster.master.engine.asking import AskingThread, AskingTrouble
from salt_gluster.model import NodeFacts, Observation, Unknown, Volume, is_known
from salt_gluster.remediation.decide import Asks
from salt_gluster.remediation.membership import ConsulView, Signal
from salt_gluster.remediation.observation import BrickKey, key_of
from salt_gluster.status.facts import facts_from

log = logging.getLogger(__name__)

FUNCTION = "gluster_remediation.observe"
#: A connect may take 3 s, a report a second, Salt on a busy master another few; a glusterd that
#: hangs tells nothing here. A silent minion that Consul sees makes a round as long as this.
WITHIN_S = 15.0
#: Whom Consul misses is waited for no longer than this.
DOUBTFUL_S = 3.0
#: How many other members connect to a brick's port: two have to agree, one may be ill.
ASKERS = 3
#: Answers older than this are no look of this tick any more: two rounds with a silent minion.
STILL_A_LOOK_S = 40.0
#: Minions come back to a master that was started again within this: until one of them is there,
#: that no node answers says nothing about the pool.
GATHERING_S = 60.0
#: A leader that could put no question for so long gives the lock up.
CANNOT_ASK_S = 20.0
#: Between two looks for an answer in Consul that somebody has announced on the bus.
CONFIRM_S = 0.5
#: A clock does not jump: what was measured of it is believed for as long as a report.
CLOCK_S = 60.0
#: Characters of what a node says of its trouble.
MOST_SAID = 200
#: A later time is none: a float would not hold every number that JSON has.
_MOST_TIME = 1e12


class MinionClient(Protocol):
    """Salt's way to the minions."""

    def ask(
        self, minions: Sequence[str], function: str, arguments: Sequence[Any],
        is_over: Callable[[Collection[str], float], bool],
    ) -> Mapping[str, Any]:  # fmt: skip
        """Return what each minion answered until ``is_over(who has answered, seconds passed)``."""


@dataclass(frozen=True)
class ProbeRequest:
    """One round: these minions, and the ports each of them connects to."""

    minions: Mapping[str, str]  # uuid -> minion
    ports: tuple[tuple[str, str, str, int], ...]  # uuid, path, host, port
    doubtful: frozenset[str] = frozenset()  # minions
    #: Consul cannot be asked whose the answers are: they are good for telling, not for deciding.
    is_direct: bool = False

    def is_over(self, answered: Collection[str], passed_s: float) -> bool:
        """Whether no answer has to be waited for any more."""
        missing = set(self.minions.values()) - set(answered)
        limit_s = DOUBTFUL_S if missing <= self.doubtful else WITHIN_S
        return not missing or passed_s >= limit_s


@dataclass(frozen=True)
class ProbeResults:
    """What one round brought; ``at`` 0 = no node was asked yet. Clocks are the leader's.

    ``numbers`` are the ports that were asked. ``unconfirmed`` are the nodes that somebody has
    answered for, perhaps they themselves. ``says`` is what stands in such an answer of its trouble
    with Consul: words for operators.
    """

    at: float = 0.0
    sent_at: float = 0.0
    numbers: Mapping[BrickKey, int] = field(default_factory=dict)
    ports: Mapping[BrickKey, Mapping[str, bool | Unknown]] = field(default_factory=dict)
    peers: Mapping[str, Mapping[str, bool] | Unknown] = field(default_factory=dict)
    answered: Mapping[str, bool] = field(default_factory=dict)
    reports: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    skews: Mapping[str, float | Unknown] = field(default_factory=dict)
    unconfirmed: frozenset[str] = frozenset()
    says: Mapping[str, str] = field(default_factory=dict)


# --- what to ask ---------------------------------------------------------------------------------


def probe_request(
    asks: Asks, view: ConsulView, pool: Observation | Unknown,
    facts: Mapping[str, NodeFacts | Unknown],
) -> ProbeRequest:  # fmt: skip
    """Return whom to ask: the nodes concerned, those that share a set with them, and witnesses."""
    wanted = set(asks.facts).union(*sets_of(pool, asks.ports | asks.facts))
    for uuid in sorted(asks.ports | asks.peers):
        # Of thousands only the first few are looked at: the catalog keeps them in order.
        witnesses = set(islice((u for u in wanted if u != uuid and _is_good(view, u)), ASKERS))
        others = (u for u in view.registered if u not in wanted and u != uuid)
        good = (u for u in others if _is_good(view, u))
        wanted |= set(islice(good, ASKERS - len(witnesses)))
    minions = {u: view.registered[u].minion for u in sorted(wanted) if u in view.registered}
    missed = frozenset(m for u, m in minions.items() if view.signal(u) is Signal.BAD)
    return ProbeRequest(minions, tuple(_ports(asks.ports, pool, facts)), missed)


def _is_good(view: ConsulView, uuid: str) -> bool:
    return view.signal(uuid) is Signal.GOOD


def _ports(
    nodes: frozenset[str], pool: Observation | Unknown, facts: Mapping[str, NodeFacts | Unknown]
) -> Iterable[tuple[str, str, str, int]]:
    """Yield the last known port of every brick of these nodes; where none is known, none is."""
    for volume in _volumes(pool):
        for brick in volume.bricks if volume.is_started else ():
            if brick.host_uuid in nodes:
                port = _port(pool, volume, key_of(brick), facts.get(brick.host_uuid))
                if port:
                    yield brick.host_uuid, brick.path, brick.host, port


def _port(
    pool: Observation | Unknown, volume: Volume, key: BrickKey, facts: NodeFacts | Unknown | None
) -> int | None:
    if isinstance(facts, NodeFacts):
        own = facts.bricks.get(key[1])
        if own is not None and isinstance(own.port, int):
            return own.port
    status = None if isinstance(pool, Unknown) else pool.status.get(volume.name)
    for row in status.bricks if status is not None and is_known(status) else ():
        if (row.host_uuid, row.path) == key and isinstance(row.port, int):
            return row.port
    return None


def _volumes(pool: Observation | Unknown) -> Iterable[Volume]:
    if isinstance(pool, Unknown) or isinstance(pool.volumes, Unknown):
        return ()
    return pool.volumes.values()


# --- what the answers say ------------------------------------------------------------------------


def probe_results(
    asked: ProbeRequest, returned: Mapping[str, Any], sent_at: float, came_at: float,
    confirmed: Mapping[str, Mapping[str, Any]] | None = None,
) -> ProbeResults:  # fmt: skip
    """Return what a round says; an answer that is none (a text, an old version) is silence.

    ``returned`` came by Salt's bus. Of ``confirmed`` it is known whose they are, and only they
    count; None = nothing can be confirmed.
    """
    on_bus = {u: returned.get(minion) for u, minion in asked.minions.items()}
    answers = on_bus if confirmed is None else {u: confirmed.get(u) for u in asked.minions}
    usable: dict[str, Mapping[str, Any]] = {
        u: a for u, a in answers.items()
        if isinstance(a, Mapping) and isinstance(a.get("report"), Mapping) and _is_whole(a)
    }  # fmt: skip
    said = {
        u for u, a in on_bus.items()
        if isinstance(a, Mapping) and (a.get("confirmed") or isinstance(a.get("report"), Mapping))
    }  # fmt: skip
    ports: dict[BrickKey, dict[str, bool | Unknown]] = {(u, p): {} for u, p, _, _ in asked.ports}
    for uuid, answer in usable.items():
        for of, path, accepted in answer.get("ports") or ():
            if (of, path) in ports:
                good = isinstance(accepted, bool)
                ports[of, path][uuid] = accepted if good else Unknown("it could not be asked")
    return ProbeResults(
        at=came_at,
        sent_at=sent_at,
        numbers={(u, path): port for u, path, _, port in asked.ports},
        ports=ports,
        peers={u: _connected(a["report"]) for u, a in usable.items()},
        answered={u: u in usable or u in said for u in asked.minions},
        reports={u: a["report"] for u, a in usable.items()},
        skews={u: _skew(a.get("at"), sent_at, came_at) for u, a in usable.items()},
        unconfirmed=frozenset(said - usable.keys()),
        says={
            u: str(a["trouble"])[:MOST_SAID] for u, a in on_bus.items()
            if isinstance(a, Mapping) and u in said and a.get("trouble")
        },
    )  # fmt: skip


def _is_whole(answer: Mapping[str, Any]) -> bool:
    """Whether its time is one and its rows of ports are rows.

    A broken answer is one silent node: a round that is lost for it makes a leader resign.
    """
    at, rows = answer.get("at"), answer.get("ports") or ()
    if not isinstance(at, int | float | None) or isinstance(at, bool) or abs(at or 0) > _MOST_TIME:
        return False
    return isinstance(rows, list | tuple) and all(
        isinstance(row, list | tuple) and len(row) == 3 and all(isinstance(w, str) for w in row[:2])
        for row in rows
    )


def still_so(
    results: ProbeResults, facts: Mapping[str, NodeFacts | Unknown]
) -> dict[BrickKey, Mapping[str, bool | Unknown]]:
    """Return W2 without what is over by their nodes' younger word.

    A brick that has another port by now: its old one refuses rightly. A brick whose process has
    ended since: it did accept (such an answer hid a dead brick for 40 s, bench/detect.py).
    """

    def is_over(key: BrickKey) -> bool:
        own = facts.get(key[0])
        brick = own.bricks.get(key[1]) if isinstance(own, NodeFacts) else None
        if brick is None or not isinstance(own, NodeFacts):
            return False
        if isinstance(brick.port, int):
            return brick.port != results.numbers[key]
        accepted = any(is_known(a) and a for a in results.ports[key].values())
        return accepted and is_known(brick.alive) and not brick.alive and own.at > results.sent_at

    return {key: by for key, by in results.ports.items() if not is_over(key)}


def _connected(report: Mapping[str, Any]) -> Mapping[str, bool] | Unknown:
    facts = facts_from(report)
    return facts if isinstance(facts, Unknown) else facts.connected


def _skew(at: float | None, sent_at: float, came_at: float) -> float | Unknown:
    """Return how far a node's clock is from ours; within the round trip it is not at all."""
    if at is None:
        return Unknown("it did not tell its time")
    if sent_at <= at <= came_at:
        return 0.0
    return at - came_at if at > came_at else at - sent_at


# --- the thread ----------------------------------------------------------------------------------


class ProbeRunner:
    """Ask in a thread of its own; ``latest`` is what came last. One round at a time.

    ``now`` is the engine's time, which never steps.
    """

    def __init__(
        self, bus: MinionClient, done: Callable[[], None], now: Callable[[], float] = time.time,
        *, answers: Store | None = None, sleep: Callable[[float], object] = time.sleep,
    ) -> None:  # fmt: skip
        self._bus, self._done, self._now = bus, done, now
        self._answers, self._sleep = answers, sleep
        self.asking = AskingThread("gluster-questions")
        self.trouble = AskingTrouble(CANNOT_ASK_S, now)
        self._born_at = now()
        self._is_heard = False
        self._began_at = 0.0
        self._latest = ProbeResults()
        self._clocks: dict[str, tuple[float, float | Unknown]] = {}

    def begin(self, asked: ProbeRequest, every_s: float) -> bool:
        """Begin a round, unless one is under way or the last one began a moment ago."""
        if not asked.minions or self._now() - self._began_at < every_s:
            return False
        if not self.asking.begin(lambda: self._ask(asked)):
            return False
        self._began_at = self._now()
        return True

    def _ask(self, asked: ProbeRequest) -> None:
        sent_at = self._now()
        try:
            ports = [list(row) for row in asked.ports]
            minions = list(asked.minions.values())
            nonce = f"n{uuid4().hex}"  # never a number, which Salt would make of digits
            returned = self._bus.ask(minions, FUNCTION, [ports, nonce], asked.is_over)
            confirmed = self._confirmed(asked, nonce, sent_at)
            came = probe_results(asked, returned, sent_at, self._now(), confirmed)
            self.trouble.succeeded()
            self._is_heard |= bool(returned)
            if not self._is_heard and came.at - self._born_at < GATHERING_S:
                return
            self._clocks |= {u: (came.at, skew) for u, skew in came.skews.items()}
            self._latest = came
        except Exception as err:  # whatever Salt has: silence is not a verdict
            self.trouble.failed(f"{type(err).__name__}: {err}")
            log.exception("asking the minions failed")
        finally:
            self._done()

    def _confirmed(
        self, asked: ProbeRequest, nonce: str, sent_at: float
    ) -> dict[str, Mapping[str, Any]] | None:
        """Return what stands in Consul under this word, waiting for it as long as for the bus.

        That somebody has answered for a node ends no waiting for its own word.
        """
        if asked.is_direct or self._answers is None:
            return None
        found: dict[str, Mapping[str, Any]] = {}
        while True:
            missing = asked.minions.keys() - found.keys()
            try:
                found |= confirmed_answers(self._answers, missing, nonce)
            except ConsulError as err:
                log.info("what the nodes answered cannot be confirmed: %s", err)
                return found
            if asked.is_over([asked.minions[u] for u in found], self._now() - sent_at):
                return found
            self._sleep(CONFIRM_S)

    def latest(self, now: float) -> ProbeResults:
        """Return the last round while it is young enough to count as a look of this tick."""
        return self._latest if now - self._latest.at <= STILL_A_LOOK_S else ProbeResults()

    def skews(self, now: float) -> dict[str, float | Unknown]:
        """Return how far the clocks are from ours that were measured lately."""
        known = self._clocks.copy()
        return {u: skew for u, (at, skew) in known.items() if now - at <= CLOCK_S}

    def forget(self) -> None:
        """Forget what was said: it was said under another leader."""
        self._latest, self._clocks, self._began_at = ProbeResults(), {}, 0.0
