"""A pool of gluster as its nodes tell it, without a gluster: reports and answers as recorded.

Of an engine that is killed, frozen or cut off only Consul has to be the real thing. Nodes are
numbers; `dead` names those whose brick has no process.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from salt_gluster.model import Brick, BrickFacts, Change, NodeFacts, Volume
from salt_gluster.status.facts import facts_data, volumes_data

UUID = "5a1f6c00-0000-4000-8000-{:012d}"
PATH, PORT = "/srv/gluster/data/1", 49152
#: The nodes of the replicated volume: a brick on each of the first so many.
BRICKS = 3


def plain(value: int) -> Volume:
    """Return a volume without a brick, whose option a person has set."""
    options = {"user.value": str(value)}
    return Volume("data", "id-1", "Started", "distribute", (), 1, options=options)


def replicated(names: Sequence[str]) -> Volume:
    """Return a volume with one brick on each of the first nodes."""
    bricks = tuple(Brick(name, PATH, UUID.format(n)) for n, name in enumerate(names[:BRICKS]))
    return Volume("data", "id-1", "Started", "replicate", bricks, 1, replica=BRICKS)


def report(
    number: int, names: Sequence[str], volume: Volume, now: float,
    *, dead: Collection[int] = (), change: Change | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Return what this node says of itself."""
    uuids = [UUID.format(n) for n in range(len(names))]
    own = [b for b in volume.bricks if b.host_uuid == uuids[number]]
    alive = number not in dead
    facts = NodeFacts(
        now, glusterd_started=now - 3600, glusterd_answers=True, version=100000,
        volumes_without_info=(), volumes={volume.name: volume},
        connected={u: True for u in uuids if u != uuids[number]},
        bricks={b.path: _brick(number, volume, alive=alive) for b in own},
        changes=(change,) if change else (), hold=None,
    )  # fmt: skip
    rows = [{"name": b.name, "online": alive, "port": PORT if alive else None, "free": 9,
             "total": 10, "pending": 0} for b in own]  # fmt: skip
    peers = [{"uuid": u, "names": [name], "connected": True, "state": 3, "state_text": "",
              "is_self": u == uuids[number]}
             for u, name in zip(uuids, names, strict=True)]  # fmt: skip
    return {
        "schema": 1, "at": now, "node": names[number], "names": [names[number]],
        "uuid": uuids[number], "version": "10.3", "hold": None, "peers": peers, "reach": {},
        "bricks": {volume.name: rows}, "volumes": volumes_data({volume.name: volume}),
        "facts": facts_data(facts),
    }  # fmt: skip


def _brick(number: int, volume: Volume, *, alive: bool) -> BrickFacts:
    return BrickFacts(
        alive=alive, port=PORT if alive else None, mounted=True, read_only=False,
        filesystem=f"fs-{number}", volume_id=volume.id, gluster_root=True, io_errors=0,
        health_check_ended=False,
    )  # fmt: skip


def identity(number: int, name: str, volume: Volume, now: float) -> dict[str, Any]:
    """Return what was written down of its brick when it was well."""
    own = {"filesystem": f"fs-{number}", "volume_id": volume.id}
    bricks = {PATH: own} if number < BRICKS else {}
    return {"schema": 1, "uuid": UUID.format(number), "name": name, "at": now, "bricks": bricks}


def answers(
    pool: Mapping[str, Any], minions: Sequence[str], ports: Sequence[Sequence[Any]], now: float
) -> dict[str, Any]:
    """Return what these minions answer to ``gluster_remediation.observe``.

    ``pool`` is ``{"names": […], "dead": […]}``; a name is a minion too.
    """
    names, dead = list(pool["names"]), set(pool["dead"])
    accepts = {UUID.format(n): n not in dead for n in range(len(names))}
    said = [[uuid, path, accepts[uuid]] for uuid, path, _, _ in ports]
    return {
        one: {"schema": 1, "at": now, "ports": said,
              "report": report(names.index(one), names, replicated(names), now, dead=dead)}
        for one in minions if one in names
    }  # fmt: skip
