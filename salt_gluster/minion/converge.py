"""Converge a node's part of a declaration: disks, bricks, peers, volumes, mounts.

Bricks, peers and volumes are the goals of one run; one that is refused does not keep the others
from theirs. What a subject decides lives in ``plan/``.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from salt_gluster import node, plan
from salt_gluster.errors import GlusterError, SpecError
from salt_gluster.minion import apply, declared
from salt_gluster.minion.context import RECORD, Minion
from salt_gluster.minion.driver import Driver
from salt_gluster.minion.goal import Goal
from salt_gluster.minion.mounts import WAIT_S as MOUNT_WAIT_S
from salt_gluster.minion.mounts import mounted
from salt_gluster.minion.run import WAIT_S
from salt_gluster.minion.submit import submit
from salt_gluster.model import Observation, Plan, Subject, is_known
from salt_gluster.node import disks
from salt_gluster.plan.drift import Repairs
from salt_gluster.plan.outcome import Planner, Result
from salt_gluster.render import Part, as_declared, combined, error_part, state_part
from salt_gluster.spec import PoolSpec, VolumeSpec, check_brick_path, check_path, values

log = logging.getLogger(__name__)

#: How long an agent may take to be told of a change.
_CONSUL_S = 2.0
#: Consul did not answer in this run: it is not waited for again.
_SILENT = "salt_gluster_consul_silent"
#: Others did not act in this run of Salt's: none of its states waits for them once more.
_ACTS_FOR_ALL = "salt_gluster_acts_for_all"
#: Seconds without progress in which an order waits for other nodes: an operator waits for it.
ORDER_WAIT_S = 20.0
_REPAIRS = "repairs"


def converge_pool(name: str, minion: Minion, *, wait_s: Any = WAIT_S) -> dict[str, Any]:
    """Bring this node's part of the declaration about; return one state's dict for all of it."""
    wait_s = values.seconds(wait_s, "wait_s")
    pool = minion.member()
    mounts = pool.device_mounts()
    parts = [_disk(minion, device, mount) for device, mount in mounts]
    if all(part.result is not False for part in parts):
        subjects = dict(declared_subjects(pool, minion.name))
        at = [mount for _, mount in mounts]
        tell = partial(declared.keep, pool)
        parts += converge_subjects(subjects, minion, wait_s=wait_s, mounts=at, tell=tell)
        unmade = {part.name for part in parts if part.result is False}
        parts += [Part.of(ret) for ret in _mounts(minion, pool, unmade)]
    elif not minion.test:
        minion.announcer.review()
    notes = filter(None, (minion.note, submit(minion)))
    return _with_note(combined(name, parts), "\n".join(notes))


def order(
    minion: Minion, planner: Planner, *, accept: Iterable[str] = (), expect_id: str = ""
) -> Result:
    """Say what an order would do in test mode, else carry it out here and at once.

    ``accept`` and ``expect_id`` are those of ``Goal``. Raises ``GlusterError`` where this node is
    not accepted yet.
    """
    minion.check_accepted()
    driver = minion.driver(preview=False)  # no glusterd is started by an order
    if minion.test:
        return apply.dry_run(planner, driver, minion.hosts, accept=tuple(accept))
    goal = Goal(planner, tuple(accept), expect_id)
    apply.converge_all([goal], driver, minion.hosts, wait_s=ORDER_WAIT_S, addressed=True)
    note_change(minion, [goal.out])
    return goal.out


def converge_subjects(
    planners: Mapping[Subject, Planner],
    minion: Minion,
    *,
    wait_s: float = WAIT_S,
    mounts: Sequence[str] = (),
    tell: Callable[[Mapping[Subject, Result]], None] = lambda _: None,
) -> list[Part]:
    """Converge these subjects in one run, or say what a run would do; return the state of each.

    ``mounts`` are mount points that the same run is about to make; ``tell`` gets what became of
    each subject, but not in test mode.
    """
    try:
        results = _run(minion, planners, wait_s=wait_s, mounts=mounts)
    except GlusterError as err:
        return [error_part(subject, err) for subject in planners]
    if not minion.test:
        tell(results)
    return [
        state_part(subject, result, test=minion.test, told=_state_in_words(minion, subject))
        for subject, result in results.items()
    ]


def converge_subject(
    subject: Subject,
    minion: Minion,
    planner: Planner,
    *,
    wait_s: float = WAIT_S,
    mounts: Sequence[str] = (),
) -> dict[str, Any]:
    """Converge one subject, as ``converge_subjects`` does; return Salt's dict."""
    (part,) = converge_subjects({subject: planner}, minion, wait_s=wait_s, mounts=mounts)
    return part.to_state()


