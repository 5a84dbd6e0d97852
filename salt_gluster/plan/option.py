"""Plan a volume's options: what differs by meaning is set in one call, the rest is never sent."""

from __future__ import annotations

from salt_gluster.model import Facet, Hazard, Step, Volume
from salt_gluster.plan.builder import Draft
from salt_gluster.spec import VolumeSpec, option


def plan_options(draft: Draft, desired: VolumeSpec, volume: Volume) -> None:
    """Add one ``options_set`` for all that differ, and a reset for each that must go."""
    draft.needs |= {Facet("option", n) for n in desired.options if not n.startswith("user.")}
    unknown = unknown_options(draft, desired)
    differing = {
        name: as_stored(name, value)
        for name, value in sorted(desired.options.items())
        if name not in unknown
        and (name not in volume.options or not option.equal(name, volume.options[name], value))
    }
    holds_data = volume.status != "Created"
    if differing:
        hazard, why = _worst(differing, volume, holds_data)
        text = f"set {volume.name} " + ", ".join(
            f"{k} {volume.options.get(k, '(default)')} -> {v}" for k, v in differing.items()
        )
        step = Step("options_set", volume.name, {"options": differing}, text, "pool", hazard, why)
        draft.do(step)
    if desired.exclusive_options:
        for name in option.to_reset(volume.options, desired.options):
            old = volume.options[name]
            hazard, why = option.hazard(
                name, old, None, holds_data=holds_data, replica=volume.replica
            )
            text = f"reset {volume.name} {name} (was {old})"
            draft.do(Step("option_reset", volume.name, {"option": name}, text, "pool", hazard, why))


def unknown_options(draft: Draft, desired: VolumeSpec) -> list[str]:
    """Return the declared options that the installed glusterd does not know."""
    return [name for name in sorted(desired.options) if draft.state.options.get(name) is False]


def judge_unknown_options(draft: Draft, desired: VolumeSpec, *, is_new: bool) -> None:
    """Refuse options that the installed glusterd does not know, before anything is made.

    Of a volume that is there all else is done first: one wrong option keeps no other from being
    set.
    """
    for name in unknown_options(draft, desired):
        key = f"`volumes:{desired.name}:options:{name}`"
        why = f"{key}: the installed GlusterFS has no such option"
        if draft.steps and not is_new:
            draft.notes.append(why)
        else:
            draft.refuse("unknown_option", why, "take it out    of the declaration")


def as_stored(name: str, value: str) -> str:
    """Return the value as glusterd keeps it: its blanks go, but of ``user.*`` (facts.md#C-I.1)."""
    return value if name.startswith("user.") else value.replace(" ", "")


def _worst(values: dict[str, str], volume: Volume, holds_data: bool) -> tuple[Hazard, str]:
    order = list(Hazard)
    worst, reasons = Hazard.NONE, []
    for name, value in values.items():
        old = volume.options.get(name)
        hazard, why = option.hazard(name, old, value, holds_data=holds_data, replica=volume.replica)
        if hazard is not Hazard.NONE:
            reasons.append(f"{name}: {why}")
        if order.index(hazard) > order.index(worst):
            worst = hazard
    return worst, "; ".join(reasons)
