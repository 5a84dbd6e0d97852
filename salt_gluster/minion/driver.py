"""Observe and change the pool from this node: the protocol of a driver, and the real one.

``GlusterDriver`` gathers an observation and executes a step with ``gluster`` and ``node``; no rule
lives here.
"""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    Sequence,
)
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from salt_gluster import node
from salt_gluster.errors import (
    AlreadyExists,
    CommandFailed,
    Conflict,
    GlusterError,
    OutcomeUnknown,
)
from salt_gluster.gluster.cli import GlusterCli
from salt_gluster.gluster.parse.get_state import parse_get_state
from salt_gluster.gluster.reader import CONNECTED_S, FILES_S, Pool, Reader
from salt_gluster.minion.brick_announcements import Announcer, meant_paths, with_own_record
from salt_gluster.model import (
    Brick,
    BrickPath,
    Candidate,
    Facet,
    GlusterdState,
    Node,
    Observation,
    Peer,
    Reach,
    Step,
    Unknown,
    Volume,
    is_known,
    known,
)
from salt_gluster.node import OwnNode
from salt_gluster.plan import guards
from salt_gluster.plan.actions import ACTIONS, NEW_BRICKS

#: How long a changing job waits for another one on this node.
JOB_WAIT_S = 120.0
#: What gluster says of an option that is wrong by itself, whatever else is set.
_WRONG_OPTION = frozenset({"unknown_option", "invalid_value", "not_supported"})


class Driver(Protocol):
    """The I/O of the executor: ``GlusterDriver``, or a simulated pool in a test."""

    def now(self) -> float:
        """Return the time in seconds."""

    def sleep(self, seconds: float) -> None:
        """Let time pass."""

    def observe(self, needs: frozenset[Facet], *, fresh: bool = False) -> Observation:
        """Observe the pool with these facets; ``fresh`` = nothing from before this moment."""

    def observe_more(self, obs: Observation, needs: frozenset[Facet]) -> Observation:
        """Return the observation with these facets as well; what it has is not looked at again."""

    def stamps(self) -> Mapping[str, object]:
        """Return what changes when a volume is changed, by its name, or the members, as "".

        Cheap, asks gluster nothing.
        """

    def jitter(self) -> float:
        """Return a number in [0, 1)."""

    def tell(self, text: str) -> None:
        """Tell whoever watches how far a long run is."""

    def node_lock(self) -> AbstractContextManager[None]:
        """Hold this node's lock for changing jobs."""

    def backup(self) -> None:
        """Copy glusterd's files before the first change."""

    def execute(self, step: Step) -> None:
        """Carry out one step, or raise a ``GlusterError``."""


