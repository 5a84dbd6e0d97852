"""Give a loader function this minion's name, its declaration and its driver.

The dictionaries that Salt injects are handed in; nothing here imports Salt. No rule lives here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, MutableMapping, Sequence
from functools import cached_property
from typing import Any

from salt_gluster import node
from salt_gluster.errors import GlusterError, SpecError
from salt_gluster.gluster.reader import Reader
from salt_gluster.minion import brick_announcements
from salt_gluster.minion.accepted_nodes import AcceptedNodes, accepted_nodes
from salt_gluster.minion.driver import GlusterDriver, own_node_of, reader_of
from salt_gluster.minion.order import Order
from salt_gluster.minion.spellings import declared, spellings
from salt_gluster.model import Peer, Unknown, Volume, brick_at, some
from salt_gluster.remediation import salt_events
from salt_gluster.spec import PoolSpec, VolumeSpec, parse_nodes, parse_pool, parse_volume
from salt_gluster.spec.names import has_globs

log = logging.getLogger(__name__)

#: Where registering keeps what this node is in Consul.
RECORD = "consul"
_PARSED = "salt_gluster_pool"
_KNOWN = "salt_gluster_known"
_RESOLVED = "salt_gluster_resolved"
#: What Salt itself may pass to a state function that takes ``**kwargs`` (facts.md#S-5.1).
_SALTS_OWN = frozenset({"aggregate", "name", "fun", "state", "order", "saltenv", "test"})


class Minion:
    """One minion during one run.

    ``context`` is what Salt keeps for the time of one run. ``pool`` is the declaration, or None
    without a pillar; ``body`` the same as it is written.
    ``consul`` is how to reach Consul by the minion's configuration, None = nothing is said.
    ``waits`` says why a node that a glob of ``nodes`` means is none of the pool yet, "" = it is, or
    no glob means it; ``pool`` is then its nodes, and this one. ``unsure``: it may be one, and
    Consul could not be asked. ``note`` is printed. ``order`` is what ``salt …`` ordered, None in a
    state.
    """

    def __init__(
        self,
        opts: Mapping[str, Any],
        salt: Mapping[str, Callable[..., Any]],
        context: MutableMapping[str, Any],
        pillar: Mapping[str, Any] | None = None,
        *,
        order: Order | None = None,
    ) -> None:
        self.name = str(opts["id"])
        self.order = order
        self.test = bool(opts.get("test"))
        self._is_job = opts.get("__cli") != "salt-call"
        #: Whether the minion itself runs this: its scheduler answers.
        self.is_daemon = "minion" in str(opts.get("__cli"))
        self.has_master = opts.get("file_client") != "local"
        self._salt = salt
        self.context = context
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
            if _PARSED not in self.context:
                self.context[_PARSED] = parse_pool(body)
            pool: PoolSpec = self.context[_PARSED]
            return pool
        if _KNOWN not in self.context:
            cluster, is_in = (
                str(body.get("cluster", "main")),
                node.LocalState().get(RECORD) is not None,
            )
            self.context[_KNOWN] = accepted_nodes(cluster, self.consul, registered=is_in)
        return self._with_globs(body, self.context[_KNOWN])

    def _with_globs(self, body: Mapping[str, Any], accepted: AcceptedNodes) -> PoolSpec:
        """Return the pool of those that are named or accepted.

        A node that only a glob means, or that cannot know the accepted ones, sees those and itself.
        """
        self.note = accepted.note
        try:
            named = parse_nodes(body, accepted.names)
        except SpecError:
            named = None  # no node is in; or it is wrong in a way that is wrong below as well
        if named is not None and not accepted.unsure and not named.awaits(self.name):
            if _PARSED not in self.context:
                self.context[_PARSED] = parse_pool(body, known=accepted.names)
            pool: PoolSpec = self.context[_PARSED]
            return pool
        mine = parse_nodes(body, (*accepted.names, self.name))
        self.unsure = bool(accepted.unsure)
        self.waits = (
            accepted.unsure or f"{self.name} is not accepted into the pool {mine.cluster} yet"
        )
        return mine

    @property
    def reader(self) -> Reader:
        """The reader that all states of this run share."""
        return reader_of(self.context)

    @cached_property
    def announcer(self) -> brick_announcements.Announcer:
        """What this node tells the others of its bricks during this run."""
        return brick_announcements.announcer(self)

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
        self.check_accepted()
        return pool

    def candidate(self) -> PoolSpec:
        """Return the declaration for a node of the pool, or for one that waits to be one."""
        return self.declared() if self.waits else self.member()

    def check_accepted(self) -> None:
        """Raise ``GlusterError`` where this node is not accepted into the pool yet."""
        if self.waits:
            raise GlusterError(
                f"{self.waits}.", kind="not_accepted",
                hint="A registered node is accepted on the master: salt-run"
                f" gluster_remediation.approve {self.name}. Then apply this again.",
            )  # fmt: skip

    @property
    def address(self) -> str:
        """The host name by which the pool knows this node."""
        return self.pool.address(self.name) if self.pool else self.name

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every declared host name, in the order of ``nodes``."""
        return tuple(self.pool.address(n) for n in self.pool.nodes) if self.pool else ()

    def volume(self, name: str, arguments: Mapping[str, Any]) -> VolumeSpec:
        """Return the volume that a state's arguments declare, or without any the pillar's.

        Arguments left at None and those that Salt adds are not part of the declaration; only
        ``started`` has a meaning of its own where it is None.
        """
        given = _given(arguments)
        if not given and self.pool and name in self.pool.volumes:
            return self.pool.volumes[name]
        pool = None if given.get("bricks") and not self._places_all(given) else self.pool
        return parse_volume(name, given, key=f"volume {name}", pool=pool)

    def check_given(self, name: str, arguments: Mapping[str, Any]) -> None:
        """Raise ``SpecError`` for a volume that nothing says anything of: a name that is mistyped.

        It would be one copy of everything, over all nodes.
        """
        declared = list(self.pool.volumes) if self.pool else []
        if name in declared or _given(arguments):
            return
        others = (
            f" ({some(declared, 3)} {'is' if len(declared) == 1 else 'are'})" if declared else ""
        )
        raise SpecError(
            "name",
            f"{name} is not declared{others}, and no arguments were given.",
            hint="See the spelling, or say what it is: replica=3.",
        )

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
        hosts = [brick_at(str(b))[0] for b in named]
        return self.pool is not None and any(self.pool.node_of(h) for h in hosts)

    def driver(
        self,
        will_mount: Sequence[str] = (),
        about: Collection[str] | None = None,
        *,
        preview: bool = True,
    ) -> GlusterDriver:
        """Return this node as ``GlusterDriver``; ``preview`` counts in test mode only."""
        aliases = () if self.address == self.name else (self.address,)
        return GlusterDriver(
            self.name,
            aliases,
            reader=self.reader,
            announcer=self.announcer,
            will_mount=will_mount if self.test else (),
            preview=self.test and preview,
            own=own_node_of(self.context, self.name, aliases),
            about=about,
            tell=self._tell,
            spell=self._spell,
        )

    def _spell(self, peers: Iterable[Peer]) -> Mapping[str, tuple[str, ...]]:
        kept = self.context.setdefault(_RESOLVED, {})
        return spellings(declared(self.pool), (self.name, self.address), peers, kept)

    def _tell(self, text: str) -> None:
        """Say on this minion's log and on the master's bus how far a long run is.

        Under ``salt-call`` the log is all: an event would wait there for a master that is away.
        """
        log.info("%s: %s", self.name, text)
        if self.pool and self._is_job and self.can("event.send"):
            event = salt_events.progress(self.pool.cluster, self.name, text, time.time())
            self.call("event.send", event["tag"], event["data"])

    def volumes(self, about: Collection[str] | None = None) -> Mapping[str, Volume] | Unknown:
        """Return the volumes as this run has seen them; asks nothing where glusterd is down."""
        return self.driver(about=about).observe().volumes

    def can(self, function: str) -> bool:
        """Return whether this minion has that execution function."""
        return function in self._salt

    def call(self, function: str, /, *args: Any, **kwargs: Any) -> Any:
        """Call an execution function of this minion."""
        if function not in self._salt:
            raise GlusterError(
                f"this minion has no {function}", kind="missing_function",
                hint="It is part of Salt for systems with systemd and a package manager.",
            )  # fmt: skip
        return self._salt[function](*args, **kwargs)


def _given(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a state or an order says of a volume, without what Salt adds."""
    return {
        key: value
        for key, value in arguments.items()
        if (value is not None or key == "started")
        and key not in _SALTS_OWN
        and not key.startswith("__")
    }
