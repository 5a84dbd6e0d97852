"""``volume info`` and the rows of ``volume status V`` with their details, clients and tasks."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree.ElementTree import Element

from salt_gluster.errors import Unreadable
from salt_gluster.gluster.parse.answer import CliAnswer
from salt_gluster.gluster.parse.elements import (
    optional_number,
    required_number,
    required_text,
    split_brick,
)
from salt_gluster.model import (
    Brick,
    BrickSpace,
    BrickStatus,
    DaemonStatus,
    Task,
    Unknown,
    Volume,
    VolumeStatus,
)

#: ``node/hostname`` of a daemon's row -> ``DaemonStatus.kind``; other names stay as they are.
DAEMONS = {
    "Self-heal Daemon": "self-heal",
    "Quota Daemon": "quota",
    "Bitrot Daemon": "bitrot",
    "Scrubber Daemon": "scrub",
    "Snapshot Daemon": "snapshot",
    "NFS Server": "nfs",
}

_NO_INODES = Unknown("its file system counts no inodes")
_TRANSPORTS = {0: "tcp", 1: "rdma", 2: "tcp,rdma"}


@dataclass(frozen=True)
class VolumeClient:
    """A client of one brick as ``volume status V clients`` lists it; daemons are clients too."""

    brick: str
    address: str
    bytes_read: int | None
    bytes_written: int | None
    op_version: int | None


def parse_volume_info(answer: CliAnswer) -> dict[str, Volume]:
    """Return every volume of the answer by name; none for an empty pool. Raises ``Unreadable``."""
    rows = answer.element("volInfo/volumes").iterfind("volume")
    return {volume.name: volume for volume in map(_volume, rows)}


def parse_volume_status(answer: CliAnswer, volume: str) -> VolumeStatus:
    """Return the rows of one volume, daemons apart.

    A brick whose peer is unreachable has no row: it is missing here too, not down
    (facts.md#G-0.12). Raises ``Unreadable``, also when the answer leaves the volume out.
    """
    rows = _volume_rows(answer, volume)
    bricks, daemons = [], []
    for row in rows.iterfind("node"):
        if required_text(row, "path").startswith("/"):
            bricks.append(_brick_status(row))
        else:
            daemons.append(_daemon_status(row))
    return VolumeStatus(volume, tuple(bricks), tuple(daemons), _tasks(rows))


def parse_volume_tasks(answer: CliAnswer, volume: str) -> tuple[Task, ...]:
    """Return the tasks of one volume from ``volume status V`` or ``... tasks``."""
    return _tasks(_volume_rows(answer, volume))


def parse_volume_detail(answer: CliAnswer) -> tuple[BrickSpace, ...]:
    """Return the space of each brick that gluster measured.

    A brick without numbers has no row here: it is unknown, not full. Raises ``Unreadable``.
    """
    nodes = answer.element("volStatus/volumes").iterfind("volume/node")
    return tuple(space for space in map(_space, nodes) if space is not None)


def parse_volume_clients(answer: CliAnswer) -> tuple[VolumeClient, ...]:
    """Return the clients of every brick that listed them. Raises ``Unreadable``."""
    clients = []
    for node in answer.element("volStatus/volumes").iterfind("volume/node"):
        brick = f"{required_text(node, 'hostname')}:{required_text(node, 'path')}"
        for row in node.iterfind("clientsStatus/client"):
            read, written = optional_number(row, "bytesRead"), optional_number(row, "bytesWrite")
            address, version = required_text(row, "hostname"), optional_number(row, "opVersion")
            clients.append(VolumeClient(brick, address, read, written, version))
    return tuple(clients)


def _volume(row: Element) -> Volume:
    replica, disperse = required_number(row, "replicaCount"), required_number(row, "disperseCount")
    kind = "disperse" if disperse else "replicate" if replica > 1 else "distribute"
    transport = required_number(row, "transport")
    return Volume(
        name=required_text(row, "name"),
        id=required_text(row, "id"),
        status=required_text(row, "statusStr"),
        kind=kind,
        bricks=tuple(_brick(b) for b in row.iterfind("bricks/brick")),
        dist_count=required_number(row, "distCount"),
        replica=replica,
        arbiter=required_number(row, "arbiterCount"),
        disperse=disperse,
        redundancy=required_number(row, "redundancyCount"),
        transport=_TRANSPORTS.get(transport, str(transport)),
        options={
            required_text(o, "name"): required_text(o, "value")
            for o in row.iterfind("options/option")
        },
        type_text=required_text(row, "typeStr"),
    )


def _brick(row: Element) -> Brick:
    host, path = split_brick(required_text(row, "name"))
    uuid = (row.findtext("hostUuid") or row.get("uuid") or "").strip()
    return Brick(host, path, uuid, is_arbiter=optional_number(row, "isArbiter") == 1)


def _volume_rows(answer: CliAnswer, volume: str) -> Element:
    for row in answer.element("volStatus/volumes").iterfind("volume"):
        if required_text(row, "volName") == volume:
            return row
    raise Unreadable(f"the answer leaves volume {volume} out", hint="Ask for this volume alone.")


def _brick_status(row: Element) -> BrickStatus:
    port, pid = optional_number(row, "port"), optional_number(row, "pid")
    return BrickStatus(
        host=required_text(row, "hostname"),
        path=required_text(row, "path"),
        host_uuid=required_text(row, "peerid"),
        online=required_number(row, "status") == 1,
        port=port if port and port > 0 else None,
        pid=pid if pid and pid > 0 else None,
    )


def _daemon_status(row: Element) -> DaemonStatus:
    # Here the path is the host's name, "localhost" for the answering node (facts.md#G-3.4).
    name, online = required_text(row, "hostname"), required_number(row, "status") == 1
    uuid = required_text(row, "peerid")
    return DaemonStatus(DAEMONS.get(name, name), required_text(row, "path"), uuid, online)


def _tasks(volume: Element) -> tuple[Task, ...]:
    return tuple(
        Task(
            kind=required_text(row, "type"),
            id=required_text(row, "id"),
            state=required_number(row, "status"),
            state_text=required_text(row, "statusStr"),
        )
        for row in volume.iterfind("tasks/task")
    )


def _space(row: Element) -> BrickSpace | None:
    total, free = (optional_number(row, name) for name in ("sizeTotal", "sizeFree"))
    if total is None or free is None:
        return None
    inodes = (optional_number(row, name) for name in ("inodesTotal", "inodesFree"))
    seen = (_NO_INODES if number is None else number for number in inodes)
    brick = f"{required_text(row, 'hostname')}:{required_text(row, 'path')}"
    return BrickSpace(brick, total, free, *seen)
