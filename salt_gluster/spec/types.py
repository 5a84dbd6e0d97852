"""What an operator declares, as frozen nouns. ``pool.py`` and ``volume.py`` parse them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from salt_gluster.model import digest_of
from salt_gluster.spec.names import matches


@dataclass(frozen=True)
class MountSpec:
    """Where a volume is mounted. ``nodes`` empty = on every node of the pool.

    ``servers`` are asked for the volume: "" = the nodes, ``consul`` = those its DNS names.
    """

    at: str
    options: str = ""
    nodes: tuple[str, ...] = ()
    servers: str = ""

    def as_data(self) -> list[object]:
        """Return plain data."""
        more = [self.servers] if self.servers else []
        return [self.at, self.options, list(self.nodes), *more]


@dataclass(frozen=True)
class BrickSpec:
    """One brick as written. ``node`` is a name of ``nodes``; outside a pool it is the host."""

    node: str
    path: str


@dataclass(frozen=True)
class BrickSlot:
    """A directory where a brick of a volume may be made; ``arbiter_only`` is its node's."""

    node: str
    path: str
    zone: str = ""
    arbiter_only: bool = False


@dataclass(frozen=True)
class VolumeSpec:
    """One wanted volume.

    ``replica`` counts all copies: ``replica: 3, arbiter: true`` is two with data and one arbiter.
    ``disperse`` counts data + redundancy bricks. ``bricks`` in set order, empty = chosen by layout.
    ``only`` empty = every node. ``started`` None = leave it as it is. ``options`` are as written,
    as text, under their full names.
    """

    name: str
    replica: int = 1
    arbiter: bool = False
    disperse: int = 0
    redundancy: int = 0
    bricks: tuple[BrickSpec, ...] = ()
    only: tuple[str, ...] = ()
    except_: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    exclusive_options: bool = False
    started: bool | None = True
    transport: str = "tcp"
    mount: MountSpec | None = None
    accept_risk: frozenset[str] = frozenset()

    @property
    def set_size(self) -> int:
        """Bricks per subvolume."""
        return self.disperse or self.replica

    @property
    def kind(self) -> str:
        """``distribute``, ``replicate`` or ``disperse``, as ``model.Volume.kind``."""
        if self.disperse:
            return "disperse"
        return "replicate" if self.replica > 1 else "distribute"

    @property
    def notes(self) -> tuple[str, ...]:
        """What is allowed but worth a sentence."""
        data = self.disperse - self.redundancy
        if self.disperse and data & (data - 1):
            return (
                f"{self.name}: {data} data bricks are not a power of two, so that common block "
                "sizes do not divide into stripes and small writes read first",
            )
        if self.kind == "distribute":
            return (f"{self.name}: one copy: losing a brick loses files",)
        return ()

    def allows(self, node: str) -> bool:
        """Return whether ``only`` and ``except`` let this node hold bricks of the volume."""
        return (not self.only or node in self.only) and node not in self.except_

    def as_data(self) -> dict[str, object]:
        """Return the declaration as plain data, in one order whatever the order of the pillar."""
        return {
            **{k: getattr(self, k) for k in ("name", "replica", "arbiter", "disperse")},
            **{k: getattr(self, k) for k in ("redundancy", "exclusive_options", "started")},
            "bricks": [[b.node, b.path] for b in self.bricks],
            "only": sorted(self.only),
            "except": sorted(self.except_),
            "options": dict(self.options),
            "transport": self.transport,
            "mount": self.mount and self.mount.as_data(),
            "accept_risk": sorted(self.accept_risk),
        }


@dataclass(frozen=True)
class PoolSpec:
    """One wanted pool. ``nodes`` is in the order written: the first one bootstraps.

    ``addresses`` and ``zones`` hold only what was written; ask :meth:`address` and :meth:`zone`.
    ``devices`` are the names of the disks that every node has, in order. ``remediation`` holds the
    fields of the policy that were written; it is no part of the digest: it changes no volume.
    ``named`` are the nodes that are written out and ``globs`` the globs beside them: a node that
    only a glob means is one once it was accepted.
    """

    nodes: tuple[str, ...]
    cluster: str = "main"
    addresses: Mapping[str, str] = field(default_factory=dict)
    zones: Mapping[str, str] = field(default_factory=dict)
    arbiters: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    brick_root: str = "/srv/gluster"
    volumes: Mapping[str, VolumeSpec] = field(default_factory=dict)
    accept_risk: frozenset[str] = frozenset()
    remediation: Mapping[str, object] = field(default_factory=dict)
    named: tuple[str, ...] = ()
    globs: tuple[str, ...] = ()

    def awaits(self, name: str) -> bool:
        """Return whether a glob of ``nodes`` means a name that is not accepted yet."""
        return name not in self.nodes and any(matches(glob, name) for glob in self.globs)

    def address(self, node: str) -> str:
        """Return the host name that gluster uses for a node."""
        return self.addresses.get(node, node)

    def zone(self, node: str) -> str:
        """Return the node's zone; a node in no zone is a zone of its own."""
        return self.zones.get(node, node)

    def node_of(self, host: str) -> str | None:
        """Return the node with this address or name; gluster ignores case (facts.md#C-J.3)."""
        wanted = host.lower()
        for node in self.nodes:
            if self.address(node).lower() == wanted:
                return node
        return next((node for node in self.nodes if node.lower() == wanted), None)

    def device_mounts(self) -> tuple[tuple[str, str], ...]:
        """Return ``(device name, mount point)``, the same on every node."""
        return tuple((d, f"{self.brick_root}/disk{k}") for k, d in enumerate(self.devices, 1))

    def brick_paths(self, volume: str) -> tuple[str, ...]:
        """Return where a node's bricks of a volume lie: one per disk, or one without disks."""
        if not self.devices:
            return (f"{self.brick_root}/{volume}/1",)
        return tuple(f"{mount}/{volume}" for _, mount in self.device_mounts())

    def places(self, volume: VolumeSpec) -> tuple[BrickSlot, ...]:
        """Return every place where the volume may have a brick, node by node.

        Nodes named as ``arbiters`` take arbiter bricks only, and none of other volumes.
        """
        if volume.bricks:
            return tuple(BrickSlot(b.node, b.path, self.zone(b.node)) for b in volume.bricks)
        return tuple(
            BrickSlot(node, path, self.zone(node), arbiter_only=node in self.arbiters)
            for node in self.nodes
            if volume.allows(node) and (volume.arbiter or node not in self.arbiters)
            for path in self.brick_paths(volume.name)
        )

    def digest(self) -> str:
        """Return a digest of the whole declaration; the order of ``nodes`` counts."""
        plain = [self.cluster, self.nodes, dict(self.addresses), dict(self.zones), self.arbiters]
        more = [self.devices, self.brick_root, sorted(self.accept_risk)]
        return digest_of([plain, more, {n: v.as_data() for n, v in self.volumes.items()}])
