"""Three nodes and the recorded volume rep3, as reports, as an observation, and in a Consul.

One brick, that of gfn2, is dead, and nothing forbids to start it: a test changes one thing and sees
that it is not started any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from samples import answer

from salt_gluster.gluster.parse.volume import parse_volume_info, parse_volume_status
from salt_gluster.model import BrickFacts, NodeFacts, VolumeStatus
from salt_gluster.remediation.membership import ConsulView, Registered, Signal, ViewTrust
from salt_gluster.remediation.observation import FleetObservation, LockView, Recorded
from salt_gluster.remediation.operations import Life, Operation
from salt_gluster.status.facts import facts_data

NOW = 1_000_000.0
CLUSTER = "main"
VOLUME = parse_volume_info(answer("volume-info-rep3.xml"))["rep3"]
PATH = VOLUME.bricks[0].path
#: Name -> uuid, as recorded.
UUIDS = {b.host: b.host_uuid for b in VOLUME.bricks}
GFN1, GFN2, GFN3 = UUIDS.values()
#: The executor's own node, whose brick is dead.
SEAT = GFN2
BRICK = f"gfn2:{PATH}"
OP_VERSION = 100000


def rows(file: str) -> VolumeStatus:
    """Return the recorded rows of the volume's bricks."""
    return parse_volume_status(answer(file), "rep3")


DEAD_ROWS = rows("volume-status-rep3-brick-killed-from-gfn2.xml")
GOOD_ROWS = rows("volume-status-rep3.xml")

WELL = BrickFacts(
    alive=True, port=49152, mounted=True, read_only=False, filesystem="fs", volume_id=VOLUME.id,
    gluster_root=True, io_errors=0, health_check_ended=False,
)  # fmt: skip
DEAD = replace(WELL, alive=False, port=None)


def facts(uuid: str, brick: BrickFacts = WELL, **changed: Any) -> NodeFacts:
    """Return what a node that is well says of itself."""
    whole = NodeFacts(
        at=NOW, glusterd_started=NOW - 9999, glusterd_answers=True, version=OP_VERSION,
        volumes_without_info=(), volumes={"rep3": VOLUME},
        connected={u: True for u in UUIDS.values() if u != uuid}, bricks={PATH: brick},
        changes=(), hold=None,
    )  # fmt: skip
    return replace(whole, **changed)


def reports() -> dict[str, NodeFacts]:
    """Return what all of them say: the brick of gfn2 is dead."""
    return {u: facts(u, DEAD if u == SEAT else WELL) for u in UUIDS.values()}


def report_data(uuid: str, told: NodeFacts) -> dict[str, Any]:
    """Return a node's report as it stands in Consul."""
    peers = [
        {"uuid": u, "names": [n], "is_self": u == uuid, "connected": True, "state": 3}
        for n, u in UUIDS.items()
    ]
    name = next(n for n, u in UUIDS.items() if u == uuid)
    return {"schema": 1, "at": told.at, "node": name, "names": [name], "uuid": uuid,
            "version": "10.3", "hold": None, "peers": peers, "reach": {}, "bricks": {},
            "volumes": facts_data(told)["volumes"], "facts": facts_data(told)}  # fmt: skip


def observation(**changed: Any) -> FleetObservation:
    """Return the pool as the engine sees it, with the lock and fresh news of everybody."""
    registered = {u: Registered(u, n, n, Signal.GOOD) for n, u in UUIDS.items()}
    whole = FleetObservation(
        now=NOW, cluster=CLUSTER, consul=ConsulView(ViewTrust(True), registered),
        lock=LockView(True, 9.0, 7), members={u: n for n, u in UUIDS.items()}, facts=reports(),
        skews=dict.fromkeys(UUIDS.values(), 0.0), hold=None, maintenance={}, operations={},
        acknowledged=(), recorded={(u, PATH): Recorded("fs", VOLUME.id) for u in UUIDS.values()},
    )  # fmt: skip
    return replace(whole, **changed)


def operation(**changed: Any) -> Operation:
    """Return the intent to start the dead brick, written a moment ago."""
    whole = Operation(
        id="op1", action="brick_restart", rung=1, volume="rep3", volume_id=VOLUME.id, brick=BRICK,
        node=SEAT, executor="gfn2", epoch=7, state=Life.INTENT, at=NOW - 1, deadline=NOW + 119,
        incident=NOW - 61, attempt=1, changed=NOW - 1, evidence={"skew_s": 0.0},
    )  # fmt: skip
    return replace(whole, **changed)


def catalog_rows() -> list[Mapping[str, Any]]:
    """Return the service's rows in Consul's catalog."""
    return [
        {"Node": name, "ServiceMeta": {"cluster": CLUSTER, "peer_uuid": uuid, "minion_id": name}}
        for name, uuid in UUIDS.items()
    ]
