"""Set and reset the options of a volume."""

from __future__ import annotations

from dataclasses import replace

from salt_gluster.model import Observation, known
from salt_gluster.plan.actions.definition import seen_in_volume, with_volume
from salt_gluster.plan.actions.row import ON_VOLUME, Action, Args, pass_on


def _set(obs: Observation, subject: str, args: Args) -> Observation:
    volume = known(obs.volumes)[subject]
    return with_volume(obs, replace(volume, options={**volume.options, **args["options"]}))


def _reset(obs: Observation, subject: str, args: Args) -> Observation:
    volume = known(obs.volumes)[subject]
    left = {k: v for k, v in volume.options.items() if k != args["option"]}
    return with_volume(obs, replace(volume, options=left))


def _has_options(obs: Observation, subject: str, args: Args) -> bool:
    volume = known(obs.volumes).get(subject)
    return volume is not None and all(
        volume.options.get(k) == v for k, v in args["options"].items()
    )


def _lacks_option(obs: Observation, subject: str, args: Args) -> bool:
    volume = known(obs.volumes).get(subject)
    return volume is not None and args["option"] not in volume.options


ROWS = (
    Action(
        "options_set", ON_VOLUME,
        "volume_set", pass_on("options"), _set, _has_options, seen_in_volume(),
        "values are compared right before; an equal value is never sent, it raises the version",
    ),
    Action(
        "option_reset", ON_VOLUME,
        "volume_reset", pass_on("option"), _reset, _lacks_option, seen_in_volume(),
        "an option that is not set is not reset",
    ),
)  # fmt: skip
