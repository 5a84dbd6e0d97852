"""Plan one change that was ordered by name: a create, more bricks, a reset, a profile, a heal.

A declaration says how all of a volume should be; an ad hoc change says what to do to the one that
is there. The planners of the declaration do the work, so that both keep the same rules.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from salt_gluster.errors import SpecError
from salt_gluster.model import Observation, Plan, Refusal, Step, Volume, brick_at
from salt_gluster.plan.actions import is_profiled, shape
from salt_gluster.plan.brick_sets import Finder
from salt_gluster.plan.builder import Draft, refuse_unknown_pool
from salt_gluster.plan.option import hazard_in
from salt_gluster.plan.volume import plan_volume
from salt_gluster.spec import BrickSpec, VolumeSpec, parse_volume
from salt_gluster.spec import option as spec_option

#: Orders without a trace in any observation -> what they say they did.
ONCE = {
    "volume_heal": "index heal launched",
    "volume_heal_full": "full heal launched",
    "volume_log_rotate": "logs of the bricks rotated",
    "volume_statedump": "state of the bricks dumped",
}


def only_create(planned: Plan, obs: Observation) -> Plan:
    """Return a volume's plan, refused where the volume is there and would have to grow."""
    if not any(step.action == "bricks_add" for step in planned.steps):
        return planned
    volume = obs.volume(planned.subject)
    raised = next((s.args for s in planned.steps if s.args.get("replica")), {})
    more = f" replica={raised['replica']}" if raised else ""
    more += " arbiter=True" if raised.get("arbiter") else ""
    size = f"{shape(volume)} on {len(volume.bricks)} bricks" if volume else "there"
    refusal = Refusal(
        "exists",
        f"{planned.subject} is there already: {size}; to create does not grow it",
        (f"add bricks     salt MINION gluster_volume.add_bricks {planned.subject} BRICKS{more}",),
    )
    return replace(planned, refusals=(*planned.refusals, refusal))


def plan_add_bricks(
    name: str,
    bricks: Sequence[str],
    obs: Observation,
    *,
    replica: int | None = None,
    arbiter: bool = False,
    accept_risk: Collection[str] = (),
) -> Plan:
    """Plan that a volume has these bricks (``HOST:PATH``) as well.

    Without ``replica`` they are new sets behind those there are. With a higher one they are the
    new members of the sets in order. Bricks it has already are left out. Raises ``SpecError``.
    """
    refused = refuse_unknown_pool(name, obs)
    if refused:
        return refused
    volume = obs.volume(name)
    if volume is None or volume.is_broken:
        return _no_such(name, obs, volume)
    find = Finder(obs)
    live = {find.key(b.name) for b in volume.bricks}
    new = [b for b in bricks if find.key(b) not in live]
    raised = not volume.disperse and (replica or 0) > volume.replica
    if raised and replica == 2 and "replica2" not in accept_risk:
        hint = "Raise it to 3; if it has to be two: accept_risk=[replica2]."
        raise SpecError("replica", "two copies end in split-brain sooner or later.", hint=hint)
    wanted = _member_each(volume, new, replica or 0, find) if raised else _more_sets(volume, new)
    desired = VolumeSpec(
        name,
        bricks=tuple(BrickSpec(*brick_at(b)) for b in wanted),
        replica=replica or volume.replica,
        arbiter=bool(volume.arbiter) or arbiter,
        disperse=volume.disperse,
        redundancy=volume.redundancy,
        transport=volume.transport,
        started=None,
        accept_risk=frozenset(accept_risk),
    )
    return plan_volume(desired, obs)


def plan_reset(name: str, option: str, obs: Observation) -> Plan:
    """Plan that one option of a volume is not set. Raises ``SpecError`` for no option at all."""
    refused = refuse_unknown_pool(name, obs)
    if refused:
        return refused
    full = spec_option.full_name(option, "option")
    volume = obs.volume(name)
    if volume is None or volume.is_broken:
        return _no_such(name, obs, volume)
    draft = Draft(name, obs)
    if full in volume.options:
        after = {n: v for n, v in volume.options.items() if n != full}
        hazard, why = hazard_in(volume, full, volume.options, after)
        text = f"reset {name} {full} (was {volume.options[full]})"
        draft.do(Step("option_reset", name, {"option": full}, text, "pool", hazard, why))
        if full.startswith("user."):
            draft.refuse("no_reset", "gluster cannot reset a user option alone", "set it to -")
    return draft.finish()


