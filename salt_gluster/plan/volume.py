"""Plan a declared volume: create, grow, set options, start; never shrink or move."""

from __future__ import annotations

from salt_gluster.model import Facet, Observation, Plan, Step, Volume, is_known, known
from salt_gluster.plan.actions import ACTIONS, shape
from salt_gluster.plan.brick_sets import declared_sets, explain_layout
from salt_gluster.plan.builder import Draft, refuse_unknown_pool
from salt_gluster.plan.expand import await_hosts, reshape, risks
from salt_gluster.plan.guards import PORT_S
from salt_gluster.plan.option import judge_impossible_options, plan_options
from salt_gluster.spec import PoolSpec, VolumeSpec


def plan_volume(desired: VolumeSpec, obs: Observation, pool: PoolSpec | None = None) -> Plan:
    """Plan that the volume is as declared. ``pool`` chooses bricks where none are written."""
    refused = refuse_unknown_pool(desired.name, obs)
    if refused:
        return refused
    draft = Draft(desired.name, obs)
    draft.notes.extend(desired.notes)
    volume = obs.volume(desired.name)
    if volume is None:
        _create(draft, desired, pool)
    elif volume.is_broken:
        _refuse_ghost(draft, volume)
    else:
        reshape(draft, desired, volume, pool)
    now = draft.state.volume(desired.name)
    if now is not None and not now.is_broken:
        plan_options(draft, desired, now)
        _start_or_stop(draft, desired, now)
        judge_impossible_options(draft, desired, now, is_new=volume is None)
        if volume is not None and desired.started is not False:
            _need_processes(draft, volume)
    return draft.finish()


def plan_started(name: str, obs: Observation, *, started: bool, confirm: str = "") -> Plan:
    """Plan that an existing volume is started, or stopped where its id is given."""
    refused = refuse_unknown_pool(name, obs)
    if refused:
        return refused
    draft = Draft(name, obs)
    volume = obs.volume(name)
    if volume is None and not started:
        draft.notes.append(f"there is no volume {name}")
    elif volume is None:
        draft.refuse(
            "no_such_volume", f"there is no volume {name}", "list them      gluster volume list"
        )
    elif volume.is_broken:
        _refuse_ghost(draft, volume)
    elif started:
        _start_or_stop(draft, VolumeSpec(name), volume)
        _need_processes(draft, volume)
    elif volume.is_started:
        _stop(draft, volume, confirm)
    return draft.finish()


def plan_options_of(desired: VolumeSpec, obs: Observation) -> Plan:
    """Plan only the options of an existing volume."""
    refused = refuse_unknown_pool(desired.name, obs)
    if refused:
        return refused
    draft = Draft(desired.name, obs)
    volume = obs.volume(desired.name)
    if volume is None:
        draft.refuse("no_such_volume", f"there is no volume {desired.name}")
    elif volume.is_broken:
        _refuse_ghost(draft, volume)
    else:
        plan_options(draft, desired, volume)
        judge_impossible_options(draft, desired, volume, is_new=False)
    return draft.finish()


def plan_volume_absent(name: str, obs: Observation, *, confirm: str = "") -> Plan:
    """Plan that a volume is gone, where its id is given. Its bricks keep their files."""
    refused = refuse_unknown_pool(name, obs)
    if refused:
        return refused
    draft = Draft(name, obs)
    volume = obs.volume(name)
    if volume is None:
        draft.notes.append(f"there is no volume {name}")
        return draft.finish()
    if volume.is_started:
        draft.do(Step("volume_stop", name, {}, f"stop {name}; its clients lose it"))
    draft.do(Step("volume_delete", name, {}, f"delete {name}; the files stay on its bricks"))
    _need_confirmation(draft, volume, confirm)
    return draft.finish()


# --- creating ------------------------------------------------------------------------------------


