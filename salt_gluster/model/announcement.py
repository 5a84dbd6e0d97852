"""What nodes announce of their brick directories before a volume is made on them. Nouns only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from salt_gluster.model.unknown import Unknown


@dataclass(frozen=True)
class AnnouncedBrick:
    """What a node says of one directory of its own.

    ``volume`` is the volume it is meant for, "" = any. ``filesystem`` identifies the file system
    below it: the own uuid of that, else ``fsid:`` and what statvfs says. ``on_root`` = it is that
    of the root directory. ``unfit`` says why it cannot be a brick, "" = it can. ``marked``: a
    create that failed, or is under way, has marked it; its node takes that off.
    """

    volume: str
    path: str
    filesystem: str
    on_root: bool = False
    unfit: str = ""
    marked: bool = False


@dataclass(frozen=True)
class Announcement:
    """The last announcement of one node, as this node read it.

    ``later_than`` is the time, by this node's own clock, of the last look at which this
    announcement was not there yet: it was made after that. Unknown = it was there at the first
    look, so that its age is not known.
    """

    later_than: float | Unknown
    bricks: tuple[AnnouncedBrick, ...]


@dataclass(frozen=True)
class Prepared:
    """What is known of the brick directories of other nodes.

    ``hosts`` is by host name in lower case; a host that is not there has announced nothing.
    Unknown = no node can tell another. ``failed``: volume -> when gluster last refused here to put
    new bricks into it, by this node's own clock.
    """

    hosts: Mapping[str, Announcement | Unknown] | Unknown
    failed: Mapping[str, float] = field(default_factory=dict)
