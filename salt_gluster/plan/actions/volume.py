"""Create, start, stop and delete a volume."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from salt_gluster.model import Hazard, Observation, Volume, is_known, known
from salt_gluster.plan.actions.definition import (
    bricks_down,
    bricks_named,
    has_bricks,
    seen_in_volume,
    with_volume,
)
from salt_gluster.plan.actions.row import ON_VOLUME, Action, Args, pass_on

#: What ``volume create`` sets by itself (facts.md#G-3.2).
SET_BY_CREATE = {
    "storage.fips-mode-rchecksum": "on",
    "transport.address-family": "inet",
    "nfs.disable": "on",
}
#: And for a volume with copies.
SET_BY_CREATE_REPLICATE = {
    "cluster.granular-entry-heal": "on",
    "performance.client-io-threads": "off",
}


def _create(obs: Observation, subject: str, args: Args) -> Observation:
    replica, disperse = args.get("replica", 1), args.get("disperse", 0)
    arbiter = args.get("arbiter", 0)
    kind = "disperse" if disperse else "replicate" if replica > 1 else "distribute"
    options = {**SET_BY_CREATE, **(SET_BY_CREATE_REPLICATE if kind == "replicate" else {})}
    bricks = bricks_named(obs, args["bricks"], replica if arbiter else 0)
    volume = Volume(
        name=subject,
        id="",
        status="Created",
        kind=kind,
        bricks=bricks,
        dist_count=len(bricks) // (disperse or replica),
        replica=replica,
        arbiter=arbiter,
        disperse=disperse,
        redundancy=args.get("redundancy", 0),
        transport=args.get("transport", "tcp"),
        options=options,
    )
    return with_volume(obs, volume)


def _status(status: str) -> Callable[[Observation, str, Args], Observation]:
    def simulate(obs: Observation, subject: str, _: Args) -> Observation:
        return with_volume(obs, replace(known(obs.volumes)[subject], status=status))

    return simulate


def _delete(obs: Observation, subject: str, _: Args) -> Observation:
    return replace(obs, volumes={n: v for n, v in known(obs.volumes).items() if n != subject})


def _is_created(obs: Observation, subject: str, args: Args) -> bool:
    volume = known(obs.volumes).get(subject)
    return volume is not None and not volume.is_broken and has_bricks(obs, subject, args)


def _has_status(status: str) -> Callable[[Observation, str, Args], bool]:
    def done(obs: Observation, subject: str, _: Args) -> bool:
        volume = known(obs.volumes).get(subject)
        return volume is not None and volume.status == status

    return done


def _is_serving(obs: Observation, subject: str, args: Args) -> bool:
    """Started, and every brick of a usable member has a row that is up (facts.md#G-0.10, #G-0.12).

    Where the rows were not asked for, the definition alone decides.
    """
    volume = known(obs.volumes).get(subject)
    if volume is None or not volume.is_started:
        return False
    if subject not in obs.status:
        return True
    status = obs.status[subject]
    return is_known(status) and not bricks_down(obs, volume, status)


ROWS = (
    Action(
        "volume_create", (*ON_VOLUME, "paths_fit"),
        "volume_create",
        pass_on("bricks", "replica", "arbiter", "disperse", "redundancy", "transport", "force"),
        _create, _is_created, seen_in_volume("type", "transport", "bricks", "status"),
        "'already exists': compare",
    ),
    Action(
        "volume_start", ON_VOLUME,
        "volume_start", pass_on(), _status("Started"), _is_serving, seen_in_volume("status"),
        "'already started': done",
    ),
    Action(
        "volume_stop", ON_VOLUME,
        "volume_stop", pass_on(), _status("Stopped"), _has_status("Stopped"),
        seen_in_volume("status"), "'not in the started state': done",
        Hazard.CLIENT_CUT, "every client of the volume loses it at once",
    ),
    Action(
        "volume_delete", ON_VOLUME,
        "volume_delete", pass_on(), _delete,
        lambda obs, subject, _: subject not in known(obs.volumes),
        seen_in_volume("type", "transport", "bricks", "status"),
        "'does not exist': done",
    ),
)  # fmt: skip