def _create(draft: Draft, desired: VolumeSpec, pool: PoolSpec | None) -> None:
    sets = declared_sets(desired, None, pool, draft.state)
    if not sets:
        why = explain_layout(desired, pool)
        draft.refuse("layout", f"no set of {desired.set_size} bricks can be placed: {why}")
        return
    bricks = [brick for members in sets for brick in members]
    await_hosts(draft, bricks, pool)
    args: dict[str, object] = {"bricks": bricks, "accept_risk": sorted(risks(desired, pool))}
    if desired.kind == "replicate":
        args["replica"] = desired.replica
        args["arbiter"] = 1 if desired.arbiter else 0
    elif desired.kind == "disperse":
        args["disperse"], args["redundancy"] = desired.disperse, desired.redundancy
    if desired.transport != "tcp":
        args["transport"] = desired.transport
    draft.do(
        Step("volume_create", desired.name, args, f"create {desired.name} on {len(bricks)} bricks")
    )
    made = draft.state.volume(desired.name)
    if made is not None:
        last = draft.steps.pop()
        text = f"create {desired.name}, {shape(made)}: {' '.join(bricks)}"
        draft.steps.append(Step(last.action, last.subject, last.args, text))


# --- started, stopped, gone ----------------------------------------------------------------------


def _start_or_stop(draft: Draft, desired: VolumeSpec, volume: Volume) -> None:
    if desired.started is True and not volume.is_started:
        draft.do(Step("volume_start", volume.name, {}, f"start {volume.name}"))
    elif desired.started is False and volume.is_started:
        row = ACTIONS["volume_stop"]
        step = Step(row.name, volume.name, {}, f"stop {volume.name}", "pool",
                    row.hazard, row.hazard_why)  # fmt: skip
        draft.do(step)


def _need_processes(draft: Draft, volume: Volume) -> None:
    """Refuse to call a volume started whose brick on this node has no process.

    Gluster answers `start force` with success over a missing directory (facts.md#G-0.10). Rows of
    the other nodes' bricks would cost the volume's lock; each node speaks for its own.
    """
    own = draft.state.node.uuid
    if not volume.is_started or not is_known(own):
        return
    if all(b.host_uuid != own for b in volume.bricks):
        return
    draft.needs.add(Facet("dead", volume.name))
    dead = draft.state.dead.get(volume.name, ())
    if dead:
        draft.refuse(
            "brick_down",
            f"{volume.name} is Started, but {', '.join(dead)} {'has' if len(dead) == 1 else 'have'}"
            " no process",
            "look           is its disk mounted, is its directory there?",
            f"start it       gluster volume start {volume.name} force",
            waits_s=PORT_S,
        )


def _stop(draft: Draft, volume: Volume, confirm: str) -> None:
    draft.do(Step("volume_stop", volume.name, {}, f"stop {volume.name}; its clients lose it"))
    _need_confirmation(draft, volume, confirm)


def _need_confirmation(draft: Draft, volume: Volume, confirm: str) -> None:
    if volume.id and confirm == volume.id:
        return
    given = f"not {confirm!r}" if confirm else "and nothing was given"
    draft.refuse(
        "confirm",
        f"this needs the volume's id, so that a new volume under the old name survives an old "
        f"SLS; it is {volume.id}, {given}",
        f"confirm        confirm: {volume.id}",
    )


def _refuse_ghost(draft: Draft, volume: Volume) -> None:
    """A create that failed half-way, or a glusterd killed inside a change (facts.md#G-0.7)."""
    draft.needs.add(Facet("definitions"))
    members = {p.uuid: p.name for p in known(draft.state.peers) if not p.is_self}
    holders = sorted(
        members.get(uuid, uuid)
        for uuid, names in draft.state.definitions.items()
        if is_known(names) and volume.name in names
    )
    where = f" (also told by {', '.join(holders)})" if holders else ""
    draft.refuse(
        "ghost_volume",
        f"{volume.name} is half a volume on {draft.state.node.name}{where}: {len(volume.bricks)} "
        f"bricks in {volume.dist_count} sets. A create or change died here.",
        f"compare        gluster --remote-host=NODE volume info {volume.name}",
        "mend it        on the node that has it alone: stop glusterd, move "
        f"/var/lib/glusterd/vols/{volume.name} away, start glusterd",
    )
