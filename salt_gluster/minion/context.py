"""What every loader function needs: this minion's name, its declaration, its site.

The dictionaries that Salt injects are handed in; nothing here imports Salt. No rule lives here.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, MutableMapping, Sequence
from typing import Any

from salt_gluster import node, plan
from salt_gluster.errors import GlusterError, SpecError
from salt_gluster.gluster.reader import Reader
from salt_gluster.minion import apply
from salt_gluster.minion.accepted_nodes import Known, known
from salt_gluster.minion.driver import Site, own_node_of, reader_of
from salt_gluster.model.pool import Observation, Plan, Unknown, Volume
from salt_gluster.plan.outcome import Outcome, Planner
from salt_gluster.spec import PoolSpec, VolumeSpec, parse_pool, parse_volume, parse_who
from salt_gluster.spec.names import has_globs

log = logging.getLogger(__name__)

#: Under this name a node tells the others, through Salt's mine, which bricks it has prepared.
MINE_ALIAS = "salt_gluster_ready"
#: Where registering keeps what this node is in Consul.
RECORD = "consul"
#: Consul did not answer in this run: nobody waits for it again.
_SILENT = "salt_gluster_consul_silent"
#: How long an agent may take to be told of a change.
_CONSUL_S = 2.0
_READY = "ready bricks"
_REPAIRS = "repairs"
_PARSED = "salt_gluster_pool"
_KNOWN = "salt_gluster_known"
#: What Salt itself may pass to a state function that takes ``**kwargs`` (facts.md#S-5.1).
_SALTS_OWN = frozenset({"aggregate", "name", "fun", "state", "order", "saltenv", "test"})


class Minion:
    """One minion during one run.

    ``pool`` is its declaration, or None without a pillar; ``body`` the same as it is written.
    ``consul`` is how to reach Consul by the minion's configuration, None = nothing is said.
    ``waits`` says why a node that a glob of ``nodes`` means is none of the pool yet, "" = it is, or
    no glob means it; ``pool`` is then who is in it, and this node. ``unsure``: it may be one, and
    Consul could not be asked. ``note`` is for people.
    """

    def __init__(
        self,
        opts: Mapping[str, Any],
        salt: Mapping[str, Callable[..., Any]],
        context: MutableMapping[str, Any],
        pillar: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = str(opts["id"])
        self.test = bool(opts.get("test"))
        self._salt = salt
        self._context = context
        self.body = (pillar or {}).get("gluster")
        self.consul: Mapping[str, Any] | None = opts.get("gluster_consul")
        self.waits = self.note = ""
        self.unsure = False
        self.pool = self._declaration(self.body)

    def _declaration(self, body: Any) -> PoolSpec | None:
        """Parse the pillar once a run: 200 states must not read 200 volumes each."""
        if body is None:
            return None
        if not (isinstance(body, Mapping) and has_globs(body.get("nodes"))):
            if _PARSED not in self._context:
                self._context[_PARSED] = parse_pool(body)
            pool: PoolSpec = self._context[_PARSED]
            return pool
        if _KNOWN not in self._context:
            cluster, is_in = str(body.get("cluster", "main")), node.recall(RECORD) is not None
            self._context[_KNOWN] = known(cluster, self.consul, registered=is_in)
        return self._with_globs(body, self._context[_KNOWN])

    def _with_globs(self, body: Mapping[str, Any], said: Known) -> PoolSpec:
        """Return the pool of those that are named or accepted.

        A node that only a glob means, or that cannot know who is in, sees who is in and itself.
        """
        self.note = said.note
        try:
            who = parse_who(body, said.names)
        except SpecError:
            who = None  # nobody is in; or it is wrong in a way that is wrong below as well
        if who is not None and not said.unsure and not who.awaits(self.name):
            if _PARSED not in self._context:
                self._context[_PARSED] = parse_pool(body, known=said.names)
            pool: PoolSpec = self._context[_PARSED]
            return pool
        mine = parse_who(body, (*said.names, self.name))
        self.unsure = bool(said.unsure)
        self.waits = said.unsure or f"{self.name} is not accepted into the pool {mine.cluster} yet"
        return mine

    @property
    def reader(self) -> Reader:
        """The reader that all states of this run share."""
        return reader_of(self._context)

    def declared(self) -> PoolSpec:
        """Return the declaration; ``SpecError`` says how to write the smallest one."""
        if self.pool is None:
            raise SpecError(
                "gluster",
                "the pillar of this minion has no such key.",
                hint="The smallest: gluster: {nodes: g[1-3], volumes: {data: {replica: 3}}}",
            )
        return self.pool

    def member(self) -> PoolSpec:
        """Return the declaration, which must name this minion as a node."""
        pool = self.declared()
        if self.name not in pool.nodes:
            raise SpecError(
                "gluster:nodes",
                f"{self.name} is not one of them ({', '.join(pool.nodes[:5])}).",
                hint="Add it, or do not give it this state.",
            )
        self._may_act()
        return pool

    def candidate(self) -> PoolSpec:
        """Return the declaration for a node of the pool, or for one that waits to be one."""
        return self.declared() if self.waits else self.member()

    def _may_act(self) -> None:
        """Refuse where this node is none of the pool yet."""
        if self.waits:
            raise GlusterError(
                f"{self.waits}.", kind="not_accepted",
                hint="A registered node is accepted on the master: salt-run"
                f" gluster_remediation.approve {self.name}. Then apply this again.",
            )  # fmt: skip

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every declared host name, in the order of ``nodes``."""
        return tuple(self.pool.address(n) for n in self.pool.nodes) if self.pool else ()

    def volume(self, name: str, arguments: Mapping[str, Any]) -> VolumeSpec:
        """Return the volume that a state's arguments declare, or without any the pillar's.

        Arguments left at None and those that Salt adds are not part of the declaration; only
        ``started`` has a meaning of its own where it is None.
        """
        given = {
            key: value
            for key, value in arguments.items()
            if (value is not None or key == "started")
            and key not in _SALTS_OWN
            and not key.startswith("__")
        }
        if not given and self.pool and name in self.pool.volumes:
            return self.pool.volumes[name]
        pool = None if given.get("bricks") and not self._places_all(given) else self.pool
        return parse_volume(name, given, key=f"volume {name}", pool=pool)

    def pool_of(self, volume: VolumeSpec) -> PoolSpec | None:
        """Return the pool that places the volume's bricks; None where they were given as hosts."""
        if self.pool is None or any(b.node not in self.pool.nodes for b in volume.bricks):
            return None
        return self.pool

    def pool_with(self, nodes: Sequence[str] | None) -> PoolSpec:
        """Return the declared pool, or the one of these nodes."""
        return parse_pool({"nodes": nodes}, key="nodes") if nodes else self.declared()

    def _places_all(self, given: Mapping[str, Any]) -> bool:
        """Whether the bricks given lie on nodes of the pillar's pool; else they stand alone."""
        bricks = given.get("bricks", ())
        named = bricks if isinstance(bricks, (list, tuple)) else [bricks]
        hosts = [str(b).split(":", 1)[0] for b in named]
        return self.pool is not None and any(self.pool.node_of(h) for h in hosts)

    def site(
        self,
        will_mount: Sequence[str] = (),
        about: Collection[str] | None = None,
        *,
        preview: bool = True,
    ) -> Site:
        """Return this node as ``driver.Site`` says; ``preview`` counts in test mode only."""
        address = self.pool.address(self.name) if self.pool else self.name
        aliases = () if address == self.name else (address,)
        return Site(
            self.name,
            aliases,
            reader=self.reader,
            announced=self.announced,
            will_mount=will_mount if self.test else (),
            preview=self.test and preview,
            own=own_node_of(self._context, self.name, aliases),
            about=about,
        )

    def run(
        self,
        planner: Planner,
        *,
        will_mount: Sequence[str] = (),
        about: Collection[str] | None = None,
        wait_s: float = apply.WAIT_S,
        accept: Iterable[str] = (),
        expect_id: str = "",
        preview: bool = True,
    ) -> Outcome:
        """Forecast in test mode, converge otherwise; remember what was repaired."""
        self._may_act()
        site = self.site(will_mount, about, preview=preview)
        repairs = node.recall(_REPAIRS) or {}

        def watched(obs: Observation) -> Plan:
            return plan.with_repeats(planner(obs), repairs, obs.now)

        if self.test:
            return apply.forecast(watched, site, self.hosts)
        outcome = apply.converge(
            watched, site, self.hosts, accept=tuple(accept), wait_s=wait_s, expect_id=expect_id
        )
        if outcome.done and plan.is_repair(outcome.first):
            now = site.now()
            times = [*plan.lately(repairs.get(outcome.first.id, ()), now), now]
            kept = {k: v for k, v in repairs.items() if plan.lately(v, now)}
            node.remember({_REPAIRS: {**kept, outcome.first.id: times}})
        self.note_change(outcome)
        return outcome

    def note_change(self, outcome: Outcome) -> None:
        """Say in Consul that the pool was changed, best effort: the copy there is older now."""
        record = node.recall(RECORD)
        changed = outcome.done or outcome.unknown_step
        if not changed or not record or not record.get("cluster") or self._context.get(_SILENT):
            return
        # Imported late: a run without Consul does not pay for its library.
        from salt_gluster.consul.client import connect
        from salt_gluster.consul.heartbeat import note_change
        from salt_gluster.consul.keys import Keys

        try:
            with contextlib.closing(connect(self.consul or {}, timeout_s=_CONSUL_S)) as client:
                note_change(client, Keys(str(record["cluster"])), self.name, time.time())
        except GlusterError as err:
            log.info("that the pool was changed could not be told to Consul: %s", err)
            self._context[_SILENT] = True

    def volumes(self, about: Collection[str] | None = None) -> Mapping[str, Volume] | Unknown:
        """Return the volumes as this run has seen them; asks nothing where glusterd is down."""
        return self.site(about=about).look().volumes

    def can(self, function: str) -> bool:
        """Return whether this minion has that execution function."""
        return function in self._salt

    def call(self, function: str, *args: Any, **kwargs: Any) -> Any:
        """Call an execution function of this minion."""
        if function not in self._salt:
            raise GlusterError(
                f"this minion has no {function}", kind="missing_function",
                hint="It is part of Salt for systems with systemd and a package manager.",
            )  # fmt: skip
        return self._salt[function](*args, **kwargs)

    # --- telling the others ------------------------------------------------------------------

    def announced(self) -> dict[str, tuple[str, ...]]:
        """Return the brick paths that other nodes have said are ready, by host name."""
        said: dict[str, tuple[str, ...]] = {}
        if "mine.get" not in self._salt:
            return said
        told = self._salt["mine.get"]("*", MINE_ALIAS)
        for entry in told.values() if isinstance(told, Mapping) else ():
            if isinstance(entry, Mapping):
                for host in entry.get("hosts", ()):
                    said[str(host)] = tuple(str(p) for p in entry.get("paths", ()))
        return said

    def announce(self, paths: Iterable[str]) -> None:
        """Say that these brick paths of this node are ready, unless that is known already."""
        before = node.recall(_READY) or {}
        ready = sorted({*before.get("paths", ()), *paths})
        hosts = sorted({self.name, self.pool.address(self.name) if self.pool else self.name})
        if "mine.send" not in self._salt or set(paths) <= set(self.announced().get(hosts[0], ())):
            return
        node.remember({_READY: {"paths": ready, "hosts": hosts, "at": time.time()}})
        self._salt["mine.send"](MINE_ALIAS, mine_function="gluster_brick.ready")


def ready_bricks() -> dict[str, Any]:
    """Return what this node has announced, as the mine keeps it."""
    said = node.recall(_READY) or {}
    return {"hosts": list(said.get("hosts", ())), "paths": list(said.get("paths", ()))}