def _run(
    minion: Minion,
    planners: Mapping[Subject, Planner],
    *,
    wait_s: float,
    mounts: Sequence[str],
) -> dict[Subject, Result]:
    """Run the goals of a state; keep what was repaired, and refuse what is set back again."""
    minion.check_accepted()
    about = [_about(subject) for subject in planners]
    driver = minion.driver(mounts, about[0] if len(about) == 1 else None)
    repairs = node.LocalState().get(_REPAIRS) or {}

    def watched(planner: Planner) -> Planner:
        return lambda obs: plan.with_repeats(planner(obs), repairs, obs.now)

    if minion.test:
        return {s: _forecast(watched(p), driver, minion) for s, p in planners.items()}
    goals = {
        subject: Goal(
            watched(planner),
            volume=subject.name if subject.kind == "volume" else "",
            on_end=partial(_announce, minion, subject),
        )
        for subject, planner in planners.items()
    }
    try:
        minion.context[_ACTS_FOR_ALL] = apply.converge_all(
            list(goals.values()), driver, minion.hosts, wait_s=wait_s,
            acts_for_all=bool(minion.context.get(_ACTS_FOR_ALL)),
        )  # fmt: skip
    finally:
        minion.announcer.finish()
    results = {subject: goal.out for subject, goal in goals.items()}
    _keep_repairs(repairs, results.values(), driver.now())
    note_change(minion, results.values())
    return results


def _forecast(planner: Planner, driver: Driver, minion: Minion) -> Result:
    try:
        return apply.dry_run(planner, driver, minion.hosts)
    except GlusterError as err:
        return Result(Plan(""), Plan(""), error=err)


def _keep_repairs(repairs: Repairs, results: Iterable[Result], now: float) -> None:
    made = [r.first.id for r in results if r.done and plan.is_repair(r.first)]
    if not made:
        return
    kept = {key: list(times) for key, times in repairs.items() if plan.lately(times, now)}
    for key in made:
        kept[key] = [*plan.lately(repairs.get(key, ()), now), now]
    node.LocalState().put(_REPAIRS, kept)


def note_change(minion: Minion, results: Collection[Result]) -> None:
    """Write into Consul that the pool was changed, best effort: the copy there is older now."""
    record = node.LocalState().get(RECORD)
    changed = any(result.done or result.unknown_step for result in results)
    if not changed or not record or not record.get("cluster") or minion.context.get(_SILENT):
        return
    # Imported late: a run without Consul does not pay for its library.
    from salt_gluster.consul import heartbeat
    from salt_gluster.consul.client import connect
    from salt_gluster.consul.keys import Keys

    try:
        with contextlib.closing(connect(minion.consul or {}, timeout_s=_CONSUL_S)) as client:
            keys, uuid = Keys(str(record["cluster"])), str(record.get("uuid") or "")
            heartbeat.mark_change(client, keys, minion.name, time.time(), uuid)
    except GlusterError as err:
        log.info("that the pool was changed could not be told to Consul: %s", err)
        minion.context[_SILENT] = True


def declared_subjects(pool: PoolSpec, own: str) -> Iterator[tuple[Subject, Planner]]:
    """Yield each subject of a declaration for node ``own``, in the order of converging."""
    for volume in pool.volumes.values():
        yield Subject("bricks", volume.name), bricks_planner(volume, pool)
    for name in pool.nodes:
        if name != own:
            yield Subject("peer", name), peer_planner(pool, name)
    for volume in pool.volumes.values():
        yield Subject("volume", volume.name), volume_planner(volume, pool)


def bricks_planner(volume: VolumeSpec, pool: PoolSpec) -> Planner:
    """Return the planner of this node's directories for a volume."""
    declared = tuple(pool.address(n) for n in pool.nodes)

    def planner(obs: Observation) -> Plan:
        return plan.with_membership(plan.plan_own_bricks(volume, obs, pool), obs, pool, declared)

    return planner


