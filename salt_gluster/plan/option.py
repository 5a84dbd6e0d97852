"""Plan a volume's options: what differs by meaning is set in one call, the rest is never sent."""

from __future__ import annotations

from collections.abc import Mapping

from salt_gluster.model import Facet, Hazard, Step, Volume
from salt_gluster.plan.builder import Draft
from salt_gluster.plan.option_fit import misfit
from salt_gluster.spec import VolumeSpec, option


def plan_options(draft: Draft, desired: VolumeSpec, volume: Volume) -> None:
    """Add one ``options_set`` for all that differ, and a reset for each that must go."""
    draft.needs |= {Facet("option", n) for n in desired.options if not n.startswith("user.")}
    impossible = impossible_options(draft, desired, volume)
    differing = {
        name: as_stored(name, value)
        for name, value in sorted(desired.options.items())
        if name not in impossible and not _is_set(name, value, volume)
    }
    if differing:
        hazard, why = _worst(differing, volume)
        text = f"set {volume.name} " + ", ".join(
            f"{k} {volume.options.get(k, '(default)')} -> {v}" for k, v in differing.items()
        )
        step = Step("options_set", volume.name, {"options": differing}, text, "pool", hazard, why)
        draft.do(step)
    if desired.exclusive_options:
        left = {**volume.options, **differing}
        for name in option.to_reset(volume.options, desired.options):
            before, left = left, {n: v for n, v in left.items() if n != name}
            hazard, why = hazard_in(volume, name, before, left)
            text = f"reset {volume.name} {name} (was {volume.options[name]})"
            draft.do(Step("option_reset", volume.name, {"option": name}, text, "pool", hazard, why))


def hazard_in(
    volume: Volume, name: str, before: Mapping[str, str], after: Mapping[str, str]
) -> tuple[Hazard, str]:
    """Return what a change of one option of a volume can do, by its shape and all its options."""
    return option.hazard(
        name,
        before.get(name),
        after.get(name),
        holds_data=volume.status != "Created",
        replica=volume.replica,
        data_bricks=volume.disperse - volume.redundancy,
        options=(before, after),
    )


def _is_set(name: str, value: str, volume: Volume) -> bool:
    return name in volume.options and option.equal(name, volume.options[name], value)


def impossible_options(draft: Draft, desired: VolumeSpec, volume: Volume) -> dict[str, str]:
    """Return name -> why of the declared options that gluster would refuse of this volume.

    One that is set already was taken once, and is not sent again.
    """
    found: dict[str, str] = {}
    for name, value in sorted(desired.options.items()):
        if draft.state.options.get(name) is False:
            found[name] = "the installed GlusterFS has no such option"
        elif not _is_set(name, value, volume) and (why := misfit(name, value, volume)):
            found[name] = why
    return found


def judge_impossible_options(
    draft: Draft, desired: VolumeSpec, volume: Volume, *, is_new: bool
) -> None:
    """Refuse options that gluster would refuse, before anything is made.

    Of a volume that is there all else is done first: one wrong option keeps no other from being
    set.
    """
    for name, said in impossible_options(draft, desired, volume).items():
        why = f"`volumes:{desired.name}:options:{name}`: {said}"
        if draft.steps and not is_new:
            draft.notes.append(why)
        elif draft.state.options.get(name) is False:
            draft.refuse("unknown_option", why, "take it out    of the declaration")
        else:
            draft.refuse("unfit_option", why, "take it out    of the declaration")


def as_stored(name: str, value: str) -> str:
    """Return the value as glusterd keeps it: its blanks go, but of ``user.*`` (facts.md#C-I.1)."""
    return value if name.startswith("user.") else value.replace(" ", "")


def _worst(values: dict[str, str], volume: Volume) -> tuple[Hazard, str]:
    order = list(Hazard)
    worst, reasons = Hazard.NONE, []
    after = {**volume.options, **values}
    for name in values:
        hazard, why = hazard_in(volume, name, volume.options, after)
        if hazard is not Hazard.NONE:
            reasons.append(f"{name}: {why}")
        if order.index(hazard) > order.index(worst):
            worst = hazard
    return worst, "; ".join(reasons)
