"""The nouns of the simulated pool: a brick, a node, Consul's servers, as they truly are."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from salt_gluster.model import Change, Hold, Unknown
from salt_gluster.remediation.observation import Acknowledged, Maintenance, WentBack
from salt_gluster.remediation.operations import ExecutionReport

CLUSTER = "main"
T0 = 1_000_000.0
NODES = [f"g{i}" for i in range(1, 9)]
LAYOUT = {"data": ("g1", "g2", "g3"), "vm": ("g4", "g5", "g6"), "logs": ("g7", "g8", "g1")}
Key = tuple[str, str]


@dataclass
class SimBrick:
    """One brick: its process, its disk, and since when it is as it is."""

    volume: str
    alive: bool = True
    port_known: bool = True
    mounted: bool = True
    read_only: bool = False
    filesystem: str = "fs"
    volume_id: str = ""
    root: bool = True
    io_errors: int = 0
    health_check_ended: bool = False
    told: bool = True  # does its node name it?
    recorded: bool = True  # while it was well
    unreadable: frozenset[str] = frozenset()  # fields of BrickFacts that its node cannot read
    changed: float = T0 - 9999
    died: float = 0.0
    up_since: float = T0 - 9999

    def revive(self, now: float) -> None:
        if not self.alive or not self.port_known:
            self.alive, self.port_known, self.changed, self.up_since = True, True, now, now

    def fault(self) -> str:
        """Say what is wrong with the disk, or ""."""
        return "".join(
            word for word, bad in (
                ("unmounted ", not self.mounted), ("read-only ", self.read_only),
                ("foreign file system ", self.filesystem != "fs"),
                ("other volume ", self.volume_id != f"id-{self.volume}"),
                ("empty ", not self.root), ("io errors ", self.io_errors > 0),
                ("health check ", self.health_check_ended),
            ) if bad
        )  # fmt: skip


@dataclass
class SimNode:
    """One server. ``agent`` = its Consul agent runs; ``cut`` = nothing reaches it."""

    name: str
    alive: bool = True
    agent: bool = True
    cut: bool = False
    glusterd_started: float = T0 - 9999
    importing: bool = False
    version: int = 100
    version_since: float = T0 - 9999
    skew: float = 0.0
    missed_since: float = 0.0
    has_left: bool = False
    hold: Hold | None = None
    history: list[Change] = field(default_factory=list)
    consul_maintenance: bool = False
    outcomes_readable: bool = True
    only_tells: bool = False  # `test: True` in its minion's configuration
    unreadable: frozenset[str] = frozenset()  # fields of NodeFacts that it cannot read
    zone: str = ""

    @property
    def there(self) -> bool:
        return self.alive and not self.cut


@dataclass
class Consul:
    """The servers' truth. A write needs a leader; a fenced one also the session and the epoch."""

    up: bool = True
    leader_since: float = T0 - 9999
    index: int = 1
    holder: str = ""
    session_until: float = 0.0
    free_at: float = T0 - 9999
    epoch: int = 0
    hold: Hold | Unknown | None = None
    maintenance: dict[str, Maintenance] = field(default_factory=dict)
    operations: dict[str, dict[str, Any]] = field(default_factory=dict)
    proposals: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: (node, operation) -> what that node said of it; ``cas`` False = a write that checks nothing.
    outcomes: dict[Key, ExecutionReport] = field(default_factory=dict)
    cas: bool = True
    members: dict[str, Any] | None = None
    roster: dict[str, Any] | None = None
    acknowledged: list[Acknowledged] = field(default_factory=list)
    wiped: bool = False
    went_back: WentBack | None = None