class GlusterDriver:
    """This node, as the executor sees it.

    ``announcer`` tells other nodes of this one's bricks and reads theirs. ``will_mount`` are mount
    points that the same run is about to make, and with ``preview`` a fresh node whose glusterd the
    run is about to start counts as a pool of its own, so that a forecast sees what the run will
    see. ``own`` and ``about`` save looks: what is kept of this node during a run, and the volumes
    whose files vouch for what is kept of the pool (None = all). Neither is used where a look has to
    be fresh. ``tell`` gets how far a long run is. ``spell`` tells what else the members
    may be called.
    """

    def __init__(
        self,
        name: str,
        aliases: Sequence[str] = (),
        *,
        reader: Reader | None = None,
        announcer: Announcer | None = None,
        will_mount: Sequence[str] = (),
        preview: bool = False,
        own: OwnNode | None = None,
        about: Collection[str] | None = None,
        tell: Callable[[str], None] = lambda _: None,
        spell: Callable[[Iterable[Peer]], Mapping[str, tuple[str, ...]]] = lambda _: {},
    ) -> None:
        self.name = name
        self._spell = spell
        self.tell = tell
        self.aliases = tuple(aliases)
        self.reader = reader or Reader(GlusterCli())
        self._announcer = announcer
        self._will_mount = tuple(will_mount)
        self._preview = preview
        self._own = own or OwnNode(name, self.aliases)
        self._about = about
        self._imported = self._is_fresh = False

    # --- observing ---------------------------------------------------------------------------

    def now(self) -> float:
        """Return seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Sleep; who waits for others says from time to time that its own bricks are ready."""
        time.sleep(seconds)
        if self._announcer is not None:
            self._announcer.while_waiting()

    def jitter(self) -> float:
        """Return a number in [0, 1)."""
        return random.random()

    def stamps(self) -> Mapping[str, object]:
        """Return the stamps of glusterd's files."""
        return node.glusterd_stamps()

    def observe(self, needs: frozenset[Facet] = frozenset(), *, fresh: bool = False) -> Observation:
        """Observe the pool, with these facets."""
        self._is_fresh = fresh
        own = self._own.observe(fresh=fresh)
        if own.glusterd_started is None:
            obs = self._without_glusterd(own)
        else:
            self.reader.started = own.glusterd_started if is_known(own.glusterd_started) else None
            peers, volumes = self._pool(needs)
            if is_known(peers) and all(p.is_self for p in peers):
                own = replace(own, strange=self._strange)
            spelled = self._spell(peers) if is_known(peers) else {}
            obs = Observation(
                self.now(), own, peers=peers, volumes=volumes, imported=self._imported,
                spellings=spelled,
            )  # fmt: skip
        return self._with_facets(obs, needs) if needs else obs

    def observe_more(self, obs: Observation, needs: frozenset[Facet]) -> Observation:
        """Return the observation with these facets as well; who is connected is told anew."""
        if self._is_fresh and _is_guarded(needs) and is_known(obs.peers):
            peers, volumes = self._pool(needs)
            obs = replace(obs, peers=peers, volumes=volumes)
        return with_facets_of(obs, self._with_facets(obs, needs))

    @cached_property
    def _strange(self) -> str:
        return node.strange_address((*self.aliases, self.name)[0])

    def _pool(self, needs: Collection[Facet]) -> Pool:
        connected_s = CONNECTED_S if _is_guarded(needs) else FILES_S
        return self.reader.pool(self._about, fresh=self._is_fresh, connected_s=connected_s)

    def _without_glusterd(self, own: Node) -> Observation:
        """Return what is known without asking, which would take gluster 3 s to refuse."""
        if not self._preview or own.uuid is not None or own.volumes_at_start:
            down = Unknown("glusterd does not run on this node")
            return Observation(self.now(), own, peers=down, volumes=down)
        fresh = replace(
            own, uuid="new", glusterd_started=0.0, volumes_without_info=(), volumes_at_start=()
        )
        return Observation(
            self.now(), fresh, peers=(Peer("new", (own.name,), True, 3, is_self=True),), volumes={}
        )

    def _with_facets(self, obs: Observation, needs: frozenset[Facet]) -> Observation:
        named: dict[str, list[str]] = {}
        for need in sorted(needs):
            named.setdefault(need.kind, []).append(need.name)
        peers = obs.peers if is_known(obs.peers) else ()
        more: dict[str, Any] = {}
        if "candidate" in named:
            candidates = self.reader.candidates(named["candidate"])
            more["candidates"] = {n: self._previewed(c, obs) for n, c in candidates.items()}
        if "reach" in named:
            fresh = {"new": Reach(True, 0)}
            more["reach"] = fresh if obs.node.uuid == "new" else self.reader.reach(peers)
        if "definitions" in named and is_known(obs.peers) and is_known(obs.volumes):
            more["definitions"] = told = self._definitions(obs, named, more.get("reach", obs.reach))
            self._imported |= bool(told) and all(
                is_known(d) and d.keys() <= obs.volumes.keys() for d in told.values()
            )
            more["imported"] = self._imported
        if "status" in named:
            silent = _silent(peers, more.get("reach", obs.reach))
            more["status"] = {
                v: self.reader.status(v) if silent is None else silent
                for v in named["status"]
                if self._has(obs, v)
            }
        if "heal" in named:
            more["heal"] = {v: self.reader.heal(v) for v in named["heal"] if self._has(obs, v)}
        if "dead" in named:
            more["dead"] = {v: self._dead(obs, v) for v in named["dead"] if self._has(obs, v)}
        if "option" in named:
            more["options"] = node.known_options(named["option"])
        if "path" in named:
            ours = meant_paths()
            more["paths"] = {p: self._path(p, ours) for p in named["path"]}
        if "prepared" in named and self._announcer is not None:
            more["prepared"] = self._announcer.prepared()
        return replace(obs, **more)

    def _definitions(
        self, obs: Observation, named: Mapping[str, Sequence[str]], reach: Mapping[str, Reach]
    ) -> dict[str, Mapping[str, str] | Unknown]:
        """Return what members tell of the volumes; who has told it in this look has told all."""
        about, hosts = named["definitions"], named.get("holder", ())
        asked = guards.asked_for_definitions(obs, about, hosts)
        frozen = guards.frozen(asked, reach)
        rest = [p for p in asked if p.uuid not in {*obs.definitions, *frozen}]
        return {**obs.definitions, **frozen, **self.reader.definitions(rest, about)}

    @staticmethod
    def _previewed(candidate: Candidate, obs: Observation) -> Candidate:
        """Count a silent node as fresh where the run would start all glusterds first."""
        if obs.node.uuid != "new" or is_known(candidate.uuid):
            return candidate
        return Candidate(candidate.name, f"new-{candidate.name}", (), (), is_forecast=True)

    @staticmethod
    def _has(obs: Observation, volume: str) -> bool:
        """Only a started volume has rows; asking for others would only be refused."""
        if not is_known(obs.volumes) or volume not in obs.volumes:
            return False
        return obs.volumes[volume].is_started

    @staticmethod
    def _dead(obs: Observation, volume: str) -> tuple[str, ...]:
        """Return this node's bricks of a volume without a process; /proc is asked, not gluster."""
        bricks = known(obs.volumes)[volume].bricks if is_known(obs.node.uuid) else ()
        return tuple(
            b.name
            for b in bricks
            if b.host_uuid == obs.node.uuid and not node.brick_runs(volume, b.host, b.path)
        )

    def _path(self, path: str, ours: Collection[str]) -> BrickPath:
        try:
            here = with_own_record(node.brick_path(path), ours, path)
        except GlusterError as err:  # a dead disk is no reason against the other subjects of a run
            return BrickPath(path, True, True, "", foreign=(str(err),))
        if not self._preview:
            return here
        for mount in self._will_mount:
            if path.startswith(mount + "/") and here.filesystem != mount:
                return BrickPath(path, False, True, mount)
        return replace(here, parent_exists=True)

    def version(self) -> str | Unknown:
        """Return the version of the installed GlusterFS."""
        return self.reader.gluster.version()

    def own_state(self) -> GlusterdState | Unknown:
        """Return this node's own bricks as its glusterd sees them; no lock (facts.md#G-1.5)."""
        with tempfile.TemporaryDirectory(prefix="salt-gluster-") as folder:
            try:
                self.reader.gluster.ask(
                    "get_state", directory=folder, file_name="state", detail="detail"
                )
                text = Path(folder, "state").read_text(encoding="utf-8", errors="replace")
                return parse_get_state(text)
            except (GlusterError, OSError) as err:
                return Unknown(f"get-state failed: {err}")

    # --- acting ------------------------------------------------------------------------------

    def node_lock(self) -> AbstractContextManager[None]:
        """Hold this node's lock."""
        return node.one_job(JOB_WAIT_S)

    def backup(self) -> None:
        """Keep a copy of glusterd's files."""
        node.copy_glusterd_dir(self.now())

    def execute(self, step: Step) -> None:
        """Carry out one step with the command of its row."""
        if step.action == "brick_prepare":  # of which glusterd knows nothing
            self._prepare(step)
            return
        action = ACTIONS[step.action]
        arguments = action.arguments(step.args)
        if step.action.startswith(("volume", "option", "brick")):
            arguments["volume"] = step.subject
        with self.reader.changing(), self._noted(step):
            if step.action == "options_set":
                set_options(self.reader.gluster.change, **arguments)
            else:
                self.reader.gluster.change(action.command, **arguments)

    @contextmanager
    def _noted(self, step: Step) -> Iterator[None]:
        """Keep on record whether gluster took new bricks."""
        if step.action not in NEW_BRICKS or self._announcer is None:
            yield
            return
        try:
            yield
        except (CommandFailed, OutcomeUnknown) as err:
            is_local = isinstance(err, AlreadyExists) and not err.hosts
            if not isinstance(err, Conflict) and not is_local:  # else no brick was touched
                self._announcer.note_refused(step.subject)
            raise
        self._announcer.note_added(step.subject)

    def _prepare(self, step: Step) -> None:
        path = str(step.args["path"])
        here = with_own_record(node.brick_path(path), meant_paths(), path)
        if here.volume_id:
            volumes = self.reader.volumes()
            if is_known(volumes):
                node.remove_stale_volume_id(path, self._ids_alive_at(here, volumes.values()))
            if self._announcer is not None:
                self._announcer.note_refused(str(step.args.get("volume", "")))
        if self._announcer is not None:
            self._announcer.note_meant(path)
        node.make_brick_dir(path, accept_root="root_disk" in step.args.get("accept_risk", ()))

    def _ids_alive_at(self, here: BrickPath, volumes: Iterable[Volume]) -> list[str]:
        """Return the ids of volumes that a directory may be a brick of.

        A failed add-brick leaves the id of a volume that is alive and does not have the brick; how
        that volume spells its bricks on this node is not how the declaration does.
        """
        return [
            v.id
            for v in volumes
            if not here.is_announced
            or any(self._may_be_here(b) and os.path.realpath(b.path) == here.path for b in v.bricks)
        ]

    def _may_be_here(self, brick: Brick) -> bool:
        own = self._own.observe().uuid
        return not is_known(own) or brick.host_uuid in ("", own)


