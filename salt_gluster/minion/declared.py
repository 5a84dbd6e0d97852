"""Tell in this node's report which declared volumes are not made, and why: no process, no lock.

The declaration is that of the node's last run, with what that said. A state reads its pillar anew,
while the minion has in memory the one of its start, and the sensor has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from salt_gluster import node, plan
from salt_gluster.minion.driver import GlusterDriver
from salt_gluster.model import Observation, Plan, Subject, is_known
from salt_gluster.plan.outcome import Planner, Result
from salt_gluster.plan.unmade import NOTHING, said_by_plan, said_by_run
from salt_gluster.spec import PoolSpec, VolumeSpec

_RECORD = "declared"


def keep(pool: PoolSpec, results: Mapping[Subject, Result]) -> None:
    """Keep what a run of the whole declaration said of each volume; written only if it differs."""
    said = {name: _kept(volume, pool, results) for name, volume in pool.volumes.items()}
    if (node.LocalState().get(_RECORD) or {}).get("volumes") != said:
        node.LocalState().put(_RECORD, {"volumes": said})


def _kept(volume: VolumeSpec, pool: PoolSpec, results: Mapping[Subject, Result]) -> dict[str, Any]:
    """Return what is kept of a volume: what was said, and where this node's bricks are to be."""
    bricks = results.get(Subject("bricks", volume.name))
    return {
        **said_by_run(bricks, results.get(Subject("volume", volume.name))),
        "paths": list(plan.ready_paths(bricks.plan)) if bricks else [],
        "accept_risk": sorted(volume.accept_risk | pool.accept_risk),
    }


def not_made(
    driver: GlusterDriver, obs: Observation, pool: PoolSpec | None
) -> dict[str, dict[str, str]]:
    """Return volume -> ``says`` and ``why`` for each declared volume that this node does not see.

    ``pool`` is the declaration that the minion has in memory; it counts before the first run.
    """
    if not is_known(obs.volumes):
        return {}
    record = node.LocalState().get(_RECORD)
    rows: dict[str, dict[str, str]] = {}
    if record is not None:
        for name, row in record.get("volumes", {}).items():
            if name not in obs.volumes:
                rows[name] = _now(driver, obs, row)
    elif pool is not None:
        for name, volume in pool.volumes.items():
            if name not in obs.volumes:
                planner = lambda obs, of=volume: plan.plan_own_bricks(of, obs, pool)  # noqa: E731
                rows[name] = said_by_plan(_looked(driver, obs, planner))
    return rows


def _now(driver: GlusterDriver, obs: Observation, row: Mapping[str, Any]) -> dict[str, str]:
    """Return what this node's directories say now; of all else what the last run said."""
    accepted = row["accept_risk"]
    for path in row["paths"]:
        planner = lambda obs, at=path: plan.plan_brick(at, obs, accept_risk=accepted)  # noqa: E731
        said = said_by_plan(_looked(driver, obs, planner))
        if said["says"]:
            return said
    if row["about"] == "bricks":
        return NOTHING
    return {"says": str(row["says"]), "why": str(row["why"])}


def _looked(driver: GlusterDriver, obs: Observation, planner: Planner) -> Plan:
    """Return a plan with what it needs; directories are looked at without a process."""
    planned = planner(obs)
    return planner(driver.observe_more(obs, planned.needs)) if planned.needs else planned
