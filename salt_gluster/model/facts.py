"""What a node reports of itself: its glusterd, its bricks, the commands given there. Nouns only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from salt_gluster.model.pool import Hold, Volume
from salt_gluster.model.unknown import NOT_ASKED, Unknown, is_known


@dataclass(frozen=True)
class GetStateBrick:
    """A brick as the answering glusterd sees it.

    Of a brick of another node only the name is known: status, port and space are Unknown.
    """

    name: str
    started: bool | Unknown
    port: int | Unknown
    free: int | Unknown
    total: int | Unknown


@dataclass(frozen=True)
class GetStateVolume:
    """A volume as the answering glusterd sees it; ``self_heal_online`` is this node's daemon."""

    name: str
    id: str
    status: str
    quorum: str
    self_heal_online: bool | Unknown
    bricks: tuple[GetStateBrick, ...]


@dataclass(frozen=True)
class GlusterdState:
    """What ``get-state`` says of the node that was asked."""

    uuid: str
    op_version: int | Unknown
    volumes: Mapping[str, GetStateVolume]


@dataclass(frozen=True)
class BrickFacts:
    """What a node says of one brick of its own (W4): its process, its disk, its marks.

    ``filesystem`` is the file system's own uuid, ``io_errors`` the kernel's since boot,
    ``gluster_root`` = ``.glusterfs/00/00/0000…01`` is there, ``health_check_ended`` = gluster's own
    health check ended it, ``port`` None = it has none.
    """

    alive: bool | Unknown = NOT_ASKED
    port: int | Unknown | None = NOT_ASKED
    mounted: bool | Unknown = NOT_ASKED
    read_only: bool | Unknown = NOT_ASKED
    filesystem: str | Unknown = NOT_ASKED
    volume_id: str | Unknown | None = NOT_ASKED
    gluster_root: bool | Unknown = NOT_ASKED
    io_errors: int | Unknown = NOT_ASKED
    health_check_ended: bool | Unknown = NOT_ASKED


@dataclass(frozen=True)
class Change:
    """One changing command of a member's ``cmd_history.log``; ``ours`` = a job of ours sent it."""

    at: float
    command: str
    ours: bool


@dataclass(frozen=True)
class NodeFacts:
    """A node's own report (W4), taken at ``at``.

    ``glusterd_started`` None = does not run; ``glusterd_answers`` = ``pool list`` within 20 s.
    ``volumes`` is that glusterd's fresh ``volume info``; ``connected`` its ``pool list``.
    """

    at: float
    glusterd_started: float | Unknown | None = NOT_ASKED
    glusterd_answers: bool | Unknown = NOT_ASKED
    version: int | Unknown = NOT_ASKED
    volumes_without_info: tuple[str, ...] | Unknown = NOT_ASKED
    volumes: Mapping[str, Volume] | Unknown = NOT_ASKED
    connected: Mapping[str, bool] | Unknown = NOT_ASKED
    bricks: Mapping[str, BrickFacts] = field(default_factory=dict)
    changes: tuple[Change, ...] | Unknown = NOT_ASKED
    hold: Hold | Unknown | None = NOT_ASKED

    @cached_property
    def is_odd(self) -> bool:
        """Whether the node itself says that something is not plainly well there."""
        well = self.glusterd_answers
        up = isinstance(self.glusterd_started, int | float) and is_known(well) and well
        own = self.bricks.values()
        return not up or any((is_known(b.alive) and not b.alive) or b.port is None for b in own)
