"""Start and stop counting the file operations of a volume."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from salt_gluster.model import Observation, Volume, known
from salt_gluster.plan.actions.definition import volume_diff, with_volume
from salt_gluster.plan.actions.row import ON_VOLUME, Action, Args, pass_on

#: What ``volume profile V start`` sets, and its stop takes away again (facts.md#G-7.2).
SET_BY_PROFILE = {"diagnostics.latency-measurement": "on", "diagnostics.count-fop-hits": "on"}


def _profile(obs: Observation, subject: str, args: Args) -> Observation:
    volume = known(obs.volumes)[subject]
    left = {k: v for k, v in volume.options.items() if k not in SET_BY_PROFILE}
    on = SET_BY_PROFILE if args["on"] else {}
    return with_volume(obs, replace(volume, options={**left, **on}))


def is_profiled(volume: Volume) -> bool:
    """Return whether profiling is switched on for the volume."""
    return all(volume.options.get(k) == v for k, v in SET_BY_PROFILE.items())


def _has_profile(obs: Observation, subject: str, args: Args) -> bool:
    volume = known(obs.volumes).get(subject)
    return volume is not None and is_profiled(volume) == args["on"]


def _seen_profile(before: Observation, after: Observation, subject: str, _: Args) -> dict[str, Any]:
    old, new = (known(o.volumes).get(subject) for o in (before, after))
    diff = volume_diff(old, new, (), SET_BY_PROFILE)
    return {subject: diff} if diff else {}


ROWS = (
    Action(
        "volume_profile_start", ON_VOLUME,
        "profile_start", pass_on(), _profile, _has_profile, _seen_profile,
        "'already started': done",
    ),
    Action(
        "volume_profile_stop", ON_VOLUME,
        "profile_stop", pass_on(), _profile, _has_profile, _seen_profile,
        "'not started': done",
    ),
)  # fmt: skip