def plan_profile(name: str, obs: Observation, *, on: bool) -> Plan:
    """Plan that gluster counts the file operations of a volume, or no longer does."""
    refused = refuse_unknown_pool(name, obs)
    if refused:
        return refused
    volume = obs.volume(name)
    if volume is None or volume.is_broken:
        return _no_such(name, obs, volume)
    draft = Draft(name, obs)
    if is_profiled(volume) != on:
        action = "volume_profile_start" if on else "volume_profile_stop"
        text = f"{'start' if on else 'stop'} counting the file operations of {name}"
        draft.do(Step(action, name, {"on": on}, text))
    return draft.finish()


def plan_once(action: str, name: str, obs: Observation, **arguments: str) -> Plan:
    """Plan one of :data:`ONCE` for a started volume; carried out by ``apply.run_once``."""
    refused = refuse_unknown_pool(name, obs)
    if refused:
        return refused
    volume = obs.volume(name)
    if volume is None or volume.is_broken:
        return _no_such(name, obs, volume)
    draft = Draft(name, obs)
    command = action.removeprefix("volume_").replace("_", " ")
    draft.do(Step(action, name, arguments, f"{command} of {name}"))
    draft.changes = {name: {command: {"old": None, "new": ONCE[action]}}}
    if not volume.is_started:
        way = f"start it       salt MINION gluster_volume.start {name}"
        draft.refuse("not_started", f"{name} is {volume.status}, not Started", way)
    elif "heal" in action and volume.kind == "distribute":
        draft.refuse("no_copies", f"{name} is {shape(volume)}: without copies nothing is healed")
    return draft.finish()


def _no_such(name: str, obs: Observation, volume: Volume | None) -> Plan:
    if volume is not None:  # half a volume: say so as every other planner does
        return plan_volume(VolumeSpec(name, started=None), obs)
    draft = Draft(name, obs)
    way = "list them      salt MINION gluster_volume.list"
    draft.refuse("no_such_volume", f"there is no volume {name}", way)
    return draft.finish()


def _more_sets(volume: Volume, new: Sequence[str]) -> list[str]:
    """Return all bricks with new sets at the end; the new ones are checked like declared ones."""
    if new:
        shaped: dict[str, object] = {"replica": volume.replica, "arbiter": bool(volume.arbiter)}
        if volume.disperse:
            data = volume.disperse - volume.redundancy
            shaped = {"disperse": f"{data}+{volume.redundancy}"}
        body = {"bricks": list(new), "accept_risk": ["replica2", "root_disk"], **shaped}
        parse_volume(volume.name, body, key=f"volume {volume.name}")
    return [b.name for b in volume.bricks] + list(new)


def _member_each(volume: Volume, new: Sequence[str], replica: int, find: Finder) -> list[str]:
    """Return all bricks with the new members behind those of their set."""
    each = replica - volume.replica
    wanted = each * len(volume.sets)
    if len(new) != wanted:
        raise SpecError(
            "bricks",
            f"{len(new)} new bricks for {len(volume.sets)} sets.",
            hint=f"replica {replica} takes {wanted}: {each} for each set, in their order.",
        )
    parse_volume(volume.name, {"bricks": list(new)}, key=f"volume {volume.name}")
    bricks: list[str] = []
    for at, old in enumerate(volume.sets):
        members = [*(b.name for b in old.bricks), *new[at * each : (at + 1) * each]]
        if len({find.key(b)[0] for b in members}) < len(members):
            hint = "Every member of a set lies on another node."
            raise SpecError("bricks", f"two of {', '.join(members)} lie on one node.", hint=hint)
        bricks += members
    return bricks