def peer_planner(pool: PoolSpec, name: str) -> Planner:
    """Return the planner of one member."""
    hosts = tuple(pool.address(n) for n in pool.nodes)
    host = pool.address(name)
    return lambda obs: plan.plan_peer(name, host, obs, nodes=pool.nodes, hosts=hosts)


def volume_planner(volume: VolumeSpec, pool: PoolSpec | None, hosts: Sequence[str] = ()) -> Planner:
    """Return the planner of a declared volume; in a declared pool it waits for membership.

    ``hosts`` are the declared host names, for a volume whose bricks are hosts outside of ``pool``.
    """
    declared = tuple(pool.address(n) for n in pool.nodes) if pool else tuple(hosts)

    def planner(obs: Observation) -> Plan:
        return plan.with_membership(plan.plan_volume(volume, obs, pool), obs, pool, declared)

    return planner


def brick(
    path: str, minion: Minion, device: str | None, mount: str | None, accept: Collection[str]
) -> dict[str, Any]:
    """Prepare one brick directory of this node, and the disk below it; return a state's dict."""
    name, path = path, check_brick_path(path, "name")
    mount = check_path(mount, "mount", "mount point") if mount else None
    parts: list[Part] = []
    if device:
        if not mount:
            raise SpecError("mount", f"where {device} is to be mounted is missing")
        parts.append(_disk(minion, device, mount))
    if not parts or parts[0].result is not False:
        planner = lambda obs: plan.plan_brick(path, obs, accept_risk=accept)  # noqa: E731
        at = (mount,) if mount else ()
        parts += converge_subjects({Subject("brick", path): planner}, minion, mounts=at)
    if not minion.test:
        minion.announcer.add("", (path,), accept)
        minion.announcer.finish()
    return {**combined(path, parts), "name": name}


# --- what is no plan of the pool -----------------------------------------------------------------


def _disk(minion: Minion, device: str, mount: str) -> Part:
    subject = Subject("disk", device)
    try:
        changes = disks.prepare(device, mount, test=minion.test)
    except GlusterError as err:
        return error_part(subject, err)
    result = None if changes and minion.test else True
    would = "would be prepared and " if minion.test else "was prepared and "
    comment = f"{would if changes else 'is '}mounted at {mount}"
    return Part(str(subject), result, changes, (comment,))


def _mounts(minion: Minion, pool: PoolSpec, unmade: Collection[str]) -> Iterator[dict[str, Any]]:
    """Mount the declared volumes; one that was waited for in vain is not waited for again."""
    for volume in pool.volumes.values():
        mount = volume.mount
        if mount is None or (mount.nodes and minion.name not in mount.nodes):
            continue
        wait_s = 0.0 if str(Subject("volume", volume.name)) in unmade else MOUNT_WAIT_S
        yield mounted(
            mount.at, volume.name, minion, servers=mount.servers, options=mount.options,
            wait_s=wait_s,
        )  # fmt: skip


def _announce(minion: Minion, subject: Subject, outcome: Result) -> None:
    """Have this node's bricks announced, fit or not, before any node may create on them."""
    pool = minion.pool
    if subject.kind != "bricks" or pool is None:
        return
    accepted = pool.accept_risk | pool.volumes[subject.name].accept_risk
    paths = () if outcome.plan.waits else plan.ready_paths(outcome.plan)
    minion.announcer.add(subject.name, paths, accepted)


def _about(subject: Subject) -> tuple[str, ...] | None:
    """Return the volumes whose files say whether what is known of a subject is still so."""
    if subject.kind == "peer":
        return ()
    return (subject.name,) if subject.kind in ("volume", "bricks") else None


def _state_in_words(minion: Minion, subject: Subject) -> str:
    if subject.kind != "volume":
        return ""
    volumes = minion.volumes(about=(subject.name,))
    volume = volumes.get(subject.name) if is_known(volumes) else None
    return as_declared(volume) if volume else ""


def _with_note(ret: dict[str, Any], note: str) -> dict[str, Any]:
    return {**ret, "comment": f"{ret['comment']}\n{note}"} if note else ret
