"""What GlusterFS's own events mean: a table, duplicates dropped, wake-ups debounced. Pure.

An event is a hint, never state: it comes from n-1 nodes or from none, late, out of order, and is
lost when no receiver takes it (``gluster-eventsapi`` neither repeats nor queues). All it may do is
make the leader observe the nodes it names. Clocks are handed in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from salt_gluster.errors import Unreadable
from salt_gluster.model import digest_of

SCHEMA = 1
#: Where the receiver listens, unless it is told another port.
PORT = 24017
PATH = "/gluster"
#: Duplicates come within 1.7 s of one another (facts.md#C-D.1).
WINDOW_S = 5.0
#: At most one wake in that time, however many events come.
GAP_S = 1.0
#: More is not kept: what was heard longest ago is forgotten, and then counts as new.
MOST_HEARD = 4096
#: More nodes than that at once is a crowd: the leader looks at every node by itself.
MOST_NODES = 1000
#: In a message, the sign of an event that a node sent only to see that it arrives.
PROBE = "salt_gluster"

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TYPE = re.compile(r"[A-Z0-9_]{1,64}")
_LONGEST = 512


def url(address: str, port: int = PORT) -> str:
    """Return the webhook of the receiver at this address."""
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{port}{PATH}"


# --- the table -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class EventKind:
    """What a type of event is about, and whether a look can show what it hints at.

    keys      of its message that name the subject, all that are there joined by a colon
    wakes     a node's own report may look different now
    from_all  every other node says the same: n-1 duplicates
    """

    subject: str
    keys: tuple[str, ...]
    wakes: bool = True
    from_all: bool = False


_VOLUME = ("volume", "Volume", "name")


def _kinds(names: str, kind: EventKind) -> dict[str, EventKind]:
    return dict.fromkeys(names.split(), kind)


#: By type. The clients' view (AFR, EC, DHT, CLIENT) wakes nothing: a leftover mount repeats it for
#: ever, and ``glfsheal`` is a client too: our own looks would wake us.
KINDS: Mapping[str, EventKind] = {
    **_kinds(
        "PEER_CONNECT PEER_DISCONNECT PEER_REJECT PEER_NOT_FOUND UNKNOWN_PEER",
        EventKind("peer", ("uuid", "peer", "host"), from_all=True),
    ),
    **_kinds(
        "PEER_ATTACH PEER_DETACH PEER_STORE_FAILURE PEER_RPC_CREATE_FAILED NOTIFY_UNKNOWN_OP",
        EventKind("peer", ("host", "peer")),
    ),
    **_kinds("QUORUM_LOST QUORUM_REGAINED", EventKind("volume", _VOLUME, from_all=True)),
    **_kinds(
        "VOLUME_CREATE VOLUME_START VOLUME_STOP VOLUME_DELETE VOLUME_SET VOLUME_RESET"
        " VOLUME_ADD_BRICK VOLUME_ADD_BRICK_FAILED VOLUME_REMOVE_BRICK_START"
        " VOLUME_REMOVE_BRICK_START_FAILED VOLUME_REMOVE_BRICK_COMMIT"
        " VOLUME_REMOVE_BRICK_COMMIT_FAILED VOLUME_REMOVE_BRICK_STOP"
        " VOLUME_REMOVE_BRICK_STOP_FAILED VOLUME_REMOVE_BRICK_FORCE"
        " VOLUME_REMOVE_BRICK_FORCE_FAILED VOLUME_REMOVE_BRICK_FAILED VOLUME_REBALANCE_START"
        " VOLUME_REBALANCE_STOP VOLUME_REBALANCE_FAILED VOLUME_REBALANCE_COMPLETE"
        " REBALANCE_START_FAILED REBALANCE_STATUS_UPDATE_FAILED IMPORT_VOLUME_FAILED"
        " IMPORT_QUOTA_CONF_FAILED COMPARE_FRIEND_VOLUME_FAILED BITROT_ENABLE BITROT_DISABLE"
        " QUOTA_ENABLE QUOTA_DISABLE",
        EventKind("volume", _VOLUME),
    ),
    **_kinds(
        "BRICK_CONNECTED BRICK_DISCONNECTED BRICK_START_FAILED BRICK_STOP_FAILED"
        " BRICKPATH_RESOLVE_FAILED IMPORT_BRICK_FAILED POSIX_ALREADY_PART_OF_VOLUME"
        " POSIX_BRICK_NOT_IN_VOLUME POSIX_BRICK_VERIFICATION_FAILED POSIX_HEALTH_CHECK_FAILED",
        EventKind("brick", ("peer", "brick")),
    ),
    **_kinds(
        "BRICK_RESET_START BRICK_RESET_COMMIT BRICK_REPLACE", EventKind("brick", ("source-brick",))
    ),
    **_kinds(
        "SVC_CONNECTED SVC_DISCONNECTED SVC_MANAGER_FAILED SVC_RECONFIGURE_FAILED",
        EventKind("service", ("svc_name",)),
    ),
    # What a node's own report does not show.
    **_kinds(
        "POSIX_SAME_GFID POSIX_ACL_NOT_SUPPORTED BITROT_BAD_FILE",
        EventKind("brick", ("brick",), False),
    ),
    **_kinds(
        "BITROT_SCRUB_THROTTLE BITROT_SCRUB_FREQ BITROT_SCRUB_OPTION BITROT_SCRUB_ONDEMAND"
        " QUOTA_SET_USAGE_LIMIT QUOTA_SET_OBJECTS_LIMIT QUOTA_REMOVE_USAGE_LIMIT"
        " QUOTA_REMOVE_OBJECTS_LIMIT QUOTA_ALERT_TIME QUOTA_SOFT_TIMEOUT QUOTA_HARD_TIMEOUT"
        " QUOTA_DEFAULT_SOFT_LIMIT QUOTA_CROSSED_SOFT_LIMIT NFS_GANESHA_EXPORT_FAILED",
        EventKind("volume", _VOLUME, False),
    ),
    **_kinds(
        "GEOREP_CREATE GEOREP_START GEOREP_STOP GEOREP_PAUSE GEOREP_RESUME GEOREP_DELETE"
        " GEOREP_CONFIG_SET GEOREP_CONFIG_RESET GEOREP_FAULTY GEOREP_CHECKPOINT_COMPLETED"
        " GEOREP_ACTIVE GEOREP_PASSIVE",
        EventKind("georep", ("primary", "primary_volume", "secondary", "secondary_volume"), False),
    ),
    **_kinds(
        "SNAPSHOT_CREATED SNAPSHOT_CREATE_FAILED SNAPSHOT_ACTIVATED SNAPSHOT_ACTIVATE_FAILED"
        " SNAPSHOT_DEACTIVATED SNAPSHOT_DEACTIVATE_FAILED SNAPSHOT_SOFT_LIMIT_REACHED"
        " SNAPSHOT_HARD_LIMIT_REACHED SNAPSHOT_RESTORED SNAPSHOT_RESTORE_FAILED SNAPSHOT_DELETED"
        " SNAPSHOT_DELETE_FAILED SNAPSHOT_CLONED SNAPSHOT_CLONE_FAILED SNAPSHOT_CONFIG_UPDATED"
        " SNAPSHOT_CONFIG_UPDATE_FAILED SNAPSHOT_SCHEDULER_INITIALISED"
        " SNAPSHOT_SCHEDULER_INIT_FAILED SNAPSHOT_SCHEDULER_ENABLED"
        " SNAPSHOT_SCHEDULER_ENABLE_FAILED SNAPSHOT_SCHEDULER_DISABLED"
        " SNAPSHOT_SCHEDULER_DISABLE_FAILED SNAPSHOT_SCHEDULER_SCHEDULE_ADDED"
        " SNAPSHOT_SCHEDULER_SCHEDULE_ADD_FAILED SNAPSHOT_SCHEDULER_SCHEDULE_EDITED"
        " SNAPSHOT_SCHEDULER_SCHEDULE_EDIT_FAILED SNAPSHOT_SCHEDULER_SCHEDULE_DELETED"
        " SNAPSHOT_SCHEDULER_SCHEDULE_DELETE_FAILED",
        EventKind("snapshot", ("volume_name", "snapshot_name", "status"), False),
    ),
    **_kinds(
        "CLIENT_CONNECT CLIENT_AUTH_REJECT CLIENT_DISCONNECT",
        EventKind("client", ("client_identifier", "brick_path"), False),
    ),
    **_kinds(
        "AFR_QUORUM_MET AFR_QUORUM_FAIL AFR_SUBVOL_UP AFR_SUBVOLS_DOWN AFR_SPLIT_BRAIN"
        " EC_MIN_BRICKS_NOT_UP EC_MIN_BRICKS_UP DHT_DISK_USAGE DHT_INODES_USAGE",
        EventKind("subvolume", ("subvol", "Subvolume"), False),
    ),
    **_kinds(
        "TIER_ATTACH TIER_ATTACH_FORCE TIER_DETACH_START TIER_DETACH_STOP TIER_DETACH_COMMIT"
        " TIER_DETACH_FORCE TIER_PAUSE TIER_RESUME TIER_WATERMARK_HI"
        " TIER_WATERMARK_DROPPED_TO_MID TIER_WATERMARK_RAISED_TO_MID"
        " TIER_WATERMARK_DROPPED_TO_LOW TIER_START TIER_START_FORCE",
        EventKind("volume", ("vol", *_VOLUME), False),
    ),
}

#: A type of a newer GlusterFS: a look does no harm.
UNKNOWN = EventKind("unknown", ())


# --- one post ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class GlusterEvent:
    """One event as a node posted it. ``nodes`` are the uuids that are worth observing."""

    event: str
    kind: EventKind
    name: str
    node: str
    message: Mapping[str, Any]
    #: Of the whole body: what comes twice from the same node for the same second is a repetition.
    digest: str
    probe: str = ""

    @property
    def nodes(self) -> frozenset[str]:
        """Return the node that posted it, and the node that it is about, if there is one."""
        about = str(self.message.get("uuid", ""))
        return frozenset({self.node, about} if _UUID.fullmatch(about) else {self.node})


def event_from(body: bytes) -> GlusterEvent:
    """Return what was posted; ``Unreadable`` for everything that GlusterFS does not send."""
    try:
        posted = json.loads(body)
        event, node, message = posted["event"], posted["nodeid"], posted["message"]
        # AFR posts carry the key " subvol", with a blank.
        plain = {str(k).strip(): v for k, v in message.items()}
        good = _TYPE.fullmatch(event) and _UUID.fullmatch(node)
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as err:
        raise Unreadable("this is no event of GlusterFS.") from err
    if not good:
        raise Unreadable("this is no event of GlusterFS.")
    kind = KINDS.get(event, UNKNOWN)
    parts = [plain[key] for key in kind.keys if isinstance(plain.get(key), (str, int))]
    if kind.from_all:
        parts = parts[:1]  # nodes may know a peer under several names, but by one uuid
    name = ":".join(str(p)[:_LONGEST] for p in parts)
    probe = plain.get(PROBE, "")
    digest = digest_of([event, node, posted.get("ts"), plain])
    probe = probe if isinstance(probe, str) else ""
    return GlusterEvent(event, kind, name, node, plain, digest, probe)


# --- dropping duplicates -------------------------------------------------------------------------


@dataclass
class _Heard:
    at: float
    #: Which post each node said it with.
    by: dict[str, str]


class Deduplicator:
    """Drop duplicates of an event. Bounded, and never loses one: in doubt it is no duplicate.

    The same from another node within the window is a duplicate; the same from the same node is
    news, unless it is the very same post again.
    """

    def __init__(self, window_s: float = WINDOW_S, most: int = MOST_HEARD) -> None:
        self._window_s, self._most = window_s, most
        self._heard: dict[tuple[str, ...], _Heard] = {}

    def is_news(self, post: GlusterEvent, now: float) -> bool:
        """Whether no other node has posted the same within the window."""
        key = (post.event, post.name) if post.kind.from_all else (post.digest,)
        heard = self._heard.get(key)
        is_young = heard is not None and 0 <= now - heard.at <= self._window_s
        if heard and is_young and heard.by.setdefault(post.node, post.digest) == post.digest:
            return False
        self._heard.pop(key, None)  # what is put back goes to the end: the oldest is first
        self._heard[key] = _Heard(now, {post.node: post.digest})
        self._forget(now)
        return True

    def _forget(self, now: float) -> None:
        for key, heard in list(self._heard.items()):
            if len(self._heard) <= self._most and now - heard.at <= self._window_s:
                return
            del self._heard[key]

    def __len__(self) -> int:
        """How much is kept."""
        return len(self._heard)


# --- debouncing ----------------------------------------------------------------------------------


class Debouncer:
    """Collects the nodes to be observed: the first at once, then at most once in ``gap_s``."""

    def __init__(self, gap_s: float = GAP_S) -> None:
        self._gap_s = gap_s
        self._nodes: set[str] = set()
        self._told_at: float | None = None

    def add(self, nodes: Iterable[str]) -> None:
        """Keep them until they are taken."""
        for node in nodes:
            if len(self._nodes) < MOST_NODES:
                self._nodes.add(node)

    def due_s(self, now: float) -> float | None:
        """Return in how many seconds they may be told; None = there is nothing to tell."""
        if not self._nodes:
            return None
        return 0.0 if self._told_at is None else max(0.0, self._told_at + self._gap_s - now)

    def take(self, now: float) -> frozenset[str]:
        """Return them, if they may be told now; after a failed sending they are added again."""
        if self.due_s(now) != 0.0:
            return frozenset()
        nodes, self._nodes, self._told_at = frozenset(self._nodes), set(), now
        return nodes


def encode_wakeup(nodes: Collection[str], by: str, at: float) -> bytes:
    """Return the value that wakes the leader, to be put into Consul."""
    data = {"schema": SCHEMA, "at": at, "by": by, "nodes": sorted(nodes)}
    return json.dumps(data, sort_keys=True).encode()


def decode_wakeup(value: bytes) -> frozenset[str]:
    """Return the nodes that a wake-up names; none for one that cannot be read."""
    try:
        wakeup = json.loads(value)
        nodes = wakeup["nodes"] if wakeup["schema"] == SCHEMA else ()
        return frozenset(n for n in nodes[:MOST_NODES] if _UUID.fullmatch(n))
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        return frozenset()