def set_options(change: Callable[..., object], *, volume: str, options: Mapping[str, str]) -> None:
    """Set options in one call, or where gluster refuses one of them each by itself.

    Gluster sets none of a call with a wrong one. Raises ``CommandFailed`` with all that are wrong.
    """
    try:
        change("volume_set", volume=volume, options=options)
    except CommandFailed as all_of_them:
        if len(options) < 2 or all_of_them.kind not in _WRONG_OPTION:
            raise
    else:
        return
    refused: dict[str, CommandFailed] = {}
    for name, value in options.items():
        try:
            change("volume_set", volume=volume, options={name: value})
        except CommandFailed as err:
            if err.kind not in _WRONG_OPTION:
                raise
            refused[name] = err
    if refused:
        first = next(iter(refused.values()))
        told = "; ".join(f"`options:{name}`: {err.message}" for name, err in refused.items())
        raise CommandFailed(told, kind=first.kind, text=first.text, hint=first.hint)


def _is_guarded(needs: Collection[Facet]) -> bool:
    """Return whether the guards of a change are about to be checked, with who is connected."""
    return any(need.kind == "reach" for need in needs)


def with_facets_of(obs: Observation, more: Observation) -> Observation:
    """Return an observation with the facets of a later one of the same pool besides its own."""
    return replace(
        obs,
        status={**obs.status, **more.status},
        heal={**obs.heal, **more.heal},
        dead={**obs.dead, **more.dead},
        options={**obs.options, **more.options},
        paths={**obs.paths, **more.paths},
        candidates={**obs.candidates, **more.candidates},
        prepared=more.prepared if is_known(more.prepared) else obs.prepared,
        reach={**obs.reach, **more.reach},
        definitions={**obs.definitions, **more.definitions},
        imported=obs.imported or more.imported,
    )


def _silent(peers: Sequence[Peer], reach: Mapping[str, Reach]) -> Unknown | None:
    """Return why no rows are asked for: the lock would hang on a silent member (facts.md#C-M.3)."""
    silent = {uuid for uuid, of in reach.items() if not of.accepts}
    silent |= guards.frozen(peers, reach).keys()
    names = [p.name for p in peers if p.usable and p.uuid in silent]
    if not names:
        return None
    return Unknown(f"their rows were not asked for while {', '.join(names)} does not answer")


def reader_of(context: MutableMapping[str, Any]) -> Reader:
    """Return the reader of this Salt run, so that all its states share one look at the pool.

    It is kept by process, because a forked (``parallel``) state must not believe its parent's.
    """
    readers: dict[int, Reader] = context.setdefault("salt_gluster", {})
    return readers.setdefault(os.getpid(), Reader(GlusterCli()))


def own_node_of(
    context: MutableMapping[str, Any], name: str, aliases: Sequence[str] = ()
) -> OwnNode:
    """Return what this Salt run keeps of its node, by process like the reader."""
    kept: dict[tuple[object, ...], OwnNode] = context.setdefault("salt_gluster_node", {})
    return kept.setdefault((os.getpid(), name, *aliases), OwnNode(name, aliases))
