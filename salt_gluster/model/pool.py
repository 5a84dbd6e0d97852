"""What was observed of a pool: peers, volumes, bricks, heals, and the observation they make up.

No I/O and no rule lives here. A field that may be missing is ``T | Unknown``; a facet that was not
asked for is :data:`NOT_ASKED`. Times are seconds since the epoch, durations end in ``_s``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from salt_gluster.model.announcement import Prepared
from salt_gluster.model.formatting import digest_of
from salt_gluster.model.unknown import NOT_ASKED, Unknown, known


@dataclass(frozen=True)
class Peer:
    """One member as the asked glusterd sees it; ``state`` is glusterd's number, 3 = in the pool."""

    uuid: str
    names: tuple[str, ...]
    connected: bool
    state: int
    state_text: str = ""
    is_self: bool = False

    @property
    def usable(self) -> bool:
        """State 3 and connected; ``connected`` alone is also true of a rejected peer."""
        return self.is_self or (self.connected and self.state == 3)

    @property
    def name(self) -> str:
        """The first name it is known by."""
        return self.names[0] if self.names else self.uuid


@dataclass(frozen=True)
class Brick:
    """One brick of a definition. ``host`` is kept as typed; match nodes by ``host_uuid``."""

    host: str
    path: str
    host_uuid: str = ""
    is_arbiter: bool = False

    @property
    def name(self) -> str:
        """``HOST:PATH``, as gluster spells it."""
        return f"{self.host}:{self.path}"


@dataclass(frozen=True)
class ReplicaSet:
    """One subvolume: the bricks that hold the same files (or the fragments of the same files)."""

    index: int
    bricks: tuple[Brick, ...]


