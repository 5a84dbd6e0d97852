"""Tell in this node's report which declared volumes are not made, and why: no process, no lock.

What the last run said is kept on the node, so that the sensor, which has no pillar, tells it too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from salt_gluster import node, plan
from salt_gluster.minion.driver import GlusterDriver
from salt_gluster.model import Observation, Subject, is_known
from salt_gluster.plan.outcome import Result
from salt_gluster.plan.unmade import NOTHING, said_by_plan, said_by_run
from salt_gluster.spec import PoolSpec, VolumeSpec

_RECORD = "declared"


def keep(pool: PoolSpec, results: Mapping[Subject, Result]) -> None:
    """Keep what a run of the whole declaration said of each volume; written only if it differs."""
    said = {
        name: said_by_run(
            results.get(Subject("bricks", name)), results.get(Subject("volume", name))
        )
        for name in pool.volumes
    }
    if (node.LocalState().get(_RECORD) or {}).get("volumes") != said:
        node.LocalState().put(_RECORD, {"volumes": said} if said else None)


def not_made(
    driver: GlusterDriver, obs: Observation, pool: PoolSpec | None
) -> dict[str, dict[str, str]]:
    """Return volume -> ``says`` and ``why`` for each declared volume that this node does not see.

    Without ``pool`` the declaration is that of the last run.
    """
    if not is_known(obs.volumes):
        return {}
    said: Mapping[str, Any] = (node.LocalState().get(_RECORD) or {}).get("volumes", {})
    names = pool.volumes if pool is not None else said
    rows = {}
    for name in names:
        if name not in obs.volumes:
            row = said.get(name, NOTHING)
            if pool is not None:
                row = _now(driver, obs, pool, pool.volumes[name], row)
            rows[name] = {"says": str(row["says"]), "why": str(row["why"])}
    return rows


def _now(
    driver: GlusterDriver, obs: Observation, pool: PoolSpec, volume: VolumeSpec, row: Any
) -> Any:
    """Return what this node's own bricks say now; of all else what the last run said."""
    planned = plan.plan_own_bricks(volume, obs, pool)
    if planned.needs:
        planned = plan.plan_own_bricks(volume, driver.observe_more(obs, planned.needs), pool)
    if planned.refusals:
        return said_by_plan(planned)
    return NOTHING if row.get("about") == "bricks" else row