@dataclass(frozen=True)
class Volume:
    """A volume's definition as ``volume info`` shows it.

    ``kind`` is ``distribute``, ``replicate`` or ``disperse`` whatever the number of sets.
    ``replica`` is 1 for distribute and disperse; ``disperse`` counts data + redundancy bricks.
    ``thin_arbiter`` stands in glusterd's own files only: gluster's XML hides it (facts.md#C-J.5),
    so that it is no part of the digest.
    """

    name: str
    id: str
    status: str  # Created, Started, Stopped
    kind: str
    bricks: tuple[Brick, ...]
    dist_count: int
    replica: int = 1
    arbiter: int = 0
    disperse: int = 0
    redundancy: int = 0
    transport: str = "tcp"
    options: Mapping[str, str] = field(default_factory=dict)
    type_text: str = ""
    thin_arbiter: bool = False

    @property
    def set_size(self) -> int:
        """Bricks per subvolume."""
        return self.disperse or self.replica or 1

    @property
    def sets(self) -> tuple[ReplicaSet, ...]:
        """The subvolumes in gluster's order."""
        n = self.set_size
        chunks = range(0, len(self.bricks), n)
        return tuple(ReplicaSet(i // n, self.bricks[i : i + n]) for i in chunks)

    @property
    def is_broken(self) -> bool:
        """A ghost of a failed create or a killed glusterd: no subvolume at all (facts.md#G-0.7)."""
        return self.dist_count == 0 or not self.bricks or len(self.bricks) % self.set_size != 0

    @property
    def is_started(self) -> bool:
        """Whether it should serve."""
        return self.status == "Started"

    def digest(self) -> str:
        """Return a digest of what the definition says, for comparing it between members.

        Own content instead of glusterd's checksum, which is an XOR of bytes. The order of options
        is left out: it reverses at a glusterd restart (facts.md#G-3.3). So is what
        `comparable_options` leaves out.
        """
        what = [
            self.name, self.id, self.status, self.kind, self.dist_count, self.set_size,
            self.arbiter, self.redundancy, self.transport,
            [[b.host_uuid or b.host, b.path, b.is_arbiter] for b in self.bricks],
            sorted(comparable_options(self.options).items()),
        ]  # fmt: skip
        return digest_of(what)


def comparable_options(options: Mapping[str, str]) -> dict[str, str]:
    """Return the options without the one that members show or not, though they agree.

    Every ``volume create`` writes ``nfs.disable: on``. GlusterFS 11 does not know that option: the
    members show it until their glusterd starts anew, and from then on they do not
    (facts.md#C-L.1). Any other value of it is an operator's and is told.
    """
    return {name: value for name, value in options.items() if (name, value) != _WRITTEN_ANYWAY}


_WRITTEN_ANYWAY = ("nfs.disable", "on")


@dataclass(frozen=True)
class BrickStatus:
    """One row of ``volume status V``. No row at all is unknown, not down (facts.md#G-0.12)."""

    host: str
    path: str
    host_uuid: str
    online: bool
    port: int | None
    pid: int | None

    @property
    def up(self) -> bool:
        """Status 1 **and** a port; 1 with port N/A serves no new client (facts.md#C-B.2)."""
        return self.online and self.port is not None


@dataclass(frozen=True)
class DaemonStatus:
    """A self-heal, quota, bitrot or scrub row; they disagree between volumes (facts.md#G-0.11)."""

    kind: str
    host: str
    host_uuid: str
    online: bool


@dataclass(frozen=True)
class Task:
    """A rebalance or remove-brick task of a volume; ``state`` is glusterd's number."""

    kind: str
    id: str
    state: int
    state_text: str


@dataclass(frozen=True)
class VolumeStatus:
    """The rows of ``volume status V``."""

    volume: str
    bricks: tuple[BrickStatus, ...]
    daemons: tuple[DaemonStatus, ...] = ()
    tasks: tuple[Task, ...] = ()


@dataclass(frozen=True)
class BrickSpace:
    """Size of a brick's file system in bytes, and its inodes, which btrfs does not count."""

    brick: str
    total: int
    free: int
    inodes_total: int | Unknown
    inodes_free: int | Unknown


@dataclass(frozen=True)
class Heal:
    """Entries to heal on one brick (``heal V info summary``), or why that is not known."""

    brick: str
    host_uuid: str | Unknown
    pending: int | Unknown
    split_brain: int | Unknown = NOT_ASKED
    healing: int | Unknown = NOT_ASKED


@dataclass(frozen=True)
class HealIndex:
    """What a brick has to heal in others, and whom its copies accuse.

    ``client`` is the name by which the other bricks accuse this one. Of ``looked_at`` entries
    ``accused`` has gfid -> brick -> what that one misses: ``d`` data, ``m`` metadata.
    """

    entries: int
    client: str = ""
    looked_at: int = 0
    accused: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Hold:
    """An operator's hold: change nothing. ``reason`` and ``by`` are theirs.

    ``until``: a node's maintenance ends then by itself; None = an operator ends it.
    """

    reason: str
    by: str = ""
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True)
class Node:
    """What this node knows of itself without asking gluster.

    ``aliases`` are its other names, such as its storage address. ``glusterd_started`` is None when
    glusterd does not run. ``volumes_at_start`` are older than that start. ``volumes_without_info``
    are the directories below ``vols/`` that an import has not filled yet (facts.md#C-B.3).
    ``strange`` is the address that its name in the pool has here, where it is none of its own; it
    is looked for before the node is in a pool.
    """

    name: str
    aliases: tuple[str, ...] = ()
    uuid: str | Unknown | None = NOT_ASKED
    glusterd_started: float | Unknown | None = NOT_ASKED
    volumes_without_info: tuple[str, ...] | Unknown = NOT_ASKED
    volumes_at_start: tuple[str, ...] | Unknown = NOT_ASKED
    hold: Hold | Unknown | None = NOT_ASKED
    strange: str = ""


@dataclass(frozen=True)
class Reach:
    """Whether a member's glusterd accepts on port 24007 within 1 s, and what it can run."""

    accepts: bool
    max_op_version: int | Unknown = NOT_ASKED


@dataclass(frozen=True)
class Candidate:
    """What a node outside the pool says of itself (``--remote-host``), asked before a probe.

    ``unresolved`` says why its name has no address on this node; "" = it has one. ``is_forecast``:
    it does not answer yet, and is taken for what a run will make of it.
    """

    name: str
    uuid: str | Unknown
    peers: tuple[Peer, ...] | Unknown
    volumes: tuple[str, ...] | Unknown
    unresolved: str = ""
    is_forecast: bool = False


@dataclass(frozen=True)
class BrickPath:
    """One directory of this node that is, or is to be, a brick.

    ``filesystem`` is the mount point it lies on ("/" = the root file system) and ``foreign`` names
    what is in it that gluster did not put there; ``volume_id`` is the xattr of a volume and
    ``holds_data`` says that gluster's own ``.glusterfs`` is not empty; ``changed`` is its ctime.
    ``unmounted`` is the mount point of fstab that it lies below and that is not mounted, "" = none.
    ``identity`` tells its file system from others (``AnnouncedBrick.filesystem``).
    ``is_announced``: this node has told the others that it is ready, by its own record.
    """

    path: str
    exists: bool
    parent_exists: bool
    filesystem: str
    is_mount_point: bool = False
    foreign: tuple[str, ...] = ()
    volume_id: str | None = None
    holds_data: bool = False
    changed: float | Unknown = NOT_ASKED
    free: int | Unknown = NOT_ASKED
    unmounted: str = ""
    identity: str = ""
    is_announced: bool = False


@dataclass(frozen=True)
class Observation:
    """Everything a decision may look at, taken at ``now`` by one node. Nothing else is looked at.

    ``status``, ``reach``, ``definitions``, ``candidates``, ``paths``, ``heal`` and ``dead`` are
    looked at only when asked for: a facet that was not is an empty mapping, an entry
    that could not be learned is an ``Unknown``.

    status        volume -> rows
    reach         peer uuid -> Reach
    definitions   peer uuid -> {volume: digest} as that member tells it
    candidates    spec name -> what the node says of itself
    paths         brick path of this node -> what is there
    prepared      what other nodes have announced of their brick directories
    heal          volume -> rows
    dead          volume -> this node's own bricks of it that have no process
    options       option -> whether the installed glusterd knows it

    ``imported``: this node has had every volume of which the other members tell. ``spellings``:
    what else a name in lower case stands for here, as declared and by its addresses.
    """

    now: float
    node: Node
    peers: tuple[Peer, ...] | Unknown = NOT_ASKED
    volumes: Mapping[str, Volume] | Unknown = NOT_ASKED
    status: Mapping[str, VolumeStatus | Unknown] = field(default_factory=dict)
    reach: Mapping[str, Reach] = field(default_factory=dict)
    definitions: Mapping[str, Mapping[str, str] | Unknown] = field(default_factory=dict)
    candidates: Mapping[str, Candidate] = field(default_factory=dict)
    paths: Mapping[str, BrickPath] = field(default_factory=dict)
    prepared: Prepared | Unknown = NOT_ASKED
    heal: Mapping[str, tuple[Heal, ...] | Unknown] = field(default_factory=dict)
    dead: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    options: Mapping[str, bool] = field(default_factory=dict)
    imported: bool = False
    spellings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def peer_called(self, name: str) -> Peer | None:
        """Return the member that gluster itself calls ``name``. Names compare without case."""
        return self._by_name.get(name.lower())

    def peer_named(self, name: str) -> Peer | None:
        """Return the member that ``name`` means, in whatever spelling; None where two could be.

        That is a name of gluster's, another spelling of one, an address that both have, or a node
        that told the uuid of a member when it was asked as a candidate.
        """
        word = name.lower()
        if peer := self._by_name.get(word):
            return peer
        told = self.candidates.get(name)
        peer = self._by_uuid.get(told.uuid) if told and isinstance(told.uuid, str) else None
        if peer is not None and not peer.is_self:  # our own uuid elsewhere is a cloned one
            return peer
        meant = (self._by_spelling.get(w) for w in (word, *self.spellings.get(word, ())))
        several = frozenset[str]().union(*(found for found in meant if found))
        return self._by_uuid[min(several)] if len(several) == 1 else None

    @cached_property
    def _by_uuid(self) -> dict[str, Peer]:
        return {peer.uuid: peer for peer in known(self.peers)}

    @cached_property
    def _by_spelling(self) -> dict[str, frozenset[str]]:
        """The uuids of the members that a name or an address may mean."""
        found: dict[str, frozenset[str]] = {}
        for name, peer in self._by_name.items() if self.spellings else ():
            for word in (name, *self.spellings.get(name, ())):
                found[word] = found.get(word, frozenset()) | {peer.uuid}
        return found

    @cached_property
    def _by_name(self) -> dict[str, Peer]:
        """Members by each of their names: hundreds of bricks ask for them in one decision."""
        own = (self.node.name, *self.node.aliases)
        found: dict[str, Peer] = {}
        for peer in known(self.peers):
            for name in (*peer.names, *(own if peer.is_self else ())):
                found.setdefault(name.lower(), peer)
        return found

    @cached_property
    def usable(self) -> frozenset[str]:
        """The uuids of the members that can be used."""
        return frozenset(peer.uuid for peer in known(self.peers) if peer.usable)

    @cached_property
    def own_uuid(self) -> str | None:
        """The uuid of this node as a member; None = it is not among the members."""
        return next((peer.uuid for peer in known(self.peers) if peer.is_self), None)

    def volume(self, name: str) -> Volume | None:
        """Return the volume of that name, if there is one."""
        return known(self.volumes).get(name)
